//! The ring of segment files: appended to, capped in size and age, read back at the start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use guichet_trace::Record;
use guichet_trace::codec::{self, Reader};

/// A segment is an eighth of the ring, in bytes and in time, so that the oldest eighth goes at a
/// time.
const SEGMENTS: u32 = 8;
/// Records wait in memory up to so many bytes before they are written.
const BUFFER_BYTES: usize = 64 * 1024;
/// Age is looked at so often.
const TEND_EVERY: Duration = Duration::from_secs(60);
const SUFFIX: &str = "trace";

pub(super) struct Segments {
    folder: PathBuf,
    bytes_most: u64,
    keep: Duration,
    began: Instant,
    looked: Instant,
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
            bytes_most,
            folder,
            keep,
            began: Instant::now(),
            looked: Instant::now(),
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
        if self.written + self.buffer.len() as u64 > self.segment_bytes_most() {
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
            Ok(()) => {
                self.failed = false;
                self.written += self.buffer.len() as u64;
                self.buffer.clear();
            }
            Err(error) => self.forgo(&error),
        }
    }

    /// What could not be written is given up, and so is the part of it that was: nothing behind
    /// half a record could be read.
    fn forgo(&mut self, error: &io::Error) {
        if !self.failed {
            self.failed = true;
            tracing::error!("the trace cannot be written: {error}");
        }
        self.buffer.clear();
        if self.written == 0 {
            self.buffer.extend_from_slice(&codec::SEGMENT_HEADER);
        }
        if self.file.set_len(self.written).is_err() {
            self.begin_next();
        }
    }

    /// Ends a segment that has lasted an eighth of the time to keep, and deletes what is too old:
    /// also where next to nothing happens.
    pub(super) fn tend(&mut self) {
        if self.looked.elapsed() < (self.keep / SEGMENTS).min(TEND_EVERY) {
            return;
        }
        self.looked = Instant::now();
        let has_records = self.written > codec::SEGMENT_HEADER.len() as u64;
        if has_records && self.began.elapsed() >= self.keep / SEGMENTS {
            self.begin_next();
        } else {
            self.forget_old();
        }
    }

    fn segment_bytes_most(&self) -> u64 {
        (self.bytes_most / u64::from(SEGMENTS)).max(4096)
    }

    fn begin_next(&mut self) {
        match create(&path(&self.folder, self.number + 1)) {
            Ok(file) => {
                self.file = file;
                self.number += 1;
                self.written = 0;
                self.began = Instant::now();
                self.buffer.clear();
                self.buffer.extend_from_slice(&codec::SEGMENT_HEADER);
                self.forget_old();
            }
            Err(error) => {
                tracing::error!("no new segment for the trace: {error}");
                self.written = 0; // try again after another segment's worth
            }
        }
    }

    /// Deletes segments that are too many or too old, oldest first. Their number does not count:
    /// each start begins one.
    fn forget_old(&mut self) {
        let Ok(numbers) = numbers(&self.folder) else {
            return;
        };
        // The last record of a segment is younger than the first by up to an eighth.
        let keep = self.keep - self.keep / SEGMENTS;
        let mut room = self.bytes_most.saturating_sub(self.segment_bytes_most());
        for number in numbers.into_iter().rev().filter(|&it| it != self.number) {
            let path = path(&self.folder, number);
            let Ok(facts) = fs::metadata(&path) else {
                continue;
            };
            let written = facts.modified().ok();
            let age = written.and_then(|written| SystemTime::now().duration_since(written).ok());
            let fits = room.checked_sub(facts.len());
            room = fits.unwrap_or(0); // all that is older goes with it
            if fits.is_none() || age.is_some_and(|age| age > keep) {
                let _ = fs::remove_file(&path); // tried again later
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

#[cfg(test)]
mod tests {
    use super::*;
    use guichet_trace::{Body, ExchangeId, Moment, Verb, WallTime};

    const KEEP: Duration = Duration::from_secs(3600);

    fn note(text: &str) -> Record {
        Record {
            exchange: ExchangeId(1),
            at: Moment(0),
            wall: WallTime(0),
            body: Body::Note {
                word: Verb::new("note"),
                part: 0,
                text: text.to_owned(),
            },
        }
    }

    fn texts(folder: &Path) -> Vec<String> {
        let segments = Segments::open(folder.to_owned(), 1 << 20, KEEP).unwrap();
        let mut texts = Vec::new();
        segments.read_back(|record| match record.body {
            Body::Note { text, .. } => texts.push(text),
            other => panic!("{other:?}"),
        });
        texts
    }

    #[test]
    fn many_starts_do_not_push_out_what_fits() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..20 {
            let mut segments = Segments::open(folder.path().to_owned(), 1 << 20, KEEP).unwrap();
            segments.append(&note(&number.to_string()));
            segments.flush();
        }
        assert_eq!(texts(folder.path()).len(), 20);
    }

    #[test]
    fn after_a_full_disk_the_trace_goes_on_and_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut segments = Segments::open(folder.path().to_owned(), 1 << 20, KEEP).unwrap();
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        segments.file = full();
        segments.append(&note("lost"));
        segments.flush();
        segments.append(&note("kept"));
        segments.flush();
        segments.file = full();
        segments.append(&note("lost, too"));
        segments.flush();
        segments.append(&note("kept, too"));
        segments.flush();
        assert_eq!(texts(folder.path()), ["kept", "kept, too"]);
    }

    #[test]
    fn what_is_too_old_goes_also_where_nothing_happens() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Duration::from_millis(400);
        let mut segments = Segments::open(folder.path().to_owned(), 1 << 20, keep).unwrap();
        segments.append(&note("old"));
        segments.flush();
        let end = Instant::now() + Duration::from_secs(10);
        let bytes = || -> u64 {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries
                .map(|it| it.unwrap().metadata().unwrap().len())
                .sum()
        };
        assert!(bytes() > 0);
        while bytes() > 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
            segments.tend();
        }
        assert_eq!(bytes(), 0);
    }
}
