//! A socket with or without TLS on it, polled. rustls is driven directly, so that STARTTLS is one
//! field and the dialogue always sees clear text.

use std::io::{self, BufRead, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use guichet_trace::Secured;
use rustls::{ClientConnection, Connection, ServerConnection};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::{ClientTls, JOIN_LABEL, ServerTls};

pub(crate) struct Wire {
    socket: TcpStream,
    tls: Option<Box<Connection>>,
    /// The peer ended its direction with close_notify or FIN.
    ended: bool,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            tls: None,
            ended: false,
        }
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Begins TLS as the server; the handshake follows by [`Wire::poll_handshake`].
    pub(crate) fn accept_tls(&mut self, tls: &ServerTls) -> Result<(), rustls::Error> {
        let connection = ServerConnection::new(tls.config.clone())?;
        self.tls = Some(Box::new(connection.into()));
        Ok(())
    }

    /// Begins TLS as the client.
    pub(crate) fn start_tls(
        &mut self,
        tls: &ClientTls,
        name: ServerName<'static>,
    ) -> Result<(), rustls::Error> {
        let connection = ClientConnection::new(Arc::clone(&tls.config), name)?;
        self.tls = Some(Box::new(connection.into()));
        Ok(())
    }

    /// Goes on with the handshake until it is done.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(tls) = &mut self.tls else {
                return Poll::Ready(Ok(()));
            };
            while tls.wants_write() {
                ready!(poll_write_tls(tls, &mut self.socket, context))?;
            }
            if !tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(poll_read_tls(tls, &mut self.socket, context))? == 0 {
                // Not an empty read to try again: that would spin.
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Facts of the handshake.
    pub(crate) fn secured(&self) -> Option<Secured> {
        let tls = self.tls.as_deref()?;
        let mut key = [0; 16];
        tls.export_keying_material(&mut key, JOIN_LABEL, None)
            .ok()?;
        let server_name = match tls {
            Connection::Server(server) => server.server_name().unwrap_or_default().to_owned(),
            Connection::Client(_) => String::new(),
        };
        Some(Secured {
            version: tls
                .protocol_version()
                .and_then(|version| version.as_str())
                .unwrap_or("TLS")
                .replace("TLSv1_", "TLSv1."),
            // rustls marks the suites of TLS 1.3; IANA's names do not.
            cipher: tls
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("?")
                .replace("TLS13_", "TLS_"),
            server_name,
            key,
        })
    }

    /// Appends what arrived to `into`; 0 bytes mean the peer has ended.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let Some(tls) = &mut self.tls else {
            let socket = Pin::new(&mut self.socket);
            return tokio_util::io::poll_read_buf(socket, context, into);
        };
        loop {
            let mut reader = tls.reader();
            match reader.fill_buf() {
                Ok([]) => return Poll::Ready(Ok(0)),
                Ok(clear) => {
                    let count = clear.len();
                    into.extend_from_slice(clear);
                    reader.consume(count);
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer closed without close_notify. Every protocol here knows its own end
                // (a dot, a length, QUIT); a body that only ends with the connection does not.
                Err(error) => return Poll::Ready(Err(error)),
            }
            if self.ended {
                return Poll::Ready(Ok(0));
            }
            if ready!(poll_read_tls(tls, &mut self.socket, context))? == 0 {
                self.ended = true;
            }
            while tls.wants_write() {
                // Tickets, key updates, alerts. If the socket is full they go with the next write.
                match poll_write_tls(tls, &mut self.socket, context) {
                    Poll::Ready(done) => done?,
                    Poll::Pending => break,
                };
            }
        }
    }

    /// Takes bytes to send; the count is what it took.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(tls) = &mut self.tls else {
            return Pin::new(&mut self.socket).poll_write(context, bytes);
        };
        while tls.wants_write() {
            ready!(poll_write_tls(tls, &mut self.socket, context))?;
        }
        let count = tls.writer().write(bytes)?;
        // What the socket does not take now goes first next time, or by `poll_flush`.
        while tls.wants_write() {
            match poll_write_tls(tls, &mut self.socket, context) {
                Poll::Ready(done) => done?,
                Poll::Pending => break,
            };
        }
        Poll::Ready(Ok(count))
    }

    /// Sends what TLS still holds.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                ready!(poll_write_tls(tls, &mut self.socket, context))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the sending direction: close_notify, then FIN.
    pub(crate) fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        ready!(self.poll_flush(context))?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

fn poll_read_tls(
    tls: &mut Connection,
    socket: &mut TcpStream,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let count = match tls.read_tls(&mut Polled { socket, context }) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
        other => other?,
    };
    if let Err(error) = tls.process_new_packets() {
        // The alert that says why; the connection is lost either way.
        let _ = tls.write_tls(&mut Polled { socket, context });
        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
    }
    Poll::Ready(Ok(count))
}

fn poll_write_tls(
    tls: &mut Connection,
    socket: &mut TcpStream,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    match tls.write_tls(&mut Polled { socket, context }) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        other => Poll::Ready(other),
    }
}

/// A polled socket as the blocking reader and writer that rustls wants.
struct Polled<'a, 'b> {
    socket: &'a mut TcpStream,
    context: &'a mut Context<'b>,
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(into);
        match Pin::new(&mut *self.socket).poll_read(self.context, &mut buffer) {
            Poll::Ready(done) => done.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write(self.context, bytes) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
