//! Records in any order and of any content: whoever looks gets something, never a panic, and the
//! exports stay well formed.

use super::*;
use crate::record::{Cause, Direction, Mode, Moment, Opened, Secured, Transport, Verb, WallTime};
use crate::render::pcapng::pcapng;
use crate::view::Limits;
use proptest::prelude::*;

fn cause() -> impl Strategy<Value = Cause> {
    (0_u64..8, 0_u32..4).prop_map(|(id, part)| Cause {
        exchange: ExchangeId(id),
        part,
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::from("MAIL FROM:<a@b>")),
        Just(String::from("RCPT TO:<c@d")),
        Just(String::from("GET http:///")),
        Just(String::new()),
        ".{0,40}",
    ]
}

const KNOWN: [&str; 11] = [
    "MAIL", "RCPT", "DATA", "BDAT", "354", "250", "550", "...", "RETR", "+OK", "GET",
];

fn verb() -> impl Strategy<Value = Verb> {
    let known = proptest::sample::select(&KNOWN[..]).prop_map(Verb::new);
    prop_oneof![known, text().prop_map(|text| Verb::new(&text))]
}

fn opened() -> impl Strategy<Value = Body> {
    let protocol = proptest::sample::select(&["smtp", "dns", "http", "pop3", "echo", ""][..]);
    let address = proptest::sample::select(
        &[
            "127.0.0.1:1",
            "127.0.0.2:25",
            "0.0.0.0:25",
            "[::1]:16384",
            "[::ffff:127.0.0.1]:1",
        ][..],
    );
    let ends = (any::<bool>(), any::<bool>(), address.clone(), address);
    (
        protocol,
        ends,
        text(),
        text(),
        proptest::collection::vec(cause(), 0..4),
    )
        .prop_map(
            |(protocol, (udp, client, local, remote), named, organisation, causes)| {
                Body::Opened(Opened {
                    protocol: protocol.into(),
                    transport: if udp { Transport::Udp } else { Transport::Tcp },
                    role: if client { Role::Client } else { Role::Server },
                    local: local.parse().unwrap(),
                    remote: remote.parse().unwrap(),
                    named,
                    service: organisation.clone(),
                    organisation,
                    mode: Mode::Event,
                    causes,
                })
            },
        )
}

fn message() -> impl Strategy<Value = Body> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..60);
    let numbers = (
        any::<bool>(),
        0_u32..4,
        prop_oneof![0_u64..70, any::<u64>()],
    );
    (
        verb(),
        text(),
        numbers,
        proptest::collection::vec(cause(), 0..3),
        bytes,
    )
        .prop_map(
            |(verb, text, (sent, part, size), causes, bytes)| Body::Message {
                direction: if sent {
                    Direction::Sent
                } else {
                    Direction::Received
                },
                verb,
                text,
                size,
                masked: part == 2,
                part,
                before: String::new(),
                after: String::new(),
                causes,
                bytes,
            },
        )
}

fn body() -> impl Strategy<Value = Body> {
    let note = (verb(), 0_u32..4, text());
    let secured = (text(), any::<u8>()).prop_map(|(version, key)| {
        let (cipher, server_name) = (String::new(), String::new());
        Body::Secured(Secured {
            version,
            cipher,
            server_name,
            key: [key % 3; 16],
        })
    });
    prop_oneof![
        2 => opened(),
        6 => message(),
        1 => note.prop_map(|(word, part, text)| Body::Note { word, part, text }),
        1 => (verb(), text()).prop_map(|(reason, text)| Body::Closed { reason, text }),
        1 => secured,
        1 => any::<u64>().prop_map(|dropped| Body::Gap { dropped }),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let time = prop_oneof![0_u64..10_000_000, any::<u64>()];
    (0_u64..8, time.clone(), time, body()).prop_map(|(id, at, wall, body)| Record {
        exchange: ExchangeId(id),
        at: Moment(at),
        wall: WallTime(wall),
        body,
    })
}

proptest! {
    #[test]
    fn any_records_can_be_looked_at(
        records in proptest::collection::vec(record(), 0..60),
        width in 0_usize..120,
    ) {
        let mut view = View::with_limits(Limits { halves: 6, bytes: 1 << 20 });
        for (index, record) in records.into_iter().enumerate() {
            view.add(Source((index % 3) as u16), record);
        }
        let picture = view.picture();
        let everything = picture.everything();
        for line in json::lines(&everything, None).lines() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok());
        }
        prop_assert_eq!(pcapng(&everything, None).len() % 4, 0);
        prop_assert!(!dialogues(&everything).contains('\x1b'));
        mermaid(&everything, None, &english());
        for journey in picture.journeys() {
            prop_assert!(drawn(&journey, width, true).lines().all(|line| columns(line) <= width));
            prop_assert!(steps(&journey, Detail::Every, &french()).iter().all(|s| s.line.starts_with(&s.number)));
            story(&journey, &english());
            pcapng(&journey.selection, Some(&journey));
            let shown = json::shown(&picture, &journey, &english());
            prop_assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok());
            let again = picture.journey(journey.id).map(|again| again.id);
            prop_assert!(again.is_some());
        }
    }
}
