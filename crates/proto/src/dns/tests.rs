//! Messages written and read, described, and carried over a stream.
#![allow(clippy::unwrap_used)]

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::convert::Infallible;
use core::str::FromStr;

use guichet_trace::Moment;
use proptest::prelude::*;

use super::stream::{Answer, Ask, Client, Server};
use super::*;
use crate::outbox::Outbox;
use crate::player::{Ours, play_in_all_chunks};
use crate::service::{Reply, Service};
use crate::session::{Input, Session};
use crate::transcript::escape;

fn name(text: &str) -> Name {
    if text == "." {
        Name::root()
    } else {
        Name::from_str(text).unwrap()
    }
}

const PLAIN: Header = Header {
    id: 5,
    opcode: Opcode::QUERY,
    authoritative: false,
    truncated: false,
    recursion_desired: false,
    recursion_available: false,
    rcode: Rcode::NOERROR,
};

type Records<'a> = &'a [(Section, &'a str, Rtype, &'a [u8])];

/// An answer to `asked` with these records.
fn message(header: Header, asked: &str, qtype: Rtype, records: Records<'_>) -> Vec<u8> {
    let question = query(header.id, &name(asked), qtype, false, false);
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, MESSAGE_SIZE_MAX, false);
    writer.question(&question[HEADER_SIZE..]);
    for (section, owner, rtype, data) in records {
        writer
            .record(*section, name(owner).as_slice(), *rtype, 300, data)
            .unwrap();
    }
    writer.finish(&header, None, None);
    out
}

fn told(bytes: &[u8]) -> String {
    let described = describe(bytes);
    format!("{}: {}", described.verb, described.text)
}

#[test]
fn messages_read_as_people_say_them() {
    let answer = Section::Answer;
    let aa = Header {
        authoritative: true,
        ..PLAIN
    };
    let sud = b"\x03ns1\x03sud\x04test\x00";
    let cases = [
        (
            query(1, &name("www.sud.test"), Rtype::A, true, true),
            "A: www.sud.test A?",
        ),
        (query(1, &Name::root(), Rtype::NS, true, true), "NS: . NS?"),
        (
            message(
                aa,
                "www.sud.test",
                Rtype::A,
                &[
                    (answer, "www.sud.test", Rtype::A, &[127, 0, 0, 3]),
                    (answer, "www.sud.test", Rtype::A, &[127, 0, 0, 4]),
                ],
            ),
            "NOERROR: NOERROR www.sud.test A 127.0.0.3, 127.0.0.4",
        ),
        (
            message(
                aa,
                "w.test",
                Rtype::A,
                &[
                    (answer, "w.test", Rtype::CNAME, sud),
                    (answer, "ns1.sud.test", Rtype::A, &[127, 0, 0, 3]),
                ],
            ),
            "NOERROR: NOERROR w.test CNAME ns1.sud.test; ns1.sud.test A 127.0.0.3",
        ),
        (
            message(
                aa,
                "sud.test",
                Rtype::MX,
                &[(
                    answer,
                    "sud.test",
                    Rtype::MX,
                    &[&[0, 10], &sud[..]].concat(),
                )],
            ),
            "NOERROR: NOERROR sud.test MX 10 ns1.sud.test",
        ),
        (
            message(
                PLAIN,
                "www.sud.test",
                Rtype::A,
                &[
                    (Section::Authority, "sud.test", Rtype::NS, sud),
                    (
                        Section::Additional,
                        "ns1.sud.test",
                        Rtype::A,
                        &[127, 0, 0, 3],
                    ),
                ],
            ),
            "NOERROR: referral: sud.test NS ns1.sud.test (127.0.0.3)",
        ),
        (
            message(aa, "w.test", Rtype::AAAA, &[]),
            "NOERROR: NOERROR w.test AAAA: no such record",
        ),
        (
            message(
                Header {
                    rcode: Rcode::NXDOMAIN,
                    ..aa
                },
                "nix.test",
                Rtype::A,
                &[],
            ),
            "NXDOMAIN: NXDOMAIN nix.test: no such name",
        ),
        (
            message(
                Header {
                    rcode: Rcode::REFUSED,
                    ..PLAIN
                },
                "x.example",
                Rtype::A,
                &[],
            ),
            "REFUSED: REFUSED x.example A",
        ),
        (
            message(
                Header {
                    truncated: true,
                    ..aa
                },
                "x.test",
                Rtype::TXT,
                &[],
            ),
            "NOERROR: NOERROR x.test TXT truncated: ask over TCP",
        ),
        (
            vec![1, 2, 3],
            "?: 3 bytes that are not a readable DNS message",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(told(&bytes), expected);
    }
}

#[test]
fn a_description_obeys_nobody_and_ends() {
    let evil = query(
        1,
        &Name::from_octets(b"\x04\x1b[2J\x00".to_vec()).unwrap(),
        Rtype::A,
        true,
        true,
    );
    assert_eq!(told(&evil), "A: \\027[2J A?");
    let long: Vec<_> = (0..200)
        .map(|_| (Section::Answer, "x.test", Rtype::A, &[1, 2, 3, 4][..]))
        .collect();
    let text = told(&message(PLAIN, "x.test", Rtype::A, &long));
    assert!(text.ends_with("and 194 more") && text.len() < 200, "{text}");
    let wide = [b"\xff".as_slice(), &[b'w'; 255]].concat();
    let txt = message(
        PLAIN,
        "x.test",
        Rtype::TXT,
        &[(Section::Answer, "x.test", Rtype::TXT, &wide)],
    );
    let long: Vec<_> = (0..4)
        .map(|_| (Section::Answer, "x.test", Rtype::TXT, &wide[..]))
        .collect();
    assert!(
        told(&txt).len() < 420 && told(&message(PLAIN, "x.test", Rtype::TXT, &long)).len() < 420
    );
    assert_eq!(
        visible("a\u{202e}b\r\n\u{7}"),
        "a\\u{202e}b\\u{d}\\u{a}\\u{7}"
    );
}

#[test]
fn written_records_read_back_and_names_are_said_once() {
    let soa = [b"\x02ns\x04test\x00\x01p\x04test\x00".as_slice(), &[0; 20]].concat();
    let srv = b"\x00\x00\x00\x01\x00\x19\x02ns\x04test\x00";
    let records: Records<'_> = &[
        (Section::Answer, "WWW.test", Rtype::SOA, &soa),
        (Section::Answer, "test", Rtype::SRV, srv),
        (Section::Authority, "test", Rtype::NS, b"\x02NS\x04TEST\x00"),
        (
            Section::Additional,
            "other.example",
            Rtype::from_int(65_280),
            b"\x02ns\x04test\x00",
        ),
    ];
    let bytes = message(PLAIN, "www.test", Rtype::ANY, records);
    let read = Message::read(&bytes).unwrap();
    let all: Vec<&Record> = read
        .answer
        .iter()
        .chain(&read.authority)
        .chain(&read.additional)
        .collect();
    for (record, (_, owner, rtype, data)) in all.iter().zip(records) {
        assert_eq!((&record.owner, record.rtype), (&name(owner), *rtype));
        assert!(record.data.eq_ignore_ascii_case(data), "{rtype}");
    }
    let whole = |(_, owner, _, data): &(_, &str, _, &[u8])| name(owner).len() + 10 + data.len();
    let plain: usize = records.iter().map(whole).sum();
    // Three owners, two names in the SOA and the NS target are said by pointers, in whole or in
    // part. SRV and unknown types stay as they are.
    assert_eq!(bytes.len(), 12 + 14 + plain - (8 + 4 + 4) - (4 + 4) - 7);
}

#[test]
fn a_record_that_does_not_fit_leaves_no_trace() {
    let mut out = vec![7];
    let mut writer = Writer::new(&mut out, 40, false);
    writer.question(&query(1, &name("a.test"), Rtype::A, false, false)[HEADER_SIZE..]);
    let before = writer.length();
    let far = name("far.away.example");
    assert_eq!(
        writer.record(Section::Answer, far.as_slice(), Rtype::A, 1, &[0; 4]),
        Err(Full)
    );
    assert_eq!(writer.length(), before);
    assert_eq!(
        writer.record(
            Section::Answer,
            name("a.test").as_slice(),
            Rtype::A,
            1,
            &[1; 4]
        ),
        Ok(())
    );
    writer.finish(&PLAIN, None, None);
    assert_eq!(Message::read(&out[1..]).unwrap().answer.len(), 1);
}

/// What was taken back must not be pointed to, nor what no pointer reaches.
#[test]
fn pointers_lead_only_to_what_is_there() {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, 60, false);
    writer.question(&query(1, &name("a.test"), Rtype::A, false, false)[HEADER_SIZE..]);
    let (far, near) = (name("far.away.example"), name("away.example"));
    assert_eq!(
        writer.record(Section::Answer, far.as_slice(), Rtype::A, 1, &[0; 30]),
        Err(Full)
    );
    assert_eq!(
        writer.record(Section::Answer, near.as_slice(), Rtype::A, 1, &[1; 4]),
        Ok(())
    );
    writer.finish(&PLAIN, None, None);
    assert_eq!(Message::read(&out).unwrap().answer[0].owner, near);

    let wide = [0; 17_000];
    let records: Records<'_> = &[
        (Section::Answer, "a.test", Rtype::from_int(65_280), &wide),
        (Section::Answer, "far.example", Rtype::A, &[1; 4]),
        (Section::Answer, "far.example", Rtype::A, &[2; 4]),
    ];
    let read = Message::read(&message(PLAIN, "a.test", Rtype::ANY, records)).unwrap();
    assert_eq!(read.answer[2].owner, name("far.example"));
}

#[test]
fn queries_are_read_strictly() {
    let good = query(7, &name("a.test"), Rtype::MX, true, true);
    let read = Query::read(&good).unwrap();
    assert_eq!(
        (read.id, read.qtype, read.recursion_desired),
        (7, Rtype::MX, true)
    );
    assert_eq!(
        (read.name, read.edns.unwrap().udp_size),
        (&b"\x01a\x04test\x00"[..], 1232)
    );
    let small = [&good[..good.len() - 8], &[0, 99], &good[good.len() - 6..]].concat();
    assert_eq!(
        Query::read(&small).unwrap().edns.unwrap().udp_size,
        512,
        "never below"
    );
    let response = [&good[..2], &[0x80], &good[3..]].concat();
    assert!(matches!(Query::read(&response), Err(Refusal::Silent(_))));
    let beyond = [&good[..good.len() - 2], &[0, 4, 0, 3, 0, 1]].concat();
    assert!(matches!(
        Query::read(&beyond),
        Err(Refusal::Reply(Rcode::FORMERR, _))
    ));

    // A name of 255 bytes is the longest (RFC 1035 section 3.1), one of 256 is none.
    let named = |last: u8| {
        let mut bytes = good[..HEADER_SIZE].to_vec();
        bytes[11] = 0;
        for length in [63, 63, 63, last] {
            bytes.push(length);
            bytes.extend(vec![b'x'; usize::from(length)]);
        }
        bytes.extend([0, 0, 1, 0, 1]);
        bytes
    };
    assert_eq!(Query::read(&named(61)).unwrap().name.len(), 255);
    assert!(matches!(
        Query::read(&named(62)),
        Err(Refusal::Reply(Rcode::FORMERR, _))
    ));
}

/// Names beyond the table's end, and beyond what a pointer reaches, are written in full.
#[test]
fn many_names_take_bounded_work_and_stay_right() {
    let names: Vec<Name> = (0..3_000)
        .map(|number| name(&format!("n{number}.x.y.z.test")))
        .collect();
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, MESSAGE_SIZE_MAX, false);
    let mut written = 0;
    for owner in &names {
        written += usize::from(
            writer
                .record(
                    Section::Answer,
                    owner.as_slice(),
                    Rtype::PTR,
                    1,
                    owner.as_slice(),
                )
                .is_ok(),
        );
    }
    writer.finish(&PLAIN, None, None);
    let read = Message::read(&out).unwrap();
    assert!(written > 1_000 && read.answer.len() == written);
    assert!(
        read.answer
            .iter()
            .zip(&names)
            .all(|(record, owner)| record.owner == *owner)
    );
}

#[test]
fn malformed_messages_are_refused() {
    let good = message(
        PLAIN,
        "a.test",
        Rtype::A,
        &[(Section::Answer, "a.test", Rtype::A, &[1; 4])],
    );
    assert!(Message::read(&good).is_ok());
    for cut in 0..good.len() {
        assert_eq!(Message::read(&good[..cut]), Err(Malformed), "cut at {cut}");
    }
    let owner = good.len() - 16;
    for pointer in [owner, owner + 1, 0x3fff] {
        let mut looping = good.clone();
        looping[owner..owner + 2].copy_from_slice(&(0xc000 | pointer as u16).to_be_bytes());
        assert_eq!(
            Message::read(&looping),
            Err(Malformed),
            "pointer to {pointer}"
        );
    }
    let mut negative = good;
    negative[owner + 6] = 0x80;
    assert_eq!(Message::read(&negative).unwrap().answer[0].ttl_seconds, 0);
}

/// Gives each query back as a response, unless it is too short for one.
struct Mirror;

impl Service for Mirror {
    type Ask = Ask;
    type Answer = Answer;
    fn ask(&mut self, Ask(mut bytes): Ask) -> Reply<Answer> {
        Reply::Now(match bytes.get_mut(2) {
            Some(flags) => {
                *flags |= 0x80;
                Answer::Reply(bytes)
            }
            None => Answer::Silence,
        })
    }
}

struct Nobody;

impl Service for Nobody {
    type Ask = Infallible;
    type Answer = Infallible;
    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }
}

/// A query and its answer by [`Mirror`], as a transcript says them.
fn pair(id: u16) -> (Vec<u8>, String, String) {
    let plain = query(id, &name("www.sud.test"), Rtype::A, false, false);
    let framed = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let mut response = plain.clone();
    response[2] |= 0x80;
    (
        plain.clone(),
        escape(&framed(&plain)),
        escape(&framed(&response)),
    )
}

fn serve(text: &str) {
    play_in_all_chunks(text, Ours::Server, || (Server::default(), Mirror)).unwrap();
}

#[test]
fn a_stream_answers_pipelined_queries_in_order() {
    let (_, ask1, answer1) = pair(1);
    let (_, ask2, answer2) = pair(2);
    serve(&format!(
        "C: {ask1}\nD: Ask([0, 1, \nS: {answer1}\nT: +19s\nC: {ask2}\nS: {answer2}\n"
    ));
    let both = format!(
        "C: {}{ask2}\nS: {answer1}\nS: {answer2}\n! half-close\n! closed\n",
        ask1.trim_end_matches('\\')
    );
    serve(&both);
}

#[test]
fn a_stream_ends_when_it_idles_stops_or_says_nonsense() {
    let (_, ask, answer) = pair(1);
    serve(&format!("C: {ask}\nS: {answer}\nT: +20s\n! closed\n"));
    serve(&format!("C: {ask}\nS: {answer}\n! stop\n! closed\n"));
    serve("C: \\0\\x02ab\\\n! closed\n");
    serve("C: \\0\\0\\\n! closed\n");
    serve(&format!(
        "C: {}\n! half-close\n! closed\n",
        "\\0\\x20half\\"
    ));
}

#[test]
fn a_client_takes_the_answer_to_its_question() {
    let (asked, ask, answer) = pair(1);
    let (_, _, stranger) = pair(2);
    let client = |text: &str| {
        play_in_all_chunks(text, Ours::Client, || (Client::new(asked.clone()), Nobody)).unwrap();
    };
    client(&format!("C: {ask}\nS: {answer}\n! closed\n"));
    client(&format!(
        "C: {ask}\nS: {stranger}\nT: +4s\nS: {answer}\n! closed\n"
    ));
    client(&format!(
        "C: {ask}\nS: {stranger}\nT: +4s\nS: {stranger}\nT: +1s\n! closed\n"
    ));
    client(&format!("C: {ask}\n! half-close\n! closed\n"));
}

#[test]
fn a_stranger_s_answer_does_not_end_the_wait() {
    let (asked, ..) = pair(1);
    let (other, ..) = pair(2);
    let mut client = Client::new(asked.clone());
    let mut out = Outbox::default();
    let mut hear = |client: &mut Client, bytes: &[u8]| {
        let message = crate::Message {
            bytes,
            ending: crate::LineEnd::None,
        };
        client.on(Moment(1), Input::Message(message), &mut out);
        client.state()
    };
    assert_eq!(hear(&mut client, &other), "waiting");
    assert_eq!(hear(&mut client, &asked[..4]), "waiting", "too short");
    assert_eq!(hear(&mut client, &asked), "answered");
    assert_eq!(client.into_reply(), Some(asked));
}

#[test]
fn who_stops_while_asking_still_gets_the_answer() {
    for end in [Input::Stopping, Input::HalfClosed] {
        let (asked, ..) = pair(1);
        let mut server = Server::default();
        let mut out = Outbox::default();
        server.on(Moment(0), Input::Opened, &mut out);
        let message = crate::Message {
            bytes: &asked,
            ending: crate::LineEnd::None,
        };
        server.on(Moment(0), Input::Message(message), &mut out);
        server.on(Moment(0), end, &mut out);
        assert_eq!((server.state(), out.bytes.len()), ("asking", 0));
        server.on(
            Moment(0),
            Input::Answer(Answer::Reply(asked.clone())),
            &mut out,
        );
        assert_eq!(
            (server.state(), out.bytes.len()),
            ("closed", asked.len() + 2)
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::read(&bytes);
        let _ = Query::read(&bytes);
        prop_assert!(describe(&bytes).text.len() <= 420);
    }

    /// As above, but well-formed at the beginning, so that records are reached.
    #[test]
    fn no_records_do_harm(
        rtype in 0_u16..300,
        data in proptest::collection::vec(any::<u8>(), 0..60),
        pointer in 0_u16..80,
    ) {
        let mut bytes = query(1, &name("a.test"), Rtype::A, false, false);
        bytes[2] |= 0x80;
        bytes[7] = 1;
        bytes.extend((0xc000 | pointer).to_be_bytes());
        bytes.extend(rtype.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
        bytes.extend(&data);
        if let Ok(read) = Message::read(&bytes) {
            for record in &read.answer {
                prop_assert!(!record.to_string().is_empty());
            }
        }
        let _ = data_text(Rtype::from_int(rtype), &data);
        let _ = first_name(Rtype::from_int(rtype), &data);
        prop_assert!(describe(&bytes).text.len() <= 420);
    }
}
