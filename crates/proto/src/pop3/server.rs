//! The server's side.
//!
//! This file has the commands; `login` has USER, PASS, AUTH and STLS. A connection that ends
//! without QUIT deletes nothing (RFC 1939 section 6).

use alloc::format;
use alloc::string::{String, ToString};

use guichet_trace::{Cause, Moment, Verb};

use super::ask::{Answer, Ask};
use super::limits::{AUTH_LINE_BYTES_MOST, COMMAND_LINE_BYTES_MOST, ERRORS_MOST, SERVER_PATIENCE};
use super::login::Step;
use super::maildrop::{self, Held, Maildrop};
use super::table::{Command, Stage};
use crate::common::words::{first_word, push_plain};
use crate::outbox::Outbox;
use crate::session::{Expect, Input, LineEnd, Message, Session, SourceEnd, SourceForm, SourceId};

/// How a server session behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in the greeting.
    pub host_name: String,
    /// STLS is offered.
    pub tls_offered: bool,
    /// TLS has been in force since before the first byte (RFC 8314).
    pub secured: bool,
    /// Log-ins are taken without TLS: for a lab only.
    pub auth_in_clear: bool,
}

impl Settings {
    /// Settings that protect: no TLS offered, hence no log-in.
    pub fn new(host_name: impl Into<String>) -> Self {
        Self {
            host_name: host_name.into(),
            tls_offered: false,
            secured: false,
            auth_in_clear: false,
        }
    }
}

/// What a listener says when it can take no more connections, before it closes.
pub fn refusal_when_full(host_name: &str) -> String {
    let mut line = String::from("-ERR [SYS/TEMP] ");
    push_plain(&mut line, host_name, 255);
    line.push_str(" is serving as many as it can; please come again later\r\n");
    line
}

/// The server's side of one dialogue.
#[derive(Debug)]
pub struct Server {
    pub(super) settings: Settings,
    pub(super) stage: Stage,
    pub(super) doing: Doing,
    pub(super) secured: bool,
    /// The name USER gave.
    pub(super) login: String,
    pub(super) auth_failures: u32,
    maildrop: Maildrop,
    /// Messages asked for so far, which number the parts of the exchange.
    retrievals: u32,
    errors: u32,
    stopping: bool,
}

/// What the session is in the middle of.
#[derive(Debug)]
pub(super) enum Doing {
    /// Waiting for a command.
    Waiting,
    /// Waiting for a line of a log-in.
    LoggingIn(Step),
    /// Waiting for the service.
    Asking(Pending),
    /// A message is being sent.
    Sending,
    /// The handshake.
    Securing,
    /// The farewell has been said.
    Over,
}

/// What the open Ask is about.
#[derive(Debug)]
pub(super) enum Pending {
    Open,
    Retrieve { octets: u64 },
    Top,
    Delete,
}

pub(super) type Out = Outbox<Ask>;

impl Server {
    /// A session for one connection.
    pub fn new(settings: Settings) -> Self {
        Self {
            stage: Stage::Authorization,
            doing: Doing::Waiting,
            secured: settings.secured,
            login: String::new(),
            auth_failures: 0,
            maildrop: Maildrop::default(),
            retrievals: 0,
            errors: 0,
            stopping: false,
            settings,
        }
    }

    // ----- saying -----

    /// `+OK` and words; then the next command.
    pub(super) fn yes(&mut self, words: &str, out: &mut Out) {
        say_line("+OK", words, out);
        self.wait(out);
    }

    /// `-ERR` and words; then the next command.
    pub(super) fn no(&mut self, words: &str, out: &mut Out) {
        say_line("-ERR", words, out);
        self.wait(out);
    }

    /// As [`Server::no`], but it counts: after too many, goodbye.
    pub(super) fn mistake(&mut self, words: &str, out: &mut Out) {
        self.errors += 1;
        match self.errors > ERRORS_MOST {
            true => self.farewell("too many mistakes; please come again", out),
            false => self.no(words, out),
        }
    }

    pub(super) fn farewell(&mut self, words: &str, out: &mut Out) {
        say_line("-ERR", words, out);
        self.close(out);
    }

    pub(super) fn close(&mut self, out: &mut Out) {
        self.doing = Doing::Over;
        out.close();
    }

    /// A command boundary: the next command, or the farewell if this side is stopping.
    pub(super) fn wait(&mut self, out: &mut Out) {
        match self.stopping {
            true => {
                let words = "[SYS/TEMP] this server is stopping, nothing was deleted; come again";
                self.farewell(words, out);
            }
            false => self.doing = Doing::Waiting,
        }
    }

    // ----- commands -----

    fn line(&mut self, message: Message<'_>, out: &mut Out) {
        out.part(0);
        match core::mem::replace(&mut self.doing, Doing::Waiting) {
            Doing::LoggingIn(step) => self.login_line(step, message, out),
            Doing::Waiting => self.command_line(message, out),
            doing => self.doing = doing, // nothing is expected now
        }
    }

    fn command_line(&mut self, message: Message<'_>, out: &mut Out) {
        let line = match clean(message) {
            Ok(line) => line,
            Err(words) => {
                name_unknown(message.bytes.len(), out);
                return self.mistake(words, out);
            }
        };
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        let Some(command) = Command::parse(word) else {
            name_unknown(message.bytes.len(), out);
            return self.mistake("this command is not known here; CAPA lists what is", out);
        };
        let about = out.received(Verb::new(command.word()));
        if matches!(command, Command::Pass | Command::Auth) {
            about.mask(word.len()..line.len()).text(command.word());
        } else if command.row().arguments.1 == 0 && !argument.is_empty() {
            about.text(command.word()); // whatever stands behind it is nobody's business
        }
        let row = command.row();
        if let Some(words) = row.refusal_at(self.stage) {
            return self.mistake(words, out);
        }
        let count = match (command, argument) {
            (Command::Pass, "") => 0,
            (Command::Pass, _) => 1,
            _ => argument.split_ascii_whitespace().count(),
        };
        match row.arguments.0 <= count && count <= row.arguments.1 {
            true => self.carry_out(command, argument, out),
            false => self.mistake(&format!("say {}", row.usage), out),
        }
    }

    fn carry_out(&mut self, command: Command, argument: &str, out: &mut Out) {
        match command {
            Command::Capa => self.capabilities(out),
            Command::Stls => self.start_tls(out),
            Command::Auth => self.auth(argument, out),
            Command::User => self.user(argument.trim_matches(' '), out),
            Command::Pass => self.pass(argument, out),
            Command::Stat => {
                let (count, octets) = self.maildrop.total();
                self.yes(&format!("{count} {octets}"), out);
            }
            Command::List => self.list(argument, |held| held.entry.octets.to_string(), out),
            Command::Uidl => self.list(argument, |held| held.entry.unique_id.clone(), out),
            Command::Retr => self.retrieve(argument, out),
            Command::Top => self.top(argument, out),
            Command::Dele => self.delete(argument, out),
            Command::Rset => {
                self.maildrop.unmark();
                let (count, octets) = self.maildrop.total();
                let words = format!("{} ({octets} octets)", maildrop::messages(count));
                self.yes(&words, out);
            }
            Command::Noop => self.yes("nothing done", out),
            Command::Quit => self.quit(out),
        }
    }

    fn capabilities(&mut self, out: &mut Out) {
        let mut text = String::from("+OK what is offered here\r\n");
        let in_clear_only = self.stage == Stage::Authorization;
        for capability in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"] {
            text.push_str(capability);
            text.push_str("\r\n");
        }
        if self.takes_login() {
            text.push_str("USER\r\nSASL PLAIN\r\n");
        }
        if in_clear_only && self.settings.tls_offered && !self.secured {
            text.push_str("STLS\r\n");
        }
        text.push_str("IMPLEMENTATION Guichet\r\n.\r\n");
        out.say(OK, text.as_bytes());
        self.wait(out);
    }

    /// LIST and UIDL (RFC 1939 sections 5 and 7): of one message, or of all that are not marked.
    fn list(&mut self, argument: &str, show: impl Fn(&Held) -> String, out: &mut Out) {
        if argument.trim_matches(' ').is_empty() {
            out.say(OK, self.maildrop.list(show).as_bytes());
            return self.wait(out);
        }
        match self.maildrop.find(argument) {
            Err(words) => self.mistake(&words, out),
            Ok((number, held)) => {
                let words = format!("{number} {}", show(held));
                self.yes(&words, out);
            }
        }
    }

    fn retrieve(&mut self, argument: &str, out: &mut Out) {
        let part = self.next_part(out);
        match self.maildrop.find(argument) {
            Err(words) => self.mistake(&words, out),
            Ok((number, held)) => {
                held.part = part;
                let octets = held.entry.octets;
                out.ask(Ask::Retrieve { number });
                self.doing = Doing::Asking(Pending::Retrieve { octets });
            }
        }
    }

    fn top(&mut self, argument: &str, out: &mut Out) {
        let part = self.next_part(out);
        let (message, lines) = first_word(argument.trim_matches(' '));
        let (number, held) = match self.maildrop.find(message) {
            Ok(found) => found,
            Err(words) => return self.mistake(&words, out),
        };
        let Some(lines) = maildrop::digits(lines) else {
            return self.mistake("a number of lines is expected", out);
        };
        held.part = part;
        out.ask(Ask::Top { number, lines });
        self.doing = Doing::Asking(Pending::Top);
    }

    /// Each message asked for is a part of its own, by TOP as well: fetchmail collects with it. What
    /// is refused counts too, so that the client's half counts the same way.
    fn next_part(&mut self, out: &mut Out) -> u32 {
        self.retrievals += 1;
        out.part(self.retrievals);
        self.retrievals
    }

    fn delete(&mut self, argument: &str, out: &mut Out) {
        match self.maildrop.find(argument) {
            Err(words) => self.mistake(&words, out),
            Ok((number, held)) => {
                held.deleted = true;
                out.part(held.part); // it belongs to the letter it was fetched as
                let words = format!("message {number} goes when you say QUIT");
                self.yes(&words, out);
            }
        }
    }

    fn quit(&mut self, out: &mut Out) {
        if self.stage != Stage::Transaction {
            return self.goodbye(out);
        }
        // Also when nothing is marked: the maildrop is given back before the client is told, so
        // that one who comes again at once finds it free.
        let numbers = self.maildrop.marked();
        self.stage = Stage::Update;
        out.ask(Ask::Delete { numbers });
        self.doing = Doing::Asking(Pending::Delete);
    }

    fn goodbye(&mut self, out: &mut Out) {
        let words = format!("{} says goodbye", self.settings.host_name);
        say_line("+OK", &words, out);
        self.close(out);
    }

    // ----- decisions -----

    fn decided(&mut self, answer: Answer, out: &mut Out) {
        match core::mem::replace(&mut self.doing, Doing::Waiting) {
            Doing::Asking(Pending::Open) => self.opened(answer, out),
            Doing::Asking(Pending::Retrieve { octets }) => {
                self.sent(answer, &format!("{octets} octets"), "RETR", out);
            }
            Doing::Asking(Pending::Top) => self.sent(answer, "the top of it", "TOP", out),
            Doing::Asking(Pending::Delete) => match answer {
                Answer::Done => self.goodbye(out),
                other => {
                    let words = failed(other);
                    self.farewell(&format!("some messages were not deleted: {words}"), out);
                }
            },
            doing => self.doing = doing, // nothing was asked
        }
    }

    fn sent(&mut self, answer: Answer, words: &str, verb: &str, out: &mut Out) {
        match answer {
            Answer::Ready { source, cause } => self.send(source, cause, words, verb, out),
            other => {
                let words = format!("[SYS/TEMP] {}", failed(other));
                self.no(&words, out);
            }
        }
    }

    fn send(
        &mut self,
        source: SourceId,
        cause: Option<Cause>,
        words: &str,
        verb: &str,
        out: &mut Out,
    ) {
        let about = say_line("+OK", words, out);
        about.causes.extend(cause);
        let about = out.send(Verb::new(verb), source, SourceForm::Dot);
        about.text(words).causes.extend(cause);
        self.doing = Doing::Sending;
    }

    fn source_end(&mut self, end: SourceEnd, out: &mut Out) {
        match end.whole {
            true => self.wait(out),
            // The client must not take what it has for the whole: no final dot, no further word.
            false => self.close(out),
        }
    }

    fn opened(&mut self, answer: Answer, out: &mut Out) {
        match answer {
            Answer::Opened(entries) => {
                self.maildrop = Maildrop::new(entries);
                self.stage = Stage::Transaction;
                let (count, octets) = self.maildrop.total();
                let words = format!(
                    "your maildrop has {} ({octets} octets)",
                    maildrop::messages(count)
                );
                self.yes(&words, out);
            }
            Answer::InUse => self.no("[IN-USE] another session has this maildrop open", out),
            Answer::WrongLogin => self.wrong_login(out),
            other => {
                let words = format!("[SYS/TEMP] {}", failed(other));
                self.no(&words, out);
            }
        }
    }

    fn stop(&mut self, out: &mut Out) {
        self.stopping = true;
        if matches!(self.doing, Doing::Waiting | Doing::LoggingIn(_)) {
            out.part(0);
            self.wait(out);
        }
    }

    fn deadline(&mut self, out: &mut Out) {
        match self.doing {
            Doing::Asking(_) | Doing::Over => {}
            Doing::Sending => self.close(out),
            _ => {
                // RFC 1939 section 3: close without deleting. A word helps who watches.
                out.part(0);
                self.farewell("nothing came for ten minutes; nothing was deleted", out);
            }
        }
    }

    fn too_long(&mut self, out: &mut Out) {
        out.part(0);
        out.received(UNKNOWN).text("(too long)");
        self.mistake("the line is too long", out);
    }
}

const OK: Verb = Verb::new("+OK");
const UNKNOWN: Verb = Verb::new("?");

/// One line: the status and words.
pub(super) fn say_line<'a>(
    status: &str,
    words: &str,
    out: &'a mut Out,
) -> &'a mut crate::outbox::About {
    let mut line = String::from(status);
    line.push(' ');
    push_plain(&mut line, words, 480);
    line.push_str("\r\n");
    out.say(Verb::new(status), line.as_bytes())
}

/// An unknown line may be a password that lost its way: the trace does not keep it.
fn name_unknown(length: usize, out: &mut Out) {
    out.received(UNKNOWN)
        .text("(not a command)")
        .mask(0..length);
}

/// What stands in the line, if it is a line of text ended by CR LF.
pub(super) fn clean(message: Message<'_>) -> Result<&str, &'static str> {
    if message.ending != LineEnd::CrLf {
        return Err("end every line with CR LF, not with LF alone (nc -C does)");
    }
    if message.bytes.iter().any(|&byte| byte < b' ') {
        return Err("a command may not hold control characters");
    }
    core::str::from_utf8(message.bytes).map_err(|_| "a command is ASCII or UTF-8 text")
}

fn failed(answer: Answer) -> String {
    match answer {
        Answer::Failed(words) => words,
        _ => "this did not work; please try again later".into(),
    }
}

impl Session for Server {
    type Ask = Ask;
    type Answer = Answer;

    fn protocol(&self) -> &'static str {
        "pop3"
    }

    fn expects(&self) -> Expect {
        match self.doing {
            Doing::Waiting | Doing::LoggingIn(_) => Expect::Line {
                most: match self.stage {
                    Stage::Authorization => AUTH_LINE_BYTES_MOST,
                    _ => COMMAND_LINE_BYTES_MOST,
                },
            },
            _ => Expect::Nothing,
        }
    }

    fn on(&mut self, _: Moment, input: Input<'_, Answer>, out: &mut Out) {
        if matches!(self.doing, Doing::Over) {
            return;
        }
        match input {
            Input::Opened => {
                out.patience(SERVER_PATIENCE);
                let words = format!("{} POP3 Guichet ready", self.settings.host_name);
                say_line("+OK", &words, out);
            }
            Input::Message(message) => self.line(message, out),
            Input::Answer(answer) => self.decided(answer, out),
            Input::SourceEnd(end) => self.source_end(end, out),
            Input::Secured => self.secured(out),
            Input::TooLong => self.too_long(out),
            Input::Deadline => self.deadline(out),
            Input::HalfClosed => self.close(out),
            Input::Stopping => self.stop(out),
            Input::BodyEnd(_) | Input::Event(_) | Input::Channel(..) => {}
        }
    }

    fn state(&self) -> &'static str {
        match self.doing {
            Doing::LoggingIn(_) => "logging in",
            Doing::Sending => "sending",
            Doing::Securing => "securing",
            Doing::Over => "over",
            Doing::Waiting | Doing::Asking(_) => self.stage.name(),
        }
    }
}
