//! The engine with real sockets: echo, TLS, panics, refusals, stalls, the clean stop.
#![allow(clippy::unwrap_used, reason = "a test may stop here")]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use guichet_engine::tls::ClientTls;
use guichet_engine::{Answering, Arrival, Call, Dial, Server, Target};
use guichet_proto::{Expect, Input, Moment, Outbox, Session, Verb, echo};
use support::{Kept, Nothing, identity, listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Echo;

impl Answering for Echo {
    type Session = echo::Server;
    type Service = Nothing;
    fn protocol(&self) -> &'static str {
        "echo"
    }
    fn begin(&self, _: &Arrival) -> (echo::Server, Nothing) {
        (echo::Server::default(), Nothing)
    }
    fn refusal(&self) -> Vec<u8> {
        b"full\r\n".to_vec()
    }
}

/// Echoes lines until one says panic, and says goodbye when it is stopped.
struct Fragile;

impl Session for Fragile {
    type Ask = Infallible;
    type Answer = Infallible;
    fn protocol(&self) -> &'static str {
        "echo"
    }
    fn expects(&self) -> Expect {
        Expect::Line { most: 100 }
    }
    fn on(&mut self, _: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        match input {
            Input::Opened => out.patience(Duration::from_millis(300)),
            Input::Message(message) if message.bytes == b"panic" => panic!("as asked"),
            Input::Message(message) if message.bytes == b"flood" => {
                out.say(Verb::new("FLOOD"), &vec![b'x'; 50_000_000]);
            }
            Input::Message(message) => {
                out.say(Verb::new("LINE"), message.bytes);
            }
            Input::Stopping => {
                out.say(Verb::new("BYE"), b"bye");
                out.close();
            }
            Input::HalfClosed => out.close(),
            _ => {}
        }
    }
    fn state(&self) -> &'static str {
        "open"
    }
}

struct FragileAnswering;

impl Answering for FragileAnswering {
    type Session = Fragile;
    type Service = Nothing;
    fn protocol(&self) -> &'static str {
        "echo"
    }
    fn begin(&self, _: &Arrival) -> (Fragile, Nothing) {
        (Fragile, Nothing)
    }
    fn refusal(&self) -> Vec<u8> {
        b"full\r\n".to_vec()
    }
}

async fn read_to_end(mut socket: TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    socket.read_to_end(&mut heard).await.unwrap();
    heard
}

#[tokio::test]
async fn what_is_sent_comes_back_and_is_recorded() {
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let (bound, address) = listener("echo", 10, false);
    server.serve(bound, Arc::new(Echo), None).unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let big: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    let (mut reader, mut writer) = socket.split();
    let mut heard = Vec::new();
    let send = async {
        writer.write_all(&big).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let (_, _) = tokio::join!(send, reader.read_to_end(&mut heard));
    assert_eq!(heard, big);
    drop(socket);
    let report = server.stop(Duration::from_secs(3)).await;
    assert_eq!(report.cut, 0);
    assert_eq!(kept.endings(), ["done"]);
}

#[tokio::test]
async fn a_panic_ends_its_dialogue_alone_and_is_counted() {
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let (bound, address) = listener("echo", 10, false);
    let status = server
        .serve(bound, Arc::new(FragileAnswering), None)
        .unwrap();
    let mut other = TcpStream::connect(address).await.unwrap();
    let mut fragile = TcpStream::connect(address).await.unwrap();
    fragile.write_all(b"panic\n").await.unwrap();
    assert_eq!(read_to_end(fragile).await, b"");
    other.write_all(b"still here\n").await.unwrap();
    let mut heard = [0; 10];
    other.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
    drop(other);
    server.stop(Duration::from_secs(3)).await;
    assert_eq!(
        status.panicked.load(std::sync::atomic::Ordering::Relaxed),
        1
    );
    assert!(
        kept.endings().contains(&"panic".to_owned()),
        "{:?}",
        kept.endings()
    );
}

#[tokio::test]
async fn who_finds_no_room_is_told_and_the_stop_is_heard() {
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let (bound, address) = listener("echo", 1, false);
    let status = server
        .serve(bound, Arc::new(FragileAnswering), None)
        .unwrap();
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"a\n").await.unwrap();
    let mut heard = [0; 1];
    first.read_exact(&mut heard).await.unwrap();
    let second = TcpStream::connect(address).await.unwrap();
    assert_eq!(read_to_end(second).await, b"full\r\n");
    assert_eq!(status.refused.load(std::sync::atomic::Ordering::Relaxed), 1);
    let (report, heard) = tokio::join!(server.stop(Duration::from_secs(3)), read_to_end(first));
    assert_eq!(heard, b"bye");
    assert_eq!((report.finished, report.cut), (1, 0));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let (bound, address) = listener("echo", 10, false);
    server
        .serve(bound, Arc::new(FragileAnswering), None)
        .unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"flood\n").await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while kept.endings().is_empty() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(kept.endings(), ["timeout"]);
}

#[tokio::test]
async fn tls_begins_at_once_and_both_ends_compute_the_same_key() {
    let (tls, folder) = identity();
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let (bound, address) = listener("echo", 10, true);
    server.serve(bound, Arc::new(Echo), Some(tls)).unwrap();

    let dial = Dial::new(Default::default(), None, kept.recorder(), server.stopping());
    let call = |name: &str| Call {
        target: Target {
            address,
            host: name.to_owned(),
        },
        organisation: "".into(),
        service: "test".into(),
        causes: Vec::new(),
        tls: Some((
            ClientTls::trusting(&[&folder.path().join("ca.pem")]).unwrap(),
            name.to_owned().try_into().unwrap(),
        )),
        implicit_tls: true,
    };
    let finished = dial
        .run("echo", call("nord.test"), |_| (Once::default(), Nothing))
        .await
        .map(|finished| finished.session.heard)
        .unwrap();
    assert_eq!(finished, b"through TLS");
    let keys: Vec<[u8; 16]> = kept
        .records()
        .iter()
        .filter_map(|record| match &record.body {
            guichet_trace::Body::Secured(secured) => Some(secured.key),
            _ => None,
        })
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);

    // A name the certificate is not for is refused by the client.
    assert!(
        dial.run("echo", call("sud.test"), |_| (Once::default(), Nothing))
            .await
            .is_err()
    );
}

/// A client that says one thing and waits for it to come back.
#[derive(Default)]
struct Once {
    heard: Vec<u8>,
}

impl Session for Once {
    type Ask = Infallible;
    type Answer = Infallible;
    fn protocol(&self) -> &'static str {
        "echo"
    }
    fn expects(&self) -> Expect {
        Expect::Raw
    }
    fn on(&mut self, _: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        match input {
            Input::Opened => {
                out.say(Verb::new("DATA"), b"through TLS");
                out.half_close();
            }
            Input::Message(message) => self.heard.extend_from_slice(message.bytes),
            Input::HalfClosed => out.close(),
            _ => {}
        }
    }
    fn state(&self) -> &'static str {
        "once"
    }
}

/// Works a while on every line, and says goodbye when it is stopped.
struct Slow;

impl Session for Slow {
    type Ask = Infallible;
    type Answer = Infallible;
    fn protocol(&self) -> &'static str {
        "slow"
    }
    fn expects(&self) -> Expect {
        Expect::Line { most: 100 }
    }
    fn on(&mut self, _: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        match input {
            Input::Message(_) => std::thread::sleep(Duration::from_micros(100)),
            Input::Stopping => {
                out.say(Verb::new("BYE"), b"bye");
                out.close();
            }
            _ => {}
        }
    }
    fn state(&self) -> &'static str {
        "open"
    }
}

struct SlowAnswering;

impl Answering for SlowAnswering {
    type Session = Slow;
    type Service = Nothing;
    fn protocol(&self) -> &'static str {
        "slow"
    }
    fn begin(&self, _: &Arrival) -> (Slow, Nothing) {
        (Slow, Nothing)
    }
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_stops_talking_does_not_keep_the_stop_away() {
    let server = Server::new(Kept::default().recorder());
    let (bound, address) = listener("slow", 10, false);
    server.serve(bound, Arc::new(SlowAnswering), None).unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let talking = tokio::spawn(async move {
        let lines = [b"work".as_slice(), &[b' '; 90], b"\n"]
            .concat()
            .repeat(500);
        while socket.write_all(&lines).await.is_ok() {}
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What has been read is still worked off: some 700 lines of 0.1 ms. Then the stop comes first;
    // with input first it took seconds, or never came.
    let report = server.stop(Duration::from_millis(1500)).await;
    assert_eq!((report.finished, report.cut), (1, 0));
    talking.await.unwrap();
}
