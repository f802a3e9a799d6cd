//! The file layer: the few file operations the journal and the bodies need, behind a trait, so that
//! a test can put a layer underneath that forgets what was not synced.
//!
//! It is not a general file system: names are whole paths, offsets are explicit, nothing seeks.

#[cfg(any(test, feature = "testing"))]
pub mod forgetful;
mod real;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use real::RealLayer;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It must exist; read only.
    Read,
    /// It must exist; read and write.
    ReadWrite,
    /// It must not exist; mode 0600, read and write.
    CreateNew,
}

/// Operations on names. A name that was created, renamed or removed is only sure to last after
/// [`FileLayer::sync_dir`] on its folder.
pub trait FileLayer: Send + Sync + Debug {
    /// Makes a folder (mode 0700); content if it exists.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>>;
    /// Renames a file within one folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes the names in a folder last.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Space an unprivileged process may still use, in bytes.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
}

/// Operations on one open file. What was written is only sure to last after [`File::sync_data`].
pub trait File: Send + Sync {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset_bytes: u64) -> io::Result<usize>;
    /// Writes all pieces, one behind the other, from `offset_bytes` on.
    fn write_at(&self, pieces: &[&[u8]], offset_bytes: u64) -> io::Result<()>;
    /// Makes the content last, and the length needed to read it. A failure is final: the system may
    /// have dropped the pages, so a second attempt would succeed without having written them.
    fn sync_data(&self) -> io::Result<()>;
    /// Its length in bytes.
    fn len_bytes(&self) -> io::Result<u64>;
}
