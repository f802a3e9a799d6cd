//! Remembers for a short while which password opened which log-in, so that a mail program that
//! connects every minute does not cost a full hash each time.
//!
//! Only successes are kept, only as a keyed hash of log-in, password and the stored hash they were
//! checked against: whoever reads the memory learns no password, and a changed password simply no
//! longer matches.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a success is believed.
const TRUST: Duration = Duration::from_secs(60);
/// Entries kept at most.
const ENTRIES_MAX: usize = 4096;

/// A bounded set of recent successes.
pub(super) struct Cache {
    key: [u8; 32],
    recent: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Cache {
    /// An empty one under `key`, which must be random and never leave the process.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            recent: Mutex::default(),
        }
    }

    /// What stands for one success.
    pub fn mark(&self, login: &str, password: &str, stored_hash: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [login, password, stored_hash] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// Whether this very success happened within the last minute.
    pub fn knows(&self, mark: &[u8; 32]) -> bool {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent
            .get(mark)
            .is_some_and(|since| since.elapsed() < TRUST)
    }

    /// Remembers a success. When full, what is outdated goes; if nothing is, everything does: the
    /// cache only saves work.
    pub fn remember(&self, mark: [u8; 32]) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= ENTRIES_MAX {
            recent.retain(|_, since| since.elapsed() < TRUST);
            if recent.len() >= ENTRIES_MAX {
                recent.clear();
            }
        }
        recent.insert(mark, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_success_is_believed_for_a_minute_and_only_for_the_same_hash() {
        let cache = Cache::new([1; 32]);
        let mark = cache.mark("bob@sud.test", "lab", "$old");
        assert!(!cache.knows(&mark));
        cache.remember(mark);
        assert!(cache.knows(&mark));
        assert!(
            !cache.knows(&cache.mark("bob@sud.test", "lab", "$new")),
            "password changed"
        );
        assert!(
            !cache.knows(&cache.mark("bob@sud.testl", "ab", "$old")),
            "lengths are hashed"
        );
        tokio::time::advance(TRUST).await;
        assert!(!cache.knows(&mark));
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_bounded() {
        let cache = Cache::new([1; 32]);
        for number in 0..=ENTRIES_MAX {
            cache.remember(cache.mark(&number.to_string(), "", ""));
        }
        assert!(cache.recent.lock().unwrap().len() <= ENTRIES_MAX);
    }
}
