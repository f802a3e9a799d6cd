//! A message as it stood on the wire, as far as the record tells.
//!
//! Lines and heads are recorded as they went by. A dot-terminated body (RFC 5321 section 4.5.2,
//! RFC 1939 section 3) is recorded unstuffed and without its end, as the service saw it; here both
//! are put back. Below level `full` there are no bytes: then the text stands in.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::exchange::{Exchange, Message};
use crate::record::{Role, Transport};

/// What stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire<'v> {
    /// The bytes, in clear and masked.
    pub bytes: Cow<'v, [u8]>,
    /// How many more there were that were not kept.
    pub missing: u64,
    /// What must stand behind the bytes of a body that was cut, for a reader to see its end.
    pub end: &'static [u8],
    /// The bytes are not a record: the message's text stands in for them.
    pub is_text: bool,
}

/// The wire form of a message of `exchange`.
pub fn wire<'v>(exchange: &Exchange<'v>, message: &Message<'v>) -> Wire<'v> {
    if message.bytes.is_empty() && message.size > 0 {
        let text = [message.text.as_bytes(), b"\r\n"].concat();
        return Wire {
            bytes: text.into(),
            missing: 0,
            end: b"",
            is_text: true,
        };
    }
    if is_dot_body(exchange, message) {
        return dot_body(message);
    }
    let missing = message.size.saturating_sub(message.bytes.len() as u64);
    let bytes = if lacks_length(exchange, message) {
        let length = u16::try_from(message.bytes.len()).unwrap_or(u16::MAX);
        Cow::from([&length.to_be_bytes(), message.bytes].concat())
    } else {
        Cow::from(message.bytes)
    };
    Wire {
        bytes,
        missing,
        end: b"",
        is_text: false,
    }
}

fn dot_body<'v>(message: &Message<'v>) -> Wire<'v> {
    let mut bytes = stuffed(message.bytes);
    // The size counts the content where it was received and the wire where it was sent.
    let whole = message.size <= message.bytes.len() as u64
        || message.size <= bytes.len() as u64 + END.len() as u64;
    let missing = if whole {
        0
    } else {
        message.size.saturating_sub(bytes.len() as u64)
    };
    if whole {
        if !bytes.is_empty() && !bytes.ends_with(b"\r\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b".\r\n");
    }
    Wire {
        bytes: bytes.into(),
        missing,
        end: if whole { b"" } else { END },
        is_text: false,
    }
}

/// The longest end a body can need.
const END: &[u8] = b"\r\n.\r\n";

/// Doubles a dot at the beginning of a line.
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + END.len());
    let mut line_begins = true;
    for &byte in content {
        if line_begins && byte == b'.' {
            out.push(b'.');
        }
        out.push(byte);
        line_begins = byte == b'\n';
    }
    out
}

fn is_dot_body(exchange: &Exchange<'_>, message: &Message<'_>) -> bool {
    let mut earlier = exchange
        .messages
        .iter()
        .take(message.number.saturating_sub(1))
        .rev();
    match (exchange.protocol(), message.from) {
        ("smtp", Role::Client) => earlier.next().is_some_and(|before| before.verb == "354"),
        ("pop3", Role::Server) if !matches!(message.verb, "+OK" | "-ERR") => {
            match earlier
                .find(|before| before.from == Role::Client)
                .map(|command| command.verb)
            {
                Some("RETR" | "TOP") => true,
                Some("LIST" | "UIDL" | "CAPA") => {
                    let next = exchange.messages.get(message.number);
                    let is_last = next.is_none_or(|next| next.from == Role::Client);
                    is_last && !message.bytes.ends_with(b".\r\n")
                }
                _ => false,
            }
        }
        _ => false,
    }
}

/// A DNS message over TCP that was recorded without the two bytes before it (RFC 1035 4.2.2).
fn lacks_length(exchange: &Exchange<'_>, message: &Message<'_>) -> bool {
    if exchange.protocol() != "dns" || exchange.transport() != Transport::Tcp {
        return false;
    }
    let expected = message.bytes.len().saturating_sub(2);
    match message.bytes {
        [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])) != expected,
        _ => false,
    }
}
