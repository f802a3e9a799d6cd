//! For tests that mistreat the real server: instances that can be killed and started again, clients
//! that go one step at a time, a ledger, and chance from a seed.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "a test may stop here, and each test program uses its part"
)]

pub mod chance;
pub mod instance;
pub mod ledger;
pub mod memory;
pub mod pop3;
pub mod smtp;
pub mod tmpfs;
