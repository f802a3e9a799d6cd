//! The commands that speak to others, against small fakes of those others.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use guichet::control::requests::{Account, Request, not_found};
use guichet::control::{Answer, Conversations, Handler, Listener, Stream};
use serde_json::json;

fn guichet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
    command.args(arguments).env_clear().current_dir("/");
    command
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Echoes over TCP; the first `turned_away` connections are closed at once.
fn echo_server(turned_away: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            if n >= turned_away {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut &stream, &mut &stream);
                });
            }
        }
    });
    port
}

#[test]
fn echo_compares_and_times() {
    let port = echo_server(0);
    let output = guichet(&["echo", "127.0.0.1", &port, "été", "--count", "3"])
        .output()
        .unwrap();
    let (code, out, err) = said(&output);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(
        out.matches("“été” came back unchanged: 5 bytes").count(),
        3,
        "{out}"
    );
    assert!(out.contains("3 times: at least"), "{out}");
    assert!(err.contains("Speaking to 127.0.0.1:"), "{err}");
}

#[test]
fn echo_over_udp_notices_a_changed_answer() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        let mut buffer = [0; 100];
        for answer in [b"Hello".as_slice(), b"Jello"] {
            let (_, from) = socket.recv_from(&mut buffer).unwrap();
            socket.send_to(answer, from).unwrap();
        }
    });
    let echo = || {
        guichet(&["echo", "127.0.0.1", &port, "--udp"])
            .output()
            .unwrap()
    };
    assert_eq!(echo().status.code(), Some(0));
    let (code, _, err) = said(&echo());
    assert_eq!(code, Some(1));
    assert!(err.contains("“Jello”"), "{err}");
}

#[test]
fn echo_tries_again_when_it_is_turned_away_and_not_when_nobody_listens() {
    let port = echo_server(2);
    let (code, out, err) = said(&guichet(&["echo", "127.0.0.1", &port]).output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("came back"));
    assert_eq!(err.matches("Next attempt in").count(), 2, "{err}");
    let impatient = guichet(&["echo", "127.0.0.1", &echo_server(1), "--retries", "0"]).output();
    assert_eq!(impatient.unwrap().status.code(), Some(1));

    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let (code, _, err) = said(
        &guichet(&["--lang", "fr", "echo", "127.0.0.1", &free])
            .output()
            .unwrap(),
    );
    assert_eq!(code, Some(1));
    assert!(
        err.contains("personne n’y écoute") && !err.contains("Nouvel essai"),
        "{err}"
    );
}

#[test]
fn connect_passes_a_pipe_unchanged_and_prints_before_the_input_ends() {
    let port = echo_server(0);
    let mut child = guichet(&["connect", "127.0.0.1", &port, "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let sent = b"one\ntwo\r\n\x1b\xff";
    input.write_all(sent).unwrap();
    let mut received = vec![0; sent.len()];
    output.read_exact(&mut received).unwrap();
    assert_eq!(received, sent);
    // The end of input closes our half; the fake ends, and so does the command.
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn connect_keeps_listening_after_the_end_of_input() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream
            .write_all(format!("{} bytes\n", all.len()).as_bytes())
            .unwrap();
    });
    let mut child = guichet(&["connect", "127.0.0.1", &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"12345").unwrap();
    let (code, out, err) = said(&child.wait_with_output().unwrap());
    assert_eq!((code, out.as_str()), (Some(0), "5 bytes\n"), "{err}");
}

#[test]
fn connect_over_udp_prints_the_answer_and_ends() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        let mut buffer = [0; 100];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to(&buffer[..length], from).unwrap();
    });
    let mut child = guichet(&["connect", "127.0.0.1", &port, "--udp", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"ping\n").unwrap();
    let (code, out, _) = said(&child.wait_with_output().unwrap());
    assert_eq!((code, out.as_str()), (Some(0), "ping\n"));
}

#[test]
fn init_writes_what_check_finds_good_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new");
    let init = |arguments: &[&str]| {
        said(
            &guichet(arguments)
                .args(["--dir", dir.to_str().unwrap()])
                .output()
                .unwrap(),
        )
    };
    let (code, _, err) = init(&["init", "no domain"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(!dir.exists());

    let (code, out, err) = init(&["init", "Example.ORG", "--address", "192.168.0.2"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("ns1.example.org  with the address(es) 192.168.0.2"),
        "{out}"
    );
    assert!(out.contains("cannot reach 192.168.0.2"), "{out}");
    assert_eq!(init(&["check"]).0, Some(0));
    let store = std::fs::metadata(dir.join("store")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&store.permissions());
    assert_eq!(mode & 0o777, 0o700);
    let site = dir.join("sites/www.example.org");
    let page = std::fs::read_to_string(site.join("index.html")).unwrap();
    assert!(
        page.contains("Welcome to example.org") && !page.contains('{'),
        "{page}"
    );
    assert!(site.join("style.css").exists() && site.join("picture.svg").exists());

    let zone = std::fs::read_to_string(dir.join("zones/example.org.zone")).unwrap();
    let origin = guichet_services::names::parse_name("example.org").unwrap();
    assert!(
        guichet_services::names::Zone::parse(&origin, &zone).is_ok(),
        "{zone}"
    );

    let before = std::fs::read_to_string(dir.join("guichet.toml")).unwrap();
    let (code, _, err) = init(&["init", "example.org", "--lang", "fr"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("existe déjà"), "{err}");
    assert_eq!(
        std::fs::read_to_string(dir.join("guichet.toml")).unwrap(),
        before
    );
}

/// A running server that knows alice.
struct Fake;

impl Handler for Fake {
    fn handle<'a>(
        &'a self,
        request: Request,
        _stream: &'a mut Stream,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        let answer = match request {
            Request::AccountList => Ok(json!([alice()])),
            Request::AccountShow { login } if login == "alice@nord.test" => Ok(json!(alice())),
            Request::AccountAdd { password, .. } if password == "s3cret" => Ok(json!({})),
            Request::QueueList => Ok(json!([])),
            Request::Status => Ok(json!({
                "version": "0.1.0", "pid": 1, "since": "2026-01-01T10:00:00Z",
                "domains": ["nord.test"], "queued": 1, "warnings": [],
                "services": [
                    { "service": "smtp", "addresses": ["127.0.0.2:25"], "connections": 3, "turned_away": 0 },
                    { "service": "https", "addresses": [], "connections": 0, "turned_away": 0 },
                ],
            })),
            Request::Stop => Ok(json!({ "finished": 2, "cut": 0 })),
            Request::Reload => Ok(json!({ "changed": ["zones"], "needs_restart": ["hostname"] })),
            _ => Err(not_found("bob@nord.test\u{1b}[2J")),
        };
        Box::pin(async { answer })
    }
}

fn alice() -> Account {
    Account {
        login: "alice@nord.test".to_owned(),
        suspended: false,
        created: "2026-01-01T10:00:00Z".to_owned(),
        messages: 1,
        bytes: 1_234,
    }
}

/// Runs `test` while the fake answers at a socket.
fn with_server(test: impl FnOnce(&Path)) {
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
    test(&path);
}

#[test]
fn commands_ask_the_server_at_the_control_socket() {
    with_server(|path| {
        let path = path.to_str().unwrap();
        let ask = |arguments: &[&str]| {
            said(
                &guichet(arguments)
                    .args(["--control", path])
                    .output()
                    .unwrap(),
            )
        };
        let (code, out, _) = ask(&["account", "list"]);
        assert_eq!(code, Some(0));
        assert_eq!(
            out,
            "alice@nord.test  1 message, 1234 bytes, since 2026-01-01T10:00:00Z\n"
        );
        let (_, out, _) = ask(&["account", "list", "--json"]);
        let list: Vec<Account> = serde_json::from_str(&out).unwrap();
        assert_eq!(list, [alice()]);

        let (code, out, err) = ask(&["account", "show", "bob@nord.test", "--lang", "fr"]);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert_eq!(err, "bob@nord.test\\x1b[2J n’existe pas ici.\n");

        let (code, out, err) = ask(&["queue", "list"]);
        assert_eq!(
            (code, out.as_str(), err.as_str()),
            (Some(0), "", "No mail waits.\n")
        );
        let (_, out, _) = ask(&["status"]);
        assert!(
            out.contains("smtp") && out.contains("does not listen"),
            "{out}"
        );
        assert!(out.contains("One message waits."), "{out}");
        assert!(ask(&["stop"]).1.contains("2 finished, 0 cut off"));
        assert!(ask(&["reload"]).1.contains("need a restart: hostname"));
    });
}

#[test]
fn a_password_comes_from_standard_input() {
    with_server(|path| {
        let add = |typed: &str| {
            let mut child = guichet(&["account", "add", "adam@nord.test"])
                .env("GUICHET_CONTROL", path)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(typed.as_bytes())
                .unwrap();
            said(&child.wait_with_output().unwrap())
        };
        let (code, out, err) = add("s3cret\n");
        assert_eq!(
            (code, out.as_str()),
            (Some(0), "adam@nord.test can log in now.\n"),
            "{err}"
        );
        assert_eq!(add("\n").0, Some(2));
        assert_eq!(add("").0, Some(2));
        assert_eq!(add("wrong\n").0, Some(1));
    });
}

#[test]
fn without_a_server_a_command_says_so() {
    let (code, _, err) = said(
        &guichet(&["status"])
            .env("HOME", "/nowhere")
            .output()
            .unwrap(),
    );
    assert_eq!(code, Some(1));
    assert!(err.starts_with("No server was found"), "{err}");
    let (code, _, err) = said(
        &guichet(&["status", "--control", "/nowhere/control.sock"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, Some(1));
    assert!(
        err.starts_with("No server answers at /nowhere/control.sock"),
        "{err}"
    );
}
