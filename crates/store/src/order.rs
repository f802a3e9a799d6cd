//! The order of the steps that end a group: the promise of the store, in four lines.

use crate::committer::Group;
use crate::error::StoreError;

/// In which order a group is made to last and answered.
pub(crate) trait Order: Send + 'static {
    /// Takes the steps. An error is final: whatever was not answered yet never will be positively.
    fn run(group: &mut Group<'_>) -> Result<(), StoreError>;
}

/// Nothing is answered before it lasts.
pub(crate) struct Durable;

impl Order for Durable {
    fn run(group: &mut Group<'_>) -> Result<(), StoreError> {
        group.write()?;
        group.sync()?;
        group.show()?;
        group.answer();
        Ok(())
    }
}
