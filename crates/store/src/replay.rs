//! Fills the view from the journal.

use std::path::Path;

use crate::error::StoreError;
use crate::event::Entry;
use crate::journal::Frame;
use crate::journal::recovery::{self, Recovered, Recovery};
use crate::layer::FileLayer;
use crate::view::Writer;
use crate::view::apply::apply;

/// Applies every frame behind the view's position, inside a transaction of the caller. A frame that
/// says nothing we understand is reported and passed over: one bad record must not stop the rest.
pub(crate) fn catch_up(
    layer: &dyn FileLayer,
    segments: &Path,
    view: &Writer,
    report: &mut Recovery,
) -> Result<Recovered, StoreError> {
    let from = view.position()?;
    let mut unreadable = Vec::new();
    let recovered = recovery::replay(layer, segments, from, report, &mut |frame| {
        if !replay_frame(view, frame)? {
            unreadable.push(recovery::unreadable(segments, frame));
        }
        Ok(())
    })?;
    report.damage.append(&mut unreadable);
    Ok(recovered)
}

/// Whether the frame said something.
fn replay_frame(view: &Writer, frame: &Frame) -> Result<bool, StoreError> {
    let entry = postcard::from_bytes::<Entry>(&frame.metadata);
    if let Ok(entry) = &entry {
        // Files that nothing refers to any more are found by comparing folder and view afterwards.
        apply(view.connection(), &frame.place, entry)?;
    }
    view.set_position(frame.place.end())?;
    Ok(entry.is_ok())
}
