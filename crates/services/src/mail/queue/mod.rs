//! The queue: letters for other servers, tried until they are taken, refused or too old
//! (RFC 5321 section 4.5.4).
//!
//! What waits is in the store; here is only what is under way. A letter is handed over once for each
//! domain among its recipients. One that cannot be read, or that makes the program panic, is put off
//! like any other failure and never stands in the way of the rest.

mod attempt;
mod letter;
mod record;
mod route;
mod schedule;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guichet_store::{Claimed, StoreError};
use guichet_trace::WallTime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::Mail;
use super::outside::{Names, Relay};
pub use route::Ourselves;
pub use schedule::Schedule;

/// Letters leased at most: those being handed over, and those that wait for a place at their domain.
const LEASES_MAX: usize = 1000;
/// Pause after a result could not be recorded: an attempt that leaves no trace would be repeated.
const UNRECORDED_PAUSE: Duration = Duration::from_secs(60);

/// How the queue behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When letters are tried again.
    pub schedule: Schedule,
    /// Connections at a time.
    pub connections_max: usize,
    /// Connections at a time for one domain.
    pub per_domain_max: usize,
    /// Who we are, to see circles.
    pub ourselves: Ourselves,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            connections_max: 100,
            per_domain_max: 5,
            ourselves: Ourselves::default(),
        }
    }
}

/// Hands letters on. One for each store.
pub struct Queue {
    mail: Arc<Mail>,
    names: Arc<dyn Names>,
    relay: Arc<dyn Relay>,
    settings: Settings,
    places: Semaphore,
    domains: Mutex<HashMap<String, Arc<Semaphore>>>,
    pause: watch::Sender<Option<Instant>>,
}

impl Queue {
    /// Ready to [`Queue::run`].
    pub fn new(
        mail: Arc<Mail>,
        names: Arc<dyn Names>,
        relay: Arc<dyn Relay>,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Self {
            places: Semaphore::new(settings.connections_max.max(1)),
            domains: Mutex::default(),
            pause: watch::Sender::new(None),
            mail,
            names,
            relay,
            settings,
        })
    }

    /// Runs until `stop` is ready, then finishes the connections it has. Dropping the future cuts
    /// them: what was not recorded is tried again after the next start.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut changes = self.mail.store.queue_changes();
        let mut pause = self.pause.subscribe();
        let mut running = JoinSet::new();
        loop {
            changes.borrow_and_update();
            let resume = *pause.borrow_and_update();
            let resume = resume.filter(|until| *until > Instant::now());
            let mut wake = resume.unwrap_or_else(|| Instant::now() + self.settings.schedule.glance);
            if resume.is_none() {
                for claimed in self.claim(LEASES_MAX.saturating_sub(running.len())).await {
                    running.spawn(Arc::clone(&self).hand_over(claimed));
                }
                wake = wake.min(self.next_wake(running.len()));
            }
            tokio::select! {
                () = &mut stop => break,
                _ = running.join_next(), if !running.is_empty() => {}
                changed = changes.changed(), if resume.is_none() => if changed.is_err() { break },
                _ = pause.changed() => {}
                () = time::sleep_until(wake) => {}
            }
        }
        self.places.close();
        while running.join_next().await.is_some() {}
    }

    async fn claim(&self, limit: usize) -> Vec<Claimed> {
        if limit == 0 {
            return Vec::new();
        }
        let (store, now) = (self.mail.store.clone(), self.mail.clock.wall());
        let claimed = tokio::task::spawn_blocking(move || match store.health().failed {
            Some(words) => Err(StoreError::Failed(words)),
            None => store.claim_due(now, limit),
        });
        match claimed
            .await
            .map_err(|error| StoreError::Io(error.to_string()))
        {
            Ok(Ok(claimed)) => claimed,
            Ok(Err(error)) | Err(error) => {
                tracing::error!(%error, "the queue cannot be looked through");
                self.rest();
                Vec::new()
            }
        }
    }

    /// When something will be due, not sooner than in a moment: what is due now was just claimed, or
    /// waits for room, and room rings.
    fn next_wake(&self, running: usize) -> Instant {
        let now = Instant::now();
        let glance = now + self.settings.schedule.glance;
        if running >= LEASES_MAX {
            return glance;
        }
        match self.mail.store.next_due() {
            Ok(Some(WallTime(due))) => {
                let wait = Duration::from_micros(due.saturating_sub(self.mail.clock.wall().0));
                now + wait
                    .max(Duration::from_millis(20))
                    .min(self.settings.schedule.glance)
            }
            Ok(None) | Err(_) => glance,
        }
    }

    /// Nothing is begun for a while.
    fn rest(&self) {
        self.pause
            .send_replace(Some(Instant::now() + UNRECORDED_PAUSE));
    }

    /// Waits for a place, then tries one letter at one domain and records what came of it.
    async fn hand_over(self: Arc<Self>, claimed: Claimed) {
        let domain = self.domain(&claimed.domain);
        let Ok(_domain_place) = domain.acquire().await else {
            return;
        };
        let Ok(_place) = self.places.acquire().await else {
            return;
        };
        if self
            .pause
            .borrow()
            .is_some_and(|until| until > Instant::now())
        {
            return;
        }
        let Claimed {
            message,
            domain,
            lease,
        } = claimed;
        let message = Arc::new(message);
        let trying = Arc::clone(&self).attempt(Arc::clone(&message), domain);
        // In a task of its own, so that a panic ends this attempt and nothing else.
        let mut alone = JoinSet::new();
        alone.spawn(trying);
        let tried = match alone.join_next().await {
            Some(Ok(tried)) => tried,
            broken => {
                tracing::error!(?broken, queue_id = %message.queue_id, "an attempt broke off");
                attempt::Tried::broken(&message)
            }
        };
        self.record(&message, lease, tried).await;
    }

    fn domain(&self, name: &str) -> Arc<Semaphore> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.retain(|_, places| Arc::strong_count(places) > 1);
        let places = domains.entry(name.to_owned());
        let most = self.settings.per_domain_max.max(1);
        Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(most))))
    }
}
