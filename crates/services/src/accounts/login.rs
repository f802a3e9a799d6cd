//! Log-ins: is this the person's password?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use guichet_store::Store;
use tokio::sync::Semaphore;
use tokio::task;

use super::address::Address;
use super::cache::Cache;
use super::password::{self, Cost, HashError};

/// What became of a log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogIn {
    /// It is this account's owner (the log-in as the store has it).
    Welcome(String),
    /// No such account, another password, or suspended: whoever asks is not told which.
    Refused,
    /// It cannot be found out now; the words are for the operator.
    Unavailable(String),
}

/// Verifies log-ins against the store.
pub struct Accounts {
    store: Store,
    cost: Cost,
    places: Semaphore,
    cache: Cache,
    decoy: String,
    hashes: AtomicU64,
}

impl Accounts {
    /// `cost` is used for new hashes (old ones carry their own); at most `at_once` are computed at a
    /// time, so that a storm of log-ins neither takes all cores nor all memory.
    pub fn new(store: Store, cost: Cost, at_once: usize) -> Result<Self, HashError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| HashError::NoSalt(error.to_string()))?;
        Ok(Self {
            store,
            cost,
            places: Semaphore::new(at_once.max(1)),
            cache: Cache::new(key),
            decoy: decoy(cost),
            hashes: AtomicU64::new(0),
        })
    }

    /// Checks a log-in: the full address and the password in clear.
    pub async fn log_in(self: &Arc<Self>, login: &str, password: &str) -> LogIn {
        let login = Address::parse(login).map(|address| address.to_string());
        let account = match login.map(|login| self.store.account(&login)).transpose() {
            Ok(account) => account.flatten(),
            Err(error) => return LogIn::Unavailable(error.to_string()),
        };
        let (stored, known) = match &account {
            Some(account) => (account.password_hash.as_str(), true),
            None => (self.decoy.as_str(), false),
        };
        let name = account
            .as_ref()
            .map_or("", |account| account.login.as_str());
        let mark = self.cache.mark(name, password, stored);
        let right = known && self.cache.knows(&mark)
            || match self.verify(password, stored).await {
                Ok(right) => right && known,
                Err(words) => return LogIn::Unavailable(words),
            };
        match account {
            Some(account) if right => {
                self.cache.remember(mark);
                if account.suspended {
                    LogIn::Refused
                } else {
                    LogIn::Welcome(account.login)
                }
            }
            _ => LogIn::Refused,
        }
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: &str) -> Result<String, HashError> {
        let _place = self.places.acquire().await;
        let (password, cost) = (password.to_owned(), self.cost);
        task::spawn_blocking(move || password::hash(&password, cost))
            .await
            .unwrap_or_else(|error| Err(HashError::Refused(error.to_string())))
    }

    /// How many passwords have been hashed for log-ins since the start.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    async fn verify(&self, password: &str, stored: &str) -> Result<bool, String> {
        let _place = self.places.acquire().await;
        self.hashes.fetch_add(1, Ordering::Relaxed);
        let (password, stored) = (password.to_owned(), stored.to_owned());
        task::spawn_blocking(move || password::verify(&password, &stored))
            .await
            .map_err(|error| error.to_string())
    }
}

/// A hash of the same cost that nothing opens: its output was not computed from any password.
fn decoy(cost: Cost) -> String {
    let Cost {
        memory_kib,
        passes,
        lanes,
    } = cost;
    let (salt, output) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${output}")
}
