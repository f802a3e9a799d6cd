//! A dialogue driven by its own thread, without a runtime: for a worker process, which holds
//! nothing but one dialogue, and for serving one client at a time.
//!
//! It does what [`crate::connection`] does with tokio: the order of output, deadlines,
//! back-pressure, events and the wish to stop while an answer is awaited, half-close, lingering.
//! The thread sleeps in `poll(2)` on the socket and on a bell that answers awaited from elsewhere
//! ring. Not here: TLS (whoever needs it gets [`Ending::Tls`]), second channels, catching panics.

use std::future::Future;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use guichet_proto::dialogue::{End, INPUT_BYTES_MOST, OUTPUT_BYTES_HIGH};
use guichet_proto::{
    ChannelEvent, ChannelOrder, Dialogue, Next, Pulled, Reply, Service, Session, Tap,
};
use guichet_trace::Moment;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::connection::{Ending, LINGER_MOST};

/// Drives one dialogue over a connected stream socket until it is over, and gives back the session
/// and the service. The socket's flags are left as they are (another process may hold a duplicate);
/// closing it is the caller's, who owns it, and so is recording how the exchange ended.
///
/// `stop` cancelled, the session is told once that this side is stopping; how it says goodbye and
/// when it closes is its own business, so whoever cannot wait for it sets a deadline outside.
///
/// # Errors
/// None: what goes wrong with the socket, or with the bell when descriptors have run out, is an
/// [`Ending::Broken`].
pub fn run<S, V>(
    socket: impl AsFd,
    session: S,
    service: V,
    tap: &mut dyn Tap,
    stop: &CancellationToken,
) -> (S, V, Ending)
where
    S: Session,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    let mut driver = Driver {
        socket: socket.as_fd(),
        dialogue: Dialogue::open(session, clock::now()),
        service,
        tap,
        waiting: Waiting::Nothing,
        stop: Some(Box::pin(stop.cancelled())),
    };
    let ending = match Bell::hang().and_then(|bell| driver.drive(&bell)) {
        Ok(ending) => ending,
        Err(error) => Ending::Broken(error),
    };
    if matches!(ending, Ending::Done) {
        let _ = linger(driver.socket); // the peer has had its answer
    }
    (driver.dialogue.into_session(), driver.service, ending)
}

struct Driver<'a, S: Session, V> {
    socket: BorrowedFd<'a>,
    dialogue: Dialogue<S>,
    service: V,
    tap: &'a mut dyn Tap,
    waiting: Waiting<S::Answer>,
    /// Gone once the session has been told.
    stop: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
}

enum Waiting<Answer> {
    Nothing,
    Answer(Pin<Box<dyn Future<Output = Answer> + Send>>),
    Piece(Pin<Box<dyn Future<Output = ()> + Send>>),
    Pull(Pin<Box<dyn Future<Output = Pulled> + Send>>),
}

impl<S, V> Driver<'_, S, V>
where
    S: Session,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    fn drive(&mut self, bell: &Bell) -> io::Result<Ending> {
        loop {
            match self.dialogue.next(clock::now(), self.tap) {
                Next::Ask(ask) => match self.service.ask(ask) {
                    Reply::Now(answer) => self.dialogue.answer(clock::now(), answer),
                    Reply::Later(future) => self.waiting = Waiting::Answer(future),
                },
                Next::Piece => match self.service.piece(self.dialogue.piece()) {
                    Reply::Now(()) => self.dialogue.piece_taken(clock::now()),
                    Reply::Later(future) => {
                        self.waiting = Waiting::Piece(future);
                        self.wait_for_service(bell)?;
                    }
                },
                Next::Pull(source) => match self.service.pull(source, OUTPUT_BYTES_HIGH) {
                    Reply::Now(pulled) => self.dialogue.pulled(pulled, self.tap),
                    Reply::Later(future) => {
                        self.waiting = Waiting::Pull(future);
                        self.wait_for_service(bell)?;
                    }
                },
                Next::Secure(_) => {
                    return Ok(Ending::Tls(io::Error::other("TLS is not set up here")));
                }
                Next::Channel(order) => self.refuse_channel(&order),
                Next::HalfClose => shutdown(self.socket, Shutdown::Write)?,
                Next::Flush | Next::Idle => self.wait(bell)?,
                Next::Close(End::Done) => return Ok(Ending::Done),
                Next::Close(End::Stalled) => return Ok(Ending::Stalled),
            }
        }
    }

    fn refuse_channel(&mut self, order: &ChannelOrder) {
        let (ChannelOrder::Listen(id)
        | ChannelOrder::Connect(id, _)
        | ChannelOrder::Send(id, _)
        | ChannelOrder::Receive(id)
        | ChannelOrder::Abort(id)) = order;
        let event = ChannelEvent::Ended {
            bytes: 0,
            whole: false,
        };
        self.dialogue.channel(clock::now(), *id, event);
    }

    /// While a piece or a pull is open the dialogue has nothing else to do.
    fn wait_for_service(&mut self, bell: &Bell) -> io::Result<()> {
        while self.is_lending() {
            self.wait(bell)?;
        }
        Ok(())
    }

    fn is_lending(&self) -> bool {
        matches!(self.waiting, Waiting::Piece(_) | Waiting::Pull(_))
    }

    /// Waits for the first thing to happen and tells the dialogue.
    fn wait(&mut self, bell: &Bell) -> io::Result<()> {
        let waker = bell.waker();
        let mut context = Context::from_waker(&waker);
        loop {
            if self.take_service(&mut context) || self.send_output()? {
                return Ok(());
            }
            let now = clock::now();
            let deadline = self.dialogue.deadline();
            if deadline.is_some_and(|deadline| now >= deadline) {
                self.dialogue.tick(now);
                return Ok(());
            }
            let interest = self.interest();
            let timeout = deadline.map(|deadline| deadline.since(now));
            let is_ready = bell.sleep(self.socket, interest, timeout)?;
            if is_ready && interest == PollFlags::IN && self.read_input()? {
                return Ok(());
            }
        }
    }

    /// What waits for the service, events, the wish to stop; true if the dialogue was told one.
    fn take_service(&mut self, context: &mut Context<'_>) -> bool {
        let now = clock::now();
        if self.take_awaited(now, context) {
            return true;
        }
        if let Poll::Ready(event) = self.service.poll_event(context) {
            self.dialogue.event(now, event);
            return true;
        }
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(context).is_ready()
        {
            self.stop = None;
            self.dialogue.stop(now);
            return true;
        }
        false
    }

    fn take_awaited(&mut self, now: Moment, context: &mut Context<'_>) -> bool {
        match &mut self.waiting {
            Waiting::Nothing => return false,
            Waiting::Answer(future) => match future.as_mut().poll(context) {
                Poll::Ready(answer) => self.dialogue.answer(now, answer),
                Poll::Pending => return false,
            },
            Waiting::Piece(future) => match future.as_mut().poll(context) {
                Poll::Ready(()) => self.dialogue.piece_taken(now),
                Poll::Pending => return false,
            },
            Waiting::Pull(future) => match future.as_mut().poll(context) {
                Poll::Ready(pulled) => self.dialogue.pulled(pulled, self.tap),
                Poll::Pending => return false,
            },
        }
        self.waiting = Waiting::Nothing;
        true
    }

    /// Sends what the socket takes at once; true if something went.
    fn send_output(&mut self) -> io::Result<bool> {
        let mut moved = false;
        while !self.dialogue.output().is_empty() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(self.socket, self.dialogue.output(), flags) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.dialogue.sent(clock::now(), count);
                    moved = true;
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(moved)
    }

    /// What the socket is watched for; nothing while neither way may move.
    fn interest(&self) -> PollFlags {
        if !self.dialogue.output().is_empty() {
            PollFlags::OUT
        } else if !self.is_lending() && self.dialogue.wants_input() {
            PollFlags::IN
        } else {
            PollFlags::empty()
        }
    }

    /// Takes what is there, or the end; true unless there was nothing after all.
    fn read_input(&mut self) -> io::Result<bool> {
        let buffer = self.dialogue.input_buffer();
        if buffer.capacity() == 0 {
            buffer.reserve(INPUT_BYTES_MOST);
        } else if buffer.capacity() - buffer.len() < 1024 {
            buffer.reserve(16 * 1024);
        }
        match recv(self.socket, spare_capacity(buffer), RecvFlags::DONTWAIT) {
            Ok((_, 0)) => self.dialogue.input_ended(),
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

/// Wakes the thread from its sleep: a byte through a pair of sockets, at most one at a time.
struct Bell {
    ear: UnixStream,
    rope: Arc<Rope>,
}

struct Rope {
    socket: UnixStream,
    /// A byte is on its way and not yet heard.
    pulled: AtomicBool,
}

impl Bell {
    fn hang() -> io::Result<Self> {
        let (ear, socket) = UnixStream::pair()?;
        ear.set_nonblocking(true)?;
        socket.set_nonblocking(true)?;
        let pulled = AtomicBool::new(false);
        let rope = Arc::new(Rope { socket, pulled });
        Ok(Self { ear, rope })
    }

    fn waker(&self) -> Waker {
        Waker::from(self.rope.clone())
    }

    /// Sleeps until the bell rings, the socket is ready for `interest` (then true), or the time is
    /// over. Without an interest the socket is not watched: a hang-up would be reported for ever.
    fn sleep(
        &self,
        socket: BorrowedFd<'_>,
        interest: PollFlags,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let mut watched = [
            PollFd::new(&self.ear, PollFlags::IN),
            PollFd::from_borrowed_fd(socket, interest),
        ];
        let count = if interest.is_empty() { 1 } else { 2 };
        match poll(&mut watched[..count], timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if !watched[0].revents().is_empty() {
            self.hear();
        }
        Ok(!watched[1].revents().is_empty())
    }

    /// First the byte, then the mark: rung in between, the futures are polled after it anyway.
    fn hear(&self) {
        let _ = (&self.ear).read(&mut [0; 8]); // nothing to read is as good
        self.rope.pulled.store(false, Ordering::SeqCst);
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.pulled.swap(true, Ordering::SeqCst) {
            let _ = (&self.socket).write(&[0]); // an ear that is gone needs no ringing
        }
    }
}

/// Ends our direction and drops what still comes, for a short while.
fn linger(socket: BorrowedFd<'_>) -> io::Result<()> {
    shutdown(socket, Shutdown::Write)?;
    let end = clock::now().after(LINGER_MOST);
    let mut dropped = [0; 4096];
    let mut count = 0;
    while count < INPUT_BYTES_MOST * 4 {
        let timeout = Timespec::try_from(end.since(clock::now())).map_err(io::Error::other)?;
        let mut watched = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
        if poll(&mut watched, Some(&timeout))? == 0 {
            break;
        }
        match recv(socket, &mut dropped, RecvFlags::DONTWAIT)? {
            (_, 0) => break,
            (_, read) => count += read,
        }
    }
    Ok(())
}
