//! Walks through a small Internet in memory, built from our own zone images: the root on 10.0.0.1,
//! `test` on 10.0.0.2, `sud.test` on 10.0.0.3 and .4, `nord.test` on 10.0.0.5.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::time::Duration;

use guichet_proto::dns::{Header, Message, Opcode, Query, Section, Writer, query};
use guichet_trace::{ExchangeId, Moment, Transport};

use super::*;
use crate::names::{Answered, Carrier, Zone, Zones, answer, parse_name};

const ROOT: &str = "$TTL 3600\n@ SOA a.root. p. 1 2 3 4 5\n@ NS a.root.\na.root. A 10.0.0.1\n\
                    test. NS ns.test.\nns.test. A 10.0.0.2\nlonely. NS ns.lonely.test.\n\
                    loop-a. NS ns.loop-b.\nloop-b. NS ns.loop-a.\n";
const TEST: &str = "$ORIGIN test.\n$TTL 3600\n@ SOA ns p 1 2 3 4 60\n@ NS ns\nns A 10.0.0.2\n\
                    sud NS ns1.sud\nsud NS ns2.sud\nns1.sud A 10.0.0.3\nns2.sud A 10.0.0.4\n\
                    nord 600 NS ns1.nord\nns1.nord 600 A 10.0.0.5\n\
                    hosted NS ns1.sud\nadrift NS ns.nowhere.test.\nns.lonely A 10.0.0.5\n\
                    blind NS ns-alias.sud.test.\n";
const SUD: &str = "$ORIGIN sud.test.\n$TTL 300\n@ SOA ns1 p 1 2 3 4 60\n@ NS ns1\n@ NS ns2\n\
                   ns1 A 10.0.0.3\nns2 A 10.0.0.4\nwww A 10.0.1.1\n@ MX 20 mail2\n@ MX 10 mail\n\
                   mail A 10.0.1.2\nmail AAAA 2001:db8::2\nmail2 A 10.0.1.3\n\
                   to-nord CNAME www.nord.test.\nround CNAME about\nabout CNAME round\n\
                   brief 0 A 10.0.1.9\nns-alias CNAME ns1\n";
const HOSTED: &str = "$ORIGIN hosted.test.\n$TTL 300\n@ SOA ns1.sud.test. p 1 2 3 4 60\n\
                      @ NS ns1.sud.test.\nwww A 10.0.1.7\n";
const NORD: &str = "$ORIGIN nord.test.\n$TTL 300\n@ SOA ns1 p 1 2 3 4 60\n@ NS ns1\n\
                    ns1 A 10.0.0.5\nwww A 10.0.1.5\n@ MX 0 .\n";

type Server = Box<dyn FnMut(&[u8], Carrier) -> Option<Vec<u8>>>;

struct Internet {
    servers: HashMap<IpAddr, Server>,
    cache: Cache,
    now: Moment,
    limits: Limits,
    /// `server/transport question` of each query.
    hops: Vec<String>,
    random: u64,
}

fn name(text: &str) -> Name {
    parse_name(text).unwrap()
}

fn serves(zones: &[(&str, &str)]) -> Server {
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

/// A server that says these records, whatever it is asked.
fn says(
    rcode: Rcode,
    authoritative: bool,
    records: &'static [(Section, &'static str, Rtype, &'static [u8])],
) -> Server {
    Box::new(move |bytes, _| {
        let query = Query::read(bytes).unwrap();
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, 65_535, true);
        writer.question(query.question);
        for (section, owner, rtype, data) in records {
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

fn silent() -> Server {
    Box::new(|_, _| None)
}

impl Internet {
    fn new() -> Self {
        let sud = || serves(&[("sud.test", SUD), ("hosted.test", HOSTED)]);
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

    fn put(&mut self, address: &str, server: Server) {
        self.servers.insert(address.parse().unwrap(), server);
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn resolve(&mut self, asked: &str, qtype: Rtype) -> Answer {
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

    fn later(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }
}

const LONELY: &str = "$ORIGIN lonely.\n$TTL 300\n@ SOA ns.lonely.test. p 1 2 3 4 60\n\
                      @ NS ns.lonely.test.\nwww A 10.0.1.8\n";

fn shown(answer: &Answer) -> Vec<String> {
    answer.records.iter().map(ToString::to_string).collect()
}

#[test]
fn a_walk_goes_from_the_root_and_the_next_one_does_not() {
    let mut internet = Internet::new();
    let answer = internet.resolve("WWW.sud.test", Rtype::A);
    assert_eq!(shown(&answer), ["WWW.sud.test 300 A 10.0.1.1"]);
    assert_eq!(
        internet.hops[..2],
        ["10.0.0.1 WWW.sud.test A", "10.0.0.2 WWW.sud.test A"]
    );
    assert_eq!((internet.hops.len(), answer.from_cache), (3, false));
    assert_eq!(
        answer
            .causes
            .iter()
            .map(|c| c.exchange.0)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );

    internet.later(100);
    let answer = internet.resolve("www.sud.test", Rtype::A);
    assert_eq!(
        shown(&answer),
        ["WWW.sud.test 200 A 10.0.1.1"],
        "the TTL runs"
    );
    assert!(answer.from_cache && internet.hops.is_empty());
    assert_eq!(
        answer.causes[0].exchange.0, 3,
        "what brought it is remembered"
    );

    internet.later(200);
    internet.resolve("www.sud.test", Rtype::A);
    assert_eq!(
        internet.hops.len(),
        1,
        "the answer is stale, the delegation is not"
    );
}

#[test]
fn no_is_remembered_as_long_as_the_soa_says() {
    let mut internet = Internet::new();
    for (asked, qtype, rcode) in [
        ("nix.sud.test", Rtype::A, Rcode::NXDOMAIN),
        ("www.sud.test", Rtype::AAAA, Rcode::NOERROR),
    ] {
        let answer = internet.resolve(asked, qtype);
        assert_eq!(
            (answer.rcode, shown(&answer).len(), answer.authority.len()),
            (rcode, 0, 1)
        );
        internet.later(50);
        assert!(internet.resolve(asked, qtype).from_cache);
        internet.later(20);
        assert!(!internet.resolve(asked, qtype).from_cache);
    }
    internet.resolve("nix.sud.test", Rtype::A);
    let other = internet.resolve("nix.sud.test", Rtype::MX);
    assert!(
        other.from_cache && other.rcode == Rcode::NXDOMAIN,
        "no name, so no type either"
    );
}

#[test]
fn a_ttl_of_zero_is_good_once() {
    let mut internet = Internet::new();
    assert_eq!(
        shown(&internet.resolve("brief.sud.test", Rtype::A)).len(),
        1
    );
    internet.resolve("brief.sud.test", Rtype::A);
    assert_eq!(internet.hops.len(), 1);
}

#[test]
fn aliases_lead_to_other_zones_but_not_in_circles() {
    let mut internet = Internet::new();
    let answer = internet.resolve("to-nord.sud.test", Rtype::A);
    let expected = [
        "to-nord.sud.test 300 CNAME www.nord.test.",
        "www.nord.test 300 A 10.0.1.5",
    ];
    assert_eq!(shown(&answer), expected);
    assert_eq!(answer.final_name(), name("www.nord.test"));
    let again = internet.resolve("to-nord.sud.test", Rtype::A);
    assert!(again.from_cache && shown(&again) == expected);
    let alias = internet.resolve("to-nord.sud.test", Rtype::CNAME);
    assert!(alias.from_cache && shown(&alias) == expected[..1]);
    let circle = internet.resolve("round.sud.test", Rtype::A);
    assert_eq!(circle.rcode, Rcode::SERVFAIL);
    assert!(
        circle.troubles.iter().any(|text| text.contains("circle")),
        "{:?}",
        circle.troubles
    );
}

#[test]
fn a_server_without_glue_is_looked_for() {
    let mut internet = Internet::new();
    let answer = internet.resolve("www.lonely", Rtype::A);
    assert_eq!(shown(&answer), ["www.lonely 300 A 10.0.1.8"]);
    assert!(
        internet
            .hops
            .contains(&"10.0.0.2 ns.lonely.test A".to_owned()),
        "{:?}",
        internet.hops
    );
}

#[test]
fn servers_that_need_each_other_are_given_up() {
    let mut internet = Internet::new();
    let answer = internet.resolve("www.loop-a", Rtype::A);
    assert_eq!(answer.rcode, Rcode::SERVFAIL);
    assert!(internet.hops.len() < 12, "{:?}", internet.hops);
    let adrift = internet.resolve("www.adrift.test", Rtype::A);
    assert_eq!(adrift.rcode, Rcode::SERVFAIL);
    let blind = internet.resolve("www.blind.test", Rtype::A);
    assert_eq!(
        blind.rcode,
        Rcode::SERVFAIL,
        "a name server must not be an alias"
    );
}

#[test]
fn lost_datagrams_are_sent_again_and_silent_servers_passed_over() {
    let mut internet = Internet::new();
    let mut real = serves(&[("test", TEST)]);
    let mut count = 0;
    let lossy: Server = Box::new(move |bytes, carrier| {
        count += 1;
        if count == 1 {
            None
        } else {
            real(bytes, carrier)
        }
    });
    internet.put("10.0.0.2", lossy);
    internet.put("10.0.0.3", silent());
    let answer = internet.resolve("www.sud.test", Rtype::A);
    assert_eq!(shown(&answer), ["www.sud.test 300 A 10.0.1.1"]);
    assert!(
        answer
            .troubles
            .iter()
            .any(|text| text.contains("does not answer"))
    );

    internet.cache.clear();
    internet.put("10.0.0.4", silent());
    let started = internet.now;
    let answer = internet.resolve("www.sud.test", Rtype::A);
    assert_eq!(answer.rcode, Rcode::SERVFAIL);
    assert!(
        answer
            .troubles
            .last()
            .unwrap()
            .contains("no server of sud.test")
    );
    assert!(internet.now.since(started) < Duration::from_secs(10));
    assert_eq!(
        internet
            .hops
            .iter()
            .filter(|hop| hop.starts_with("10.0.0.3"))
            .count(),
        2
    );
}

#[test]
fn unreachable_servers_are_asked_once() {
    let mut internet = Internet::new();
    internet.servers.remove(&"10.0.0.3".parse().unwrap());
    for asked in ["a.sud.test", "b.sud.test", "c.sud.test", "d.sud.test"] {
        let answer = internet.resolve(asked, Rtype::A);
        assert_eq!(answer.rcode, Rcode::NXDOMAIN);
        assert!(
            internet
                .hops
                .iter()
                .filter(|hop| hop.starts_with("10.0.0.3"))
                .count()
                <= 1
        );
    }
}

#[test]
fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let mut internet = Internet::new();
    let mut text = SUD.to_owned();
    for number in 0..60 {
        text += &format!("big TXT \"{number:03}{}\"\n", "x".repeat(30));
    }
    for server in ["10.0.0.3", "10.0.0.4"] {
        internet.put(server, serves(&[("sud.test", &text)]));
    }
    let answer = internet.resolve("big.sud.test", Rtype::TXT);
    assert_eq!(answer.records.len(), 60);
    assert!(
        internet.hops.last().unwrap().contains("/tcp big.sud.test"),
        "{:?}",
        internet.hops
    );
}

#[test]
fn servers_that_do_not_understand_edns_are_asked_without() {
    let mut internet = Internet::new();
    let mut real = serves(&[("test", TEST)]);
    internet.put(
        "10.0.0.2",
        Box::new(move |bytes, carrier| {
            let mut reply = real(bytes, carrier)?;
            if Query::read(bytes).unwrap().edns.is_some() {
                reply.truncate(12);
                reply[3] |= 1; // FORMERR
                reply[4..].fill(0);
            }
            Some(reply)
        }),
    );
    assert_eq!(
        internet.resolve("www.sud.test", Rtype::A).rcode,
        Rcode::NOERROR
    );
    assert_eq!(internet.hops.len(), 4);
}

#[test]
fn lame_servers_are_passed_over() {
    const UP: &[(Section, &str, Rtype, &[u8])] =
        &[(Section::Authority, "test", Rtype::NS, b"\x02ns\x04test\x00")];
    const SIDE: &[(Section, &str, Rtype, &[u8])] = &[(
        Section::Authority,
        "nord.test",
        Rtype::NS,
        b"\x04evil\x04test\x00",
    )];
    const PLAIN: &[(Section, &str, Rtype, &[u8])] =
        &[(Section::Answer, "www.sud.test", Rtype::A, &[6, 6, 6, 6])];
    let lame: [(Rcode, bool, &'static [_]); 6] = [
        (Rcode::REFUSED, false, &[]),
        (Rcode::SERVFAIL, false, &[]),
        (Rcode::NOERROR, false, &[]),
        (Rcode::NOERROR, false, UP),
        (Rcode::NOERROR, false, SIDE),
        (Rcode::NOERROR, false, PLAIN),
    ];
    for (rcode, authoritative, records) in lame {
        let mut internet = Internet::new();
        internet.put("10.0.0.3", says(rcode, authoritative, records));
        let answer = internet.resolve("www.sud.test", Rtype::A);
        assert_eq!(
            shown(&answer),
            ["www.sud.test 300 A 10.0.1.1"],
            "{rcode} {records:?}"
        );
        internet.put("10.0.0.4", says(rcode, authoritative, records));
        internet.cache.clear();
        let answer = internet.resolve("www.sud.test", Rtype::A);
        assert_eq!(answer.rcode, Rcode::SERVFAIL, "{rcode} {records:?}");
    }
}

/// A server of `sud.test` tries to say things about its neighbour. After the walk the neighbour
/// must still resolve to the truth.
#[test]
fn nothing_is_believed_about_other_peoples_names() {
    const EVIL: &[u8] = &[6, 6, 6, 6];
    const EVIL_NAME: &[u8] = b"\x04evil\x04test\x00";
    type Lies = &'static [(Section, &'static str, Rtype, &'static [u8])];
    let lies: [Lies; 5] = [
        &[
            (Section::Answer, "www.sud.test", Rtype::A, &[10, 0, 1, 1]),
            (Section::Answer, "www.nord.test", Rtype::A, EVIL),
            (Section::Authority, "nord.test", Rtype::NS, EVIL_NAME),
            (Section::Additional, "ns1.nord.test", Rtype::A, EVIL),
        ],
        &[
            (
                Section::Answer,
                "www.sud.test",
                Rtype::CNAME,
                b"\x03www\x04nord\x04test\x00",
            ),
            (Section::Answer, "www.nord.test", Rtype::A, EVIL),
        ],
        &[
            (Section::Authority, "nord.test", Rtype::NS, EVIL_NAME),
            (Section::Additional, "evil.test", Rtype::A, &[10, 0, 0, 66]),
        ],
        &[
            (Section::Authority, "test", Rtype::NS, EVIL_NAME),
            (Section::Additional, "evil.test", Rtype::A, &[10, 0, 0, 66]),
        ],
        &[
            (
                Section::Authority,
                "www.sud.test",
                Rtype::NS,
                b"\x03ns1\x04nord\x04test\x00",
            ),
            (
                Section::Additional,
                "ns1.nord.test",
                Rtype::A,
                &[10, 0, 0, 66],
            ),
        ],
    ];
    for (index, records) in lies.into_iter().enumerate() {
        for authoritative in [true, false] {
            let mut internet = Internet::new();
            internet.put("10.0.0.3", says(Rcode::NOERROR, authoritative, records));
            internet.put("10.0.0.4", says(Rcode::NOERROR, authoritative, records));
            internet.put(
                "10.0.0.66",
                says(
                    Rcode::NOERROR,
                    true,
                    &[
                        (Section::Answer, "www.nord.test", Rtype::A, EVIL),
                        (Section::Answer, "www.sud.test", Rtype::A, EVIL),
                    ],
                ),
            );
            let answer = internet.resolve("www.sud.test", Rtype::A);
            assert!(
                !answer.addresses().any(|a| a == IpAddr::from([6, 6, 6, 6])),
                "lie {index}"
            );
            assert!(
                !internet.hops.iter().any(|hop| hop.starts_with("10.0.0.66")),
                "lie {index}"
            );
            let truth = internet.resolve("www.nord.test", Rtype::A);
            assert_eq!(
                shown(&truth),
                ["www.nord.test 300 A 10.0.1.5"],
                "lie {index}"
            );
        }
    }
}

#[test]
fn replies_to_other_questions_are_ignored() {
    let hint = RootHint {
        name: name("a.root"),
        addresses: vec!["10.0.0.1:53".parse().unwrap()],
    };
    let question = Question {
        name: name("www.sud.test"),
        qtype: Rtype::A,
    };
    let mut cache = Cache::new(1 << 20);
    let mut walk = Walk::new(question, vec![hint], Limits::default());
    let now = Moment(0);
    assert!(
        matches!(walk.heard(&mut cache, &[], None, now), Heard::Ignored(_)),
        "not asked yet"
    );
    let Step::Ask(ask) = walk.next(&mut cache, now, 0x1234) else {
        panic!("expected a query")
    };
    let mut root = serves(&[(".", ROOT)]);
    let good = root(&ask.bytes, Carrier::Udp).unwrap();
    let other = |asked: &str, qtype, id| {
        let mut root = serves(&[(".", ROOT)]);
        root(&query(id, &name(asked), qtype, false, true), Carrier::Udp).unwrap()
    };
    let mut not_a_response = good.clone();
    not_a_response[2] &= 0x7f;
    let strange = [
        other("www.sud.test", Rtype::A, 0x1235),
        other("www.nord.test", Rtype::A, 0x1234),
        other("www.sud.test", Rtype::AAAA, 0x1234),
        not_a_response,
        good[..good.len() - 20].to_vec(),
        Vec::new(),
    ];
    for bytes in strange {
        let heard = walk.heard(&mut cache, &bytes, None, now);
        assert!(
            matches!(heard, Heard::Ignored(_)) && !ask.fits(&bytes),
            "{bytes:?}"
        );
    }
    assert_eq!(
        walk.heard(&mut cache, &good, None, now),
        Heard::Taken,
        "still waited for"
    );
    assert!(
        matches!(walk.heard(&mut cache, &good, None, now), Heard::Ignored(_)),
        "only once"
    );
}

/// NXNSAttack: a referral to many servers without glue must not be answered with as many queries.
#[test]
fn a_strangers_zone_cannot_make_us_work() {
    let mut internet = Internet::new();
    let mut text = SUD.to_owned();
    for number in 0..100 {
        text += &format!("trap NS ns{number}.far{number}.nord.test.\n");
    }
    for server in ["10.0.0.3", "10.0.0.4"] {
        internet.put(server, serves(&[("sud.test", &text)]));
    }
    let answer = internet.resolve("x.trap.sud.test", Rtype::A);
    assert_eq!(answer.rcode, Rcode::SERVFAIL);
    assert!(internet.hops.len() <= 14, "{}", internet.hops.len());
}

#[test]
fn local_addresses_are_no_servers_unless_allowed() {
    let local = "$ORIGIN test.\n$TTL 60\n@ SOA ns p 1 2 3 4 60\n@ NS ns\nns A 10.0.0.2\n\
                 mine NS ns.mine\nns.mine A 127.0.0.1\nnone NS ns.none\nns.none A 0.0.0.0\n";
    let mine = "$ORIGIN mine.test.\n@ 60 SOA ns p 1 2 3 4 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n";
    for allowed in [false, true] {
        let mut internet = Internet::new();
        internet.limits.local_servers = allowed;
        internet.put("10.0.0.2", serves(&[("test", local)]));
        internet.put("127.0.0.1", serves(&[("mine.test", mine)]));
        internet.put("0.0.0.0", serves(&[("mine.test", mine)]));
        let answer = internet.resolve("ns.mine.test", Rtype::A);
        assert_eq!(answer.rcode == Rcode::NOERROR, allowed);
        assert_eq!(
            internet.resolve("ns.none.test", Rtype::A).rcode,
            Rcode::SERVFAIL
        );
        assert!(!internet.hops.iter().any(|hop| hop.starts_with("0.0.0.0")));
    }
}

#[test]
fn the_cache_stays_within_its_size() {
    let mut internet = Internet::new();
    internet.cache = Cache::new(4_000);
    for number in 0..100 {
        let answer = internet.resolve(&format!("x{number}.sud.test"), Rtype::A);
        assert_eq!(answer.rcode, Rcode::NXDOMAIN);
        assert!(internet.cache.len() <= 4_000 / 256);
    }
    assert!(!internet.cache.is_empty());
}

#[test]
fn mail_goes_where_mx_says() {
    let mut internet = Internet::new();
    let mut plan = |domain: &str| {
        let mut lots = [7, 3, 5].into_iter().cycle();
        let answer = internet.resolve(domain, Rtype::MX);
        MxPlan::new(&answer, || lots.next().unwrap())
    };
    let host = |host: &str, preference| MxTarget {
        preference,
        host: name(host),
    };
    let sud = MxPlan::Hosts(vec![host("mail.sud.test", 10), host("mail2.sud.test", 20)]);
    assert_eq!(plan("sud.test"), sud);
    assert_eq!(plan("www.sud.test"), MxPlan::Implicit(name("www.sud.test")));
    assert_eq!(plan("nord.test"), MxPlan::NullMx);
    assert_eq!(plan("nix.test"), MxPlan::NoSuchDomain);
    assert!(matches!(plan("adrift.test"), MxPlan::Unknown(_)));
    // Behind an alias the target's MX counts; without one, the name as written.
    assert_eq!(
        plan("to-nord.sud.test"),
        MxPlan::Implicit(name("to-nord.sud.test"))
    );
    let before = |me: &str| sud.clone().before(|host| *host == name(me));
    assert_eq!(
        before("mail2.sud.test"),
        MxPlan::Hosts(vec![host("mail.sud.test", 10)])
    );
    assert_eq!(before("mail.sud.test"), MxPlan::Hosts(vec![]));
    assert_eq!(before("mail.nord.test"), sud);

    let a = internet.resolve("mail.sud.test", Rtype::A);
    let aaaa = internet.resolve("mail.sud.test", Rtype::AAAA);
    let both = vec!["2001:db8::2".parse().unwrap(), "10.0.1.2".parse().unwrap()];
    assert_eq!(HostAddresses::new(&a, &aaaa), HostAddresses::Found(both));
    let none = internet.resolve("nix.sud.test", Rtype::A);
    assert_eq!(HostAddresses::new(&none, &none), HostAddresses::None);
    let unknown = internet.resolve("www.adrift.test", Rtype::A);
    assert!(matches!(
        HostAddresses::new(&unknown, &none),
        HostAddresses::Unknown(_)
    ));
}

#[test]
fn equal_preferences_are_ordered_by_lot() {
    let text = SUD.replace("@ MX 20 mail2", "@ MX 10 mail2");
    let mut internet = Internet::new();
    internet.put("10.0.0.3", serves(&[("sud.test", &text)]));
    internet.put("10.0.0.4", serves(&[("sud.test", &text)]));
    let answer = internet.resolve("sud.test", Rtype::MX);
    let first = |lots: [u32; 2]| {
        let mut lots = lots.into_iter();
        match MxPlan::new(&answer, || lots.next().unwrap()) {
            MxPlan::Hosts(hosts) => hosts[0].host.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_ne!(first([1, 2]), first([2, 1]));
}

#[test]
fn stubs_are_answered() {
    let mut internet = Internet::new();
    let asked = query(9, &name("To-Nord.sud.test"), Rtype::A, true, true);
    let Stub::Resolve(question) = stub_question(&asked) else {
        panic!("expected a question")
    };
    let answer = internet.resolve(&question.name.to_string(), question.qtype);
    let mut out = Vec::new();
    assert!(respond(&asked, &answer, Carrier::Udp, &mut out));
    let message = Message::read(&out).unwrap();
    assert!(message.flags.recursion_available && message.flags.recursion_desired);
    assert!(!message.flags.authoritative && message.id == 9 && message.edns.is_some());
    assert_eq!(
        message.question.unwrap().name.to_string(),
        "To-Nord.sud.test"
    );
    assert_eq!(message.answer, answer.records);

    let refused = |bytes: &[u8]| match stub_question(bytes) {
        Stub::Reply(reply) => Message::read(&reply).unwrap().rcode,
        other => panic!("{other:?}"),
    };
    let plain = query(9, &name("a.test"), Rtype::A, false, false);
    assert_eq!(
        refused(&plain),
        Rcode::REFUSED,
        "the cache is not for looking into"
    );
    assert_eq!(
        refused(&query(9, &name("a.test"), Rtype::AXFR, true, false)),
        Rcode::NOTIMP
    );
    assert_eq!(refused(&plain[..14]), Rcode::FORMERR);
    assert!(matches!(stub_question(&out), Stub::Silent(_)));
    assert!(matches!(stub_question(&plain[..3]), Stub::Silent(_)));
}
