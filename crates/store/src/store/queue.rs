//! The queue: mail for other servers.

use guichet_trace::WallTime;
use tokio::sync::watch;

use super::{Inner, Store, done};
use crate::answer::Commit;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::operation::Operation;
use crate::types::{Attempt, Change, QueueId, QueuedMessage};
use crate::view::read::{self, Claimed};

impl Store {
    /// Leases what is due: at most `limit` groups of recipients, each of one message and one domain.
    /// A lease lasts until it is handed to [`Store::finish_attempt`], dropped, or the process ends.
    ///
    /// # Errors
    /// [`StoreError::Failed`], and [`StoreError::Full`] once half the reserve is used up: what is
    /// delivered but cannot be recorded would be delivered again and again.
    pub fn claim_due(&self, now: WallTime, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        let Inner {
            failure,
            bodies,
            segments,
            reserve_bytes,
            ..
        } = &*self.inner;
        if let Some(words) = failure.words() {
            return Err(StoreError::Failed(words.clone()));
        }
        if bodies
            .layer
            .free_bytes(segments)
            .is_ok_and(|free_bytes| free_bytes < reserve_bytes / 2)
        {
            return Err(StoreError::Full);
        }
        self.inner
            .readers
            .with(|view| read::claim(view, &self.inner.leases, now, limit))
    }

    /// When the next recipient becomes due that is neither leased nor held; `None` if there is none.
    /// It may lie in the past.
    pub fn next_due(&self) -> Result<Option<WallTime>, StoreError> {
        self.inner
            .readers
            .with(|view| read::next_due(view, &self.inner.leases))
    }

    /// Changes whenever something may have become due: a message accepted, an attempt finished or
    /// given back, a word of the operator.
    pub fn queue_changes(&self) -> watch::Receiver<u64> {
        self.inner.leases.subscribe()
    }

    /// Records what came of a delivery attempt, together with its report if there is one, and ends
    /// the lease. When to try again, and when to give up, is the caller's decision. Blocks while a
    /// large report that is not sealed yet is synced.
    pub fn finish_attempt(&self, change: Change, lease: Lease, attempt: Attempt) -> Commit<()> {
        let Attempt {
            outcomes,
            exchange,
            report,
        } = attempt;
        match report.map(|report| self.seal(report)).transpose() {
            Ok(report) => {
                let operation = Operation::Attempted {
                    lease,
                    outcomes,
                    exchange,
                    report,
                };
                self.change(change, operation, done)
            }
            Err(error) => Commit::refused(done, error),
        }
    }

    /// Messages with a recipient still waiting, the oldest first.
    pub fn queue(&self) -> Result<Vec<QueuedMessage>, StoreError> {
        self.inner.readers.with(|view| read::queue(view, None))
    }

    /// One message with all its remote recipients, also when none waits any more (until purged).
    pub fn queued(&self, queue_id: QueueId) -> Result<Option<QueuedMessage>, StoreError> {
        let found = self
            .inner
            .readers
            .with(|view| read::queue(view, Some(queue_id)))?;
        Ok(found.into_iter().next())
    }

    /// Stops further attempts. One under way still finishes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchQueueEntry`] if nothing waits under this id; so for the next three.
    pub fn hold(&self, change: Change, queue_id: QueueId) -> Commit<()> {
        self.change(
            change,
            Operation::Hold {
                queue_id,
                held: true,
            },
            done,
        )
    }

    /// Allows attempts again.
    pub fn release(&self, change: Change, queue_id: QueueId) -> Commit<()> {
        self.change(
            change,
            Operation::Hold {
                queue_id,
                held: false,
            },
            done,
        )
    }

    /// Makes everything that waits under this id due now.
    pub fn retry_now(&self, change: Change, queue_id: QueueId) -> Commit<()> {
        self.change(change, Operation::RetryNow { queue_id }, done)
    }

    /// Takes everything that waits under this id out of the queue, without a report to the sender.
    /// An attempt under way still finishes, and its result is recorded.
    pub fn remove_queued(&self, change: Change, queue_id: QueueId, words: &str) -> Commit<()> {
        self.change(
            change,
            Operation::RemoveQueued {
                queue_id,
                words: words.to_owned(),
            },
            done,
        )
    }
}
