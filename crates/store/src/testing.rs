//! Committers that break the promise, so that a test of the promise can be shown to fail.

use std::time::Duration;

use crate::committer::Group;
use crate::error::StoreError;
use crate::options::Options;
use crate::order::{Durable, Order};
use crate::store::Store;

pub use crate::layer::forgetful::Forgetful;

/// When the committer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOrder {
    /// As it should.
    Durable,
    /// Before the frames are written: a killed process loses what it answered for.
    AnswerBeforeWrite,
    /// Before the sync: a kernel that dies loses what was answered for.
    AnswerBeforeSync,
}

/// As [`Store::open`], with a committer of one's choice.
pub fn open_with(options: Options, order: CommitOrder) -> Result<Store, StoreError> {
    match order {
        CommitOrder::Durable => Store::open_with::<Durable>(options),
        CommitOrder::AnswerBeforeWrite => Store::open_with::<AnswerBeforeWrite>(options),
        CommitOrder::AnswerBeforeSync => Store::open_with::<AnswerBeforeSync>(options),
    }
}

struct AnswerBeforeWrite;

impl Order for AnswerBeforeWrite {
    fn run(group: &mut Group<'_>) -> Result<(), StoreError> {
        group.answer();
        // Long enough for a killer from outside to meet the gap.
        std::thread::sleep(Duration::from_millis(20));
        group.write()?;
        group.sync()?;
        group.show()
    }
}

struct AnswerBeforeSync;

impl Order for AnswerBeforeSync {
    fn run(group: &mut Group<'_>) -> Result<(), StoreError> {
        group.write()?;
        group.answer();
        group.sync()?;
        group.show()
    }
}
