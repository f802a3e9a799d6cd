//! The client's side: looks whether mail has come, fetches it, deletes what its keeper has kept.
//!
//! One command at a time: what is fetched must be on disk before it is deleted on the server, so
//! pipelining would gain little. Which messages are wanted, its service says ([`Collect`]).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use guichet_trace::{Moment, Verb};

use super::ask::{Collect, Collected};
use super::job::{Fetch, Job, Outcome, TlsPolicy};
use super::limits::{
    MESSAGE_BYTES_MOST, MESSAGES_MOST, QUIT_PATIENCE, REPLY_LINE_BYTES_MOST, REPLY_PATIENCE,
};
use super::table::{Command, Stage};
use crate::common::sasl;
use crate::outbox::Outbox;
use crate::session::{BodyEnd, BodyForm, Expect, Input, LineEnds, Message, Session, TlsSide};

/// The client's side of one dialogue.
#[derive(Debug)]
pub struct Client {
    job: Job,
    outcome: Outcome,
    doing: Doing,
    stage: Stage,
    secured: bool,
    capabilities: Capabilities,
    /// Number, unique id, octets.
    listed: Vec<Listed>,
    /// Index in `listed` of the message under way.
    at: usize,
    /// Messages asked for so far, which number the parts of the exchange.
    retrievals: u32,
    stopping: bool,
}

#[derive(Debug, Default)]
struct Capabilities {
    stls: bool,
    user: bool,
    plain: bool,
}

#[derive(Debug)]
struct Listed {
    number: u32,
    unique_id: String,
    octets: u64,
}

/// What the session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Greeting,
    /// The status line that answers a command.
    Status(Command),
    /// The lines behind it.
    Lines(Command),
    /// The answer to `AUTH PLAIN`, whose response went with it.
    Plain,
    /// A message.
    Body,
    /// The service.
    Asking,
    Securing,
    Over,
}

type Out = Outbox<Collect>;

impl Client {
    /// A session that does this job.
    pub fn new(job: Job) -> Self {
        let secured = job.tls == TlsPolicy::Implicit;
        Self {
            outcome: Outcome {
                secured,
                ..Outcome::default()
            },
            doing: Doing::Greeting,
            stage: Stage::Authorization,
            secured,
            capabilities: Capabilities::default(),
            listed: Vec::new(),
            at: 0,
            retrievals: 0,
            stopping: false,
            job,
        }
    }

    /// What became of the job. Complete only when the dialogue has ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    // ----- saying -----

    fn say(&mut self, command: Command, argument: &str, out: &mut Out) {
        let word = command.word();
        let about = out.say_with(Verb::new(word), |buffer| {
            buffer.extend_from_slice(word.as_bytes());
            if !argument.is_empty() {
                buffer.push(b' ');
                buffer.extend_from_slice(argument.as_bytes());
            }
            buffer.extend_from_slice(b"\r\n");
        });
        if matches!(command, Command::Pass | Command::Auth) {
            about
                .mask(word.len()..word.len() + 1 + argument.len())
                .text(word);
        }
        out.patience(match command {
            Command::Quit => QUIT_PATIENCE,
            _ => REPLY_PATIENCE,
        });
        self.doing = match command {
            Command::Auth => Doing::Plain,
            _ => Doing::Status(command),
        };
    }

    fn quit(&mut self, out: &mut Out) {
        out.part(0);
        self.say(Command::Quit, "", out);
    }

    fn fail(&mut self, words: impl Into<String>, out: &mut Out) {
        if self.outcome.failed.is_none() {
            self.outcome.failed = Some(words.into());
        }
        self.doing = Doing::Over;
        out.close();
    }

    /// The server said no to something without which there is no point in going on.
    fn give_up(&mut self, words: &str, out: &mut Out) {
        self.outcome.failed = Some(words.to_string());
        self.quit(out);
    }

    // ----- hearing -----

    fn line(&mut self, message: Message<'_>, out: &mut Out) {
        let part = match self.doing {
            Doing::Status(Command::Retr | Command::Dele) => self.retrievals,
            _ => 0,
        };
        match self.doing {
            Doing::Lines(command) => {
                out.received(Verb::new("..."));
                self.listed_line(command, message.bytes, out);
            }
            _ => self.status(message.bytes, out),
        }
        if !matches!(self.doing, Doing::Body) {
            out.part(part); // the reply's own, whatever was said after it
        }
    }

    fn status(&mut self, line: &[u8], out: &mut Out) {
        let text = String::from_utf8_lossy(line);
        let (status, words) = text.split_once(' ').unwrap_or((&text, ""));
        let yes = match status {
            "+OK" => true,
            "-ERR" => false,
            _ => {
                out.received(Verb::new("?"));
                return self.fail("the server said something that is not POP3", out);
            }
        };
        out.received(Verb::new(status));
        let is_end = matches!(self.doing, Doing::Status(Command::Quit));
        if out.unread_bytes() > 0 && yes && !is_end && !self.has_lines() {
            return self.fail("the server spoke before it was asked", out);
        }
        match self.doing {
            Doing::Greeting if yes => self.say(Command::Capa, "", out),
            Doing::Plain if yes => self.logged_in(out),
            Doing::Status(command) => self.answered(command, yes, words, out),
            _ => self.give_up(&text, out),
        }
    }

    /// Whether more lines follow a positive status.
    fn has_lines(&self) -> bool {
        use Command::{Capa, List, Retr, Stls, Uidl};
        // What stands behind STLS is thrown away before the handshake.
        matches!(self.doing, Doing::Status(Capa | List | Uidl | Retr | Stls))
    }

    fn answered(&mut self, command: Command, yes: bool, words: &str, out: &mut Out) {
        match command {
            Command::Capa | Command::Uidl | Command::List if yes => {
                self.doing = Doing::Lines(command);
            }
            Command::Capa => {
                self.capabilities.user = true; // a server without CAPA has USER (RFC 1939)
                self.introduced(out);
            }
            Command::Uidl => self.say(Command::List, "", out),
            Command::Stls if yes => {
                out.secure(TlsSide::Client);
                self.doing = Doing::Securing;
            }
            Command::Stls if self.job.tls == TlsPolicy::IfOffered => self.log_in(out),
            Command::User if yes => {
                let password = self.job.login.password.clone();
                self.say(Command::Pass, &password, out);
            }
            Command::Pass if yes => self.logged_in(out),
            Command::Stat if yes => self.counted(words, out),
            Command::Retr => self.retrieving(yes, words, out),
            Command::Dele => {
                match (yes, self.listed.get(self.at)) {
                    (true, Some(listed)) => self.outcome.marked.push(listed.number),
                    _ => self.note_refusal(words),
                }
                self.next_message(out);
            }
            Command::Quit => {
                self.outcome.deleted = yes && !self.outcome.marked.is_empty();
                if !yes {
                    self.note_refusal(words);
                }
                self.doing = Doing::Over;
                out.close();
            }
            _ => self.give_up(words, out),
        }
    }

    fn note_refusal(&mut self, words: &str) {
        let first = self.outcome.failed.take();
        self.outcome.failed = first.or_else(|| Some(words.to_string()));
    }

    /// A line of CAPA, UIDL or LIST, until the line with nothing but a dot.
    fn listed_line(&mut self, command: Command, line: &[u8], out: &mut Out) {
        if line == b"." {
            return match command {
                Command::Capa => self.introduced(out),
                Command::Uidl => self.say(Command::List, "", out),
                _ => self.next_message(out),
            };
        }
        let line = line.strip_prefix(b".").unwrap_or(line);
        let text = String::from_utf8_lossy(line);
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match command {
            Command::Capa => self.capability(first, &text),
            _ if self.listed.len() >= MESSAGES_MOST as usize => {
                self.fail("the server lists messages without end", out);
            }
            _ => self.list(command, first, second),
        }
    }

    fn capability(&mut self, word: &str, line: &str) {
        let is = |known: &str| word.eq_ignore_ascii_case(known);
        self.capabilities.stls |= is("STLS");
        self.capabilities.user |= is("USER");
        let has_plain = || {
            line.split(' ')
                .any(|word| word.eq_ignore_ascii_case("PLAIN"))
        };
        self.capabilities.plain |= is("SASL") && has_plain();
    }

    fn list(&mut self, command: Command, first: &str, second: &str) {
        let Ok(number) = first.parse() else { return };
        if command == Command::Uidl {
            self.listed.push(Listed {
                number,
                unique_id: second.to_string(),
                octets: 0,
            });
            return;
        }
        let octets = second.parse().unwrap_or(0);
        let index = self
            .listed
            .binary_search_by_key(&number, |listed| listed.number);
        match index {
            Ok(index) => self.listed[index].octets = octets,
            Err(_) => self.listed.push(Listed {
                number,
                unique_id: String::new(),
                octets,
            }),
        }
    }

    // ----- the way through -----

    /// The capabilities are known.
    fn introduced(&mut self, out: &mut Out) {
        let wants_tls = matches!(self.job.tls, TlsPolicy::IfOffered | TlsPolicy::Required);
        if wants_tls && !self.secured && self.capabilities.stls {
            self.say(Command::Stls, "", out);
        } else if self.job.tls == TlsPolicy::Required && !self.secured {
            self.give_up("the server does not offer TLS; no password was sent", out);
        } else {
            self.log_in(out);
        }
    }

    fn log_in(&mut self, out: &mut Out) {
        let login = &self.job.login;
        if [&login.login, &login.password]
            .iter()
            .any(|text| text.contains(['\r', '\n', '\0']))
        {
            return self.give_up("the name or the password holds a line end", out);
        }
        match self.capabilities.plain && !self.capabilities.user {
            true => {
                let response = sasl::encode_plain(login);
                self.say(Command::Auth, &format!("PLAIN {response}"), out);
            }
            false => {
                let name = login.login.clone();
                self.say(Command::User, &name, out);
            }
        }
    }

    /// TLS is in force: what was said in clear is forgotten (RFC 2595 section 4).
    fn secured(&mut self, out: &mut Out) {
        self.secured = true;
        self.outcome.secured = true;
        self.capabilities = Capabilities::default();
        self.say(Command::Capa, "", out);
    }

    fn logged_in(&mut self, out: &mut Out) {
        self.outcome.logged_in = true;
        self.stage = Stage::Transaction;
        self.say(Command::Stat, "", out);
    }

    fn counted(&mut self, words: &str, out: &mut Out) {
        let mut numbers = words.split(' ');
        let count = numbers.next().and_then(|number| number.parse().ok());
        let octets = numbers.next().and_then(|number| number.parse().ok());
        let (Some(count), Some(octets)) = (count, octets) else {
            return self.fail("the server's STAT has no two numbers", out);
        };
        (self.outcome.count, self.outcome.octets) = (count, octets);
        match count == 0 || self.job.fetch == Fetch::CountOnly {
            true => self.quit(out),
            false => {
                self.at = usize::MAX; // before the first
                self.say(Command::Uidl, "", out);
            }
        }
    }

    fn next_message(&mut self, out: &mut Out) {
        self.at = self.at.wrapping_add(1);
        let listed = self.listed.get(self.at).filter(|_| !self.stopping);
        let Some(listed) = listed else {
            return self.quit(out);
        };
        out.ask(Collect::Begin {
            number: listed.number,
            unique_id: listed.unique_id.clone(),
            octets: listed.octets,
        });
        self.doing = Doing::Asking;
    }

    fn decided(&mut self, answer: Collected, out: &mut Out) {
        let Some(listed) = self.listed.get(self.at) else {
            return;
        };
        let number = listed.number;
        match answer {
            Collected::Take => {
                self.retrievals += 1;
                out.part(self.retrievals);
                self.say(Command::Retr, &number.to_string(), out);
            }
            Collected::Skip => self.next_message(out),
            Collected::Kept => {
                self.outcome.kept.push(number);
                match self.job.keep {
                    true => self.next_message(out),
                    false => {
                        out.part(self.retrievals);
                        self.say(Command::Dele, &number.to_string(), out);
                    }
                }
            }
        }
    }

    fn retrieving(&mut self, yes: bool, words: &str, out: &mut Out) {
        match yes {
            true => self.doing = Doing::Body,
            false => {
                self.note_refusal(words);
                self.next_message(out);
            }
        }
    }

    fn body_end(&mut self, end: BodyEnd, out: &mut Out) {
        out.received(Verb::new(Command::Retr.word()))
            .text(format!("{} bytes", end.bytes));
        match end.fault {
            None => {
                out.ask(Collect::End { bytes: end.bytes });
                self.doing = Doing::Asking;
            }
            Some(_) => self.fail("a message did not arrive whole", out),
        }
    }
}

impl Session for Client {
    type Ask = Collect;
    type Answer = Collected;

    fn protocol(&self) -> &'static str {
        "pop3"
    }

    fn expects(&self) -> Expect {
        match self.doing {
            Doing::Asking | Doing::Securing | Doing::Over => Expect::Nothing,
            Doing::Body => Expect::Body {
                form: BodyForm::Dot(LineEnds::Normalise),
                most: MESSAGE_BYTES_MOST,
            },
            _ => Expect::Line {
                most: REPLY_LINE_BYTES_MOST,
            },
        }
    }

    fn on(&mut self, _: Moment, input: Input<'_, Collected>, out: &mut Out) {
        match input {
            _ if self.doing == Doing::Over => {}
            Input::Opened => out.patience(REPLY_PATIENCE),
            Input::Message(message) => self.line(message, out),
            Input::BodyEnd(end) => self.body_end(end, out),
            Input::Answer(answer) => self.decided(answer, out),
            Input::Secured => self.secured(out),
            Input::TooLong => self.fail("the server's reply has a line that is too long", out),
            Input::Deadline => self.fail("the server did not answer in time", out),
            Input::HalfClosed => self.fail("the server closed the connection", out),
            Input::Stopping => self.stopping = true,
            Input::Event(_) | Input::SourceEnd(_) | Input::Channel(..) => {}
        }
    }

    fn state(&self) -> &'static str {
        match self.doing {
            Doing::Greeting => "connected",
            Doing::Securing => "securing",
            Doing::Body => "receiving",
            Doing::Over => "over",
            _ => self.stage.name(),
        }
    }
}
