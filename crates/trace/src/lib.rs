//! What happened: records of exchanges, the links that say what caused what, and the views made
//! from them (journeys, drawings, exports).
//!
//! An *exchange* is one dialogue between a client and a server: a connection, or a datagram pair.
//! A *message* is one protocol unit inside it. A *part* of an exchange is one matter handled in it
//! (one letter of an SMTP connection, one request of a kept HTTP connection); part 0 is what
//! concerns the exchange as a whole (greeting, log-in). *Causes* point from an effect back to the
//! part of the exchange that led to it. A *journey* is a query over these links.
//!
//! The way through: a [`View`] takes records of one or several instances ([`View::add`]); its
//! [`Picture`] joins the two halves of each exchange and links causes; [`Picture::journeys`] and
//! [`Picture::journey`] answer what happened; [`render`] shows it: steps, story, drawing, JSON,
//! exports. Words for people come from outside ([`Words`]).
//!
//! ```
//! use guichet_trace::render::json;
//! use guichet_trace::{
//!     Body, Direction, ExchangeId, Mode, Moment, Opened, Record, Role, Source, Transport, Verb, View,
//!     WallTime,
//! };
//!
//! let record = |at_ns: u64, body| Record {
//!     exchange: ExchangeId(1),
//!     at: Moment(at_ns),
//!     wall: WallTime(1_767_261_600_000_000 + at_ns / 1_000),
//!     body,
//! };
//! let mut view = View::new();
//! let opened = Opened {
//!     protocol: "dns".into(),
//!     transport: Transport::Udp,
//!     role: Role::Server,
//!     local: "127.0.0.3:20053".parse().unwrap(),
//!     remote: "127.0.0.1:40000".parse().unwrap(),
//!     named: String::new(),
//!     organisation: "sud.test".into(),
//!     service: "dns".into(),
//!     mode: Mode::Event,
//!     causes: Vec::new(),
//! };
//! view.add(Source(0), record(0, Body::Opened(opened)));
//! let question = Body::Message {
//!     direction: Direction::Received,
//!     verb: Verb::new("A"),
//!     text: "www.sud.test A?".into(),
//!     size: 30,
//!     masked: false,
//!     part: 0,
//!     before: String::new(),
//!     after: String::new(),
//!     causes: Vec::new(),
//!     bytes: Vec::new(),
//! };
//! view.add(Source(0), record(80_000, question));
//!
//! let picture = view.picture();
//! let journeys = picture.journeys();
//! assert_eq!(journeys[0].title, "www.sud.test A");
//! assert!(json::listed(&journeys[0]).contains(r#""kind":"name","state":"open""#));
//! ```
//!
//! This crate has no clock, file, socket or thread: it is `no_std`, so the compiler keeps them out.
//! The engine makes records, `guichet` writes them to disk, people look at them through the views.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
mod delivery;
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
mod order;
pub mod picture;
mod purpose;
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
