//! What arrives: cut into the messages the session expects, bodies lent piece by piece.

use alloc::string::String;
use core::mem;
use core::ops::Range;

use guichet_trace::{Direction, Level, Moment};

use super::{BodyIn, Dialogue, Ended, LIMIT, Piece, UNNAMED};
use crate::cut::{self, Cut, Decoder, Step};
use crate::outbox::About;
use crate::session::{BodyEnd, BodyFault, BodyForm, Expect, Input, Message, Session, Tap, Tapped};

/// What came of a look at the input.
pub(super) enum Taken {
    /// The session was told something: its orders come first.
    Told,
    /// A piece is to be lent.
    Piece,
    /// There is nothing to take.
    Nothing,
}

impl<S: Session> Dialogue<S> {
    /// Hands the session what the input holds next.
    pub(super) fn take_input(&mut self, now: Moment, tap: &mut dyn Tap) -> Taken {
        let expect = self.session.expects();
        if let Expect::Body { form, most } = expect {
            let body = self.body.get_or_insert_with(|| BodyIn {
                decoder: Decoder::new(form),
                most,
                lent: 0,
                fault: None,
            });
            if !matches!(self.piece, Piece::None) {
                return Taken::Piece; // not yet taken
            }
            return match body.decoder.step(&self.input[self.used..]) {
                Step::Piece(range) => self.lend(
                    Piece::Bytes(self.used + range.start..self.used + range.end),
                    tap,
                ),
                Step::LineEnd(used) => {
                    self.used += used;
                    self.lend(Piece::LineEnd, tap)
                }
                Step::End(used) => {
                    self.used += used;
                    self.end_body(now, None, tap)
                }
                Step::More(used) if used > 0 => {
                    self.used += used;
                    Taken::Told // a lone CR was put aside; more may wait behind it
                }
                Step::More(_) => {
                    self.compact();
                    match (self.ended, form) {
                        (Ended::No, _) => Taken::Nothing,
                        (_, BodyForm::ToClose) => self.end_body(now, None, tap),
                        _ => self.end_body(now, Some(BodyFault::Cut), tap),
                    }
                }
            };
        }
        self.take_message(now, expect, tap)
    }

    /// Offers a piece to the service, unless the body is already lost.
    fn lend(&mut self, piece: Piece, tap: &mut dyn Tap) -> Taken {
        let Some(body) = &mut self.body else {
            return Taken::Nothing;
        };
        self.piece = piece;
        let length = match &self.piece {
            Piece::Bytes(range) => range.len() as u64,
            _ => 2,
        };
        if body.decoder.has_refused_line_end() {
            body.fault = body.fault.or(Some(BodyFault::BareLineEnd));
        }
        if body.lent.saturating_add(length) > body.most {
            body.fault = body.fault.or(Some(BodyFault::TooLong));
        }
        if body.fault.is_some() {
            if let Piece::Bytes(range) = mem::replace(&mut self.piece, Piece::None) {
                self.used = range.end;
            }
            return Taken::Told;
        }
        body.lent += length;
        if tap.level() == Level::Full && !self.session.hides_body() {
            tap.body(Direction::Received, self.piece());
        }
        Taken::Piece
    }

    fn end_body(&mut self, now: Moment, fault: Option<BodyFault>, tap: &mut dyn Tap) -> Taken {
        let Some(body) = self.body.take() else {
            return Taken::Nothing;
        };
        self.moved_at = now;
        let end = BodyEnd {
            bytes: body.lent,
            fault: body.fault.or(fault),
        };
        let before = self.session.state();
        self.session.on(now, Input::BodyEnd(end), &mut self.outbox);
        self.show_received(now, before, 0..0, body.lent, tap);
        Taken::Told
    }

    fn take_message(&mut self, now: Moment, expect: Expect, tap: &mut dyn Tap) -> Taken {
        if self.skipping && !self.skip_line() {
            return self.maybe_ended(now);
        }
        let cut = cut::message(expect, &self.input[self.used..], &mut self.scanned);
        let before = self.session.state();
        match cut {
            Cut::Whole {
                content,
                ending,
                taken,
            } => {
                let start = self.used;
                self.used += taken;
                self.scanned = 0;
                self.moved_at = now;
                self.outbox.unread_bytes = self.input.len() - self.used;
                let bytes = &self.input[start + content.start..start + content.end];
                self.session.on(
                    now,
                    Input::Message(Message { bytes, ending }),
                    &mut self.outbox,
                );
                self.show_received(now, before, start..start + taken, taken as u64, tap);
                Taken::Told
            }
            Cut::TooLong => {
                let shown = self.used..self.input.len();
                let size = shown.len() as u64;
                self.outbox
                    .note(LIMIT, String::from("a message longer than allowed"));
                self.session.on(now, Input::TooLong, &mut self.outbox);
                self.show_received(now, before, shown.start..shown.start, size, tap);
                match expect {
                    Expect::Line { .. } => self.skipping = true,
                    _ => self.used = self.input.len(),
                }
                self.scanned = 0;
                Taken::Told
            }
            Cut::More => self.maybe_ended(now),
        }
    }

    /// Drops the rest of an over-long line; true once it is gone.
    fn skip_line(&mut self) -> bool {
        match memchr::memchr(b'\n', &self.input[self.used..]) {
            Some(found) => {
                self.used += found + 1;
                self.skipping = false;
                true
            }
            None => {
                self.used = self.input.len();
                false
            }
        }
    }

    fn maybe_ended(&mut self, now: Moment) -> Taken {
        self.compact();
        if self.ended != Ended::Untold {
            return Taken::Nothing;
        }
        self.ended = Ended::Told;
        self.tell(now, Input::HalfClosed);
        Taken::Told
    }

    /// Drops used bytes; what remains is at most one unfinished message.
    fn compact(&mut self) {
        if self.used == self.input.len() {
            self.input.clear();
        } else if self.used > 0 {
            self.input.drain(..self.used);
        }
        self.used = 0;
    }

    fn show_received(
        &mut self,
        now: Moment,
        before: &'static str,
        range: Range<usize>,
        size: u64,
        tap: &mut dyn Tap,
    ) {
        let about = mem::replace(&mut self.outbox.received, About::new(UNNAMED));
        if tap.level() == Level::Off {
            return;
        }
        tap.message(Tapped {
            at: now,
            direction: Direction::Received,
            part: self.outbox.part,
            about: &about,
            bytes: &self.input[range],
            size,
            before,
            after: self.session.state(),
        });
    }
}
