//! What opening makes of a journal that is torn, damaged, or from another time.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::StoreError;
use crate::layer::FileLayer;

/// A disk with bob's account and the given bodies in his INBOX, closed, and its first segment.
fn disk_with(dir: &Path, bodies: &[&str]) -> (Forgetful, Vec<u8>) {
    let layer = Forgetful::new();
    let store = Store::open(forgetful(dir, &layer)).unwrap();
    add_bob(&store);
    for body in bodies {
        store
            .accept_message(at(2), message(vec![local("bob@sud.test")], *body))
            .wait()
            .unwrap();
    }
    drop(store);
    let mut segment = Vec::new();
    layer.damage(&first_segment(dir), |bytes| segment.clone_from(bytes));
    (layer, segment)
}

fn first_segment(dir: &Path) -> PathBuf {
    dir.join("segments/00000001.seg")
}

/// Behind the last byte that is not zero.
fn used(segment: &[u8]) -> usize {
    segment
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1)
}

/// Opens with only the journal to go by.
fn open_without_view(dir: &Path, layer: &Forgetful) -> Store {
    std::fs::remove_file(dir.join("index.db")).unwrap();
    Store::open(forgetful(dir, layer)).unwrap()
}

fn texts_of_bob(store: &Store) -> Vec<String> {
    bodies_of_bob(store)
        .into_iter()
        .map(|body| String::from_utf8(body).unwrap())
        .collect()
}

#[test]
fn a_tail_torn_at_any_byte_is_cleared_and_overwritten() {
    let dir = scratch();
    let (layer, three) = disk_with(dir.path(), &["one", "two", "three"]);
    let start = three
        .windows(4)
        .rposition(|window| window == b"\x8fGF\n")
        .unwrap();
    for cut in start..used(&three) {
        layer.damage(&first_segment(dir.path()), |bytes| {
            bytes.clone_from(&three);
            bytes[cut..].fill(0);
        });
        let store = open_without_view(dir.path(), &layer);
        assert_eq!(texts_of_bob(&store), ["one", "two"], "cut at {cut}");
        let recovery = store.health().recovery;
        assert_eq!(recovery.damage, [], "cut at {cut}");
        assert!(recovery.torn_bytes <= (cut - start) as u64, "cut at {cut}");
        let next = message(vec![local("bob@sud.test")], "next");
        store.accept_message(at(3), next).wait().unwrap();
        drop(store);
        let store = open_without_view(dir.path(), &layer);
        assert_eq!(texts_of_bob(&store), ["one", "two", "next"], "cut at {cut}");
        assert_eq!(store.health().recovery.torn_bytes, 0, "cut at {cut}");
    }
}

#[test]
fn damage_in_the_middle_costs_only_what_it_hits() {
    let dir = scratch();
    let (layer, _) = disk_with(dir.path(), &["one", "two-that-will-break", "three"]);
    layer.damage(&first_segment(dir.path()), |bytes| {
        let at = bytes
            .windows(8)
            .position(|window| window == b"two-that")
            .unwrap();
        bytes[at] = b'T';
    });
    let store = open_without_view(dir.path(), &layer);
    assert_eq!(texts_of_bob(&store), ["one", "three"]);
    let recovery = store.health().recovery;
    let [damage] = recovery.damage.as_slice() else {
        panic!("{recovery:?}")
    };
    assert!(
        !damage.perhaps_unacknowledged,
        "a later group shows that it was synced"
    );
    let mut copy = Vec::new();
    layer.damage(damage.copied_to.as_ref().unwrap(), |bytes| {
        copy.clone_from(bytes)
    });
    assert_eq!(copy.len() as u64, damage.length_bytes);
    assert!(copy.windows(8).any(|window| window == b"Two-that"));

    let next = message(vec![local("bob@sud.test")], "four");
    store.accept_message(at(3), next).wait().unwrap();
    drop(store);
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    assert_eq!(texts_of_bob(&store), ["one", "three", "four"]);
    assert_eq!(store.health().recovery.damage, [], "told once");
}

#[test]
fn a_damaged_segment_header_costs_that_segment() {
    let dir = scratch();
    let long = "x".repeat(3_000);
    let (layer, _) = disk_with(dir.path(), &["one", &long, &long, "last"]);
    layer.damage(&first_segment(dir.path()), |bytes| bytes[3] ^= 1);
    let store = open_without_view(dir.path(), &layer);
    assert_eq!(
        store.health().recovery.damage[0].file,
        first_segment(dir.path())
    );
    assert_eq!(
        store.accounts().unwrap(),
        [],
        "bob was made in the first segment"
    );
    add_bob(&store);
    store
        .accept_message(at(3), message(vec![local("bob@sud.test")], "new"))
        .wait()
        .unwrap();
    drop(store);
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    assert_eq!(texts_of_bob(&store), ["new"]);
}

#[test]
fn a_lost_journal_is_told_and_never_mixed_up_with_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    add_bob(&store);
    store
        .accept_message(at(2), message(vec![local("bob@sud.test")], "old"))
        .wait()
        .unwrap();
    drop(store);
    std::fs::remove_file(first_segment(dir.path())).unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(
        store.health().recovery.damage[0].file,
        first_segment(dir.path())
    );
    store
        .accept_message(at(3), message(vec![local("bob@sud.test")], "new"))
        .wait()
        .unwrap();
    let entries = store.maildrop("bob@sud.test").unwrap();
    assert!(store.body(entries[0].body).is_err(), "its bytes are gone");
    assert_eq!(store.read_body(entries[1].body, 0, 9).unwrap(), b"new");
    drop(store);
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(store.health().recovery.damage, []);
    assert_eq!(store.maildrop("bob@sud.test").unwrap().len(), 2);
}

#[test]
fn verifying_finds_what_changed_while_nobody_looked() {
    let dir = scratch();
    let (layer, _) = disk_with(dir.path(), &["one", "two-that-will-break", "three"]);
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    let large = message(vec![local("bob@sud.test")], vec![b'x'; 9_000]);
    let large = store.accept_message(at(3), large).wait().unwrap().queue_id;
    let whole = store.verify().unwrap();
    assert_eq!((whole.frames, whole.bodies, whole.is_clean()), (5, 4, true));
    layer.damage(&first_segment(dir.path()), |bytes| {
        let at = bytes
            .windows(8)
            .position(|window| window == b"two-that")
            .unwrap();
        bytes[at] = b'T';
    });
    let body = layer
        .list(&dir.path().join("bodies"))
        .unwrap()
        .pop()
        .unwrap();
    layer.damage(&dir.path().join("bodies").join(body), |bytes| {
        bytes.truncate(8_999)
    });
    let found = store.verify().unwrap();
    assert_eq!((found.frames, found.bodies, found.damage.len()), (4, 2, 1));
    let bad = found.bad_bodies;
    assert_eq!(
        bad.iter()
            .map(|(_, why)| why.contains("changed"))
            .collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(bad[1].0, large);
}

#[test]
fn a_newer_format_is_refused_in_words() {
    let dir = scratch();
    let (layer, _) = disk_with(dir.path(), &["one"]);
    layer.damage(&first_segment(dir.path()), |bytes| bytes[8] = 2);
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let refused = Store::open(forgetful(dir.path(), &layer))
        .map(|_| ())
        .unwrap_err();
    let expected = StoreError::NewerFormat {
        file: first_segment(dir.path()),
        found: 2,
        known: 1,
    };
    assert_eq!(refused, expected);
    assert!(
        refused
            .to_string()
            .contains("format 2, this program knows up to 1")
    );
}

#[test]
fn a_view_that_is_no_database_or_has_another_layout_is_made_anew() {
    let dir = scratch();
    let store = Store::open(small(dir.path())).unwrap();
    add_bob(&store);
    store
        .accept_message(at(2), message(vec![local("bob@sud.test")], "kept"))
        .wait()
        .unwrap();
    drop(store);
    let view = dir.path().join("index.db");
    std::fs::write(&view, "this is not what it was").unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(texts_of_bob(&store), ["kept"]);
    assert!(store.health().recovery.view_rebuilt.is_some());
    drop(store);
    let connection = rusqlite::Connection::open(&view).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(texts_of_bob(&store), ["kept"]);
    assert_eq!(
        store.health().recovery.view_rebuilt.as_deref(),
        Some("it had another layout")
    );
}

#[test]
fn body_files_nobody_names_are_removed() {
    let dir = scratch();
    let store = Store::open(small(dir.path())).unwrap();
    add_bob(&store);
    let long = vec![b'x'; 9_000];
    store
        .accept_message(at(2), message(vec![local("bob@sud.test")], long.clone()))
        .wait()
        .unwrap();
    drop(store);
    let bodies = dir.path().join("bodies");
    std::fs::write(bodies.join("0123.part"), "half").unwrap();
    std::fs::write(bodies.join("4567.eml"), "never committed").unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(std::fs::read_dir(bodies).unwrap().count(), 1);
    assert_eq!(bodies_of_bob(&store), [long]);
}

#[test]
fn made_segments_that_were_never_used_are_used_later() {
    let dir = scratch();
    for round in 0..12 {
        let store = Store::open(small(dir.path())).unwrap();
        if round == 0 {
            add_bob(&store);
        }
        let body = vec![b'a' + round; 2_000];
        store
            .accept_message(at(2), message(vec![local("bob@sud.test")], body))
            .wait()
            .unwrap();
    }
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    let firsts: Vec<u8> = bodies_of_bob(&store).iter().map(|body| body[0]).collect();
    assert_eq!(firsts, (b'a'..b'm').collect::<Vec<u8>>());
    let segments = std::fs::read_dir(dir.path().join("segments"))
        .unwrap()
        .count();
    assert!(
        (3..=4).contains(&segments),
        "24 KB in segments of 8 and 16 KB: {segments}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever stands in a segment: what lies before the change is there, what opens goes on.
    #[test]
    fn any_bytes_give_a_store_or_an_error(
        at_byte in 64_usize..1200,
        bytes in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let dir = scratch();
        let (layer, before) = disk_with(dir.path(), &["one", "two", "three"]);
        let first_end = before.windows(3).position(|window| window == b"one").unwrap() + 3;
        layer.damage(&first_segment(dir.path()), |segment| {
            segment[at_byte..at_byte + bytes.len()].copy_from_slice(&bytes);
        });
        let store = open_without_view(dir.path(), &layer);
        if at_byte > first_end {
            prop_assert_eq!(&texts_of_bob(&store)[0], "one");
        }
        store.add_account(at(9), "new@sud.test", "hash").wait().unwrap();
        drop(store);
        let store = open_without_view(dir.path(), &layer);
        prop_assert!(store.account("new@sud.test").unwrap().is_some());
    }
}
