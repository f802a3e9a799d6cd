//! Start-up: goes through the frames behind a position, tells a torn tail from damage, and says
//! where the journal goes on.
//!
//! A bad frame with nothing valid behind it is a torn tail: its group was never synced, so nobody
//! was told of it; it becomes zeros. A bad frame with valid ones behind it is damage: its bytes are
//! copied to `quarantine/`, it is reported, and reading goes on behind it.

use std::io;
use std::path::{Path, PathBuf};

use super::Position;
use super::scan::{Found, Frame, Scan};
use super::segment::{self, FIRST_FRAME, Segment};
use crate::error::StoreError;
use crate::layer::{Access, FileLayer};

/// What opening the store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Frames that the view did not have yet.
    pub replayed_frames: u64,
    /// Bytes of torn tails that became zeros: never acknowledged.
    pub torn_bytes: u64,
    /// Stretches that could not be read though something valid lies behind them.
    pub damage: Vec<Damage>,
    /// The view was made anew from the journal, and why.
    pub view_rebuilt: Option<String>,
}

/// One stretch of the journal that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub file: PathBuf,
    /// Where it begins.
    pub offset_bytes: u64,
    /// How long it is.
    pub length_bytes: u64,
    /// Where a copy was put; `None` where that failed or there was nothing to copy.
    pub copied_to: Option<PathBuf>,
    /// It lies in the last group of the journal, so power loss before its sync explains it and
    /// nobody may have been told of it.
    pub perhaps_unacknowledged: bool,
}

/// Where the journal ends.
pub(crate) struct Recovered {
    /// The segment to go on in, and where; `None` in a new store.
    pub last: Option<(Segment, u64)>,
    /// Segments made and never used.
    pub spares: Vec<Segment>,
    /// The highest segment number in use, 0 if none.
    pub highest_number: u64,
    /// The last sequence number given.
    pub sequence: u64,
}

/// Bytes that are no frame: torn, unless a frame lies behind them.
struct Hole {
    segment: usize,
    from: u64,
    to: u64,
}

/// Gives every frame behind `from` to `take`, in order.
pub(crate) fn replay(
    layer: &dyn FileLayer,
    dir: &Path,
    from: Position,
    report: &mut Recovery,
    take: &mut dyn FnMut(&Frame) -> Result<(), StoreError>,
) -> Result<Recovered, StoreError> {
    let numbers =
        segment::list(layer, dir).map_err(|error| StoreError::io("listing", dir, &error))?;
    let mut walk = Walk {
        layer,
        dir,
        report,
        segments: Vec::new(),
        last: None,
        holes: Vec::new(),
        damage: Vec::new(),
        sequence: from.sequence,
        group: 0,
    };
    if from.segment != 0 && !numbers.contains(&from.segment) {
        walk.report.damage.push(Damage {
            file: segment::path(dir, from.segment),
            offset_bytes: 0,
            length_bytes: from.offset_bytes,
            copied_to: None,
            perhaps_unacknowledged: false,
        });
    }
    for &number in numbers.iter().filter(|&&number| number >= from.segment) {
        if walk.open(number)? {
            walk.read(from, take)?;
        }
    }
    walk.judge()?;
    let sequence = walk.sequence;
    let last = walk.last.or_else(|| {
        let found = walk
            .segments
            .iter()
            .position(|segment| segment.number == from.segment);
        found.map(|index| (index, from.offset_bytes))
    });
    let mut segments = walk.segments;
    let (last, spares) = match last {
        Some((index, end)) => {
            let spares = segments.split_off(index + 1);
            (segments.pop().map(|segment| (segment, end)), spares)
        }
        // Segments without a single frame: made, and the power went before the first commit.
        None if segments.is_empty() => (None, segments),
        None => (Some((segments.remove(0), FIRST_FRAME)), segments),
    };
    Ok(Recovered {
        last,
        spares,
        // A number the view knows is never given to another file, even if its own is gone.
        highest_number: numbers
            .last()
            .map_or(from.segment, |last| from.segment.max(*last)),
        sequence,
    })
}

/// Damage for a frame whose bytes are whole but whose words nobody understands. The frame stays
/// where it is, so there is nothing to copy.
pub(crate) fn unreadable(dir: &Path, frame: &Frame) -> Damage {
    Damage {
        file: segment::path(dir, frame.place.segment),
        offset_bytes: frame.offset_bytes,
        length_bytes: frame.place.end_bytes - frame.offset_bytes,
        copied_to: None,
        perhaps_unacknowledged: false,
    }
}

struct Walk<'a> {
    layer: &'a dyn FileLayer,
    dir: &'a Path,
    report: &'a mut Recovery,
    segments: Vec<Segment>,
    /// Which segment holds the last frame, and where that ends.
    last: Option<(usize, u64)>,
    /// Not yet known to be damage: nothing valid was found behind them so far.
    holes: Vec<Hole>,
    /// Damage, with the group it belongs to if the frame behind it is of the same.
    damage: Vec<(Damage, Option<u64>)>,
    sequence: u64,
    /// The group of the last frame.
    group: u64,
}

impl Walk<'_> {
    /// Opens a segment; one without a readable header is reported and passed over.
    fn open(&mut self, number: u64) -> Result<bool, StoreError> {
        match Segment::open(self.layer, self.dir, number, Access::ReadWrite) {
            Ok(segment) => {
                self.segments.push(segment);
                Ok(true)
            }
            Err(StoreError::Damaged(_)) => {
                self.report.damage.push(Damage {
                    file: segment::path(self.dir, number),
                    offset_bytes: 0,
                    length_bytes: FIRST_FRAME,
                    copied_to: None,
                    perhaps_unacknowledged: false,
                });
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn read(
        &mut self,
        from: Position,
        take: &mut dyn FnMut(&Frame) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(index) = self.segments.len().checked_sub(1) else {
            return Ok(());
        };
        let segment = &self.segments[index];
        let start = if segment.number == from.segment {
            from.offset_bytes
        } else {
            FIRST_FRAME
        };
        let mut scan = Scan::new(segment, start.max(FIRST_FRAME), self.sequence);
        loop {
            match scan.next()? {
                Found::Frame(frame) => {
                    for hole in self.holes.drain(..) {
                        let segment = &self.segments[hole.segment];
                        let damage = quarantine(self.layer, self.dir, segment, hole.from, hole.to);
                        // What is missing began an earlier group than the frame behind it: that
                        // group was synced, or this frame would not have been written.
                        let same_group = frame.header.group <= self.sequence + 1;
                        self.damage
                            .push((damage, same_group.then_some(frame.header.group)));
                    }
                    take(&frame)?;
                    self.report.replayed_frames += 1;
                    (self.sequence, self.group) = (frame.header.sequence, frame.header.group);
                    self.last = Some((index, frame.place.end_bytes));
                }
                Found::Gap { from, to } => self.holes.push(Hole {
                    segment: index,
                    from,
                    to,
                }),
                Found::End { from, to } => {
                    if from < to {
                        self.holes.push(Hole {
                            segment: index,
                            from,
                            to,
                        });
                    }
                    return Ok(());
                }
            }
        }
    }

    /// What is left at the end is torn; what lay in between was damage.
    fn judge(&mut self) -> Result<(), StoreError> {
        for (mut damage, group) in self.damage.drain(..) {
            damage.perhaps_unacknowledged = group == Some(self.group);
            self.report.damage.push(damage);
        }
        for Hole { segment, from, to } in self.holes.drain(..) {
            let segment = &self.segments[segment];
            let zeroed = segment
                .zero(from, to)
                .and_then(|()| segment.file.sync_data());
            zeroed.map_err(|error| {
                StoreError::io("clearing the torn end of", &segment.path, &error)
            })?;
            self.report.torn_bytes += to - from;
        }
        Ok(())
    }
}

/// Copies a stretch aside. The copy is a help for people: that it fails must not keep a store shut.
fn quarantine(layer: &dyn FileLayer, dir: &Path, segment: &Segment, from: u64, to: u64) -> Damage {
    let copied_to = copy(layer, dir, segment, from, to).ok();
    Damage {
        file: segment.path.clone(),
        offset_bytes: from,
        length_bytes: to - from,
        copied_to,
        perhaps_unacknowledged: false,
    }
}

fn copy(
    layer: &dyn FileLayer,
    dir: &Path,
    segment: &Segment,
    from: u64,
    to: u64,
) -> io::Result<PathBuf> {
    let quarantine = dir.with_file_name("quarantine");
    layer.create_dir(&quarantine)?;
    let path = quarantine.join(format!("{:08}-{from}.bad", segment.number));
    let file = match layer.open(&path, Access::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(path),
        opened => opened?,
    };
    let mut piece = vec![0; 64 << 10];
    let mut at = from;
    while at < to {
        let wanted = (to - at).min(piece.len() as u64) as usize;
        let count = segment.file.read_at(&mut piece[..wanted], at)?;
        if count == 0 {
            break;
        }
        file.write_at(&[&piece[..count]], at - from)?;
        at += count as u64;
    }
    file.sync_data()?;
    layer.sync_dir(&quarantine)?;
    Ok(path)
}
