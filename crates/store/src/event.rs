//! What a frame says: the effect of an operation with every choice already made (numbers, ids,
//! times), so that replay does exactly what was done, and never asks again whether it may.
//!
//! These types are a file format. Variants and fields are only ever added at the end of a new
//! variant, never changed; another meaning needs another frame version.

use guichet_trace::{Cause, WallTime};
use serde::{Deserialize, Serialize};

use crate::types::{Outcome, QueueId};

/// The metadata of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub at: WallTime,
    pub key: Option<u128>,
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    AccountAdded {
        login: String,
        password_hash: String,
        uid_validity: u32,
    },
    PasswordSet {
        login: String,
        password_hash: String,
    },
    AccountSuspended {
        login: String,
        suspended: bool,
    },
    AccountRemoved {
        login: String,
    },
    AliasAdded {
        address: String,
        targets: Vec<String>,
    },
    AliasRemoved {
        address: String,
    },
    Accepted(Message),
    Attempted(Attempted),
    Held {
        queue_id: QueueId,
        held: bool,
    },
    RetryAt {
        queue_id: QueueId,
        due: WallTime,
    },
    QueueRemoved {
        queue_id: QueueId,
        words: String,
    },
    Deleted {
        login: String,
        uids: Vec<u32>,
    },
    Purged {
        ended_before: WallTime,
    },
}

impl Event {
    /// Stands in the frame's header, so that a journal can be listed without reading the metadata.
    pub fn kind(&self) -> u16 {
        match self {
            Self::AccountAdded { .. } => 1,
            Self::PasswordSet { .. } => 2,
            Self::AccountSuspended { .. } => 3,
            Self::AccountRemoved { .. } => 4,
            Self::AliasAdded { .. } => 5,
            Self::AliasRemoved { .. } => 6,
            Self::Accepted(_) => 7,
            Self::Attempted(_) => 8,
            Self::Held { .. } => 9,
            Self::RetryAt { .. } => 10,
            Self::QueueRemoved { .. } => 11,
            Self::Deleted { .. } => 12,
            Self::Purged { .. } => 13,
        }
    }
}

/// A message, its body behind the metadata or in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub queue_id: QueueId,
    pub sender: String,
    pub message_id: String,
    pub origin: Cause,
    pub body_bytes: u64,
    /// BLAKE3 of the body.
    pub digest: [u8; 32],
    /// Its name in `bodies/`; `None` if it stands in the frame.
    pub file: Option<String>,
    pub local: Vec<Local>,
    pub remote: Vec<Remote>,
}

/// A copy in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Local {
    pub account: String,
    /// Every address the sender gave that led here.
    pub originals: Vec<String>,
    pub uid: u32,
}

/// A copy in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remote {
    pub address: String,
    pub original: String,
}

/// What is known after an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempted {
    pub queue_id: QueueId,
    pub outcomes: Vec<(String, Outcome)>,
    pub exchange: Option<Cause>,
    pub report: Option<Message>,
}
