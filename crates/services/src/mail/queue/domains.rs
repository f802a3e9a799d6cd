//! What is known of a domain while letters for it are in hand: how many connections it has, and
//! whether it was found to be out of reach.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// One domain.
pub(super) struct Domain {
    /// Room for connections.
    pub places: Semaphore,
    down: Mutex<Option<(Instant, String)>>,
}

impl Domain {
    /// It was out of reach just now, for this reason.
    pub fn is_down(&self, words: String) {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), words));
    }

    /// Why it was out of reach at some time since `since`. Who has waited for a place all that time
    /// need not find out again: a thousand letters for a dead domain cost one attempt.
    pub fn down_since(&self, since: Instant) -> Option<String> {
        let down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        down.as_ref()
            .filter(|(at, _)| *at >= since)
            .map(|(_, words)| words.clone())
    }
}

/// The domains in hand.
pub(super) struct Domains {
    connections_max: usize,
    known: Mutex<HashMap<String, Arc<Domain>>>,
}

impl Domains {
    /// At most `connections_max` connections for each.
    pub fn new(connections_max: usize) -> Self {
        Self {
            connections_max: connections_max.max(1),
            known: Mutex::default(),
        }
    }

    /// The domain of that name. Those that nobody holds are forgotten.
    pub fn find(&self, name: &str) -> Arc<Domain> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, domain| Arc::strong_count(domain) > 1);
        let domain = known.entry(name.to_owned()).or_insert_with(|| {
            let places = Semaphore::new(self.connections_max);
            Arc::new(Domain {
                places,
                down: Mutex::default(),
            })
        });
        Arc::clone(domain)
    }
}
