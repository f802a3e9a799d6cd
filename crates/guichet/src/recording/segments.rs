//! The ring of segment files: appended to, capped in size and age, read back at the start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use guichet_trace::Record;
use guichet_trace::codec::{self, Reader};

/// The ring consists of so many segments, so that the oldest eighth goes at a time.
const SEGMENTS: u64 = 8;
/// Records wait in memory up to so many bytes before they are written.
const BUFFER_BYTES: usize = 64 * 1024;
const SUFFIX: &str = "trace";

pub(super) struct Segments {
    folder: PathBuf,
    segment_bytes_most: u64,
    keep: Duration,
    number: u64,
    file: File,
    written: u64,
    buffer: Vec<u8>,
    failed: bool,
}

impl Segments {
    /// Opens the folder (0700) and begins a new segment.
    pub(super) fn open(folder: PathBuf, bytes_most: u64, keep: Duration) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        let number = numbers(&folder)?.last().map_or(1, |last| last + 1);
        let mut segments = Self {
            file: create(&path(&folder, number))?,
            segment_bytes_most: (bytes_most / SEGMENTS).max(4096),
            folder,
            keep,
            number,
            written: 0,
            buffer: codec::SEGMENT_HEADER.to_vec(),
            failed: false,
        };
        segments.forget_old();
        Ok(segments)
    }

    /// Hands over every record of the earlier segments, oldest first. What is damaged ends its
    /// segment, not the reading.
    pub(super) fn read_back(&self, mut take: impl FnMut(Record)) {
        for number in numbers(&self.folder).unwrap_or_default() {
            if number == self.number {
                continue;
            }
            let Ok(bytes) = fs::read(path(&self.folder, number)) else {
                continue;
            };
            if let Some(reader) = Reader::of_segment(&bytes) {
                reader.for_each(&mut take);
            }
        }
    }

    pub(super) fn append(&mut self, record: &Record) {
        if codec::append(&mut self.buffer, record).is_err() {
            return; // larger than any message that is kept: cannot be
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
        if self.written + self.buffer.len() as u64 > self.segment_bytes_most {
            self.flush();
            self.begin_next();
        }
    }

    /// Writes what waits. A full disk costs the trace records, never anyone's mail: the service
    /// goes on and says so once.
    pub(super) fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        match self.file.write_all(&self.buffer) {
            Ok(()) => self.failed = false,
            Err(error) if !self.failed => {
                self.failed = true;
                tracing::error!("the trace cannot be written: {error}");
            }
            Err(_) => {}
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
    }

    fn begin_next(&mut self) {
        match create(&path(&self.folder, self.number + 1)) {
            Ok(file) => {
                self.file = file;
                self.number += 1;
                self.written = 0;
                self.buffer.extend_from_slice(&codec::SEGMENT_HEADER);
                self.forget_old();
            }
            Err(error) => {
                tracing::error!("no new segment for the trace: {error}");
                self.written = 0; // try again after another segment's worth
            }
        }
    }

    /// Deletes segments that are too many or too old.
    fn forget_old(&mut self) {
        let Ok(numbers) = numbers(&self.folder) else {
            return;
        };
        let first_kept = self.number.saturating_sub(SEGMENTS - 1);
        for number in numbers.into_iter().filter(|&number| number != self.number) {
            let path = path(&self.folder, number);
            let age = fs::metadata(&path)
                .and_then(|facts| facts.modified())
                .ok()
                .and_then(|written| SystemTime::now().duration_since(written).ok());
            if number < first_kept || age.is_some_and(|age| age > self.keep) {
                let _ = fs::remove_file(&path); // tried again with the next segment
            }
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.{SUFFIX}"))
}

/// The numbers of the segments there are, in order.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number: Option<u64> = name
            .to_str()
            .and_then(|name| name.strip_suffix(SUFFIX)?.strip_suffix('.')?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}
