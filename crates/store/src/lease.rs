//! Who is delivering what: held in memory only, so that after a restart everything is free again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::locked;

/// A recipient's copy, by the row of its message and its address.
pub(crate) type Copy = (i64, String);

/// The copies that are being delivered, and the bell that says the queue changed.
#[derive(Debug)]
pub(crate) struct Leases {
    held: Mutex<HashSet<Copy>>,
    changes: watch::Sender<u64>,
}

impl Leases {
    pub fn new() -> Self {
        Self {
            held: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// The copies now under delivery; while this guard lives no lease begins or ends.
    pub fn held(&self) -> MutexGuard<'_, HashSet<Copy>> {
        locked(&self.held)
    }

    /// Wakes whoever waits for the queue to change.
    pub fn ring(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// The right, and the duty, to deliver some copies of one message. Hand it to
/// [`crate::Store::finish_attempt`]; dropping it instead makes the copies claimable again at once.
#[derive(Debug)]
pub struct Lease {
    leases: Arc<Leases>,
    pub(crate) message: i64,
    pub(crate) queue_id: crate::types::QueueId,
    addresses: Vec<String>,
}

impl Lease {
    /// Takes copies nobody holds; the caller checked that under the guard `held`.
    pub(crate) fn take(
        leases: &Arc<Leases>,
        held: &mut HashSet<Copy>,
        message: i64,
        queue_id: crate::types::QueueId,
        addresses: Vec<String>,
    ) -> Self {
        held.extend(addresses.iter().map(|address| (message, address.clone())));
        Self {
            leases: Arc::clone(leases),
            message,
            queue_id,
            addresses,
        }
    }

    /// Whether this copy is among those held.
    pub(crate) fn covers(&self, address: &str) -> bool {
        self.addresses.iter().any(|held| held == address)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.leases.held();
        for address in self.addresses.drain(..) {
            held.remove(&(self.message, address));
        }
        drop(held);
        self.leases.ring();
    }
}
