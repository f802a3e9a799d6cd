//! Makes records of what goes by and hands them to a sink, without ever waiting for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use guichet_proto::{Tap, Tapped};
use guichet_trace::{
    Body, Cause, Direction, ExchangeId, Level, Mode, Moment, Opened, Record, Role, Secured,
    Transport, Verb,
};

use crate::clock;

/// Of the bytes of one message at most so many are kept at level `full`.
const KEPT_BYTES_MOST: usize = 64 * 1024;
/// Words shown for a message are at most so long.
const TEXT_BYTES_MOST: usize = 400;

/// Takes records. Must return at once: what it cannot take it counts and reports as a gap.
pub trait RecordSink: Send + Sync {
    /// Takes one record.
    fn record(&self, record: Record);
}

/// Where exchanges get their ids and records their sink.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    level: AtomicU8,
    next: AtomicU64,
    sink: Box<dyn RecordSink>,
}

/// What is known of an exchange when it begins.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The protocol's name.
    pub protocol: &'static str,
    /// What carries it.
    pub transport: Transport,
    /// Which end this is.
    pub role: Role,
    /// This end's socket.
    pub local: SocketAddr,
    /// The other end's.
    pub remote: SocketAddr,
    /// What was meant, for people.
    pub named: String,
    /// Whose end this is.
    pub organisation: Arc<str>,
    /// Listener or program.
    pub service: Arc<str>,
    /// How it is served.
    pub mode: Mode,
    /// What led to it.
    pub causes: Vec<Cause>,
}

impl Recorder {
    /// A recorder whose ids begin with `instance` (24 bits, drawn at random by the caller).
    pub fn new(level: Level, instance: u32, sink: Box<dyn RecordSink>) -> Self {
        let first = (u64::from(instance) & 0xff_ffff) << 40 | 1;
        Self {
            shared: Arc::new(Shared {
                level: AtomicU8::new(level as u8),
                next: AtomicU64::new(first),
                sink,
            }),
        }
    }

    /// How much is recorded from now on.
    pub fn level(&self) -> Level {
        match self.shared.level.load(Ordering::Relaxed) {
            0 => Level::Off,
            1 => Level::Envelope,
            _ => Level::Full,
        }
    }

    /// Changes the level for exchanges that begin later.
    pub fn set_level(&self, level: Level) {
        self.shared.level.store(level as u8, Ordering::Relaxed);
    }

    /// Begins an exchange.
    pub fn begin(&self, beginning: Beginning) -> Exchange {
        self.begin_at_most(Level::Full, beginning)
    }

    /// Begins an exchange of which at most so much is recorded.
    pub fn begin_at_most(&self, most: Level, beginning: Beginning) -> Exchange {
        let id = ExchangeId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let exchange = Exchange {
            recorder: self.clone(),
            id,
            level: self.level().min(most),
            kept: Vec::new(),
            ended: false,
        };
        if exchange.level == Level::Off {
            return exchange; // nothing is made that nobody keeps
        }
        exchange.put(
            clock::now(),
            Body::Opened(Opened {
                protocol: beginning.protocol.to_owned(),
                transport: beginning.transport,
                role: beginning.role,
                local: beginning.local,
                remote: beginning.remote,
                named: beginning.named,
                organisation: beginning.organisation.as_ref().to_owned(),
                service: beginning.service.as_ref().to_owned(),
                mode: beginning.mode,
                causes: beginning.causes,
            }),
        );
        exchange
    }

    /// Adds a fact to an exchange that may be long over (a letter delivered later).
    pub fn note(&self, cause: Cause, word: Verb, text: String) {
        if self.level() > Level::Off {
            let body = Body::Note {
                word,
                part: cause.part,
                text,
            };
            self.put(cause.exchange, clock::now(), body);
        }
    }

    fn put(&self, exchange: ExchangeId, at: Moment, body: Body) {
        self.shared.sink.record(Record {
            exchange,
            at,
            wall: clock::wall(),
            body,
        });
    }
}

/// One exchange being recorded: the tap of its dialogue. Dropped without [`Exchange::end`], it
/// records that it was cut, or that it panicked.
pub struct Exchange {
    recorder: Recorder,
    id: ExchangeId,
    level: Level,
    kept: Vec<u8>,
    ended: bool,
}

impl Exchange {
    /// Its id.
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// TLS begins.
    pub fn secured(&self, secured: Secured) {
        self.put(clock::now(), Body::Secured(secured));
    }

    /// It is over.
    pub fn end(mut self, reason: Verb, text: String) {
        self.ended = true;
        self.put(clock::now(), Body::Closed { reason, text });
    }

    fn put(&self, at: Moment, body: Body) {
        if self.level > Level::Off {
            self.recorder.put(self.id, at, body);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.ended {
            let reason = if std::thread::panicking() {
                "panic"
            } else {
                "cut"
            };
            self.put(
                clock::now(),
                Body::Closed {
                    reason: Verb::new(reason),
                    text: String::new(),
                },
            );
        }
    }
}

impl Tap for Exchange {
    fn level(&self) -> Level {
        self.level
    }

    fn message(&mut self, message: Tapped<'_>) {
        let about = message.about;
        let masked = !about.masks.is_empty();
        let text = about.text.clone().unwrap_or_else(|| first_line(&message));
        let bytes = match self.level {
            Level::Full if message.bytes.is_empty() => std::mem::take(&mut self.kept),
            Level::Full => {
                let kept = message.bytes.len().min(KEPT_BYTES_MOST);
                masked_copy(&message.bytes[..kept], &message)
            }
            _ => Vec::new(),
        };
        let body = Body::Message {
            direction: message.direction,
            verb: about.verb,
            text,
            size: message.size,
            masked,
            part: message.part,
            before: message.before.to_owned(),
            after: message.after.to_owned(),
            causes: about.causes.clone(),
            bytes,
        };
        self.put(message.at, body);
    }

    fn body(&mut self, _: Direction, piece: &[u8]) {
        let room = KEPT_BYTES_MOST.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn note(&mut self, at: Moment, part: u32, word: Verb, text: String) {
        self.put(at, Body::Note { word, part, text });
    }
}

fn masked_copy(bytes: &[u8], message: &Tapped<'_>) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    for mask in &message.about.masks {
        let end = mask.end.min(copy.len());
        copy[mask.start.min(end)..end].fill(b'*');
    }
    copy
}

/// The words for a message whose session gave none: its first line, masked.
fn first_line(message: &Tapped<'_>) -> String {
    let end = message
        .bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(message.bytes.len());
    let line = masked_copy(&message.bytes[..end.min(TEXT_BYTES_MOST)], message);
    let line = line.strip_suffix(b"\r").unwrap_or(&line);
    String::from_utf8_lossy(line).into_owned()
}
