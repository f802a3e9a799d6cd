//! Accepting messages, and the maildrops they are collected from.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use guichet_trace::WallTime;

use super::{Store, count, done};
use crate::answer::{Answer, Commit};
use crate::body::{Body, BodyHandle};
use crate::error::StoreError;
use crate::layer::Access;
use crate::locked;
use crate::operation::{Operation, SealedMessage};
use crate::types::{Accepted, Change, Fact, FactQuery, MaildropEntry, NewMessage, Recipient};
use crate::view::read::{self, BodyPlace};

impl Store {
    /// Takes responsibility for a message: its body once, an entry in each local mailbox, a place in
    /// the queue for each remote recipient. Blocks while a large body that is not sealed yet is
    /// synced. A recipient named twice (by two aliases, say) gets one copy.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`] (then nobody gets it), [`StoreError::NoRecipients`],
    /// [`StoreError::Full`], [`StoreError::Failed`].
    pub fn accept_message(&self, change: Change, message: NewMessage) -> Commit<Accepted> {
        let reading = |answer| match answer {
            Answer::Accepted(accepted) => Some(accepted),
            _ => None,
        };
        match self.seal(message) {
            Ok(message) => self.change(change, Operation::Accept(message), reading),
            Err(error) => Commit::refused(reading, error),
        }
    }

    pub(super) fn seal(&self, mut message: NewMessage) -> Result<SealedMessage, StoreError> {
        for recipient in &mut message.recipients {
            if let Recipient::Local { account, .. } = recipient {
                *account = account.to_lowercase();
            }
        }
        SealedMessage::seal(message, &self.inner.bodies)
    }

    /// What lies in an account's INBOX, by UID.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`].
    pub fn maildrop(&self, login: &str) -> Result<Vec<MaildropEntry>, StoreError> {
        self.inner
            .readers
            .with(|view| read::maildrop(view, &login.to_lowercase()))
    }

    /// Locks a maildrop for one session (RFC 1939 section 4); `None` while another has it. The lock
    /// lives in memory and ends when it is dropped. Mail still arrives meanwhile.
    pub fn lock_maildrop(&self, login: &str) -> Option<MaildropLock> {
        let login = login.to_lowercase();
        let locks = Arc::clone(&self.inner.maildrops);
        let free = locked(&locks).insert(login.clone());
        free.then_some(MaildropLock { locks, login })
    }

    /// Deletes messages from an INBOX; numbers that are not there are passed over. Gives the number
    /// deleted.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`].
    pub fn delete(&self, change: Change, login: &str, uids: &[u32]) -> Commit<u64> {
        let login = login.to_lowercase();
        self.change(
            change,
            Operation::Delete {
                login,
                uids: uids.to_vec(),
            },
            count,
        )
    }

    /// Opens the content of a message. Once open, it can be read to its end whatever happens to the
    /// message.
    ///
    /// # Errors
    /// [`StoreError::MessageGone`]; [`StoreError::Io`] if its file cannot be opened.
    pub fn body(&self, handle: BodyHandle) -> Result<Body, StoreError> {
        let place = self
            .inner
            .readers
            .with(|view| read::body_place(view, handle))?;
        let place = place.ok_or(StoreError::MessageGone)?;
        let (file, start_bytes) = match place {
            BodyPlace::Segment {
                number,
                offset_bytes,
            } => (self.segment(number)?, offset_bytes),
            BodyPlace::File(name) => {
                let path = self.inner.bodies.path(&name);
                let opened = self.inner.bodies.layer.open(&path, Access::Read);
                (
                    opened.map_err(|error| StoreError::io("opening", &path, &error))?,
                    0,
                )
            }
        };
        Ok(Body {
            file,
            start_bytes,
            size_bytes: handle.size_bytes,
        })
    }

    /// Up to `max_bytes` bytes of a message from `offset_bytes` on. For more than one piece open it
    /// once with [`Store::body`].
    pub fn read_body(
        &self,
        handle: BodyHandle,
        offset_bytes: u64,
        max_bytes: usize,
    ) -> Result<Vec<u8>, StoreError> {
        self.body(handle)?.read(offset_bytes, max_bytes)
    }

    fn segment(&self, number: u64) -> Result<Arc<dyn crate::layer::File>, StoreError> {
        if let Some(file) = locked(&self.inner.open_segments).get(&number) {
            return Ok(Arc::clone(file));
        }
        let path = crate::journal::segment::path(&self.inner.segments, number);
        let opened = self.inner.bodies.layer.open(&path, Access::Read);
        let file = opened.map_err(|error| StoreError::io("opening", &path, &error))?;
        locked(&self.inner.open_segments).insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// What is asserted about deliveries: the newest `limit` that fit, in the order they happened.
    pub fn facts(&self, which: &FactQuery, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.inner
            .readers
            .with(|view| read::facts(view, which, limit))
    }

    /// Forgets the facts of messages that ended before a moment (by rule 30 days ago), and the
    /// idempotency keys from before it.
    pub fn purge(&self, change: Change, ended_before: WallTime) -> Commit<()> {
        self.change(change, Operation::Purge { ended_before }, done)
    }
}

/// The exclusive use of a maildrop; ends when dropped.
#[derive(Debug)]
pub struct MaildropLock {
    locks: Arc<Mutex<HashSet<String>>>,
    login: String,
}

impl Drop for MaildropLock {
    fn drop(&mut self) {
        locked(&self.locks).remove(&self.login);
    }
}
