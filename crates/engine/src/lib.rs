//! Sockets and everything about them: listeners, connections, datagram endpoints, outgoing calls,
//! TLS, deadlines, the trace's tap, and the clean stop.
//!
//! ```text
//! Listener ── admission ──▶ connection ─▶ Dialogue (proto) ─▶ Service
//!                               │  ▲                              │
//!                               ▼  └── answers, pieces, sources ──┘
//!                           Recorder (trace)        Dial ──▶ connection (outgoing)
//! ```
//!
//! It drives any [`guichet_proto::Session`] and knows none by name: what is said is decided in
//! `proto`, what is answered in `services`, who listens where in `guichet`.

pub mod blocking;
pub mod clock;
pub mod connection;
pub mod datagram;
pub mod dial;
pub mod limits;
pub mod listener;
pub mod privileges;
pub mod recorder;
pub mod server;
pub mod tls;
mod wire;

pub use connection::{Arrival, Ending};
pub use datagram::{Datagrams, Handled};
pub use dial::{Call, Dial, DialError, Finished, Target};
pub use listener::{Answering, BoundListener, ListenerSettings, ListenerStatus};
pub use recorder::{Exchange, RecordSink, Recorder};
pub use server::{Server, StopReport};
