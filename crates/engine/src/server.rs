//! A server: its listeners and endpoints, and how they stop.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::datagram::{Datagrams, Endpoint, EndpointName};
use crate::limits;
use crate::listener::{Answering, BoundListener, Listener, ListenerStatus, Shared};
use crate::recorder::Recorder;
use crate::tls::ServerTls;

/// Descriptors kept back for files, the store, outgoing calls.
const RESERVED_DESCRIPTORS: u64 = 256;

/// What became of the dialogues that were open when the server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// Ended in their protocol's own words.
    pub finished: u64,
    /// Cut at the deadline.
    pub cut: u64,
}

/// Listeners and endpoints that start and stop together.
pub struct Server {
    shared: Shared,
    listeners: Mutex<Vec<Arc<ListenerStatus>>>,
}

impl Server {
    /// A server without listeners. Raises the limit on descriptors.
    pub fn new(recorder: Recorder) -> Self {
        let room = limits::raise_descriptors()
            .saturating_sub(RESERVED_DESCRIPTORS)
            .max(16);
        Self {
            shared: Shared {
                recorder,
                stop: CancellationToken::new(),
                cut: CancellationToken::new(),
                connections: TaskTracker::new(),
                finished: Arc::new(AtomicU64::new(0)),
                cut_off: Arc::new(AtomicU64::new(0)),
                room: Arc::new(AtomicUsize::new(
                    usize::try_from(room).unwrap_or(usize::MAX),
                )),
            },
            listeners: Mutex::new(Vec::new()),
        }
    }

    /// Begins to accept. `tls` serves STARTTLS, or the whole connection under implicit TLS.
    pub fn serve<A: Answering>(
        &self,
        bound: BoundListener,
        answering: Arc<A>,
        tls: Option<ServerTls>,
    ) -> io::Result<Arc<ListenerStatus>> {
        let status = Arc::new(ListenerStatus {
            settings: bound.settings.clone(),
            local: bound.local()?,
            protocol: answering.protocol(),
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
            closing: self.shared.stop.child_token(),
        });
        let shared = self.shared.clone();
        let socket = TcpListener::from_std(bound.socket)?;
        let listener = Listener {
            socket,
            answering,
            tls,
            status: status.clone(),
            shared,
        };
        tokio::spawn(listener.run());
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(status.clone());
        Ok(status)
    }

    /// Begins to answer datagrams.
    pub fn serve_datagrams<D: Datagrams>(
        &self,
        socket: std::net::UdpSocket,
        datagrams: Arc<D>,
        organisation: Arc<str>,
        service: Arc<str>,
    ) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let endpoint = Endpoint {
            socket: Arc::new(UdpSocket::from_std(socket)?),
            datagrams,
            recorder: self.shared.recorder.clone(),
            name: EndpointName {
                organisation,
                service,
            },
            stop: self.shared.stop.clone(),
        };
        tokio::spawn(async move {
            if let Err(error) = endpoint.run().await {
                tracing::error!("datagram endpoint ended: {error}");
            }
        });
        Ok(())
    }

    /// All listeners.
    pub fn listeners(&self) -> Vec<Arc<ListenerStatus>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Cancelled when the server begins to stop: for queue runners and other work beside it.
    pub fn stopping(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Stops: no more is accepted, every dialogue is told, and what has not ended after `drain`, or
    /// when [`Server::cut`] is called, is cut.
    pub async fn stop(&self, drain: Duration) -> StopReport {
        let Shared {
            stop,
            cut,
            connections,
            ..
        } = &self.shared;
        stop.cancel();
        connections.close();
        let _ = tokio::time::timeout(drain, connections.wait()).await; // the rest is cut
        cut.cancel();
        connections.wait().await;
        StopReport {
            finished: self.shared.finished.load(Ordering::Relaxed),
            cut: self.shared.cut_off.load(Ordering::Relaxed),
        }
    }

    /// Cuts every dialogue under way: a [`Server::stop`] that is waiting ends at once.
    pub fn cut(&self) {
        self.shared.stop.cancel();
        self.shared.cut.cancel();
    }
}
