//! Finds out about names that other servers hold: a walk from the root, pure.
//!
//! [`Walk`] is one question on its way. It says which bytes to send to whom, and is told what came
//! back; sockets, clock, randomness and the trace belong to whoever drives it:
//!
//! ```text
//! let mut walk = Walk::new(question, roots, limits);
//! loop {
//!     match walk.next(&mut cache, now, random) {
//!         Step::Ask(ask) => one exchange of the trace: send ask.bytes to ask.server from a fresh
//!                           port; then walk.heard(…) for what arrives from there (go on waiting
//!                           while it says Ignored), or walk.failed(Timeout | Unreachable);
//!         Step::Done(answer) => break answer,
//!     }
//! }
//! ```
//!
//! [`Cache`] is shared by the walks of one process. [`MxPlan`] turns an answer into what mail
//! needs; [`stub_question`] and [`respond`] serve stub resolvers such as `dig`.
//!
//! Follows RFC 1034 section 5.3.3, RFC 2181 section 5.4.1 (what may be believed), RFC 2308
//! (negative answers), RFC 5321 section 5.1 and RFC 7505 (mail), RFC 5452 (against forgery: random
//! id and port, the question must match, nothing from outside the asked zone is believed).
//!
//! Not here: DNSSEC validation, QNAME minimisation, serving stale data, prefetching.

mod cache;
mod mx;
mod reply;
mod servers;
mod stub;
mod walk;

#[cfg(test)]
mod belief_tests;
#[cfg(test)]
mod internet;
#[cfg(test)]
mod use_tests;
#[cfg(test)]
mod walk_tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use guichet_proto::dns::{Name, Rcode, Record, Rtype};
use guichet_trace::Cause;

pub use cache::{Cache, Known};
pub use mx::{HostAddresses, MxPlan, MxTarget};
pub use stub::{Stub, respond, stub_question};
pub use walk::{Ask, Failure, Heard, Step, Walk};

/// What is to be found out; class IN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// About whom.
    pub name: Name,
    /// Which kind of fact.
    pub qtype: Rtype,
}

impl fmt::Display for Question {
    /// `www.sud.test A`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.qtype)
    }
}

/// A server of the root zone, where every walk begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootHint {
    /// Its name.
    pub name: Name,
    /// Where it answers.
    pub addresses: Vec<SocketAddr>,
}

/// How much work one question may cause. A stranger who controls a zone decides what its servers
/// answer, so every way to make us go on is bounded (NXNSAttack, CVE-2020-12667).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Queries sent in all.
    pub queries_max: u32,
    /// CNAME steps.
    pub aliases_max: usize,
    /// Walks within walks, to find a name server's address.
    pub depth_max: usize,
    /// Name servers of one delegation whose addresses are looked for because no glue came.
    pub glueless_max: u32,
    /// Queries to one address of a delegation.
    pub tries_max: u32,
    /// How long the first answer of a server is waited for; doubled with each further try.
    pub patience: Duration,
    /// How long the whole may take.
    pub walk_time: Duration,
    /// Whether zone servers may have loopback and link-local addresses. A resolver of the real
    /// Internet must not let a stranger's zone send it to its own host's services.
    pub local_servers: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queries_max: 50,
            aliases_max: 12,
            depth_max: 4,
            glueless_max: 4,
            tries_max: 2,
            patience: Duration::from_millis(800),
            walk_time: Duration::from_secs(10),
            local_servers: false,
        }
    }
}

impl Limits {
    /// Whether a zone server may have this address.
    fn allows(&self, address: IpAddr) -> bool {
        if address.is_unspecified() || address.is_multicast() {
            return false;
        }
        let local = match address {
            IpAddr::V4(v4) => v4 == Ipv4Addr::BROADCAST || v4.is_loopback() || v4.is_link_local(),
            IpAddr::V6(v6) => {
                v6 == Ipv6Addr::LOCALHOST
                    || v6.is_unicast_link_local()
                    || v6.to_ipv4_mapped().is_some()
            }
        };
        self.local_servers || !local
    }
}

/// What a walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// NOERROR (with or without records), NXDOMAIN, or SERVFAIL when nobody could be made to say.
    pub rcode: Rcode,
    /// The aliases passed, in order, then the records. TTLs are what is left of them.
    pub records: Vec<Record>,
    /// The SOA that a negative answer rests on.
    pub authority: Vec<Record>,
    /// Nobody was asked for it this time.
    pub from_cache: bool,
    /// The exchanges that brought it, oldest first, also those of earlier walks.
    pub causes: Vec<Cause>,
    /// What went wrong on the way, in words; on SERVFAIL the reason is the last.
    pub troubles: Vec<String>,
}

impl Answer {
    /// The name that the records are about, behind all aliases.
    pub fn final_name(&self) -> Name {
        let alias = self
            .records
            .iter()
            .rev()
            .find(|record| record.rtype == Rtype::CNAME);
        alias
            .filter(|_| self.question.qtype != Rtype::CNAME)
            .and_then(|record| guichet_proto::dns::first_name(record.rtype, &record.data))
            .unwrap_or_else(|| self.question.name.clone())
    }

    /// The records of the type asked for, without the aliases that led there.
    pub fn found(&self) -> impl Iterator<Item = &Record> {
        let qtype = self.question.qtype;
        self.records
            .iter()
            .filter(move |record| record.rtype == qtype || qtype == Rtype::ANY)
    }

    /// The addresses among the records found.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.found().filter_map(address)
    }
}

/// The address that an A or AAAA record holds.
pub(super) fn address(record: &Record) -> Option<IpAddr> {
    match record.rtype {
        Rtype::A => <[u8; 4]>::try_from(record.data.as_slice())
            .ok()
            .map(IpAddr::from),
        Rtype::AAAA => <[u8; 16]>::try_from(record.data.as_slice())
            .ok()
            .map(IpAddr::from),
        _ => None,
    }
}
