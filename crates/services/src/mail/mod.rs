//! Mail: taking it in, handing it on, letting it be collected.
//!
//! ```text
//! port 25    ─▶ Reception  ─┐                     ┌─▶ maildrops ─▶ Maildrop ─▶ port 110
//! port 587   ─▶ Submission ─┴─ Intake ─▶ store ───┤
//!                                                 └─▶ Queue ─▶ Relay (another server)
//!                                                        └─▶ report to the sender
//! ```
//!
//! [`Reception`], [`Submission`] and [`Maildrop`] are the [`guichet_proto::Service`]s of one
//! connection each; [`Mail`] is what they share. [`queue::Queue`] runs beside them. The rules are
//! those of RFC 5321 (transfer), RFC 6409 (submission), RFC 1939 (collection), RFC 3464 (reports).
//!
//! What a positive answer promises is kept by the store; this folder only makes sure that no
//! positive answer is given before the store's. No dialogue, no socket, no DNS message is here: see
//! [`outside`] for what is asked of the world.

mod date;
mod head;
mod intake;
mod maildrop;
pub mod outside;
pub mod queue;
mod reception;
pub mod report;
mod submission;
#[cfg(test)]
mod tests;
mod transaction;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use guichet_store::{Store, StoreError};
use guichet_trace::{ExchangeId, Secured};

use crate::accounts::{Accounts, Directory};
pub use head::HEAD_BYTES_MAX;
pub use maildrop::Maildrop;
use outside::{Clock, Facts};
pub use reception::Reception;
pub use submission::Submission;

/// What an organisation's mail services share.
pub struct Mail {
    /// Where everything is kept.
    pub store: Store,
    /// Who may log in.
    pub accounts: Arc<Accounts>,
    /// Where addresses lead.
    pub directory: Arc<Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happened.
    pub facts: Arc<dyn Facts>,
    /// Sizes and patience.
    pub limits: Limits,
    /// This server's name, as its greeting gives it.
    pub host: String,
}

/// Sizes and patience of taking mail in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message in bytes. Default 50 MB.
    pub message_bytes_max: u64,
    /// Most recipients of one transaction. Default 1000; RFC 5321 section 4.5.3.1.8 asks for at
    /// least 100.
    pub recipients_max: usize,
    /// More Received fields than this are a loop (RFC 5321 section 6.3). Default 50.
    pub received_max: usize,
    /// Longest time from the end of a message to its answer. Default 60 seconds: a client that gives
    /// up waiting sends the message again (RFC 1047).
    pub answer_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 50_000_000,
            recipients_max: 1000,
            received_max: 50,
            answer_patience: Duration::from_secs(60),
        }
    }
}

/// The client of one connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The dialogue in the trace.
    pub exchange: ExchangeId,
    /// Its address.
    pub address: IpAddr,
    /// What TLS gave, set once it is in force.
    pub tls: Arc<OnceLock<Secured>>,
}

/// What a failing store means to whoever is connected, who can only wait.
fn unavailable(error: &StoreError) -> guichet_proto::smtp::ask::Refusal {
    use guichet_proto::smtp::ask::Refusal;
    match error {
        StoreError::Full => Refusal::new(452, "4.3.1", "The disk is full here; try again later"),
        error => {
            tracing::error!(%error, "the store refused");
            Refusal::new(
                451,
                "4.3.0",
                "The message cannot be kept now; try again later",
            )
        }
    }
}
