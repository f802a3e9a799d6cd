//! What goes by in a dialogue whose protocol nobody here knows, as the trace is told of it: who spoke
//! when, and how much. Not what was said: any part of it may be a password.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use guichet_engine::clock;
use guichet_engine::recorder::Exchange;
use guichet_proto::session::Tap;
use guichet_proto::{About, Tapped};
use guichet_trace::{Direction, Moment, Verb};

const DATA: Verb = Verb::new("DATA");

/// The turns of a dialogue, told by the threads that see its two directions.
pub struct Turns {
    /// What one side sends until the other one speaks is one turn; a datagram always is one.
    is_stream: bool,
    telling: Mutex<Telling>,
}

struct Telling {
    exchange: Option<Exchange>,
    turn: Option<Turn>,
}

struct Turn {
    direction: Direction,
    began: Moment,
    bytes: usize,
}

impl Turns {
    /// Of a stream of bytes.
    pub fn of_a_stream(exchange: Exchange) -> Self {
        Self::new(exchange, true)
    }

    /// Of datagrams.
    pub fn of_datagrams(exchange: Exchange) -> Self {
        Self::new(exchange, false)
    }

    fn new(exchange: Exchange, is_stream: bool) -> Self {
        let telling = Telling {
            exchange: Some(exchange),
            turn: None,
        };
        Self {
            is_stream,
            telling: Mutex::new(telling),
        }
    }

    /// So many bytes went by.
    pub fn passed(&self, direction: Direction, bytes: usize) {
        let mut telling = self.telling();
        match &mut telling.turn {
            Some(turn) if turn.direction == direction && self.is_stream => turn.bytes += bytes,
            _ => {
                telling.close_turn();
                telling.turn = Some(Turn {
                    direction,
                    began: clock::now(),
                    bytes,
                });
            }
        }
    }

    /// It is over, or it broke, or it did not even begin.
    pub fn end(&self, error: Option<&io::Error>) {
        let mut telling = self.telling();
        let has_begun = telling.turn.is_some();
        telling.close_turn();
        let Some(exchange) = telling.exchange.take() else {
            return;
        };
        let reason = match error.map(io::Error::kind) {
            None => "done",
            Some(io::ErrorKind::TimedOut) => "timeout",
            Some(io::ErrorKind::ConnectionReset) if has_begun => "reset",
            Some(_) => "unreachable",
        };
        exchange.end(
            Verb::new(reason),
            error.map(io::Error::to_string).unwrap_or_default(),
        );
    }

    /// A thread that panicked has told what it had seen.
    fn telling(&self) -> MutexGuard<'_, Telling> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Telling {
    fn close_turn(&mut self) {
        let (Some(turn), Some(exchange)) = (self.turn.take(), &mut self.exchange) else {
            return;
        };
        let mut about = About::new(DATA);
        about.text(format!("{} octets", turn.bytes));
        exchange.message(Tapped {
            at: turn.began,
            direction: turn.direction,
            part: 0,
            about: &about,
            bytes: &[],
            size: turn.bytes as u64,
            before: "",
            after: "",
        });
    }
}
