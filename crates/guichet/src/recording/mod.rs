//! The trace of a running instance: records go to disk and into a view that can be asked.
//!
//! Nothing here is on the way of an answer: whoever records puts a record into a bounded queue and
//! goes on; one thread takes them out, writes them to segment files and adds them to the view. What
//! does not fit the queue is counted and shown as a gap.

mod segments;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use guichet_engine::{RecordSink, Recorder, clock};
use guichet_trace::{Body, ExchangeId, Level, Record, Source, View, WallTime};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use segments::Segments;

/// Records that may wait for the writer: a burst of some ten thousand exchanges.
const QUEUE_RECORDS: usize = 64 * 1024;
/// At level `full` a record may hold 64 KiB: the records that wait have together so many bytes.
const QUEUE_BYTES: usize = 32 << 20;
/// Records a follower may lag behind before it misses some (and is told so).
const NEWS_RECORDS: usize = 4 * 1024;
/// Records that come within this time are taken together.
const GATHER: Duration = Duration::from_millis(1);
/// So many at most, so that flushing and forgetting are not put off.
const GATHERED_MOST: usize = 8192;
/// What has been recorded is on disk (not synced: the trace is no promise) after so long.
const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// This instance's own records in a view; others' come with other sources.
pub const OWN: Source = Source(0);

/// Where and how much to keep.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of segment files; `None` keeps records in memory only.
    pub folder: Option<PathBuf>,
    /// All segments together, in bytes.
    pub bytes_most: u64,
    /// Older segments are deleted.
    pub keep: Duration,
    /// How much is recorded.
    pub level: Level,
}

/// A record as it is told to followers.
#[derive(Clone, Debug)]
pub struct News {
    /// Who wrote it.
    pub source: Source,
    /// The record.
    pub record: Arc<Record>,
}

/// The trace of this instance, and of others whose records it was given.
pub struct Recording {
    view: Mutex<View>,
    news: broadcast::Sender<News>,
    /// `None` ends the writer.
    queue: Sender<Option<Record>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Cancelled when what is on disk from earlier is in the view.
    loaded: CancellationToken,
}

impl Recording {
    /// Begins to record. What is on disk from earlier is read by the writer, so that starting does
    /// not wait for it.
    pub fn start(settings: Settings) -> io::Result<(Recorder, Arc<Self>)> {
        let segments = settings
            .folder
            .map(|folder| Segments::open(folder, settings.bytes_most, settings.keep))
            .transpose()?;
        // Bounded by counting: a bounded channel would hold memory for its full length from the start.
        let (sender, receiver) = channel();
        let recording = Arc::new(Self {
            view: Mutex::new(View::new()),
            news: broadcast::channel(NEWS_RECORDS).0,
            queue: sender.clone(),
            writer: Mutex::new(None),
            loaded: CancellationToken::new(),
        });
        let pressure = Arc::new(Pressure::default());
        let sink = Queue {
            sender,
            pressure: pressure.clone(),
        };
        let instance = getrandom::u32().map_err(io::Error::other)?;
        let recorder = Recorder::new(settings.level, instance, Box::new(sink));
        let writer = Writer {
            recording: recording.clone(),
            segments,
            pressure,
            keep: settings.keep,
        };
        let thread = std::thread::Builder::new()
            .name("trace".to_owned())
            .spawn(move || writer.run(&receiver))?;
        *lock(&recording.writer) = Some(thread);
        Ok((recorder, recording))
    }

    /// Looks at the view.
    pub fn look<R>(&self, look: impl FnOnce(&View) -> R) -> R {
        look(&lock(&self.view))
    }

    /// Adds a record of another instance: to the view, not to disk.
    pub fn add(&self, source: Source, record: Record) {
        // Both under one lock: who begins to follow in between would miss it.
        let mut view = lock(&self.view);
        if self.news.receiver_count() > 0 {
            let record = Arc::new(record.clone());
            let _ = self.news.send(News { source, record }); // the last one has just left
        }
        view.add(source, record);
    }

    /// Waits until what is on disk from earlier is in the view.
    pub async fn loaded(&self) {
        self.loaded.cancelled().await;
    }

    /// Everything recorded so far, and from then on each new record: none missed, none twice.
    pub fn follow(&self) -> (Vec<(Source, Record)>, broadcast::Receiver<News>) {
        let view = lock(&self.view);
        let receiver = self.news.subscribe();
        let mut records = Vec::new();
        for half in view.halves() {
            let opened = Record {
                exchange: half.id,
                at: half.at,
                wall: half.wall,
                body: Body::Opened(half.opened.clone()),
            };
            records.push((half.source, opened));
            records.extend(
                half.records
                    .iter()
                    .map(|record| (half.source, record.clone())),
            );
        }
        (records, receiver)
    }

    /// Told of each new record.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Writes what is waiting and ends the writer. Exchanges that end later are not recorded.
    pub fn close(&self) {
        let _ = self.queue.send(None); // the writer has ended by itself
        if let Some(thread) = lock(&self.writer).take() {
            let _ = thread.join(); // a panic there has been reported by itself
        }
    }
}

/// A lock whose holder panicked still guards a view that is only lacking a record.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Pressure {
    /// Records in the queue.
    waiting: AtomicUsize,
    /// Bytes in them.
    waiting_bytes: AtomicUsize,
    /// Records that found no room since the last gap was reported.
    dropped: AtomicU64,
}

struct Queue {
    sender: Sender<Option<Record>>,
    pressure: Arc<Pressure>,
}

impl RecordSink for Queue {
    fn record(&self, record: Record) {
        let bytes = content_bytes(&record);
        if self.pressure.takes(bytes) {
            let _ = self.sender.send(Some(record)); // after the end nothing is recorded
        } else {
            self.pressure.gives(bytes);
            self.pressure.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Pressure {
    /// Counts a record in; false if it finds no room.
    fn takes(&self, bytes: usize) -> bool {
        let records = self.waiting.fetch_add(1, Ordering::Relaxed);
        let all = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        records < QUEUE_RECORDS && all.saturating_add(bytes) <= QUEUE_BYTES
    }

    /// Counts it out.
    fn gives(&self, bytes: usize) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What a record holds besides its own size.
fn content_bytes(record: &Record) -> usize {
    match &record.body {
        Body::Message { text, bytes, .. } => text.len() + bytes.len(),
        Body::Note { text, .. } | Body::Closed { text, .. } => text.len(),
        Body::Opened(_) | Body::Secured(_) | Body::Gap { .. } => 0,
    }
}

struct Writer {
    recording: Arc<Recording>,
    segments: Option<Segments>,
    pressure: Arc<Pressure>,
    keep: Duration,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Option<Record>>) {
        let loading = self.recording.loaded.clone().drop_guard(); // also if it panics
        if let Some(segments) = &self.segments {
            segments.read_back(|record| lock(&self.recording.view).add(OWN, record));
        }
        drop(loading);
        let mut tended = Instant::now();
        loop {
            match receiver.recv_timeout(FLUSH_EVERY) {
                Ok(Some(record)) => {
                    self.take_from_queue(record);
                    // Waking this thread costs whoever records more than the record itself: so
                    // not for each, but for what comes within a moment.
                    for next in receiver.try_iter().take(GATHERED_MOST) {
                        match next {
                            Some(record) => self.take_from_queue(record),
                            None => return self.end(),
                        }
                    }
                    std::thread::sleep(GATHER);
                }
                Err(RecvTimeoutError::Timeout) => self.report_gap(),
                Ok(None) | Err(RecvTimeoutError::Disconnected) => break,
            }
            // By the clock, not when it is quiet: it may never be.
            if tended.elapsed() >= FLUSH_EVERY {
                tended = Instant::now();
                self.tend();
            }
        }
        self.end();
    }

    fn take_from_queue(&mut self, record: Record) {
        self.pressure.gives(content_bytes(&record));
        self.report_gap();
        self.take(record);
    }

    fn end(&mut self) {
        if let Some(segments) = &mut self.segments {
            segments.flush();
        }
    }

    fn tend(&mut self) {
        if let Some(segments) = &mut self.segments {
            segments.flush();
            segments.tend();
        }
        let keep_us = u64::try_from(self.keep.as_micros()).unwrap_or(u64::MAX);
        let oldest = WallTime(clock::wall().0.saturating_sub(keep_us));
        lock(&self.recording.view).forget_before(oldest);
    }

    fn take(&mut self, record: Record) {
        if let Some(segments) = &mut self.segments {
            segments.append(&record);
        }
        self.recording.add(OWN, record);
    }

    fn report_gap(&mut self) {
        let dropped = self.pressure.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.take(Record {
                exchange: ExchangeId(0),
                at: clock::now(),
                wall: clock::wall(),
                body: Body::Gap { dropped },
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guichet_engine::recorder::Beginning;
    use guichet_trace::{Mode, Role, Transport, Verb};

    fn settings(folder: &std::path::Path) -> Settings {
        Settings {
            folder: Some(folder.to_owned()),
            bytes_most: 1 << 20,
            keep: Duration::from_secs(3600),
            level: Level::Full,
        }
    }

    fn beginning() -> Beginning {
        Beginning {
            protocol: "echo",
            transport: Transport::Tcp,
            role: Role::Server,
            local: ([127, 0, 0, 1], 7).into(),
            remote: ([127, 0, 0, 1], 40_000).into(),
            named: String::new(),
            organisation: "nord.test".into(),
            service: "echo".into(),
            mode: Mode::Event,
            causes: Vec::new(),
        }
    }

    #[test]
    fn what_was_recorded_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, recording) = Recording::start(settings(folder.path())).unwrap();
        recorder
            .begin(beginning())
            .end(Verb::new("done"), String::new());
        recording.close();
        assert_eq!(recording.look(|view| view.halves().count()), 1);

        let (_recorder, again) = Recording::start(settings(folder.path())).unwrap();
        again.close();
        let (records, _) = again.follow();
        assert_eq!(records.len(), 2, "opened and closed: {records:?}");
    }

    #[test]
    fn the_ring_of_segments_stays_within_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let mut small = settings(folder.path());
        small.bytes_most = 64 * 1024;
        let (recorder, recording) = Recording::start(small).unwrap();
        for _ in 0..2000 {
            recorder
                .begin(beginning())
                .end(Verb::new("done"), "x".repeat(100));
        }
        recording.close();
        let size: u64 = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(size > 16 * 1024 && size <= 80 * 1024, "{size}");
    }

    #[test]
    fn who_follows_misses_nothing_and_hears_nothing_twice() {
        let memory_only = Settings {
            folder: None,
            ..settings(std::path::Path::new(""))
        };
        let (_recorder, recording) = Recording::start(memory_only).unwrap();
        let opened = |number: u64| Record {
            exchange: ExchangeId(number),
            at: clock::now(),
            wall: clock::wall(),
            body: Body::Opened(guichet_trace::Opened {
                protocol: "echo".to_owned(),
                transport: Transport::Tcp,
                role: Role::Server,
                local: ([127, 0, 0, 1], 7).into(),
                remote: ([127, 0, 0, 1], 40_000).into(),
                named: String::new(),
                organisation: String::new(),
                service: String::new(),
                mode: Mode::Event,
                causes: Vec::new(),
            }),
        };
        let follow = || {
            loop {
                let (past, mut news) = recording.follow();
                let next = past.len() as u64;
                if next == 2000 {
                    return;
                }
                assert_eq!(news.blocking_recv().unwrap().record.exchange.0, next);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| (0..2000).for_each(|number| recording.add(OWN, opened(number))));
            scope.spawn(follow);
            scope.spawn(follow);
        });
    }

    #[test]
    fn large_records_that_wait_have_a_limit_and_what_is_dropped_is_counted() {
        let (sender, receiver) = channel();
        let pressure = Arc::new(Pressure::default());
        let queue = Queue {
            sender,
            pressure: pressure.clone(),
        };
        let large = Record {
            exchange: ExchangeId(1),
            at: clock::now(),
            wall: clock::wall(),
            body: Body::Closed {
                reason: Verb::new("done"),
                text: "x".repeat(64 * 1024),
            },
        };
        for _ in 0..1000 {
            queue.record(large.clone());
        }
        let waiting = receiver.try_iter().count();
        assert_eq!(waiting, QUEUE_BYTES / (64 * 1024));
        let dropped = pressure.dropped.load(Ordering::Relaxed);
        assert_eq!(waiting as u64 + dropped, 1000);
    }
}
