//! Whether everything stored can still be read: for an operator's peace of mind, and for backups.

use std::sync::atomic::Ordering;

use super::Store;
use crate::error::StoreError;
use crate::journal::recovery::Damage;
use crate::journal::verify::verify;
use crate::types::QueueId;
use crate::view::read::{self, Stored};

/// How much of a body is read at once.
const PIECE_BYTES: usize = 256 << 10;
/// How many bodies are looked up at once.
const BODIES: usize = 500;

/// What a look at everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Frames that are whole.
    pub frames: u64,
    /// Stretches of the journal that cannot be read.
    pub damage: Vec<Damage>,
    /// Bodies that are as they came.
    pub bodies: u64,
    /// Messages whose body cannot be read or is not what came, with the reason.
    pub bad_bodies: Vec<(QueueId, String)>,
}

impl Verification {
    /// Nothing bad was found.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty() && self.bad_bodies.is_empty()
    }
}

impl Store {
    /// Reads the whole journal and every body, and compares checksums and digests. Blocks as long as
    /// that takes; the store goes on working meanwhile.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let until = self.inner.sequence.load(Ordering::Acquire);
        let layer = &*self.inner.bodies.layer;
        let (frames, damage) = verify(layer, &self.inner.segments, until)?;
        let mut found = Verification {
            frames,
            damage,
            ..Verification::default()
        };
        let mut after = i64::MIN;
        loop {
            let some = self
                .inner
                .readers
                .with(|view| read::stored_bodies(view, after, BODIES))?;
            let Some(last) = some.last() else {
                return Ok(found);
            };
            after = last.handle.message;
            for stored in &some {
                match self.is_as_it_came(stored) {
                    Ok(true) => found.bodies += 1,
                    Ok(false) => found
                        .bad_bodies
                        .push((stored.queue_id, "it changed".to_owned())),
                    Err(StoreError::MessageGone) => {} // deleted since it was looked up
                    Err(error) => found.bad_bodies.push((stored.queue_id, error.to_string())),
                }
            }
        }
    }

    fn is_as_it_came(&self, stored: &Stored) -> Result<bool, StoreError> {
        let body = self.body(stored.handle)?;
        let mut hasher = blake3::Hasher::new();
        let mut offset_bytes = 0;
        while offset_bytes < body.size_bytes() {
            let piece = body.read(offset_bytes, PIECE_BYTES)?;
            hasher.update(&piece);
            offset_bytes += piece.len() as u64;
        }
        Ok(*hasher.finalize().as_bytes() == stored.digest)
    }
}
