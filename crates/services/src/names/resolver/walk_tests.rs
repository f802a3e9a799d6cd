//! Walks that end well, and how they get round what is in the way.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use guichet_proto::dns::Query;

use super::internet::*;
use super::*;

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
    assert_eq!((circle.rcode, circle.records.len()), (Rcode::SERVFAIL, 2));
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
fn patience_ends() {
    let mut internet = Internet::new();
    internet.put("10.0.0.3", silent());
    internet.put("10.0.0.4", silent());
    internet.limits.walk_time = Duration::from_secs(1);
    let started = internet.now;
    let answer = internet.resolve("www.sud.test", Rtype::A);
    assert_eq!(answer.rcode, Rcode::SERVFAIL);
    assert!(
        internet.now.since(started) < Duration::from_secs(3),
        "{:?}",
        internet.hops
    );
    assert!(answer.troubles.last().unwrap().contains("too long"));
}

#[test]
fn a_zone_without_glue_of_its_own_is_served_by_a_neighbour() {
    let mut internet = Internet::new();
    let answer = internet.resolve("www.hosted.test", Rtype::A);
    assert_eq!(shown(&answer), ["www.hosted.test 300 A 10.0.1.7"]);
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
fn ds_is_asked_of_the_parent() {
    let mut internet = Internet::new();
    internet.resolve("www.sud.test", Rtype::A);
    let answer = internet.resolve("sud.test", Rtype::DS);
    assert_eq!((answer.rcode, answer.records.len()), (Rcode::NOERROR, 0));
    assert_eq!(internet.hops, ["10.0.0.2 sud.test DS"]);
}

#[test]
fn that_a_name_is_no_alias_says_nothing_about_its_address() {
    let mut internet = Internet::new();
    assert_eq!(
        shown(&internet.resolve("www.sud.test", Rtype::CNAME)).len(),
        0
    );
    assert_eq!(shown(&internet.resolve("www.sud.test", Rtype::A)).len(), 1);
}
