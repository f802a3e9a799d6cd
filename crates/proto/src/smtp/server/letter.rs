//! The envelope of a letter: MAIL, RCPT, RSET, and what the service decided (RFC 5321 4.1.1).

use alloc::format;

use guichet_trace::Verb;

use super::{Doing, Kind, Pending, Server};
use crate::outbox::Outbox;
use crate::smtp::ask::{Answer, Ask};
use crate::smtp::command;
use crate::smtp::limits::REFUSED_RECIPIENTS_MOST;
use crate::smtp::reply::Reply;
use crate::smtp::table::Stage;

/// What the session remembers of the letter begun.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// The service knows of it.
    pub open: bool,
    /// MAIL asked for SMTPUTF8.
    pub utf8: bool,
    /// Accepted recipients.
    pub recipients: usize,
    /// Bytes of the chunks so far.
    pub bytes: u64,
}

impl Server {
    pub(super) fn mail(&mut self, argument: &str, out: &mut Outbox<Ask>) {
        self.transactions += 1;
        out.part(self.transactions);
        if self.settings.kind == Kind::Submission && !self.authenticated {
            let words = match self.takes_login() {
                true => "log in first (AUTH); without it only port 25 takes mail",
                false => self.how_to_secure(),
            };
            return self.mistake(&Reply::new(530, "5.7.0", words), out);
        }
        let mail = match command::mail(argument) {
            Ok(mail) => mail,
            Err(reply) => return self.mistake(&reply, out),
        };
        if mail
            .size_bytes
            .is_some_and(|size| size > self.settings.size_bytes_most)
        {
            return self.answer(&self.too_big(), out);
        }
        self.idle_commands = 0;
        out.ask(Ask::Mail {
            sender: mail.path.address,
            client_name: self.client_name.clone(),
            size_bytes: mail.size_bytes,
            utf8: mail.utf8,
            eight_bit: mail.eight_bit,
            part: self.transactions,
        });
        self.doing = Doing::Asking(Pending::Mail { utf8: mail.utf8 });
    }

    pub(super) fn too_big(&self) -> Reply {
        let most = self.settings.size_bytes_most;
        let words = format!("the letter is larger than the {most} bytes taken here");
        Reply::new(552, "5.3.4", words)
    }

    pub(super) fn recipient(&mut self, argument: &str, out: &mut Outbox<Ask>) {
        let address = match command::recipient(argument, self.transaction.utf8) {
            Ok(address) => address,
            Err(reply) => return self.mistake(&reply, out),
        };
        if self.transaction.recipients >= self.settings.recipients_most {
            // 452, so that the client sends the rest in a letter of their own (RFC 5321 4.5.3.1.10).
            let words = "enough recipients; send this letter, then one to the others";
            return self.answer(&Reply::new(452, "4.5.3", words), out);
        }
        out.ask(Ask::Recipient { address });
        self.doing = Doing::Asking(Pending::Recipient);
    }

    /// Gives up the letter begun, if there is one, then says `reply`.
    pub(super) fn reset(&mut self, reply: Reply, out: &mut Outbox<Ask>) {
        // EHLO makes a client known; RSET before it does not.
        let stage = match self.client_name.is_empty() {
            true => Stage::Connected,
            false => Stage::Ready,
        };
        if self.transaction.open {
            out.ask(Ask::Reset);
            self.doing = Doing::Asking(Pending::Discard(reply, stage));
        } else {
            self.stage = stage;
            self.answer(&reply, out);
        }
    }

    /// The letter is over, one way or the other; what follows belongs to the exchange again.
    pub(super) fn end_transaction(&mut self, reply: &Reply, stage: Stage, out: &mut Outbox<Ask>) {
        self.transaction = Transaction::default();
        self.stage = stage;
        reply.say(out);
        out.part(0);
        self.wait(out);
    }

    /// The service has decided.
    pub(super) fn decided(&mut self, answer: Answer, out: &mut Outbox<Ask>) {
        match core::mem::replace(&mut self.doing, Doing::Waiting) {
            Doing::Asking(Pending::Authenticate) => self.authenticated(answer, out),
            Doing::Asking(Pending::Mail { utf8 }) => self.sender_decided(utf8, answer, out),
            Doing::Asking(Pending::Recipient) => self.recipient_decided(answer, out),
            Doing::Asking(Pending::Data) => self.data_decided(answer, out),
            Doing::Asking(Pending::Chunk(chunk)) => self.chunk_decided(chunk, answer, out),
            Doing::Asking(Pending::Finish) => self.finished(answer, out),
            Doing::Asking(Pending::Discard(reply, stage)) => {
                self.end_transaction(&reply, stage, out);
            }
            doing => self.doing = doing, // nothing was asked
        }
    }

    fn sender_decided(&mut self, utf8: bool, answer: Answer, out: &mut Outbox<Ask>) {
        if let Answer::Refused(refusal) = answer {
            return self.end_transaction(&Reply::from(refusal), Stage::Ready, out);
        }
        self.transaction = Transaction {
            open: true,
            utf8,
            ..Transaction::default()
        };
        self.stage = Stage::Sender;
        self.answer(&Reply::new(250, "2.1.0", "sender noted"), out);
    }

    fn recipient_decided(&mut self, answer: Answer, out: &mut Outbox<Ask>) {
        let Answer::Refused(refusal) = answer else {
            self.transaction.recipients += 1;
            self.stage = Stage::Recipients;
            return self.answer(&Reply::new(250, "2.1.5", "recipient noted"), out);
        };
        Reply::from(refusal).say(out);
        self.refused_recipients += 1;
        match self.refused_recipients > REFUSED_RECIPIENTS_MOST {
            true => self.farewell("4.7.0", "too many recipients unknown here", out),
            false => self.wait(out),
        }
    }

    fn finished(&mut self, answer: Answer, out: &mut Outbox<Ask>) {
        match answer {
            Answer::Refused(refusal) => {
                self.end_transaction(&Reply::from(refusal), Stage::Ready, out);
            }
            Answer::Queued { id, message_id } => {
                self.stage = Stage::Ready;
                self.transaction = Transaction::default();
                Reply::new(250, "2.0.0", format!("queued as {id}")).say(out);
                out.note(Verb::new("queued"), id);
                out.note(Verb::new("message-id"), message_id);
                out.part(0);
                self.wait(out);
            }
            Answer::Accepted => {
                // Not a promise that the letter is kept: it must not sound like one.
                let words = "the letter could not be kept; please try again later";
                self.end_transaction(&Reply::new(451, "4.3.0", words), Stage::Ready, out);
            }
        }
    }
}
