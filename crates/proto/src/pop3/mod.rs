//! Collecting mail (RFC 1939).

pub mod ask;
