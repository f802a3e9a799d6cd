//! A file layer for tests, in memory, that does what a disk may do when the power goes: forget all
//! that was not synced, or keep some of it, torn at sectors of 512 bytes.
//!
//! It also fails on demand: a sync that reports an error, a disk that is full, and gates behind which
//! writes or syncs wait, so that a test can look at the moment between two steps.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};

use super::{Access, File, FileLayer};
use crate::locked;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A file system in memory, as one boot of the machine sees it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Forgetful {
    shared: Arc<Shared>,
    /// How often the power had gone when this boot began.
    boot: u64,
}

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    changed: Condvar,
}

/// At which step threads are made to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Nowhere.
    #[default]
    Open,
    /// Before a write to an existing file.
    Write,
    /// Before a sync of a file.
    Sync,
}

#[derive(Debug, Default)]
struct Disk {
    /// Names as processes see them.
    names: BTreeMap<PathBuf, u64>,
    /// Names that survive.
    lasting_names: BTreeMap<PathBuf, u64>,
    nodes: HashMap<u64, Node>,
    next_node: u64,
    /// How often the power went: earlier boots have no effect any more.
    power_losses: u64,
    gate: Gate,
    /// How many threads wait at the gate.
    waiting: usize,
    free_bytes: Option<u64>,
    failing_syncs: u32,
}

#[derive(Debug, Default)]
struct Node {
    content: Vec<u8>,
    lasting: Vec<u8>,
    /// Writes since the last sync, in order.
    unsynced: Vec<(usize, Vec<u8>)>,
}

impl Forgetful {
    /// An empty disk without limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The power goes and comes back: what was not synced is forgotten. With a seed, each sector of
    /// each unsynced write is kept or forgotten by the throw of a coin. Gives what the next boot sees;
    /// whoever still runs on this one gets errors, and never an effect.
    #[must_use]
    pub fn lose_power(&self, seed: Option<u64>) -> Self {
        let mut disk = self.disk();
        let mut coin = seed.map(Coin);
        disk.power_losses += 1;
        disk.names = disk.lasting_names.clone();
        for node in disk.nodes.values_mut() {
            let unsynced = std::mem::take(&mut node.unsynced);
            if let Some(coin) = &mut coin {
                unsynced
                    .iter()
                    .for_each(|(at, bytes)| keep_some(&mut node.lasting, *at, bytes, coin));
            }
            node.content = node.lasting.clone();
        }
        disk.gate = Gate::Open;
        self.shared.changed.notify_all();
        Self {
            shared: Arc::clone(&self.shared),
            boot: disk.power_losses,
        }
    }

    /// Makes threads wait at a step from now on (or lets them go).
    pub fn set_gate(&self, gate: Gate) {
        self.disk().gate = gate;
        self.shared.changed.notify_all();
    }

    /// Blocks until a thread waits at the gate.
    pub fn wait_until_somebody_waits(&self) {
        let mut disk = self.disk();
        while disk.waiting == 0 {
            disk = self.wait(disk);
        }
    }

    /// The next `count` syncs report an error, and what they should have written is dropped, as
    /// Linux does: a sync after it succeeds.
    pub fn fail_syncs(&self, count: u32) {
        self.disk().failing_syncs = count;
    }

    /// How much more the disk takes; `None` for no limit. Overwriting needs no room.
    pub fn set_free_bytes(&self, free_bytes: Option<u64>) {
        self.disk().free_bytes = free_bytes;
    }

    /// Changes a stored file behind everybody's back.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk();
        if let Some(node) = disk
            .names
            .get(path)
            .copied()
            .and_then(|node| disk.nodes.get_mut(&node))
        {
            change(&mut node.lasting);
            node.content = node.lasting.clone();
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        locked(&self.shared.disk)
    }

    /// The disk, if the power has not gone since this boot.
    fn live_disk(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk();
        if disk.power_losses == self.boot {
            Ok(disk)
        } else {
            Err(no_power())
        }
    }

    fn wait<'a>(&self, disk: MutexGuard<'a, Disk>) -> MutexGuard<'a, Disk> {
        wait(&self.shared, disk)
    }
}

fn no_power() -> io::Error {
    io::Error::other("the power went")
}

fn wait<'a>(shared: &Shared, disk: MutexGuard<'a, Disk>) -> MutexGuard<'a, Disk> {
    shared
        .changed
        .wait(disk)
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Applies a write sector by sector, by the throw of a coin.
fn keep_some(lasting: &mut Vec<u8>, at: usize, bytes: &[u8], coin: &mut Coin) {
    let mut done = 0;
    while done < bytes.len() {
        let start = at + done;
        let count = (SECTOR_BYTES - start % SECTOR_BYTES).min(bytes.len() - done);
        if coin.throw() {
            put(lasting, start, &bytes[done..done + count]);
        }
        done += count;
    }
}

fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

/// SplitMix64: small, and the same everywhere for the same seed.
struct Coin(u64);

impl Coin {
    fn throw(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) & 1 == 1
    }
}

impl FileLayer for Forgetful {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let mut disk = self.live_disk()?;
        let node = match (disk.names.get(path).copied(), access) {
            (Some(_), Access::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(node), _) => node,
            (None, Access::CreateNew) => {
                disk.next_node += 1;
                let node = disk.next_node;
                disk.nodes.insert(node, Node::default());
                disk.names.insert(path.to_owned(), node);
                node
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        let shared = Arc::downgrade(&self.shared);
        Ok(Arc::new(OpenFile {
            shared,
            node,
            boot: self.boot,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.live_disk()?;
        let node = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), node);
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let removed = self.live_disk()?.names.remove(path);
        removed
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.live_disk()?;
        let inside = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.live_disk()?;
        let here = |path: &PathBuf| path.parent() == Some(dir);
        let names: Vec<_> = disk
            .names
            .iter()
            .filter(|(path, _)| here(path))
            .map(|(p, n)| (p.clone(), *n))
            .collect();
        disk.lasting_names.retain(|path, _| !here(path));
        disk.lasting_names.extend(names);
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.live_disk()?.free_bytes.unwrap_or(u64::MAX))
    }
}

struct OpenFile {
    shared: Weak<Shared>,
    node: u64,
    boot: u64,
}

impl OpenFile {
    /// Does something to the file, once the gate lets it through.
    fn with<T>(
        &self,
        gate: Gate,
        act: impl FnOnce(&mut Disk, u64) -> io::Result<T>,
    ) -> io::Result<T> {
        let shared = self.shared.upgrade().ok_or_else(no_power)?;
        let mut disk = locked(&shared.disk);
        while gate != Gate::Open && disk.gate == gate {
            disk.waiting += 1;
            shared.changed.notify_all();
            disk = wait(&shared, disk);
            disk.waiting -= 1;
        }
        if disk.power_losses != self.boot {
            return Err(no_power());
        }
        act(&mut disk, self.node)
    }

    fn with_node<T>(&self, gate: Gate, act: impl FnOnce(&mut Node) -> T) -> io::Result<T> {
        self.with(gate, |disk, node| {
            let node = disk.nodes.get_mut(&node).ok_or(io::ErrorKind::NotFound)?;
            Ok(act(node))
        })
    }
}

impl File for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset_bytes: u64) -> io::Result<usize> {
        self.with_node(Gate::Open, |node| {
            let start = (offset_bytes as usize).min(node.content.len());
            let count = buffer.len().min(node.content.len() - start);
            buffer[..count].copy_from_slice(&node.content[start..start + count]);
            count
        })
    }

    fn write_at(&self, pieces: &[&[u8]], offset_bytes: u64) -> io::Result<()> {
        let bytes = pieces.concat();
        let at = offset_bytes as usize;
        self.with(Gate::Write, |disk, node| {
            let node = disk.nodes.get_mut(&node).ok_or(io::ErrorKind::NotFound)?;
            let grows = (at + bytes.len()).saturating_sub(node.content.len()) as u64;
            if let Some(free_bytes) = &mut disk.free_bytes {
                *free_bytes = free_bytes
                    .checked_sub(grows)
                    .ok_or(io::ErrorKind::StorageFull)?;
            }
            put(&mut node.content, at, &bytes);
            node.unsynced.push((at, bytes));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(Gate::Sync, |disk, node| {
            let node = disk.nodes.get_mut(&node).ok_or(io::ErrorKind::NotFound)?;
            let unsynced = std::mem::take(&mut node.unsynced);
            if disk.failing_syncs > 0 {
                disk.failing_syncs -= 1;
                return Err(io::Error::other("the disk reports an error"));
            }
            unsynced
                .iter()
                .for_each(|(at, bytes)| put(&mut node.lasting, *at, bytes));
            Ok(())
        })
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.with_node(Gate::Open, |node| node.content.len() as u64)
    }
}
