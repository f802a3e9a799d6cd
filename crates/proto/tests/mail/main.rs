//! SMTP and POP3 against fake services: transcripts, both halves joined, streams, hostile peers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fakes;
mod hostile;
mod joined;
mod streams;
mod tables;
mod thinking;
mod transcripts;
