//! Collecting mail (RFC 1939), both sides.
//!
//! Without APOP (it needs passwords kept in clear). Extensions: CAPA and response codes (RFC 2449,
//! 3206), STLS (RFC 2595), AUTH PLAIN (RFC 5034), TOP and UIDL.
//!
//! ```text
//! table.rs    which command is legal when     server.rs, login.rs, maildrop.rs
//! limits.rs   sizes, counts, times            client.rs, job.rs
//! ask.rs      what both ask their service
//! ```
//!
//! Not here: who may read which maildrop, its lock, and what it holds (`services`).

pub mod ask;
pub mod client;
pub mod job;
pub mod limits;
mod login;
mod maildrop;
pub mod server;
pub mod table;

pub use ask::{Answer, Ask, Collect, Collected, Entry};
pub use client::Client;
pub use job::{Fetch, Job, Outcome, TlsPolicy};
pub use server::{Server, Settings, refusal_when_full};
