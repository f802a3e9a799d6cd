//! What is left to do when a dialogue is over.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use guichet_proto::{Expect, Input, Outbox};
use guichet_trace::{Level, Mode, Record, Role, Transport};
use tokio::net::TcpListener;

use super::*;
use crate::recorder::{Beginning, RecordSink, Recorder};
use crate::tls::{Authority, Identity};

/// TLS takes it in one piece.
const SPEECH_BYTES: usize = 60 * 1024;
/// The client takes a kilobyte, then pauses: 20 KB a second.
const PAUSE: Duration = Duration::from_millis(50);

/// Says it all at once and closes.
struct Speech;

impl Session for Speech {
    type Ask = Infallible;
    type Answer = Infallible;
    fn protocol(&self) -> &'static str {
        "speech"
    }
    fn expects(&self) -> Expect {
        Expect::Nothing
    }
    fn on(&mut self, _: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        if let Input::Opened = input {
            out.say(Verb::new("SPEECH"), &[b'x'; SPEECH_BYTES]);
            out.close();
        }
    }
    fn state(&self) -> &'static str {
        "open"
    }
}

struct Nothing;

impl Service for Nothing {
    type Ask = Infallible;
    type Answer = Infallible;
    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }
}

struct NoSink;

impl RecordSink for NoSink {
    fn record(&self, _: Record) {}
}

fn exchange(role: Role, local: SocketAddr, remote: SocketAddr) -> Exchange {
    let recorder = Recorder::new(Level::Off, 1, Box::new(NoSink));
    recorder.begin(Beginning {
        protocol: "speech",
        transport: Transport::Tcp,
        role,
        local,
        remote,
        named: String::new(),
        organisation: "".into(),
        service: "".into(),
        mode: Mode::Event,
        causes: Vec::new(),
    })
}

#[tokio::test]
async fn a_slow_reader_hears_the_last_word_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("test authority", &["test"]).unwrap();
    authority
        .issue(folder.path(), &["nord.test".to_owned()], &[])
        .unwrap();
    let file = |name: &str| folder.path().join(name);
    let identity = Identity::from_files(&file("cert.pem"), &file("key.pem")).unwrap();
    let tls = TlsUse::Server(ServerTls::new(vec![identity]).unwrap());

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async {
        let (socket, peer) = listener.accept().await.unwrap();
        socket2::SockRef::from(&socket)
            .set_send_buffer_size(4096)
            .unwrap();
        let mut wire = Wire::new(socket);
        let exchange = exchange(Role::Server, address, peer);
        let (secured, stop) = (Arc::default(), CancellationToken::new());
        secure(&mut wire, &tls, &exchange, &secured, &stop)
            .await
            .unwrap();
        let connection = Connection::new(wire, Speech, Nothing, exchange, secured, tls, stop);
        connection.run().await.2
    };
    let (ending, heard) = tokio::join!(serving, listen(address));
    assert!(matches!(ending, Ending::Done), "{ending:?}");
    assert_eq!(heard, SPEECH_BYTES);
}

/// Connects and listens slowly to the end.
async fn listen(address: SocketAddr) -> usize {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut wire = Wire::new(socket.connect(address).await.unwrap());
    let name = ServerName::try_from("nord.test").unwrap();
    let tls = TlsUse::Client(ClientTls::opportunistic().unwrap(), name);
    let exchange = exchange(Role::Client, wire.local().unwrap(), address);
    let stop = CancellationToken::new();
    secure(&mut wire, &tls, &exchange, &OnceLock::new(), &stop)
        .await
        .unwrap();
    let (mut piece, mut heard, mut paid) = (Vec::new(), 0, 0);
    loop {
        piece.clear();
        match poll_fn(|context| wire.poll_read(context, &mut piece)).await {
            Ok(0) | Err(_) => return heard,
            Ok(count) => heard += count,
        }
        while paid + 1024 < heard {
            paid += 1024;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
