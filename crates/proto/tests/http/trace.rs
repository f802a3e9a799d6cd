//! What the trace gets to see, and what holds for any bytes.

use guichet_proto::http::{ClientRequest, HeaderBlock};
use guichet_proto::player::Player;
use guichet_proto::session::NoTap;
use guichet_proto::{Level, Moment, Tap, Tapped, Verb};
use guichet_trace::Direction;
use proptest::prelude::*;

use crate::client::read;
use crate::peers::{FakeSite, Reader, join, post, server};

/// Keeps what a trace at level `full` would keep: the text, and the bytes without the masks.
#[derive(Default)]
struct Recorder {
    kept: String,
    /// What a trace without masks would keep.
    unmasked: String,
    lines: Vec<String>,
    /// Received ones.
    bodies: String,
}

impl Tap for Recorder {
    fn level(&self) -> Level {
        Level::Full
    }

    fn message(&mut self, message: Tapped<'_>) {
        let mut bytes = message.bytes.to_vec();
        self.unmasked.push_str(&String::from_utf8_lossy(&bytes));
        for range in &message.about.masks {
            bytes[range.clone()].fill(b'#');
        }
        self.kept.push_str(&String::from_utf8_lossy(&bytes));
        let text = message.about.text.clone().unwrap_or_default();
        self.kept.push_str(&text);
        self.lines
            .push(format!("{} {} {text}", message.part, message.about.verb));
    }

    fn body(&mut self, direction: Direction, piece: &[u8]) {
        if direction == Direction::Received {
            self.bodies.push_str(&String::from_utf8_lossy(piece));
        }
    }

    fn note(&mut self, _: Moment, _: u32, _: Verb, text: String) {
        self.kept.push_str(&text);
    }
}

#[test]
fn no_secret_reaches_the_trace() {
    let secret = ClientRequest {
        fields: HeaderBlock::of([
            ("Authorization", "Basic CANARY-basic"),
            ("cookie", "id=CANARY-cookie; b=CANARY-b"),
            ("Referer", "http://h/?token=CANARY-referer"),
        ]),
        ..ClientRequest::get("h", "/login?token=CANARY-query&x=plain")
    };
    let (mut near, mut far) = (Recorder::default(), Recorder::default());
    join(vec![secret], &mut Reader::default(), [&mut near, &mut far]);
    for recorder in [&near, &far] {
        assert!(!recorder.kept.contains("CANARY"), "{}", recorder.kept);
        // The same check over a trace that masks nothing finds every one of them.
        for canary in ["basic", "cookie", "b", "referer", "query", "set"] {
            assert!(
                recorder.unmasked.contains(&format!("CANARY-{canary}")),
                "{canary}"
            );
        }
        assert!(recorder.kept.contains("x=plain"), "only secrets are hidden");
        assert!(recorder.kept.contains("Set-Cookie: ####"));
        assert_eq!(
            recorder.lines[0], "1 GET GET http://h/login",
            "no query at this level"
        );
        assert_eq!(
            recorder.lines[1].split(" 2 bytes").next(),
            Some("1 200 200 text/plain")
        );
    }
    let mut refused = Recorder::default();
    let mut player = Player::new(server(), FakeSite::default(), 7, &mut refused);
    player.hear(b"GET /?token=CANARY HTTP/1.1\r\nCookie : CANARY\r\n CANARY\r\nHost: h\r\n\r\n");
    assert!(player.heard().starts_with(b"HTTP/1.1 400"));
    drop(player);
    assert!(!refused.kept.contains("CANARY"), "{}", refused.kept);
}

#[test]
fn a_body_that_the_service_calls_secret_is_not_shown() {
    let mut far = Recorder::default();
    let requests = vec![post("/upload?secret", b"CANARY"), post("/upload", b"plain")];
    join(requests, &mut Reader::default(), [&mut NoTap, &mut far]);
    assert_eq!(far.bodies, "plain");
}

#[test]
fn each_request_is_a_part_of_its_own() {
    let mut far = Recorder::default();
    let requests = vec![
        ClientRequest::get("h", "/"),
        ClientRequest::get("h", "/file"),
        post("/upload", b"hello"),
    ];
    join(requests, &mut Reader::default(), [&mut NoTap, &mut far]);
    let expected = [
        "1 GET GET http://h/",
        "1 200 200 text/html 8 bytes",
        "2 GET GET http://h/file",
        "2 200 200 300 bytes",
        "2 body 300 bytes",
        "3 POST POST http://h/upload",
        "3 body 5 bytes",
        "3 201 201 text/plain 5 bytes",
    ];
    assert_eq!(far.lines[..8], expected);
}

// ----- any bytes -----

/// Pieces of requests, so that random input comes further than the first check.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /upload HTTP/1.1\r\n",
        "Host: h\r\n",
        "\r\n",
        "\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "GET /events HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /file HTTP/1.1\r\nHost: h\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #[test]
    fn any_bytes_get_the_same_replies_in_any_pieces(
        fragments in prop::collection::vec(fragment(), 0..12),
        chunk_bytes in 1..40_usize,
    ) {
        let bytes = fragments.concat();
        let hear = |chunk_bytes| {
            let mut recorder = Recorder::default();
            let mut player = Player::new(server(), FakeSite::default(), chunk_bytes, &mut recorder);
            player.hear(&bytes);
            player.heard().to_vec()
        };
        let whole = hear(usize::MAX);
        prop_assert_eq!(&whole, &hear(chunk_bytes));
        prop_assert!(whole.is_empty() || whole.starts_with(b"HTTP/1.1 "));
    }

    #[test]
    fn any_reply_is_taken_or_refused(fragments in prop::collection::vec(fragment(), 0..12)) {
        read(&fragments.concat(), true);
    }
}
