//! Clients that behave badly: each gets a clear answer, and nobody else notices.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use support::Lab;

/// Everybody else is answered within this time, whatever one client does. Generous: other tests run.
const OTHERS_MOST: Duration = Duration::from_secs(5);

/// The services that speak in lines, and how their refusals may begin.
const SERVICES: [(&str, &[&str]); 3] = [
    ("smtp", &["500 ", "501 ", "421 ", "554 "]),
    ("pop3", &["-ERR"]),
    ("http", &["HTTP/1.1 4"]),
];

fn open(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&server, Duration::from_secs(5)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// One CR LF line; what came before the end when there was an end.
fn line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// A new client of every service is served, soon.
#[track_caller]
fn others_are_served(lab: &Lab) {
    for (service, _) in SERVICES {
        let begun = Instant::now();
        let mut stream = open(lab.service("nord.test", service));
        let (question, answer) = match service {
            "smtp" => ("QUIT\r\n", "220"),
            "pop3" => ("QUIT\r\n", "+OK"),
            _ => (
                "GET / HTTP/1.1\r\nHost: www.nord.test\r\nConnection: close\r\n\r\n",
                "HTTP/1.1 200",
            ),
        };
        stream.write_all(question.as_bytes()).unwrap();
        let said = line(&mut stream);
        assert!(said.starts_with(answer), "{service}: {said:?}");
        assert!(
            begun.elapsed() < OTHERS_MOST,
            "{service} took {:?}",
            begun.elapsed()
        );
    }
}

/// Sends `bytes` and then nothing; every line the server says until it closes or falls silent.
fn reaction(server: SocketAddr, bytes: Vec<u8>) -> Vec<String> {
    let mut stream = open(server);
    stream
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    let mut writer = stream.try_clone().unwrap();
    let writing = thread::spawn(move || {
        // The server may hang up in the middle: that is its right.
        let _: io::Result<()> = writer.write_all(&bytes);
    });
    let mut lines = Vec::new();
    loop {
        let said = line(&mut stream);
        if said.is_empty() {
            break;
        }
        lines.push(said);
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    writing.join().unwrap();
    lines
}

#[test]
fn a_line_of_10_mb_is_refused_in_words() {
    let lab = Lab::shared();
    for (service, refusals) in SERVICES {
        let mut bytes = if service == "http" {
            b"GET /".to_vec()
        } else {
            Vec::new()
        };
        bytes.resize(10_000_000, b'a');
        bytes.extend_from_slice(b"\r\n");
        let said = reaction(lab.service("nord.test", service), bytes);
        let refused = said
            .iter()
            .any(|said| refusals.iter().any(|begin| said.starts_with(begin)));
        assert!(refused, "{service}: {said:?}");
        others_are_served(&lab);
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_in_words() {
    let lab = Lab::shared();
    let noise: Vec<u8> = (0..=255)
        .filter(|byte| ![b'\r', b'\n'].contains(byte))
        .collect();
    for (service, refusals) in SERVICES {
        let bytes = [&noise[..], b"\r\n\r\n"].concat();
        let said = reaction(lab.service("nord.test", service), bytes);
        let refused = said
            .iter()
            .any(|said| refusals.iter().any(|begin| said.starts_with(begin)));
        assert!(refused, "{service}: {said:?}");
        others_are_served(&lab);
    }
}

#[test]
fn a_client_that_reads_nothing_hinders_nobody() {
    let lab = Lab::shared();
    let server = lab.service("nord.test", "http");
    let mut greedy: Vec<TcpStream> = (0..20).map(|_| open(server)).collect();
    for stream in &mut greedy {
        stream
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let request = "GET / HTTP/1.1\r\nHost: www.nord.test\r\n\r\n".repeat(2000);
        // The server stops reading when its answers are not taken: the timeout is expected.
        let _: io::Result<()> = stream.write_all(request.as_bytes());
    }
    others_are_served(&lab);
}

#[test]
fn two_thousand_silent_connections_hinder_nobody() {
    let lab = Lab::start(&[]);
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    if getrlimit(Resource::Nofile)
        .current
        .is_some_and(|most| most < 2500)
    {
        support::skipped("descriptors", "fewer than 2500 allowed on this system");
        return;
    }
    let server = lab.service("nord.test", "smtp");
    let mut silent: Vec<TcpStream> = (0..2000).map(|_| open(server)).collect();
    others_are_served(&lab);
    let mut last = silent.pop().unwrap();
    let greeting = line(&mut last);
    assert!(
        greeting.starts_with("220"),
        "the last one is a client like others: {greeting:?}"
    );
}
