//! Listeners: a bounded queue in the kernel, our own admission behind it, a task a connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use guichet_proto::{Service, Session};
use guichet_trace::{Level, Mode, Role, Transport, Verb};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{Arrival, Connection, Ending, TlsUse, secure};
use crate::recorder::{Beginning, Exchange, Recorder};
use crate::tls::ServerTls;
use crate::wire::Wire;

/// Makes the two ends of the logic for each connection that arrives.
pub trait Answering: Send + Sync + 'static {
    /// The protocol.
    type Session: Session<Ask: Send, Answer: Send> + Send + 'static;
    /// The decisions.
    type Service: Service<Ask = <Self::Session as Session>::Ask, Answer = <Self::Session as Session>::Answer>
        + 'static;

    /// The protocol's name in the trace.
    fn protocol(&self) -> &'static str;

    /// Someone has arrived.
    fn begin(&self, arrival: &Arrival) -> (Self::Session, Self::Service);

    /// What to say, in the protocol's words, when there is no room.
    fn refusal(&self) -> Vec<u8>;

    /// The most that may be recorded of these dialogues. Looking at the trace, for instance, would
    /// otherwise fill it.
    fn level_most(&self) -> Level {
        Level::Full
    }
}

/// One listening address.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// The service's name: `smtp`, `submission` …
    pub service: Arc<str>,
    /// Whose it is.
    pub organisation: Arc<str>,
    /// Where.
    pub address: SocketAddr,
    /// Length of the kernel's queue of connections not yet accepted. Linux admits one more, and
    /// beyond it lets SYNs wait rather than refusing them.
    pub backlog: u32,
    /// Connections served at a time; whoever comes beyond is refused politely.
    pub most: usize,
    /// TLS begins at once.
    pub implicit_tls: bool,
}

/// What a listener is doing, counted since it began.
#[derive(Debug)]
pub struct ListenerStatus {
    /// How it was set up.
    pub settings: ListenerSettings,
    /// Where it really listens (the port, when the system chose it).
    pub local: SocketAddr,
    /// The protocol's name.
    pub protocol: &'static str,
    /// Connections open now.
    pub open: AtomicUsize,
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections refused by our own admission.
    pub refused: AtomicU64,
    /// Dialogues that ended by a panic.
    pub panicked: AtomicU64,
    /// Cancelled, it ends this listener alone: nothing more is accepted, the socket closes.
    /// Dialogues under way go on.
    pub closing: CancellationToken,
}

/// A bound listening socket. The address is taken; nothing is accepted yet. Needs no runtime, so
/// that privileges can be dropped between binding and serving.
pub struct BoundListener {
    pub(crate) socket: std::net::TcpListener,
    pub(crate) settings: ListenerSettings,
}

impl BoundListener {
    /// Binds and listens. IPv6 sockets take IPv6 only, so that both can be bound side by side.
    pub fn bind(settings: ListenerSettings) -> io::Result<Self> {
        let address = settings.address;
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // Connections of an earlier run in TIME_WAIT must not keep the port from us.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(settings.backlog).unwrap_or(i32::MAX))?;
        Ok(Self {
            socket: socket.into(),
            settings,
        })
    }

    /// Where it listens.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// What every listener of a server shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) recorder: Recorder,
    pub(crate) stop: CancellationToken,
    pub(crate) cut: CancellationToken,
    pub(crate) connections: TaskTracker,
    /// Dialogues that ended by themselves after the stop began.
    pub(crate) finished: Arc<AtomicU64>,
    /// Dialogues that did not, and were cut.
    pub(crate) cut_off: Arc<AtomicU64>,
    /// Descriptors that may still be used for connections.
    pub(crate) room: Arc<AtomicUsize>,
}

pub(crate) struct Listener<A> {
    pub(crate) socket: TcpListener,
    pub(crate) answering: Arc<A>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) status: Arc<ListenerStatus>,
    pub(crate) shared: Shared,
}

impl<A: Answering> Listener<A> {
    /// Accepts until told to stop. The socket closes when this returns.
    pub(crate) async fn run(self) {
        let mut spare = spare_descriptor();
        let mut pause = PAUSE_LEAST;
        let this = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                biased;
                () = this.status.closing.cancelled() => return,
                accepted = this.socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    pause = PAUSE_LEAST;
                    this.clone().admit(socket, peer);
                }
                // The peer gave up while it waited; the next one may be fine.
                Err(error) if is_the_peers(&error) => {
                    tracing::debug!(address = %this.status.local, "accept: {error}");
                }
                Err(error) if is_out_of_descriptors(&error) => {
                    // Give the spare up, take whoever waits and let it go: it learns at once, and
                    // the loop does not spin on a queue that stays full.
                    drop(spare.take());
                    if let Ok(Ok((socket, _))) =
                        tokio::time::timeout(PAUSE_LEAST, this.socket.accept()).await
                    {
                        this.status.refused.fetch_add(1, Ordering::Relaxed);
                        drop(socket);
                    }
                    spare = spare_descriptor();
                    tracing::warn!(address = %this.status.local, "out of descriptors: {error}");
                    this.rest(&mut pause).await;
                }
                // Out of memory, say: asking again at once would only take a core as well.
                Err(error) => {
                    tracing::warn!(address = %this.status.local, "accept: {error}");
                    this.rest(&mut pause).await;
                }
            }
        }
    }

    /// Waits longer each time, but not for longer than the listener lives.
    async fn rest(&self, pause: &mut Duration) {
        let closing = self.status.closing.cancelled();
        let _ = tokio::time::timeout(*pause, closing).await;
        *pause = (*pause * 2).min(PAUSE_MOST);
    }

    fn admit(self: Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let _ = socket.set_nodelay(true); // only slower without
        let status = &self.status;
        let open = status.open.fetch_add(1, Ordering::Relaxed);
        let room = self
            .shared
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(1)
            });
        let place = Place {
            status: status.clone(),
            shared: self.shared.clone(),
            room: room.is_ok(),
        };
        if open >= status.settings.most || room.is_err() {
            self.refuse(socket, peer);
            return;
        }
        status.accepted.fetch_add(1, Ordering::Relaxed);
        let cut = self.shared.cut.clone();
        self.shared.connections.clone().spawn(async move {
            let serving = Box::pin(self.serve(socket, peer));
            let finished = cut.run_until_cancelled(serving).await.is_some();
            if place.shared.stop.is_cancelled() {
                let count = match finished {
                    true => &place.shared.finished,
                    false => &place.shared.cut_off,
                };
                count.fetch_add(1, Ordering::Relaxed);
            }
            drop(place);
        });
    }

    async fn serve(&self, socket: TcpStream, peer: SocketAddr) {
        let mut wire = Wire::new(socket);
        let Ok(local) = wire.local() else { return };
        let exchange = self.exchange(local, peer);
        let secured = Arc::new(OnceLock::new());
        let tls = self.tls.clone().map_or(TlsUse::None, TlsUse::Server);
        if self.status.settings.implicit_tls
            && let Err(error) = Box::pin(secure(
                &mut wire,
                &tls,
                &exchange,
                &secured,
                &self.shared.stop,
            ))
            .await
        {
            exchange.end(Verb::new("tls"), error.to_string());
            return;
        }
        let arrival = Arrival {
            exchange: exchange.id(),
            peer,
            local,
            secured: secured.clone(),
        };
        let (session, service) = self.answering.begin(&arrival);
        let stop = self.shared.stop.clone();
        let connection = Connection::new(wire, session, service, exchange, secured, tls, stop);
        let (_, _, ending) = connection.run().await;
        if let Ending::Broken(error) = ending {
            tracing::debug!(%peer, service = %self.status.settings.service, "connection: {error}");
        }
    }

    /// Says so politely and closes. Only into an empty send buffer: nobody waits for a refusal.
    fn refuse(&self, socket: TcpStream, peer: SocketAddr) {
        self.status.refused.fetch_add(1, Ordering::Relaxed);
        let words = self.answering.refusal();
        if !self.status.settings.implicit_tls {
            let _ = socket.try_write(&words); // best effort by design
            // Closed with bytes unread, the connection would be reset under our words.
            let mut unread = [0; 4096];
            for _ in 0..REFUSED_READS_MOST {
                match socket.try_read(&mut unread) {
                    Ok(count) if count > 0 => {}
                    _ => break,
                }
            }
        }
        if let Ok(local) = socket.local_addr() {
            let text = String::from_utf8_lossy(&words).trim_end().to_owned();
            self.exchange(local, peer).end(Verb::new("refused"), text);
        }
    }

    fn exchange(&self, local: SocketAddr, peer: SocketAddr) -> Exchange {
        let level_most = self.answering.level_most();
        self.shared.recorder.begin_at_most(
            level_most,
            Beginning {
                protocol: self.answering.protocol(),
                transport: Transport::Tcp,
                role: Role::Server,
                local,
                remote: peer,
                named: String::new(),
                organisation: self.status.settings.organisation.clone(),
                service: self.status.settings.service.clone(),
                mode: Mode::Event,
                causes: Vec::new(),
            },
        )
    }
}

/// A connection's place; giving it back also counts a panic.
struct Place {
    status: Arc<ListenerStatus>,
    shared: Shared,
    room: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.status.open.fetch_sub(1, Ordering::Relaxed);
        if self.room {
            self.shared.room.fetch_add(1, Ordering::Relaxed);
        }
        if std::thread::panicking() {
            self.status.panicked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

const PAUSE_LEAST: Duration = Duration::from_millis(5);
const PAUSE_MOST: Duration = Duration::from_secs(1);
/// What a refused client has sent already is taken off its connection up to so many reads.
const REFUSED_READS_MOST: usize = 16;

/// Whether accepting failed because of this one connection.
fn is_the_peers(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let own = [Errno::CONNABORTED, Errno::PERM, Errno::PROTO, Errno::INTR];
    own.iter()
        .any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(rustix::io::Errno::MFILE.raw_os_error())
        || code == Some(rustix::io::Errno::NFILE.raw_os_error())
}

fn spare_descriptor() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}
