//! Whatever other servers say, and whenever the queue is cut off: every recipient is served or
//! reported.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::world::{World, Zones, deferred, delivered, failed, quick, send, wait_until};
use crate::mail::outside::{Later, Letter, MailHost, Relay, RelayOutcome};
use crate::mail::queue::{Queue, Settings};

const HOUR: Duration = Duration::from_secs(3600);

/// What other servers will say of each recipient, attempt by attempt; the last goes on for ever.
type Fates = HashMap<String, Vec<u8>>;

/// Other servers that say what was planned, and at some calls never come to say it.
#[derive(Default)]
struct Fated {
    fates: Fates,
    silent_calls: Vec<usize>,
    calls: AtomicUsize,
    silent: AtomicBool,
    attempts: Mutex<HashMap<String, usize>>,
    taken: Mutex<HashMap<String, usize>>,
}

impl Relay for Fated {
    fn deliver(&self, _: MailHost, letter: Letter) -> Later<RelayOutcome> {
        let mut results = Vec::new();
        for address in &letter.recipients {
            let mut attempts = self.attempts.lock().unwrap();
            let attempt = attempts.entry(address.clone()).or_default();
            let fates = &self.fates[address];
            let fate = fates[(*attempt).min(fates.len() - 1)];
            *attempt += 1;
            if fate == 0 {
                *self
                    .taken
                    .lock()
                    .unwrap()
                    .entry(address.clone())
                    .or_default() += 1;
            }
            match fate {
                0 => results.push((address.clone(), delivered())),
                1 => results.push((address.clone(), deferred())),
                2 => results.push((address.clone(), failed())),
                _ => {} // not a word
            }
        }
        if self
            .silent_calls
            .contains(&self.calls.fetch_add(1, Ordering::SeqCst))
        {
            self.silent.store(true, Ordering::SeqCst);
            return Box::pin(std::future::pending());
        }
        Box::pin(async {
            RelayOutcome::Answered {
                results,
                exchange: None,
            }
        })
    }
}

/// Runs the queue to its end, hour by hour, beginning again whenever a server falls silent. Gives
/// how often each recipient was reported.
async fn play(relay: &Arc<Fated>) -> HashMap<String, usize> {
    let nord = World::new("nord.test", &["alice"]).await;
    let mut service = nord.submission("alice@nord.test").await;
    let recipients: Vec<&str> = relay.fates.keys().map(String::as_str).collect();
    send(
        &mut service,
        "alice@nord.test",
        &recipients,
        "Subject: hi\r\n\r\nHello\r\n",
    )
    .await;
    let mut settings = quick();
    settings.schedule.lifetime = 6 * HOUR;
    settings.schedule.first_wait = HOUR;
    let store = nord.mail.store.clone();
    while !store.queue().unwrap().is_empty() {
        relay.silent.store(false, Ordering::SeqCst);
        let running = tokio::spawn(queue(&nord, relay, &settings).run(std::future::pending()));
        let idle = || {
            store
                .next_due()
                .unwrap()
                .is_none_or(|due| due > nord.now().at)
        };
        let settled = || relay.silent.load(Ordering::SeqCst) || idle() && nothing_held(&nord);
        wait_until(settled).await;
        running.abort();
        let _ = running.await;
        if !relay.silent.load(Ordering::SeqCst) {
            nord.clock.advance(HOUR);
        }
    }
    let mut reported = HashMap::new();
    for report in nord.messages("alice@nord.test").await {
        for line in report
            .lines()
            .filter_map(|line| line.strip_prefix("Final-Recipient: rfc822; "))
        {
            *reported.entry(line.to_owned()).or_default() += 1;
        }
    }
    reported
}

fn queue(nord: &World, relay: &Arc<Fated>, settings: &Settings) -> Arc<Queue> {
    let zones = ["a.test", "b.test"].map(|domain| Zones::with(domain, &[(1, domain, 7)]).0);
    let names = Arc::new(Zones(zones.into_iter().flatten().collect()));
    Queue::new(
        Arc::clone(&nord.mail),
        names,
        Arc::clone(relay) as Arc<dyn Relay>,
        settings.clone(),
    )
}

/// Whether every waiting recipient could be claimed, so that nothing is under way.
fn nothing_held(nord: &World) -> bool {
    let store = &nord.mail.store;
    let waiting = store.queue().unwrap();
    let due: Vec<u64> = waiting
        .iter()
        .flat_map(|message| &message.recipients)
        .filter(|one| one.state == guichet_store::QueueState::Waiting)
        .map(|one| one.due.0)
        .collect();
    due.iter().min().copied() == store.next_due().unwrap().map(|due| due.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_recipient_is_served_or_reported(
        fates in prop::collection::vec(prop::collection::vec(0_u8..4, 1..4), 1..6),
        silent_calls in prop::collection::vec(0_usize..6, 0..3),
    ) {
        let domains = ["a.test", "b.test"];
        let fates: Fates = fates
            .into_iter()
            .enumerate()
            .map(|(number, fates)| (format!("r{number}@{}", domains[number % 2]), fates))
            .collect();
        let relay = Arc::new(Fated { fates, silent_calls, ..Fated::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reported = runtime.block_on(play(&relay));
        let taken = relay.taken.lock().unwrap();
        for address in relay.fates.keys() {
            let taken = taken.get(address).copied().unwrap_or(0);
            let reported = reported.get(address).copied().unwrap_or(0);
            prop_assert!(taken + reported > 0, "{address} is lost");
            prop_assert!(reported <= 1, "{address} is reported {reported} times");
            if relay.silent_calls.is_empty() {
                prop_assert_eq!(taken + reported, 1, "{}: once, and one of the two", address);
            }
            prop_assert!(taken <= 1 + relay.silent_calls.len(), "{address}: {taken} copies");
        }
    }
}
