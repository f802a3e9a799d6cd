//! The one way out: every outgoing connection and datagram.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use guichet_proto::session::Tap;
use guichet_proto::{About, Service, Session};
use guichet_trace::{Cause, Direction, ExchangeId, Mode, Role, Transport, Verb};
use rustls_pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Ending, TlsUse, secure};
use crate::datagram::tapped;
use crate::recorder::{Beginning, Exchange, Recorder};
use crate::tls::ClientTls;
use crate::wire::Wire;

/// A connection that does not come about within this time is given up: RFC 5321 4.5.3.2 wants
/// minutes for replies, not for SYNs; Linux repeats five SYNs in this time.
pub const CONNECT_MOST: Duration = Duration::from_secs(30);

/// Opens connections and sends datagrams, through the configured map.
#[derive(Clone)]
pub struct Dial {
    map: Arc<HashMap<String, SocketAddr>>,
    source: Option<IpAddr>,
    recorder: Recorder,
    stop: CancellationToken,
}

/// Where to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Address and standard port; the map may lead elsewhere.
    pub address: SocketAddr,
    /// The name it was found under; empty if it was an address from the start.
    pub host: String,
}

/// How to call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where to.
    pub target: Target,
    /// Who calls: the organisation; empty for a person's program.
    pub organisation: Arc<str>,
    /// Which part of it: `queue`, `resolver`, `guichet get` …
    pub service: Arc<str>,
    /// What led to it.
    pub causes: Vec<Cause>,
    /// TLS to use at once or when the session asks for it, and the name to ask for.
    pub tls: Option<(ClientTls, ServerName<'static>)>,
    /// TLS begins at once.
    pub implicit_tls: bool,
}

/// What came of a call.
pub struct Finished<S, V> {
    /// The session, with its outcome.
    pub session: S,
    /// The service, with what it collected.
    pub service: V,
    /// How the connection ended.
    pub ending: Ending,
    /// The exchange in the trace.
    pub exchange: ExchangeId,
}

/// Why a call did not come about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No connection.
    #[error("{address} does not answer: {error}")]
    Connect {
        /// The address really tried.
        address: SocketAddr,
        /// Why.
        error: io::Error,
        /// The exchange in the trace.
        exchange: ExchangeId,
    },
    /// TLS at the start failed.
    #[error("{address}: TLS failed: {error}")]
    Tls {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
        /// The exchange in the trace.
        exchange: ExchangeId,
    },
}

impl Dial {
    /// `map` leads from `host:port` or `address:port` to the address to use instead. `source` is
    /// the address to call from (targets of the other family go out as the system chooses).
    pub fn new(
        map: HashMap<String, SocketAddr>,
        source: Option<IpAddr>,
        recorder: Recorder,
        stop: CancellationToken,
    ) -> Self {
        Self {
            map: Arc::new(map),
            source,
            recorder,
            stop,
        }
    }

    /// Where a target really is: by host name first, then by address.
    pub fn mapped(&self, target: &Target) -> SocketAddr {
        let port = target.address.port();
        let by_host = format!(
            "{}:{port}",
            target.host.trim_end_matches('.').to_lowercase()
        );
        *self
            .map
            .get(&by_host)
            .or_else(|| self.map.get(&target.address.to_string()))
            .unwrap_or(&target.address)
    }

    /// Connects and drives the session to its end. The closure makes session and service once the
    /// exchange has its id.
    pub async fn run<S, V>(
        &self,
        protocol: &'static str,
        call: Call,
        make: impl FnOnce(ExchangeId) -> (S, V),
    ) -> Result<Finished<S, V>, DialError>
    where
        S: Session,
        V: Service<Ask = S::Ask, Answer = S::Answer>,
    {
        let address = self.mapped(&call.target);
        let connected = match tokio::time::timeout(CONNECT_MOST, self.connect(address)).await {
            Ok(connected) => connected,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let socket = match connected {
            Ok(socket) => socket,
            Err(error) => {
                let exchange =
                    self.begin(protocol, Transport::Tcp, &call, unbound(address), address);
                let id = exchange.id();
                exchange.end(Verb::new("unreachable"), error.to_string());
                return Err(DialError::Connect {
                    address,
                    error,
                    exchange: id,
                });
            }
        };
        let _ = socket.set_nodelay(true); // only slower without
        let mut wire = Wire::new(socket);
        let local = wire.local().unwrap_or_else(|_| unbound(address));
        let exchange = self.begin(protocol, Transport::Tcp, &call, local, address);
        let id = exchange.id();
        let secured = Arc::new(OnceLock::new());
        let tls = call
            .tls
            .map_or(TlsUse::None, |(tls, name)| TlsUse::Client(tls, name));
        if call.implicit_tls
            && let Err(error) = secure(&mut wire, &tls, &exchange, &secured, &self.stop).await
        {
            exchange.end(Verb::new("tls"), error.to_string());
            return Err(DialError::Tls {
                address,
                error,
                exchange: id,
            });
        }
        let (session, service) = make(id);
        let stop = self.stop.clone();
        let connection = Connection::new(wire, session, service, exchange, secured, tls, stop);
        let (session, service, ending) = connection.run().await;
        Ok(Finished {
            session,
            service,
            ending,
            exchange: id,
        })
    }

    /// Sends one datagram from a fresh port and waits for the first answer that `fits` (told the
    /// exchange and the bytes); others, late or forged, are ignored.
    pub async fn datagram(
        &self,
        protocol: &'static str,
        call: &Call,
        query: &[u8],
        wait: Duration,
        about: impl Fn(Direction, &[u8]) -> About,
        mut fits: impl FnMut(ExchangeId, &[u8]) -> bool,
    ) -> (ExchangeId, io::Result<Vec<u8>>) {
        let address = self.mapped(&call.target);
        let socket = match self.socket_towards(address).await {
            Ok(socket) => socket,
            Err(error) => {
                let exchange =
                    self.begin(protocol, Transport::Udp, call, unbound(address), address);
                let id = exchange.id();
                exchange.end(Verb::new("unreachable"), error.to_string());
                return (id, Err(error));
            }
        };
        let local = socket.local_addr().unwrap_or_else(|_| unbound(address));
        let mut exchange = self.begin(protocol, Transport::Udp, call, local, address);
        let id = exchange.id();
        exchange.message(tapped(
            &about(Direction::Sent, query),
            Direction::Sent,
            query,
        ));
        let answered = async {
            socket.send(query).await?;
            let mut buffer = vec![0; 65_535];
            loop {
                let length = socket.recv(&mut buffer).await?;
                if fits(id, &buffer[..length]) {
                    buffer.truncate(length);
                    return io::Result::Ok(buffer);
                }
            }
        };
        let result = match tokio::time::timeout(wait, answered).await {
            Ok(result) => result,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        match &result {
            Ok(answer) => {
                let about = about(Direction::Received, answer);
                exchange.message(tapped(&about, Direction::Received, answer));
                exchange.end(Verb::new("done"), String::new());
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                exchange.end(Verb::new("timeout"), String::new());
            }
            Err(error) => exchange.end(Verb::new("unreachable"), error.to_string()),
        }
        (id, result)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(source) = self.source_towards(address) {
            socket.bind(source)?;
        }
        socket.connect(address).await
    }

    /// A socket on a port the system draws at random, that takes datagrams from `towards` only.
    async fn socket_towards(&self, towards: SocketAddr) -> io::Result<UdpSocket> {
        let source = self
            .source_towards(towards)
            .unwrap_or_else(|| unbound(towards));
        let socket = UdpSocket::bind(source).await?;
        socket.connect(towards).await?;
        Ok(socket)
    }

    fn source_towards(&self, towards: SocketAddr) -> Option<SocketAddr> {
        let source = self
            .source
            .filter(|source| source.is_ipv4() == towards.is_ipv4())?;
        Some(SocketAddr::new(source, 0))
    }

    fn begin(
        &self,
        protocol: &'static str,
        transport: Transport,
        call: &Call,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Exchange {
        let port = call.target.address.port();
        let named = match call.target.host.is_empty() {
            true if remote == call.target.address => String::new(),
            true => format!("{} port {port}", call.target.address.ip()),
            false => format!("{} port {port}", call.target.host),
        };
        self.recorder.begin(Beginning {
            protocol,
            transport,
            role: Role::Client,
            local,
            remote,
            named,
            organisation: call.organisation.clone(),
            service: call.service.clone(),
            mode: Mode::Event,
            causes: call.causes.clone(),
        })
    }
}

fn unbound(towards: SocketAddr) -> SocketAddr {
    let any: IpAddr = match towards {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(any, 0)
}
