//! What happened: records of exchanges, the links that say what caused what, and the views made
//! from them (journeys, drawings, exports).
//!
//! An *exchange* is one dialogue between a client and a server: a connection, or a datagram pair.
//! A *message* is one protocol unit inside it. A *part* of an exchange is one matter handled in it
//! (one letter of an SMTP connection, one request of a kept HTTP connection); part 0 is what
//! concerns the exchange as a whole (greeting, log-in). *Causes* point from an effect back to the
//! part of the exchange that led to it. A *journey* is a query over these links.
//!
//! This crate has no clock, file, socket or thread: it is `no_std`, so the compiler keeps them out.
//! The engine makes records, `guichet` writes them to disk, people look at them through the views.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
pub mod escape;
pub mod exchange;
mod facts;
#[cfg(test)]
mod fixture;
mod graph;
mod join;
pub mod journey;
pub mod lanes;
mod mask;
pub mod picture;
pub mod record;
pub mod render;
#[cfg(test)]
mod scenarios;
pub mod shown;
pub mod steps;
mod text;
pub mod view;
pub mod wire;
mod words;

pub use journey::{Journey, JourneyId, Kind, State};
pub use mask::mask;
pub use picture::Picture;
pub use record::{
    Body, Cause, Direction, ExchangeId, Level, Mode, Moment, Opened, Record, Role, Secured,
    Transport, Verb, WallTime,
};
pub use text::visible;
pub use view::{Limits, Source, View};
pub use words::Words;
