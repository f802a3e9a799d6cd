//! A small disk of its own, for a server to fill.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system in memory, gone with this value.
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// None where this user may not mount.
    pub fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={bytes}"),
                "guichet-test",
            ])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file of so many bytes, or of as many as there is room for. Removing it makes room again.
    pub fn fill(&self, most: u64) -> PathBuf {
        let path = self.path().join("filling");
        let mut file = File::create(&path).unwrap();
        // Small at the end, so that not even a line of a log finds room.
        for piece in [1_u64 << 20, 4096, 1] {
            let bytes = vec![1; piece as usize];
            let mut left = most.saturating_sub(file.metadata().unwrap().len()) / piece;
            while left > 0 && file.write_all(&bytes).is_ok() {
                left -= 1;
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also when somebody still has a file open there.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
