//! The server's side: transcripts, streams, limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use guichet_proto::http::{Answer, Ask, Body, Field, HeaderBlock, Response, Server};
use guichet_proto::player::{Ours, Player, play_in_all_chunks};
use guichet_proto::session::NoTap;
use guichet_proto::transcript::{Step, Transcript};
use guichet_proto::{Dialogue, Moment, Next, Reply, Service};

use crate::peers::{FakeSite, server};

fn transcripts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts/http");
    let mut found = Vec::new();
    for folder in [root.clone(), root.join("refused")] {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "dialogue")));
    }
    found
}

#[test]
fn every_transcript_is_played_whole_and_in_every_chunk_size() {
    let transcripts = transcripts();
    assert!(
        transcripts.len() > 50,
        "the transcripts are not where they were"
    );
    let mut wrong = Vec::new();
    for path in transcripts {
        let text = std::fs::read_to_string(&path).unwrap();
        let fresh = || (server(), FakeSite::default());
        if let Err(what) = play_in_all_chunks(&text, Ours::Server, fresh) {
            wrong.push(format!("{}: {what}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_too_long_is_told_apart() {
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(9000));
    let long_head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
        "a".repeat(40_000)
    );
    let many_fields = format!(
        "GET / HTTP/1.1\r\nHost: h\r\n{}\r\n",
        "X: a\r\n".repeat(101)
    );
    for (request, status) in [
        (long_target, "414"),
        (long_head, "431"),
        (many_fields, "431"),
    ] {
        let mut tap = NoTap;
        let mut player = Player::new(server(), FakeSite::default(), 1000, &mut tap);
        player.hear(request.as_bytes());
        let heard = String::from_utf8_lossy(player.heard()).into_owned();
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {status} ")),
            "{status}: {heard}"
        );
        assert_eq!(heard.matches("HTTP/1.1").count(), 1, "{heard}");
    }
}

/// Drives a server by hand: what it says, with events between.
struct Hand {
    dialogue: Dialogue<Server>,
    service: FakeSite,
    now: Moment,
    writes: Vec<String>,
    is_closed: bool,
}

impl Hand {
    fn new() -> Self {
        Self {
            dialogue: Dialogue::open(server(), Moment(0)),
            service: FakeSite::default(),
            now: Moment(0),
            writes: Vec::new(),
            is_closed: false,
        }
    }

    fn hear(&mut self, text: &str) -> String {
        self.dialogue.receive(text.as_bytes());
        self.drive()
    }

    fn event(&mut self, event: Answer) -> String {
        self.dialogue.event(self.now, event);
        self.drive()
    }

    fn drive(&mut self) -> String {
        let before = self.writes.len();
        while !self.is_closed {
            match self.dialogue.next(self.now, &mut NoTap) {
                Next::Ask(ask) => {
                    let Reply::Now(answer) = self.service.ask(ask) else {
                        panic!("the fake site answers at once");
                    };
                    self.dialogue.answer(self.now, answer);
                }
                Next::Flush => self.flush(),
                Next::Idle => {
                    self.flush();
                    break;
                }
                Next::Close(_) => {
                    self.flush();
                    self.is_closed = true;
                }
                _ => {}
            }
        }
        self.writes[before..].concat()
    }

    fn flush(&mut self) {
        let output = self.dialogue.output();
        if !output.is_empty() {
            self.writes
                .push(String::from_utf8_lossy(output).into_owned());
            let count = output.len();
            self.dialogue.sent(self.now, count);
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_one_write() {
    let mut hand = Hand::new();
    let said = hand.hear(&"GET /style.css HTTP/1.1\r\nHost: h\r\n\r\n".repeat(16));
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 16);
    assert_eq!(hand.writes.len(), 1);
}

#[test]
fn a_stream_goes_on_until_its_end_and_the_connection_after_it() {
    let mut hand = Hand::new();
    let head = hand.hear("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(
        head.contains("Transfer-Encoding: chunked\r\n\r\n"),
        "{head}"
    );
    assert!(!head.contains("Content-Length"));
    assert_eq!(
        hand.event(Answer::Piece(b"data: 1\n\n".to_vec())),
        "9\r\ndata: 1\n\n\r\n"
    );
    assert_eq!(
        hand.event(Answer::Piece(Vec::new())),
        "",
        "an empty chunk would end the stream"
    );
    assert_eq!(
        hand.hear("GET /style.css HTTP/1.1\r\nHost: h\r\n\r\n"),
        "",
        "not its turn"
    );
    let end = hand.event(Answer::End);
    assert!(end.starts_with("0\r\n\r\nHTTP/1.1 200 OK"), "{end}");
    assert_eq!(
        hand.event(Answer::Piece(b"late".to_vec())),
        "",
        "the stream is over"
    );
}

#[test]
fn a_stream_to_an_old_client_ends_with_the_connection() {
    let mut hand = Hand::new();
    let head = hand.hear("GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(head.contains("Connection: close\r\n\r\n"), "{head}");
    assert_eq!(
        hand.event(Answer::Piece(b"data: 1\n\n".to_vec())),
        "data: 1\n\n"
    );
    assert_eq!(hand.event(Answer::End), "");
    hand.dialogue.input_ended();
    hand.drive();
    assert!(hand.is_closed);
}

#[test]
fn a_stream_ends_when_the_server_stops_or_the_client_leaves() {
    let mut stopping = Hand::new();
    stopping.hear("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    stopping.dialogue.stop(stopping.now);
    assert_eq!(stopping.drive(), "0\r\n\r\n");
    let mut left = Hand::new();
    left.hear("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    left.dialogue.input_ended();
    left.drive();
    assert!(left.is_closed);
}

#[test]
fn the_fields_that_matter_reach_the_service() {
    struct Asked(Vec<Ask>);
    impl Service for Asked {
        type Ask = Ask;
        type Answer = Answer;
        fn ask(&mut self, ask: Ask) -> Reply<Answer> {
            self.0.push(ask);
            Reply::Now(Answer::Response(Response {
                status: 200,
                fields: HeaderBlock::default(),
                body: Body::Bytes(Arc::from(&b""[..])),
            }))
        }
    }
    let mut tap = NoTap;
    let mut player = Player::new(server(), Asked(Vec::new()), 5, &mut tap);
    player.hear(b"GET /a?b=c HTTP/1.1\r\nhost: h\r\nSEC-FETCH-SITE: same-origin\r\nX: y\r\n\r\n");
    let Some(Ask::Request(request)) = player.service().0.pop() else {
        panic!("a request was asked about");
    };
    assert_eq!((request.path(), request.query()), ("/a", Some("b=c")));
    assert_eq!(request.fields.get(Field::SecFetchSite), Some("same-origin"));
    assert_eq!(request.fields.get(Field::Origin), None);
}

/// The parser beneath takes these heads; that they are refused is our own doing, and the transcripts
/// in `refused/` would fail without it.
#[test]
fn the_parser_alone_would_take_what_is_refused() {
    let names = [
        "bare-lf",
        "bare-lf-end",
        "no-host",
        "two-hosts",
        "two-lengths",
        "list-of-lengths",
        "length-and-chunked",
        "chunked-twice",
        "old-chunked",
        "fragment",
        "user-in-url",
    ];
    for name in names {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts/http/refused");
        let text = std::fs::read_to_string(root.join(name).with_extension("dialogue")).unwrap();
        let head: Vec<u8> = Transcript::parse(&text)
            .unwrap()
            .steps
            .iter()
            .filter_map(|(_, step)| match step {
                Step::Client(text) => Some(text.bytes()),
                _ => None,
            })
            .flatten()
            .collect();
        let mut fields = [httparse::EMPTY_HEADER; 10];
        let taken = httparse::Request::new(&mut fields).parse(&head);
        assert!(matches!(taken, Ok(httparse::Status::Complete(_))), "{name}");
    }
}
