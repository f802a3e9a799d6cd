//! What a session ordered, carried out in its order: sayings, sources, Asks, TLS, the end.

use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use guichet_trace::{Direction, Level, Moment};

use super::{Dialogue, End, Next, SourceOut};
use crate::common::dot::Stuffer;
use crate::outbox::{About, Action};
use crate::session::{Input, Session, SourceEnd, SourceForm, Tap, Tapped};

impl<S: Session> Dialogue<S> {
    /// Carries out what the session ordered, in order, as far as it goes.
    pub(super) fn act(&mut self, now: Moment, tap: &mut dyn Tap) -> Option<Next<S::Ask>> {
        loop {
            if let Some(next) = self.unfinished(now, tap) {
                return Some(next);
            }
            match self.outbox.actions.pop_front()? {
                Action::Say { about, part, range } => {
                    self.ready = range.end;
                    self.show_said(now, &about, part, range, tap);
                }
                Action::Source {
                    about,
                    part,
                    source,
                    form,
                } => {
                    let stuffer = (form == SourceForm::Dot).then(Stuffer::default);
                    let id = source;
                    self.source = Some(SourceOut {
                        id,
                        about,
                        part,
                        stuffer,
                        bytes: 0,
                        ended: None,
                    });
                }
                Action::Note { part, word, text } => tap.note(now, part, word, text),
                Action::Ask(ask) => {
                    self.asking = true;
                    return Some(Next::Ask(ask));
                }
                Action::Secure(side) => {
                    // Whatever came in clear behind the last message was not said by the peer
                    // that will be on the other end of the TLS connection.
                    self.input.clear();
                    (self.used, self.scanned) = (0, 0);
                    self.securing = Some(side);
                }
                Action::Channel(order) => return Some(Next::Channel(order)),
                Action::HalfClose => self.half_closing = true,
                Action::Close => self.closing = Some(End::Done),
            }
        }
    }

    /// What must be finished before the next action: a source, a handshake, the end.
    fn unfinished(&mut self, now: Moment, tap: &mut dyn Tap) -> Option<Next<S::Ask>> {
        if let Some(source) = &self.source {
            if !self.output().is_empty() {
                return Some(Next::Flush);
            }
            let Some(whole) = source.ended else {
                return Some(Next::Pull(source.id));
            };
            self.end_source(now, whole, tap);
        }
        let waits = self.securing.is_some() || self.half_closing || self.closing.is_some();
        if !waits {
            return None;
        }
        if !self.output().is_empty() {
            return Some(Next::Flush);
        }
        if let Some(side) = self.securing {
            return Some(Next::Secure(side));
        }
        if mem::take(&mut self.half_closing) {
            return Some(Next::HalfClose);
        }
        self.closing.map(Next::Close)
    }

    fn end_source(&mut self, now: Moment, whole: bool, tap: &mut dyn Tap) {
        let Some(source) = self.source.take() else {
            return;
        };
        self.pulled = Vec::new(); // all sent, and an idle dialogue holds no memory
        self.pulled_sent = 0;
        if tap.level() > Level::Off {
            let state = self.session.state();
            tap.message(Tapped {
                at: now,
                direction: Direction::Sent,
                part: source.part,
                about: &source.about,
                bytes: &[],
                size: source.bytes,
                before: state,
                after: state,
            });
        }
        // What was said behind the source keeps its place: this input's output goes behind it.
        self.tell(
            now,
            Input::SourceEnd(SourceEnd {
                bytes: source.bytes,
                whole,
            }),
        );
    }

    fn show_said(
        &mut self,
        now: Moment,
        about: &About,
        part: u32,
        range: Range<usize>,
        tap: &mut dyn Tap,
    ) {
        if tap.level() == Level::Off {
            return;
        }
        let state = self.session.state();
        tap.message(Tapped {
            at: now,
            direction: Direction::Sent,
            part,
            about,
            size: range.len() as u64,
            bytes: &self.outbox.bytes[range],
            before: state,
            after: state,
        });
    }
}
