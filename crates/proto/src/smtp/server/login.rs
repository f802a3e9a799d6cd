//! AUTH (RFC 4954) and STARTTLS (RFC 3207).

use alloc::string::String;

use guichet_trace::Verb;

use super::{Doing, Kind, Pending, Server, clean};
use crate::common::sasl::{self, Credentials};
use crate::common::words::first_word;
use crate::outbox::Outbox;
use crate::session::{Message, TlsSide};
use crate::smtp::ask::{Answer, Ask};
use crate::smtp::command;
use crate::smtp::limits::AUTH_FAILURES_MOST;
use crate::smtp::reply::Reply;
use crate::smtp::table::Command;

/// Which line of a log-in comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// The one message of PLAIN.
    Plain,
    /// The name of LOGIN.
    Name,
    /// The password of LOGIN.
    Password {
        /// The name given before.
        login: String,
    },
}

/// Hides what stands behind the mechanism of an AUTH line, or behind AUTH where no mechanism can
/// be told.
pub(super) fn mask_argument(line: &str, out: &mut Outbox<Ask>) {
    let about = out.received(Verb::new(Command::Auth.word()));
    let argument = first_word(line).1;
    let (mechanism, response) = first_word(argument);
    let is_known = ["PLAIN", "LOGIN"]
        .iter()
        .any(|known| mechanism.eq_ignore_ascii_case(known));
    let shown = match is_known {
        true => line.len() - response.len() - trailing_spaces(line),
        false => Command::Auth.word().len(),
    };
    about.mask(shown..line.len());
    about.text(alloc::format!("AUTH {}", if is_known { mechanism } else { "" }).trim_end());
}

fn trailing_spaces(line: &str) -> usize {
    line.len() - line.trim_end_matches(' ').len()
}

impl Server {
    /// Whether a log-in is possible now: only where people submit, and only where nobody listens.
    pub(super) fn takes_login(&self) -> bool {
        self.settings.kind == Kind::Submission && (self.secured || self.settings.auth_in_clear)
    }

    pub(super) fn auth(&mut self, argument: &str, out: &mut Outbox<Ask>) {
        if let Err(reply) = self.may_log_in() {
            self.hush_unknown = true;
            return self.mistake(&reply, out);
        }
        let (mechanism, initial) = first_word(argument);
        let initial = match initial {
            "" => None,
            "=" => Some(""), // an empty initial response (RFC 4954 section 4)
            text => Some(text),
        };
        if mechanism.eq_ignore_ascii_case("PLAIN") {
            match initial {
                Some(response) => self.plain(response.as_bytes(), out),
                None => self.challenge("", Step::Plain, out),
            }
        } else if mechanism.eq_ignore_ascii_case("LOGIN") {
            match initial {
                Some(name) => self.name(name.as_bytes(), out),
                None => self.challenge("Username:", Step::Name, out),
            }
        } else {
            self.hush_unknown = true;
            let words = "log in with AUTH PLAIN or AUTH LOGIN";
            self.mistake(&Reply::new(504, "5.5.4", words), out);
        }
    }

    fn may_log_in(&self) -> Result<(), Reply> {
        if self.settings.kind == Kind::Reception {
            let words = "nobody logs in on this port; programs that send mail use port 587 or 465";
            return Err(Reply::new(502, "5.5.1", words));
        }
        if !self.takes_login() {
            return Err(Reply::new(538, "5.7.11", self.how_to_secure()));
        }
        match self.authenticated {
            true => Err(Reply::new(503, "5.5.1", "you are logged in already")),
            false => Ok(()),
        }
    }

    /// What someone has to do, or to set up, before a log-in without TLS can go on.
    pub(super) fn how_to_secure(&self) -> &'static str {
        match self.settings.tls_offered {
            true => "passwords are taken under TLS only; say STARTTLS first",
            false => "log-ins need TLS, and this server has no certificate yet",
        }
    }

    fn challenge(&mut self, text: &str, step: Step, out: &mut Outbox<Ask>) {
        Reply::new(334, "", sasl::encode(text.as_bytes())).say(out);
        self.doing = Doing::LoggingIn(step);
    }

    /// A line that answers a challenge.
    pub(super) fn login_line(&mut self, step: Step, message: Message<'_>, out: &mut Outbox<Ask>) {
        out.received(Verb::new(Command::Auth.word()))
            .text("(a secret)")
            .mask(0..message.bytes.len());
        let line = match clean(message) {
            Ok(line) => line,
            Err(reply) => return self.mistake(&reply, out),
        };
        if line == "*" {
            let words = "the log-in is given up";
            return self.mistake(&Reply::new(501, "5.7.0", words), out);
        }
        match step {
            Step::Plain => self.plain(line.as_bytes(), out),
            Step::Name => self.name(line.as_bytes(), out),
            Step::Password { login } => match sasl::decode_text(line.as_bytes()) {
                Some(password) => self.authenticate(Credentials { login, password }, out),
                None => self.undecodable(out),
            },
        }
    }

    fn plain(&mut self, response: &[u8], out: &mut Outbox<Ask>) {
        match sasl::decode_plain(response) {
            Some(credentials) => self.authenticate(credentials, out),
            None => self.undecodable(out),
        }
    }

    fn name(&mut self, response: &[u8], out: &mut Outbox<Ask>) {
        match sasl::decode_text(response) {
            Some(login) => self.challenge("Password:", Step::Password { login }, out),
            None => self.undecodable(out),
        }
    }

    fn undecodable(&mut self, out: &mut Outbox<Ask>) {
        self.hush_unknown = true;
        let words = "this is not base64 of a name and a password";
        self.mistake(&Reply::new(501, "5.5.2", words), out);
    }

    fn authenticate(&mut self, credentials: Credentials, out: &mut Outbox<Ask>) {
        out.ask(Ask::Authenticate {
            login: credentials.login,
            password: credentials.password,
        });
        self.doing = Doing::Asking(Pending::Authenticate);
    }

    pub(super) fn authenticated(&mut self, answer: Answer, out: &mut Outbox<Ask>) {
        match answer {
            Answer::Refused(refusal) => {
                self.auth_failures += 1;
                Reply::from(refusal).say(out);
                match self.auth_failures >= AUTH_FAILURES_MOST {
                    true => self.farewell("4.7.0", "too many failed log-ins", out),
                    false => self.wait(out),
                }
            }
            Answer::Accepted | Answer::Queued { .. } => {
                self.authenticated = true;
                self.answer(&Reply::new(235, "2.7.0", "you are logged in"), out);
            }
        }
    }

    pub(super) fn start_tls(&mut self, argument: &str, out: &mut Outbox<Ask>) {
        let refusal = if self.secured {
            Reply::new(503, "5.5.1", "TLS is in force already")
        } else if !self.settings.tls_offered {
            Reply::new(502, "5.5.1", "this server has no certificate, so no TLS")
        } else if self.authenticated {
            // The service knows the person already; forgetting must not be half done.
            Reply::new(503, "5.5.1", "say STARTTLS before you log in")
        } else if !argument.is_empty() {
            command::wrong_argument("STARTTLS stands alone")
        } else {
            Reply::new(220, "2.0.0", "begin TLS now").say(out);
            out.secure(TlsSide::Server);
            self.doing = Doing::Securing;
            return;
        };
        self.mistake(&refusal, out);
    }
}
