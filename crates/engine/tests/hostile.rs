//! The engine among people who do not play along: silent, slow, too many, or after a crash.

mod support;

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use guichet_engine::{
    Answering, Arrival, BoundListener, Datagrams, Handled, ListenerSettings, Server,
};
use guichet_proto::{About, Expect, Input, Moment, Outbox, Session, Verb};
use guichet_trace::{Direction, ExchangeId};
use support::{Kept, Nothing, identity, listener};
use tokio::net::{TcpStream, UdpSocket};

/// Does not care that it shall stop.
#[derive(Clone, Copy)]
struct Stubborn;

impl Session for Stubborn {
    type Ask = Infallible;
    type Answer = Infallible;
    fn protocol(&self) -> &'static str {
        "speech"
    }
    fn expects(&self) -> Expect {
        Expect::Line { most: 100 }
    }
    fn on(&mut self, _: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        if let Input::HalfClosed = input {
            out.close();
        }
    }
    fn state(&self) -> &'static str {
        "open"
    }
}

impl Answering for Stubborn {
    type Session = Self;
    type Service = Nothing;
    fn protocol(&self) -> &'static str {
        "speech"
    }
    fn begin(&self, _: &Arrival) -> (Self, Nothing) {
        (*self, Nothing)
    }
    fn refusal(&self) -> Vec<u8> {
        b"full\r\n".to_vec()
    }
}

#[tokio::test]
async fn a_silent_handshake_does_not_hold_up_the_stop() {
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let (bound, address) = listener("speech", 10, true);
    let (tls, _folder) = identity();
    let status = server.serve(bound, Arc::new(Stubborn), Some(tls)).unwrap();
    let _silent = TcpStream::connect(address).await.unwrap();
    while status.open.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    let report = server.stop(Duration::from_secs(20)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(report.cut, 0);
}

#[tokio::test]
async fn who_does_not_stop_is_counted_as_cut_also_when_somebody_loses_patience() {
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let (bound, address) = listener("speech", 10, false);
    let status = server.serve(bound, Arc::new(Stubborn), None).unwrap();
    let polite = TcpStream::connect(address).await.unwrap();
    let _stubborn = TcpStream::connect(address).await.unwrap();
    let earlier = TcpStream::connect(address).await.unwrap();
    while status.accepted.load(Ordering::Relaxed) < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(earlier);
    while status.open.load(Ordering::Relaxed) > 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let impatient = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(polite);
        while status.open.load(Ordering::Relaxed) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.cut();
    };
    let (report, ()) = tokio::join!(server.stop(Duration::from_secs(60)), impatient);
    assert_eq!((report.finished, report.cut), (1, 1));
}

#[tokio::test]
async fn a_refused_client_that_has_spoken_already_still_hears_the_refusal() {
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let (bound, address) = listener("speech", 0, false);
    let status = server.serve(bound, Arc::new(Stubborn), None).unwrap();
    // On one thread nobody accepts before all this has been said.
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    while status.refused.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap(); // a reset would be an error here
    assert_eq!(heard, b"full\r\n");
}

/// Sends back what comes, until a datagram says panic.
struct Brittle;

impl Datagrams for Brittle {
    fn protocol(&self) -> &'static str {
        "speech"
    }
    fn answer(
        &self,
        query: &[u8],
        _: SocketAddr,
        _: Option<ExchangeId>,
        out: &mut Vec<u8>,
    ) -> Handled {
        out.extend_from_slice(query);
        assert_ne!(query, b"panic", "as asked");
        Handled::Answered
    }
    fn about(&self, _: Direction, _: &[u8]) -> About {
        About::new(Verb::new("DATA"))
    }
}

#[tokio::test]
async fn a_datagram_that_causes_a_panic_is_the_only_one_without_an_answer() {
    let kept = Kept::default();
    let server = Server::new(kept.recorder());
    let socket = guichet_engine::datagram::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    server
        .serve_datagrams(
            socket,
            Arc::new(Brittle),
            "nord.test".into(),
            "speech".into(),
        )
        .unwrap();
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    client.connect(address).await.unwrap();
    client.send(b"panic").await.unwrap();
    client.send(b"still here?").await.unwrap();
    let mut heard = [0; 100];
    let count = tokio::time::timeout(Duration::from_secs(5), client.recv(&mut heard))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&heard[..count], b"still here?");
    assert_eq!(kept.endings(), ["panic", "done"]);
}

#[test]
fn both_families_listen_on_one_port() {
    let settings = |address: SocketAddr| ListenerSettings {
        service: "speech".into(),
        organisation: "nord.test".into(),
        address,
        backlog: 8,
        most: 8,
        implicit_tls: false,
    };
    let six = BoundListener::bind(settings((Ipv6Addr::UNSPECIFIED, 0).into())).unwrap();
    let port = six.local().unwrap().port();
    let four = BoundListener::bind(settings((Ipv4Addr::UNSPECIFIED, port).into())).unwrap();
    assert_eq!(four.local().unwrap().port(), port);
    std::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    guichet_engine::datagram::bind((Ipv6Addr::UNSPECIFIED, port).into()).unwrap();
    guichet_engine::datagram::bind((Ipv4Addr::UNSPECIFIED, port).into()).unwrap();
}
