//! Where the store lies and how large its pieces are.

use std::path::PathBuf;
use std::sync::Arc;

use crate::layer::{FileLayer, RealLayer};

/// How a store is opened. The defaults suit a server; tests make the pieces smaller.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder; made (mode 0700) if missing.
    pub dir: PathBuf,
    /// Size of the first segment, small so that a new store opens at once. Default 1 MiB.
    pub first_segment_bytes: u64,
    /// Size that later segments grow to (each at most four times the one before). Default 64 MiB.
    pub segment_bytes: u64,
    /// Up to this size a body stands in its frame; a larger one gets a file of its own, synced
    /// before it queues for the commit, so that it never delays a group. Default 1 MB.
    pub inline_body_bytes: u64,
    /// Below this much free disk space, whatever makes the store grow is refused with
    /// [`crate::StoreError::Full`], so that deletions and finished deliveries still find room.
    /// Default 32 MiB.
    pub reserve_bytes: u64,
    /// What reads and writes the journal and the bodies (the view is SQLite's own affair).
    pub layer: Arc<dyn FileLayer>,
}

impl Options {
    /// The defaults, in `dir`, on the real file system.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            first_segment_bytes: 1 << 20,
            segment_bytes: 64 << 20,
            inline_body_bytes: 1_000_000,
            reserve_bytes: 32 << 20,
            layer: Arc::new(RealLayer),
        }
    }
}
