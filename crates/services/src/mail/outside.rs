//! What mail needs of the world: names, other servers, a clock, somewhere to tell what happened.
//!
//! No socket is opened here. The binary implements these traits with the engine, the resolver and
//! the SMTP client session; tests implement them with tables.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use guichet_store::{Body, StoreError};
use guichet_trace::{Cause, WallTime};

/// A future that can be kept in a list.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Wall time.
pub trait Clock: Send + Sync {
    /// Now.
    fn wall(&self) -> WallTime;
}

/// The clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> WallTime {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        WallTime(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// Takes what happened to a letter, for the trace. Must return at once.
pub trait Facts: Send + Sync {
    /// `at` is the part of an exchange it belongs to: the one that brought the letter. The words:
    ///
    /// - `delivered`: it lies in a maildrop here; `text` is the address that was named;
    /// - `relayed`: another server took it; the address and that server's words;
    /// - `deferred`, `failed`: likewise, and it will, or will not, be tried again;
    /// - `reported`: the sender, whose address `text` is, gets a delivery report.
    ///
    /// That a letter was `queued` is the session's to say, with the reply.
    fn note(&self, at: Cause, word: &'static str, text: String);
}

/// Drops every fact.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn note(&self, _: Cause, _: &'static str, _: String) {}
}

/// Where mail for a domain goes (RFC 5321 section 5.1).
pub trait Names: Send + Sync {
    /// Asks for the MX records of `domain` and the addresses of each host, following CNAMEs; without
    /// MX, the domain itself is the one host, with preference 0. An error if nothing was found and
    /// somebody did not answer.
    fn mail_hosts(&self, domain: &str, cause: Cause) -> Later<Result<MailHosts, NamesError>>;
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailHosts {
    /// What the names say.
    pub plan: MxPlan,
    /// The exchanges that brought it.
    pub causes: Vec<Cause>,
}

/// What the names say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxPlan {
    /// These hosts take mail for the domain, in any order.
    Hosts(Vec<MxHost>),
    /// The domain says that it takes no mail (RFC 7505).
    Null,
    /// There is no such domain.
    NoSuchDomain,
}

/// One host of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxHost {
    /// Lower is tried first.
    pub preference: u16,
    /// The host's name.
    pub name: String,
    /// Its addresses, in the order to be tried; none if it has none.
    pub addresses: Vec<IpAddr>,
}

/// The names could not be asked, for now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NamesError(
    /// Why, in words.
    pub String,
);

/// One address to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailHost {
    /// The host's name, for TLS and for people.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
}

/// Hands letters to other servers.
pub trait Relay: Send + Sync {
    /// Connects to port 25 of `host`, hands over the letter, and says what became of it for each
    /// recipient. Bounded in time by its caller.
    fn deliver(&self, host: MailHost, letter: Letter) -> Later<RelayOutcome>;
}

/// What is to be handed over.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Our name for it.
    pub queue_id: String,
    /// The envelope's sender; empty for a report.
    pub sender: String,
    /// All at the same domain.
    pub recipients: Vec<String>,
    /// The message.
    pub body: LetterBody,
    /// It holds bytes above 127 (RFC 6152).
    pub eight_bit: bool,
    /// An address or the head is not ASCII (RFC 6531).
    pub utf8: bool,
    /// What led to its being handed over: first what brought it, then what the names were asked.
    pub causes: Vec<Cause>,
}

/// The content of a letter, read by pieces.
#[derive(Clone, Debug)]
pub struct LetterBody {
    body: Arc<Body>,
    skip_bytes: u64,
}

impl LetterBody {
    /// The content behind its first `skip_bytes`.
    pub fn new(body: Arc<Body>, skip_bytes: u64) -> Self {
        Self { body, skip_bytes }
    }

    /// Its length in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.body.size_bytes().saturating_sub(self.skip_bytes)
    }

    /// Up to `most` bytes from `offset_bytes` on; empty only at the end. Reads the disk in the
    /// calling thread.
    pub fn read(&self, offset_bytes: u64, most: usize) -> Result<Vec<u8>, StoreError> {
        self.body.read(self.skip_bytes + offset_bytes, most)
    }
}

/// What came of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayOutcome {
    /// This host cannot be used: no connection, no TLS where it is needed, or refused before the
    /// envelope (greeting, EHLO). The next one is tried.
    Unusable {
        /// Why, in words.
        words: String,
        /// It said so with a 5xx reply.
        permanent: bool,
        /// The exchange, if it came to one.
        exchange: Option<Cause>,
    },
    /// The envelope was discussed.
    Answered {
        /// For each recipient; one that is missing counts as [`Verdict::Deferred`].
        results: Vec<(String, Verdict)>,
        /// The exchange.
        exchange: Option<Cause>,
    },
}

/// What became of the letter for one recipient. Words are the other server's, code included where
/// there was one (`550 5.1.1 no such user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken.
    Delivered {
        /// Its words.
        words: String,
    },
    /// Not now (4xx, or the connection was lost).
    Deferred {
        /// Its words, or what happened.
        words: String,
    },
    /// Never (5xx).
    Failed {
        /// Its words.
        words: String,
    },
}
