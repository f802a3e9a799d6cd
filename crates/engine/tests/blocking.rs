#![allow(clippy::unwrap_used, reason = "a test may stop here")]
//! The driver without a runtime, over real sockets: later answers, events, deadlines, stalls,
//! half-close, the stop, and a peer that never stops talking.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use guichet_engine::{Ending, blocking};
use guichet_proto::session::NoTap;
use guichet_proto::{Expect, Input, Moment, Outbox, Reply, Service, Session, TlsSide, Verb};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

const SAID: Verb = Verb::new("SAID");

/// Asks about each line and says the answer; some lines have a meaning of their own.
struct Lines;

impl Session for Lines {
    type Ask = Vec<u8>;
    type Answer = Vec<u8>;
    fn protocol(&self) -> &'static str {
        "lines"
    }
    fn expects(&self) -> Expect {
        Expect::Line { most: 100 }
    }
    fn on(&mut self, _: Moment, input: Input<'_, Vec<u8>>, out: &mut Outbox<Vec<u8>>) {
        match input {
            Input::Opened => out.patience(Duration::from_millis(300)),
            Input::Message(message) => match message.bytes {
                b"flood" => drop(out.say(SAID, &vec![b'x'; 50_000_000])),
                b"tls" => out.secure(TlsSide::Server),
                b"finish" => out.half_close(),
                line => out.ask(line.to_vec()),
            },
            Input::Answer(text) | Input::Event(text) => drop(out.say(SAID, &text)),
            Input::Stopping => drop(out.say(SAID, b"stopping ")),
            Input::Deadline => {
                out.say(SAID, b"too late");
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

/// Answers when the test does.
struct Desk {
    asked: std::sync::mpsc::Sender<(Vec<u8>, oneshot::Sender<Vec<u8>>)>,
    events: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Service for Desk {
    type Ask = Vec<u8>;
    type Answer = Vec<u8>;
    fn ask(&mut self, ask: Vec<u8>) -> Reply<Vec<u8>> {
        if ask == b"now" {
            return Reply::Now(ask);
        }
        if ask.starts_with(b"work") {
            thread::sleep(Duration::from_micros(100));
            return Reply::Now(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        let _ = self.asked.send((ask, answer));
        Reply::later(async { answered.await.unwrap() })
    }
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Vec<u8>> {
        match self.events.poll_recv(context) {
            Poll::Ready(Some(event)) => Poll::Ready(event),
            _ => Poll::Pending,
        }
    }
}

struct Served {
    client: TcpStream,
    asked: std::sync::mpsc::Receiver<(Vec<u8>, oneshot::Sender<Vec<u8>>)>,
    push: mpsc::UnboundedSender<Vec<u8>>,
    stop: CancellationToken,
    thread: JoinHandle<Ending>,
}

fn serve() -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let patience = Some(Duration::from_secs(10));
    client.set_read_timeout(patience).unwrap();
    let (socket, _) = listener.accept().unwrap();
    let (ask, asked) = std::sync::mpsc::channel();
    let (push, events) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let thread = thread::spawn(move || {
        let desk = Desk { asked: ask, events };
        blocking::run(&socket, Lines, desk, &mut NoTap, &stopping).2
    });
    Served {
        client,
        asked,
        push,
        stop,
        thread,
    }
}

impl Served {
    fn hears(&mut self, words: &str) {
        let mut heard = vec![0; words.len()];
        self.client.read_exact(&mut heard).unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), words);
    }

    fn ends_with(mut self, words: &str) -> Ending {
        let mut heard = String::new();
        self.client.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, words);
        self.thread.join().unwrap()
    }
}

#[test]
fn while_an_answer_is_awaited_events_and_the_stop_are_heard_and_nobody_is_late() {
    let mut served = serve();
    served.client.write_all(b"now\nlater\nnow\n").unwrap();
    served.hears("now");
    let (ask, answer) = served.asked.recv().unwrap();
    assert_eq!(ask, b"later");
    served.push.send(b"news ".to_vec()).unwrap();
    served.hears("news ");
    served.stop.cancel();
    served.hears("stopping ");
    thread::sleep(Duration::from_millis(400)); // longer than the patience
    answer.send(b"answer ".to_vec()).unwrap();
    served.hears("answer now");
    served.client.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(served.ends_with(""), Ending::Done));
}

#[test]
fn a_silent_peer_is_told_that_it_is_late() {
    assert!(matches!(serve().ends_with("too late"), Ending::Done));
}

#[test]
fn a_peer_that_reads_nothing_is_given_up() {
    let mut served = serve();
    served.client.write_all(b"flood\n").unwrap();
    assert!(matches!(served.thread.join().unwrap(), Ending::Stalled));
}

#[test]
fn after_our_half_close_the_peer_is_still_heard() {
    let mut served = serve();
    served.client.write_all(b"finish\n").unwrap();
    assert_eq!(served.client.read(&mut [0; 9]).unwrap(), 0);
    served.client.write_all(b"later\n").unwrap();
    assert_eq!(served.asked.recv().unwrap().0, b"later");
}

#[test]
fn tls_is_refused_and_a_reset_is_a_broken_end() {
    let mut served = serve();
    served.client.write_all(b"tls\n").unwrap();
    assert!(matches!(served.thread.join().unwrap(), Ending::Tls(_)));

    let mut served = serve();
    served.client.write_all(b"now\n").unwrap();
    let mut peeked = [0; 3];
    while served.client.peek(&mut peeked).unwrap() < 3 {}
    drop(served.client); // with unread bytes: a reset
    let ending = served.thread.join().unwrap();
    assert!(matches!(ending, Ending::Broken(_)), "{ending:?}");
}

/// It says more than can be worked off, so the socket is never empty: a driver that looks at the
/// clock and the bell only then would never stop.
#[test]
fn a_peer_that_never_stops_talking_keeps_nobody_from_being_heard() {
    let mut served = serve();
    let mut talker = served.client.try_clone().unwrap();
    let line = [b"work".as_slice(), &[b' '; 90], b"\n"]
        .concat()
        .repeat(500);
    thread::spawn(move || while talker.write_all(&line).is_ok() {});
    thread::sleep(Duration::from_millis(300));
    let asked_at = Instant::now();
    served.stop.cancel();
    served.hears("stopping ");
    served.push.send(b"news".to_vec()).unwrap();
    served.hears("news");
    assert!(asked_at.elapsed() < Duration::from_secs(5));
    served.client.shutdown(Shutdown::Both).unwrap();
}
