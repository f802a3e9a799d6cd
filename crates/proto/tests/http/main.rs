//! HTTP: the transcripts of `transcripts/http`, both sides joined in memory, and what must hold for
//! any bytes at all.
#![allow(clippy::unwrap_used)] // a test says what is wrong by failing

mod client;
mod peers;
mod server;
mod trace;
