//! Makes segments before they are needed, in a thread of its own, so that no commit waits for zeros.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::segment::Segment;
use crate::error::{StoreError, is_full};
use crate::layer::FileLayer;

/// How much larger a segment is than the one before, until they have their full size: a small store
/// stays small, a busy one soon has few files.
const GROWTH: u64 = 4;

/// Where the disk is nearly full a segment is no longer than this, unless a frame needs more: what
/// still may be written then (deletions, ends of deliveries) is little.
const SCARCE_BYTES: u64 = 1 << 20;

/// The segments to come.
pub(crate) struct Preparer {
    dir: PathBuf,
    highest_number: u64,
    segment_bytes: u64,
    spares: VecDeque<Segment>,
    orders: Option<Sender<Wanted>>,
    made: Receiver<io::Result<Segment>>,
    under_way: bool,
    thread: Option<JoinHandle<()>>,
}

/// A segment to be made.
struct Wanted {
    number: u64,
    wanted_bytes: u64,
    least_bytes: u64,
}

impl Wanted {
    /// A length that leaves the reserve alone where that is possible.
    fn len_bytes(&self, layer: &dyn FileLayer, dir: &Path, reserve_bytes: u64) -> u64 {
        // Unknown is not full: the writes will tell.
        let free_bytes = layer.free_bytes(dir).unwrap_or(u64::MAX);
        let room_bytes = free_bytes.saturating_sub(reserve_bytes);
        self.wanted_bytes
            .min(room_bytes.max(SCARCE_BYTES))
            .max(self.least_bytes)
    }
}

impl Preparer {
    /// Starts the thread. `spares` are segments that were made earlier and never used.
    pub fn start(
        layer: Arc<dyn FileLayer>,
        dir: PathBuf,
        highest_number: u64,
        segment_bytes: u64,
        reserve_bytes: u64,
        spares: Vec<Segment>,
    ) -> Result<Self, StoreError> {
        let (orders, received) = channel::<Wanted>();
        let (send, made) = channel();
        let folder = dir.clone();
        let make = move || {
            for wanted in received {
                let len_bytes = wanted.len_bytes(&*layer, &folder, reserve_bytes);
                let segment = Segment::create(&*layer, &folder, wanted.number, len_bytes);
                if send.send(segment).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("store-segments".into())
            .spawn(make)
            .map_err(|error| StoreError::Io(format!("starting a thread: {error}")))?;
        Ok(Self {
            dir,
            highest_number,
            segment_bytes,
            spares: spares.into(),
            orders: Some(orders),
            made,
            under_way: false,
            thread: Some(thread),
        })
    }

    /// Has a segment made, unless one lies ready or is being made.
    pub fn prepare(&mut self, previous_bytes: u64, least_bytes: u64) {
        if self.under_way || !self.spares.is_empty() {
            return;
        }
        let wanted = Wanted {
            number: self.highest_number + 1,
            wanted_bytes: (previous_bytes * GROWTH).min(self.segment_bytes),
            least_bytes,
        };
        let Some(orders) = &self.orders else { return };
        self.under_way = orders.send(wanted).is_ok();
    }

    /// The next segment, at least `least_bytes` long; waits until it is made.
    pub fn take(&mut self, previous_bytes: u64, least_bytes: u64) -> Result<Segment, StoreError> {
        loop {
            while let Some(spare) = self.spares.pop_front() {
                if spare.len_bytes >= least_bytes {
                    return Ok(spare);
                } // one that is too short stays empty for ever; it costs nothing but its place
            }
            let ordered_before = self.under_way;
            self.prepare(previous_bytes, least_bytes);
            let made = self.made.recv().map_err(|_| {
                StoreError::Failed("the thread that makes segments ended".to_owned())
            })?;
            self.under_way = false;
            match made {
                Ok(segment) => {
                    self.highest_number = segment.number;
                    self.spares.push_back(segment);
                }
                Err(error) if ordered_before && is_full(&error) => {} // there may be room by now
                Err(error) => return Err(self.why(&error)),
            }
        }
    }

    /// A full disk passes; anything else (a failed sync among it) is final.
    fn why(&self, error: &io::Error) -> StoreError {
        if is_full(error) {
            return StoreError::Full;
        }
        StoreError::Failed(format!(
            "making a segment in {} failed: {error}",
            self.dir.display()
        ))
    }
}

impl Drop for Preparer {
    /// Waits for the thread: nobody else may own the folder while it still makes a file there.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was already reported by `take`
        }
    }
}
