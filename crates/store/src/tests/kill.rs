//! The promise against `kill -9`: a process of its own accepts messages on the real file system, is
//! killed at some moment, again and again; what it had answered for is there.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::testing::{self, CommitOrder};

const FOLDER: &str = "GUICHET_STORE_TEST_FOLDER";
const ORDER: &str = "GUICHET_STORE_TEST_ORDER";
const ANSWERED: &str = "answered for ";

/// Does nothing by itself: the tests below start it in a process of its own.
#[test]
fn victim() {
    let (Ok(dir), Ok(order)) = (std::env::var(FOLDER), std::env::var(ORDER)) else {
        return;
    };
    let order = match order.as_str() {
        "mutant" => CommitOrder::AnswerBeforeWrite,
        _ => CommitOrder::Durable,
    };
    let store = testing::open_with(small(dir.as_ref()), order).unwrap();
    if store.account("bob@sud.test").unwrap().is_none() {
        add_bob(&store);
    }
    let clients = (0..20).map(|client| {
        let store = store.clone();
        std::thread::spawn(move || accept_for_ever(&store, client))
    });
    clients
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|client| client.join().unwrap());
}

fn accept_for_ever(store: &Store, client: u32) {
    for number in 0_u32.. {
        // Some go into files of their own.
        let length = (number * 977 + client * 131) % 5_000;
        let name = format!("{}.{client}.{number}", std::process::id());
        let body = format!("{name}\r\n{}", "x".repeat(length as usize));
        store
            .accept_message(at(2), message(vec![local("bob@sud.test")], body))
            .wait()
            .unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{ANSWERED}{name}").unwrap();
        out.flush().unwrap();
    }
}

/// One life and death; gives the names it answered for.
fn live_and_die(dir: &std::path::Path, order: &str, life: Duration) -> Vec<String> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "tests::kill::victim"])
        .env(FOLDER, dir)
        .env(ORDER, order)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut names = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix(ANSWERED).map(str::to_owned));
    let mut answered: Vec<String> = names.next().into_iter().collect();
    std::thread::scope(|scope| {
        let rest = scope.spawn(move || names.collect::<Vec<_>>());
        std::thread::sleep(life);
        victim.kill().unwrap();
        answered.extend(rest.join().unwrap());
    });
    victim.wait().unwrap();
    answered
}

/// How many messages were answered for in `rounds` lives, and how many of them are lost.
fn rounds(order: &str, rounds: u64) -> (usize, usize) {
    let dir = tempfile::tempdir().unwrap();
    let mut answered = Vec::new();
    for round in 0..rounds {
        answered.extend(live_and_die(
            dir.path(),
            order,
            Duration::from_millis(round * 7 % 40),
        ));
    }
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(store.health().recovery.damage, []);
    assert!(store.verify().unwrap().is_clean());
    let view = store.dump_view().unwrap();
    store.rebuild_view().wait().unwrap();
    assert!(
        store.dump_view().unwrap() == view,
        "the view is what replay makes"
    );
    let first_line = |body: Vec<u8>| {
        let text = String::from_utf8(body).unwrap();
        text.lines().next().unwrap_or_default().to_owned()
    };
    let kept: HashSet<String> = bodies_of_bob(&store).into_iter().map(first_line).collect();
    let lost = answered.iter().filter(|name| !kept.contains(*name)).count();
    (answered.len(), lost)
}

#[test]
fn a_killed_process_loses_nothing_it_answered_for() {
    let (answered, lost) = rounds("durable", 12);
    assert!(answered >= 12, "{answered}");
    assert_eq!(lost, 0, "of {answered}");
}

#[test]
fn killing_finds_a_committer_that_answers_before_the_frame_is_written() {
    let (answered, lost) = rounds("mutant", 6);
    assert!(lost > 0, "of {answered}");
}
