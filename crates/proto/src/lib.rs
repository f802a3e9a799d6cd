//! Sessions: one side of one dialogue each, pure.
//!
//! A [`Session`] is told what happened and says what to do; it owns no socket, clock, file or
//! thread (the crate is `no_std`, so the compiler keeps them out). [`Dialogue`] is the part of a
//! connection that needs no I/O either: it cuts the byte stream into the messages the session
//! expects, keeps the limits, and shows every message to the [`Tap`]. Whoever owns the socket (the
//! engine, a worker process, a test) drives a `Dialogue` and asks the [`Service`].
//!
//! ```text
//!            bytes          message            Ask
//!  driver ─────────▶ Dialogue ─────▶ Session ─────▶ Service      one folder per protocol:
//!         ◀─────────          ◀─────         ◀─────              sessions, tables, grammar
//!            bytes     │        Say            Answer
//!                      └──▶ Tap
//! ```
//!
//! Not here: who may do what, and where mail goes (`services`); descriptors and TLS (`engine`).
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod common;
pub mod cut;
pub mod dialogue;
pub mod dns;
pub mod echo;
pub mod http;
pub mod outbox;
pub mod player;
pub mod pop3;
pub mod service;
pub mod session;
pub mod smtp;
pub mod transcript;

pub use dialogue::{Dialogue, Next};
pub use guichet_trace::{Cause, Level, Moment, Verb};
pub use outbox::{About, Outbox};
pub use service::{Pulled, Reply, Service};
pub use session::{
    BodyEnd, BodyFault, BodyForm, ChannelEvent, ChannelId, ChannelOrder, Expect, Input, LineEnd,
    LineEnds, Message, Session, SourceEnd, SourceForm, SourceId, Tap, Tapped, TlsSide,
};
