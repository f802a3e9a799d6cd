//! `guichet echo HOST PORT [TEXT]` (RFC 862): sends, compares, times.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use guichet_trace::visible;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::reach::{self, CONNECT_DEADLINE, backoff};
use crate::cli::Echo as Args;
use crate::output::{Failure, Message, Outcome, Output};

/// How long an echo may take.
const ECHO_DEADLINE: Duration = Duration::from_secs(5);

/// How long to wait for a datagram before it counts as lost.
const DATAGRAM_DEADLINE: Duration = Duration::from_secs(1);

/// The largest payload of a UDP datagram over IPv4.
const DATAGRAM_MAX_BYTES: usize = 65_507;

/// Sends the text as often as asked for and says how long each echo took.
pub(super) async fn run(args: Args, output: &Output<'_>) -> Outcome {
    if args.text.is_empty() || (args.udp && args.text.len() > DATAGRAM_MAX_BYTES) {
        let message = Message::new("echo-text-size").with_shown("most", DATAGRAM_MAX_BYTES);
        return Err(Failure::wrong(message));
    }
    let addresses = reach::addresses(&args.host, args.port).await?;
    let mut attempt = 0;
    let (peer, times) = loop {
        let tried = match args.udp {
            true => over_udp(&args, &addresses, output).await,
            false => over_tcp(&args, &addresses, output).await,
        };
        match tried {
            Ok(done) => break done,
            Err(Tried::Again(_)) if attempt < args.retries => {
                attempt += 1;
                let pause = backoff(attempt);
                let seconds = format!("{:.1}", pause.as_secs_f64());
                output.note(&output.say("echo-again", &[("seconds", &seconds)]));
                tokio::time::sleep(pause).await;
            }
            Err(Tried::Again(failure) | Tried::Failed(failure)) => return Err(failure),
        }
    };
    tell(&args, peer, &times, output)
}

/// Why an attempt came to nothing.
enum Tried {
    /// The other side was full, or a datagram was lost: another attempt may do better.
    Again(Failure),
    /// No other attempt would do better.
    Failed(Failure),
}

type Done = (SocketAddr, Vec<Duration>);

async fn over_tcp(
    args: &Args,
    addresses: &[SocketAddr],
    output: &Output<'_>,
) -> Result<Done, Tried> {
    let (mut stream, peer) = connect(args, addresses).await?;
    say_where(peer, "TCP", output);
    let sent = args.text.as_bytes();
    let mut times = Vec::new();
    for _ in 0..args.count {
        let start = Instant::now();
        let mut received = vec![0; sent.len()];
        let exchange = exchange(&mut stream, sent, &mut received);
        match timeout(ECHO_DEADLINE, exchange).await {
            Ok(Ok(())) => times.push(start.elapsed()),
            // Turned away before the first echo: the other side is full.
            Ok(Err(error)) if times.is_empty() => return Err(Tried::Again(broken(args, &error))),
            Ok(Err(error)) => return Err(Tried::Failed(broken(args, &error))),
            Err(_) => return Err(Tried::Again(broken(args, &io::ErrorKind::TimedOut.into()))),
        }
        compare(sent, &received).map_err(Tried::Failed)?;
    }
    Ok((peer, times))
}

async fn connect(args: &Args, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Tried> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for &address in addresses {
        match timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it a short text may wait for the acknowledgement of the last one.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    let failure = reach::unreachable(&args.host, args.port, &last);
    match last.kind() {
        // A full queue shows itself as silence.
        io::ErrorKind::TimedOut => Err(Tried::Again(failure)),
        _ => Err(Tried::Failed(failure)),
    }
}

/// Writes and reads at once: a text larger than what the way holds would stop both sides else.
async fn exchange(stream: &mut TcpStream, sent: &[u8], received: &mut [u8]) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    tokio::try_join!(writer.write_all(sent), async {
        reader.read_exact(received).await.map(|_| ())
    })?;
    Ok(())
}

async fn over_udp(
    args: &Args,
    addresses: &[SocketAddr],
    output: &Output<'_>,
) -> Result<Done, Tried> {
    let failed = |error: &io::Error| Tried::Failed(broken(args, error));
    // A name has at least one address.
    let peer = addresses
        .first()
        .copied()
        .ok_or_else(|| failed(&io::ErrorKind::NotFound.into()))?;
    let own = match peer {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(own).await.map_err(|error| failed(&error))?;
    socket.connect(peer).await.map_err(|error| failed(&error))?;
    say_where(peer, "UDP", output);
    let mut times = Vec::new();
    for _ in 0..args.count {
        let start = Instant::now();
        let mut received = vec![0; DATAGRAM_MAX_BYTES];
        socket
            .send(args.text.as_bytes())
            .await
            .map_err(|error| failed(&error))?;
        match timeout(DATAGRAM_DEADLINE, socket.recv(&mut received)).await {
            Ok(Ok(length)) => {
                times.push(start.elapsed());
                received.truncate(length);
                compare(args.text.as_bytes(), &received).map_err(Tried::Failed)?;
            }
            Ok(Err(error)) => return Err(failed(&error)),
            Err(_) => return Err(Tried::Again(broken(args, &io::ErrorKind::TimedOut.into()))),
        }
    }
    Ok((peer, times))
}

fn say_where(peer: SocketAddr, transport: &str, output: &Output<'_>) {
    let peer = peer.to_string();
    output.note(&output.say("echo-where", &[("peer", &peer), ("transport", transport)]));
}

fn broken(args: &Args, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => reach::unreachable(&args.host, args.port, error),
        _ => Failure::failed(
            Message::new("echo-broken")
                .with("host", args.host.as_str())
                .with_shown("port", args.port)
                .with("why", error),
        ),
    }
}

fn compare(sent: &[u8], received: &[u8]) -> Outcome {
    if sent == received {
        return Ok(());
    }
    let received = String::from_utf8_lossy(received).into_owned();
    Err(Failure::failed(
        Message::new("echo-differs").with("received", received),
    ))
}

fn tell(args: &Args, peer: SocketAddr, times: &[Duration], output: &Output<'_>) -> Outcome {
    let ms = |time: &Duration| time.as_secs_f64() * 1_000.0;
    let bytes = args.text.len();
    if output.json {
        return output.json(&json!({
            "server": peer.to_string(),
            "transport": if args.udp { "udp" } else { "tcp" },
            "bytes": bytes,
            "times_ms": times.iter().map(ms).collect::<Vec<_>>(),
        }));
    }
    let text = visible(&args.text);
    for time in times {
        let shown = format!("{:.3}", ms(time));
        let bytes = bytes.to_string();
        output.line(&output.say(
            "echo-came-back",
            &[("text", &text), ("bytes", &bytes), ("ms", &shown)],
        ))?;
    }
    if times.len() < 2 {
        return Ok(());
    }
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |place: usize| {
        sorted
            .get(place)
            .map(|time| format!("{:.3}", ms(time)))
            .unwrap_or_default()
    };
    output.line(&output.say(
        "echo-summary",
        &[
            ("count", &times.len().to_string()),
            ("least", &at(0)),
            ("median", &at(sorted.len() / 2)),
            ("most", &at(sorted.len() - 1)),
        ],
    ))
}
