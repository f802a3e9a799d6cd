//! `guichet.toml`: one declaration per key ([`declare`]), one reading of the file ([`read`]), one
//! check ([`check`]) into plain structs that the rest of the program uses without asking again.
//!
//! Everything wrong with a file is said at once, each with its line, what was expected and the
//! nearest known key. Relative paths are relative to the file. It opens no socket and no
//! certificate, and it does not look whether folders exist: that is for those who use them.

mod check;
mod declare;
mod kind;
mod manual;
mod nearest;
mod read;
mod service;
mod write;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use declare::{Change, Declaration, TABLE, text_keys};
pub use kind::{domain, parse_duration};
pub use manual::{explain, explain_json, manual};
pub use nearest::nearest;
pub use service::Service;
pub use write::{Setting, list, quoted, write};

use crate::output::{Failure, Message};
use crate::texts::Language;

/// The file's usual name.
pub const FILE_NAME: &str = "guichet.toml";

/// A checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// The domains served, lower case, without a final dot. At least one.
    pub domains: Vec<String>,
    /// The host's own name: in greetings, in HELO, as the MX of the domains.
    pub hostname: String,
    /// The language of logs and of pages for people; the environment's where it is not set.
    pub language: Option<Language>,
    /// The user to become after binding, when started as root.
    pub user: Option<String>,
    /// The control socket.
    pub control: PathBuf,
    /// The store's folder.
    pub store_dir: PathBuf,
    /// Name service.
    pub names: Names,
    /// The folder with one folder per site.
    pub pages_sites: PathBuf,
    /// The listeners; a service that is off is absent.
    pub listen: BTreeMap<Service, Listen>,
    /// The certificates, in the order of the file.
    pub certificates: Vec<Certificate>,
    /// Mail.
    pub mail: Mail,
    /// Where outgoing connections to these hosts and ports really go.
    pub dial_map: BTreeMap<(String, u16), SocketAddr>,
    /// What the trace keeps.
    pub trace: Trace,
    /// How long dialogues under way may take to end at a stop.
    pub stop_drain: Duration,
    /// The file with the token that opens the watch address; drawn at the start where it is
    /// missing.
    pub watch_token_file: PathBuf,
}

/// Name service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The folder of zone files.
    pub zones: PathBuf,
    /// The root name servers the resolver begins with; empty: the public ones.
    pub roots: Vec<SocketAddr>,
    /// Where the resolver answers others, all on loopback; empty: nowhere.
    pub resolver_listen: Vec<SocketAddr>,
}

/// Where a service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// At least one.
    pub addresses: Vec<SocketAddr>,
    /// Length of the kernel's queue of connections not yet accepted.
    pub backlog: u32,
    /// Connections at once, over all addresses.
    pub connections_most: u32,
}

/// A certificate chain with its key, both PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names it is shown for; empty: those that stand in it.
    pub names: Vec<String>,
    /// The chain, the host's own certificate first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The largest message accepted (RFC 1870).
    pub size_bytes_most: u64,
    /// Whether log-ins are allowed without TLS.
    pub clear_logins: bool,
    /// When a message that could not be handed over is tried again.
    pub queue: Queue,
}

/// The schedule of the queue (RFC 5321 section 4.5.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// After the first failure; doubled after each further one.
    pub first_retry: Duration,
    /// The longest pause between two attempts.
    pub retry_most: Duration,
    /// When a message is given up and its sender told.
    pub expire: Duration,
}

/// What the trace keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// How much of each exchange.
    pub level: TraceLevel,
    /// For how long.
    pub keep: Duration,
    /// How much room it may take on disk.
    pub bytes_most: u64,
}

/// How much of each exchange the trace keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceLevel {
    /// Nothing.
    Off,
    /// Who, verb, answer, sizes; never content.
    Envelope,
    /// Also the bytes, with secrets masked.
    Full,
}

impl Config {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// [`Failure::Wrong`] with everything that is wrong with it, in the order of its lines.
    pub fn load(file: &Path) -> Result<Self, Failure> {
        let text =
            std::fs::read_to_string(file).map_err(|error| Failure::unreadable(file, &error))?;
        Self::parse(file, &text)
    }

    /// Checks `text` as the content of `file`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, Failure> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let read = read::read(text);
        check::check(&file, read).map_err(|mut findings| {
            findings.sort_by_key(|finding| finding.line);
            Failure::Wrong(
                findings
                    .iter()
                    .map(|finding| finding.message(&file))
                    .collect(),
            )
        })
    }
}

/// Something wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its line, from 1; 0 where something is missing altogether.
    line: usize,
    what: Message,
}

impl Finding {
    fn message(&self, file: &Path) -> Message {
        let key = if self.line == 0 {
            "config-finding-file"
        } else {
            "config-finding"
        };
        Message::new(key)
            .with("file", file)
            .with_shown("line", self.line)
            .with("what", self.what.clone())
    }
}

#[cfg(test)]
mod tests;
