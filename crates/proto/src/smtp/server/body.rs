//! The letter itself: DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030). Its bytes go past the session to
//! the service.

use alloc::format;

use guichet_trace::Verb;

use super::{Doing, Pending, Server};
use crate::outbox::Outbox;
use crate::session::{BodyEnd, BodyFault};
use crate::smtp::ask::{Answer, Ask};
use crate::smtp::command::{self, Chunk};
use crate::smtp::limits::SKIPPED_CHUNK_BYTES_MOST;
use crate::smtp::reply::Reply;
use crate::smtp::table::{Command, Stage};

impl Server {
    pub(super) fn data(&mut self, argument: &str, out: &mut Outbox<Ask>) {
        if !argument.is_empty() {
            return self.mistake(&command::wrong_argument("DATA stands alone"), out);
        }
        out.ask(Ask::Body);
        self.doing = Doing::Asking(Pending::Data);
    }

    pub(super) fn data_decided(&mut self, answer: Answer, out: &mut Outbox<Ask>) {
        if let Answer::Refused(refusal) = answer {
            return self.discard(Reply::from(refusal), Stage::Ready, out);
        }
        let words = "send the letter; a line with nothing but a dot ends it";
        Reply::new(354, "", words).say(out);
        self.doing = Doing::Data;
    }

    pub(super) fn chunk(&mut self, argument: &str, out: &mut Outbox<Ask>) {
        let Some(chunk) = command::chunk(argument) else {
            // Without its length nobody can tell where the chunk ends and commands begin again.
            let words = "BDAT takes a number of bytes; going on without it would be guessing";
            return self.farewell("4.5.4", words, out);
        };
        if !Command::Bdat.is_legal_in(self.stage) {
            let words = Command::Bdat.row().otherwise;
            return self.skip(chunk, Reply::new(503, "5.5.1", words), out);
        }
        let bytes = self.transaction.bytes.saturating_add(chunk.bytes);
        if bytes > self.settings.size_bytes_most {
            return self.skip(chunk, self.too_big(), out);
        }
        match self.stage {
            Stage::Chunks => self.doing = Doing::Chunk(chunk, None),
            _ => {
                out.ask(Ask::Body);
                self.doing = Doing::Asking(Pending::Chunk(chunk));
            }
        }
    }

    pub(super) fn chunk_decided(&mut self, chunk: Chunk, answer: Answer, out: &mut Outbox<Ask>) {
        match answer {
            Answer::Refused(refusal) => self.skip(chunk, refusal.into(), out),
            _ => {
                self.stage = Stage::Chunks;
                self.doing = Doing::Chunk(chunk, None);
            }
        }
    }

    /// Reads a chunk that is of no use, so that the next command is found behind it.
    fn skip(&mut self, chunk: Chunk, reply: Reply, out: &mut Outbox<Ask>) {
        match chunk.bytes > SKIPPED_CHUNK_BYTES_MOST {
            true => {
                reply.say(out);
                self.close(out);
            }
            false => self.doing = Doing::Chunk(chunk, Some(reply)),
        }
    }

    pub(super) fn body_end(&mut self, end: BodyEnd, out: &mut Outbox<Ask>) {
        let doing = core::mem::replace(&mut self.doing, Doing::Waiting);
        let command = match &doing {
            Doing::Data => Command::Data,
            _ => Command::Bdat,
        };
        let about = out.received(Verb::new(command.word()));
        about.text(format!("{} bytes", end.bytes));
        if end.fault == Some(BodyFault::Cut) {
            return self.close(out);
        }
        match doing {
            Doing::Data => self.data_end(end, out),
            Doing::Chunk(chunk, None) => self.chunk_end(chunk, end, out),
            Doing::Chunk(_, Some(reply)) => self.chunk_skipped(&reply, out),
            doing => self.doing = doing, // no body was expected
        }
    }

    fn data_end(&mut self, end: BodyEnd, out: &mut Outbox<Ask>) {
        match end.fault {
            None => self.finish(end.bytes, out),
            Some(BodyFault::TooLong) => self.discard(self.too_big(), Stage::Ready, out),
            Some(BodyFault::BareLineEnd | BodyFault::Cut) => {
                let words = "the letter has a CR or LF that stands alone; \
                             end every line with CR LF and send it again";
                self.discard(Reply::new(550, "5.6.11", words), Stage::Ready, out);
            }
        }
    }

    fn chunk_end(&mut self, chunk: Chunk, end: BodyEnd, out: &mut Outbox<Ask>) {
        self.transaction.bytes += end.bytes;
        match chunk.last {
            true => self.finish(self.transaction.bytes, out),
            false => {
                let words = format!("{} bytes taken", end.bytes);
                self.answer(&Reply::new(250, "2.0.0", words), out);
            }
        }
    }

    /// A chunk was refused: of the letter nothing can be used (RFC 3030 section 2).
    fn chunk_skipped(&mut self, reply: &Reply, out: &mut Outbox<Ask>) {
        if self.transaction.open {
            self.stage = Stage::Broken;
        }
        self.mistake(reply, out);
    }

    fn finish(&mut self, bytes: u64, out: &mut Outbox<Ask>) {
        out.ask(Ask::Finish { bytes });
        self.doing = Doing::Asking(Pending::Finish);
    }

    /// Has the service forget the letter, then says why.
    fn discard(&mut self, reply: Reply, stage: Stage, out: &mut Outbox<Ask>) {
        out.ask(Ask::Reset);
        self.doing = Doing::Asking(Pending::Discard(reply, stage));
    }
}
