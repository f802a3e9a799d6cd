//! `guichet echo HOST PORT [TEXT]` (RFC 862): sends, compares, times.

use std::io;
use std::time::Duration;

use guichet_engine::DialError;
use guichet_trace::visible;
use serde_json::json;

use super::errand::{Errand, Means};
use super::reach::{self, Way};
use crate::cli::{Echo as Args, Global};
use crate::clients::echo::{self, Echoed};
use crate::output::{Failure, Message, Outcome, Output};

/// The largest payload of a UDP datagram over IPv4.
const DATAGRAM_MAX_BYTES: usize = 65_507;

/// Sends the text as often as asked for and says how long each echo took.
pub(super) async fn run(args: Args, global: &Global, output: &Output<'_>) -> Outcome {
    if args.text.is_empty() || (args.udp && args.text.len() > DATAGRAM_MAX_BYTES) {
        let message = Message::new("echo-text-size").with_shown("most", DATAGRAM_MAX_BYTES);
        return Err(Failure::wrong(message));
    }
    let errand = Errand::begin("guichet echo", Means::default(), global, output).await?;
    let done = patiently(&args, &errand, output).await;
    errand.end().await;
    let (way, times) = done?;
    tell(&args, &way, &times, output)
}

type Done = (Way, Vec<Duration>);

/// Why an attempt came to nothing.
enum Tried {
    /// The other side was full, or a datagram was lost: another attempt may do better.
    Again(Failure),
    /// No other attempt would do better.
    Failed(Failure),
}

async fn patiently(args: &Args, errand: &Errand<'_>, output: &Output<'_>) -> Result<Done, Failure> {
    let ways = reach::ways(&errand.world, &args.host, args.port).await?;
    let mut attempt = 0;
    loop {
        match once(args, &ways, errand, output).await {
            Ok(done) => return Ok(done),
            Err(Tried::Again(_)) if attempt < args.retries => {
                attempt += 1;
                errand.wait_saying("echo-again", attempt).await;
            }
            Err(Tried::Again(failure) | Tried::Failed(failure)) => return Err(failure),
        }
    }
}

/// Tries one way after the other until somebody listens.
async fn once(
    args: &Args,
    ways: &[Way],
    errand: &Errand<'_>,
    output: &Output<'_>,
) -> Result<Done, Tried> {
    let mut last = Tried::Failed(broken(args, &io::ErrorKind::NotFound.into()));
    for way in ways {
        let peer = way.shown(output);
        let transport = if args.udp { "UDP" } else { "TCP" };
        output.note(&output.say("echo-where", &[("peer", &peer), ("transport", transport)]));
        match speak(args, way, errand).await {
            Ok(echoed) => return heard(args, way, echoed),
            Err(error) => last = unreachable(args, &error),
        }
    }
    Err(last)
}

async fn speak(args: &Args, way: &Way, errand: &Errand<'_>) -> Result<Echoed, DialError> {
    let (target, causes) = (&way.target, way.causes.clone());
    let call = errand.world.call(target.address, &target.host, causes);
    let text = args.text.as_bytes();
    match args.udp {
        true => Ok(echo::over_udp(&errand.world, &call, text, args.count).await),
        false => echo::over_tcp(&errand.world, call, text, args.count).await,
    }
}

fn heard(args: &Args, way: &Way, echoed: Echoed) -> Result<Done, Tried> {
    match echoed {
        Echoed::Back(times) => Ok((way.clone(), times)),
        Echoed::Again(error) => Err(Tried::Again(broken(args, &error))),
        Echoed::Broken(error) => Err(Tried::Failed(broken(args, &error))),
        Echoed::Differs(received) => {
            let received = String::from_utf8_lossy(&received).into_owned();
            let message = Message::new("echo-differs").with("received", received);
            Err(Tried::Failed(Failure::failed(message)))
        }
    }
}

fn unreachable(args: &Args, error: &DialError) -> Tried {
    let (DialError::Connect { error, .. } | DialError::Tls { error, .. }) = error;
    let failure = reach::unreachable(&args.host, args.port, error);
    match error.kind() {
        // A full queue shows itself as silence.
        io::ErrorKind::TimedOut => Tried::Again(failure),
        _ => Tried::Failed(failure),
    }
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

fn tell(args: &Args, way: &Way, times: &[Duration], output: &Output<'_>) -> Outcome {
    let ms = |time: &Duration| time.as_secs_f64() * 1_000.0;
    let bytes = args.text.len();
    if output.json {
        return output.json(&json!({
            "server": way.real.to_string(),
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
