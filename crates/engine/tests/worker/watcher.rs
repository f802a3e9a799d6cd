//! The watcher's side: it starts a worker for a connection, lets its words reach the service only
//! where an honest one would say them, and reaps it.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use guichet_proto::{Pulled, Reply, SourceId};
use guichet_trace::{ExchangeId, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Serialize, de::DeserializeOwned};

use super::channel::{self, Frame, FromWorker, ToWorker};
use super::fakes::Guarded;

/// The watcher stamps what a worker records with the exchange it was started for.
pub const EXCHANGE: ExchangeId = ExchangeId(42);

/// How a watcher behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Care {
    Guarding,
    /// A mutant: whatever a worker says reaches the service.
    Trusting,
    /// Does not say that it has taken pieces until nothing comes any more; then guards on.
    Slow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Finished,
    Died,
    /// It said what no session says, and was killed for it.
    Expelled(&'static str),
}

pub struct Report {
    pub end: End,
    pub records: Vec<Record>,
    /// How much the worker's memory grew at most between its first word and its last Ask.
    pub grown_bytes: u64,
    /// The most that was sent and not acknowledged.
    pub ahead_bytes_most: usize,
}

/// A worker process under watch.
pub struct Worker {
    pub pid: u32,
    channel: UnixStream,
    thread: JoinHandle<Report>,
}

impl Worker {
    /// Starts this very executable with the socket as standard input and the channel as standard
    /// output; every other descriptor is close-on-exec.
    pub fn spawn<V>(kind: &str, socket: TcpStream, service: V, care: Care) -> Self
    where
        V: Guarded<Ask: DeserializeOwned, Answer: Serialize> + 'static,
    {
        let (channel, theirs) = UnixStream::pair().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg(format!("--as-worker={kind}"))
            .env_clear()
            .stdin(OwnedFd::from(socket))
            .stdout(OwnedFd::from(theirs))
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let pid = child.id();
        let watch = Watch {
            channel: channel.try_clone().unwrap(),
            child,
            service,
            care,
            ended: false,
            first_peak_bytes: 0,
            ahead: Vec::new(),
            report: Report {
                end: End::Died,
                records: Vec::new(),
                grown_bytes: 0,
                ahead_bytes_most: 0,
            },
        };
        Self {
            pid,
            channel,
            thread: thread::spawn(|| watch.run()),
        }
    }

    pub fn stop(&mut self) {
        channel::write_words(&mut self.channel, &ToWorker::<()>::Stop).unwrap();
    }

    /// Waits for the end. By then the worker has been reaped.
    pub fn join(self) -> Report {
        let report = self.thread.join().unwrap();
        assert_eq!(process_state(self.pid), None, "nothing of it is left");
        report
    }
}

/// The letter by which the system shows a process (`Z`: a zombie); `None` if there is none.
pub fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn peak_memory_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.map_or(0, |number| number.parse::<u64>().unwrap() * 1024)
}

struct Watch<V> {
    channel: UnixStream,
    child: Child,
    service: V,
    care: Care,
    ended: bool,
    first_peak_bytes: u64,
    /// Pieces taken and not yet acknowledged.
    ahead: Vec<usize>,
    report: Report,
}

impl<V: Guarded<Ask: DeserializeOwned, Answer: Serialize>> Watch<V> {
    fn run(mut self) -> Report {
        self.report.end = loop {
            if let Err(end) = self.step() {
                break end;
            }
        };
        let _ = self.child.kill(); // it is over for it, whatever it still means to do
        self.child.wait().unwrap();
        self.report // and with the service goes what was not finished
    }

    fn step(&mut self) -> Result<(), End> {
        if self.care == Care::Slow && !self.ahead.is_empty() && self.is_silent() {
            self.acknowledge();
            self.care = Care::Guarding;
        }
        match channel::read::<FromWorker<V::Ask>>(&mut self.channel) {
            Ok(Frame::Bytes(piece)) => self.piece(&piece),
            Ok(Frame::Words(FromWorker::Ask(ask))) => self.ask(ask),
            Ok(Frame::Words(FromWorker::Pull { source, most })) => self.pull(source, most),
            Ok(Frame::Words(FromWorker::Record(record))) => {
                self.record(record);
                Ok(())
            }
            Ok(Frame::Words(FromWorker::Ended)) => {
                self.ended = true;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(End::Expelled("no frame of ours"))
            }
            Err(_) if self.ended => Err(End::Finished),
            Err(_) => Err(End::Died),
        }
    }

    fn guard(&self, objection: Option<&'static str>) -> Result<(), End> {
        match objection {
            Some(why) if self.care != Care::Trusting => Err(End::Expelled(why)),
            _ => Ok(()),
        }
    }

    fn ask(&mut self, ask: V::Ask) -> Result<(), End> {
        self.guard(self.service.objection(&ask))?;
        self.note_memory();
        let answer = wait(self.service.ask(ask));
        self.say(&ToWorker::Answer(answer));
        Ok(())
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), End> {
        self.guard(self.service.objection_to_piece())?;
        wait(self.service.piece(piece));
        self.ahead.push(piece.len());
        let ahead = self.ahead.iter().sum();
        self.report.ahead_bytes_most = self.report.ahead_bytes_most.max(ahead);
        if self.care != Care::Slow {
            self.acknowledge();
        }
        Ok(())
    }

    fn pull(&mut self, source: SourceId, most: usize) -> Result<(), End> {
        self.guard(self.service.objection_to_pull(source))?;
        self.note_memory();
        match wait(self.service.pull(source, most)) {
            // A worker that is gone is noticed at the next frame.
            Pulled::Bytes(bytes) => drop(channel::write_bytes(&mut self.channel, &bytes)),
            Pulled::End => self.say(&ToWorker::SourceEnd(true)),
            Pulled::Failed => self.say(&ToWorker::SourceEnd(false)),
        }
        Ok(())
    }

    fn record(&mut self, record: Record) {
        if self.first_peak_bytes == 0 {
            self.first_peak_bytes = peak_memory_bytes(self.child.id());
        }
        let exchange = EXCHANGE;
        self.report.records.push(Record { exchange, ..record });
    }

    fn note_memory(&mut self) {
        let peak_bytes = peak_memory_bytes(self.child.id());
        self.report.grown_bytes = peak_bytes.saturating_sub(self.first_peak_bytes);
    }

    fn acknowledge(&mut self) {
        for bytes in std::mem::take(&mut self.ahead) {
            self.say(&ToWorker::Taken(bytes));
        }
    }

    fn is_silent(&self) -> bool {
        let wait = Timespec::try_from(Duration::from_millis(200)).unwrap();
        let mut watched = [PollFd::new(&self.channel, PollFlags::IN)];
        poll(&mut watched, Some(&wait))
            .map_err(io::Error::from)
            .unwrap()
            == 0
    }

    fn say(&mut self, words: &ToWorker<V::Answer>) {
        let _ = channel::write_words(&mut self.channel, words); // as above
    }
}

/// A watcher's thread has one worker to wait for.
fn wait<T>(reply: Reply<T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let future = match reply {
        Reply::Now(value) => return value,
        Reply::Later(future) => future,
    };
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
