//! What mail and stub resolvers make of answers.
#![allow(clippy::unwrap_used)]

use guichet_proto::dns::{Message, query};

use super::internet::*;
use super::*;
use crate::names::Carrier;

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

#[test]
fn a_long_answer_is_cut_for_a_datagram_and_whole_on_a_stream() {
    let mut internet = Internet::new();
    let mut answer = internet.resolve("www.sud.test", Rtype::A);
    answer.records = vec![answer.records[0].clone(); 100];
    let said = |edns, carrier| {
        let mut out = Vec::new();
        let asked = query(9, &name("www.sud.test"), Rtype::A, true, edns);
        assert!(respond(&asked, &answer, carrier, &mut out));
        (out.len() <= 512, out.len() <= 1232, out[2] & 2 != 0, out[7])
    };
    assert_eq!(said(false, Carrier::Udp), (true, true, true, 0));
    assert_eq!(
        said(true, Carrier::Udp),
        (true, true, true, 0),
        "half an answer helps nobody"
    );
    assert_eq!(said(false, Carrier::Tcp), (false, false, false, 100));
}
