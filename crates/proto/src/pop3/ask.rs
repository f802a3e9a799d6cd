//! What a POP3 server session needs decided.

use alloc::string::String;
use alloc::vec::Vec;

use guichet_trace::Cause;
use serde::{Deserialize, Serialize};

use crate::session::SourceId;

/// A question of the server session. Message numbers count from 1, as on the wire.
#[derive(Clone, Serialize, Deserialize)]
pub enum Ask {
    /// Is this the person's password? If so, lock the maildrop and list it (RFC 1939 section 4).
    Open {
        /// The full address.
        login: String,
        /// In clear, as the client gave it.
        password: String,
    },
    /// Hold a message ready for sending (RETR).
    Retrieve {
        /// Message number.
        number: u32,
    },
    /// Hold the head and so many lines of the body ready (TOP).
    Top {
        /// Message number.
        number: u32,
        /// Lines of the body.
        lines: u32,
    },
    /// QUIT: delete these for good, durably, and give the maildrop back (RFC 1939 section 6). The
    /// last question of a dialogue.
    Delete {
        /// Message numbers; none if nothing was marked.
        numbers: Vec<u32>,
    },
}

impl core::fmt::Debug for Ask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Open { login, .. } => write!(f, "Open {login}"),
            Self::Retrieve { number } => write!(f, "Retrieve {number}"),
            Self::Top { number, lines } => write!(f, "Top {number} {lines}"),
            Self::Delete { numbers } => write!(f, "Delete {numbers:?}"),
        }
    }
}

/// One message of the maildrop, as it was when it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Size in octets as sent, without dot-stuffing.
    pub octets: u64,
    /// Unique id (UIDL), 1 to 70 characters of 0x21 to 0x7E, never used again.
    pub unique_id: String,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The maildrop is locked for this dialogue and holds these messages.
    Opened(Vec<Entry>),
    /// The message can be sent from this source.
    Ready {
        /// Where from.
        source: SourceId,
        /// What brought the message, for the trace.
        cause: Option<Cause>,
    },
    /// Done.
    Done,
    /// Login refused: wrong name or password, or log-in not allowed; one answer for all.
    WrongLogin,
    /// Someone else holds the maildrop (RFC 1939 section 4; `[IN-USE]`, RFC 2449).
    InUse,
    /// No, in these words (`[SYS/TEMP]`, RFC 3206).
    Failed(String),
}

/// A question of the client session to whoever keeps what is fetched. The message itself goes
/// piece by piece to [`crate::Service::piece`] between `Begin` and `End`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Collect {
    /// Is this message wanted? Answered by `Take` or `Skip`. One begun before and not ended is to
    /// be forgotten.
    Begin {
        /// Message number.
        number: u32,
        /// Its unique id; empty where the server gives none.
        unique_id: String,
        /// Its size as the server tells it.
        octets: u64,
    },
    /// The message is whole: keep it. Answered by `Kept` or `Skip`; only what is kept is deleted
    /// on the server.
    End {
        /// Its length.
        bytes: u64,
    },
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Collected {
    /// Fetch it.
    Take,
    /// Leave it on the server.
    Skip,
    /// It is on disk.
    Kept,
}
