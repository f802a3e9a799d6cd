//! Servers that lie, are lame, or want us to work for them.
#![allow(clippy::unwrap_used)]

use guichet_proto::dns::{Section, query};
use guichet_trace::Moment;
use proptest::prelude::*;

use super::internet::*;
use super::*;
use crate::names::Carrier;

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
    const SAME: &[(Section, &str, Rtype, &[u8])] = &[(
        Section::Authority,
        "sud.test",
        Rtype::NS,
        b"\x03ns1\x03sud\x04test\x00",
    )];
    const PLAIN: &[(Section, &str, Rtype, &[u8])] =
        &[(Section::Answer, "www.sud.test", Rtype::A, &[6, 6, 6, 6])];
    let lame: [(Rcode, bool, &'static [_]); 7] = [
        (Rcode::REFUSED, false, &[]),
        (Rcode::SERVFAIL, false, &[]),
        (Rcode::NOERROR, false, &[]),
        (Rcode::NOERROR, false, UP),
        (Rcode::NOERROR, false, SIDE),
        (Rcode::NOERROR, false, SAME),
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
        assert_eq!(
            internet.hops.len(),
            4,
            "each is asked once: {:?}",
            internet.hops
        );
    }
}

/// A server of `sud.test` tries to say things about its neighbour. After the walk the neighbour
/// must still resolve to the truth.
#[test]
fn nothing_is_believed_about_other_peoples_names() {
    const EVIL: &[u8] = &[6, 6, 6, 6];
    const EVIL_NAME: &[u8] = b"\x04evil\x04test\x00";
    type Lies = &'static [(Section, &'static str, Rtype, &'static [u8])];
    let lies: [Lies; 6] = [
        // Out of the zone and in again.
        &[
            (
                Section::Answer,
                "www.sud.test",
                Rtype::CNAME,
                b"\x03www\x04nord\x04test\x00",
            ),
            (
                Section::Answer,
                "www.nord.test",
                Rtype::CNAME,
                b"\x01x\x03sud\x04test\x00",
            ),
            (Section::Answer, "x.sud.test", Rtype::A, EVIL),
        ],
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
                    [
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

#[test]
fn a_referral_leads_towards_the_question() {
    let mut internet = Internet::new();
    let side: [Said; 1] = [(
        Section::Authority,
        "nord.test",
        Rtype::NS,
        b"\x01a\x04root\x00",
    )];
    internet.put("10.0.0.2", says(Rcode::NOERROR, false, side));
    let answer = internet.resolve("www.sud.test", Rtype::A);
    assert_eq!((answer.rcode, internet.hops.len()), (Rcode::SERVFAIL, 2));
}

#[test]
fn a_no_rests_on_the_soa_of_its_own_zone() {
    const SOA: &[u8] = b"\x01n\x00\x01p\x00\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x3c";
    let no = |owner, authoritative| {
        let mut internet = Internet::new();
        for server in ["10.0.0.3", "10.0.0.4"] {
            let soa: [Said; 1] = [(Section::Authority, owner, Rtype::SOA, SOA)];
            internet.put(server, says(Rcode::NXDOMAIN, authoritative, soa));
        }
        let answer = internet.resolve("nix.sud.test", Rtype::A);
        (
            answer.rcode,
            answer.authority.first().map(|soa| soa.ttl_seconds),
        )
    };
    let smaller = (Rcode::NXDOMAIN, Some(60));
    assert_eq!(
        no("sud.test", true),
        smaller,
        "the record's TTL is 3600, its MINIMUM 60"
    );
    assert_eq!(no("sud.test", false), smaller);
    for foreign in ["nord.test", "test", "other.sud.test"] {
        assert_eq!(no(foreign, true), (Rcode::NXDOMAIN, None), "not to be kept");
        assert_eq!(no(foreign, false), (Rcode::SERVFAIL, None), "and no proof");
    }
}

#[test]
fn every_limit_holds_by_itself() {
    let mut internet = Internet::new();
    internet.limits.queries_max = 2;
    assert_eq!(
        internet.resolve("www.sud.test", Rtype::A).rcode,
        Rcode::SERVFAIL
    );
    assert_eq!(internet.hops.len(), 2);

    let mut internet = Internet::new();
    internet.limits.depth_max = 0;
    assert_eq!(
        internet.resolve("www.lonely", Rtype::A).rcode,
        Rcode::SERVFAIL
    );

    let mut internet = Internet::new();
    internet.limits.aliases_max = 0;
    assert_eq!(
        internet.resolve("to-nord.sud.test", Rtype::A).rcode,
        Rcode::SERVFAIL
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

    internet.cache.clear();
    internet.limits.glueless_max = 1_000;
    internet.limits.queries_max = 1_000;
    internet.resolve("x.trap.sud.test", Rtype::A);
    assert!(internet.hops.len() <= 22, "{}", internet.hops.len());
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

proptest! {
    /// Whatever comes back with the right id and question, a walk ends, soon, and without panic.
    #[test]
    fn no_reply_does_harm(
        flags in any::<(u8, u8)>(),
        counts in proptest::array::uniform3(0_u8..4),
        tail in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut internet = Internet::new();
        internet.put("10.0.0.3", Box::new(move |bytes, _| {
            let mut reply = bytes.to_vec();
            reply[2] = flags.0 | 0x80;
            reply[3] = flags.1;
            (reply[7], reply[9], reply[11]) = (counts[0], counts[1], counts[2]);
            reply.truncate(reply.len() - 11);
            reply.extend(&tail);
            Some(reply)
        }));
        let answer = internet.resolve("www.sud.test", Rtype::A);
        prop_assert!(internet.hops.len() <= 12, "{:?}", internet.hops);
        prop_assert!(matches!(answer.rcode, Rcode::NOERROR | Rcode::NXDOMAIN | Rcode::SERVFAIL));
    }

    /// The same with records that can be read, of any owner: the neighbour stays what he is.
    #[test]
    fn no_records_poison_the_neighbour(
        records in proptest::collection::vec((0_usize..3, 0_usize..6, 0_usize..4), 0..8),
        authoritative in any::<bool>(),
    ) {
        const OWNERS: [&str; 6] =
            ["www.sud.test", "sud.test", "nord.test", "www.nord.test", "test", "ns1.nord.test"];
        const DATA: [(Rtype, &[u8]); 4] = [
            (Rtype::A, &[6, 6, 6, 6]),
            (Rtype::NS, b"\x03ns1\x04nord\x04test\x00"),
            (Rtype::CNAME, b"\x03www\x04nord\x04test\x00"),
            (Rtype::NS, b"\x03ns1\x03sud\x04test\x00"),
        ];
        let mut records: Vec<_> = records
            .into_iter()
            .map(|(section, owner, data)| {
                let section = [Section::Answer, Section::Authority, Section::Additional][section];
                (section, OWNERS[owner], DATA[data].0, DATA[data].1)
            })
            .collect();
        records.sort_by_key(|(section, ..)| *section as usize);
        let mut internet = Internet::new();
        internet.put("10.0.0.3", says(Rcode::NOERROR, authoritative, records.clone()));
        internet.put("10.0.0.4", says(Rcode::NOERROR, authoritative, records));
        internet.resolve("www.sud.test", Rtype::A);
        let truth = internet.resolve("www.nord.test", Rtype::A);
        prop_assert_eq!(shown(&truth), ["www.nord.test 300 A 10.0.1.5"]);
    }
}
