//! A small Internet in memory, built from our own zone images: the root on 10.0.0.1,
//! `test` on 10.0.0.2, `sud.test` on 10.0.0.3 and .4, `nord.test` on 10.0.0.5.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::time::Duration;

use guichet_proto::dns::{Header, Opcode, Query, Section, Writer};
use guichet_trace::{ExchangeId, Moment, Transport};

use super::*;
use crate::names::{Answered, Carrier, Zone, Zones, answer, parse_name};

pub(super) const ROOT: &str = "$TTL 3600\n@ SOA a.root. p. 1 2 3 4 5\n@ NS a.root.\na.root. A 10.0.0.1\n\
                    test. NS ns.test.\nns.test. A 10.0.0.2\nlonely. NS ns.lonely.test.\n\
                    loop-a. NS ns.loop-b.\nloop-b. NS ns.loop-a.\n";
pub(super) const TEST: &str = "$ORIGIN test.\n$TTL 3600\n@ SOA ns p 1 2 3 4 60\n@ NS ns\nns A 10.0.0.2\n\
                    sud NS ns1.sud\nsud NS ns2.sud\nns1.sud A 10.0.0.3\nns2.sud A 10.0.0.4\n\
                    nord 600 NS ns1.nord\nns1.nord 600 A 10.0.0.5\n\
                    hosted NS ns1.sud\nadrift NS ns.nowhere.test.\nns.lonely A 10.0.0.5\n\
                    blind NS ns-alias.sud.test.\n";
pub(super) const SUD: &str = "$ORIGIN sud.test.\n$TTL 300\n@ SOA ns1 p 1 2 3 4 60\n@ NS ns1\n@ NS ns2\n\
                   ns1 A 10.0.0.3\nns2 A 10.0.0.4\nwww A 10.0.1.1\n@ MX 20 mail2\n@ MX 10 mail\n\
                   mail A 10.0.1.2\nmail AAAA 2001:db8::2\nmail2 A 10.0.1.3\n\
                   to-nord CNAME www.nord.test.\nround CNAME about\nabout CNAME round\n\
                   brief 0 A 10.0.1.9\nns-alias CNAME ns1\n";
pub(super) const BLIND: &str = "$ORIGIN blind.test.\n$TTL 300\n@ SOA ns1.sud.test. p 1 2 3 4 60\n\
                     @ NS ns1.sud.test.\nwww A 10.0.1.7\n";
pub(super) const HOSTED: &str = "$ORIGIN hosted.test.\n$TTL 300\n@ SOA ns1.sud.test. p 1 2 3 4 60\n\
                      @ NS ns1.sud.test.\nwww A 10.0.1.7\n";
pub(super) const NORD: &str = "$ORIGIN nord.test.\n$TTL 300\n@ SOA ns1 p 1 2 3 4 60\n@ NS ns1\n\
                    ns1 A 10.0.0.5\nwww A 10.0.1.5\n@ MX 0 .\n";

pub(super) type Server = Box<dyn FnMut(&[u8], Carrier) -> Option<Vec<u8>>>;

pub(super) struct Internet {
    pub servers: HashMap<IpAddr, Server>,
    pub cache: Cache,
    pub now: Moment,
    pub limits: Limits,
    /// `server/transport question` of each query.
    pub hops: Vec<String>,
    pub random: u64,
}

pub(super) fn name(text: &str) -> Name {
    parse_name(text).unwrap()
}

pub(super) fn serves(zones: &[(&str, &str)]) -> Server {
    let zones = zones
        .iter()
        .map(|(apex, text)| Zone::parse(&name(apex), text).unwrap());
    let zones = Zones::new(zones);
    Box::new(move |bytes, carrier| {
        let mut out = Vec::new();
        match answer(&zones, bytes, carrier, &mut out) {
            Answered::Sent { .. } => Some(out),
            Answered::Silent(_) => None,
        }
    })
}

/// A record that a server says: where, of whom, which.
pub(super) type Said = (Section, &'static str, Rtype, &'static [u8]);

/// A server that says these records, whatever it is asked.
pub(super) fn says(rcode: Rcode, authoritative: bool, records: impl Into<Vec<Said>>) -> Server {
    let records = records.into();
    Box::new(move |bytes, _| {
        let query = Query::read(bytes).unwrap();
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, 65_535, true);
        writer.question(query.question);
        for (section, owner, rtype, data) in &records {
            writer
                .record(*section, name(owner).as_slice(), *rtype, 3600, data)
                .unwrap();
        }
        let header = Header {
            id: query.id,
            opcode: Opcode::QUERY,
            authoritative,
            truncated: false,
            recursion_desired: false,
            recursion_available: false,
            rcode,
        };
        writer.finish(&header, query.edns, None);
        Some(out)
    })
}

pub(super) fn silent() -> Server {
    Box::new(|_, _| None)
}

impl Internet {
    pub fn new() -> Self {
        let sud = || {
            serves(&[
                ("sud.test", SUD),
                ("hosted.test", HOSTED),
                ("blind.test", BLIND),
            ])
        };
        let mut internet = Self {
            servers: HashMap::new(),
            cache: Cache::new(1 << 20),
            now: Moment(1_000_000_000),
            limits: Limits::default(),
            hops: Vec::new(),
            random: 0x9e37_79b9_7f4a_7c15,
        };
        internet.put("10.0.0.1", serves(&[(".", ROOT)]));
        internet.put("10.0.0.2", serves(&[("test", TEST)]));
        internet.put("10.0.0.3", sud());
        internet.put("10.0.0.4", sud());
        internet.put(
            "10.0.0.5",
            serves(&[("nord.test", NORD), ("lonely", LONELY)]),
        );
        internet
    }

    pub fn put(&mut self, address: &str, server: Server) {
        self.servers.insert(address.parse().unwrap(), server);
    }

    pub fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    pub fn resolve(&mut self, asked: &str, qtype: Rtype) -> Answer {
        let hint = RootHint {
            name: name("a.root"),
            addresses: vec!["10.0.0.1:53".parse().unwrap()],
        };
        let question = Question {
            name: name(asked),
            qtype,
        };
        let mut walk = Walk::new(question, vec![hint], self.limits);
        self.hops.clear();
        loop {
            let random = self.random();
            let ask = match walk.next(&mut self.cache, self.now, random) {
                Step::Done(answer) => return answer,
                Step::Ask(ask) => ask,
            };
            let carrier = match ask.transport {
                Transport::Udp => Carrier::Udp,
                Transport::Tcp => Carrier::Tcp,
            };
            let mark = if carrier == Carrier::Tcp { "/tcp" } else { "" };
            self.hops
                .push(format!("{}{mark} {}", ask.server.ip(), ask.question));
            assert!(self.hops.len() < 200, "the walk does not end");
            let cause = Cause {
                exchange: ExchangeId(self.hops.len() as u64),
                part: 0,
            };
            self.now = self.now.after(Duration::from_millis(1));
            let reply = match self.servers.get_mut(&ask.server.ip()) {
                Some(server) => server(&ask.bytes, carrier),
                None => {
                    walk.failed(Failure::Unreachable);
                    continue;
                }
            };
            let heard =
                reply.map(|reply| walk.heard(&mut self.cache, &reply, Some(cause), self.now));
            if heard != Some(Heard::Taken) {
                self.now = self.now.after(ask.patience);
                walk.failed(Failure::Timeout);
            }
        }
    }

    pub fn later(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }
}

pub(super) const LONELY: &str = "$ORIGIN lonely.\n$TTL 300\n@ SOA ns.lonely.test. p 1 2 3 4 60\n\
                      @ NS ns.lonely.test.\nwww A 10.0.1.8\n";

pub(super) fn shown(answer: &Answer) -> Vec<String> {
    answer.records.iter().map(ToString::to_string).collect()
}
