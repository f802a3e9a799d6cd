//! Opens files beneath a folder, and nothing else.
//!
//! `openat2` with RESOLVE_BENEATH lets the kernel follow links as far as they stay beneath, without
//! a moment between check and use. Where a system lacks it, links are not followed at all.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// An open folder.
pub(super) struct Folder(OwnedFd);

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Never waits for the other end of a FIFO, never takes a terminal.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// The kernel has no `openat2`, or a sandbox forbids it.
static STEPS_ONLY: AtomicBool = AtomicBool::new(false);
/// While something is renamed the kernel may have to give up and ask for another try.
const TRIES_MOST: u32 = 8;

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, path, FOLDER, Mode::empty())?))
    }

    /// A folder beneath; `name` is one segment.
    pub(super) fn folder(&self, name: &str) -> Result<Self, Errno> {
        self.beneath(name, FOLDER).map(Self)
    }

    /// A file or folder beneath, for reading; `path` is relative and has no `..`.
    pub(super) fn file(&self, path: &str) -> Result<File, Errno> {
        self.beneath(path, FILE).map(File::from)
    }

    fn beneath(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES_MOST {
            if STEPS_ONLY.load(Ordering::Relaxed) {
                return by_steps(self.0.as_fd(), path, flags);
            }
            match openat2(&self.0, path, flags, Mode::empty(), resolve) {
                Err(Errno::NOSYS | Errno::PERM) => STEPS_ONLY.store(true, Ordering::Relaxed),
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }
}

/// Segment by segment, without following any link.
fn by_steps(folder: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let (folders, last) = path.rsplit_once('/').unwrap_or(("", path));
    let mut at: Option<OwnedFd> = None;
    for segment in folders.split('/').filter(|segment| !segment.is_empty()) {
        let from = at.as_ref().map_or(folder, |opened| opened.as_fd());
        at = Some(step(from, segment, FOLDER)?);
    }
    let from = at.as_ref().map_or(folder, |opened| opened.as_fd());
    step(from, last, flags)
}

fn step(folder: BorrowedFd<'_>, segment: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    if segment == ".." {
        return Err(Errno::XDEV);
    }
    openat(folder, segment, flags | OFlags::NOFOLLOW, Mode::empty())
}

/// Fills `bytes` from the page cache; false if that would wait, or fall short.
pub(super) fn read_without_waiting(file: &File, bytes: &mut [u8], offset: u64) -> bool {
    let count = bytes.len();
    let read = preadv2(
        file,
        &mut [IoSliceMut::new(bytes)],
        offset,
        ReadWriteFlags::NOWAIT,
    );
    read == Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn without_openat2_no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(root.join("a/page"), "p").unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        symlink("a/page", root.join("link")).unwrap();
        symlink("..", root.join("a/up")).unwrap();
        let folder = Folder::open(&root).unwrap();
        let open = |path: &str| by_steps(folder.0.as_fd(), path, FILE);
        assert!(open("a/page").is_ok());
        assert!(open(".").is_ok());
        for outside in [
            "link",
            "a/up/secret",
            "a/up/a/page",
            "../secret",
            "a/../a/page",
        ] {
            assert!(open(outside).is_err(), "{outside}");
        }
    }
}
