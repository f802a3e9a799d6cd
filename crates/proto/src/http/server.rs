//! The server's side of an HTTP/1.1 connection.
//!
//! ```text
//!            ┌──────────────────────────────────────────────┐ kept
//!            ▼                                              │
//! idle ──▶ deciding ──Accept──▶ receiving ──▶ finishing ──▶ replied ──▶ closed
//!   └ refused ────────────────────────────────────────────────────────────▲
//!            └──Response──▶ sending (a source), streaming (events), draining (an unwanted body)
//! ```
//! Requests that come before their turn wait uncut, so replies go out in order; those that are
//! ready together leave in one write. What comes behind the last request is not looked at; the driver
//! reads it over after the close, lest a reset destroys the last reply (RFC 9112 9.6).

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use guichet_trace::{Moment, Verb};

use super::ask::{Answer, Ask, Body, HeaderBlock, Method, Request, RequestBody, Response, Scheme};
use super::date;
use super::head::{self, Refusal};
use super::incoming::{Fault, Incoming, Progress};
use super::limits::{
    BODY_RATE_LEAST, DRAIN_BYTES_MOST, EMPTY_LINES_MOST, HEAD_BYTES_MOST, IDLE_MOST,
};
use super::mask;
use super::response::{Framing, Persistence, write_chunk, write_head};
use crate::outbox::Outbox;
use crate::session::{BodyEnd, BodyForm, Expect, Input, Message, Session, SourceEnd, SourceForm};

/// How a server serves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether its connections are under TLS.
    pub scheme: Scheme,
    /// Without a whole request for so long, the connection ends.
    pub idle_most: Duration,
    /// Wall time for the Date field: seconds since 1970 at a moment. Called about once a second.
    pub unix_seconds: fn(Moment) -> u64,
}

impl Settings {
    /// The usual limits.
    pub const fn new(scheme: Scheme, unix_seconds: fn(Moment) -> u64) -> Self {
        Self {
            scheme,
            idle_most: IDLE_MOST,
            unix_seconds,
        }
    }
}

/// The server's side of one connection.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    state: State,
    /// Requests so far.
    part: u32,
    empty_lines: u32,
    /// Of the request in hand.
    current: Current,
    /// This side is stopping.
    stopping: bool,
    /// The Date text, and until when it is right.
    date: Option<(Moment, [u8; 29])>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Current {
    is_head: bool,
    /// HTTP/1.0.
    is_old: bool,
    keeps: bool,
    continues: bool,
    /// The service says that the body holds a secret.
    secret: bool,
    /// What has not been read of it.
    body: Unread,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Unread {
    #[default]
    Nothing,
    Length(u64),
    Chunked,
}

#[derive(Debug)]
enum State {
    Idle,
    Deciding,
    Receiving(Incoming),
    Finishing,
    Sending { length: u64 },
    Streaming,
    Draining(u64),
    Closed,
}

const BODY: Verb = Verb::new("body");
const EMPTY: Verb = Verb::new("empty");
const CHUNK: Verb = Verb::new("chunk");
const REFUSED: Verb = Verb::new("?");

impl Session for Server {
    type Ask = Ask;
    type Answer = Answer;

    fn protocol(&self) -> &'static str {
        "http"
    }

    fn expects(&self) -> Expect {
        match &self.state {
            State::Idle => Expect::Head {
                most: HEAD_BYTES_MOST,
            },
            State::Receiving(incoming) => incoming.expects(),
            State::Draining(length) => Expect::Body {
                form: BodyForm::Length(*length),
                most: 0,
            },
            _ => Expect::Nothing,
        }
    }

    fn hides_body(&self) -> bool {
        self.current.secret
    }

    fn on(&mut self, now: Moment, input: Input<'_, Answer>, out: &mut Outbox<Ask>) {
        match input {
            Input::Opened => out.patience(self.settings.idle_most),
            Input::Message(message) => self.on_message(now, message, out),
            Input::BodyEnd(end) => self.on_body_end(now, end, out),
            Input::Answer(answer) => self.on_answer(now, answer, out),
            Input::Event(event) => self.on_event(event, out),
            Input::TooLong => self.on_too_long(now, out),
            Input::Deadline => self.on_deadline(now, out),
            Input::HalfClosed => self.on_half_closed(now, out),
            Input::Stopping => self.on_stopping(out),
            Input::SourceEnd(end) => self.on_source_end(end, out),
            Input::Secured | Input::Channel(..) => {}
        }
    }

    fn state(&self) -> &'static str {
        match self.state {
            State::Idle => "idle",
            State::Deciding => "deciding",
            State::Receiving(_) => "receiving",
            State::Finishing => "finishing",
            State::Sending { .. } => "sending",
            State::Streaming => "streaming",
            State::Draining(_) => "draining",
            State::Closed => "closed",
        }
    }
}

impl Server {
    /// A connection that has just been made.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Idle,
            part: 0,
            empty_lines: 0,
            current: Current::default(),
            stopping: false,
            date: None,
        }
    }

    // ----- what comes in -----

    fn on_message(&mut self, now: Moment, message: Message<'_>, out: &mut Outbox<Ask>) {
        match &mut self.state {
            State::Idle if message.bytes == b"\r\n" && self.empty_lines < EMPTY_LINES_MOST => {
                self.empty_lines += 1;
                out.received(EMPTY).text("an empty line before a request");
            }
            State::Idle => self.on_head(now, message.bytes, out),
            State::Receiving(incoming) => {
                out.received(Verb::new(incoming.line_name()));
                let progress = incoming.message(message);
                self.on_progress(now, progress, out);
            }
            _ => {}
        }
    }

    fn on_head(&mut self, now: Moment, bytes: &[u8], out: &mut Outbox<Ask>) {
        self.empty_lines = 0;
        self.part = self.part.saturating_add(1);
        out.part(self.part);
        match head::parse(bytes, self.settings.scheme, self.part) {
            Ok(head) => {
                self.current = Current {
                    is_head: head.request.method == Method::Head,
                    is_old: head.minor == 0,
                    keeps: head.keeps,
                    continues: head.continues,
                    secret: false,
                    body: match head.request.body {
                        RequestBody::None => Unread::Nothing,
                        RequestBody::Length(length) => Unread::Length(length),
                        RequestBody::Chunked => Unread::Chunked,
                    },
                };
                name_request(&head.request, bytes, out);
                self.state = State::Deciding;
                out.ask(Ask::Request(head.request));
            }
            Err(refusal) => {
                let about = out.received(REFUSED);
                about.text(format!("a request that is refused: {}", refusal.sentence));
                about.masks = mask::secrets_in_disorder(bytes);
                self.current = Current::default();
                self.refuse(now, refusal, out);
            }
        }
    }

    fn on_body_end(&mut self, now: Moment, end: BodyEnd, out: &mut Outbox<Ask>) {
        match &mut self.state {
            State::Receiving(incoming) => {
                out.received(BODY).text(format!("{} bytes", end.bytes));
                let progress = incoming.body_end(end);
                self.on_progress(now, progress, out);
            }
            State::Draining(_) => {
                out.received(BODY).text("a body that was not wanted");
                self.replied(out);
            }
            _ => {}
        }
    }

    fn on_progress(&mut self, now: Moment, progress: Progress, out: &mut Outbox<Ask>) {
        let refusal = match progress {
            Progress::More => return,
            Progress::Whole(bytes) => {
                out.wake_at(None);
                self.current.body = Unread::Nothing;
                self.state = State::Finishing;
                return out.ask(Ask::Finish { bytes });
            }
            Progress::Broken(Fault::TooLong) => TOO_LARGE,
            Progress::Broken(Fault::Cut) => Refusal {
                status: 400,
                sentence: "The body broke off.",
            },
            Progress::Broken(Fault::Malformed(sentence)) => Refusal {
                status: 400,
                sentence,
            },
        };
        self.refuse(now, refusal, out);
    }

    fn on_answer(&mut self, now: Moment, answer: Answer, out: &mut Outbox<Ask>) {
        match (&self.state, answer) {
            (State::Deciding | State::Finishing, Answer::Response(response)) => {
                self.reply(now, &response, out);
            }
            (State::Deciding, Answer::Accept { bytes_most, secret }) => {
                self.current.secret = secret;
                self.accept(now, bytes_most, out);
            }
            (State::Deciding | State::Finishing, _) => self.refuse(now, NO_DECISION, out),
            _ => {}
        }
    }

    fn on_event(&mut self, event: Answer, out: &mut Outbox<Ask>) {
        let State::Streaming = self.state else {
            return; // the stream it was for is over
        };
        match event {
            Answer::Piece(piece) if self.current.is_old => {
                out.say(CHUNK, &piece)
                    .text(format!("{} bytes", piece.len()));
            }
            Answer::Piece(piece) => {
                out.say_with(CHUNK, |buffer| write_chunk(buffer, &piece))
                    .text(format!("{} bytes", piece.len()));
            }
            _ => self.end_stream(out),
        }
    }

    fn on_too_long(&mut self, now: Moment, out: &mut Outbox<Ask>) {
        match self.state {
            State::Idle => {
                self.part = self.part.saturating_add(1);
                out.part(self.part);
                self.current = Current::default();
                out.received(REFUSED).text("a head longer than allowed");
                let sentence = "The head of the request is too long.";
                self.refuse(
                    now,
                    Refusal {
                        status: 431,
                        sentence,
                    },
                    out,
                );
            }
            State::Receiving(_) => {
                out.received(CHUNK).text("a line longer than allowed");
                let sentence = "A line between the chunks of the body is too long.";
                self.refuse(
                    now,
                    Refusal {
                        status: 400,
                        sentence,
                    },
                    out,
                );
            }
            _ => {}
        }
    }

    /// Before the first request, and in the middle of one, the client hears 408 (RFC 9110
    /// 15.5.9). A kept connection ends without a word: its client could take the 408 for the
    /// reply to a request it is just sending.
    fn on_deadline(&mut self, now: Moment, out: &mut Outbox<Ask>) {
        match self.state {
            State::Idle if self.part > 0 => self.close(out),
            State::Idle | State::Receiving(_) => {
                let sentence = "No whole request came in time.";
                self.refuse(
                    now,
                    Refusal {
                        status: 408,
                        sentence,
                    },
                    out,
                );
            }
            State::Draining(_) => self.close(out),
            _ => {}
        }
    }

    fn on_half_closed(&mut self, now: Moment, out: &mut Outbox<Ask>) {
        match self.state {
            State::Idle | State::Draining(_) => self.close(out),
            State::Receiving(_) => self.on_progress(now, Progress::Broken(Fault::Cut), out),
            // Nobody listens to a stream with the sending direction closed: the client is gone.
            State::Streaming => self.close(out),
            _ => {}
        }
    }

    fn on_stopping(&mut self, out: &mut Outbox<Ask>) {
        self.stopping = true;
        match self.state {
            State::Idle => self.close(out),
            State::Streaming => self.end_stream(out),
            _ => {}
        }
    }

    fn on_source_end(&mut self, end: SourceEnd, out: &mut Outbox<Ask>) {
        let State::Sending { length } = self.state else {
            return;
        };
        if end.whole && end.bytes == length {
            self.replied(out);
        } else {
            // Closed short of its length, the client knows that it has not got the whole.
            out.note(Verb::new("failed"), "the body could not be read to its end");
            self.close(out);
        }
    }

    // ----- what goes out -----

    /// The service wants the body.
    fn accept(&mut self, now: Moment, bytes_most: u64, out: &mut Outbox<Ask>) {
        let (incoming, bytes_most) = match self.current.body {
            Unread::Nothing => {
                self.state = State::Finishing;
                return out.ask(Ask::Finish { bytes: 0 });
            }
            Unread::Length(length) if length > bytes_most => {
                return self.refuse(now, TOO_LARGE, out);
            }
            Unread::Length(length) => (Incoming::length(length), length),
            Unread::Chunked => (Incoming::chunked(bytes_most), bytes_most),
        };
        let time_most = Duration::from_secs(bytes_most / BODY_RATE_LEAST);
        out.wake_at(Some(now.after(self.settings.idle_most + time_most)));
        if self.current.continues {
            let line = b"HTTP/1.1 100 Continue\r\n\r\n";
            out.say(Verb::new("100"), line)
                .text("100 the body may come");
        }
        self.state = State::Receiving(incoming);
    }

    fn reply(&mut self, now: Moment, response: &Response, out: &mut Outbox<Ask>) {
        let in_memory = matches!(response.body, Body::Empty | Body::Bytes(_));
        let drains = match self.current.body {
            Unread::Nothing => None,
            // One who waits for 100 may or may not send the body now (RFC 9110 10.1.1).
            Unread::Length(length)
                if length <= DRAIN_BYTES_MOST && !self.current.continues && in_memory =>
            {
                Some(length)
            }
            _ => {
                self.current.keeps = false;
                None
            }
        };
        if self.current.is_old && response.body == Body::Stream {
            self.current.keeps = false; // only the close ends it
        }
        self.current.keeps &= !self.stopping;
        self.say_response(now, response, out);
        match (&response.body, self.current.is_head) {
            (Body::Source { source, length }, false) => {
                let about = out.send(BODY, *source, SourceForm::Raw);
                about.text(format!("{length} bytes"));
                self.state = State::Sending { length: *length };
            }
            (Body::Stream, false) => self.state = State::Streaming,
            _ => match drains {
                Some(length) => self.state = State::Draining(length),
                None => self.replied(out),
            },
        }
    }

    fn say_response(&mut self, now: Moment, response: &Response, out: &mut Outbox<Ask>) {
        let date = self.date(now);
        let persistence = match (self.current.keeps, self.current.is_old) {
            (false, _) => Persistence::Closed,
            (true, true) => Persistence::KeptOnWish,
            (true, false) => Persistence::Kept,
        };
        let framing = match &response.body {
            _ if matches!(response.status, 204 | 304) => Framing::None,
            Body::Empty => Framing::Length(0),
            Body::Bytes(bytes) => Framing::Length(bytes.len() as u64),
            Body::Source { length, .. } => Framing::Length(*length),
            Body::Stream if self.current.is_old => Framing::ToClose,
            Body::Stream => Framing::Chunked,
        };
        let is_head = self.current.is_head || framing == Framing::None;
        let about = out.say_with(verb(response.status), |buffer| {
            write_head(
                buffer,
                response.status,
                &date,
                &response.fields,
                framing,
                persistence,
            );
            if let (Body::Bytes(bytes), false) = (&response.body, is_head) {
                buffer.extend_from_slice(bytes);
            }
        });
        about.text(words(response, framing));
        let fields = response.fields.as_str().as_bytes();
        let secrets = mask::secrets(fields);
        if !secrets.is_empty() {
            // Everything before the fields has a fixed length but for the reason.
            let before = "HTTP/1.1 200 \r\nDate: \r\n".len()
                + super::reason(response.status).len()
                + date.len();
            about.masks = secrets
                .into_iter()
                .map(|range| before + range.start..before + range.end)
                .collect();
        }
    }

    fn end_stream(&mut self, out: &mut Outbox<Ask>) {
        self.current.keeps &= !self.stopping;
        if !self.current.is_old {
            out.say(CHUNK, b"0\r\n\r\n").text("the end of the stream");
        }
        self.replied(out);
    }

    /// A reply is out: on to the next request, or to the end.
    fn replied(&mut self, out: &mut Outbox<Ask>) {
        if self.current.keeps && !self.stopping {
            self.state = State::Idle;
        } else {
            self.close(out);
        }
    }

    /// Answers by the session's own rules, which always costs the connection.
    fn refuse(&mut self, now: Moment, refusal: Refusal, out: &mut Outbox<Ask>) {
        self.current.keeps = false;
        let fields = HeaderBlock::of([("Content-Type", "text/plain; charset=utf-8")]);
        let body = format!("{}\r\n", refusal.sentence).into_bytes();
        let response = Response::new(refusal.status, fields, body);
        self.say_response(now, &response, out);
        self.close(out);
    }

    fn close(&mut self, out: &mut Outbox<Ask>) {
        self.state = State::Closed;
        out.close();
    }

    /// The text of the Date field, made anew each second.
    fn date(&mut self, now: Moment) -> [u8; 29] {
        match self.date {
            Some((until, text)) if now < until => text,
            _ => {
                let text = date::format((self.settings.unix_seconds)(now));
                self.date = Some((now.after(Duration::from_secs(1)), text));
                text
            }
        }
    }
}

const TOO_LARGE: Refusal = Refusal {
    status: 413,
    sentence: "The body is longer than this server takes here.",
};
const NO_DECISION: Refusal = Refusal {
    status: 500,
    sentence: "The server has come to no decision about the request.",
};

fn name_request(request: &Request, bytes: &[u8], out: &mut Outbox<Ask>) {
    let about = out.received(Verb::new(request.method.as_str()));
    about.text(format!("{} {request}", request.method.as_str()));
    about.masks = mask::secrets(bytes);
}

/// `200 text/html 1234 bytes`
fn words(response: &Response, framing: Framing) -> String {
    let kind = response.fields.get("Content-Type").unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    let space = if kind.is_empty() { "" } else { " " };
    match framing {
        Framing::None => format!("{}", response.status),
        Framing::Length(length) => format!("{}{space}{kind} {length} bytes", response.status),
        Framing::Chunked | Framing::ToClose => {
            format!("{}{space}{kind} in pieces", response.status)
        }
    }
}

fn verb(status: u16) -> Verb {
    let digit = |place: u16| b'0' + (status / place % 10) as u8;
    Verb::from_bytes(&[digit(100), digit(10), digit(1)])
}
