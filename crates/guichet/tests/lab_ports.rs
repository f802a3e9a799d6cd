//! Which ports a lab takes when others are there before it.
//!
//! A program of its own: it takes ports that labs of other tests would want in the same moment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::net::TcpListener;

use support::Lab;

#[test]
fn a_port_that_is_taken_moves_the_lab() {
    let first = Lab::start(&[]);
    let wanted = first.service("sud.test", "pop3");
    drop(first);
    // Whoever else runs tests here may be quicker; then the port is taken just as well.
    let taken = TcpListener::bind(wanted);
    let second = Lab::start(&[]);
    assert_ne!(second.service("sud.test", "pop3"), wanted);
    drop(taken);
}
