//! DNS over a stream: each message with two bytes of length in front (RFC 1035 section 4.2.2,
//! RFC 7766).

use alloc::vec::Vec;
use core::convert::Infallible;
use core::time::Duration;

use guichet_trace::{Moment, Verb};
use serde::{Deserialize, Serialize};

use super::{HEADER_SIZE, about};
use crate::outbox::Outbox;
use crate::session::{Expect, Input, Session};

/// A client that asks nothing for so long is let go. RFC 7766 section 6.2.3 wants "a few seconds";
/// a person with a learner's tool needs some more.
pub const IDLE_MOST: Duration = Duration::from_secs(20);

/// How long our client waits for its answer.
pub const REPLY_WAIT_MOST: Duration = Duration::from_secs(5);

const UNANSWERABLE: Verb = Verb::new("unanswerable");
const TIMEOUT: Verb = Verb::new("timeout");

/// The bytes of a query, without their length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask(pub Vec<u8>);

/// What goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// These bytes, at most [`super::MESSAGE_SIZE_MAX`].
    Reply(Vec<u8>),
    /// Nothing; this was no query. The stream ends, for whatever follows is not to be trusted
    /// either.
    Silence,
}

/// The server's side: queries one behind the other, also pipelined; answered in their order. Each
/// query is a part of the exchange.
#[derive(Debug, Default)]
pub struct Server {
    state: State,
    part: u32,
    last: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ready,
    Asking,
    Closed,
}

impl Session for Server {
    type Ask = Ask;
    type Answer = Answer;

    fn protocol(&self) -> &'static str {
        "dns"
    }

    fn expects(&self) -> Expect {
        match self.state {
            State::Ready => Expect::Counted,
            State::Asking | State::Closed => Expect::Nothing,
        }
    }

    fn on(&mut self, _: Moment, input: Input<'_, Answer>, out: &mut Outbox<Ask>) {
        match (input, self.state) {
            (Input::Opened, _) => out.patience(IDLE_MOST),
            (Input::Message(message), State::Ready) => {
                self.part += 1;
                out.part(self.part);
                let described = about(message.bytes);
                let received = out.received(described.verb);
                received.text = described.text;
                out.ask(Ask(message.bytes.to_vec()));
                self.state = State::Asking;
            }
            (Input::Answer(Answer::Reply(bytes)), State::Asking) => {
                self.state = State::Ready;
                say(&bytes, out);
                if self.last {
                    self.close(out);
                }
            }
            (Input::Answer(Answer::Silence), State::Asking) => {
                out.note(UNANSWERABLE, "not a query; the connection is closed");
                self.close(out);
            }
            (Input::HalfClosed | Input::Stopping, State::Asking) => self.last = true,
            (Input::HalfClosed | Input::Stopping | Input::Deadline, State::Ready) => {
                self.close(out);
            }
            _ => {}
        }
    }

    fn state(&self) -> &'static str {
        match self.state {
            State::Ready => "ready",
            State::Asking => "asking",
            State::Closed => "closed",
        }
    }
}

impl Server {
    fn close(&mut self, out: &mut Outbox<Ask>) {
        self.state = State::Closed;
        out.close();
    }
}

/// The client's side for one query: asks, takes the answer with the same id, closes.
#[derive(Debug)]
pub struct Client {
    query: Vec<u8>,
    reply: Option<Vec<u8>>,
    closed: bool,
}

impl Client {
    /// Asks this, the bytes of a query without their length.
    pub fn new(query: Vec<u8>) -> Self {
        Self {
            query,
            reply: None,
            closed: false,
        }
    }

    /// The answer, once the dialogue has ended; `None`: none came.
    pub fn into_reply(self) -> Option<Vec<u8>> {
        self.reply
    }

    fn close(&mut self, out: &mut Outbox<Infallible>) {
        self.closed = true;
        out.close();
    }
}

impl Session for Client {
    type Ask = Infallible;
    type Answer = Infallible;

    fn protocol(&self) -> &'static str {
        "dns"
    }

    fn expects(&self) -> Expect {
        if self.closed {
            Expect::Nothing
        } else {
            Expect::Counted
        }
    }

    fn on(&mut self, now: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        match input {
            Input::Opened => {
                // The whole has a deadline: a server that drips strange messages gains nothing.
                out.wake_at(Some(now.after(REPLY_WAIT_MOST)));
                out.part(1);
                say(&self.query, out);
            }
            Input::Message(message) => {
                let described = about(message.bytes);
                let received = out.received(described.verb);
                received.text = described.text;
                let long_enough = message.bytes.len() >= HEADER_SIZE;
                if long_enough && message.bytes.get(..2) == self.query.get(..2) {
                    self.reply = Some(message.bytes.to_vec());
                    self.close(out);
                }
            }
            Input::Deadline if !self.closed => {
                out.note(TIMEOUT, "no answer in time");
                self.close(out);
            }
            Input::HalfClosed | Input::Stopping if !self.closed => self.close(out),
            Input::Answer(never) | Input::Event(never) => match never {},
            _ => {}
        }
    }

    fn state(&self) -> &'static str {
        match (&self.reply, self.closed) {
            (Some(_), _) => "answered",
            (None, false) => "waiting",
            (None, true) => "unanswered",
        }
    }
}

/// Says a message with its length. What is longer than the length field can tell is not sent; it
/// cannot come from our [`super::Writer`].
fn say<A>(message: &[u8], out: &mut Outbox<A>) {
    let Ok(length) = u16::try_from(message.len()) else {
        return;
    };
    let described = about(message);
    let said = out.say_with(described.verb, |buffer| {
        buffer.extend_from_slice(&length.to_be_bytes());
        buffer.extend_from_slice(message);
    });
    said.text = described.text;
}
