//! Each operation, and what remains of it after closing and opening.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use guichet_trace::{Cause, ExchangeId, WallTime};

use super::*;
use crate::{Attempt, FactKind, FactQuery, Outcome, QueueState, StoreError};

fn body_files(dir: &std::path::Path) -> usize {
    std::fs::read_dir(dir.join("bodies")).unwrap().count()
}

#[test]
fn accounts_and_aliases_last() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    store
        .add_account(at(1), "Bob@Sud.test", "hash")
        .wait()
        .unwrap();
    let again = store.add_account(at(2), "bob@sud.test", "other").wait();
    assert_eq!(again, Err(StoreError::AccountExists("bob@sud.test".into())));
    store
        .set_password(at(3), "bob@sud.test", "new")
        .wait()
        .unwrap();
    store
        .set_suspended(at(4), "bob@sud.test", true)
        .wait()
        .unwrap();
    let targets = ["bob@sud.test".to_owned(), "carol@else.test".to_owned()];
    store
        .add_alias(at(5), "Info@sud.test", &targets)
        .wait()
        .unwrap();
    drop(store);

    let store = Store::open(small(dir.path())).unwrap();
    let bob = store.account("BOB@sud.test").unwrap().unwrap();
    assert_eq!((bob.password_hash.as_str(), bob.suspended), ("new", true));
    assert_eq!(bob.created, WallTime(SECOND));
    assert_eq!(
        store.alias("info@SUD.test").unwrap().unwrap().targets,
        targets
    );
    store.remove_alias(at(6), "info@sud.test").wait().unwrap();
    store.remove_account(at(7), "bob@sud.test").wait().unwrap();
    assert_eq!(store.aliases().unwrap(), []);
    assert_eq!(store.accounts().unwrap(), []);
    let gone = store.maildrop("bob@sud.test");
    assert_eq!(gone, Err(StoreError::NoSuchAccount("bob@sud.test".into())));
}

#[test]
fn a_letter_is_collected_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    add_bob(&store);
    let twice = vec![
        local("bob@sud.test"),
        local("BOB@sud.test"),
        remote("carol@else.test"),
    ];
    let accepted = store.accept_message(at(2), message(twice, "Subject: x\r\n\r\nhello\r\n"));
    let accepted = accepted.wait().unwrap();
    assert_eq!(accepted.delivered.len(), 1, "one copy though named twice");
    let second = message(vec![local("bob@sud.test")], vec![b'x'; 9000]);
    store.accept_message(at(3), second).wait().unwrap();

    let entries = store.maildrop("bob@sud.test").unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.uid).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        entries[0].origin,
        Cause {
            exchange: ExchangeId(u64::MAX - 7),
            part: 3
        }
    );
    assert_eq!(entries[0].queue_id, accepted.queue_id);
    assert_ne!(entries[0].unique_id, entries[1].unique_id);
    assert_eq!(entries[1].size_octets, 9000);
    let body = store.body(entries[1].body).unwrap();
    assert_eq!(
        store.read_body(entries[0].body, 9, 5).unwrap(),
        b"x\r\n\r\n"
    );

    let lock = store.lock_maildrop("bob@sud.test").unwrap();
    assert!(store.lock_maildrop("Bob@sud.test").is_none());
    drop(lock);
    assert!(store.lock_maildrop("bob@sud.test").is_some());

    let deleted = store.delete(at(4), "bob@sud.test", &[2, 2, 77]).wait();
    assert_eq!(deleted, Ok(1));
    assert_eq!(
        body.read(8_990, 100).unwrap(),
        vec![b'x'; 10],
        "readable while it is open"
    );
    store.flush().wait().unwrap(); // files are removed behind the answer
    assert_eq!(body_files(dir.path()), 0);
    let third = message(vec![local("bob@sud.test")], "3");
    let third = store.accept_message(at(5), third).wait().unwrap();
    assert_eq!(third.delivered[0].uid, 3, "a number is never given twice");
}

#[test]
fn a_message_for_nobody_we_know_reaches_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    add_bob(&store);
    let both = vec![local("bob@sud.test"), local("nobody@sud.test")];
    let refused = store
        .accept_message(at(2), message(both, vec![b'x'; 9000]))
        .wait();
    assert_eq!(
        refused,
        Err(StoreError::NoSuchAccount("nobody@sud.test".into()))
    );
    assert_eq!(
        store.accept_message(at(2), message(vec![], "x")).wait(),
        Err(StoreError::NoRecipients)
    );
    assert_eq!(store.maildrop("bob@sud.test").unwrap(), []);
    assert_eq!(body_files(dir.path()), 0);
}

#[test]
fn a_key_takes_effect_once_also_in_one_group_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    add_bob(&store);
    let once = Change::once(WallTime(2 * SECOND), 42);
    let send =
        |store: &Store| store.accept_message(once, message(vec![local("bob@sud.test")], "x"));
    let (one, two) = (send(&store), send(&store));
    let first = one.wait().unwrap();
    assert_eq!(two.wait().unwrap(), first);
    drop(store);
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(send(&store).wait().unwrap(), first);
    assert_eq!(store.maildrop("bob@sud.test").unwrap().len(), 1);
    assert_eq!(
        store.delete(once, "bob@sud.test", &[1]).wait(),
        Err(StoreError::KeyReused)
    );
}

#[test]
fn the_queue_from_claim_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    store
        .add_account(at(1), "alice@nord.test", "hash")
        .wait()
        .unwrap();
    let recipients = vec![
        remote("bob@sud.test"),
        remote("berthe@sud.test"),
        remote("carol@else.test"),
    ];
    let mut changes = store.queue_changes();
    let accepted = store
        .accept_message(at(10), message(recipients, "hello"))
        .wait()
        .unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(store.next_due().unwrap(), Some(WallTime(10 * SECOND)));
    assert!(store.claim_due(WallTime(9 * SECOND), 9).unwrap().is_empty());

    let mut claimed = store.claim_due(WallTime(10 * SECOND), 9).unwrap();
    claimed.sort_by(|one, other| one.domain.cmp(&other.domain));
    let domains: Vec<_> = claimed.iter().map(|claim| claim.domain.as_str()).collect();
    assert_eq!(
        domains,
        ["else.test", "sud.test"],
        "one claim for each domain"
    );
    assert!(
        store
            .claim_due(WallTime(10 * SECOND), 9)
            .unwrap()
            .is_empty(),
        "leased"
    );
    assert_eq!(store.next_due().unwrap(), None);

    let sud = claimed.pop().unwrap();
    assert_eq!(sud.message.recipients.len(), 2);
    let exchange = Some(Cause {
        exchange: ExchangeId(5),
        part: 1,
    });
    let outcomes = vec![
        (
            "bob@sud.test".to_owned(),
            Outcome::Delivered {
                words: "250 taken".into(),
            },
        ),
        (
            "berthe@sud.test".to_owned(),
            Outcome::Deferred {
                until: WallTime(99 * SECOND),
                words: "451 later".into(),
            },
        ),
        (
            "stranger@sud.test".to_owned(),
            Outcome::Delivered {
                words: "not claimed".into(),
            },
        ),
    ];
    let attempt = Attempt {
        outcomes,
        exchange,
        report: None,
    };
    store
        .finish_attempt(at(11), sud.lease, attempt)
        .wait()
        .unwrap();
    assert!(changes.has_changed().unwrap());
    assert_eq!(store.next_due().unwrap(), Some(WallTime(99 * SECOND)));

    drop(claimed.pop()); // given up without a result
    let other = store
        .claim_due(WallTime(12 * SECOND), 9)
        .unwrap()
        .pop()
        .unwrap();
    let report = Some(message(
        vec![local("alice@nord.test"), local("gone@nord.test")],
        "report",
    ));
    let outcomes = vec![(
        "carol@else.test".to_owned(),
        Outcome::Failed {
            words: "550 no".into(),
        },
    )];
    let attempt = Attempt {
        outcomes,
        exchange: None,
        report,
    };
    store
        .finish_attempt(at(12), other.lease, attempt)
        .wait()
        .unwrap();
    assert_eq!(
        store.maildrop("alice@nord.test").unwrap().len(),
        1,
        "failure and report are one"
    );

    store.hold(at(13), accepted.queue_id).wait().unwrap();
    assert!(
        store
            .claim_due(WallTime(200 * SECOND), 9)
            .unwrap()
            .is_empty()
    );
    store.release(at(14), accepted.queue_id).wait().unwrap();
    store.retry_now(at(15), accepted.queue_id).wait().unwrap();
    assert_eq!(store.claim_due(WallTime(15 * SECOND), 9).unwrap().len(), 1);
    store
        .remove_queued(at(16), accepted.queue_id, "by hand")
        .wait()
        .unwrap();
    assert!(store.queue().unwrap().is_empty());
    let end = store.queued(accepted.queue_id).unwrap().unwrap();
    let states: Vec<_> = end
        .recipients
        .iter()
        .map(|r| (r.state, r.attempts, &*r.words))
        .collect();
    let expected = [
        (QueueState::Removed, 1, "by hand"),
        (QueueState::Delivered, 1, "250 taken"),
        (QueueState::Failed, 1, "550 no"),
    ];
    assert_eq!(states, expected);
    let refused = store.hold(at(17), accepted.queue_id).wait();
    assert_eq!(
        refused,
        Err(StoreError::NoSuchQueueEntry(accepted.queue_id))
    );
    facts_say_so(&store, accepted.queue_id, exchange);
}

fn facts_say_so(store: &Store, queue_id: crate::QueueId, exchange: Option<Cause>) {
    let facts = store.facts(&FactQuery::QueueId(queue_id), 99).unwrap();
    let kinds: Vec<_> = facts.iter().map(|fact| fact.kind).collect();
    use FactKind::*;
    assert_eq!(
        kinds,
        [
            Accepted, Accepted, Accepted, Delivered, Deferred, Failed, Removed
        ]
    );
    assert_eq!(
        (facts[3].words.as_str(), facts[3].exchange),
        ("250 taken", exchange)
    );
    let origin = Cause {
        exchange: ExchangeId(u64::MAX - 7),
        part: 3,
    };
    assert_eq!(facts[0].exchange, Some(origin));
    let bob = store
        .facts(&FactQuery::Recipient("BOB@sud.test".into()), 99)
        .unwrap();
    assert_eq!(bob.len(), 2);
    assert_eq!(
        store
            .facts(&FactQuery::Recipient("bob@sud.test".into()), 1)
            .unwrap(),
        bob[1..]
    );
    assert_eq!(
        store
            .facts(&FactQuery::MessageId("<1@nord.test>".into()), 99)
            .unwrap()
            .len(),
        9
    );
    assert_eq!(
        store
            .facts(&FactQuery::Sender("alice@nord.test".into()), 99)
            .unwrap()
            .len(),
        9
    );
    store.purge(at(20), WallTime(16 * SECOND)).wait().unwrap();
    assert_eq!(
        store
            .facts(&FactQuery::QueueId(queue_id), 99)
            .unwrap()
            .len(),
        7,
        "not old enough"
    );
    store.purge(at(20), WallTime(17 * SECOND)).wait().unwrap();
    assert_eq!(store.facts(&FactQuery::All, 99).unwrap(), []);
    assert_eq!(store.queued(queue_id).unwrap(), None);
}

#[test]
fn a_restart_frees_every_lease() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    store
        .accept_message(at(1), message(vec![remote("bob@sud.test")], "x"))
        .wait()
        .unwrap();
    let claimed = store.claim_due(WallTime(2 * SECOND), 9).unwrap();
    assert_eq!(claimed.len(), 1);
    drop(store);
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(store.claim_due(WallTime(2 * SECOND), 9).unwrap().len(), 1);
    drop(claimed);
}

#[test]
fn a_spooled_body_comes_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Options::new(dir.path())).unwrap();
    add_bob(&store);
    for length in [10, 300_000, 1_000_000, 1_000_001, 3_000_000] {
        let body: Vec<u8> = (0..length).map(|index: u32| (index % 251) as u8).collect();
        let mut spool = store.spool();
        body.chunks(70_001)
            .for_each(|piece| spool.write(piece).unwrap());
        let sealed = spool.seal().unwrap();
        let mut letter = message(vec![local("bob@sud.test")], "");
        letter.body = sealed.into();
        store.accept_message(at(2), letter).wait().unwrap();
        assert!(
            bodies_of_bob(&store).pop().unwrap() == body,
            "{length} bytes"
        );
    }
    let mut forgotten = store.spool();
    forgotten.write(&vec![0; 400_000]).unwrap();
    drop(forgotten);
    assert_eq!(body_files(dir.path()), 2);
}

#[test]
fn bodies_are_found_by_grep() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    add_bob(&store);
    let text = "Subject: needle\r\n\r\nin a haystack\r\n";
    store
        .accept_message(at(2), message(vec![local("bob@sud.test")], text))
        .wait()
        .unwrap();
    let segment = std::fs::read(dir.path().join("segments/00000001.seg")).unwrap();
    assert!(
        segment
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    );
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    let second = Store::open(small(dir.path())).map(|_| ()).unwrap_err();
    assert_eq!(second, StoreError::Busy(dir.path().to_owned()));
    assert!(second.to_string().contains("in use by another process"));
    drop(store);
    Store::open(small(dir.path())).unwrap();
}

#[test]
fn only_the_owner_may_look() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(small(&path)).unwrap();
    add_bob(&store);
    store
        .accept_message(at(2), message(vec![local("bob@sud.test")], vec![1; 9000]))
        .wait()
        .unwrap();
    let mut folders = vec![path];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let mode = folder.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", folder.display());
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                let mode = metadata.permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", entry.path().display());
            }
        }
    }
    assert!(
        files >= 5,
        "lock, view, its log, a segment, a body: {files}"
    );
}

#[test]
fn giving_up_on_an_answer_does_not_stop_the_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    add_bob(&store);
    for _ in 0..50 {
        drop(store.accept_message(at(2), message(vec![local("bob@sud.test")], "x")));
    }
    store.flush().wait().unwrap();
    assert_eq!(store.maildrop("bob@sud.test").unwrap().len(), 50);
}

#[test]
fn after_closing_nothing_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    let last = store.add_account(at(1), "bob@sud.test", "hash");
    store.close();
    assert_eq!(last.wait(), Ok(()), "what was asked for before is done");
    assert_eq!(store.flush().wait(), Err(StoreError::Closed));
}

/// Not a measurement: ten times what it takes, so that a forgotten wait or a large file shows.
#[test]
fn a_new_store_opens_quickly() {
    let dir = tempfile::tempdir().unwrap();
    let best = (0..5)
        .map(|round| {
            let start = Instant::now();
            Store::open(Options::new(dir.path().join(round.to_string()))).unwrap();
            start.elapsed()
        })
        .min()
        .unwrap();
    println!("a new store opens in {best:?}");
    assert!(best < Duration::from_millis(300), "{best:?}");
}
