//! The part of a connection that needs no I/O.
//!
//! A driver feeds it bytes and time, asks it what is [`next`](Dialogue::next), does that, and asks
//! again until it is [`Next::Idle`]. Limits, the tap, back-pressure, the order of output and the
//! discarding of what was injected behind STARTTLS are kept here, once for every protocol and
//! every serving mode.

mod intake;
mod orders;

use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use core::time::Duration;

use guichet_trace::{Direction, Level, Moment, Verb};

use crate::common::dot::Stuffer;
use crate::cut::Decoder;
use crate::outbox::{About, Outbox};
use crate::service::Pulled;
use crate::session::{
    BodyFault, ChannelEvent, ChannelId, ChannelOrder, Input, Session, SourceId, Tap, TlsSide,
};
use intake::Taken;

/// Input is taken from the socket up to so many waiting bytes.
pub const INPUT_BYTES_MOST: usize = 64 * 1024;
/// Above so many unsent bytes no further input is handled.
pub const OUTPUT_BYTES_HIGH: usize = 64 * 1024;
/// What a source is asked for at a time.
pub const PULL_BYTES: usize = 64 * 1024;

/// What the driver is to do.
#[derive(Debug)]
pub enum Next<Ask> {
    /// Send [`Dialogue::output`] before anything else.
    Flush,
    /// Ask the service, then call [`Dialogue::answer`].
    Ask(Ask),
    /// Lend [`Dialogue::piece`] to the service, then call [`Dialogue::piece_taken`].
    Piece,
    /// Get bytes from the service, then call [`Dialogue::pulled`].
    Pull(SourceId),
    /// Do the TLS handshake, then call [`Dialogue::secured`].
    Secure(TlsSide),
    /// Do it, and report by [`Dialogue::channel`].
    Channel(ChannelOrder),
    /// End the sending direction.
    HalfClose,
    /// Send what is waiting. Then wait for what comes first: input (if [`Dialogue::wants_input`]),
    /// the open answer, an event, the [`Dialogue::deadline`], the wish to stop.
    Idle,
    /// Close the connection; the dialogue is over.
    Close(End),
}

/// How a dialogue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The session closed it.
    Done,
    /// The peer took nothing for longer than the patience.
    Stalled,
}

/// A session with its buffers.
pub struct Dialogue<S: Session> {
    session: S,
    outbox: Outbox<S::Ask>,
    input: Vec<u8>,
    /// How much of `input` is used up.
    used: usize,
    /// How far behind `used` the cutter has looked.
    scanned: usize,
    /// `outbox.bytes[sent..ready]` may go out.
    ready: usize,
    sent: usize,
    body: Option<BodyIn>,
    piece: Piece,
    source: Option<SourceOut>,
    pulled: Vec<u8>,
    pulled_sent: usize,
    asking: bool,
    securing: Option<TlsSide>,
    half_closing: bool,
    closing: Option<End>,
    /// The rest of an over-long line is being dropped.
    skipping: bool,
    stuck: bool,
    ended: Ended,
    moved_at: Moment,
}

struct BodyIn {
    decoder: Decoder,
    most: u64,
    lent: u64,
    fault: Option<BodyFault>,
}

struct SourceOut {
    id: SourceId,
    about: About,
    part: u32,
    stuffer: Option<Stuffer>,
    bytes: u64,
    ended: Option<bool>,
}

enum Piece {
    None,
    Bytes(Range<usize>),
    LineEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    Untold,
    Told,
}

impl<S: Session> Dialogue<S> {
    /// A dialogue whose connection is there: the session is told so.
    pub fn open(session: S, now: Moment) -> Self {
        let mut dialogue = Self {
            session,
            outbox: Outbox::default(),
            input: Vec::new(),
            used: 0,
            scanned: 0,
            ready: 0,
            sent: 0,
            body: None,
            piece: Piece::None,
            source: None,
            pulled: Vec::new(),
            pulled_sent: 0,
            asking: false,
            securing: None,
            half_closing: false,
            closing: None,
            skipping: false,
            stuck: false,
            ended: Ended::No,
            moved_at: now,
        };
        dialogue.tell(now, Input::Opened);
        dialogue
    }

    /// The session, to look at.
    pub fn session(&self) -> &S {
        &self.session
    }

    // ----- what the driver brings -----

    /// Appends what arrived.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input_buffer().extend_from_slice(bytes);
    }

    /// The input buffer, to read into its end directly. It has no memory while nothing waits, so a
    /// driver that serves many connections swaps one big buffer in before it reads and takes it
    /// back with [`Dialogue::return_buffer`].
    pub fn input_buffer(&mut self) -> &mut Vec<u8> {
        if self.used > INPUT_BYTES_MOST {
            self.drop_used();
        }
        &mut self.input
    }

    /// Under back-pressure something always waits behind what is used up: it must not pile up.
    fn drop_used(&mut self) {
        if let Piece::Bytes(range) = &mut self.piece {
            *range = range.start - self.used..range.end - self.used;
        }
        self.input.drain(..self.used);
        self.used = 0;
    }

    /// Gives up the input buffer; what is unused stays here in a buffer of its own size.
    pub fn return_buffer(&mut self) -> Vec<u8> {
        let rest = self.input[self.used..].to_vec();
        if let Piece::Bytes(range) = &mut self.piece {
            *range = range.start - self.used..range.end - self.used;
        }
        self.used = 0;
        let mut lent = mem::replace(&mut self.input, rest);
        lent.clear();
        lent
    }

    /// The peer will send nothing more.
    pub fn input_ended(&mut self) {
        if self.ended == Ended::No {
            self.ended = Ended::Untold;
        }
    }

    /// The open Ask is answered.
    pub fn answer(&mut self, now: Moment, answer: S::Answer) {
        self.asking = false;
        self.moved_at = now;
        self.tell(now, Input::Answer(answer));
    }

    /// The service pushes something.
    pub fn event(&mut self, now: Moment, event: S::Answer) {
        self.tell(now, Input::Event(event));
    }

    /// This side is stopping.
    pub fn stop(&mut self, now: Moment) {
        self.tell(now, Input::Stopping);
    }

    /// Something happened on a second channel.
    pub fn channel(&mut self, now: Moment, id: ChannelId, event: ChannelEvent) {
        self.moved_at = now;
        self.tell(now, Input::Channel(id, event));
    }

    /// The handshake is done.
    pub fn secured(&mut self, now: Moment) {
        self.securing = None;
        self.moved_at = now;
        self.tell(now, Input::Secured);
    }

    /// Tells the session if its deadline has passed. A peer that takes no output for so long is
    /// not told: it would not hear it.
    pub fn tick(&mut self, now: Moment) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if !self.output().is_empty() && self.patience_ends().is_some_and(|end| now >= end) {
            self.stuck = true;
            return;
        }
        if self.outbox.wake_at.is_some_and(|moment| now >= moment) {
            self.outbox.wake_at = None;
        }
        if self.output().is_empty() {
            self.moved_at = now;
        }
        self.tell(now, Input::Deadline);
    }

    // ----- what the driver asks -----

    /// Waiting output, in clear.
    pub fn output(&self) -> &[u8] {
        if self.sent < self.ready {
            &self.outbox.bytes[self.sent..self.ready]
        } else {
            &self.pulled[self.pulled_sent..]
        }
    }

    /// So many bytes of [`Dialogue::output`] are on their way.
    pub fn sent(&mut self, now: Moment, count: usize) {
        self.moved_at = now;
        if self.sent < self.ready {
            self.sent += count;
        } else {
            self.pulled_sent += count;
        }
        if self.sent == self.outbox.bytes.len() {
            self.outbox.bytes.clear();
            (self.sent, self.ready) = (0, 0);
            if self.outbox.bytes.capacity() > OUTPUT_BYTES_HIGH {
                self.outbox.bytes = Vec::new();
            }
        }
        if self.pulled_sent == self.pulled.len() {
            self.pulled.clear();
            self.pulled_sent = 0;
        }
    }

    /// The output buffer while nothing waits in it, to lend memory to or take it back: an idle
    /// dialogue holds none.
    pub fn idle_output_buffer(&mut self) -> Option<&mut Vec<u8>> {
        self.outbox
            .bytes
            .is_empty()
            .then_some(&mut self.outbox.bytes)
    }

    /// The session, when the dialogue is over.
    pub fn into_session(self) -> S {
        self.session
    }

    /// Whether to read. False when the buffer is full or the peer has ended.
    pub fn wants_input(&self) -> bool {
        self.ended == Ended::No && self.input.len() - self.used <= INPUT_BYTES_MOST
    }

    /// When to call [`Dialogue::tick`].
    pub fn deadline(&self) -> Option<Moment> {
        match (self.patience_ends(), self.outbox.wake_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// When a peer that neither sends nor takes anything is too late.
    fn patience_ends(&self) -> Option<Moment> {
        match self.outbox.patience {
            // While a service thinks, the peer is not the one who is late.
            Some(_) if self.asking && self.output().is_empty() => None,
            Some(patience) => Some(self.moved_at.after(patience)),
            None if !self.output().is_empty() => Some(self.moved_at.after(STALL_MOST)),
            None => None,
        }
    }

    /// Whether an Ask is open.
    pub fn is_asking(&self) -> bool {
        self.asking
    }

    /// The piece to lend, after [`Next::Piece`].
    pub fn piece(&self) -> &[u8] {
        match &self.piece {
            Piece::None => &[],
            Piece::Bytes(range) => &self.input[range.clone()],
            Piece::LineEnd => b"\r\n",
        }
    }

    /// The service has taken the piece.
    pub fn piece_taken(&mut self, now: Moment) {
        self.moved_at = now;
        if let Piece::Bytes(range) = mem::replace(&mut self.piece, Piece::None) {
            self.used = self.used.max(range.end);
        }
    }

    /// What the service gave for [`Next::Pull`].
    pub fn pulled(&mut self, pulled: Pulled, tap: &mut dyn Tap) {
        let Some(source) = &mut self.source else {
            return;
        };
        match pulled {
            Pulled::Bytes(bytes) => {
                if tap.level() == Level::Full {
                    tap.body(Direction::Sent, &bytes);
                }
                match &mut source.stuffer {
                    Some(stuffer) => stuffer.stuff(&bytes, &mut self.pulled),
                    None if self.pulled.is_empty() => self.pulled = bytes,
                    None => self.pulled.extend_from_slice(&bytes),
                }
            }
            Pulled::End => {
                if let Some(stuffer) = &mut source.stuffer {
                    stuffer.end(&mut self.pulled);
                }
                source.ended = Some(true);
            }
            Pulled::Failed => source.ended = Some(false),
        }
        source.bytes += self.pulled.len() as u64;
    }

    /// What to do now. Calls the session as often as the input at hand allows.
    pub fn next(&mut self, now: Moment, tap: &mut dyn Tap) -> Next<S::Ask> {
        loop {
            if self.stuck {
                return Next::Close(End::Stalled);
            }
            if let Some(next) = self.act(now, tap) {
                return next;
            }
            if self.output().len() > OUTPUT_BYTES_HIGH {
                return Next::Flush;
            }
            if self.asking {
                return Next::Idle;
            }
            match self.take_input(now, tap) {
                Taken::Told => {}
                Taken::Piece => return Next::Piece,
                Taken::Nothing => return Next::Idle,
            }
        }
    }

    /// Tells the session something that is not a message on the wire.
    fn tell(&mut self, now: Moment, input: Input<'_, S::Answer>) {
        self.outbox.unread_bytes = self.input.len() - self.used;
        self.session.on(now, input, &mut self.outbox);
    }
}

const UNNAMED: Verb = Verb::new("?");
const LIMIT: Verb = Verb::new("limit");
/// A peer that takes nothing is given up after so long when the session sets no patience.
const STALL_MOST: Duration = Duration::from_secs(120);
