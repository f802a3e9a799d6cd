//! A disk that is full, and one that reports an error.

use super::*;
use crate::StoreError;
use crate::layer::FileLayer;

#[test]
fn a_failed_sync_is_final() {
    let dir = scratch();
    let layer = Forgetful::new();
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    add_bob(&store);
    let send = |store: &Store| {
        store
            .accept_message(at(2), message(vec![local("bob@sud.test")], "x"))
            .wait()
    };
    send(&store).unwrap();
    layer.fail_syncs(1);
    let failed = send(&store).unwrap_err();
    let StoreError::Failed(words) = &failed else {
        panic!("{failed}")
    };
    assert!(words.contains("the disk reports an error"), "{words}");
    assert_eq!(
        send(&store),
        Err(failed.clone()),
        "though the disk would sync now"
    );
    assert_eq!(store.health().failed.as_ref(), Some(words));
    assert_eq!(
        store.maildrop("bob@sud.test").unwrap().len(),
        1,
        "looking things up still works"
    );

    let layer = layer.lose_power(None);
    drop(store);
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    assert_eq!(store.health().failed, None);
    assert_eq!(bodies_of_bob(&store).len(), 1);
    send(&store).unwrap();
}

#[test]
fn a_failed_sync_of_a_large_body_is_final_too() {
    let dir = scratch();
    let layer = Forgetful::new();
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    add_bob(&store);
    layer.fail_syncs(1);
    let large = message(vec![local("bob@sud.test")], vec![b'x'; 9_000]);
    assert!(matches!(
        store.accept_message(at(2), large).wait(),
        Err(StoreError::Failed(_))
    ));
    let small = message(vec![local("bob@sud.test")], "x");
    assert!(matches!(
        store.accept_message(at(2), small).wait(),
        Err(StoreError::Failed(_))
    ));
}

#[test]
fn below_the_reserve_nothing_may_grow_but_things_may_end() {
    let dir = scratch();
    let layer = Forgetful::new();
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    add_bob(&store);
    let send = |store: &Store| {
        store
            .accept_message(at(2), message(vec![local("bob@sud.test")], "x"))
            .wait()
    };
    send(&store).unwrap();
    let before = store.dump_view().unwrap();
    layer.set_free_bytes(Some(1 << 20));
    assert_eq!(send(&store), Err(StoreError::Full));
    assert_eq!(
        store.add_account(at(3), "x@sud.test", "hash").wait(),
        Err(StoreError::Full)
    );
    assert_eq!(store.dump_view().unwrap(), before, "nothing half-done");
    assert_eq!(store.delete(at(4), "bob@sud.test", &[1]).wait(), Ok(1));
    assert_eq!(store.health().failed, None);
    layer.set_free_bytes(None);
    send(&store).unwrap();
}

#[test]
fn nothing_is_delivered_that_could_not_be_recorded() {
    let dir = scratch();
    let layer = Forgetful::new();
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    store
        .accept_message(at(1), message(vec![remote("x@one.test")], "x"))
        .wait()
        .unwrap();
    let now = WallTime(SECOND);
    layer.set_free_bytes(Some(1 << 20));
    assert_eq!(store.claim_due(now, 9).map(|_| ()), Err(StoreError::Full));
    layer.set_free_bytes(None);
    let claimed = store.claim_due(now, 9).unwrap().pop().unwrap();
    layer.fail_syncs(1);
    let words = crate::Outcome::Delivered {
        words: "250 taken".into(),
    };
    let outcomes = vec![("x@one.test".to_owned(), words)];
    let attempt = crate::Attempt {
        outcomes,
        exchange: None,
        report: None,
    };
    let failed = store
        .finish_attempt(at(2), claimed.lease, attempt)
        .wait()
        .unwrap_err();
    assert!(matches!(failed, StoreError::Failed(_)));
    assert_eq!(store.claim_due(now, 9).map(|_| ()), Err(failed));
}

#[test]
fn a_disk_without_room_for_the_next_segment_refuses_and_recovers() {
    let dir = scratch();
    let layer = Forgetful::new();
    let options = || Options {
        reserve_bytes: 0,
        ..forgetful(dir.path(), &layer)
    };
    let store = Store::open(options()).unwrap();
    add_bob(&store);
    layer.set_free_bytes(Some(100));
    let send = |store: &Store| {
        store
            .accept_message(
                at(2),
                message(vec![local("bob@sud.test")], vec![b'x'; 1_000]),
            )
            .wait()
    };
    let mut accepted = 0;
    while send(&store).is_ok() {
        accepted += 1;
    }
    assert!(
        (4..8).contains(&accepted),
        "a segment holds eight kilobytes: {accepted}"
    );
    assert_eq!(send(&store), Err(StoreError::Full));
    let files = layer.list(&dir.path().join("segments")).unwrap();
    assert_eq!(files, ["00000001.seg"], "no half-made segment stays");
    layer.set_free_bytes(None);
    send(&store).unwrap();
    drop(store);
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let store = Store::open(options()).unwrap();
    assert_eq!(bodies_of_bob(&store).len(), accepted + 1);
}

#[test]
fn a_large_body_that_finds_no_room_leaves_nothing() {
    let dir = scratch();
    let layer = Forgetful::new();
    let store = Store::open(forgetful(dir.path(), &layer)).unwrap();
    add_bob(&store);
    layer.set_free_bytes(Some(500_000));
    let mut spool = store.spool();
    let result = (0..100).try_for_each(|_| spool.write(&[b'x'; 10_000]));
    assert_eq!(result, Err(StoreError::Full));
    drop(spool);
    assert_eq!(layer.list(&dir.path().join("bodies")).unwrap(), [""; 0]);
    layer.set_free_bytes(None);
    store
        .accept_message(at(2), message(vec![local("bob@sud.test")], "x"))
        .wait()
        .unwrap();
}

#[test]
fn segments_made_ahead_leave_the_reserve_alone() {
    const MIB: u64 = 1 << 20;
    let dir = scratch();
    let layer = Forgetful::new();
    let options = Options {
        first_segment_bytes: MIB,
        segment_bytes: 16 * MIB,
        reserve_bytes: 4 * MIB,
        inline_body_bytes: MIB,
        ..forgetful(dir.path(), &layer)
    };
    let store = Store::open(options).unwrap();
    add_bob(&store);
    layer.set_free_bytes(Some(6 * MIB));
    let send = || {
        let letter = message(vec![local("bob@sud.test")], vec![b'x'; 50_000]);
        store.accept_message(at(2), letter).wait()
    };
    let mut accepted = 0;
    while send().is_ok() {
        accepted += 1;
    }
    assert!(accepted > 40, "what is not reserved is used: {accepted}");
    let left = layer.free_bytes(dir.path()).unwrap();
    assert!(left >= 3 * MIB, "{left}");
    assert_eq!(store.delete(at(4), "bob@sud.test", &[1]).wait(), Ok(1));
}
