//! The store as others see it: opening, closing, health; the operations stand in the files beside.

mod accounts;
mod mail;
mod queue;
mod verify;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::fs::FlockOperation;

use crate::answer::{Answer, Commit, Reading};
use crate::body::{Bodies, INCOMPLETE, Spool};
use crate::committer::{Committer, Inbox};
use crate::error::StoreError;
use crate::health::{Failure, Health};
use crate::journal::Journal;
use crate::journal::recovery::{Recovered, Recovery};
use crate::journal::segment;
use crate::layer::{self, FileLayer};
use crate::lease::Leases;
use crate::locked;
use crate::operation::{Operation, Request};
use crate::options::Options;
use crate::order::{Durable, Order};
use crate::replay::catch_up;
use crate::types::Change;
use crate::view::{Readers, Writer, read};

pub use mail::MaildropLock;
pub use verify::Verification;

/// A store, open. Clones share it; it closes with the last one.
///
/// Changes return a [`Commit`], which resolves when the change lasts. Looking things up blocks the
/// calling thread for as long as the disk takes; so do [`Store::accept_message`] with an unsealed
/// body, and spooling beyond 256 KiB.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    inbox: Arc<Inbox>,
    readers: Readers,
    bodies: Arc<Bodies>,
    segments: PathBuf,
    open_segments: Mutex<HashMap<u64, Arc<dyn layer::File>>>,
    leases: Arc<Leases>,
    reserve_bytes: u64,
    maildrops: Arc<Mutex<HashSet<String>>>,
    failure: Arc<Failure>,
    recovery: Recovery,
    sequence: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Held as long as anything here may write.
    _lock: Lock,
}

impl Store {
    /// Opens the store in a folder, or makes a new one. Blocks: a new one takes a few milliseconds,
    /// one that was not closed cleanly as long as its last frames take to read.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if another process has it, [`StoreError::NewerFormat`] if a newer program
    /// wrote it, [`StoreError::Full`], [`StoreError::Io`]. Damage is no error: see [`Store::health`].
    pub fn open(options: Options) -> Result<Self, StoreError> {
        Self::open_with::<Durable>(options)
    }

    pub(crate) fn open_with<O: Order>(options: Options) -> Result<Self, StoreError> {
        let Options { dir, layer, .. } = &options;
        let lock = make_and_lock(dir)?;
        let segments = folder(&**layer, dir, "segments")?;
        let failure = Arc::new(Failure::default());
        let bodies = Arc::new(Bodies {
            layer: Arc::clone(layer),
            dir: folder(&**layer, dir, "bodies")?,
            inline_bytes: options.inline_body_bytes,
            failure: Arc::clone(&failure),
        });
        layer
            .sync_dir(dir)
            .map_err(|error| StoreError::io("syncing", dir, &error))?;
        let view_path = dir.join("index.db");
        let (view, recovered, recovery) = recover(&**layer, &segments, &view_path)?;
        let sequence = Arc::new(AtomicU64::new(recovered.sequence));
        let journal = Journal::open(
            Arc::clone(layer),
            segments.clone(),
            recovered,
            options.first_segment_bytes,
            options.segment_bytes,
            options.reserve_bytes,
        )?;
        sweep_bodies(&bodies, &view)?;
        let leases = Arc::new(Leases::new());
        let inbox = Arc::new(Inbox::default());
        let committer = Committer {
            journal,
            view,
            bodies: Arc::clone(&bodies),
            segments: segments.clone(),
            reserve_bytes: options.reserve_bytes,
            behind: None,
            leases: Arc::clone(&leases),
            failure: Arc::clone(&failure),
            sequence: Arc::clone(&sequence),
        };
        let thread = committer.start::<O>(Arc::clone(&inbox))?;
        let inner = Inner {
            inbox,
            readers: Readers::new(view_path),
            bodies,
            segments,
            open_segments: Mutex::default(),
            leases,
            reserve_bytes: options.reserve_bytes,
            maildrops: Arc::default(),
            failure,
            recovery,
            sequence,
            thread: Mutex::new(Some(thread)),
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Collects a body piece by piece.
    pub fn spool(&self) -> Spool {
        Spool::new(Arc::clone(&self.inner.bodies))
    }

    /// Resolves when everything asked for before is done.
    pub fn flush(&self) -> Commit<()> {
        self.change(
            Change::at(guichet_trace::WallTime(0)),
            Operation::Flush,
            done,
        )
    }

    /// Does what was asked for, then stops; blocks until then. Whatever is asked for later is
    /// answered with [`StoreError::Closed`]. The folder is free for another process when the last
    /// clone is dropped.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Makes the view anew from the journal, in one step for readers.
    pub fn rebuild_view(&self) -> Commit<()> {
        self.change(
            Change::at(guichet_trace::WallTime(0)),
            Operation::Rebuild,
            done,
        )
    }

    /// Every row of the view as text, for comparing two of them.
    pub fn dump_view(&self) -> Result<String, StoreError> {
        self.inner.readers.with(crate::view::dump)
    }

    /// Whether it still answers for anything, and what opening it found.
    pub fn health(&self) -> Health {
        Health {
            failed: self.inner.failure.words().cloned(),
            recovery: self.inner.recovery.clone(),
            sequence: self.inner.sequence.load(Ordering::Acquire),
        }
    }

    fn change<T>(&self, change: Change, operation: Operation, reading: Reading<T>) -> Commit<T> {
        let (reply, commit) = Commit::new(reading);
        self.inner.inbox.push(Request {
            change,
            operation,
            reply,
        });
        commit
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("segments", &self.inner.segments)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn close(&self) {
        self.inbox.close();
        let thread = locked(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join(); // a panic there is in `failure`
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// The reading of an operation that gives back nothing.
fn done(answer: Answer) -> Option<()> {
    (answer == Answer::Done).then_some(())
}

/// The reading of an operation that counts.
fn count(answer: Answer) -> Option<u64> {
    match answer {
        Answer::Count(count) => Some(count),
        _ => None,
    }
}

/// The lock on the folder.
struct Lock(File);

impl Drop for Lock {
    /// Closing the file is not enough: while this process starts another one, that one holds a
    /// duplicate until it begins its own program.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock); // closing it follows
    }
}

/// The folder (0700), owned by this process alone as long as the lock lives.
fn make_and_lock(dir: &Path) -> Result<Lock, StoreError> {
    let failed = |error: &std::io::Error| StoreError::io("preparing", dir, error);
    fs::create_dir_all(dir).map_err(|error| failed(&error))?;
    fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(|error| failed(&error))?;
    let lock = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join("lock"))
        .map_err(|error| failed(&error))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Busy(dir.to_owned())),
        Err(error) => Err(failed(&error.into())),
    }
}

fn folder(layer: &dyn FileLayer, dir: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let path = dir.join(name);
    layer
        .create_dir(&path)
        .map_err(|error| StoreError::io("making", &path, &error))?;
    Ok(path)
}

/// Brings the view up to the end of the journal; a view that cannot be used is made anew.
fn recover(
    layer: &dyn FileLayer,
    segments: &Path,
    view_path: &Path,
) -> Result<(Writer, Recovered, Recovery), StoreError> {
    segment::sweep(layer, segments)
        .map_err(|error| StoreError::io("clearing", segments, &error))?;
    let (view, view_rebuilt) = Writer::open(view_path)?;
    let mut report = Recovery {
        view_rebuilt,
        ..Recovery::default()
    };
    let from = view.position()?;
    view.begin()?;
    let recovered = catch_up(layer, segments, &view, &mut report)?;
    view.commit()?;
    if from.sequence == 0 && report.replayed_frames == 0 {
        report.view_rebuilt = None; // a new store
    }
    Ok((view, recovered, report))
}

/// Removes body files that no message names: a crash came between their sync and their commit.
fn sweep_bodies(bodies: &Bodies, view: &Writer) -> Result<(), StoreError> {
    let names = bodies.layer.list(&bodies.dir);
    let names = names.map_err(|error| StoreError::io("listing", &bodies.dir, &error))?;
    if names.is_empty() {
        return Ok(());
    }
    let used = read::body_files(view.connection())?;
    for name in names {
        if name.ends_with(INCOMPLETE) || !used.contains(&name) {
            bodies.remove(&name);
        }
    }
    Ok(())
}
