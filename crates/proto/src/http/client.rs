//! The client's side: requests one after the other over one connection, each reply taken whole
//! before the next request goes out.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use guichet_trace::{Cause, Moment, Verb};
use serde::{Deserialize, Serialize};

use super::ask::{HeaderBlock, Method, Scheme};
use super::incoming::{Fault, Incoming, Progress};
use super::limits::{HEAD_BYTES_MOST, INTERIM_MOST, REPLY_WAIT_MOST};
use super::mask;
use super::reply::{self, ReplyFraming, ReplyHead};
use super::response::write_number;
use crate::outbox::Outbox;
use crate::session::{Expect, Input, Message, Session};

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRequest {
    /// What is to be done.
    pub method: Method,
    /// The authority for the Host field: `www.sud.test`, `127.0.0.1:8080`.
    pub host: String,
    /// Path and query, beginning with `/`.
    pub target: String,
    /// Further lines, such as Accept or Range.
    pub fields: HeaderBlock,
    /// Sent with its length; empty for none.
    pub body: Vec<u8>,
    /// What led to this request (the name's exchange, the page that names the picture).
    #[serde(skip)]
    pub causes: Vec<Cause>,
}

impl ClientRequest {
    /// A GET without further fields.
    pub fn get(host: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            host: host.into(),
            target: target.into(),
            fields: HeaderBlock::default(),
            body: Vec::new(),
            causes: Vec::new(),
        }
    }

    /// Host and target hold nothing that could end their line.
    fn is_sound(&self) -> bool {
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        is_plain(&self.host) && is_plain(&self.target)
    }
}

/// What the client tells, and asks, along the way. Body pieces go to [`crate::Service::piece`]
/// between `Begin` and `End`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAsk {
    /// A reply's head has come. Answered by `Go` (its `next` is not looked at) or `Stop`.
    Begin {
        /// Which request, counted from 1; also the part of the exchange.
        part: u32,
        /// Status code, 200 to 599.
        status: u16,
        /// The fields, without those that only frame the message.
        fields: HeaderBlock,
        /// The length of the body, where it is told.
        length: Option<u64>,
    },
    /// The reply is whole. Answered by `Go` with what to request next, or `Stop`.
    End {
        /// Which request.
        part: u32,
        /// The length of the body.
        bytes: u64,
    },
    /// The reply will not be had over this connection, which is then closed. Requests behind it
    /// have not been sent.
    Failed {
        /// Which request.
        part: u32,
        /// Why.
        failure: Failure,
    },
}

/// The answer to each of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAnswer {
    /// Go on.
    Go {
        /// Requests to put behind those that wait.
        next: Vec<ClientRequest>,
    },
    /// Close now.
    Stop,
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The reply follows no rules; the sentence says which one it breaks.
    Malformed(String),
    /// Head or body are longer than allowed.
    TooLarge,
    /// The connection ended in the middle of the reply: what has come is not the whole.
    Cut,
    /// The connection ended before any reply. A request without effect may be sent again.
    ClosedBefore,
    /// Nothing came for too long.
    TimedOut,
    /// The request itself cannot be sent: its host or target holds a space or a control character.
    Unsendable,
}

/// How a client asks.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// Whether its connection is under TLS.
    pub scheme: Scheme,
    /// It waits so long for each step of a reply.
    pub patience: Duration,
    /// The longest body it takes, in bytes.
    pub body_bytes_most: u64,
}

impl ClientSettings {
    /// The usual patience, and bodies of at most 1 GiB.
    pub const fn new(scheme: Scheme) -> Self {
        Self {
            scheme,
            patience: REPLY_WAIT_MOST,
            body_bytes_most: 1 << 30,
        }
    }
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Client {
    settings: ClientSettings,
    waiting: VecDeque<ClientRequest>,
    state: State,
    part: u32,
    /// Of the request in hand.
    method: Method,
    interim: u32,
    keeps: bool,
}

#[derive(Debug)]
enum State {
    Starting,
    Awaiting,
    /// The head is being told; then the body, if there is one.
    Beginning(Option<Incoming>),
    Receiving(Incoming),
    Ending,
    Failing,
    Closed,
}

const BODY: Verb = Verb::new("body");
const REFUSED: Verb = Verb::new("?");

impl Session for Client {
    type Ask = ClientAsk;
    type Answer = ClientAnswer;

    fn protocol(&self) -> &'static str {
        "http"
    }

    fn expects(&self) -> Expect {
        match &self.state {
            State::Awaiting => Expect::Head {
                most: HEAD_BYTES_MOST,
            },
            State::Receiving(incoming) => incoming.expects(),
            _ => Expect::Nothing,
        }
    }

    fn on(&mut self, _: Moment, input: Input<'_, ClientAnswer>, out: &mut Outbox<ClientAsk>) {
        match input {
            Input::Opened => {
                out.patience(self.settings.patience);
                self.send_next(out);
            }
            Input::Message(message) => self.on_message(message, out),
            Input::BodyEnd(end) => {
                out.received(BODY).text(format!("{} bytes", end.bytes));
                if let State::Receiving(incoming) = &mut self.state {
                    let progress = incoming.body_end(end);
                    self.on_progress(progress, out);
                }
            }
            Input::Answer(answer) => self.on_answer(answer, out),
            Input::TooLong => {
                out.received(REFUSED).text("longer than allowed");
                self.fail(Failure::TooLarge, out);
            }
            Input::Deadline => self.fail(Failure::TimedOut, out),
            Input::HalfClosed => self.on_half_closed(out),
            Input::Stopping => self.close(out),
            _ => {}
        }
    }

    fn state(&self) -> &'static str {
        match self.state {
            State::Starting => "starting",
            State::Awaiting => "awaiting",
            State::Beginning(_) | State::Receiving(_) => "receiving",
            State::Ending => "ending",
            State::Failing => "failing",
            State::Closed => "closed",
        }
    }
}

impl Client {
    /// A client that will send these requests; further ones may come with its service's answers.
    pub fn new(
        settings: ClientSettings,
        requests: impl IntoIterator<Item = ClientRequest>,
    ) -> Self {
        Self {
            settings,
            waiting: requests.into_iter().collect(),
            state: State::Starting,
            part: 0,
            method: Method::Get,
            interim: 0,
            keeps: true,
        }
    }

    fn send_next(&mut self, out: &mut Outbox<ClientAsk>) {
        let Some(request) = self.waiting.pop_front() else {
            return self.close(out);
        };
        self.part = self.part.saturating_add(1);
        out.part(self.part);
        if !self.keeps {
            return self.fail(Failure::ClosedBefore, out);
        }
        if !request.is_sound() {
            return self.fail(Failure::Unsendable, out);
        }
        self.method = request.method;
        self.interim = 0;
        self.state = State::Awaiting;
        self.say_request(request, out);
    }

    fn say_request(&mut self, request: ClientRequest, out: &mut Outbox<ClientAsk>) {
        let mut masks = Vec::new();
        let about = out.say_with(Verb::new(request.method.as_str()), |buffer| {
            let start = buffer.len();
            write_request(buffer, &request);
            masks = mask::secrets(&buffer[start..]);
            buffer.extend_from_slice(&request.body);
        });
        let path = request.target.split('?').next().unwrap_or("");
        let (scheme, host) = (self.settings.scheme.as_str(), &request.host);
        about.text(format!(
            "{} {scheme}://{host}{path}",
            request.method.as_str()
        ));
        about.masks = masks;
        about.causes = request.causes;
    }

    fn on_message(&mut self, message: Message<'_>, out: &mut Outbox<ClientAsk>) {
        if let State::Receiving(incoming) = &mut self.state {
            out.received(Verb::new(incoming.line_name()));
            let progress = incoming.message(message);
            return self.on_progress(progress, out);
        }
        match reply::parse(message.bytes, self.method) {
            Ok(head) => {
                let kind = head.fields.get("Content-Type").unwrap_or("");
                let kind = kind.split(';').next().unwrap_or("").trim();
                let text = format!("{} {kind}", head.status);
                let about = out.received(Verb::new(&head.status.to_string()));
                about.text(text.trim_end());
                about.masks = mask::secrets(message.bytes);
                self.on_head(head, out);
            }
            Err(sentence) => {
                let about = out.received(REFUSED);
                about.text(format!("a reply that is refused: {sentence}"));
                about.masks = mask::secrets_in_disorder(message.bytes);
                self.fail(Failure::Malformed(sentence.to_string()), out);
            }
        }
    }

    fn on_head(&mut self, head: ReplyHead, out: &mut Outbox<ClientAsk>) {
        if head.status < 200 {
            self.interim += 1;
            let sentence = match head.status {
                101 => "The server changes to a protocol that was not asked for.",
                _ if self.interim > INTERIM_MOST => "The server sends interim replies only.",
                _ => return, // the reply itself follows
            };
            return self.fail(Failure::Malformed(sentence.to_string()), out);
        }
        self.keeps = head.keeps;
        let most = self.settings.body_bytes_most;
        let (incoming, length) = match head.framing {
            ReplyFraming::Length(length) if length > most => {
                return self.fail(Failure::TooLarge, out);
            }
            ReplyFraming::None => (None, None),
            ReplyFraming::Length(length) => (Some(Incoming::length(length)), Some(length)),
            ReplyFraming::Chunked => (Some(Incoming::chunked(most)), None),
            ReplyFraming::ToClose => (Some(Incoming::to_close(most)), None),
        };
        self.state = State::Beginning(incoming);
        out.ask(ClientAsk::Begin {
            part: self.part,
            status: head.status,
            fields: head.fields,
            length,
        });
    }

    fn on_progress(&mut self, progress: Progress, out: &mut Outbox<ClientAsk>) {
        match progress {
            Progress::More => {}
            Progress::Whole(bytes) => self.end(bytes, out),
            Progress::Broken(Fault::TooLong) => self.fail(Failure::TooLarge, out),
            Progress::Broken(Fault::Cut) => self.fail(Failure::Cut, out),
            Progress::Broken(Fault::Malformed(sentence)) => {
                self.fail(Failure::Malformed(sentence.to_string()), out);
            }
        }
    }

    fn on_answer(&mut self, answer: ClientAnswer, out: &mut Outbox<ClientAsk>) {
        let ClientAnswer::Go { next } = answer else {
            return self.close(out);
        };
        match core::mem::replace(&mut self.state, State::Starting) {
            State::Beginning(Some(incoming)) => self.state = State::Receiving(incoming),
            State::Beginning(None) => self.end(0, out),
            State::Ending => {
                self.waiting.extend(next);
                self.send_next(out);
            }
            _ => self.close(out),
        }
    }

    fn on_half_closed(&mut self, out: &mut Outbox<ClientAsk>) {
        match self.state {
            State::Awaiting if self.interim == 0 => self.fail(Failure::ClosedBefore, out),
            State::Awaiting | State::Receiving(_) => self.fail(Failure::Cut, out),
            _ => self.keeps = false,
        }
    }

    fn end(&mut self, bytes: u64, out: &mut Outbox<ClientAsk>) {
        self.state = State::Ending;
        out.ask(ClientAsk::End {
            part: self.part,
            bytes,
        });
    }

    /// At most one Ask is open: a failure while the service decides waits for nobody, as the
    /// answer to that Ask then closes.
    fn fail(&mut self, failure: Failure, out: &mut Outbox<ClientAsk>) {
        if matches!(self.state, State::Failing | State::Closed) {
            return;
        }
        self.state = State::Failing;
        out.ask(ClientAsk::Failed {
            part: self.part,
            failure,
        });
    }

    fn close(&mut self, out: &mut Outbox<ClientAsk>) {
        self.state = State::Closed;
        out.close();
    }
}

fn write_request(buffer: &mut Vec<u8>, request: &ClientRequest) {
    let mut put = |text: &str| buffer.extend_from_slice(text.as_bytes());
    put(request.method.as_str());
    put(" ");
    put(&request.target);
    put(" HTTP/1.1\r\nHost: ");
    put(&request.host);
    put("\r\n");
    put(request.fields.as_str());
    let has_body = matches!(request.method, Method::Post | Method::Put | Method::Patch);
    if has_body || !request.body.is_empty() {
        put("Content-Length: ");
        write_number(buffer, request.body.len() as u64);
        buffer.extend_from_slice(b"\r\n");
    }
    buffer.extend_from_slice(b"\r\n");
}
