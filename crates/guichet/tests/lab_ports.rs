//! Which ports a lab takes when others are there before it.
//!
//! A program of its own: it takes ports that labs of other tests would want in the same moment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::thread;

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

#[test]
fn labs_started_in_the_same_moment_take_different_ports() {
    let starting: Vec<_> = (0..4).map(|_| thread::spawn(|| Lab::start(&[]))).collect();
    let labs: Vec<Lab> = starting
        .into_iter()
        .map(|lab| lab.join().unwrap())
        .collect();
    let servers: BTreeSet<_> = labs
        .iter()
        .map(|lab| lab.service("nord.test", "smtp"))
        .collect();
    assert_eq!(servers.len(), labs.len());
}
