//! One connection: a dialogue, its service and its socket, driven by tokio.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use guichet_proto::dialogue::{End, INPUT_BYTES_MOST, OUTPUT_BYTES_HIGH};
use guichet_proto::{
    ChannelEvent, ChannelOrder, Dialogue, Next, Pulled, Reply, Service, Session, TlsSide,
};
use guichet_trace::{ExchangeId, Moment, Secured, Verb};
use rustls_pki_types::ServerName;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::clock;
use crate::recorder::Exchange;
use crate::tls::{ClientTls, ServerTls};
use crate::wire::Wire;

/// A handshake that takes longer is given up; with a few round trips of seconds it still works.
pub(crate) const HANDSHAKE_MOST: Duration = Duration::from_secs(30);
/// A handshake under way when this side stops has so long to end: nothing has been said yet that
/// the stop would have to wait for.
const HANDSHAKE_AT_STOP_MOST: Duration = Duration::from_secs(1);
/// What TLS still holds when the dialogue is over (some 64 KiB) the peer has so long to take.
const FINISH_MOST: Duration = Duration::from_secs(60);
/// After closing, what the peer still sends is read and dropped for so long, so that it reads our
/// last words instead of a reset.
pub(crate) const LINGER_MOST: Duration = Duration::from_secs(1);

/// Who has arrived: what a service may know of a connection when it is made.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The exchange being recorded.
    pub exchange: ExchangeId,
    /// The other end.
    pub peer: SocketAddr,
    /// This end.
    pub local: SocketAddr,
    /// Facts of TLS, once it is in force.
    pub secured: Arc<OnceLock<Secured>>,
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ending {
    /// The session closed it.
    Done,
    /// The peer took nothing for longer than allowed.
    Stalled,
    /// The connection broke.
    Broken(io::Error),
    /// The handshake failed.
    Tls(io::Error),
}

impl Ending {
    /// One word for the trace.
    fn word(&self) -> Verb {
        Verb::new(match self {
            Self::Done => "done",
            Self::Stalled => "timeout",
            Self::Broken(_) => "reset",
            Self::Tls(_) => "tls",
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Done | Self::Stalled => String::new(),
            Self::Broken(error) | Self::Tls(error) => error.to_string(),
        }
    }
}

/// Which TLS a connection can go over to.
#[derive(Clone, Debug)]
pub(crate) enum TlsUse {
    None,
    Server(ServerTls),
    Client(ClientTls, ServerName<'static>),
}

pub(crate) struct Connection<S: Session, V> {
    wire: Wire,
    dialogue: Dialogue<S>,
    service: V,
    exchange: Exchange,
    secured: Arc<OnceLock<Secured>>,
    tls: TlsUse,
    stop: CancellationToken,
    /// Gone once the session has been told.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    waiting: Waiting<S::Answer>,
    timer: Option<(Moment, Pin<Box<Sleep>>)>,
    /// The dialogue's input buffer is the thread's.
    lent: bool,
}

enum Waiting<Answer> {
    Nothing,
    Answer(Pin<Box<dyn Future<Output = Answer> + Send>>),
    Piece(Pin<Box<dyn Future<Output = ()> + Send>>),
    Pull(Pin<Box<dyn Future<Output = Pulled> + Send>>),
}

enum Woken<Answer> {
    /// Bytes moved.
    Moved,
    Answer(Answer),
    Piece,
    Pull(Pulled),
    Event(Answer),
    Deadline,
    Stop,
}

thread_local! {
    /// One buffer a thread is enough for reading: what one connection leaves over it keeps itself.
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Begins TLS at once, before the dialogue opens.
pub(crate) async fn secure(
    wire: &mut Wire,
    tls: &TlsUse,
    exchange: &Exchange,
    secured: &OnceLock<Secured>,
    stop: &CancellationToken,
) -> io::Result<()> {
    match tls {
        TlsUse::None => return Err(io::Error::other("TLS is not set up here")),
        TlsUse::Server(tls) => wire.accept_tls(tls).map_err(io::Error::other)?,
        TlsUse::Client(tls, name) => {
            wire.start_tls(tls, name.clone())
                .map_err(io::Error::other)?;
        }
    }
    let handshake = poll_fn(|context| wire.poll_handshake(context));
    let too_late = async {
        let _ = tokio::time::timeout(HANDSHAKE_MOST, stop.cancelled()).await;
        if stop.is_cancelled() {
            tokio::time::sleep(HANDSHAKE_AT_STOP_MOST).await;
        }
    };
    tokio::select! {
        biased;
        done = handshake => done?,
        () = too_late => return Err(io::ErrorKind::TimedOut.into()),
    }
    if let Some(facts) = wire.secured() {
        exchange.secured(facts.clone());
        let _ = secured.set(facts); // a second handshake on one connection does not happen
    }
    Ok(())
}

impl<S, V> Connection<S, V>
where
    S: Session,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    pub(crate) fn new(
        wire: Wire,
        session: S,
        service: V,
        exchange: Exchange,
        secured: Arc<OnceLock<Secured>>,
        tls: TlsUse,
        stop: CancellationToken,
    ) -> Box<Self> {
        Box::new(Self {
            wire,
            dialogue: Dialogue::open(session, clock::now()),
            service,
            exchange,
            secured,
            tls,
            stopping: Some(Box::pin(stop.clone().cancelled_owned())),
            stop,
            waiting: Waiting::Nothing,
            timer: None,
            lent: false,
        })
    }

    /// Drives the dialogue to its end. In a box: a future holds what it is given twice and more, and
    /// this one is held for as long as a client idles.
    pub(crate) async fn run(mut self: Box<Self>) -> (S, V, Ending) {
        let ending = match self.drive().await {
            Ok(Ending::Done) => Box::pin(self.close()).await,
            Ok(ending) => ending,
            Err(error) => Ending::Broken(error),
        };
        let this = *self;
        this.exchange.end(ending.word(), ending.text());
        (this.dialogue.into_session(), this.service, ending)
    }

    async fn drive(&mut self) -> io::Result<Ending> {
        loop {
            match self.dialogue.next(clock::now(), &mut self.exchange) {
                Next::Ask(ask) => match self.service.ask(ask) {
                    Reply::Now(answer) => self.dialogue.answer(clock::now(), answer),
                    Reply::Later(future) => self.waiting = Waiting::Answer(future),
                },
                Next::Piece => match self.service.piece(self.dialogue.piece()) {
                    Reply::Now(()) => self.dialogue.piece_taken(clock::now()),
                    Reply::Later(future) => {
                        self.waiting = Waiting::Piece(future);
                        self.wait_for_service().await?;
                    }
                },
                Next::Pull(source) => match self.service.pull(source, OUTPUT_BYTES_HIGH) {
                    Reply::Now(pulled) => self.dialogue.pulled(pulled, &mut self.exchange),
                    Reply::Later(future) => {
                        self.waiting = Waiting::Pull(future);
                        self.wait_for_service().await?;
                    }
                },
                Next::Secure(side) => {
                    if let Err(error) = self.go_secure(side).await {
                        return Ok(Ending::Tls(error));
                    }
                }
                Next::Channel(order) => self.refuse_channel(order),
                Next::HalfClose => match Box::pin(self.finish()).await {
                    Some(done) => done?,
                    None => return Ok(Ending::Stalled),
                },
                Next::Flush | Next::Idle => {
                    self.wait().await?;
                }
                Next::Close(End::Done) => return Ok(Ending::Done),
                Next::Close(End::Stalled) => return Ok(Ending::Stalled),
            }
        }
    }

    async fn go_secure(&mut self, side: TlsSide) -> io::Result<()> {
        let fits = matches!(
            (side, &self.tls),
            (TlsSide::Server, TlsUse::Server(_)) | (TlsSide::Client, TlsUse::Client(..))
        );
        if !fits {
            return Err(io::Error::other("TLS is not set up here"));
        }
        let Self {
            wire,
            tls,
            exchange,
            secured,
            stop,
            ..
        } = self;
        Box::pin(secure(wire, tls, exchange, secured, stop)).await?;
        self.dialogue.secured(clock::now());
        Ok(())
    }

    /// Second channels come with the first protocol that needs one.
    fn refuse_channel(&mut self, order: ChannelOrder) {
        let (ChannelOrder::Listen(id)
        | ChannelOrder::Connect(id, _)
        | ChannelOrder::Send(id, _)
        | ChannelOrder::Receive(id)
        | ChannelOrder::Abort(id)) = order;
        let event = ChannelEvent::Ended {
            bytes: 0,
            whole: false,
        };
        self.dialogue.channel(clock::now(), id, event);
    }

    /// While a piece or a pull is open the dialogue has nothing else to do.
    async fn wait_for_service(&mut self) -> io::Result<()> {
        while matches!(self.waiting, Waiting::Piece(_) | Waiting::Pull(_)) {
            self.wait().await?;
        }
        Ok(())
    }

    /// Waits for the first thing to happen and tells the dialogue.
    async fn wait(&mut self) -> io::Result<()> {
        self.return_buffers();
        let woken = poll_fn(|context| self.poll_woken(context)).await?;
        let now = clock::now();
        match woken {
            Woken::Moved => {}
            Woken::Answer(answer) => {
                self.waiting = Waiting::Nothing;
                self.dialogue.answer(now, answer);
            }
            Woken::Piece => {
                self.waiting = Waiting::Nothing;
                self.dialogue.piece_taken(now);
            }
            Woken::Pull(pulled) => {
                self.waiting = Waiting::Nothing;
                self.dialogue.pulled(pulled, &mut self.exchange);
            }
            Woken::Event(event) => self.dialogue.event(now, event),
            Woken::Deadline => self.dialogue.tick(now),
            Woken::Stop => {
                self.stopping = None;
                self.dialogue.stop(now);
            }
        }
        Ok(())
    }

    fn poll_woken(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Woken<S::Answer>>> {
        if let Poll::Ready(woken) = self.poll_waiting(context) {
            return Poll::Ready(Ok(woken));
        }
        if let Poll::Ready(done) = self.poll_output(context) {
            return Poll::Ready(done.map(|()| Woken::Moved));
        }
        // A service that pushes faster than the peer reads waits like any other writer.
        if self.dialogue.output().len() < OUTPUT_BYTES_HIGH
            && let Poll::Ready(event) = self.service.poll_event(context)
        {
            return Poll::Ready(Ok(Woken::Event(event)));
        }
        if let Some(stop) = &mut self.stopping
            && stop.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Ok(Woken::Stop));
        }
        if self.poll_timer(context).is_ready() {
            return Poll::Ready(Ok(Woken::Deadline));
        }
        let busy = matches!(self.waiting, Waiting::Piece(_) | Waiting::Pull(_));
        if self.dialogue.output().is_empty()
            && !busy
            && self.dialogue.wants_input()
            && let Poll::Ready(done) = self.poll_input(context)
        {
            return Poll::Ready(done.map(|()| Woken::Moved));
        }
        Poll::Pending
    }

    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Woken<S::Answer>> {
        match &mut self.waiting {
            Waiting::Nothing => Poll::Pending,
            Waiting::Answer(future) => future.as_mut().poll(context).map(Woken::Answer),
            Waiting::Piece(future) => future.as_mut().poll(context).map(|()| Woken::Piece),
            Waiting::Pull(future) => future.as_mut().poll(context).map(Woken::Pull),
        }
    }

    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.dialogue.output().is_empty() {
            return match self.wire.poll_flush(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending, // nothing that anyone waits for
            };
        }
        let mut moved = false;
        while !self.dialogue.output().is_empty() {
            match self.wire.poll_write(context, self.dialogue.output()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.dialogue.sent(clock::now(), count);
                    moved = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if moved => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lend_buffers();
        let buffer = self.dialogue.input_buffer();
        if buffer.capacity() - buffer.len() < 1024 {
            buffer.reserve(16 * 1024);
        }
        let read = self.wire.poll_read(context, buffer);
        match read {
            Poll::Ready(Ok(0)) => {
                self.dialogue.input_ended();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.return_buffers();
                Poll::Pending
            }
        }
    }

    /// Armed once for the deadline at hand; when it fires and the deadline has moved on, armed
    /// again. So a busy connection does not touch the timer at all.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(deadline) = self.dialogue.deadline() else {
                return Poll::Pending;
            };
            let (armed, sleep) = self.timer.get_or_insert_with(|| {
                (
                    deadline,
                    Box::pin(tokio::time::sleep_until(clock::instant(deadline))),
                )
            });
            if deadline < *armed {
                *armed = deadline;
                sleep.as_mut().reset(clock::instant(deadline));
            }
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if clock::now() >= deadline {
                self.timer = None;
                return Poll::Ready(());
            }
            *armed = deadline;
            sleep.as_mut().reset(clock::instant(deadline));
        }
    }

    /// The thread's buffer comes in, with what waits copied to its front: so no connection keeps
    /// more than what it has left over.
    fn lend_buffers(&mut self) {
        if !self.lent {
            let mut buffer = INPUT.take();
            buffer.reserve(INPUT_BYTES_MOST);
            let input = self.dialogue.input_buffer();
            buffer.extend_from_slice(input);
            *input = buffer;
            self.lent = true;
        }
        if let Some(output) = self.dialogue.idle_output_buffer()
            && output.capacity() == 0
        {
            *output = OUTPUT.take();
        }
    }

    fn return_buffers(&mut self) {
        if self.lent {
            self.lent = false;
            INPUT.replace(self.dialogue.return_buffer());
        }
        if let Some(output) = self.dialogue.idle_output_buffer()
            && output.capacity() > 0
        {
            OUTPUT.replace(std::mem::take(output));
        }
    }

    /// Sends what TLS still holds and ends our direction; `None` if the peer does not take it.
    async fn finish(&mut self) -> Option<io::Result<()>> {
        let finish = poll_fn(|context| self.wire.poll_finish(context));
        tokio::time::timeout(FINISH_MOST, finish).await.ok()
    }

    /// Ends our direction and drops what still comes, for a short while.
    async fn close(&mut self) -> Ending {
        match self.finish().await {
            None => return Ending::Stalled,
            Some(Err(_)) => return Ending::Done, // the peer has had its answer, and is gone
            Some(Ok(())) => {}
        }
        let wire = &mut self.wire;
        let linger = async {
            let mut dropped = Vec::new();
            let mut count = 0;
            while count < INPUT_BYTES_MOST * 4 {
                dropped.clear();
                dropped.reserve(4096);
                match poll_fn(|context| wire.poll_read(context, &mut dropped)).await? {
                    0 => break,
                    read => count += read,
                }
            }
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(LINGER_MOST, linger).await; // as above
        Ending::Done
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
