//! The client's side: relaying to another server and handing letters in.
//!
//! Commands wait in `to_send` until the server may hear them: one at a time, or, where it offers
//! PIPELINING, in groups that end where the table says (RFC 2920 3.1). Each reply belongs to the
//! oldest command in `awaiting`; a reply that comes before it is due ends the dialogue. What became
//! of each recipient is read from [`Client::outcome`] at the end.

mod job;
mod replies;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::convert::Infallible;

use guichet_trace::{Moment, Verb};

pub use job::{Fate, Job, Letter, Outcome, TlsPolicy};

use super::limits::{
    DATA_PATIENCE, FINAL_PATIENCE, PIPELINED_COMMANDS_MOST, QUIT_PATIENCE, REPLY_LINE_BYTES_MOST,
    REPLY_PATIENCE,
};
use super::reply::{Collected, Collector, code_verb};
use super::table::{Command, Stage};
use crate::common::sasl;
use crate::outbox::Outbox;
use crate::session::{Expect, Input, Message, Session, SourceEnd, SourceForm};

type Out = Outbox<Infallible>;

/// The client's side of one dialogue.
#[derive(Debug)]
pub struct Client {
    job: Job,
    outcome: Outcome,
    /// What is decided of the recipients of the letter under way; `None` where DATA decides.
    fates: Vec<Option<Fate>>,
    /// Which letter is under way, or next.
    letter: usize,
    /// Letters begun, which number the parts of the exchange.
    transactions: u32,
    offers: Offers,
    secured: bool,
    authenticated: bool,
    stage: Stage,
    to_send: VecDeque<Step>,
    awaiting: VecDeque<Step>,
    collector: Collector,
    /// Between the reply to STARTTLS and the end of the handshake.
    securing: bool,
    stopping: bool,
    over: bool,
}

/// What the reply to EHLO offered.
#[derive(Debug, Default)]
struct Offers {
    pipelining: bool,
    start_tls: bool,
    plain: bool,
    login: bool,
    /// `SIZE`, with its limit if one is named.
    size: bool,
    size_bytes_most: Option<u64>,
    eight_bit: bool,
    utf8: bool,
}

/// Something that is said and has a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing is said: the server speaks first.
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Plain,
    Login,
    LoginName,
    LoginPassword,
    Mail,
    Rcpt(usize),
    Data,
    /// The letter; its reply decides for all accepted recipients.
    Body,
    Rset,
    Quit,
}

impl Step {
    /// Its row in the table both sides share.
    fn command(self) -> Option<Command> {
        match self {
            Self::Greeting | Self::Body | Self::LoginName | Self::LoginPassword => None,
            Self::Ehlo => Some(Command::Ehlo),
            Self::Helo => Some(Command::Helo),
            Self::StartTls => Some(Command::StartTls),
            Self::Plain | Self::Login => Some(Command::Auth),
            Self::Mail => Some(Command::Mail),
            Self::Rcpt(_) => Some(Command::Rcpt),
            Self::Data => Some(Command::Data),
            Self::Rset => Some(Command::Rset),
            Self::Quit => Some(Command::Quit),
        }
    }

    /// Nothing may be said behind it before its reply.
    fn ends_group(self) -> bool {
        self.command()
            .is_none_or(|command| command.row().ends_group)
    }
}

impl Client {
    /// A session that does this job.
    pub fn new(job: Job) -> Self {
        let secured = job.tls == TlsPolicy::Implicit;
        Self {
            outcome: Outcome::default(),
            fates: Vec::new(),
            letter: 0,
            transactions: 0,
            offers: Offers::default(),
            secured,
            authenticated: false,
            stage: Stage::Connected,
            to_send: VecDeque::new(),
            awaiting: VecDeque::from([Step::Greeting]),
            collector: Collector::default(),
            securing: false,
            stopping: false,
            over: false,
            job,
        }
    }

    /// What became of every recipient of every letter. Complete whatever happened: what was not
    /// decided when the dialogue ended is deferred.
    pub fn outcome(&self) -> Outcome {
        let mut outcome = self.outcome.clone();
        let words = match &outcome.failed {
            Some(words) => words.clone(),
            None => "the connection ended before the server had decided".to_string(),
        };
        let undecided = Fate::Deferred { code: 421, words };
        if outcome.letters.len() < self.job.letters.len() && !self.fates.is_empty() {
            let fates = self.fates.iter().cloned();
            let fates = fates.map(|fate| fate.unwrap_or_else(|| undecided.clone()));
            outcome.letters.push(fates.collect());
        }
        for letter in &self.job.letters[outcome.letters.len()..] {
            let fates = letter.recipients.iter().map(|_| undecided.clone());
            outcome.letters.push(fates.collect());
        }
        outcome
    }

    // ----- saying -----

    /// Says what may be said now.
    fn pump(&mut self, out: &mut Out) {
        let window = match self.offers.pipelining {
            true => PIPELINED_COMMANDS_MOST,
            false => 1,
        };
        while !self.over && self.awaiting.len() < window {
            if self.awaiting.back().is_some_and(|step| step.ends_group()) {
                return;
            }
            let Some(step) = self.to_send.pop_front() else {
                return;
            };
            if self.awaiting.is_empty() && out.unread_bytes() > 0 && step != Step::Quit {
                // It has spoken before it was asked; what it said comes next and is nobody's reply.
                self.to_send.push_front(step);
                return;
            }
            self.say(step, out);
            self.awaiting.push_back(step);
        }
    }

    fn say(&mut self, step: Step, out: &mut Out) {
        out.part(self.part_of(step));
        out.patience(patience(step));
        let word = step.command().map_or("AUTH", Command::word);
        let verb = Verb::new(word);
        let line = self.line(step);
        let about = out.say_with(verb, |buffer| {
            buffer.extend_from_slice(line.as_bytes());
            buffer.extend_from_slice(b"\r\n");
        });
        match step {
            Step::Plain => {
                about
                    .mask("AUTH PLAIN ".len()..line.len())
                    .text("AUTH PLAIN");
            }
            Step::LoginName | Step::LoginPassword => {
                about.mask(0..line.len()).text("(a secret)");
            }
            Step::Mail => about.causes.extend(&self.job.letters[self.letter].causes),
            _ => {}
        }
    }

    fn line(&self, step: Step) -> String {
        let login = self.job.login.as_ref();
        match step {
            Step::Ehlo => format!("EHLO {}", self.job.client_name),
            Step::Helo => format!("HELO {}", self.job.client_name),
            Step::Plain => {
                let response = login.map(sasl::encode_plain).unwrap_or_default();
                format!("AUTH PLAIN {response}")
            }
            Step::Login => "AUTH LOGIN".to_string(),
            Step::LoginName => login.map_or(String::new(), |l| sasl::encode(l.login.as_bytes())),
            Step::LoginPassword => {
                login.map_or(String::new(), |l| sasl::encode(l.password.as_bytes()))
            }
            Step::Mail => self.mail_line(),
            Step::Rcpt(index) => {
                format!(
                    "RCPT TO:<{}>",
                    self.job.letters[self.letter].recipients[index]
                )
            }
            Step::Greeting | Step::Body => String::new(),
            Step::StartTls | Step::Data | Step::Rset | Step::Quit => {
                step.command().map_or("", Command::word).to_string()
            }
        }
    }

    fn mail_line(&self) -> String {
        let letter = &self.job.letters[self.letter];
        let mut line = format!("MAIL FROM:<{}>", letter.sender);
        if self.offers.size {
            line.push_str(&format!(" SIZE={}", letter.size_bytes));
        }
        if letter.eight_bit {
            line.push_str(" BODY=8BITMIME");
        }
        if letter.utf8 {
            line.push_str(" SMTPUTF8");
        }
        line
    }

    /// The part of the exchange a step belongs to: the n-th MAIL begins part n.
    fn part_of(&self, step: Step) -> u32 {
        match step {
            Step::Mail | Step::Rcpt(_) | Step::Data | Step::Body | Step::Rset => self.transactions,
            _ => 0,
        }
    }

    fn send_letter(&mut self, out: &mut Out) {
        let verb = Verb::new(Command::Data.word());
        out.patience(DATA_PATIENCE);
        if self.fates.iter().any(Option::is_none) {
            let letter = &self.job.letters[self.letter];
            let about = out.send(verb, letter.source, SourceForm::Dot);
            about.text(format!("{} bytes", letter.size_bytes));
        } else {
            // 354 although nobody was accepted: an empty letter for nobody (RFC 2920 3.1).
            out.say(verb, b".\r\n").text("0 bytes");
            out.patience(FINAL_PATIENCE);
        }
        self.awaiting.push_back(Step::Body);
    }

    fn source_end(&mut self, end: SourceEnd, out: &mut Out) {
        match end.whole {
            true => out.patience(FINAL_PATIENCE),
            // Without the final dot the server keeps nothing (RFC 5321 4.1.1.4).
            false => self.fail("the letter could not be read to its end", out),
        }
    }

    // ----- hearing -----

    fn line_heard(&mut self, message: Message<'_>, out: &mut Out) {
        let step = self.awaiting.front().copied();
        let part = step.map_or(0, |step| self.part_of(step));
        out.part(part);
        match self.collector.line(message.bytes) {
            Collected::More => {
                out.received(Verb::new("..."));
            }
            Collected::Whole(code, lines) => {
                out.received(code_verb(code));
                self.awaiting.pop_front();
                match step {
                    Some(step) => self.replied(step, code, &lines, out),
                    None => self.unexpected(code, &lines, out),
                }
                self.pump(out);
            }
            Collected::Wrong => {
                out.received(Verb::new("?"));
                self.fail("the server said something that is not a reply", out);
            }
        }
        out.part(part); // the reply's own, whatever was said after it
    }

    fn unexpected(&mut self, code: u16, lines: &[String], out: &mut Out) {
        match code {
            421 => self.fail(&said(code, lines), out),
            _ => self.fail("the server spoke before it was asked", out),
        }
    }

    // ----- ending -----

    /// The dialogue cannot go on; what is not decided is deferred.
    fn fail(&mut self, words: &str, out: &mut Out) {
        if self.outcome.failed.is_none() && !self.is_saying_goodbye() {
            self.outcome.failed = Some(words.to_string());
        }
        self.over = true;
        out.close();
    }

    fn is_saying_goodbye(&self) -> bool {
        self.awaiting.front() == Some(&Step::Quit)
    }
}

fn patience(step: Step) -> core::time::Duration {
    match step {
        Step::Data => DATA_PATIENCE,
        Step::Quit => QUIT_PATIENCE,
        _ => REPLY_PATIENCE,
    }
}

/// A reply in words, as it goes into a report.
fn said(code: u16, lines: &[String]) -> String {
    format!("{code} {}", lines.join(" ")).trim_end().to_string()
}

impl Session for Client {
    type Ask = Infallible;
    type Answer = Infallible;

    fn protocol(&self) -> &'static str {
        "smtp"
    }

    fn expects(&self) -> Expect {
        match self.over || self.securing {
            true => Expect::Nothing,
            false => Expect::Line {
                most: REPLY_LINE_BYTES_MOST,
            },
        }
    }

    fn on(&mut self, _: Moment, input: Input<'_, Infallible>, out: &mut Out) {
        if self.over {
            return;
        }
        match input {
            Input::Opened => out.patience(REPLY_PATIENCE),
            Input::Message(message) => self.line_heard(message, out),
            Input::SourceEnd(end) => self.source_end(end, out),
            Input::Secured => self.secured(out),
            Input::TooLong => self.fail("the server's reply has a line that is too long", out),
            Input::Deadline => self.fail("the server did not answer in time", out),
            Input::HalfClosed => self.fail("the server closed the connection", out),
            Input::Stopping => self.stopping = true,
            Input::Answer(never) | Input::Event(never) => match never {},
            Input::BodyEnd(_) | Input::Channel(..) => {}
        }
    }

    fn state(&self) -> &'static str {
        match self.awaiting.front() {
            _ if self.over => "over",
            _ if self.securing => "securing",
            Some(Step::Greeting) => "connected",
            Some(Step::Ehlo | Step::Helo) => "greeting",
            Some(Step::StartTls) => "securing",
            Some(Step::Plain | Step::Login | Step::LoginName | Step::LoginPassword) => "logging in",
            Some(Step::Body) => "data",
            Some(Step::Quit) => "leaving",
            _ => self.stage.name(),
        }
    }
}
