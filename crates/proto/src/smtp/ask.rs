//! What an SMTP server session needs decided.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// A question of the server session. The body itself goes piece by piece to
/// [`crate::Service::piece`] between [`Ask::Body`] and [`Ask::Finish`].
#[derive(Clone, Serialize, Deserialize)]
pub enum Ask {
    /// AUTH: is this the person's password? (RFC 4954). Answered by `Accepted` or `Refused`.
    Authenticate {
        /// The full address.
        login: String,
        /// In clear, as the client gave it.
        password: String,
    },
    /// MAIL: begins a transaction (RFC 5321 4.1.1.2).
    Mail {
        /// Reverse-path without angle brackets; empty is the null reverse-path.
        sender: String,
        /// The name given in EHLO or HELO.
        client_name: String,
        /// `SIZE=` (RFC 1870), in bytes.
        size_bytes: Option<u64>,
        /// `SMTPUTF8` (RFC 6531).
        utf8: bool,
        /// `BODY=8BITMIME` (RFC 6152).
        eight_bit: bool,
        /// Which part of the exchange this transaction is, for cause links.
        part: u32,
    },
    /// RCPT: one more recipient (RFC 5321 4.1.1.3).
    Recipient {
        /// Forward-path without angle brackets or source route. `postmaster` may stand alone.
        address: String,
    },
    /// DATA or the first BDAT: may the body come?
    Body,
    /// The body is whole: keep it. `Queued` is a promise that it is on disk.
    Finish {
        /// Its length.
        bytes: u64,
    },
    /// The transaction is given up (RSET, EHLO, a broken body): discard it. Answered by `Accepted`.
    Reset,
}

impl core::fmt::Debug for Ask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Authenticate { login, .. } => write!(f, "Authenticate {login}"),
            Self::Mail { sender, .. } => write!(f, "Mail <{sender}>"),
            Self::Recipient { address } => write!(f, "Recipient <{address}>"),
            Self::Body => f.write_str("Body"),
            Self::Finish { bytes } => write!(f, "Finish {bytes}"),
            Self::Reset => f.write_str("Reset"),
        }
    }
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Go on.
    Accepted,
    /// The message is kept durably for all accepted recipients.
    Queued {
        /// Our id for it.
        id: String,
        /// Its Message-ID with angle brackets; empty if it has none.
        message_id: String,
    },
    /// No, in these words.
    Refused(Refusal),
}

/// A refusal as it goes on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Reply code, 4xx or 5xx.
    pub code: u16,
    /// Enhanced status code (RFC 3463) such as `5.1.1`.
    pub enhanced: String,
    /// One line of text.
    pub text: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: u16, enhanced: &str, text: impl Into<String>) -> Self {
        Self {
            code,
            enhanced: enhanced.into(),
            text: text.into(),
        }
    }
}
