//! What the committer is asked to do.

use guichet_trace::{Cause, WallTime};

use crate::answer::Reply;
use crate::body::{Bodies, SealedBody};
use crate::error::StoreError;
use crate::lease::Lease;
use crate::types::{Change, NewMessage, Outcome, QueueId, Recipient};
use std::sync::Arc;

/// An operation that waits for its group.
#[derive(Debug)]
pub(crate) struct Request {
    pub change: Change,
    pub operation: Operation,
    pub reply: Reply,
}

/// A wish; whether it may be, and with which numbers, is decided in the group.
#[derive(Debug)]
pub(crate) enum Operation {
    AddAccount {
        login: String,
        password_hash: String,
    },
    SetPassword {
        login: String,
        password_hash: String,
    },
    Suspend {
        login: String,
        suspended: bool,
    },
    RemoveAccount {
        login: String,
    },
    AddAlias {
        address: String,
        targets: Vec<String>,
    },
    RemoveAlias {
        address: String,
    },
    Accept(SealedMessage),
    Attempted {
        lease: Lease,
        outcomes: Vec<(String, Outcome)>,
        exchange: Option<Cause>,
        report: Option<SealedMessage>,
    },
    Hold {
        queue_id: QueueId,
        held: bool,
    },
    RetryNow {
        queue_id: QueueId,
    },
    RemoveQueued {
        queue_id: QueueId,
        words: String,
    },
    Delete {
        login: String,
        uids: Vec<u32>,
    },
    Purge {
        ended_before: WallTime,
    },
    /// Makes the view anew from the journal.
    Rebuild,
    /// Nothing: answered when everything before it is done.
    Flush,
}

impl Operation {
    /// Whether it needs room that only deletions would give back; refused while space is short.
    pub fn grows(&self) -> bool {
        matches!(
            self,
            Self::Accept(_) | Self::AddAccount { .. } | Self::AddAlias { .. }
        )
    }
}

/// A message whose body is ready.
#[derive(Debug)]
pub(crate) struct SealedMessage {
    pub sender: String,
    pub recipients: Vec<Recipient>,
    pub body: SealedBody,
    pub message_id: String,
    pub origin: Cause,
}

impl SealedMessage {
    /// Makes the body ready, which blocks for a large one.
    pub fn seal(message: NewMessage, bodies: &Arc<Bodies>) -> Result<Self, StoreError> {
        let NewMessage {
            sender,
            recipients,
            body,
            message_id,
            origin,
        } = message;
        Ok(Self {
            sender,
            recipients,
            body: body.seal(bodies)?,
            message_id,
            origin,
        })
    }
}
