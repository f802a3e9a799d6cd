//! Bodies on their way in and out: pieces collected without filling memory, and read back without it.
//!
//! A body file holds nothing but the message, so any program can read it; its length and digest
//! stand in the frame that names it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::StoreError;
use crate::health::Failure;
use crate::layer::{Access, File, FileLayer};

/// Up to here pieces stay in memory.
const MEMORY_BYTES: usize = 256 << 10;
/// What a body file is called before it is complete.
pub(crate) const INCOMPLETE: &str = ".part";

/// The content of a message to be accepted.
#[derive(Debug)]
pub enum NewBody {
    /// All of it.
    Bytes(Vec<u8>),
    /// Collected piece by piece.
    Spool(Spool),
    /// Already lasting, see [`Spool::seal`].
    Sealed(SealedBody),
}

impl From<Vec<u8>> for NewBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Spool> for NewBody {
    fn from(spool: Spool) -> Self {
        Self::Spool(spool)
    }
}

impl From<SealedBody> for NewBody {
    fn from(body: SealedBody) -> Self {
        Self::Sealed(body)
    }
}

impl NewBody {
    /// Makes it ready for a commit; blocks while a large one is synced.
    pub(crate) fn seal(self, bodies: &Arc<Bodies>) -> Result<SealedBody, StoreError> {
        match self {
            Self::Sealed(body) => Ok(body),
            Self::Spool(spool) => spool.seal(),
            Self::Bytes(bytes) => {
                let mut spool = Spool::new(Arc::clone(bodies));
                spool.hasher.update(&bytes);
                spool.len_bytes = bytes.len() as u64;
                spool.memory = bytes;
                spool.seal()
            }
        }
    }
}

/// The folder of body files.
#[derive(Debug)]
pub(crate) struct Bodies {
    pub layer: Arc<dyn FileLayer>,
    pub dir: PathBuf,
    pub inline_bytes: u64,
    pub failure: Arc<Failure>,
}

impl Bodies {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Removes a file nothing refers to. One that stays is removed at the next start.
    pub fn remove(&self, name: &str) {
        let _ = self.layer.unlink(&self.path(name));
    }
}

/// Collects a body piece by piece: in memory up to 256 KiB, then in a file. Dropping it forgets the
/// body.
pub struct Spool {
    bodies: Arc<Bodies>,
    memory: Vec<u8>,
    file: Option<(String, Arc<dyn File>)>,
    len_bytes: u64,
    hasher: Box<blake3::Hasher>, // two kilobytes
}

impl Spool {
    pub(crate) fn new(bodies: Arc<Bodies>) -> Self {
        let hasher = Box::new(blake3::Hasher::new());
        Self {
            bodies,
            memory: Vec::new(),
            file: None,
            len_bytes: 0,
            hasher,
        }
    }

    /// Adds a piece; blocks while it goes to the disk, beyond 256 KiB.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Io`]; the spool is then only good for dropping.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(piece);
        if self.file.is_none() && self.memory.len() + piece.len() > MEMORY_BYTES {
            self.spill()?;
        }
        match &self.file {
            None => self.memory.extend_from_slice(piece),
            Some((name, file)) => {
                let written = file.write_at(&[piece], self.len_bytes);
                written.map_err(|error| self.failed("writing", name, &error))?;
            }
        }
        self.len_bytes += piece.len() as u64;
        Ok(())
    }

    /// How much has come, in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Makes the body ready to be accepted. A body that gets a file of its own is synced here, in
    /// the calling thread, which blocks meanwhile: a large message delays only itself.
    pub fn seal(mut self) -> Result<SealedBody, StoreError> {
        let digest = *self.hasher.finalize().as_bytes();
        let len_bytes = self.len_bytes;
        if len_bytes <= self.bodies.inline_bytes {
            let content = SealedContent::Inline(self.take_into_memory()?);
            return Ok(SealedBody {
                digest,
                len_bytes,
                content,
            });
        }
        if self.file.is_none() {
            self.spill()?;
        }
        let Some((part, file)) = self.file.take() else {
            return Err(StoreError::Io("a body lost its file".to_owned()));
        };
        let name = self
            .make_last(&part, &*file)
            .inspect_err(|_| self.bodies.remove(&part))?;
        let content = SealedContent::File(OwnedFile {
            bodies: Arc::clone(&self.bodies),
            name,
        });
        Ok(SealedBody {
            digest,
            len_bytes,
            content,
        })
    }

    fn make_last(&self, part: &str, file: &dyn File) -> Result<String, StoreError> {
        let name = part.replace(INCOMPLETE, ".eml");
        let synced = file
            .sync_data()
            .and_then(|()| {
                self.bodies
                    .layer
                    .rename(&self.bodies.path(part), &self.bodies.path(&name))
            })
            .and_then(|()| self.bodies.layer.sync_dir(&self.bodies.dir));
        synced.map_err(|error| match self.failed("syncing", part, &error) {
            StoreError::Full => StoreError::Full,
            other => self.bodies.failure.set(other.to_string()),
        })?;
        Ok(name)
    }

    /// Moves what is in memory to a new file.
    fn spill(&mut self) -> Result<(), StoreError> {
        let random = getrandom::u64().map_err(|error| {
            StoreError::Io(format!("the system gave no random number: {error}"))
        })?;
        let name = format!("{random:016x}{INCOMPLETE}");
        let opened = self
            .bodies
            .layer
            .open(&self.bodies.path(&name), Access::CreateNew);
        let file = opened.map_err(|error| self.failed("making", &name, &error))?;
        let written = file.write_at(&[&self.memory], 0);
        let written = written.map_err(|error| self.failed("writing", &name, &error));
        self.file = Some((name, file));
        self.memory = Vec::new();
        written
    }

    fn take_into_memory(&mut self) -> Result<Vec<u8>, StoreError> {
        let Some((name, file)) = &self.file else {
            return Ok(std::mem::take(&mut self.memory));
        };
        let mut bytes = vec![0; self.len_bytes as usize];
        let read = file.read_at(&mut bytes, 0);
        match read.map_err(|error| self.failed("reading", name, &error))? {
            count if count == bytes.len() => Ok(bytes),
            _ => Err(StoreError::Io(format!(
                "the spooled body {name} became shorter"
            ))),
        }
    }

    fn failed(&self, doing: &str, name: &str, error: &io::Error) -> StoreError {
        StoreError::io(doing, &self.bodies.path(name), error)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some((name, _)) = &self.file {
            self.bodies.remove(name);
        }
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("len_bytes", &self.len_bytes)
            .finish_non_exhaustive()
    }
}

/// A body ready for the commit. Dropping it forgets the body.
#[derive(Debug)]
pub struct SealedBody {
    pub(crate) digest: [u8; 32],
    pub(crate) len_bytes: u64,
    pub(crate) content: SealedContent,
}

impl SealedBody {
    /// Its length in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }
}

#[derive(Debug)]
pub(crate) enum SealedContent {
    Inline(Vec<u8>),
    File(OwnedFile),
}

/// A body file that goes when this is dropped, unless a frame names it.
#[derive(Debug)]
pub(crate) struct OwnedFile {
    bodies: Arc<Bodies>,
    pub name: String,
}

impl OwnedFile {
    /// From now on a frame may name the file.
    pub fn keep(mut self) {
        self.name = String::new();
    }
}

impl Drop for OwnedFile {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            self.bodies.remove(&self.name);
        }
    }
}

/// Names the content of a stored message; good until the message is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BodyHandle {
    pub(crate) message: i64,
    /// Its length in bytes.
    pub size_bytes: u64,
}

/// The content of a stored message, open: it can be read to the end even if the message is deleted
/// meanwhile.
pub struct Body {
    pub(crate) file: Arc<dyn File>,
    pub(crate) start_bytes: u64,
    pub(crate) size_bytes: u64,
}

impl Body {
    /// Its length in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Up to `max_bytes` bytes from `offset_bytes` on; empty only at the end.
    pub fn read(&self, offset_bytes: u64, max_bytes: usize) -> Result<Vec<u8>, StoreError> {
        let rest = self.size_bytes.saturating_sub(offset_bytes);
        let wanted = rest.min(max_bytes as u64) as usize;
        let mut bytes = vec![0; wanted];
        let read = self
            .file
            .read_at(&mut bytes, self.start_bytes + offset_bytes);
        match read {
            Ok(count) if count == wanted => Ok(bytes),
            Ok(_) => Err(StoreError::Damaged(
                "a message is shorter than when it came".to_owned(),
            )),
            Err(error) => Err(StoreError::Io(format!("reading a message: {error}"))),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}
