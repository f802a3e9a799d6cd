//! What must last: accounts, aliases, mailboxes, the queue of mail for other servers, and the facts
//! of each delivery.
//!
//! **After a positive answer nothing is lost, whatever dies**: the process, the kernel, the power.
//! Before it, nothing half-done is visible. To that end every change is a frame in an append-only
//! *journal*; a SQLite file, the *view*, serves for looking things up and can be made anew from the
//! journal at any time. One thread commits: it applies what waits to the view in a transaction,
//! writes the frames, syncs them, commits the view, and only then answers.
//!
//! ```text
//! DIR/lock                  one process at a time
//! DIR/segments/00000001.seg the journal
//! DIR/bodies/….eml          bodies over 1 MB, one file each, nothing but the message
//! DIR/index.db              the view
//! DIR/quarantine/           copies of what could not be read
//! ```
//!
//! This crate speaks in domain operations ([`Store`]); no SQL and no file name leaves it, so that
//! another implementation (many nodes over a shared database) stays possible. It does not know
//! protocols, does not decide who may do what, and has no clock: times are given to it.
//!
//! ```
//! use guichet_store::{Change, NewMessage, Options, Recipient, Store, StoreError};
//! use guichet_trace::{Cause, ExchangeId, WallTime};
//!
//! # let dir = tempfile::tempdir().map_err(|error| StoreError::Io(error.to_string()))?;
//! # let now = Change::at(WallTime(0));
//! let store = Store::open(Options::new(dir.path()))?;
//! store.add_account(now, "bob@sud.test", "$argon2id$…").wait()?;
//! let to_bob = |address: &str| Recipient::Local {
//!     account: "bob@sud.test".to_owned(),
//!     original: address.to_owned(),
//! };
//! let letter = NewMessage {
//!     sender: "alice@nord.test".to_owned(),
//!     recipients: vec![to_bob("Bob@sud.test")],
//!     body: b"Subject: Hello\r\n\r\nHow are you?\r\n".to_vec().into(),
//!     message_id: String::new(),
//!     origin: Cause { exchange: ExchangeId(1), part: 1 },
//! };
//! let accepted = store.accept_message(now, letter).wait()?; // or .await
//! // Only now may a server say 250.
//! assert_eq!(accepted.delivered[0].uid, 1);
//! # Ok::<(), StoreError>(())
//! ```
//!
//! What it asks of the file system: `fdatasync` makes written data last, `fsync` of a folder its
//! names, and a rename is whole or not at all.

mod answer;
mod body;
mod committer;
mod error;
mod event;
mod health;
mod journal;
pub mod layer;
mod lease;
mod operation;
mod options;
mod order;
mod replay;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod types;
mod view;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use answer::Commit;
pub use body::{Body, BodyHandle, NewBody, SealedBody, Spool};
pub use error::StoreError;
pub use health::Health;
pub use journal::recovery::{Damage, Recovery};
pub use lease::Lease;
pub use options::Options;
pub use store::{MaildropLock, Store, Verification};
pub use types::{
    Accepted, Account, Alias, Attempt, Change, Delivered, Fact, FactKind, FactQuery, MaildropEntry,
    NewMessage, NotAQueueId, Outcome, QueueId, QueueState, QueuedMessage, QueuedRecipient,
    Recipient,
};
pub use view::read::Claimed;

/// Locks, also after a panic elsewhere: every value behind these locks is whole between two
/// statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
