//! A table of questions to three zones and what must come back, read by our own client.

#![allow(clippy::unwrap_used)]

use guichet_proto::dns::{Message, Name, Rcode, Record, Rtype, query};
use proptest::prelude::*;

use super::*;

const SUD: &str = r#"
$ORIGIN sud.test.
$TTL 300
@       SOA ns1 postmaster 7 3600 900 1209600 60
@       NS  ns1
ns1     A   127.0.0.3
@       MX  10 Mail
Mail    A   127.0.0.3
Mail    AAAA ::1
www     A   127.0.0.3
alias   CNAME www
chain   CNAME alias
away    CNAME www.elsewhere.example.
nowhere CNAME missing
over    CNAME host.sub
round   CNAME about
about   CNAME round
to-nord CNAME www.nord.test.
*.wild  TXT "wild"
deep.ent.wild A 127.0.0.9
a.b.c   A 127.0.0.8
sub     NS ns.sub
sub     NS ns2.sub
ns.sub  A 127.0.1.1
ns2.sub A 127.0.1.2
sub     DS 12345 13 2 0123456789012345678901234567890123456789012345678901234567890123
lost    NS ns.elsewhere.example.
old     DNAME new
short   DNAME much.longer.new
_a._tcp SRV 0 1 1 mail
_a._tcp SRV 0 1 2 mail
x.new   A 127.0.0.7
"#;

fn sud_text() -> String {
    let mut text = SUD.to_owned();
    for number in 0..60 {
        text += &format!("big TXT \"{number:03}{}\"\n", "x".repeat(30));
    }
    for number in 0..40 {
        text += &format!("wide NS ns{number}.wide\nns{number}.wide AAAA 2001:db8::{number:x}\n");
    }
    text
}

const NORD: &str = "$ORIGIN nord.test.\n@ 300 SOA ns1 p 1 2 3 4 30\n@ 300 NS ns1\n\
                    ns1 300 A 127.0.0.2\nwww 300 A 127.0.0.2\n";

fn name(text: &str) -> Name {
    parse_name(text).unwrap()
}

fn zones() -> Zones {
    Zones::new([
        Zone::parse(&name("sud.test"), &sud_text()).unwrap(),
        Zone::parse(&name("nord.test"), NORD).unwrap(),
    ])
}

fn ask_bytes(bytes: &[u8], carrier: Carrier) -> (Answered, Vec<u8>) {
    let mut out = Vec::new();
    let answered = answer(&zones(), bytes, carrier, &mut out);
    (answered, out)
}

fn ask(asked: &str, qtype: Rtype) -> Message {
    let (_, bytes) = ask_bytes(&query(77, &name(asked), qtype, true, true), Carrier::Tcp);
    Message::read(&bytes).unwrap()
}

fn lines(records: &[Record]) -> Vec<String> {
    records.iter().map(ToString::to_string).collect()
}

/// Rcode, AA, then the three sections.
fn shows(
    asked: &str,
    qtype: Rtype,
    verdict: (Rcode, bool),
    answer: &[&str],
    authority: &[&str],
    additional: &[&str],
) {
    let message = ask(asked, qtype);
    assert_eq!(
        (message.rcode, message.flags.authoritative),
        verdict,
        "{asked} {qtype}"
    );
    assert_eq!(lines(&message.answer), answer, "answer to {asked} {qtype}");
    assert_eq!(
        lines(&message.authority),
        authority,
        "authority for {asked} {qtype}"
    );
    assert_eq!(
        lines(&message.additional),
        additional,
        "additional for {asked} {qtype}"
    );
    assert!(!message.flags.recursion_available && message.flags.recursion_desired);
    assert_eq!(message.id, 77);
}

const YES: (Rcode, bool) = (Rcode::NOERROR, true);
const NO: (Rcode, bool) = (Rcode::NXDOMAIN, true);
const REFERRAL: (Rcode, bool) = (Rcode::NOERROR, false);
const SOA: &str = "sud.test 60 SOA ns1.sud.test. postmaster.sud.test. 7 3600 900 1209600 60";

#[test]
fn names_that_exist() {
    shows(
        "www.sud.test",
        Rtype::A,
        YES,
        &["www.sud.test 300 A 127.0.0.3"],
        &[],
        &[],
    );
    shows("www.sud.test", Rtype::AAAA, YES, &[], &[SOA], &[]);
    shows(
        "sud.test",
        Rtype::MX,
        YES,
        &["sud.test 300 MX 10 Mail.sud.test."],
        &[],
        &[
            "Mail.sud.test 300 A 127.0.0.3",
            "Mail.sud.test 300 AAAA ::1",
        ],
    );
    shows("c.sud.test", Rtype::A, YES, &[], &[SOA], &[]); // an empty non-terminal
    shows("b.c.sud.test", Rtype::A, YES, &[], &[SOA], &[]);
}

#[test]
fn names_that_do_not() {
    shows("nix.sud.test", Rtype::A, NO, &[], &[SOA], &[]);
    shows("x.www.sud.test", Rtype::A, NO, &[], &[SOA], &[]);
    let outside = (Rcode::REFUSED, false);
    shows("www.elsewhere.example", Rtype::A, outside, &[], &[], &[]);
    shows("test", Rtype::A, outside, &[], &[], &[]);
    shows(".", Rtype::NS, outside, &[], &[], &[]);
    shows("xsud.test", Rtype::A, outside, &[], &[], &[]);
}

#[test]
fn wildcards_speak_for_what_is_missing_only() {
    shows(
        "x.wild.sud.test",
        Rtype::TXT,
        YES,
        &["x.wild.sud.test 300 TXT \"wild\""],
        &[],
        &[],
    );
    shows(
        "y.x.wild.sud.test",
        Rtype::TXT,
        YES,
        &["y.x.wild.sud.test 300 TXT \"wild\""],
        &[],
        &[],
    );
    shows("x.wild.sud.test", Rtype::A, YES, &[], &[SOA], &[]);
    shows(
        "*.wild.sud.test",
        Rtype::TXT,
        YES,
        &["*.wild.sud.test 300 TXT \"wild\""],
        &[],
        &[],
    );
    // The empty non-terminal exists and so hides the wildcard, for itself and below.
    shows("ent.wild.sud.test", Rtype::TXT, YES, &[], &[SOA], &[]);
    shows("x.ent.wild.sud.test", Rtype::TXT, NO, &[], &[SOA], &[]);
    shows("wild.sud.test", Rtype::TXT, YES, &[], &[SOA], &[]);
}

#[test]
fn delegations_are_referred() {
    let servers = [
        "sub.sud.test 300 NS ns.sub.sud.test.",
        "sub.sud.test 300 NS ns2.sub.sud.test.",
    ];
    let glue = [
        "ns.sub.sud.test 300 A 127.0.1.1",
        "ns2.sub.sud.test 300 A 127.0.1.2",
    ];
    for asked in ["sub.sud.test", "x.y.sub.sud.test", "ns.sub.sud.test"] {
        shows(asked, Rtype::A, REFERRAL, &[], &servers, &glue);
    }
    shows("x.sub.sud.test", Rtype::DS, REFERRAL, &[], &servers, &glue);
    let ds = ask("sub.sud.test", Rtype::DS);
    assert!(
        ds.flags.authoritative && ds.answer.len() == 1,
        "DS is the parent's"
    );
    let outside = ["lost.sud.test 300 NS ns.elsewhere.example."];
    shows("www.lost.sud.test", Rtype::A, REFERRAL, &[], &outside, &[]);
}

/// The server of both sides must find the parent's.
#[test]
fn ds_is_answered_by_the_parent() {
    let parent = "$ORIGIN test.\n$TTL 60\n@ SOA ns p 1 2 3 4 5\n@ NS ns\nns A 127.0.0.1\n\
                  nord NS ns1.nord\nns1.nord A 127.0.0.2\nnord DS 1 13 2 ABCD\n";
    let parent = Zone::parse(&name("test"), parent).unwrap();
    let child = Zone::parse(&name("nord.test"), NORD).unwrap();
    let zones = Zones::new([parent, child]);
    let said = |qtype| {
        let mut out = Vec::new();
        answer(
            &zones,
            &query(1, &name("nord.test"), qtype, false, false),
            Carrier::Udp,
            &mut out,
        );
        lines(&Message::read(&out).unwrap().answer)
    };
    assert_eq!(said(Rtype::DS), ["nord.test 60 DS 1 13 2 ABCD"]);
    assert_eq!(said(Rtype::NS), ["nord.test 300 NS ns1.nord.test."]);
}

#[test]
fn help_is_given_once() {
    assert_eq!(ask("_a._tcp.sud.test", Rtype::SRV).additional.len(), 2);
}

#[test]
fn aliases_are_followed_inside_our_zones() {
    let alias = "alias.sud.test 300 CNAME www.sud.test.";
    let www = "www.sud.test 300 A 127.0.0.3";
    shows("alias.sud.test", Rtype::A, YES, &[alias, www], &[], &[]);
    shows("alias.sud.test", Rtype::CNAME, YES, &[alias], &[], &[]);
    let chain = "chain.sud.test 300 CNAME alias.sud.test.";
    shows(
        "chain.sud.test",
        Rtype::A,
        YES,
        &[chain, alias, www],
        &[],
        &[],
    );
    shows("alias.sud.test", Rtype::MX, YES, &[alias], &[SOA], &[]);
    let away = "away.sud.test 300 CNAME www.elsewhere.example.";
    shows("away.sud.test", Rtype::A, YES, &[away], &[], &[]);
    let nowhere = "nowhere.sud.test 300 CNAME missing.sud.test.";
    shows("nowhere.sud.test", Rtype::A, NO, &[nowhere], &[SOA], &[]);
    let nord = [
        "to-nord.sud.test 300 CNAME www.nord.test.",
        "www.nord.test 300 A 127.0.0.2",
    ];
    shows("to-nord.sud.test", Rtype::A, YES, &nord, &[], &[]);
    let over = ask("over.sud.test", Rtype::A);
    assert!(over.flags.authoritative && over.answer.len() == 1 && over.authority.len() == 2);
    assert_eq!(
        ask("round.sud.test", Rtype::A).answer.len(),
        2,
        "a circle is walked once"
    );
}

#[test]
fn dname_renames_what_is_below() {
    let rename = "old.sud.test 300 DNAME new.sud.test.";
    shows(
        "x.old.sud.test",
        Rtype::A,
        YES,
        &[
            rename,
            "x.old.sud.test 300 CNAME x.new.sud.test.",
            "x.new.sud.test 300 A 127.0.0.7",
        ],
        &[],
        &[],
    );
    shows("old.sud.test", Rtype::DNAME, YES, &[rename], &[], &[]);
    shows("old.sud.test", Rtype::A, YES, &[], &[SOA], &[]);
    // Three labels of 63 and one of 40 fit below `short`, but not below its target.
    let long = [
        "y".repeat(63),
        "y".repeat(63),
        "y".repeat(63),
        "y".repeat(40),
    ]
    .join(".");
    let long = ask(&format!("{long}.short.sud.test"), Rtype::A);
    assert_eq!((long.rcode, long.answer.len()), (Rcode::YXDOMAIN, 1));
}

#[test]
fn any_is_answered_with_one_set() {
    let any = ask("sud.test", Rtype::ANY);
    assert_eq!(lines(&any.answer), ["sud.test 300 NS ns1.sud.test."]);
}

#[test]
fn the_case_of_the_question_is_kept() {
    let (_, bytes) = ask_bytes(
        &query(1, &name("wWw.SuD.tEsT"), Rtype::A, false, false),
        Carrier::Udp,
    );
    let message = Message::read(&bytes).unwrap();
    assert_eq!(message.question.unwrap().name.to_string(), "wWw.SuD.tEsT");
    assert_eq!(message.answer[0].owner.to_string(), "wWw.SuD.tEsT");
    assert_eq!(
        bytes.len(),
        12 + 18 + 16,
        "the owner is a pointer to the question"
    );
}

#[test]
fn answers_fit_the_client() {
    let big = |edns_size: Option<u16>, carrier| {
        let mut asked = query(
            1,
            &name("big.sud.test"),
            Rtype::TXT,
            false,
            edns_size.is_some(),
        );
        if let Some(size) = edns_size {
            let at = asked.len() - 8;
            asked[at..at + 2].copy_from_slice(&size.to_be_bytes());
        }
        let (answered, bytes) = ask_bytes(&asked, carrier);
        let message = Message::read(&bytes).unwrap();
        let Answered::Sent { truncated, .. } = answered else {
            panic!("no answer")
        };
        assert_eq!(message.flags.truncated, truncated);
        assert_eq!(message.edns.is_some(), edns_size.is_some() && !truncated);
        assert!(
            !truncated || bytes[6..8] == [0, 0],
            "half a set is worse than none"
        );
        (truncated, bytes.len())
    };
    assert!(matches!(big(None, Carrier::Udp), (true, ..=512)));
    assert!(matches!(big(Some(0), Carrier::Udp), (true, ..=512)));
    assert!(matches!(big(Some(4096), Carrier::Udp), (true, ..=1232)));
    assert!(matches!(big(None, Carrier::Tcp), (false, 1233..)));
    // Our own offer is stated whatever the client's.
    let (_, bytes) = ask_bytes(
        &query(1, &name("www.sud.test"), Rtype::A, false, true),
        Carrier::Udp,
    );
    assert_eq!(Message::read(&bytes).unwrap().edns.unwrap().udp_size, 1232);
}

#[test]
fn missing_glue_is_a_truncated_answer_and_missing_help_is_not() {
    let (_, bytes) = ask_bytes(
        &query(1, &name("wide.sud.test"), Rtype::A, false, true),
        Carrier::Udp,
    );
    assert!(
        Message::read(&bytes).unwrap().flags.truncated,
        "glue below the cut is required"
    );
    let whole = ask("wide.sud.test", Rtype::A);
    assert_eq!((whole.authority.len(), whole.additional.len()), (40, 40));
}

#[test]
fn what_is_no_question_for_us() {
    let good = query(0xabcd, &name("www.sud.test"), Rtype::A, false, true);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        match ask_bytes(&bytes, Carrier::Udp) {
            (Answered::Sent { rcode, .. }, out) => {
                assert_eq!(out[..2], [0xab, 0xcd]);
                assert_eq!(out[2] & 0x80, 0x80);
                rcode.to_string()
            }
            (Answered::Silent(_), out) => {
                assert!(out.is_empty());
                "silence".to_owned()
            }
        }
    };
    let opt = good.len() - 11;
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>), &'a str);
    let cases: &[Case<'_>] = &[
        ("as it is", &|_| (), "NOERROR"),
        ("a response", &|b| b[2] |= 0x80, "silence"),
        ("short header", &|b| b.truncate(11), "silence"),
        ("header only", &|b| b.truncate(12), "FORMERR"),
        ("no question", &|b| b[5] = 0, "FORMERR"),
        ("two questions", &|b| b[5] = 2, "FORMERR"),
        ("notify", &|b| b[2] |= 4 << 3, "NOTIMP"),
        ("update", &|b| b[2] |= 5 << 3, "NOTIMP"),
        ("unknown opcode", &|b| b[2] |= 15 << 3, "NOTIMP"),
        ("class CHAOS", &|b| b[opt - 1] = 3, "REFUSED"),
        ("class ANY", &|b| b[opt - 1] = 255, "REFUSED"),
        ("AXFR", &|b| b[opt - 3] = 252, "REFUSED"),
        ("type OPT", &|b| b[opt - 3] = 41, "FORMERR"),
        ("EDNS version 1", &|b| b[opt + 6] = 1, "BADVERS"),
        (
            "OPT with an owner",
            &|b| {
                b.splice(opt..opt + 1, [1, b'x', 0]);
            },
            "FORMERR",
        ),
        (
            "OPT cut",
            &|b| {
                b.pop();
            },
            "FORMERR",
        ),
        (
            "option beyond OPT",
            &|b| {
                b[opt + 10] = 4;
                b.extend([0, 3, 0, 9]);
            },
            "FORMERR",
        ),
        (
            "two OPT",
            &|b| {
                b[11] = 2;
                b.extend_from_within(opt..);
            },
            "FORMERR",
        ),
        (
            "name in a loop",
            &|b| {
                b.splice(12..26, [0xc0, 12]);
            },
            "FORMERR",
        ),
        ("label of 64", &|b| b[12] = 64, "FORMERR"),
        ("name cut", &|b| b.truncate(20), "FORMERR"),
    ];
    for (what, change, verdict) in cases {
        assert_eq!(with(*change), *verdict, "{what}");
    }
}

#[test]
fn a_refusal_says_why_and_badvers_fits_its_record() {
    let (_, bytes) = ask_bytes(
        &query(1, &name("other.example"), Rtype::A, false, true),
        Carrier::Udp,
    );
    assert_eq!(bytes[bytes.len() - 6..], [0, 15, 0, 2, 0, 20]);
}

#[test]
fn names_swap_whole() {
    let names = Names::new(zones());
    let held = names.zones();
    names.replace(Zones::default());
    assert!(
        held.get(&name("sud.test")).is_some(),
        "an answer in the making keeps its image"
    );
    assert!(names.zones().get(&name("sud.test")).is_none());
}

proptest! {
    /// Whatever arrives, something sensible or nothing goes back.
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let image = Zones::new([Zone::parse(&name("nord.test"), NORD).unwrap()]);
        let mut out = vec![9, 9];
        match answer(&image, &bytes, Carrier::Udp, &mut out) {
            Answered::Sent { .. } => prop_assert!((14..=2 + 1232).contains(&out.len())),
            Answered::Silent(_) => prop_assert_eq!(out, [9, 9]),
        }
    }

    /// As above, beginning with a good query so that the bytes get further.
    #[test]
    fn no_mutation_does_harm(
        labels in proptest::collection::vec("[a-z*]{1,6}", 0..6),
        qtype in any::<u16>(),
        at in 0_usize..40,
        to in any::<u8>(),
    ) {
        let image = zones();
        let asked = format!("{}.sud.test", labels.join("."));
        let asked = parse_name(asked.trim_start_matches('.')).unwrap();
        let mut bytes = query(3, &asked, Rtype::from_int(qtype), false, true);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = to;
        }
        let mut out = Vec::new();
        if matches!(answer(&image, &bytes, Carrier::Udp, &mut out), Answered::Sent { .. }) {
            prop_assert!(out.len() <= 1232);
            prop_assert!(Message::read(&out).is_ok());
        }
    }
}
