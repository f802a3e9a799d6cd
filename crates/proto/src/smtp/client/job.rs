//! What a client is to do, and what became of it.

use alloc::string::String;
use alloc::vec::Vec;

use guichet_trace::Cause;

use crate::common::sasl::Credentials;
use crate::session::SourceId;

/// When TLS is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Not at all.
    Never,
    /// Where the server offers it (RFC 3207, opportunistic).
    IfOffered,
    /// Always; a server that does not offer it gets nothing.
    Required,
    /// In force since before the greeting (RFC 8314).
    Implicit,
}

/// Letters for one server.
#[derive(Clone, Debug)]
pub struct Job {
    /// The name for EHLO.
    pub client_name: String,
    /// When TLS is used.
    pub tls: TlsPolicy,
    /// For a submission server.
    pub login: Option<Credentials>,
    /// The letters, in order.
    pub letters: Vec<Letter>,
}

/// One letter.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Reverse-path without angle brackets; empty is the null reverse-path.
    pub sender: String,
    /// Forward-paths without angle brackets; at least one.
    pub recipients: Vec<String>,
    /// Where the service holds header and body, lines ended by CR LF, not dot-stuffed.
    pub source: SourceId,
    /// Its size.
    pub size_bytes: u64,
    /// An address or the header needs SMTPUTF8 (RFC 6531).
    pub utf8: bool,
    /// The content has bytes above 127 (RFC 6152).
    pub eight_bit: bool,
    /// What brought the letter, for the trace; on its MAIL.
    pub causes: Vec<Cause>,
}

/// What became of one recipient of one letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server has taken responsibility.
    Delivered {
        /// What it said.
        words: String,
    },
    /// Not now; to be tried again.
    Deferred {
        /// Its reply code, 4xx; 421 where it said none.
        code: u16,
        /// What it said, or what went wrong.
        words: String,
    },
    /// Never.
    Refused {
        /// Its reply code, 5xx; the fitting one where this side refused to send.
        code: u16,
        /// What it said, or why not.
        words: String,
    },
}

impl Fate {
    /// What a reply that is not positive means.
    pub fn from_reply(code: u16, words: impl Into<String>) -> Self {
        let words = words.into();
        match code {
            500..=599 => Self::Refused { code, words },
            _ => Self::Deferred { code, words },
        }
    }
}

/// What became of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// For each letter, for each recipient, in the job's order.
    pub letters: Vec<Vec<Fate>>,
    /// What ended the dialogue before its time, if something did.
    pub failed: Option<String>,
    /// TLS was in force when letters were sent.
    pub secured: bool,
    /// The server answered to a letter's MAIL. Before that, another host may be tried at once; from
    /// then on it may have the letter although its answer was lost.
    pub discussed: bool,
}
