//! Reads the whole journal without changing anything, also while it is written.

use std::path::Path;

use super::recovery::Damage;
use super::scan::{Found, Scan};
use super::segment::{self, FIRST_FRAME, Segment};
use crate::error::StoreError;
use crate::layer::{Access, FileLayer};

/// Counts the frames up to number `until`, and gives the stretches before it that cannot be read.
pub(crate) fn verify(
    layer: &dyn FileLayer,
    dir: &Path,
    until: u64,
) -> Result<(u64, Vec<Damage>), StoreError> {
    let numbers =
        segment::list(layer, dir).map_err(|error| StoreError::io("listing", dir, &error))?;
    let mut check = Check {
        until,
        sequence: 0,
        frames: 0,
        holes: Vec::new(),
        damage: Vec::new(),
    };
    for number in numbers {
        match Segment::open(layer, dir, number, Access::Read) {
            Ok(segment) => check.segment(&segment)?,
            Err(StoreError::Damaged(_)) => {
                check
                    .damage
                    .push(damage(&segment::path(dir, number), 0, FIRST_FRAME));
            }
            Err(error) => return Err(error),
        }
    }
    if check.sequence < until {
        check.damage.append(&mut check.holes); // the end itself is missing
    }
    Ok((check.frames, check.damage))
}

struct Check {
    until: u64,
    sequence: u64,
    frames: u64,
    /// Bytes that are no frame. With a frame up to `until` behind them they are damage; otherwise
    /// they may be a group that is being written.
    holes: Vec<Damage>,
    damage: Vec<Damage>,
}

impl Check {
    fn segment(&mut self, segment: &Segment) -> Result<(), StoreError> {
        let mut scan = Scan::new(segment, FIRST_FRAME, self.sequence);
        while self.sequence < self.until {
            match scan.next()? {
                Found::Frame(frame) => {
                    self.damage.append(&mut self.holes);
                    self.sequence = frame.header.sequence;
                    self.frames += 1;
                }
                Found::Gap { from, to } => self.holes.push(damage(&segment.path, from, to)),
                Found::End { from, to } => {
                    if from < to {
                        self.holes.push(damage(&segment.path, from, to));
                    }
                    break;
                }
            }
        }
        Ok(())
    }
}

fn damage(file: &Path, from: u64, to: u64) -> Damage {
    Damage {
        file: file.to_owned(),
        offset_bytes: from,
        length_bytes: to - from,
        copied_to: None,
        perhaps_unacknowledged: false,
    }
}
