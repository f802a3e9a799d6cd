//! The records themselves: plain data, written once where the thing happened.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A monotonic time in nanoseconds since some fixed moment of this machine's boot.
///
/// Two processes of one machine share the origin (`CLOCK_MONOTONIC`), so their moments compare.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `wait` later; saturates.
    pub fn after(self, wait: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// Time passed since `earlier`; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time in microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct WallTime(pub u64);

/// Names one exchange. The upper 24 bits are drawn at random when an instance starts, the lower 40
/// count, so that ids of several instances can stand in one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExchangeId(pub u64);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's base 32

impl ExchangeId {
    /// The 13 characters after `x-` or `j-`.
    pub(crate) fn digits(self) -> [u8; 13] {
        let mut digits = [b'0'; 13];
        let mut rest = self.0;
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        digits
    }

    /// Reads the 13 characters that [`fmt::Display`] writes behind `x-`.
    pub(crate) fn from_digits(text: &str) -> Option<Self> {
        if text.len() != 13 {
            return None;
        }
        text.bytes()
            .try_fold(0_u64, |value, byte| {
                let digit = ALPHABET.iter().position(|&known| known == byte)?;
                value.checked_mul(32)?.checked_add(digit as u64)
            })
            .map(Self)
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x-")?;
        self.digits()
            .iter()
            .try_for_each(|&digit| fmt::Write::write_char(f, digit as char))
    }
}

/// The text is not `x-` and 13 characters of Crockford's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnExchangeId;

impl FromStr for ExchangeId {
    type Err = NotAnExchangeId;

    fn from_str(text: &str) -> Result<Self, NotAnExchangeId> {
        text.strip_prefix("x-")
            .and_then(Self::from_digits)
            .ok_or(NotAnExchangeId)
    }
}

/// Points at what led to something: one part of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cause {
    /// The exchange.
    pub exchange: ExchangeId,
    /// Which matter inside it; 0 means the exchange as a whole.
    pub part: u32,
}

/// Which end of the dialogue wrote the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// The end that asks.
    Client,
    /// The end that answers.
    Server,
}

impl Role {
    /// The other end.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Which way a message went, seen from the end that wrote the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// This end received it.
    Received,
    /// This end sent it.
    Sent,
}

/// What carries the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// A connection.
    Tcp,
    /// A datagram and its answer.
    Udp,
}

/// How the listener serves (DESIGN: three ways of serving).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// One client at a time.
    Iterative,
    /// A worker process per connection.
    Process,
    /// An event loop.
    Event,
}

/// How much is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    Off,
    /// Who, verb, answer, sizes; never content.
    #[default]
    Envelope,
    /// Also the bytes, with secrets masked.
    Full,
}

/// A protocol's word for a message: `MAIL`, `250`, `GET`, `A`. At most 15 bytes, kept inline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verb {
    len: u8,
    bytes: [u8; 15],
}

impl Verb {
    /// Keeps printable ASCII of `text`, at most 15 bytes; anything else becomes `?`.
    pub const fn new(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }

    /// As [`Verb::new`], from bytes a peer sent.
    pub const fn from_bytes(text: &[u8]) -> Self {
        let mut bytes = [0; 15];
        let mut len = 0;
        while len < text.len() && len < 15 {
            let byte = text[len];
            bytes[len] = if byte.is_ascii_graphic() { byte } else { b'?' };
            len += 1;
        }
        Self {
            len: len as u8,
            bytes,
        }
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("?")
    }
}

impl fmt::Debug for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Verb {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Verb {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

/// An exchange began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Protocol name as INTERFACE lists it: `smtp`, `dns`, `http` …
    pub protocol: String,
    /// What carries it.
    pub transport: Transport,
    /// Which end writes these records.
    pub role: Role,
    /// This end's socket.
    pub local: SocketAddr,
    /// The other end's socket. After a Dial map, the address really used.
    pub remote: SocketAddr,
    /// What was meant, for people: `mail.sud.test port 25`. Empty when it says nothing new.
    pub named: String,
    /// The organisation (domain) this end belongs to; empty for a person's program.
    pub organisation: String,
    /// The service inside it: the listener's name on a server (`submission`, `smtp`, `names` …),
    /// the program's part on a client (`queue`, `resolver`, `guichet get` …).
    pub service: String,
    /// How the listener serves; `Event` for clients.
    pub mode: Mode,
    /// What led to the exchange as a whole.
    pub causes: Vec<Cause>,
}

/// TLS is in force from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secured {
    /// `TLSv1.3`, `TLSv1.2`.
    pub version: String,
    /// IANA name of the cipher suite.
    pub cipher: String,
    /// The name the client asked for (SNI); empty if none.
    pub server_name: String,
    /// Keying material both ends compute alone (RFC 8446 section 7.5, RFC 5705), by which two
    /// servers join their halves. Not a secret that opens anything: an exporter is one-way.
    pub key: [u8; 16],
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// An exchange began.
    Opened(Opened),
    /// TLS begins.
    Secured(Secured),
    /// One message went by.
    Message {
        /// Seen from this end.
        direction: Direction,
        /// The protocol's word.
        verb: Verb,
        /// What happened in words a person can read; masked; at `envelope` without content.
        text: String,
        /// Length on the wire (before TLS), also when the bytes are not kept.
        size: u64,
        /// Something in it was masked.
        masked: bool,
        /// The part of the exchange it belongs to; 0 concerns the exchange as a whole.
        part: u32,
        /// The session's state before it.
        before: String,
        /// The session's state after it.
        after: String,
        /// What led to this message, beyond the exchange's own causes.
        causes: Vec<Cause>,
        /// The bytes in clear, masked, at level `full`; possibly cut short of `size`.
        bytes: Vec<u8>,
    },
    /// A fact that is not on the wire: `queued`, `delivered`, `deferred`, `failed`, `limit`,
    /// `panic` …
    Note {
        /// One word for programs.
        word: Verb,
        /// The part it belongs to.
        part: u32,
        /// A sentence's matter for people (an id, an address, a reason).
        text: String,
    },
    /// The exchange is over.
    Closed {
        /// `done`, `reset`, `timeout`, `stopped`, `refused`, `panic`, `tls`: one word.
        reason: Verb,
        /// In words, where there is more to say.
        text: String,
    },
    /// Records were dropped under pressure: a visible gap, not attached to an exchange.
    Gap {
        /// How many.
        dropped: u64,
    },
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The exchange it belongs to (for `Gap`: the instance's prefix with count 0).
    pub exchange: ExchangeId,
    /// Monotonic time; orders the records of one machine.
    pub at: Moment,
    /// Wall time; orders the records of several machines, as well as their clocks agree.
    pub wall: WallTime,
    /// What happened.
    pub body: Body,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn an_exchange_id_reads_back() {
        for id in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = ExchangeId(id);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert!("x-".parse::<ExchangeId>().is_err());
        assert!(
            "x-zzzzzzzzzzzzz".parse::<ExchangeId>().is_err(),
            "more than 64 bits"
        );
    }

    #[test]
    fn a_verb_never_carries_what_a_terminal_would_obey() {
        assert_eq!(Verb::from_bytes(b"\x1b[2J\xc3\xa9").as_str(), "?[2J??");
        assert_eq!(
            Verb::new("ABCDEFGHIJKLMNOPQRST").as_str(),
            "ABCDEFGHIJKLMNO"
        );
    }
}
