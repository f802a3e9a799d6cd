//! The worker process: one dialogue, whose service is at the other end of the channel.
//!
//! Its standard input is the client's socket, its standard output the channel. It has no store, no
//! key, no list of accounts, and it cannot say on whose behalf it asks.

use std::io::{stdin, stdout};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::sync::{Arc, Mutex};
use std::thread;

use guichet_engine::recorder::Beginning;
use guichet_engine::{Ending, RecordSink, Recorder, blocking};
use guichet_proto::{Pulled, Reply, Service, Session, SourceId, echo};
use guichet_trace::{Level, Mode, Record, Role, Transport, Verb};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::channel::{self, Frame, FromWorker, ToWorker, WINDOW_BYTES};
use super::fakes::{NoAsk, Nothing, pop3_session, smtp_session};
use super::rogues;

/// How a worker behaves; all but the first are mutants that the tests must tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Honest,
    /// Sends pieces without waiting for what is taken.
    Windowless,
    /// Collects a whole body in its memory.
    Hoarding,
}

/// The life of a worker.
pub fn live(kind: &str) {
    let socket = TcpStream::from(stdin().as_fd().try_clone_to_owned().unwrap());
    let channel = UnixStream::from(stdout().as_fd().try_clone_to_owned().unwrap());
    let (session, submission) = (smtp_session(false), smtp_session(true));
    match kind {
        "echo" => {
            let line = Line::<NoAsk>::open(channel);
            dialogue(&line, &socket, echo::Server::default(), Nothing);
        }
        "smtp" => remote(channel, &socket, session, Manner::Honest),
        "submission" => remote(channel, &socket, submission, Manner::Honest),
        "windowless" => remote(channel, &socket, session, Manner::Windowless),
        "hoarding" => remote(channel, &socket, session, Manner::Hoarding),
        "pop3" => remote(channel, &socket, pop3_session(), Manner::Honest),
        rogue => rogues::live(rogue, channel),
    }
}

fn remote<S>(channel: UnixStream, socket: &TcpStream, session: S, manner: Manner)
where
    S: Session<Ask: Serialize, Answer: DeserializeOwned + Send + 'static> + 'static,
    S::Ask: Send,
{
    let line = Line::open(channel);
    let service = Remote::<S::Ask, S::Answer> {
        line: line.clone(),
        manner,
        hoard: Vec::new(),
        asks: PhantomData,
    };
    dialogue(&line, socket, session, service);
}

fn dialogue<S, V, A>(line: &Arc<Line<A>>, socket: &TcpStream, session: S, service: V)
where
    S: Session,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
    A: Send + 'static,
{
    let recorder = Recorder::new(Level::Full, 0, Box::new(Records(line.clone())));
    let mut exchange = recorder.begin(Beginning {
        protocol: session.protocol(),
        transport: Transport::Tcp,
        role: Role::Server,
        local: socket.local_addr().unwrap(),
        remote: socket.peer_addr().unwrap(),
        named: String::new(),
        organisation: "sud.test".into(),
        service: "worker".into(),
        mode: Mode::Process,
        causes: Vec::new(),
    });
    let (_, _, ending) = blocking::run(socket, session, service, &mut exchange, &line.stop);
    let word = match &ending {
        Ending::Done => "done",
        Ending::Stalled => "timeout",
        Ending::Broken(_) => "reset",
        Ending::Tls(_) => "tls",
    };
    exchange.end(Verb::new(word), String::new());
    line.say(&FromWorker::<()>::Ended);
}

/// The worker's end of the channel.
struct Line<Answer> {
    channel: Mutex<UnixStream>,
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
    pulled: Mutex<Option<oneshot::Sender<Pulled>>>,
    window: Arc<Semaphore>,
    stop: CancellationToken,
}

impl<Answer: Send + 'static> Line<Answer> {
    /// A thread reads the channel; a worker whose watcher is gone has nothing left to do.
    fn open(channel: UnixStream) -> Arc<Self>
    where
        Answer: DeserializeOwned,
    {
        let mut reader = channel.try_clone().unwrap();
        let line = Arc::new(Self {
            channel: Mutex::new(channel),
            answer: Mutex::new(None),
            pulled: Mutex::new(None),
            window: Arc::new(Semaphore::new(WINDOW_BYTES)),
            stop: CancellationToken::new(),
        });
        let hearing = line.clone();
        thread::spawn(move || {
            while let Ok(frame) = channel::read(&mut reader) {
                hearing.hear(frame);
            }
            exit(2);
        });
        line
    }

    fn hear(&self, frame: Frame<ToWorker<Answer>>) {
        match frame {
            Frame::Words(ToWorker::Answer(answer)) => tell(&self.answer, answer),
            Frame::Words(ToWorker::Taken(bytes)) => {
                self.window.add_permits(bytes.min(WINDOW_BYTES))
            }
            Frame::Words(ToWorker::SourceEnd(true)) => tell(&self.pulled, Pulled::End),
            Frame::Words(ToWorker::SourceEnd(false)) => tell(&self.pulled, Pulled::Failed),
            Frame::Words(ToWorker::Stop) => self.stop.cancel(),
            Frame::Bytes(bytes) => tell(&self.pulled, Pulled::Bytes(bytes)),
        }
    }

    fn say(&self, words: &impl Serialize) {
        let mut channel = self.channel.lock().unwrap();
        channel::write_words(&mut *channel, words).unwrap_or_else(|_| exit(2));
    }

    fn send(&self, piece: &[u8]) {
        let mut channel = self.channel.lock().unwrap();
        channel::write_bytes(&mut *channel, piece).unwrap_or_else(|_| exit(2));
    }
}

fn tell<T>(waiting: &Mutex<Option<oneshot::Sender<T>>>, value: T) {
    if let Some(waiting) = waiting.lock().unwrap().take() {
        let _ = waiting.send(value); // the dialogue is over
    }
}

fn expect<T: Send + 'static>(waiting: &Mutex<Option<oneshot::Sender<T>>>) -> Reply<T> {
    let (sender, receiver) = oneshot::channel();
    *waiting.lock().unwrap() = Some(sender);
    Reply::later(async { receiver.await.unwrap() })
}

/// The service as a worker sees it.
struct Remote<Ask, Answer> {
    line: Arc<Line<Answer>>,
    manner: Manner,
    hoard: Vec<u8>,
    asks: PhantomData<Ask>,
}

impl<Ask, Answer> Service for Remote<Ask, Answer>
where
    Ask: Serialize + Send,
    Answer: Send + 'static,
{
    type Ask = Ask;
    type Answer = Answer;

    fn ask(&mut self, ask: Ask) -> Reply<Answer> {
        for piece in std::mem::take(&mut self.hoard).chunks(WINDOW_BYTES) {
            self.line.send(piece);
        }
        let answer = expect(&self.line.answer);
        self.line.say(&FromWorker::Ask(ask));
        answer
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        if self.manner == Manner::Hoarding {
            self.hoard.extend_from_slice(piece);
            return Reply::Now(());
        }
        self.line.send(piece);
        if self.manner == Manner::Windowless {
            return Reply::Now(());
        }
        // Those who take it give the permits back, so none is lost by forgetting it here.
        let permits = u32::try_from(piece.len().min(WINDOW_BYTES)).unwrap();
        if let Ok(permit) = self.line.window.try_acquire_many(permits) {
            permit.forget();
            return Reply::Now(());
        }
        let window = self.line.window.clone();
        Reply::later(async move { window.acquire_many(permits).await.unwrap().forget() })
    }

    fn pull(&mut self, source: SourceId, most: usize) -> Reply<Pulled> {
        let pulled = expect(&self.line.pulled);
        self.line.say(&FromWorker::<Ask>::Pull { source, most });
        pulled
    }
}

/// Records go to the watcher, masked here, where the secret is known.
struct Records<Answer>(Arc<Line<Answer>>);

impl<Answer: Send + 'static> RecordSink for Records<Answer> {
    fn record(&self, record: Record) {
        self.0.say(&FromWorker::<()>::Record(record));
    }
}
