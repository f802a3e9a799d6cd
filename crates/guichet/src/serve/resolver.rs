//! Drives the resolver's walks: one exchange of the trace for each server asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guichet_engine::{Call, Dial, Target, clock};
use guichet_proto::dns::{about, stream};
use guichet_services::names::parse_name;
use guichet_services::names::resolver::{
    Answer, Ask, Cache, Failure, Heard, Limits, Question, RootHint, Step, Walk,
};
use guichet_trace::{Cause, Transport};

use crate::nothing::Nothing;

/// What the cache holds at most, in bytes.
const CACHE_BYTES_MAX: usize = 8 << 20;

/// Finds out about names that other servers hold.
pub(crate) struct Resolver {
    dial: Dial,
    roots: Vec<RootHint>,
    limits: Limits,
    cache: Mutex<Cache>,
    organisation: Arc<str>,
}

impl Resolver {
    /// A resolver that begins at these roots. `local_servers`: whether servers on loopback may be
    /// asked, as in the lab.
    pub(crate) fn new(
        dial: Dial,
        roots: Vec<RootHint>,
        local_servers: bool,
        organisation: Arc<str>,
    ) -> Self {
        Self {
            dial,
            roots,
            limits: Limits {
                local_servers,
                ..Limits::default()
            },
            cache: Mutex::new(Cache::new(CACHE_BYTES_MAX)),
            organisation,
        }
    }

    /// Answers a question; `causes` are what made it be asked.
    pub(crate) async fn resolve(&self, question: Question, causes: Vec<Cause>) -> Answer {
        let mut walk = Walk::new(question, self.roots.clone(), self.limits);
        loop {
            let random = unpredictable().await;
            let step = walk.next(&mut self.cache(), clock::now(), random);
            match step {
                Step::Done(answer) => return answer,
                Step::Ask(ask) => self.ask(&mut walk, &ask, &causes).await,
            }
        }
    }

    async fn ask(&self, walk: &mut Walk, ask: &Ask, causes: &[Cause]) {
        let call = Call {
            target: Target {
                address: ask.server,
                host: ask.host.to_string(),
            },
            organisation: self.organisation.clone(),
            service: "resolver".into(),
            causes: causes.to_vec(),
            tls: None,
            implicit_tls: false,
        };
        let failure = match ask.transport {
            Transport::Udp => self.ask_by_datagram(walk, ask, &call).await,
            Transport::Tcp => self.ask_by_connection(walk, ask, call).await,
        };
        if let Some(failure) = failure {
            walk.failed(failure);
        }
    }

    async fn ask_by_datagram(&self, walk: &mut Walk, ask: &Ask, call: &Call) -> Option<Failure> {
        let heard = |exchange, bytes: &[u8]| {
            let cause = Cause { exchange, part: 1 };
            let heard = walk.heard(&mut self.cache(), bytes, Some(cause), clock::now());
            heard == Heard::Taken
        };
        let answered = self.dial.datagram(
            "dns",
            call,
            &ask.bytes,
            ask.patience,
            |_, bytes| about(bytes),
            heard,
        );
        match answered.await.1 {
            Ok(_) => None,
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Some(Failure::Timeout),
            Err(_) => Some(Failure::Unreachable),
        }
    }

    async fn ask_by_connection(&self, walk: &mut Walk, ask: &Ask, call: Call) -> Option<Failure> {
        let query = ask.bytes.clone();
        let called = self
            .dial
            .run("dns", call, |_| (stream::Client::new(query), Nothing));
        let done = match tokio::time::timeout(ask.patience, called).await {
            Err(_) => return Some(Failure::Timeout),
            Ok(Err(_)) => return Some(Failure::Unreachable),
            Ok(Ok(done)) => done,
        };
        let Some(reply) = done.session.into_reply() else {
            return Some(Failure::Unreachable);
        };
        let cause = Some(Cause {
            exchange: done.exchange,
            part: 1,
        });
        match walk.heard(&mut self.cache(), &reply, cause, clock::now()) {
            Heard::Taken => None,
            Heard::Ignored(_) => Some(Failure::Unreachable), // nothing else comes on this stream
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number nobody can guess. Without one an answer could be forged, so it is rather waited for;
/// whoever asked has a deadline of its own.
async fn unpredictable() -> u64 {
    loop {
        match getrandom::u64() {
            Ok(random) => return random,
            Err(error) => tracing::error!("the system gives no random numbers: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The root name servers (IANA's root hints file), asked when no other roots are configured.
const ROOTS: [(char, &str, &str); 13] = [
    ('a', "198.41.0.4", "2001:503:ba3e::2:30"),
    ('b', "170.247.170.2", "2801:1b8:10::b"),
    ('c', "192.33.4.12", "2001:500:2::c"),
    ('d', "199.7.91.13", "2001:500:2d::d"),
    ('e', "192.203.230.10", "2001:500:a8::e"),
    ('f', "192.5.5.241", "2001:500:2f::f"),
    ('g', "192.112.36.4", "2001:500:12::d0d"),
    ('h', "198.97.190.53", "2001:500:1::53"),
    ('i', "192.36.148.17", "2001:7fe::53"),
    ('j', "192.58.128.30", "2001:503:c27::2:30"),
    ('k', "193.0.14.129", "2001:7fd::1"),
    ('l', "199.7.83.42", "2001:500:9f::42"),
    ('m', "202.12.27.33", "2001:dc3::35"),
];

/// Where walks begin: at these roots, or at the public ones.
pub(crate) fn root_hints(roots: &[SocketAddr]) -> Vec<RootHint> {
    if roots.is_empty() {
        return ROOTS
            .iter()
            .filter_map(|(letter, v4, v6)| {
                let addresses = [v4, v6]
                    .into_iter()
                    .filter_map(|ip| ip.parse::<IpAddr>().ok());
                Some(RootHint {
                    name: parse_name(&format!("{letter}.root-servers.net"))?,
                    addresses: addresses.map(|ip| SocketAddr::new(ip, 53)).collect(),
                })
            })
            .collect();
    }
    let name = parse_name("root").into_iter();
    name.map(|name| RootHint {
        name,
        addresses: roots.to_vec(),
    })
    .collect()
}
