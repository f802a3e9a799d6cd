//! What follows from each reply.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Client, Fate, Offers, Out, Step, TlsPolicy, said};
use crate::session::TlsSide;
use crate::smtp::limits::AUTH_LINE_BYTES_MOST;
use crate::smtp::table::{Command, Stage};

impl Client {
    pub(super) fn replied(&mut self, step: Step, code: u16, lines: &[String], out: &mut Out) {
        let yes = (200..=299).contains(&code);
        if code == 421 && step != Step::Quit {
            self.awaiting.push_front(step); // not decided
            return self.fail(&said(code, lines), out);
        }
        match step {
            Step::Greeting if yes => self.to_send.push_back(Step::Ehlo),
            Step::Ehlo if yes => {
                self.offers = Offers::read(lines);
                self.greeted(out);
            }
            Step::Ehlo if code >= 500 => self.to_send.push_back(Step::Helo),
            Step::Helo if yes => self.greeted(out),
            Step::StartTls => self.start_tls(yes, code, lines, out),
            Step::Plain | Step::LoginPassword if yes => {
                self.authenticated = true;
                self.next_letter(out);
            }
            Step::Login if code == 334 => self.to_send.push_back(Step::LoginName),
            Step::LoginName if code == 334 => self.to_send.push_back(Step::LoginPassword),
            Step::Mail => self.sender_answered(yes, code, lines),
            Step::Rcpt(index) => self.recipient_answered(index, yes, code, lines),
            Step::Data => self.data_answered(code, lines, out),
            Step::Body => self.letter_answered(yes, code, lines, out),
            Step::Rset => self.next_letter(out),
            Step::Quit => {
                self.over = true;
                out.close();
            }
            _ => self.give_up(code, &said(code, lines)),
        }
    }

    /// The server will not have us at all: every letter not yet decided shares this fate.
    fn give_up(&mut self, code: u16, words: &str) {
        self.outcome.failed = Some(words.to_string());
        while self.outcome.letters.len() < self.job.letters.len() {
            let letter = &self.job.letters[self.outcome.letters.len()];
            let fate = Fate::from_reply(code, words);
            let fates = letter.recipients.iter().map(|_| fate.clone()).collect();
            self.outcome.letters.push(fates);
        }
        self.fates.clear();
        self.to_send.clear();
        self.to_send.push_back(Step::Quit);
    }

    /// EHLO is answered: TLS, then the log-in, then the letters.
    fn greeted(&mut self, out: &mut Out) {
        self.stage = Stage::Ready;
        let wants_tls = matches!(self.job.tls, TlsPolicy::IfOffered | TlsPolicy::Required);
        if wants_tls && !self.secured && self.offers.start_tls {
            self.to_send.push_back(Step::StartTls);
        } else if self.job.tls == TlsPolicy::Required && !self.secured {
            self.give_up(421, "the server does not offer TLS, and this mail needs it");
        } else {
            self.log_in(out);
        }
    }

    fn log_in(&mut self, out: &mut Out) {
        let Some(login) = &self.job.login else {
            return self.next_letter(out);
        };
        let encoded = (login.login.len() + login.password.len() + 4).div_ceil(3) * 4;
        if self.offers.plain && encoded + "AUTH PLAIN \r\n".len() <= AUTH_LINE_BYTES_MOST {
            self.to_send.push_back(Step::Plain);
        } else if self.offers.login {
            self.to_send.push_back(Step::Login);
        } else {
            self.give_up(
                530,
                "the server takes no log-in here (no AUTH PLAIN or LOGIN)",
            );
        }
    }

    fn start_tls(&mut self, yes: bool, code: u16, lines: &[String], out: &mut Out) {
        if yes {
            self.securing = true;
            out.secure(TlsSide::Client);
        } else if self.job.tls == TlsPolicy::Required {
            // A refusal to begin TLS is no judgement on the letter.
            self.give_up(if code < 500 { code } else { 421 }, &said(code, lines));
        } else {
            self.log_in(out);
        }
    }

    /// TLS is in force: what was said in clear is forgotten (RFC 3207 4.2).
    pub(super) fn secured(&mut self, out: &mut Out) {
        self.securing = false;
        self.secured = true;
        self.offers = Offers::default();
        self.stage = Stage::Connected;
        self.to_send.push_back(Step::Ehlo);
        self.pump(out);
    }

    /// Begins the next letter that this server can take, or says goodbye.
    fn next_letter(&mut self, out: &mut Out) {
        self.stage = Stage::Ready;
        self.outcome.secured = self.secured;
        out.part(0);
        loop {
            self.letter = self.outcome.letters.len();
            let Some(letter) = self.job.letters.get(self.letter) else {
                self.to_send.push_back(Step::Quit);
                return;
            };
            if self.stopping {
                return self.give_up(421, "this side is stopping; the letter waits");
            }
            let count = letter.recipients.len();
            let Some(fate) = self.why_not(self.letter) else {
                self.begin_letter(count);
                return;
            };
            self.outcome.letters.push(alloc::vec![fate; count]);
        }
    }

    fn begin_letter(&mut self, recipients: usize) {
        self.transactions += 1;
        self.fates = alloc::vec![None; recipients];
        self.to_send.push_back(Step::Mail);
        self.to_send.extend((0..recipients).map(Step::Rcpt));
        self.to_send.push_back(Step::Data);
    }

    /// Why this server cannot take a letter, known without asking it.
    fn why_not(&self, letter: usize) -> Option<Fate> {
        let letter = self.job.letters.get(letter)?;
        let refused = |code, words: &str| {
            let words = words.to_string();
            Some(Fate::Refused { code, words })
        };
        let has_line_end = |address: &String| address.contains(['\r', '\n', '\0']);
        if letter
            .recipients
            .iter()
            .chain([&letter.sender])
            .any(has_line_end)
        {
            return refused(501, "5.1.3 an address holds a line end");
        }
        let most = self.offers.size_bytes_most.unwrap_or(u64::MAX);
        if letter.size_bytes > most {
            return refused(552, "5.3.4 the letter is larger than the server takes");
        }
        if letter.utf8 && !self.offers.utf8 {
            return refused(
                553,
                "5.6.7 the letter needs SMTPUTF8, the server does not offer it",
            );
        }
        if letter.eight_bit && !self.offers.eight_bit {
            return refused(
                554,
                "5.6.3 the letter has bytes above 127, the server does not offer 8BITMIME",
            );
        }
        None
    }

    fn sender_answered(&mut self, yes: bool, code: u16, lines: &[String]) {
        self.outcome.discussed = true;
        if yes {
            self.stage = Stage::Sender;
            return;
        }
        let fate = Fate::from_reply(code, said(code, lines));
        for decided in &mut self.fates {
            *decided = Some(fate.clone());
        }
        self.to_send.clear(); // what is under way is answered 503, and not counted
        self.maybe_give_up_letter();
    }

    fn recipient_answered(&mut self, index: usize, yes: bool, code: u16, lines: &[String]) {
        if yes && self.stage != Stage::Ready {
            self.stage = Stage::Recipients;
        } else if let Some(decided @ None) = self.fates.get_mut(index) {
            *decided = Some(Fate::from_reply(code, said(code, lines)));
        }
        self.maybe_give_up_letter();
    }

    /// Where nobody is left to send to, DATA is not said, if it has not been yet.
    fn maybe_give_up_letter(&mut self) {
        let all_decided = self.fates.iter().all(Option::is_some);
        let data_unsaid = !self.awaiting.contains(&Step::Data);
        if all_decided && data_unsaid && self.awaiting.is_empty() {
            self.to_send.clear();
            self.end_letter(None);
            self.to_send.push_back(Step::Rset);
        }
    }

    fn data_answered(&mut self, code: u16, lines: &[String], out: &mut Out) {
        if code != 354 {
            let fate = Fate::from_reply(code, said(code, lines));
            self.end_letter(Some(&fate));
            self.to_send.push_back(Step::Rset);
        } else if out.unread_bytes() > 0 {
            self.fail("the server judged the letter before it was sent", out);
        } else {
            self.send_letter(out);
        }
    }

    fn letter_answered(&mut self, yes: bool, code: u16, lines: &[String], out: &mut Out) {
        let words = said(code, lines);
        let fate = match yes {
            true => Fate::Delivered { words },
            false => Fate::from_reply(code, words),
        };
        self.end_letter(Some(&fate));
        self.next_letter(out);
    }

    /// Writes down what became of the letter; `rest` is for all who are not yet decided.
    fn end_letter(&mut self, rest: Option<&Fate>) {
        let fates = core::mem::take(&mut self.fates).into_iter();
        let fates: Vec<_> = fates
            .filter_map(|fate| fate.or_else(|| rest.cloned()))
            .collect();
        self.outcome.letters.push(fates);
    }
}

impl Offers {
    /// Reads the reply to EHLO (RFC 5321 4.1.1.1); its first line is the greeting.
    fn read(lines: &[String]) -> Self {
        let mut offers = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("PIPELINING") => offers.pipelining = true,
                Some(word) if word == Command::StartTls.word() => offers.start_tls = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("SIZE") => {
                    offers.size = true;
                    let most = words.next().and_then(|number| number.parse().ok());
                    offers.size_bytes_most = most.filter(|&most| most > 0); // 0: no limit
                }
                Some(word) if word == Command::Auth.word() => {
                    for mechanism in words {
                        offers.plain |= mechanism == "PLAIN";
                        offers.login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offers
    }
}
