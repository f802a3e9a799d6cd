//! The control socket: how a command speaks to a running server or lab.
//!
//! A unix socket, mode 0600; both ends check that the other belongs to the same user (or root).
//! One request a connection, one line of JSON ([`requests::Request`]); the answer is any number of
//! lines `{"item": …}` and then one `{"done": …}` or `{"refused": …}`. An answer that ends without
//! that last line was cut off.
//!
//! It carries requests; what they mean is up to the [`Handler`].

pub mod client;
pub mod find;
pub mod requests;
pub mod server;

pub use client::{Client, Items};
pub use find::{Instance, Instances, LabContract, find};
pub use requests::Request;
pub use server::{Answer, Conversations, Handler, Listener, Stream};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::output::Message;

/// One line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// One of several results; more follow.
    Item(Value),
    /// The end, with the result.
    Done(Value),
    /// The end: it was not done, and this is why.
    Refused(Message),
}

/// Whether the process at the other end is ours: of this user, or of root, who may do everything
/// in any case.
fn is_ours(stream: &tokio::net::UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

#[cfg(test)]
mod tests;
