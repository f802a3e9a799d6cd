//! `guichet trace …` against a server with two recorded exchanges: a letter and an echo.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use guichet::control::requests::{Records, Request};
use guichet::control::{Answer, Conversations, Handler, Listener, Stream};
use guichet_trace::{
    Body, Direction, ExchangeId, Mode, Moment, Opened, Record, Role, Transport, Verb, WallTime,
};
use serde_json::{Value, json};

fn record(exchange: u64, at_ms: u64, body: Body) -> Record {
    let wall = WallTime(1_767_261_600_000_000 + at_ms * 1_000);
    Record {
        exchange: ExchangeId(exchange),
        at: Moment(at_ms * 1_000_000),
        wall,
        body,
    }
}

fn opened(protocol: &str, service: &str) -> Body {
    Body::Opened(Opened {
        protocol: protocol.to_owned(),
        transport: Transport::Tcp,
        role: Role::Server,
        local: "127.0.0.2:20025".parse().unwrap(),
        remote: "127.0.0.1:40000".parse().unwrap(),
        named: String::new(),
        organisation: "nord.test".to_owned(),
        service: service.to_owned(),
        mode: Mode::Event,
        causes: Vec::new(),
    })
}

fn message(direction: Direction, text: &str) -> Body {
    Body::Message {
        direction,
        verb: Verb::new(text.split(' ').next().unwrap()),
        text: text.to_owned(),
        size: text.len() as u64 + 2,
        masked: false,
        part: 1,
        before: String::new(),
        after: String::new(),
        causes: Vec::new(),
        bytes: format!("{text}\r\n").into_bytes(),
    }
}

/// A letter from outside to alice, delivered; then an echo.
fn records() -> Vec<Record> {
    use Direction::{Received, Sent};
    let note = |word: &str, text: &str| Body::Note {
        word: Verb::new(word),
        part: 1,
        text: text.to_owned(),
    };
    let bodies = [
        opened("smtp", "smtp"),
        message(Received, "MAIL FROM:<zoe@far.test>"),
        message(Sent, "250 2.1.0 Ok"),
        message(Received, "RCPT TO:<alice@nord.test>"),
        message(Sent, "250 2.1.5 Ok"),
        message(Received, "DATA"),
        message(Sent, "354 Go ahead"),
        message(Sent, "250 2.0.0 Accepted"),
        note("message-id", "<letter@far.test>"),
        note("delivered", "alice@nord.test"),
        Body::Closed {
            reason: Verb::new("done"),
            text: String::new(),
        },
    ];
    let letter = (0..)
        .zip(bodies)
        .map(|(at, body)| record(1 << 40 | 1, at, body));
    let echo = [opened("echo", "echo"), message(Received, "hi\u{1b}[2J")];
    let echo = (100..)
        .zip(echo)
        .map(|(at, body)| record(1 << 40 | 2, at, body));
    letter.chain(echo).collect()
}

/// Begun a second before the letter.
fn status() -> Value {
    json!({
        "version": "0", "pid": 1, "since": "2026-01-01T09:59:59Z", "domains": ["nord.test"],
        "services": [], "queued": 0, "warnings": [],
    })
}

struct Fake;

impl Handler for Fake {
    fn handle<'a>(
        &'a self,
        request: Request,
        stream: &'a mut Stream,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            if request == Request::Status {
                return Ok(status());
            }
            assert!(matches!(request, Request::TraceRecords { .. }));
            let mut frames = Vec::new();
            for record in records() {
                guichet_trace::codec::append(&mut frames, &record).unwrap();
            }
            let frames = base64::engine::general_purpose::STANDARD.encode(frames);
            stream.item(&Records { frames }).await.unwrap();
            if request == (Request::TraceRecords { follow: true }) {
                std::future::pending::<()>().await;
            }
            Ok(json!({}))
        })
    }
}

fn with_server(test: impl FnOnce(&dyn Fn(&[&str]) -> (Option<i32>, Vec<u8>, String))) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let entered = runtime.enter();
    let listener = Listener::bind(&path).unwrap();
    runtime.spawn(listener.serve(Arc::new(Fake), Conversations::default()));
    drop(entered);
    test(&|arguments| run(&path, arguments));
}

fn run(control: &Path, arguments: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_guichet"))
        .arg("trace")
        .args(arguments)
        .env_clear()
        .env("GUICHET_CONTROL", control)
        .output()
        .unwrap();
    (
        output.status.code(),
        output.stdout,
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn list_and_show_tell_what_happened() {
    with_server(|trace| {
        let (code, out, err) = trace(&["list"]);
        let out = text(out);
        assert_eq!((code, out.lines().count()), (Some(0), 2), "{out}{err}");
        assert!(
            out.contains("letter  zoe@far.test → alice@nord.test  delivered"),
            "{out}"
        );
        let french = text(trace(&["list", "--lang", "fr", "--to", "Alice@nord.test"]).1);
        assert!(
            french.contains("lettre") && french.lines().count() == 1,
            "{french}"
        );
        assert_eq!(text(trace(&["list", "--from", "nobody@far.test"]).1), "");

        let listed: Vec<Value> = text(trace(&["list", "--json"]).1)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(listed[0]["message_id"], "<letter@far.test>");
        let id = listed[0]["journey"].as_str().unwrap().to_owned();

        let shown = text(trace(&["show", &id]).1);
        assert!(shown.contains("MAIL FROM:<zoe@far.test>"), "{shown}");
        let same = text(trace(&["show", "--message-id", "letter@far.test", "--json"]).1);
        let same: Value = serde_json::from_str(&same).unwrap();
        assert_eq!(same["journey"].as_str(), Some(id.as_str()));
        let newest = text(trace(&["show", "--every"]).1);
        assert!(
            newest.contains("echo") && !newest.contains('\u{1b}'),
            "{newest}"
        );

        assert_eq!(trace(&["show", "nonsense"]).0, Some(2));
        assert_eq!(trace(&["show", "j-0000000000009"]).0, Some(1));
        assert_eq!(trace(&["show", "--to", "nobody@nord.test"]).0, Some(1));
    });
}

#[test]
fn wait_ends_with_the_letter_or_with_the_time() {
    with_server(|trace| {
        let (code, out, err) = trace(&["wait", "--to", "alice@nord.test"]);
        assert_eq!(code, Some(0), "{err}");
        assert!(text(out).contains("delivered"));
        let start = Instant::now();
        let (code, _, err) = trace(&["wait", "--to", "bob@nord.test", "--timeout", "1"]);
        assert_eq!(code, Some(1));
        assert!(
            err.contains("within 1 s") && start.elapsed() < Duration::from_secs(5),
            "{err}"
        );
        assert_eq!(trace(&["wait"]).0, Some(2));
        let since = |since: &str| {
            let to = ["wait", "--to", "alice@nord.test", "--timeout", "1"];
            trace(&[&to[..], &["--since", since]].concat())
        };
        assert_eq!(since("2026-01-01T09:59:59+00:00").0, Some(0));
        assert_eq!(since("2026-01-01T10:00:01Z").0, Some(1));
        assert_eq!(since("10m").0, Some(1), "it is long past");
        let (code, _, err) = since("yesterday");
        assert_eq!(code, Some(2));
        assert!(err.contains("“yesterday”"), "{err}");
    });
}

#[test]
fn export_has_every_form() {
    with_server(|trace| {
        let json = text(trace(&["export"]).1);
        assert!(
            json.lines()
                .all(|line| serde_json::from_str::<Value>(line).is_ok())
        );
        assert!(json.contains("RCPT") && json.contains("echo"), "{json}");
        let mermaid = text(trace(&["export", "--to", "alice@nord.test", "--format", "mermaid"]).1);
        assert!(mermaid.starts_with("sequenceDiagram"), "{mermaid}");
        let dialogue = text(trace(&["export", "--format", "dialogue"]).1);
        assert!(
            dialogue.contains("C: MAIL FROM:<zoe@far.test>"),
            "{dialogue}"
        );

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace.pcapng");
        let (code, out, _) = trace(&["export", "--format", "pcapng", "-o", file.to_str().unwrap()]);
        assert_eq!((code, out), (Some(0), Vec::new()));
        assert_eq!(std::fs::read(&file).unwrap()[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
        let nowhere = trace(&["export", "-o", "/nowhere/file", "--lang", "fr"]);
        assert_eq!(nowhere.0, Some(1));
        assert!(
            nowhere.2.contains("ne peut pas être écrit"),
            "{}",
            nowhere.2
        );
    });
}
