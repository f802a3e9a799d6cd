//! Echo (RFC 862) from the client's side: sends a text, compares what comes back, times it.

use std::convert::Infallible;
use std::time::Duration;

use guichet_engine::{Call, DialError, Ending};
use guichet_proto::session::{Expect, Input};
use guichet_proto::{About, Outbox, Session};
use guichet_trace::{Moment, Verb};

use super::World;
use crate::nothing::Nothing;

/// How long an echo may take.
const ECHO_MOST: Duration = Duration::from_secs(5);
/// How long to wait for a datagram before it counts as lost.
const DATAGRAM_MOST: Duration = Duration::from_secs(1);

const DATA: Verb = Verb::new("DATA");

/// What an echo was.
#[derive(Debug)]
pub enum Echoed {
    /// Each came back unchanged, after so long.
    Back(Vec<Duration>),
    /// This came back instead.
    Differs(Vec<u8>),
    /// The other side was full, or it was lost on the way: another attempt may do better.
    Again(std::io::Error),
    /// It broke off.
    Broken(std::io::Error),
}

/// Sends `text` `count` times over one connection, each when the one before has come back.
pub async fn over_tcp(
    world: &World,
    call: Call,
    text: &[u8],
    count: u32,
) -> Result<Echoed, DialError> {
    let session = Client::new(text, count);
    let finished = world.dial.run("echo", call, |_| (session, Nothing)).await?;
    let Client { times, heard, .. } = finished.session;
    Ok(match (heard, finished.ending) {
        (Heard::Everything, _) => Echoed::Back(times),
        (Heard::Differing(received), _) => Echoed::Differs(received),
        (Heard::TooLate, _) => Echoed::Again(std::io::ErrorKind::TimedOut.into()),
        (Heard::Waiting, ending) => {
            let error = match ending {
                Ending::Broken(error) | Ending::Tls(error) => error,
                Ending::Done | Ending::Stalled => std::io::ErrorKind::UnexpectedEof.into(),
            };
            // Turned away before the first echo: the other side is full.
            match times.is_empty() {
                true => Echoed::Again(error),
                false => Echoed::Broken(error),
            }
        }
    })
}

/// Sends `text` `count` times, each as a datagram of its own.
pub async fn over_udp(world: &World, call: &Call, text: &[u8], count: u32) -> Echoed {
    let about = |_, _: &[u8]| {
        let mut about = About::new(DATA);
        about.text("");
        about
    };
    let mut times = Vec::new();
    for _ in 0..count {
        let start = std::time::Instant::now();
        let sent = world
            .dial
            .datagram("echo", call, text, DATAGRAM_MOST, about, |_, _| true);
        match sent.await.1 {
            Ok(received) if received == text => times.push(start.elapsed()),
            Ok(received) => return Echoed::Differs(received),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Echoed::Again(error);
            }
            Err(error) => return Echoed::Broken(error),
        }
    }
    Echoed::Back(times)
}

/// The client's side of a connection.
struct Client<'t> {
    text: &'t [u8],
    left: u32,
    /// Bytes of the text that have come back.
    back: usize,
    sent_at: Moment,
    times: Vec<Duration>,
    heard: Heard,
}

enum Heard {
    Waiting,
    Everything,
    Differing(Vec<u8>),
    TooLate,
}

impl<'t> Client<'t> {
    fn new(text: &'t [u8], count: u32) -> Self {
        Self {
            text,
            left: count,
            back: 0,
            sent_at: Moment(0),
            times: Vec::new(),
            heard: Heard::Waiting,
        }
    }

    fn send(&mut self, now: Moment, out: &mut Outbox<Infallible>) {
        self.sent_at = now;
        self.back = 0;
        out.say(DATA, self.text).text("");
    }

    fn compare(&mut self, bytes: &[u8], now: Moment, out: &mut Outbox<Infallible>) {
        let rest = &self.text[self.back..];
        if !rest.starts_with(bytes) {
            self.heard = Heard::Differing([&self.text[..self.back], bytes].concat());
            return out.close();
        }
        self.back += bytes.len();
        if self.back < self.text.len() {
            return;
        }
        self.times.push(now.since(self.sent_at));
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return self.send(now, out);
        }
        self.heard = Heard::Everything;
        out.close();
    }
}

impl Session for Client<'_> {
    type Ask = Infallible;
    type Answer = Infallible;

    fn protocol(&self) -> &'static str {
        "echo"
    }

    fn expects(&self) -> Expect {
        match self.heard {
            Heard::Waiting => Expect::Raw,
            _ => Expect::Nothing,
        }
    }

    fn on(&mut self, now: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        match input {
            Input::Opened => {
                out.patience(ECHO_MOST);
                self.send(now, out);
            }
            Input::Message(message) => {
                out.received(DATA).text("");
                self.compare(message.bytes, now, out);
            }
            Input::Deadline => {
                self.heard = Heard::TooLate;
                out.close();
            }
            Input::HalfClosed | Input::Stopping => out.close(),
            Input::Answer(never) | Input::Event(never) => match never {},
            _ => {}
        }
    }

    fn state(&self) -> &'static str {
        match self.heard {
            Heard::Waiting => "waiting",
            _ => "finished",
        }
    }
}
