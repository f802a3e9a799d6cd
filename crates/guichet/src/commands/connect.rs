//! `guichet connect HOST PORT`: keyboard and socket at once.
//!
//! A line typed at a terminal is sent with CR LF; a pipe passes unchanged. The end of input closes
//! our half, and what still arrives is printed. On a terminal control characters are made visible.
//! Two threads, each with one direction: nothing waits for the other.
//!
//! The trace is told who spoke when and how much, not what: only a protocol's own session knows
//! which of the bytes are a password. In a lab the server's session tells the rest.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use guichet_trace::{Direction, Transport};

use super::errand::{Errand, Means};
use super::reach::{self, CONNECT_DEADLINE, Way};
use crate::cli::{Connect as Args, Global};
use crate::clients::turns::Turns;
use crate::output::{Failure, Message, Outcome, Output};

/// Over UDP nothing says that no more will come: after the end of input, silence this long does.
const SILENCE: Duration = Duration::from_secs(1);

/// Largest datagram.
const DATAGRAM_MAX_BYTES: usize = 65_507;

/// Connects and passes both directions until the other side ends.
pub(super) async fn run(args: &Args, global: &Global, output: &Output<'_>) -> Outcome {
    let errand = Errand::begin("guichet connect", Means::default(), global, output).await?;
    let done = speak(args, &errand, output).await;
    errand.end().await;
    done
}

async fn speak(args: &Args, errand: &Errand<'_>, output: &Output<'_>) -> Outcome {
    let ways = reach::ways(&errand.world, &args.host, args.port).await?;
    let (turns, spoken) = match args.udp {
        true => {
            let (socket, turns) = reach_udp(args, &ways, errand, output)?;
            (turns.clone(), udp(&socket, &turns, output))
        }
        false => {
            let (stream, turns) = reach_tcp(args, &ways, errand, output)?;
            (turns.clone(), tcp(stream, &turns, output))
        }
    };
    turns.end(match &spoken {
        Err(Spoken::Broken(error)) => Some(error),
        _ => None,
    });
    spoken.map_err(|spoken| match spoken {
        Spoken::Broken(error) => broken(args, &error),
        Spoken::Unprintable(failure) => failure,
    })
}

/// Why a dialogue did not come to its end.
enum Spoken {
    /// It broke.
    Broken(io::Error),
    /// What arrived could not be printed.
    Unprintable(Failure),
}

impl From<io::Error> for Spoken {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Failure> for Spoken {
    fn from(failure: Failure) -> Self {
        Self::Unprintable(failure)
    }
}

fn tcp(mut stream: TcpStream, turns: &Arc<Turns>, output: &Output<'_>) -> Result<(), Spoken> {
    let mut sender = stream.try_clone()?;
    let told = turns.clone();
    std::thread::spawn(move || {
        // What cannot be sent, the receiving side notices, too: it ends the command.
        let _ = send(|bytes| {
            told.passed(Direction::Sent, bytes.len());
            sender.write_all(bytes)
        });
        let _ = sender.shutdown(Shutdown::Write);
    });
    let mut screen = Screen::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                turns.passed(Direction::Received, length);
                output.bytes(&screen.shown(&buffer[..length]))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    output.bytes(&screen.rest())?;
    output.note(&output.say("connect-closed", &[]));
    Ok(())
}

fn reach_tcp(
    args: &Args,
    ways: &[Way],
    errand: &Errand<'_>,
    output: &Output<'_>,
) -> Result<(TcpStream, Arc<Turns>), Failure> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for way in ways {
        match TcpStream::connect_timeout(&way.real, CONNECT_DEADLINE) {
            Ok(stream) => {
                let local = stream.local_addr().unwrap_or_else(|_| unbound(way));
                say_where(way, output);
                let exchange = errand.record(Transport::Tcp, local, way);
                return Ok((stream, Arc::new(Turns::of_a_stream(exchange))));
            }
            Err(error) => {
                let exchange = errand.record(Transport::Tcp, unbound(way), way);
                Turns::of_a_stream(exchange).end(Some(&error));
                last = error;
            }
        }
    }
    Err(reach::unreachable(&args.host, args.port, &last))
}

/// The own end where there is none.
fn unbound(way: &Way) -> SocketAddr {
    match way.real {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    }
}

fn reach_udp(
    args: &Args,
    ways: &[Way],
    errand: &Errand<'_>,
    output: &Output<'_>,
) -> Result<(UdpSocket, Arc<Turns>), Failure> {
    // Nothing says over UDP that another way would be better.
    let way = ways
        .first()
        .ok_or_else(|| broken(args, &io::ErrorKind::NotFound.into()))?;
    let open = || -> io::Result<(UdpSocket, SocketAddr)> {
        let socket = UdpSocket::bind(unbound(way))?;
        socket.connect(way.real)?;
        socket.set_read_timeout(Some(SILENCE))?;
        let local = socket.local_addr()?;
        Ok((socket, local))
    };
    let (socket, local) = open().map_err(|error| broken(args, &error))?;
    say_where(way, output);
    let exchange = errand.record(Transport::Udp, local, way);
    Ok((socket, Arc::new(Turns::of_datagrams(exchange))))
}

fn udp(socket: &UdpSocket, turns: &Arc<Turns>, output: &Output<'_>) -> Result<(), Spoken> {
    let ended = Arc::new(AtomicBool::new(false));
    let sender = socket.try_clone()?;
    let (has_ended, told) = (ended.clone(), turns.clone());
    std::thread::spawn(move || {
        // A refusal comes back as an error of the receiving side.
        let _ = send(|bytes| {
            told.passed(Direction::Sent, bytes.len());
            sender.send(bytes).map(|_| ())
        });
        has_ended.store(true, Ordering::Release);
    });
    let mut screen = Screen::new();
    let mut buffer = vec![0; DATAGRAM_MAX_BYTES];
    loop {
        // Asked before waiting: what is sent last has the whole silence to be answered in.
        let was_ended = ended.load(Ordering::Acquire);
        match socket.recv(&mut buffer) {
            Ok(length) => {
                turns.passed(Direction::Received, length);
                output.bytes(&screen.shown(&buffer[..length]))?;
            }
            Err(error) if is_silence(&error) && was_ended => break,
            Err(error) if is_silence(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    output.bytes(&screen.rest())?;
    Ok(())
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

fn say_where(way: &Way, output: &Output<'_>) {
    let key = if io::stdin().is_terminal() {
        "connect-typing"
    } else {
        "connect-where"
    };
    output.note(&output.say(key, &[("peer", &way.shown(output))]));
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
