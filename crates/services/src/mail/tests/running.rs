//! The queue as a program that runs: what wakes it, what it does at once, what it survives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::outgoing::{LETTER, nord_with, sud_zone, waiting};
use super::world::{Scripted, World, Zones, all, deferred, delivered, open_store, quick, send};
use crate::mail::Limits;
use crate::mail::outside::{Later, Letter, MailHost, Relay, RelayOutcome};
use crate::mail::queue::{Queue, Settings};

#[tokio::test]
async fn hold_release_and_retry_are_heard() {
    let nord = nord_with(&["bob@sud.test"]).await;
    let queue_id = nord.mail.store.queue().unwrap()[0].queue_id;
    nord.mail.store.hold(nord.now(), queue_id).await.unwrap();
    let relay = Scripted::new(|_, letter, before| match before {
        0 => all(letter, &deferred()),
        _ => all(letter, &delivered()),
    });
    let mut settings = quick();
    settings.schedule.glance = Duration::from_secs(3600); // only what rings is heard
    let store = nord.mail.store.clone();
    let (now, hand) = (nord.now(), relay.clone());
    let driver = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(hand.count(), 0, "held");
        store.release(now, queue_id).await.unwrap();
        super::world::wait_until(|| {
            store
                .queue()
                .unwrap()
                .first()
                .is_some_and(|one| one.recipients[0].attempts == 1)
        })
        .await;
        store.retry_now(now, queue_id).await.unwrap();
    });
    nord.run_queue(sud_zone(), relay.clone(), settings, || waiting(&nord) == 0)
        .await;
    driver.await.unwrap();
    assert_eq!(relay.count(), 2);
}

#[tokio::test]
async fn a_panic_or_an_unreadable_letter_does_not_stop_the_others() {
    let nord = nord_with(&["bad@sud.test"]).await;
    let mut service = nord.submission("alice@nord.test").await;
    send(&mut service, "alice@nord.test", &["good@sud.test"], LETTER).await;
    let relay = Scripted::new(|_, letter, _| {
        assert_ne!(letter.recipients[0], "bad@sud.test", "the relay breaks");
        all(letter, &delivered())
    });
    // A poisoned notebook would hide what is shown here, so the script panics before it is locked.
    let relay = Arc::new(Unlocked(relay));
    let settled = || {
        let queue = nord.mail.store.queue().unwrap();
        queue.len() == 1 && queue[0].recipients[0].attempts == 1
    };
    nord.run_queue(sud_zone(), relay, quick(), settled).await;
    let left = nord.mail.store.queue().unwrap().remove(0);
    assert!(
        left.recipients[0]
            .words
            .starts_with("451 4.3.0 the attempt broke off"),
        "{left:?}"
    );
}

/// Answers by the script alone.
struct Unlocked(Arc<Scripted>);

impl Relay for Unlocked {
    fn deliver(&self, host: MailHost, letter: Letter) -> Later<RelayOutcome> {
        let outcome = self.0.answer(&host, &letter);
        Box::pin(async move { outcome })
    }
}

/// Counts how many dialogues go on at once.
#[derive(Default)]
struct Slow {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Relay for Slow {
    fn deliver(&self, _: MailHost, letter: Letter) -> Later<RelayOutcome> {
        let (now, most) = (Arc::clone(&self.now), Arc::clone(&self.most));
        Box::pin(async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            all(&letter, &delivered())
        })
    }
}

#[tokio::test]
async fn a_domain_gets_a_few_connections_at_a_time() {
    let nord = nord_with(&["0@sud.test"]).await;
    let mut service = nord.submission("alice@nord.test").await;
    for number in 1..12 {
        let to = format!("{number}@sud.test");
        send(&mut service, "alice@nord.test", &[&to], LETTER).await;
    }
    let relay = Arc::new(Slow::default());
    let settings = Settings {
        per_domain_max: 3,
        ..quick()
    };
    nord.run_queue(sud_zone(), relay.clone(), settings, || waiting(&nord) == 0)
        .await;
    assert_eq!(relay.most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_dead_domain_costs_one_attempt_however_much_waits_for_it() {
    let nord = nord_with(&["0@sud.test"]).await;
    let mut service = nord.submission("alice@nord.test").await;
    for number in 1..12 {
        let to = format!("{number}@sud.test");
        send(&mut service, "alice@nord.test", &[&to], LETTER).await;
    }
    let relay = Arc::new(Dead::default());
    let settings = Settings {
        per_domain_max: 1,
        ..quick()
    };
    let all_tried = || {
        let queue = nord.mail.store.queue().unwrap();
        queue
            .iter()
            .all(|one| one.recipients[0].words == "mail.sud.test [127.0.0.3]: refused")
    };
    nord.run_queue(sud_zone(), relay.clone(), settings, all_tried)
        .await;
    assert_eq!(relay.0.load(Ordering::SeqCst), 1);
}

/// Refuses after a while, so that the rest of the queue waits behind the first letter.
#[derive(Default)]
struct Dead(AtomicUsize);

impl Relay for Dead {
    fn deliver(&self, _: MailHost, _: Letter) -> Later<RelayOutcome> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let words = "refused".to_owned();
            RelayOutcome::Unusable {
                words,
                permanent: false,
                exchange: None,
            }
        })
    }
}

#[tokio::test]
async fn a_dialogue_that_takes_too_long_is_not_tried_elsewhere_at_once() {
    let nord = nord_with(&["bob@sud.test"]).await;
    let relay = Arc::new(Silent(AtomicUsize::new(0)));
    let mut settings = quick();
    settings.schedule.relay_patience = Duration::from_millis(50);
    let zones = Zones::with("sud.test", &[(1, "a", 1), (2, "b", 2)]);
    let tried = || nord.mail.store.queue().unwrap()[0].recipients[0].attempts == 1;
    nord.run_queue(zones, relay.clone(), settings, tried).await;
    assert_eq!(
        relay.0.load(Ordering::SeqCst),
        1,
        "the first may have taken it"
    );
}

/// Takes the letter, and never answers: as if the power failed behind the other server's 250.
struct Silent(AtomicUsize);

impl Relay for Silent {
    fn deliver(&self, _: MailHost, _: Letter) -> Later<RelayOutcome> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn after_a_crash_the_letter_is_still_there_and_goes_out_once_more() {
    let World { mail, dir, .. } = nord_with(&["bob@sud.test"]).await;
    let relay = Arc::new(Silent(AtomicUsize::new(0)));
    let names = Arc::new(sud_zone());
    let queue = Queue::new(Arc::clone(&mail), names, relay.clone(), quick());
    let running = tokio::spawn(queue.run(std::future::pending()));
    super::world::wait_until(|| relay.0.load(Ordering::SeqCst) == 1).await;
    running.abort();
    let _ = running.await;
    mail.store.close();
    drop(mail);
    let store = open_again(dir.path()).await;
    let nord = World::over(dir, store, "nord.test", &[], Limits::default()).await;
    let relay = Scripted::new(|_, letter, _| all(letter, &delivered()));
    nord.run_queue(sud_zone(), relay.clone(), quick(), || waiting(&nord) == 0)
        .await;
    assert_eq!(relay.count(), 1);
}

/// The folder is free once the last task of the queue has let go of the store.
async fn open_again(dir: &std::path::Path) -> guichet_store::Store {
    tokio::time::sleep(Duration::from_millis(100)).await;
    open_store(dir)
}
