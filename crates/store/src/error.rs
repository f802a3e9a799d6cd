//! What can go wrong, said so that whoever caused it can act.

use std::io;
use std::path::{Path, PathBuf};

use crate::types::QueueId;

/// Why an operation had no effect. Never returned for something that did happen, except
/// [`StoreError::Failed`], after which the outcome of what was under way is unknown (retry it with
/// the same key after a restart).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too little room is left on the disk; nothing was changed. SMTP says 452.
    #[error("the disk holding the store is full: nothing was changed; free some space")]
    Full,
    /// A write, a sync or the view failed earlier: nothing is acknowledged any more until restart.
    #[error("the store stopped acknowledging: {0}; repair the disk, then restart")]
    Failed(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Another process owns the folder.
    #[error("{} is in use by another process; stop that one first", .0.display())]
    Busy(PathBuf),
    /// A file was written by a newer program.
    #[error("{} has format {found}, this program knows up to {known}: use the newer program", .file.display())]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// The version it carries.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The system refused something outside the path of an acknowledgement.
    #[error("{0}")]
    Io(String),
    /// What was stored cannot be read back.
    #[error("damaged data: {0}")]
    Damaged(String),
    /// The message was deleted, delivered or removed meanwhile.
    #[error("the message is gone")]
    MessageGone,
    /// No account has this log-in.
    #[error("there is no account {0}")]
    NoSuchAccount(String),
    /// The log-in is taken.
    #[error("the account {0} exists already")]
    AccountExists(String),
    /// No alias has this address.
    #[error("there is no alias {0}")]
    NoSuchAlias(String),
    /// The alias exists, or it would lead nowhere.
    #[error("the alias {0} exists already")]
    AliasExists(String),
    /// An alias needs at least one target.
    #[error("the alias {0} needs at least one target")]
    NoTargets(String),
    /// Nothing waits under this queue id.
    #[error("nothing waits under queue id {0}")]
    NoSuchQueueEntry(QueueId),
    /// A message needs at least one recipient.
    #[error("the message has no recipient")]
    NoRecipients,
    /// The message, or a list in it, is longer than a frame can say.
    #[error("the message is too large for the store")]
    TooLarge,
    /// The idempotency key belongs to an operation of another kind.
    #[error("this idempotency key was used for another operation")]
    KeyReused,
}

impl StoreError {
    /// An input or output error, with what was being done; a full disk keeps its own variant.
    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        if is_full(error) {
            return Self::Full;
        }
        Self::Io(format!("{doing} {}: {error}", path.display()))
    }
}

/// No space, or a quota reached.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Io(format!("the view (index.db): {error}")),
        }
    }
}
