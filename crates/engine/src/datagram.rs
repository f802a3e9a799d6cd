//! Datagram endpoints: a query in, at most one answer out, each pair an exchange.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use guichet_proto::About;
use guichet_proto::session::{Tap, Tapped};
use guichet_trace::{Direction, ExchangeId, Level, Mode, Role, Transport, Verb};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::recorder::{Beginning, Exchange, Recorder};

/// Larger than any datagram.
const DATAGRAM_BYTES_MOST: usize = 65_535;
/// Queries of one endpoint that may wait for an answer at a time; beyond, they are dropped as UDP
/// may drop them.
const WAITING_MOST: usize = 1024;

/// After an error of the socket itself, so long a pause: a lasting one must not take a core.
const PAUSE: Duration = Duration::from_millis(5);

/// Answers datagrams.
pub trait Datagrams: Send + Sync + 'static {
    /// The protocol's name in the trace.
    fn protocol(&self) -> &'static str;

    /// Answers a query, writing into `out` (which is empty) when the answer is at hand.
    fn answer(
        &self,
        query: &[u8],
        peer: SocketAddr,
        exchange: Option<ExchangeId>,
        out: &mut Vec<u8>,
    ) -> Handled;

    /// What the trace shall say of a datagram.
    fn about(&self, direction: Direction, datagram: &[u8]) -> About;
}

/// What became of a query.
pub enum Handled {
    /// The answer is in the buffer.
    Answered,
    /// There will be none.
    Silent,
    /// It comes later; `None`: there will be none.
    Later(Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>>),
}

/// Binds a datagram socket. IPv6 sockets take IPv6 only, so that both can be bound side by side.
pub fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Who an endpoint is, for the trace.
#[derive(Clone, Debug)]
pub(crate) struct EndpointName {
    pub(crate) organisation: Arc<str>,
    pub(crate) service: Arc<str>,
}

pub(crate) struct Endpoint<D> {
    pub(crate) socket: Arc<UdpSocket>,
    pub(crate) datagrams: Arc<D>,
    pub(crate) recorder: Recorder,
    pub(crate) name: EndpointName,
    pub(crate) stop: CancellationToken,
}

impl<D: Datagrams> Endpoint<D> {
    /// Answers until told to stop.
    pub(crate) async fn run(self) -> io::Result<()> {
        let local = self.socket.local_addr()?;
        let waiting = Arc::new(Semaphore::new(WAITING_MOST));
        let mut query = vec![0; DATAGRAM_BYTES_MOST];
        let mut out = Vec::with_capacity(1500);
        loop {
            let (length, peer) = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                received = self.socket.recv_from(&mut query) => match received {
                    Ok(received) => received,
                    // Memory is short, the network is down: nothing to do with the next one.
                    Err(error) => {
                        tracing::debug!(%error, "datagram endpoint");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                },
            };
            // One query that brings the code down must not take the endpoint along. Its exchange
            // records the panic as it is dropped; the buffer is cleared before it is used again.
            let handle = || self.handle(&query[..length], peer, local, &mut out, &waiting);
            if catch_unwind(AssertUnwindSafe(handle)).is_err() {
                tracing::error!(%peer, service = %self.name.service, "a datagram caused a panic");
            }
        }
    }

    fn handle(
        &self,
        query: &[u8],
        peer: SocketAddr,
        local: SocketAddr,
        out: &mut Vec<u8>,
        waiting: &Arc<Semaphore>,
    ) {
        out.clear();
        let mut exchange = self.begin(local, peer);
        if let Some(exchange) = &mut exchange {
            show(
                exchange,
                Direction::Received,
                query,
                self.datagrams.as_ref(),
            );
        }
        let id = exchange.as_ref().map(Exchange::id);
        match self.datagrams.answer(query, peer, id, out) {
            Handled::Answered => {
                // Recorded before it is sent: what the client does next comes after it.
                finish(exchange, Some(out), self.datagrams.as_ref());
                // A full send buffer drops the answer, as the network might: the client asks again.
                let _ = self.socket.try_send_to(out, peer);
            }
            Handled::Silent => finish(exchange, None, self.datagrams.as_ref()),
            Handled::Later(answer) => {
                let Ok(permit) = waiting.clone().try_acquire_owned() else {
                    finish(exchange, None, self.datagrams.as_ref());
                    return;
                };
                let (socket, datagrams) = (self.socket.clone(), self.datagrams.clone());
                tokio::spawn(async move {
                    let answer = answer.await;
                    finish(exchange, answer.as_ref(), datagrams.as_ref());
                    if let Some(answer) = &answer {
                        let _ = socket.send_to(answer, peer).await; // as above
                    }
                    drop(permit);
                });
            }
        }
    }

    fn begin(&self, local: SocketAddr, peer: SocketAddr) -> Option<Exchange> {
        (self.recorder.level() > Level::Off).then(|| {
            self.recorder.begin(Beginning {
                protocol: self.datagrams.protocol(),
                transport: Transport::Udp,
                role: Role::Server,
                local,
                remote: peer,
                named: String::new(),
                organisation: self.name.organisation.clone(),
                service: self.name.service.clone(),
                mode: Mode::Event,
                causes: Vec::new(),
            })
        })
    }
}

/// Shows a datagram to the trace.
fn show<D: Datagrams>(exchange: &mut Exchange, direction: Direction, bytes: &[u8], datagrams: &D) {
    exchange.message(tapped(&datagrams.about(direction, bytes), direction, bytes));
}

/// A datagram as the tap sees it.
pub(crate) fn tapped<'a>(about: &'a About, direction: Direction, bytes: &'a [u8]) -> Tapped<'a> {
    Tapped {
        at: clock::now(),
        direction,
        part: 1,
        about,
        bytes,
        size: bytes.len() as u64,
        before: "",
        after: "",
    }
}

fn finish<D: Datagrams>(exchange: Option<Exchange>, answer: Option<&Vec<u8>>, datagrams: &D) {
    let Some(mut exchange) = exchange else { return };
    match answer {
        Some(answer) => {
            show(&mut exchange, Direction::Sent, answer, datagrams);
            exchange.end(Verb::new("done"), String::new());
        }
        None => exchange.end(Verb::new("silent"), String::new()),
    }
}
