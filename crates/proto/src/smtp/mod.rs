//! Mail transfer and submission (RFC 5321, RFC 6409).
//!
//! Both sides: [`Server`] for reception (port 25) and submission (587, 465), [`Client`] for
//! relaying and sending. Extensions: SIZE (RFC 1870), PIPELINING (2920), CHUNKING (3030), STARTTLS
//! (3207), ENHANCEDSTATUSCODES (2034), AUTH PLAIN and LOGIN (4954, 4616), 8BITMIME (6152), SMTPUTF8
//! (6531).
//!
//! ```text
//! table.rs    which command is legal when, for both sides     limits.rs   sizes, counts, times
//! command.rs  the grammar of commands                         ask.rs      what the server asks
//! reply.rs    the grammar of replies                          server/ client/
//! ```
//!
//! Not here: who may send what to whom, and where a letter goes (`services`); bodies, which go from
//! the connection to the service and back without passing a session.

pub mod ask;
pub mod client;
pub mod command;
pub mod limits;
pub mod reply;
pub mod server;
pub mod table;

pub use ask::{Answer, Ask, Refusal};
pub use client::{Client, Fate, Job, Letter, Outcome, TlsPolicy};
pub use server::{Kind, Server, Settings, refusal_when_full};
