//! The queue: letters for other servers, tried until they are taken, refused or too old
//! (RFC 5321 section 4.5.4).
//!
//! What waits is in the store; here is only what is under way. A letter is handed over once for each
//! domain among its recipients. One that cannot be read, or that makes the program panic, is put off
//! like any other failure and never stands in the way of the rest.

mod attempt;
mod domains;
mod letter;
mod record;
mod route;
mod schedule;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use guichet_store::{Change, Claimed, QueuedMessage, StoreError};
use guichet_trace::WallTime;
use tokio::sync::{Semaphore, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{self, Instant};

use super::Mail;
use super::outside::{Names, Relay};
use attempt::Tried;
use domains::Domains;
pub use route::Ourselves;
pub use schedule::Schedule;

/// Letters leased at most: those being handed over, and those that wait for a place at their domain.
const LEASES_MAX: usize = 1000;
/// Pause after a result could not be recorded: an attempt that leaves no trace would be repeated.
const UNRECORDED_PAUSE: Duration = Duration::from_secs(60);
/// Shortest time between two looks that nobody asked for.
const MOMENT: Duration = Duration::from_millis(20);
/// Time between two removals of old facts.
const TIDY_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);

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
    /// How long the facts of a delivery are kept after its end. Default 30 days.
    pub facts_kept: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            connections_max: 100,
            per_domain_max: 5,
            ourselves: Ourselves::default(),
            facts_kept: Duration::from_secs(30 * 24 * 60 * 60),
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
    domains: Domains,
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
            domains: Domains::new(settings.per_domain_max),
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
        let mut tidy_at = Instant::now();
        loop {
            changes.borrow_and_update();
            let resume = *pause.borrow_and_update();
            let resume = resume.filter(|until| *until > Instant::now());
            let wake = match resume {
                Some(until) => until,
                None => {
                    let (claimed, wake) = self.look(LEASES_MAX.saturating_sub(running.len())).await;
                    for claimed in claimed {
                        running.spawn(Arc::clone(&self).hand_over(claimed));
                    }
                    wake
                }
            };
            if tidy_at <= Instant::now() {
                tidy_at = Instant::now() + TIDY_INTERVAL;
                self.tidy().await;
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

    /// Leases what is due, at most `limit`, and says when to look again.
    async fn look(&self, limit: usize) -> (Vec<Claimed>, Instant) {
        let glance = self.settings.schedule.glance;
        if limit == 0 {
            return (Vec::new(), Instant::now() + glance);
        }
        let (store, now) = (self.mail.store.clone(), self.mail.clock.wall());
        let looked = task::spawn_blocking(move || match store.health().failed {
            Some(words) => Err(StoreError::Failed(words)),
            None => Ok((store.claim_due(now, limit)?, store.next_due()?)),
        });
        let looked = looked
            .await
            .unwrap_or_else(|error| Err(StoreError::Io(error.to_string())));
        match looked {
            Ok((claimed, due)) => {
                // Not sooner than in a moment: what is due now was claimed, or waits for room.
                let wait = due.map_or(glance, |due| {
                    Duration::from_micros(due.0.saturating_sub(now.0))
                });
                (claimed, Instant::now() + wait.max(MOMENT).min(glance))
            }
            Err(error) => {
                tracing::error!(%error, "the queue cannot be looked through");
                self.rest();
                (Vec::new(), Instant::now() + UNRECORDED_PAUSE)
            }
        }
    }

    /// Forgets the facts of what ended long ago.
    async fn tidy(&self) {
        let now = self.mail.clock.wall();
        let kept = u64::try_from(self.settings.facts_kept.as_micros()).unwrap_or(u64::MAX);
        let ended_before = WallTime(now.0.saturating_sub(kept));
        if let Err(error) = self.mail.store.purge(Change::at(now), ended_before).await {
            tracing::error!(%error, "old delivery facts cannot be removed");
        }
    }

    /// Nothing is begun for a while.
    fn rest(&self) {
        self.pause
            .send_replace(Some(Instant::now() + UNRECORDED_PAUSE));
    }

    fn rests(&self) -> bool {
        self.pause
            .borrow()
            .is_some_and(|until| until > Instant::now())
    }

    /// Waits for a place, then tries one letter at one domain and records what came of it.
    async fn hand_over(self: Arc<Self>, claimed: Claimed) {
        let since = Instant::now();
        let Claimed {
            message,
            domain: name,
            lease,
        } = claimed;
        let domain = self.domains.find(&name);
        let Ok(_domain_place) = domain.places.acquire().await else {
            return;
        };
        let Ok(_place) = self.places.acquire().await else {
            return;
        };
        if self.rests() {
            return;
        }
        let message = Arc::new(message);
        let tried = match domain.down_since(since) {
            Some(words) => Tried::put_off(&message, words),
            None => self.attempt_alone(&message, name).await,
        };
        if let Some(words) = &tried.unreachable {
            domain.is_down(words.clone());
        }
        self.record(&message, lease, tried).await;
    }

    /// Tries in a task of its own, so that a panic ends this attempt and nothing else.
    async fn attempt_alone(
        self: &Arc<Self>,
        message: &Arc<QueuedMessage>,
        domain: String,
    ) -> Tried {
        let mut alone = JoinSet::new(); // ends its task when it is dropped
        alone.spawn(Arc::clone(self).attempt(Arc::clone(message), domain));
        match alone.join_next().await {
            Some(Ok(tried)) => tried,
            broken => {
                tracing::error!(?broken, queue_id = %message.queue_id, "an attempt broke off");
                let words = "451 4.3.0 the attempt broke off by a mistake of this server";
                Tried::put_off(message, words.to_owned())
            }
        }
    }
}
