//! Transcripts in the syntax of `transcripts/`, so that what happened can be replayed as a test:
//! a header of `# key: value` lines, then `C: line` and `S: line` (CR LF implied; a final `\` means
//! there was none), `T: +5s` where time passed, `! tls` where TLS began.

use alloc::format;
use alloc::string::{String, ToString};

use crate::escape::{escaped, escaped_with_stars};
use crate::exchange::{Ending, Message, socket_text};
use crate::record::Role;
use crate::shown::{Selection, Shown};
use crate::text::visible;
use crate::wire::wire;

/// Shorter waits are not worth a line.
const WAIT_MIN_US: u64 = 1_000_000;

/// The dialogues of all exchanges, one behind the other, an empty line between them.
pub fn dialogues(selection: &Selection<'_, '_>) -> String {
    let mut out = String::new();
    for shown in &selection.exchanges {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&dialogue(shown));
    }
    out
}

/// One exchange's dialogue.
pub fn dialogue(shown: &Shown<'_, '_>) -> String {
    let mut out = header(shown);
    let mut before_us = None;
    let mut secured = false;
    for message in &shown.messages {
        if let Some(waited_us) = before_us.map(|before| message.time_us.saturating_sub(before))
            && waited_us >= WAIT_MIN_US
        {
            out.push_str(&format!("T: +{}s\n", waited_us / 1_000_000));
        }
        before_us = Some(message.time_us);
        if message.secured && !secured {
            out.push_str("! tls\n");
            secured = true;
        }
        say(&mut out, shown, message);
    }
    if shown.exchange.ending() == Ending::Done {
        out.push_str("! closed\n");
    }
    out
}

fn header(shown: &Shown<'_, '_>) -> String {
    let exchange = shown.exchange;
    let mut out = String::new();
    let mut line = |key: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("# {key}: {}\n", visible(value)));
        }
    };
    line("protocol", exchange.protocol());
    line("exchange", &exchange.id().to_string());
    line("client", &socket_text(exchange.client()));
    line("server", &socket_text(exchange.server()));
    line("named", exchange.named());
    line("service", exchange.server_service());
    let wires = shown.messages.iter().map(|message| wire(exchange, message));
    if wires.clone().any(|wire| wire.is_text) {
        line(
            "bytes",
            "not all were kept; some lines are only what the trace says of them",
        );
    } else if wires.clone().any(|wire| wire.missing > 0) {
        line("bytes", "long messages were cut");
    }
    out
}

fn say(out: &mut String, shown: &Shown<'_, '_>, message: &Message<'_>) {
    let mark = match message.from {
        Role::Client => "C: ",
        Role::Server => "S: ",
    };
    let escape = if message.masked {
        escaped_with_stars
    } else {
        escaped
    };
    let wire = wire(shown.exchange, message);
    let mut rest: &[u8] = &wire.bytes;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n");
        out.push_str(mark);
        match end {
            Some(end) => {
                out.push_str(&escape(&rest[..end]));
                rest = &rest[end + 2..];
            }
            None => {
                out.push_str(&escape(rest));
                out.push('\\');
                rest = &[];
            }
        }
        out.push('\n');
    }
}
