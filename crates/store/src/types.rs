//! The words in which the store is spoken to: plain data, no SQL, no files.

use std::fmt;
use std::str::FromStr;

use guichet_trace::{Cause, WallTime};
use serde::{Deserialize, Serialize};

use crate::body::{BodyHandle, NewBody};
use crate::error::StoreError;

/// When a change is made, and by which key a repetition of it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The wall time to record.
    pub at: WallTime,
    /// Drawn at random by whoever may have to ask again (after a crash, a lost answer, a hand-over).
    /// A second change with the same key does nothing and gets the first one's answer.
    pub key: Option<u128>,
}

impl Change {
    /// A change nobody will repeat.
    pub fn at(at: WallTime) -> Self {
        Self { at, key: None }
    }

    /// A change that takes effect once, however often it is asked for.
    pub fn once(at: WallTime, key: u128) -> Self {
        Self { at, key: Some(key) }
    }
}

/// Names a message on its way: 50 random bits, shown as ten characters (Crockford's base 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueueId(pub(crate) u64);

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: u32 = 10;

impl QueueId {
    /// Draws one. Whether it is still free, the view knows.
    pub(crate) fn random() -> Result<Self, StoreError> {
        let drawn = getrandom::u64().map_err(|error| {
            StoreError::Io(format!("the system gave no random number: {error}"))
        })?;
        Ok(Self(drawn >> (64 - 5 * LENGTH)))
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..LENGTH).rev().try_for_each(|place| {
            let digit = DIGITS[(self.0 >> (5 * place) & 31) as usize];
            fmt::Write::write_char(f, char::from(digit))
        })
    }
}

/// The text is not ten characters of Crockford's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a queue id is ten of the characters 0-9 and a-z without i, l, o, u")]
pub struct NotAQueueId;

impl FromStr for QueueId {
    type Err = NotAQueueId;

    fn from_str(text: &str) -> Result<Self, NotAQueueId> {
        if text.len() != LENGTH as usize {
            return Err(NotAQueueId);
        }
        text.bytes()
            .try_fold(0, |value, byte| {
                let byte = byte.to_ascii_lowercase();
                let digit = DIGITS.iter().position(|&known| known == byte)?;
                Some(value << 5 | digit as u64)
            })
            .map(Self)
            .ok_or(NotAQueueId)
    }
}

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The full address, lower case.
    pub login: String,
    /// The password's hash as a PHC string.
    pub password_hash: String,
    /// Log-ins are refused; mail is still received.
    pub suspended: bool,
    /// When it was made.
    pub created: WallTime,
}

/// An address that leads to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The address, lower case.
    pub address: String,
    /// Where it leads, in the order given.
    pub targets: Vec<String>,
}

/// Where a copy of a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Into the INBOX of an account of this store.
    Local {
        /// The account's log-in.
        account: String,
        /// The address the sender gave (RFC 3461 calls it the original recipient).
        original: String,
    },
    /// Into the queue, to be handed to another server.
    Remote {
        /// The address to hand over.
        address: String,
        /// The address the sender gave.
        original: String,
    },
}

/// A message to be accepted.
#[derive(Debug)]
pub struct NewMessage {
    /// The envelope's sender (RFC 5321 section 3.3); empty for reports.
    pub sender: String,
    /// At least one.
    pub recipients: Vec<Recipient>,
    /// The message (RFC 5322) as it will be sent on and read.
    pub body: NewBody,
    /// Its Message-ID, as text; empty if it has none.
    pub message_id: String,
    /// What led to it: the part of the exchange in which it came.
    pub origin: Cause,
}

/// What became of an accepted message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its name, also when all recipients are local.
    pub queue_id: QueueId,
    /// The mailboxes it lies in now.
    pub delivered: Vec<Delivered>,
}

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The account's log-in.
    pub account: String,
    /// Its number there (RFC 3501 section 2.3.1.1): rising, never given twice.
    pub uid: u32,
}

/// The result of handing a message to another server, for one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The other server took it.
    Delivered {
        /// Its words.
        words: String,
    },
    /// Not now; to be tried again.
    Deferred {
        /// When.
        until: WallTime,
        /// Why, in the other server's words or ours.
        words: String,
    },
    /// Never: refused for good, or the caller gave up after too long.
    Failed {
        /// Why.
        words: String,
    },
}

/// What is known after an attempt.
#[derive(Debug)]
pub struct Attempt {
    /// One for each recipient of the claim; recipients that were not claimed are ignored, claimed
    /// ones that are missing stay as they were.
    pub outcomes: Vec<(String, Outcome)>,
    /// The exchange with the other server, if it came to one.
    pub exchange: Option<Cause>,
    /// A delivery report to accept in the same step, so that a failure and its report are one.
    pub report: Option<NewMessage>,
}

/// Where a recipient stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueState {
    /// To be tried when it is due.
    Waiting,
    /// Taken by the other server.
    Delivered,
    /// Given up.
    Failed,
    /// Taken out by an operator.
    Removed,
}

/// One recipient in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRecipient {
    /// The address to hand over.
    pub address: String,
    /// The address the sender gave.
    pub original: String,
    /// Where it stands.
    pub state: QueueState,
    /// An operator stopped it.
    pub held: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, if it is waiting.
    pub due: WallTime,
    /// The words of the last attempt; empty before the first.
    pub words: String,
}

/// A message in the queue, with all its remote recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMessage {
    /// Its name.
    pub queue_id: QueueId,
    /// The envelope's sender.
    pub sender: String,
    /// Its Message-ID.
    pub message_id: String,
    /// What led to it.
    pub origin: Cause,
    /// When it was accepted.
    pub accepted: WallTime,
    /// Its content; readable as long as a recipient waits or it lies in a mailbox.
    pub body: BodyHandle,
    /// Every remote recipient.
    pub recipients: Vec<QueuedRecipient>,
}

/// A message in a maildrop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaildropEntry {
    /// Its number.
    pub uid: u32,
    /// Its length in octets (RFC 1939 section 11: with CR LF line ends).
    pub size_octets: u64,
    /// For UIDL (RFC 1939 section 7): the same in every session, of this message alone.
    pub unique_id: String,
    /// Its Message-ID.
    pub message_id: String,
    /// What led to it.
    pub origin: Cause,
    /// The name under which it was accepted.
    pub queue_id: QueueId,
    /// When it came.
    pub arrived: WallTime,
    /// Its content.
    pub body: BodyHandle,
}

/// What is asserted about a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactKind {
    /// The store answered for it.
    Accepted,
    /// It lies in a mailbox here. An end.
    Stored,
    /// The other server took it. An end.
    Delivered,
    /// An attempt came to nothing; there will be another.
    Deferred,
    /// Given up. An end.
    Failed,
    /// Taken out of the queue by an operator. An end.
    Removed,
}

/// One thing that happened to one recipient's copy of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// When.
    pub at: WallTime,
    /// What.
    pub kind: FactKind,
    /// The message's name.
    pub queue_id: QueueId,
    /// The envelope's sender.
    pub sender: String,
    /// Whose copy: the account or the remote address.
    pub recipient: String,
    /// The address the sender gave.
    pub original: String,
    /// The Message-ID.
    pub message_id: String,
    /// The other server's words, or ours.
    pub words: String,
    /// The exchange in which it happened, where there was one.
    pub exchange: Option<Cause>,
}

/// Which facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactQuery {
    /// Of one message.
    QueueId(QueueId),
    /// Of messages with this Message-ID.
    MessageId(String),
    /// Of copies for this address (as handed over, as given, or the account).
    Recipient(String),
    /// Of messages from this envelope sender.
    Sender(String),
    /// All.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_id_reads_back() {
        for id in [0, 1, 31, 32, (1 << 50) - 1, 0x2_4567_89ab_cdef] {
            assert_eq!(QueueId(id).to_string().parse(), Ok(QueueId(id)));
        }
        assert!("zzzzzzzzz".parse::<QueueId>().is_err());
        assert!("iiiiiiiiii".parse::<QueueId>().is_err());
        assert!(QueueId::random().unwrap().0 < 1 << 50);
    }
}
