//! The journal: every change of state as a frame in append-only segments. It is the truth; the view
//! is made from it.
//!
//! This folder knows frames, segments, and where the end is. It does not know what the frames mean.

pub(crate) mod frame;
mod preparer;
pub(crate) mod recovery;
mod scan;
pub(crate) mod segment;
pub(crate) mod verify;

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::StoreError;
use crate::layer::FileLayer;
use frame::{Content, Encoded, HEADER_BYTES};
use preparer::Preparer;
use recovery::Recovered;
use segment::{FIRST_FRAME, Segment};

pub(crate) use scan::Frame;

/// A place behind which everything is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The sequence number of the last frame before it.
    pub sequence: u64,
    /// The segment.
    pub segment: u64,
    /// The offset in it.
    pub offset_bytes: u64,
}

/// Where a frame was put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub sequence: u64,
    pub segment: u64,
    /// Offset of the body inside the segment.
    pub body_offset_bytes: u64,
    /// Where the next frame begins.
    pub end_bytes: u64,
}

impl Place {
    /// The position behind the frame.
    pub fn end(&self) -> Position {
        Position {
            sequence: self.sequence,
            segment: self.segment,
            offset_bytes: self.end_bytes,
        }
    }
}

/// The end of the journal, where frames are added group by group.
pub(crate) struct Journal {
    current: Arc<Segment>,
    position_bytes: u64,
    next_sequence: u64,
    group: u64,
    group_frames: Vec<(Arc<Segment>, u64, Encoded)>,
    preparer: Preparer,
}

/// A state to go back to while a group is being put together.
pub(crate) struct Mark {
    segment: u64,
    position_bytes: u64,
    next_sequence: u64,
    frames: usize,
}

impl Journal {
    /// Continues behind what recovery found, or begins the first segment.
    pub fn open(
        layer: Arc<dyn FileLayer>,
        dir: PathBuf,
        recovered: Recovered,
        first_segment_bytes: u64,
        segment_bytes: u64,
        reserve_bytes: u64,
    ) -> Result<Self, StoreError> {
        let (current, position_bytes) = match recovered.last {
            Some(last) => last,
            None => {
                let number = recovered.highest_number + 1;
                let made = Segment::create(&*layer, &dir, number, first_segment_bytes)
                    .map_err(|error| StoreError::io("making a segment in", &dir, &error))?;
                (made, FIRST_FRAME)
            }
        };
        let highest = recovered.highest_number.max(current.number);
        let preparer = Preparer::start(
            layer,
            dir,
            highest,
            segment_bytes,
            reserve_bytes,
            recovered.spares,
        )?;
        Ok(Self {
            current: Arc::new(current),
            position_bytes,
            next_sequence: recovered.sequence + 1,
            group: recovered.sequence + 1,
            group_frames: Vec::new(),
            preparer,
        })
    }

    /// Begins a group: what is placed from now on is written and synced together.
    pub fn begin_group(&mut self) {
        self.group_frames.clear();
        self.group = self.next_sequence;
    }

    /// Gives a frame its place and number in the group. Nothing is written yet.
    pub fn place(&mut self, content: Content) -> Result<Place, StoreError> {
        let frame_bytes = content.frame_bytes().ok_or(StoreError::TooLarge)?;
        if self.position_bytes + frame_bytes > self.current.len_bytes {
            let next = self
                .preparer
                .take(self.current.len_bytes, FIRST_FRAME + frame_bytes)?;
            self.current = Arc::new(next);
            self.position_bytes = FIRST_FRAME;
        }
        let offset = self.position_bytes;
        let place = Place {
            sequence: self.next_sequence,
            segment: self.current.number,
            body_offset_bytes: offset + (HEADER_BYTES + content.metadata.len()) as u64,
            end_bytes: offset + frame_bytes,
        };
        let encoded = content.encode(&self.current.salt, self.next_sequence, self.group);
        self.group_frames
            .push((Arc::clone(&self.current), offset, encoded));
        self.position_bytes += frame_bytes;
        self.next_sequence += 1;
        Ok(place)
    }

    /// The state now.
    pub fn mark(&self) -> Mark {
        Mark {
            segment: self.current.number,
            position_bytes: self.position_bytes,
            next_sequence: self.next_sequence,
            frames: self.group_frames.len(),
        }
    }

    /// Takes back the frames placed since `mark`; only before [`Journal::write`].
    pub fn rewind(&mut self, mark: &Mark) {
        self.group_frames.truncate(mark.frames);
        self.next_sequence = mark.next_sequence;
        // A segment begun since then stays the current one: the rest of the one before stays zero.
        self.position_bytes = if self.current.number == mark.segment {
            mark.position_bytes
        } else {
            FIRST_FRAME
        };
    }

    /// Writes the group: one write for each segment it touches, which is nearly always one.
    pub fn write(&self) -> Result<(), StoreError> {
        for frames in self.frames_by_segment() {
            let Some((segment, offset, _)) = frames.first() else {
                continue;
            };
            let pieces: Vec<&[u8]> = frames
                .iter()
                .flat_map(|(_, _, frame)| frame.pieces())
                .collect();
            segment
                .file
                .write_at(&pieces, *offset)
                .map_err(|error| StoreError::Failed(wording("writing to", segment, &error)))?;
        }
        Ok(())
    }

    /// Makes the group last.
    pub fn sync(&self) -> Result<(), StoreError> {
        for frames in self.frames_by_segment() {
            let Some((segment, ..)) = frames.first() else {
                continue;
            };
            segment
                .file
                .sync_data()
                .map_err(|error| StoreError::Failed(wording("syncing", segment, &error)))?;
        }
        Ok(())
    }

    /// Ends a group, and has the next segment made once this one is half full.
    pub fn end_group(&mut self) {
        self.group_frames.clear();
        if self.position_bytes > self.current.len_bytes / 2 {
            self.preparer.prepare(self.current.len_bytes, 0);
        }
    }

    fn frames_by_segment(&self) -> impl Iterator<Item = &[(Arc<Segment>, u64, Encoded)]> {
        self.group_frames
            .chunk_by(|one, next| one.0.number == next.0.number)
    }
}

fn wording(doing: &str, segment: &Segment, error: &std::io::Error) -> String {
    format!("{doing} {} failed: {error}", segment.path.display())
}
