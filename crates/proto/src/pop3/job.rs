//! What a client is to do, and what became of it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::common::sasl::Credentials;

/// When TLS is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Not at all.
    Never,
    /// Where the server offers it.
    IfOffered,
    /// Always; to a server that does not offer it no password is sent.
    Required,
    /// In force since before the greeting (RFC 8314).
    Implicit,
}

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// Every message the service takes.
    All,
    /// None: only how many there are.
    CountOnly,
}

/// What a client is to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// When TLS is used.
    pub tls: TlsPolicy,
    /// Who collects.
    pub login: Credentials,
    /// Messages stay on the server.
    pub keep: bool,
    /// What is fetched.
    pub fetch: Fetch,
}

/// What became of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The log-in was taken.
    pub logged_in: bool,
    /// TLS was in force.
    pub secured: bool,
    /// Messages in the maildrop, as STAT told.
    pub count: u32,
    /// Their size.
    pub octets: u64,
    /// Message numbers that were fetched and kept.
    pub kept: Vec<u32>,
    /// Message numbers marked for deletion; gone only if `deleted` is true.
    pub marked: Vec<u32>,
    /// The server has confirmed the deletion.
    pub deleted: bool,
    /// What ended the dialogue before its time, or what the server refused.
    pub failed: Option<String>,
}
