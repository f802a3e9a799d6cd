//! `guichet connect HOST PORT`: keyboard and socket at once.
//!
//! A line typed at a terminal is sent with CR LF; a pipe passes unchanged. The end of input closes
//! our half, and what still arrives is printed. On a terminal control characters are made visible.
//! Two threads, each with one direction: nothing waits for the other.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::reach::{self, CONNECT_DEADLINE};
use crate::cli::Connect as Args;
use crate::output::{Failure, Message, Outcome, Output};

/// Over UDP nothing says that no more will come: after the end of input, silence this long does.
const SILENCE: Duration = Duration::from_secs(1);

/// Largest datagram.
const DATAGRAM_MAX_BYTES: usize = 65_507;

/// Connects and passes both directions until the other side ends.
pub(super) fn run(args: &Args, output: &Output<'_>) -> Outcome {
    let mut addresses = Vec::new();
    super::wait(async {
        addresses = reach::addresses(&args.host, args.port).await?;
        Ok(())
    })?;
    match args.udp {
        true => udp(args, &addresses, output),
        false => tcp(args, &addresses, output),
    }
}

fn tcp(args: &Args, addresses: &[SocketAddr], output: &Output<'_>) -> Outcome {
    let (stream, peer) = reach_tcp(args, addresses)?;
    say_where(peer, output);
    let broken = |error: &io::Error| broken(args, error);
    let mut sender = stream.try_clone().map_err(|error| broken(&error))?;
    std::thread::spawn(move || {
        // What cannot be sent, the receiving side notices, too: it ends the command.
        let _ = send(|bytes| sender.write_all(bytes));
        let _ = sender.shutdown(Shutdown::Write);
    });
    let mut screen = Screen::new();
    let mut stream = stream;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => output.bytes(&screen.shown(&buffer[..length]))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(&error)),
        }
    }
    output.bytes(&screen.rest())?;
    output.note(&output.say("connect-closed", &[]));
    Ok(())
}

fn reach_tcp(args: &Args, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT_DEADLINE) {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) => last = error,
        }
    }
    Err(reach::unreachable(&args.host, args.port, &last))
}

fn udp(args: &Args, addresses: &[SocketAddr], output: &Output<'_>) -> Outcome {
    let broken = |error: &io::Error| broken(args, error);
    // A name has at least one address.
    let peer = addresses
        .first()
        .ok_or_else(|| broken(&io::ErrorKind::NotFound.into()))?;
    let own = match peer {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(own).map_err(|error| broken(&error))?;
    socket.connect(peer).map_err(|error| broken(&error))?;
    socket
        .set_read_timeout(Some(SILENCE))
        .map_err(|error| broken(&error))?;
    say_where(*peer, output);
    let ended = Arc::new(AtomicBool::new(false));
    let sender = socket.try_clone().map_err(|error| broken(&error))?;
    let told = Arc::clone(&ended);
    std::thread::spawn(move || {
        // A refusal comes back as an error of the receiving side.
        let _ = send(|bytes| sender.send(bytes).map(|_| ()));
        told.store(true, Ordering::Release);
    });
    let mut screen = Screen::new();
    let mut buffer = vec![0; DATAGRAM_MAX_BYTES];
    loop {
        // Asked before waiting: what is sent last has the whole silence to be answered in.
        let was_ended = ended.load(Ordering::Acquire);
        match socket.recv(&mut buffer) {
            Ok(length) => output.bytes(&screen.shown(&buffer[..length]))?,
            Err(error) if is_silence(&error) && was_ended => return output.bytes(&screen.rest()),
            Err(error) if is_silence(&error) => {}
            Err(error) => return Err(broken(&error)),
        }
    }
}

fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Passes standard input on, line by line from a terminal, as it comes from a pipe.
fn send(mut pass: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let input = io::stdin();
    if input.is_terminal() {
        return input
            .lock()
            .lines()
            .try_for_each(|line| pass(format!("{}\r\n", line?).as_bytes()));
    }
    let mut buffer = vec![0; DATAGRAM_MAX_BYTES];
    loop {
        match input.lock().read(&mut buffer)? {
            0 => return Ok(()),
            length => pass(&buffer[..length])?,
        }
    }
}

fn say_where(peer: SocketAddr, output: &Output<'_>) {
    let key = if io::stdin().is_terminal() {
        "connect-typing"
    } else {
        "connect-where"
    };
    output.note(&output.say(key, &[("peer", &peer.to_string())]));
}

fn broken(args: &Args, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return reach::unreachable(&args.host, args.port, error);
    }
    Failure::failed(
        Message::new("connect-broken")
            .with("host", args.host.as_str())
            .with_shown("port", args.port)
            .with("why", error),
    )
}

/// What arrives, as it may be printed: unchanged into a pipe, made safe for a terminal.
struct Screen {
    terminal: bool,
    /// The beginning of a character, or a CR, whose rest has not come yet.
    held: Vec<u8>,
}

impl Screen {
    fn new() -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
            held: Vec::new(),
        }
    }

    fn shown(&mut self, bytes: &[u8]) -> Vec<u8> {
        if !self.terminal {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        let whole = whole(&self.held);
        let ready: Vec<u8> = self.held.drain(..whole).collect();
        safe(&ready).into_bytes()
    }

    fn rest(&mut self) -> Vec<u8> {
        safe(&std::mem::take(&mut self.held)).into_bytes()
    }
}

/// How many bytes there are before a character, or a line's end, that has not come whole.
fn whole(bytes: &[u8]) -> usize {
    if bytes.last() == Some(&b'\r') {
        return bytes.len() - 1;
    }
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // After something that is no text at all the end may be cut, too; it is at most 3 bytes.
        _ => bytes.len(),
    }
}

/// Lines stay lines; everything else a terminal would obey, or that is no text, is made visible.
fn safe(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        let mut lines = chunk.valid().split('\n').peekable();
        while let Some(line) = lines.next() {
            let ends = lines.peek().is_some();
            let line = if ends {
                line.strip_suffix('\r').unwrap_or(line)
            } else {
                line
            };
            out.push_str(&guichet_trace::visible(line));
            if ends {
                out.push('\n');
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_terminal(pieces: &[&[u8]]) -> String {
        let mut screen = Screen {
            terminal: true,
            held: Vec::new(),
        };
        let mut out = Vec::new();
        pieces
            .iter()
            .for_each(|piece| out.extend(screen.shown(piece)));
        out.extend(screen.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_sees_lines_and_nothing_it_would_obey() {
        assert_eq!(
            on_terminal(&[b"220 hi\r\n250\x1b[2J\r\n"]),
            "220 hi\n250\\x1b[2J\n"
        );
        assert_eq!(on_terminal(&[b"a\xff\xfeb\n"]), "a\\xff\\xfeb\n");
        assert_eq!(on_terminal(&[b"bare\rcr\n"]), "bare\\rcr\n");
    }

    #[test]
    fn what_comes_in_pieces_is_put_together() {
        let text = "été\r\nça\r\n".as_bytes();
        for cut in 0..=text.len() {
            assert_eq!(
                on_terminal(&[&text[..cut], &text[cut..]]),
                "été\nça\n",
                "{cut}"
            );
        }
    }

    #[test]
    fn a_pipe_gets_the_bytes_as_they_are() {
        let mut screen = Screen {
            terminal: false,
            held: Vec::new(),
        };
        assert_eq!(screen.shown(b"\x1b\xff\r\n"), b"\x1b\xff\r\n");
    }
}
