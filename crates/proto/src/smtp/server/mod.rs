//! The server's side: reception (port 25) and submission (587, 465).
//!
//! This file takes inputs and the words of order; `login` has AUTH and STARTTLS, `letter` the
//! commands of a transaction, `body` DATA and BDAT.

mod body;
mod letter;
mod login;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use guichet_trace::{Moment, Verb};

use super::ask::{Answer, Ask};
use super::command;
use super::limits::{
    AUTH_LINE_BYTES_MOST, COMMAND_LINE_BYTES_MOST, ERRORS_MOST, IDLE_COMMANDS_MOST,
    RECIPIENTS_MOST, SERVER_PATIENCE,
};
use super::reply::Reply;
use super::table::{Command, Row, Stage, TABLE};
use crate::common::words::first_word;
use crate::outbox::Outbox;
use crate::session::{BodyForm, Expect, Input, LineEnd, LineEnds, Message, Session};

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Mail from other servers (RFC 5321): no AUTH, and bare CR or LF in a letter is refused.
    Reception,
    /// Mail from people (RFC 6409): AUTH first, and bare CR or LF in a letter becomes CR LF.
    Submission,
}

/// How a server session behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in the greeting.
    pub host_name: String,
    /// What the listener is for.
    pub kind: Kind,
    /// STARTTLS is offered.
    pub tls_offered: bool,
    /// TLS has been in force since before the first byte (RFC 8314).
    pub secured: bool,
    /// Log-ins are taken without TLS: for a lab only.
    pub auth_in_clear: bool,
    /// The largest letter, in bytes (RFC 1870).
    pub size_bytes_most: u64,
    /// Recipients of one transaction.
    pub recipients_most: usize,
    /// The greeting waits so long, and who talks before it is refused (RFC 5321 4.3.1 has the
    /// client wait). Zero: at once.
    pub greeting_pause: Duration,
}

impl Settings {
    /// Settings that protect: no TLS offered, hence no log-in; 50 MB, 1,000 recipients, no pause.
    pub fn new(host_name: impl Into<String>, kind: Kind) -> Self {
        Self {
            host_name: host_name.into(),
            kind,
            tls_offered: false,
            secured: false,
            auth_in_clear: false,
            size_bytes_most: 50_000_000,
            recipients_most: RECIPIENTS_MOST,
            greeting_pause: Duration::ZERO,
        }
    }
}

/// What a listener says when it can take no more connections, before it closes (RFC 5321 3.8).
pub fn refusal_when_full(host_name: &str) -> String {
    let words = format!("{host_name} is serving as many as it can; please come again later");
    Reply::new(421, "4.3.2", words).text()
}

/// The server's side of one dialogue.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    stage: Stage,
    doing: Doing,
    /// The name the client gave itself.
    client_name: String,
    secured: bool,
    authenticated: bool,
    /// An AUTH was refused: what follows may be its secret, sent in advance.
    hush_unknown: bool,
    stopping: bool,
    transaction: letter::Transaction,
    /// Letters begun, which number the parts of the exchange.
    transactions: u32,
    errors: u32,
    refused_recipients: u32,
    auth_failures: u32,
    idle_commands: u32,
}

/// What the session is in the middle of.
#[derive(Debug)]
enum Doing {
    /// Waiting for the moment to greet.
    Pausing,
    /// Waiting for a command.
    Waiting,
    /// Waiting for a line of a log-in.
    LoggingIn(login::Step),
    /// Waiting for the service.
    Asking(Pending),
    /// A letter arrives, dot-terminated.
    Data,
    /// A chunk arrives; with a reply it is only read and dropped.
    Chunk(command::Chunk, Option<Reply>),
    /// The handshake.
    Securing,
    /// The farewell has been said.
    Over,
}

/// What the open Ask is about.
#[derive(Debug)]
enum Pending {
    Authenticate,
    Mail {
        utf8: bool,
    },
    Recipient,
    Data,
    Chunk(command::Chunk),
    Finish,
    /// The transaction is discarded; then this is said.
    Discard(Reply, Stage),
}

impl Server {
    /// A session for one connection.
    pub fn new(settings: Settings) -> Self {
        Self {
            stage: Stage::Connected,
            doing: Doing::Pausing,
            client_name: String::new(),
            secured: settings.secured,
            authenticated: false,
            hush_unknown: false,
            stopping: false,
            transaction: letter::Transaction::default(),
            transactions: 0,
            errors: 0,
            refused_recipients: 0,
            auth_failures: 0,
            idle_commands: 0,
            settings,
        }
    }

    fn greet(&mut self, out: &mut Outbox<Ask>) {
        let words = format!("{} ESMTP Guichet ready", self.settings.host_name);
        Reply::new(220, "", words).say(out);
        self.wait(out);
    }

    /// A command boundary: the next command, or the farewell if this side is stopping.
    fn wait(&mut self, out: &mut Outbox<Ask>) {
        match self.stopping {
            true => self.farewell("4.3.2", "this server is stopping; please come again", out),
            false => self.doing = Doing::Waiting,
        }
    }

    /// Says `reply`, then waits for the next command.
    fn answer(&mut self, reply: &Reply, out: &mut Outbox<Ask>) {
        reply.say(out);
        self.wait(out);
    }

    /// Says what was wrong; after too many mistakes, goodbye.
    fn mistake(&mut self, reply: &Reply, out: &mut Outbox<Ask>) {
        self.errors += 1;
        reply.say(out);
        match self.errors > ERRORS_MOST {
            true => self.farewell("4.7.0", "too many mistakes; please come again", out),
            false => self.wait(out),
        }
    }

    /// 421, from this side, at any point (RFC 5321 3.8).
    fn farewell(&mut self, enhanced: &str, words: &str, out: &mut Outbox<Ask>) {
        let words = format!("{}: {words}", self.settings.host_name);
        Reply::new(421, enhanced, words).say(out);
        self.close(out);
    }

    fn close(&mut self, out: &mut Outbox<Ask>) {
        self.doing = Doing::Over;
        out.close();
    }

    // ----- messages -----

    fn line(&mut self, message: Message<'_>, out: &mut Outbox<Ask>) {
        out.part(0);
        match core::mem::replace(&mut self.doing, Doing::Waiting) {
            Doing::Pausing => {
                out.received(UNKNOWN).text("(before the greeting)");
                let words = "wait for the greeting before you speak";
                Reply::new(554, "5.5.1", words).say(out);
                self.close(out);
            }
            Doing::LoggingIn(step) => self.login_line(step, message, out),
            Doing::Waiting => self.command_line(message, out),
            doing => self.doing = doing, // nothing is expected now
        }
    }

    fn command_line(&mut self, message: Message<'_>, out: &mut Outbox<Ask>) {
        let line = match clean(message) {
            Ok(line) => line,
            Err(reply) => {
                self.name_unknown(message.bytes, out);
                return self.mistake(&reply, out);
            }
        };
        let (word, argument) = first_word(line);
        let Some(command) = Command::parse(word) else {
            self.name_unknown(message.bytes, out);
            let words = "this command is not known here; HELP lists those that are";
            return self.mistake(&Reply::new(500, "5.5.1", words), out);
        };
        let about = out.received(Verb::new(command.word()));
        if !command.shows_argument() {
            about.text(command.word()); // whatever stands behind it is nobody's business
        }
        out.part(self.part_of(command));
        if command == Command::Auth {
            login::mask_argument(line, out);
        }
        self.in_order(command, argument, out);
    }

    /// Letter n is part n of the exchange, from its MAIL on, also where it is refused: the client's
    /// half counts the same way.
    fn part_of(&self, command: Command) -> u32 {
        use Command::{Bdat, Data, Mail, Rcpt, Rset};
        match command {
            Mail | Rcpt | Data | Bdat | Rset => self.transactions,
            _ => 0,
        }
    }

    /// An unknown line is nobody's command: it may be a line of a letter or a password that lost
    /// its way. The envelope trace shows none of it; behind a refused or misspelt AUTH the full one
    /// neither.
    fn name_unknown(&mut self, line: &[u8], out: &mut Outbox<Ask>) {
        let about = out.received(UNKNOWN);
        about.text("(not a command)");
        self.hush_unknown |= line
            .windows(4)
            .any(|word| word.eq_ignore_ascii_case(b"AUTH"));
        if self.hush_unknown {
            about.mask(0..line.len());
        }
    }

    /// Asks the table, then carries the command out.
    fn in_order(&mut self, command: Command, argument: &str, out: &mut Outbox<Ask>) {
        let row = command.row();
        if !command.is_legal_in(self.stage) && command != Command::Bdat {
            return self.mistake(&Reply::new(503, "5.5.1", row.otherwise), out);
        }
        if out.unread_bytes() > 0 && waits_for_reply(command) {
            let words = format!("wait for the reply to {} before you go on", row.word);
            Reply::new(554, "5.5.1", words).say(out);
            return self.close(out);
        }
        if is_idle(command) {
            self.idle_commands += 1;
            if self.idle_commands > IDLE_COMMANDS_MOST {
                return self.farewell("4.7.0", "too many commands without a letter", out);
            }
        }
        self.carry_out(command, argument, out);
    }

    fn carry_out(&mut self, command: Command, argument: &str, out: &mut Outbox<Ask>) {
        match command {
            Command::Ehlo => self.hello(argument, true, out),
            Command::Helo => self.hello(argument, false, out),
            Command::StartTls => self.start_tls(argument, out),
            Command::Auth => self.auth(argument, out),
            Command::Mail => self.mail(argument, out),
            Command::Rcpt => self.recipient(argument, out),
            Command::Data => self.data(argument, out),
            Command::Bdat => self.chunk(argument, out),
            Command::Rset => self.reset(Reply::new(250, "2.0.0", "forgotten"), out),
            Command::Noop => self.answer(&Reply::new(250, "2.0.0", "nothing done"), out),
            Command::Vrfy => {
                let words = "nobody's address is confirmed here; send the letter and see";
                self.answer(&Reply::new(252, "2.5.2", words), out);
            }
            Command::Expn => {
                let words = "the members of lists are not shown here";
                self.mistake(&Reply::new(502, "5.5.1", words), out);
            }
            Command::Help => self.answer(&help(self.settings.kind), out),
            Command::Quit => {
                let words = format!("{} says goodbye", self.settings.host_name);
                Reply::new(221, "2.0.0", words).say(out);
                self.close(out);
            }
        }
    }

    /// EHLO and HELO (RFC 5321 4.1.1.1); in the middle of a letter they are a RSET as well.
    fn hello(&mut self, argument: &str, extended: bool, out: &mut Outbox<Ask>) {
        let Some(name) = command::client_name(argument) else {
            let words = "say the name of your host, or its address in brackets";
            return self.mistake(&command::wrong_argument(words), out);
        };
        self.client_name = name.to_owned();
        let mut lines = Vec::from([format!("{} greets {name}", self.settings.host_name)]);
        if extended {
            self.list_extensions(&mut lines);
        }
        let reply = Reply {
            code: 250,
            enhanced: String::new(),
            lines,
        };
        self.reset(reply, out);
    }

    fn list_extensions(&self, lines: &mut Vec<String>) {
        lines.push("PIPELINING".into());
        lines.push(format!("SIZE {}", self.settings.size_bytes_most));
        if self.settings.tls_offered && !self.secured {
            lines.push("STARTTLS".into());
        }
        if self.takes_login() && !self.authenticated {
            lines.push("AUTH PLAIN LOGIN".into());
        }
        for keyword in ["ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "CHUNKING"] {
            lines.push(keyword.into());
        }
    }

    /// Everything said before TLS is forgotten (RFC 3207 4.2).
    fn secured(&mut self, out: &mut Outbox<Ask>) {
        self.secured = true;
        self.stage = Stage::Connected;
        self.client_name.clear();
        self.wait(out);
    }

    fn too_long(&mut self, out: &mut Outbox<Ask>) {
        let (verb, reply) = match &self.doing {
            Doing::LoggingIn(_) => {
                let words = "the line is too long for a log-in";
                (Command::Auth.word(), Reply::new(500, "5.5.6", words))
            }
            Doing::Pausing => return self.close(out),
            _ => ("?", Reply::new(500, "5.5.2", "the line is too long")),
        };
        out.received(Verb::new(verb)).text("(too long)");
        self.mistake(&reply, out);
    }

    fn stop(&mut self, out: &mut Outbox<Ask>) {
        self.stopping = true;
        if matches!(
            self.doing,
            Doing::Waiting | Doing::LoggingIn(_) | Doing::Pausing
        ) {
            self.wait(out);
        }
    }

    fn deadline(&mut self, out: &mut Outbox<Ask>) {
        match self.doing {
            Doing::Pausing => self.greet(out),
            Doing::Asking(_) | Doing::Over => {}
            _ => self.farewell("4.4.2", "nothing came for five minutes", out),
        }
    }
}

const UNKNOWN: Verb = Verb::new("?");

/// What stands in the line, if it is a line of text ended as RFC 5321 2.3.8 demands.
fn clean(message: Message<'_>) -> Result<&str, Reply> {
    if message.ending != LineEnd::CrLf {
        let words = "end every line with CR LF, not with LF alone (nc -C does)";
        return Err(Reply::new(500, "5.5.2", words));
    }
    if message
        .bytes
        .iter()
        .any(|&byte| byte < b' ' && byte != b'\t')
    {
        let words = "a command may not hold control characters";
        return Err(Reply::new(500, "5.5.2", words));
    }
    core::str::from_utf8(message.bytes)
        .map_err(|_| Reply::new(500, "5.5.2", "a command is ASCII or UTF-8 text"))
}

/// Whoever talks on behind these has not understood who answers, or hopes to be misunderstood
/// (RFC 2920 3.1). Behind NOOP or QUIT it harms nobody; behind STARTTLS it is thrown away.
fn waits_for_reply(command: Command) -> bool {
    matches!(command, Command::Ehlo | Command::Helo | Command::Data)
}

/// Commands that bring no letter forward.
fn is_idle(command: Command) -> bool {
    use Command::{Auth, Ehlo, Expn, Helo, Help, Noop, Rset, StartTls, Vrfy};
    matches!(
        command,
        Auth | Ehlo | Expn | Helo | Help | Noop | Rset | StartTls | Vrfy
    )
}

/// Nobody is told to log in where log-ins are not taken.
fn help(kind: Kind) -> Reply {
    let taken = |row: &&Row| kind == Kind::Submission || row.command != Command::Auth;
    let mut lines = Vec::from(["a letter is sent with these, one line each:".to_owned()]);
    let usages = TABLE.iter().filter(taken);
    lines.extend(usages.map(|row| format!("  {}", row.usage)));
    lines.push("EHLO, MAIL, RCPT, DATA, QUIT in this order do it (RFC 5321)".to_owned());
    Reply {
        code: 214,
        enhanced: "2.0.0".to_owned(),
        lines,
    }
}

impl Session for Server {
    type Ask = Ask;
    type Answer = Answer;

    fn protocol(&self) -> &'static str {
        "smtp"
    }

    fn expects(&self) -> Expect {
        let takes_login = self.settings.kind == Kind::Submission && !self.authenticated;
        match &self.doing {
            Doing::Pausing | Doing::Waiting | Doing::LoggingIn(_) => Expect::Line {
                most: match takes_login {
                    true => AUTH_LINE_BYTES_MOST,
                    false => COMMAND_LINE_BYTES_MOST,
                },
            },
            Doing::Data => Expect::Body {
                form: BodyForm::Dot(match self.settings.kind {
                    Kind::Reception => LineEnds::Refuse,
                    Kind::Submission => LineEnds::Normalise,
                }),
                most: self.settings.size_bytes_most,
            },
            Doing::Chunk(chunk, dropped) => Expect::Body {
                form: BodyForm::Length(chunk.bytes),
                most: match dropped {
                    None => chunk.bytes,
                    Some(_) => 0,
                },
            },
            Doing::Asking(_) | Doing::Securing | Doing::Over => Expect::Nothing,
        }
    }

    fn on(&mut self, now: Moment, input: Input<'_, Answer>, out: &mut Outbox<Ask>) {
        if matches!(self.doing, Doing::Over) {
            return;
        }
        match input {
            Input::Opened => {
                out.patience(SERVER_PATIENCE);
                match self.settings.greeting_pause {
                    Duration::ZERO => self.greet(out),
                    pause => out.wake_at(Some(now.after(pause))),
                }
            }
            Input::Message(message) => self.line(message, out),
            Input::BodyEnd(end) => self.body_end(end, out),
            Input::Answer(answer) => self.decided(answer, out),
            Input::Secured => self.secured(out),
            Input::TooLong => self.too_long(out),
            Input::Deadline => self.deadline(out),
            Input::HalfClosed => self.close(out),
            Input::Stopping => self.stop(out),
            Input::Event(_) | Input::SourceEnd(_) | Input::Channel(..) => {}
        }
    }

    fn state(&self) -> &'static str {
        match &self.doing {
            Doing::Pausing => "pausing",
            Doing::LoggingIn(_) => "logging in",
            Doing::Data => "data",
            Doing::Chunk(..) => "chunk",
            Doing::Securing => "securing",
            Doing::Over => "over",
            Doing::Waiting | Doing::Asking(_) => self.stage.name(),
        }
    }
}
