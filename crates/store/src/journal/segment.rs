//! One segment file: a header with a salt of its own, then frames, then zeros.
//!
//! A segment is written full of zeros before its first use, so that a commit only overwrites: no
//! file-system metadata changes, and a full disk shows here and not in the middle of a commit.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StoreError;
use crate::layer::{Access, File, FileLayer};

/// Where the frames begin.
pub(crate) const FIRST_FRAME: u64 = 64;
/// The newest segment format written and understood here.
const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"GUICHETJ";
const PORTION_BYTES: u64 = 4 << 20;
const ZEROS: &[u8] = &[0; 256 << 10];

/// An open segment.
pub(crate) struct Segment {
    pub number: u64,
    pub salt: [u8; 16],
    pub len_bytes: u64,
    pub path: PathBuf,
    pub file: Arc<dyn File>,
}

impl Segment {
    /// Makes a segment that lasts: zeros, synced, under its name, the name synced. A half-made one
    /// carries another name and is removed, here or at the next start.
    pub fn create(
        layer: &dyn FileLayer,
        dir: &Path,
        number: u64,
        len_bytes: u64,
    ) -> io::Result<Self> {
        let half_made = dir.join(format!("{number:08}.new"));
        let made = Self::create_as(layer, dir, &half_made, number, len_bytes);
        if made.is_err() {
            let _ = layer.unlink(&half_made); // what remains is removed at the next start
        }
        made
    }

    fn create_as(
        layer: &dyn FileLayer,
        dir: &Path,
        half_made: &Path,
        number: u64,
        len_bytes: u64,
    ) -> io::Result<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        let file = layer.open(half_made, Access::CreateNew)?;
        file.write_at(&[&header(number, &salt)], 0)?;
        let mut zeroed = FIRST_FRAME;
        while zeroed < len_bytes {
            // In portions, so that commits syncing meanwhile never stand behind all of it.
            let next = (zeroed + PORTION_BYTES).min(len_bytes);
            write_zeros(&*file, zeroed, next)?;
            file.sync_data()?;
            zeroed = next;
        }
        let path = path(dir, number);
        layer.rename(half_made, &path)?;
        layer.sync_dir(dir)?;
        Ok(Self {
            number,
            salt,
            len_bytes,
            path,
            file,
        })
    }

    /// Opens a segment. `Damaged` if its header cannot be read.
    pub fn open(
        layer: &dyn FileLayer,
        dir: &Path,
        number: u64,
        access: Access,
    ) -> Result<Self, StoreError> {
        let path = path(dir, number);
        let failed = |error: &io::Error| StoreError::io("reading", &path, error);
        let file = layer.open(&path, access).map_err(|error| failed(&error))?;
        let len_bytes = file.len_bytes().map_err(|error| failed(&error))?;
        let mut head = [0; FIRST_FRAME as usize];
        let count = file.read_at(&mut head, 0).map_err(|error| failed(&error))?;
        let damaged = || StoreError::Damaged(format!("{} has no segment header", path.display()));
        let found = head
            .get(8..12)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes);
        let salt = head
            .get(24..40)
            .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        let (Some(found), Some(salt)) = (found, salt) else {
            return Err(damaged());
        };
        if count < head.len() || &head[..8] != MAGIC {
            return Err(damaged());
        }
        if found > VERSION {
            return Err(StoreError::NewerFormat {
                file: path,
                found,
                known: VERSION,
            });
        }
        if head != header(number, &salt) {
            return Err(damaged());
        }
        Ok(Self {
            number,
            salt,
            len_bytes,
            path,
            file,
        })
    }

    /// Overwrites a stretch with zeros.
    pub fn zero(&self, from: u64, to: u64) -> io::Result<()> {
        write_zeros(&*self.file, from, to)
    }
}

/// Where segment `number` lies.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// The numbers of the segments in `dir`, rising.
pub(crate) fn list(layer: &dyn FileLayer, dir: &Path) -> io::Result<Vec<u64>> {
    let names = layer.list(dir)?;
    let number = |name: &String| name.strip_suffix(".seg").and_then(|stem| stem.parse().ok());
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes half-made segments; only before anybody makes one.
pub(crate) fn sweep(layer: &dyn FileLayer, dir: &Path) -> io::Result<()> {
    let names = layer.list(dir)?;
    names
        .iter()
        .filter(|name| name.ends_with(".new"))
        .try_for_each(|name| layer.unlink(&dir.join(name)))
}

fn header(number: u64, salt: &[u8; 16]) -> [u8; FIRST_FRAME as usize] {
    let mut head = [0; FIRST_FRAME as usize];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[16..24].copy_from_slice(&number.to_le_bytes());
    head[24..40].copy_from_slice(salt);
    let crc = crc32c::crc32c(&head[..40]);
    head[40..44].copy_from_slice(&crc.to_le_bytes());
    head
}

fn write_zeros(file: &dyn File, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let count = (to - at).min(ZEROS.len() as u64);
        file.write_at(&[&ZEROS[..count as usize]], at)?;
        at += count;
    }
    Ok(())
}
