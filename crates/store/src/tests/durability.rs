//! The promise: what was answered for is there after any death; and the proof that this test can
//! fail, by committers that answer too early.

use std::future::Future;
use std::time::Duration;

use super::*;
use crate::layer::forgetful::Gate;
use crate::testing::{self, CommitOrder};
use crate::{Commit, StoreError};

/// Stops the world at `gate` while a message is accepted, notes whether it is answered for, cuts the
/// power, throws the view away, and counts what was answered for and is lost.
fn lost_at(gate: Gate, order: CommitOrder) -> usize {
    let dir = scratch();
    let layer = Forgetful::new();
    let store = testing::open_with(forgetful(dir.path(), &layer), order).unwrap();
    add_bob(&store);
    store.flush().wait().unwrap();
    layer.set_gate(gate);
    let mut commit = store.accept_message(at(2), message(vec![local("bob@sud.test")], "kept?"));
    layer.wait_until_somebody_waits();
    let answered = is_answered(&mut commit);
    let layer = layer.lose_power(None);
    drop(store);
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    let kept = bodies_of_bob(&store).len();
    usize::from(answered).saturating_sub(kept)
}

/// Whether a commit is answered positively now.
fn is_answered(commit: &mut Commit<crate::Accepted>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let answer = std::pin::Pin::new(commit).poll(&mut context);
    matches!(answer, std::task::Poll::Ready(Ok(_)))
}

#[test]
fn nothing_answered_for_is_lost_when_the_power_goes() {
    assert_eq!(lost_at(Gate::Write, CommitOrder::Durable), 0);
    assert_eq!(lost_at(Gate::Sync, CommitOrder::Durable), 0);
}

#[test]
fn the_test_sees_a_committer_that_answers_before_the_frame_is_written() {
    assert_eq!(lost_at(Gate::Write, CommitOrder::AnswerBeforeWrite), 1);
}

#[test]
fn the_test_sees_a_committer_that_answers_before_the_sync() {
    assert_eq!(lost_at(Gate::Sync, CommitOrder::AnswerBeforeSync), 1);
}

/// Several clients at once, the power cut at some moment, sectors kept by chance. Gives how many
/// messages were answered for, and how many of those are lost.
fn cut(order: CommitOrder, seed: u64) -> (usize, usize) {
    let dir = scratch();
    let layer = Forgetful::new();
    let store = testing::open_with(forgetful(dir.path(), &layer), order).unwrap();
    add_bob(&store);
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let store = store.clone();
            std::thread::spawn(move || answered_for(&store, client, seed))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(2 + seed % 17));
    let layer = layer.lose_power(Some(seed));
    let answered: Vec<Vec<u8>> = clients
        .into_iter()
        .flat_map(|client| client.join().unwrap())
        .collect();
    drop(store);
    // Every other time the view is lost with the rest.
    if seed.is_multiple_of(2) {
        std::fs::remove_file(dir.path().join("index.db")).unwrap();
    }
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    let damage = store.health().recovery.damage;
    assert!(
        damage.iter().all(|damage| damage.perhaps_unacknowledged),
        "seed {seed}: {damage:?}"
    );
    let kept: std::collections::HashSet<Vec<u8>> = bodies_of_bob(&store).into_iter().collect();
    let lost = answered.iter().filter(|body| !kept.contains(*body)).count();
    // And it goes on.
    store
        .accept_message(at(3), message(vec![local("bob@sud.test")], "after"))
        .wait()
        .unwrap();
    (answered.len(), lost)
}

/// Sends until the store refuses; gives back what it answered for.
fn answered_for(store: &Store, client: u64, seed: u64) -> Vec<Vec<u8>> {
    let mut answered = Vec::new();
    for number in 0_u64.. {
        // From a few bytes to more than fits a frame, by number.
        let length = (number * 977 + client * 131 + seed) % 5_000;
        let body = format!("{client} {number} {}", "x".repeat(length as usize)).into_bytes();
        let sent = message(vec![local("bob@sud.test")], body.clone());
        match store.accept_message(at(2), sent).wait() {
            Ok(_) => answered.push(body),
            Err(StoreError::Failed(_) | StoreError::Closed | StoreError::Io(_)) => break,
            Err(error) => panic!("{error}"),
        }
    }
    answered
}

#[test]
fn power_cuts_find_a_committer_that_answers_before_the_sync() {
    let lost: usize = (0..40)
        .map(|seed| cut(CommitOrder::AnswerBeforeSync, seed).1)
        .sum();
    assert!(lost > 0);
}

#[test]
fn power_cuts_at_any_moment_lose_nothing_answered_for() {
    let mut answered = 0;
    for seed in 0..40 {
        let (some, lost) = cut(CommitOrder::Durable, seed);
        assert_eq!(lost, 0, "seed {seed}");
        answered += some;
    }
    assert!(
        answered > 100,
        "the cuts came too early to show anything: {answered}"
    );
}
