//! The shapes of dialogue the `Session` trait has to carry, tried with small fake protocols before
//! the real ones come: a pushed event and a literal (as in IMAP), an abort while a second channel
//! is transferring (as in FTP), a push while an Ask is open, half-close, deadlines, and TLS with
//! bytes injected behind the command that asked for it.
#![allow(clippy::unwrap_used, reason = "a test may stop here")]

use std::time::Duration;

use guichet_proto::dialogue::End;
use guichet_proto::session::NoTap;
use guichet_proto::{
    ChannelEvent, ChannelId, ChannelOrder, Dialogue, Expect, Input, Moment, Next, Outbox, Session,
    SourceId, TlsSide, Verb,
};

const REPLY: Verb = Verb::new("REPLY");
const START: Moment = Moment(0);
const DATA_CHANNEL: ChannelId = ChannelId(1);

/// A fake server with the shapes of several protocols in it.
#[derive(Default)]
struct Shapes {
    state: State,
}

#[derive(Default, PartialEq)]
enum State {
    #[default]
    Commands,
    Literal(usize),
    Idle,
    Thinking,
    Transferring,
}

impl Session for Shapes {
    type Ask = &'static str;
    type Answer = String;

    fn protocol(&self) -> &'static str {
        "shapes"
    }

    fn expects(&self) -> Expect {
        match self.state {
            State::Literal(bytes) => Expect::Block { bytes },
            State::Thinking => Expect::Nothing,
            _ => Expect::Line { most: 100 },
        }
    }

    fn on(&mut self, now: Moment, input: Input<'_, String>, out: &mut Outbox<&'static str>) {
        match input {
            Input::Opened => {
                out.patience(Duration::from_secs(60));
                out.wake_at(Some(now.after(Duration::from_secs(600))));
                say(out, "* ready");
            }
            Input::Message(message) => self.command(message.bytes, out),
            Input::Event(text) => say(out, &format!("* {text}")),
            Input::Answer(text) => {
                self.state = State::Commands;
                say(out, &text);
            }
            Input::Channel(_, ChannelEvent::Ended { whole, .. }) => {
                self.state = State::Commands;
                say(out, if whole { "226 done" } else { "426 aborted" });
            }
            Input::HalfClosed => out.close(),
            Input::Deadline => {
                say(out, "* too slow");
                out.close();
            }
            Input::Stopping => {
                say(out, "* BYE");
                out.close();
            }
            Input::Secured => say(out, "* in private"),
            Input::TooLong => say(out, "BAD too long"),
            Input::Channel(..) | Input::BodyEnd(_) | Input::SourceEnd(_) => {}
        }
    }

    fn state(&self) -> &'static str {
        "shapes"
    }
}

impl Shapes {
    fn command(&mut self, bytes: &[u8], out: &mut Outbox<&'static str>) {
        match (&self.state, bytes) {
            (State::Literal(_), literal) => {
                self.state = State::Commands;
                say(out, &format!("OK got {}", literal.len()));
            }
            (State::Idle, b"DONE") => {
                self.state = State::Commands;
                say(out, "OK idle over");
            }
            (_, b"LITERAL {5}") => {
                self.state = State::Literal(5);
                say(out, "+ go on");
            }
            (_, b"IDLE") => {
                self.state = State::Idle;
                say(out, "+ idling");
            }
            (_, b"THINK") => {
                self.state = State::Thinking;
                out.ask("think");
            }
            (_, b"RETR") => {
                self.state = State::Transferring;
                out.channel(ChannelOrder::Listen(DATA_CHANNEL));
                out.channel(ChannelOrder::Send(DATA_CHANNEL, SourceId(7)));
                say(out, "150 coming");
            }
            (State::Transferring, b"ABOR") => out.channel(ChannelOrder::Abort(DATA_CHANNEL)),
            (_, b"STARTTLS") => {
                say(out, "220 go ahead");
                out.secure(TlsSide::Server);
            }
            _ => say(out, "BAD"),
        }
    }
}

fn say(out: &mut Outbox<&'static str>, text: &str) {
    out.say_with(REPLY, |buffer| {
        buffer.extend_from_slice(text.as_bytes());
        buffer.extend_from_slice(b"\r\n");
    });
}

/// Drives by hand: what is to be done besides sending is returned.
struct Hand {
    dialogue: Dialogue<Shapes>,
    now: Moment,
    heard: String,
}

impl Hand {
    fn new() -> Self {
        let dialogue = Dialogue::open(Shapes::default(), START);
        let mut hand = Self {
            dialogue,
            now: START,
            heard: String::new(),
        };
        assert!(hand.idle());
        assert_eq!(hand.take(), "* ready\r\n");
        hand
    }

    fn at(&mut self, seconds: u64) {
        self.now = START.after(Duration::from_secs(seconds));
        self.dialogue.tick(self.now);
    }

    fn next(&mut self) -> Next<&'static str> {
        loop {
            let next = self.dialogue.next(self.now, &mut NoTap);
            while !self.dialogue.output().is_empty() {
                self.heard
                    .push_str(str::from_utf8(self.dialogue.output()).unwrap());
                let count = self.dialogue.output().len();
                self.dialogue.sent(self.now, count);
            }
            if !matches!(next, Next::Flush) {
                return next;
            }
        }
    }

    fn hear(&mut self, text: &str) {
        self.dialogue.receive(text.as_bytes());
    }

    fn idle(&mut self) -> bool {
        matches!(self.next(), Next::Idle)
    }

    fn take(&mut self) -> String {
        std::mem::take(&mut self.heard)
    }
}

#[test]
fn a_literal_is_a_block_and_what_is_behind_it_a_line_again() {
    let mut hand = Hand::new();
    hand.hear("LITERAL {5}\r\nab\r\ncIDLE\r\n");
    assert!(hand.idle());
    assert_eq!(hand.take(), "+ go on\r\nOK got 5\r\n+ idling\r\n");
}

#[test]
fn an_event_is_told_while_the_client_idles() {
    let mut hand = Hand::new();
    hand.hear("IDLE\r\n");
    assert!(hand.idle());
    hand.dialogue.event(START, "1 EXISTS".to_owned());
    assert!(hand.idle());
    hand.hear("DO");
    assert!(hand.idle());
    hand.hear("NE\r\n");
    assert!(hand.idle());
    assert_eq!(hand.take(), "+ idling\r\n* 1 EXISTS\r\nOK idle over\r\n");
}

#[test]
fn a_push_while_an_ask_is_open_is_told_at_once_and_input_waits_for_the_answer() {
    let mut hand = Hand::new();
    hand.hear("THINK\r\nIDLE\r\n");
    assert!(matches!(hand.next(), Next::Ask("think")));
    assert!(hand.idle());
    hand.dialogue.event(START, "news".to_owned());
    assert!(hand.idle());
    assert_eq!(hand.take(), "* news\r\n");
    hand.dialogue.answer(START, "OK thought".to_owned());
    assert!(hand.idle());
    assert_eq!(hand.take(), "OK thought\r\n+ idling\r\n");
}

#[test]
fn an_abort_is_heard_while_the_second_channel_transfers() {
    let mut hand = Hand::new();
    hand.hear("RETR\r\n");
    assert!(matches!(
        hand.next(),
        Next::Channel(ChannelOrder::Listen(DATA_CHANNEL))
    ));
    assert!(matches!(
        hand.next(),
        Next::Channel(ChannelOrder::Send(_, SourceId(7)))
    ));
    assert!(hand.idle());
    assert_eq!(hand.take(), "150 coming\r\n");
    hand.dialogue
        .channel(START, DATA_CHANNEL, ChannelEvent::Opened);
    hand.hear("ABOR\r\n");
    assert!(matches!(
        hand.next(),
        Next::Channel(ChannelOrder::Abort(DATA_CHANNEL))
    ));
    let ended = ChannelEvent::Ended {
        bytes: 123,
        whole: false,
    };
    hand.dialogue.channel(START, DATA_CHANNEL, ended);
    assert!(hand.idle());
    assert_eq!(hand.take(), "426 aborted\r\n");
}

#[test]
fn a_half_close_is_told_after_what_was_said_and_the_answer_still_goes_out() {
    let mut hand = Hand::new();
    hand.hear("THINK\r\n");
    hand.dialogue.input_ended();
    assert!(matches!(hand.next(), Next::Ask("think")));
    assert!(hand.idle());
    hand.dialogue.answer(START, "OK thought".to_owned());
    assert!(matches!(hand.next(), Next::Close(_)));
    assert_eq!(hand.take(), "OK thought\r\n");
}

#[test]
fn what_was_injected_behind_starttls_is_gone() {
    let mut hand = Hand::new();
    hand.hear("STARTTLS\r\nIDLE\r\nTHI");
    assert!(matches!(hand.next(), Next::Secure(TlsSide::Server)));
    assert_eq!(hand.take(), "220 go ahead\r\n");
    hand.dialogue.secured(START);
    hand.hear("NK\r\n");
    assert!(hand.idle());
    assert_eq!(hand.take(), "* in private\r\nBAD\r\n");
}

#[test]
fn patience_ends_when_nothing_moves() {
    let mut hand = Hand::new();
    hand.at(59);
    assert!(hand.idle());
    hand.hear("IDLE\r\n");
    assert!(hand.idle());
    hand.at(118);
    assert!(hand.idle());
    assert_eq!(hand.take(), "+ idling\r\n");
    hand.at(119);
    assert!(matches!(hand.next(), Next::Close(_)));
    assert_eq!(hand.take(), "* too slow\r\n");
}

#[test]
fn the_moment_to_wake_comes_whatever_moves() {
    let mut hand = Hand::new();
    for seconds in (30..600).step_by(30) {
        hand.at(seconds);
        hand.hear("DONE\r\n");
        assert!(hand.idle());
        assert_eq!(hand.take(), "BAD\r\n");
    }
    hand.at(600);
    assert!(matches!(hand.next(), Next::Close(_)));
    assert_eq!(hand.take(), "* too slow\r\n");
}

#[test]
fn who_reads_slowly_at_the_moment_to_wake_still_hears_the_last_words() {
    let mut hand = Hand::new();
    for seconds in (30..600).step_by(30) {
        hand.at(seconds);
        hand.hear("DONE\r\n");
        assert!(hand.idle());
    }
    hand.take();
    hand.at(599);
    hand.hear("DONE\r\n");
    assert!(matches!(
        hand.dialogue.next(hand.now, &mut NoTap),
        Next::Idle
    ));
    assert_eq!(hand.dialogue.output(), b"BAD\r\n");
    hand.at(600);
    assert!(matches!(hand.next(), Next::Close(End::Done)));
    assert_eq!(hand.take(), "BAD\r\n* too slow\r\n");
}

#[test]
fn an_over_long_line_is_told_once_and_dropped_to_its_end() {
    let mut hand = Hand::new();
    for _ in 0..100 {
        hand.hear(&"x".repeat(1000));
        assert!(hand.idle());
    }
    hand.hear("\r\nIDLE\r\n");
    assert!(hand.idle());
    assert_eq!(hand.take(), "BAD too long\r\n+ idling\r\n");
}
