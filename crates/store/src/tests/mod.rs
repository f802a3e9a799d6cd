//! The promise, tested from outside: only what [`crate::Store`] offers, over real files and over
//! files that forget.

mod basics;
mod durability;
mod faults;
mod kill;
mod model;
mod recovery;

use std::sync::Arc;

use guichet_trace::{Cause, ExchangeId, WallTime};

use crate::testing::Forgetful;
use crate::{Change, NewMessage, Options, Recipient, Store};

/// A second, in the unit of [`WallTime`].
const SECOND: u64 = 1_000_000;

fn at(seconds: u64) -> Change {
    Change::at(WallTime(seconds * SECOND))
}

/// A folder in memory where there is one: these tests sync thousands of times, and whether the real
/// disk keeps its word is not their question.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Small pieces, so that a test meets every rotation.
fn small(dir: &std::path::Path) -> Options {
    Options {
        first_segment_bytes: 8 << 10,
        segment_bytes: 16 << 10,
        inline_body_bytes: 4 << 10,
        ..Options::new(dir)
    }
}

/// Small pieces over a layer that forgets.
fn forgetful(dir: &std::path::Path, layer: &Forgetful) -> Options {
    Options {
        layer: Arc::new(layer.clone()),
        ..small(dir)
    }
}

fn message(recipients: Vec<Recipient>, body: impl Into<Vec<u8>>) -> NewMessage {
    NewMessage {
        sender: "alice@nord.test".to_owned(),
        recipients,
        body: body.into().into(),
        message_id: "<1@nord.test>".to_owned(),
        origin: Cause {
            exchange: ExchangeId(u64::MAX - 7),
            part: 3,
        },
    }
}

fn local(account: &str) -> Recipient {
    Recipient::Local {
        account: account.to_owned(),
        original: account.to_owned(),
    }
}

fn remote(address: &str) -> Recipient {
    Recipient::Remote {
        address: address.to_owned(),
        original: address.to_owned(),
    }
}

fn add_bob(store: &Store) {
    store
        .add_account(at(1), "bob@sud.test", "$argon2id$")
        .wait()
        .unwrap();
}

/// The bodies in bob's INBOX.
fn bodies_of_bob(store: &Store) -> Vec<Vec<u8>> {
    let entries = store.maildrop("bob@sud.test").unwrap();
    entries
        .iter()
        .map(|entry| store.read_body(entry.body, 0, usize::MAX).unwrap())
        .collect()
}
