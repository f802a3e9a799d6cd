//! The contract between a protocol and whoever drives it.

use alloc::string::String;
use core::net::SocketAddr;

use guichet_trace::{Direction, Level, Moment, Verb};

use crate::outbox::{About, Outbox};

/// One side of one dialogue, pure: time comes in as an argument, effects go out through the
/// [`Outbox`].
///
/// At most one Ask is open at a time; while it is open no further message is cut, but events, the
/// deadline set by [`Outbox::wake_at`] and the wish to stop still arrive. A half-close is told after
/// everything before it has been handled, the open Ask included; a broken connection just ends.
pub trait Session {
    /// What it needs decided. Plain data that can be serialised, so that a worker process can ask
    /// over a channel; it carries no identity: whoever answers knows whose channel it is.
    type Ask;
    /// The decision. Also what a service pushes by itself ([`Input::Event`]).
    type Answer;

    /// The protocol's name in the trace: `smtp`, `http` …
    fn protocol(&self) -> &'static str;

    /// What comes next on the wire. Asked again after every input.
    fn expects(&self) -> Expect;

    /// Takes one input and says what follows from it.
    fn on(&mut self, now: Moment, input: Input<'_, Self::Answer>, out: &mut Outbox<Self::Ask>);

    /// The state, in a word, for the trace and the diagrams.
    fn state(&self) -> &'static str;

    /// Whether the body being received holds secrets (a log-in form): the tap is then told its
    /// length alone.
    fn hides_body(&self) -> bool {
        false
    }
}

/// What a session can expect. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing now: what arrives waits in a bounded buffer, then in the peer's socket.
    Nothing,
    /// A line of at most `most` bytes, its ending included.
    Line {
        /// Beyond it [`Input::TooLong`] comes once and the rest of the line is dropped.
        most: usize,
    },
    /// Lines up to and including an empty one, of at most `most` bytes in all (an HTTP head).
    Head {
        /// Beyond it [`Input::TooLong`] comes and nothing more is cut.
        most: usize,
    },
    /// Two bytes of length (big endian), then as many bytes (DNS over TCP, RFC 1035 4.2.2).
    Counted,
    /// Exactly so many bytes, delivered in one message: for short blocks such as an IMAP literal.
    Block {
        /// How many; at most the input buffer (64 KiB).
        bytes: usize,
    },
    /// Whatever arrives, as it arrives.
    Raw,
    /// A body, lent piece by piece to the service; the session sees only its end.
    Body {
        /// How it ends.
        form: BodyForm,
        /// Bytes lent at most. What is beyond is read and dropped, so that the peer hears the
        /// answer, and the end says [`BodyFault::TooLong`].
        most: u64,
    },
}

/// How a streamed body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// At CR LF . CR LF and nowhere else, dot-stuffed (RFC 5321 4.5.2, RFC 1939 3).
    Dot(LineEnds),
    /// After so many bytes.
    Length(u64),
    /// When the peer closes.
    ToClose,
}

/// What happens to a bare CR or a bare LF in a dot-terminated body (RFC 5321 2.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// The body ends with [`BodyFault::BareLineEnd`].
    Refuse,
    /// Each becomes CR LF. The body still ends only at a true CR LF . CR LF.
    Normalise,
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// CR LF.
    CrLf,
    /// A bare LF.
    Lf,
    /// Not a line.
    None,
}

/// One protocol unit, without its line ending or length prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The content.
    pub bytes: &'a [u8],
    /// How the line ended.
    pub ending: LineEnd,
}

/// Why a body is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// More than the session allowed.
    TooLong,
    /// A bare CR or LF, see [`LineEnds::Refuse`].
    BareLineEnd,
    /// The connection ended first.
    Cut,
}

/// The end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyEnd {
    /// Bytes lent to the service (after unstuffing).
    pub bytes: u64,
    /// Why what was lent must not be used.
    pub fault: Option<BodyFault>,
}

/// What a session is told.
#[derive(Debug)]
pub enum Input<'a, Answer> {
    /// The connection is there; always the first input. Under implicit TLS it comes after the
    /// handshake.
    Opened,
    /// What [`Session::expects`] named has arrived whole.
    Message(Message<'a>),
    /// A body has ended.
    BodyEnd(BodyEnd),
    /// The open Ask is answered.
    Answer(Answer),
    /// The service speaks by itself; may come at any time, also while an Ask is open.
    Event(Answer),
    /// TLS is in force. Everything said in clear before it is to be forgotten (RFC 3207 4.2).
    Secured,
    /// The expected message is longer than allowed.
    TooLong,
    /// Nothing moved for the patience the session set, or the moment it asked to be woken at.
    Deadline,
    /// The peer will send nothing more. What was said before it has been handled.
    HalfClosed,
    /// This side is stopping: say goodbye at the next boundary.
    Stopping,
    /// A source has been sent.
    SourceEnd(SourceEnd),
    /// Something happened on a second channel.
    Channel(ChannelId, ChannelEvent),
}

/// The end of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceEnd {
    /// Bytes sent, after encoding.
    pub bytes: u64,
    /// False when the service could not deliver all of it.
    pub whole: bool,
}

/// Names a stream of bytes that the service holds for this dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct SourceId(pub u64);

/// How a source is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceForm {
    /// As it is.
    Raw,
    /// Dot-stuffed and closed by CR LF . CR LF (RFC 5321 4.5.2).
    Dot,
}

/// Which side of the handshake this end plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsSide {
    /// Sends the ClientHello.
    Client,
    /// Answers it.
    Server,
}

/// Names a second channel of a dialogue (an FTP data connection).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelId(pub u32);

/// What a session wants of a second channel. The driver moves the bytes between the channel and
/// the service; the session sees only what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Listen; answered by [`ChannelEvent::Listening`].
    Listen(ChannelId),
    /// Connect.
    Connect(ChannelId, SocketAddr),
    /// Send the source over it, then close it.
    Send(ChannelId, SourceId),
    /// Lend what arrives to the service until the peer closes it.
    Receive(ChannelId),
    /// Close it now.
    Abort(ChannelId),
}

/// What happened on a second channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// It listens here.
    Listening(SocketAddr),
    /// Both ends are there.
    Opened,
    /// The transfer has ended.
    Ended {
        /// Bytes moved.
        bytes: u64,
        /// False when it was cut, aborted or refused.
        whole: bool,
    },
}

/// Sees every message of a dialogue, once, in clear, where it is whole.
pub trait Tap {
    /// How much to show; at [`Level::Off`] nothing is called.
    fn level(&self) -> Level;

    /// A message went by.
    fn message(&mut self, message: Tapped<'_>);

    /// A piece of the body whose [`Tapped`] follows; only at [`Level::Full`].
    fn body(&mut self, direction: Direction, piece: &[u8]);

    /// Something the session wants remembered that is not on the wire.
    fn note(&mut self, at: Moment, part: u32, word: Verb, text: String);
}

/// A message as the tap sees it.
#[derive(Clone, Copy, Debug)]
pub struct Tapped<'a> {
    /// When it was whole.
    pub at: Moment,
    /// Seen from this end.
    pub direction: Direction,
    /// Which matter of the exchange it belongs to.
    pub part: u32,
    /// Verb, masks, words, causes.
    pub about: &'a About,
    /// The bytes as on the wire (bodies: empty, they went through [`Tap::body`]).
    pub bytes: &'a [u8],
    /// Length on the wire; of a body, what was lent or sent.
    pub size: u64,
    /// The session's state before it.
    pub before: &'static str,
    /// The session's state after it.
    pub after: &'static str,
}

/// A tap that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTap;

impl Tap for NoTap {
    fn level(&self) -> Level {
        Level::Off
    }
    fn message(&mut self, _: Tapped<'_>) {}
    fn body(&mut self, _: Direction, _: &[u8]) {}
    fn note(&mut self, _: Moment, _: u32, _: Verb, _: String) {}
}
