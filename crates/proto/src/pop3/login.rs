//! USER and PASS (RFC 1939 section 7), AUTH PLAIN (RFC 5034), STLS (RFC 2595 section 4).

use alloc::borrow::ToOwned;

use guichet_trace::Verb;

use super::ask::Ask;
use super::limits::AUTH_FAILURES_MOST;
use super::server::{Doing, Out, Pending, Server, clean, say_line};
use super::table::Command;
use crate::common::sasl::{self, Credentials};
use crate::common::words::first_word;
use crate::session::{Message, TlsSide};

/// Which line of a log-in comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// The one message of PLAIN.
    Plain,
}

impl Server {
    /// Whether a log-in is possible now: only where nobody listens.
    pub(super) fn takes_login(&self) -> bool {
        self.secured || self.settings.auth_in_clear
    }

    /// Says so and returns false where it is not.
    fn may_log_in(&mut self, out: &mut Out) -> bool {
        if self.takes_login() {
            return true;
        }
        let words = match self.settings.tls_offered {
            true => "[AUTH] passwords are taken under TLS only; say STLS first",
            false => "[AUTH] log-ins need TLS, and this server has no certificate yet",
        };
        self.mistake(words, out);
        false
    }

    pub(super) fn user(&mut self, name: &str, out: &mut Out) {
        if self.may_log_in(out) {
            self.login = name.to_owned();
            self.yes("now PASS and the password", out); // whether or not there is such a person
        }
    }

    pub(super) fn pass(&mut self, password: &str, out: &mut Out) {
        if !self.may_log_in(out) {
            return;
        }
        if self.login.is_empty() {
            return self.mistake("say USER name@domain first", out);
        }
        let login = core::mem::take(&mut self.login);
        let password = password.to_owned();
        self.open(Credentials { login, password }, out);
    }

    pub(super) fn auth(&mut self, argument: &str, out: &mut Out) {
        let (mechanism, initial) = first_word(argument.trim_matches(' '));
        if mechanism.is_empty() {
            // RFC 5034 section 4: without an argument, the list of mechanisms.
            let list: &[u8] = match self.takes_login() {
                true => b"+OK these are taken\r\nPLAIN\r\n.\r\n",
                false => b"+OK none without TLS\r\n.\r\n",
            };
            out.say(Verb::new("+OK"), list);
            return self.wait(out);
        }
        if !self.may_log_in(out) {
            return;
        }
        if !mechanism.eq_ignore_ascii_case("PLAIN") {
            return self.mistake("log in with AUTH PLAIN, or USER and PASS", out);
        }
        match initial {
            "" => {
                out.say(Verb::new("+"), b"+ \r\n");
                self.doing = Doing::LoggingIn(Step::Plain);
            }
            "=" => self.plain(b"", out),
            response => self.plain(response.as_bytes(), out),
        }
    }

    pub(super) fn login_line(&mut self, step: Step, message: Message<'_>, out: &mut Out) {
        out.received(Verb::new(Command::Auth.word()))
            .text("(a secret)")
            .mask(0..message.bytes.len());
        match (step, clean(message)) {
            (_, Err(words)) => self.mistake(words, out),
            (_, Ok("*")) => self.mistake("the log-in is given up", out),
            (Step::Plain, Ok(line)) => self.plain(line.as_bytes(), out),
        }
    }

    fn plain(&mut self, response: &[u8], out: &mut Out) {
        match sasl::decode_plain(response) {
            Some(credentials) => self.open(credentials, out),
            None => self.mistake("this is not base64 of a name and a password", out),
        }
    }

    fn open(&mut self, credentials: Credentials, out: &mut Out) {
        out.ask(Ask::Open {
            login: credentials.login,
            password: credentials.password,
        });
        self.doing = Doing::Asking(Pending::Open);
    }

    pub(super) fn wrong_login(&mut self, out: &mut Out) {
        self.auth_failures += 1;
        let words = "[AUTH] wrong name or password";
        match self.auth_failures >= AUTH_FAILURES_MOST {
            true => self.farewell("[AUTH] wrong name or password, too many times", out),
            false => self.no(words, out),
        }
    }

    pub(super) fn start_tls(&mut self, out: &mut Out) {
        if self.secured {
            self.mistake("TLS is in force already", out);
        } else if !self.settings.tls_offered {
            self.mistake("this server has no certificate, so no TLS", out);
        } else {
            say_line("+OK", "begin TLS now", out);
            out.secure(TlsSide::Server);
            self.doing = Doing::Securing;
        }
    }

    /// Everything said before TLS is forgotten (RFC 2595 section 4).
    pub(super) fn secured(&mut self, out: &mut Out) {
        self.secured = true;
        self.login.clear();
        self.wait(out);
    }
}
