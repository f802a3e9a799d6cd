//! Whether the store still answers for anything, and what opening it found.

use std::sync::OnceLock;

use crate::error::StoreError;
use crate::journal::recovery::Recovery;

/// The state of a store, for people and for whoever decides whether to accept mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Why nothing is acknowledged any more; `None` if all is well.
    pub failed: Option<String>,
    /// What opening it found.
    pub recovery: Recovery,
    /// The number of the last frame acknowledged or read.
    pub sequence: u64,
}

/// Set once, for ever: a failed sync must not be forgotten because a later one works.
#[derive(Debug, Default)]
pub(crate) struct Failure(OnceLock<String>);

impl Failure {
    /// Remembers the first failure; gives back what to answer.
    pub fn set(&self, words: String) -> StoreError {
        StoreError::Failed(self.0.get_or_init(|| words).clone())
    }

    /// The failure, if there was one.
    pub fn words(&self) -> Option<&String> {
        self.0.get()
    }
}
