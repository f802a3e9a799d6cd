//! Many connections that say little: what each costs in memory, and what happens when descriptors
//! run out. Each test starts this executable again, for a process that does nothing else.

#![allow(clippy::unwrap_used, reason = "a test may stop here")]

mod support;

use std::convert::Infallible;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use guichet_engine::{Answering, Arrival, RecordSink, Recorder, Server};
use guichet_proto::{Expect, Input, Moment, Outbox, Session, Verb};
use guichet_trace::{Level, Record};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use support::{Nothing, identity, listener};

const ROLE: &str = "GUICHET_TEST_ROLE";
const CLIENTS: u64 = 2000;
/// The aims of a release build are 2 KB and 24 KB; futures are larger without optimisation.
const PLAIN_BYTES_MOST: u64 = 4 * 1024;
const TLS_BYTES_MOST: u64 = 24 * 1024;

/// Says each line again.
#[derive(Default)]
struct Lines {
    over: bool,
}

impl Session for Lines {
    type Ask = Infallible;
    type Answer = Infallible;
    fn protocol(&self) -> &'static str {
        "lines"
    }
    fn expects(&self) -> Expect {
        match self.over {
            true => Expect::Nothing,
            false => Expect::Line { most: 1000 },
        }
    }
    fn on(&mut self, _: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        match input {
            Input::Opened => out.patience(Duration::from_secs(300)),
            Input::Message(message) => {
                out.say(Verb::new("LINE"), message.bytes);
                out.say(Verb::new("END"), b"\n");
            }
            Input::HalfClosed | Input::Stopping => {
                self.over = true;
                out.close();
            }
            _ => {}
        }
    }
    fn state(&self) -> &'static str {
        "open"
    }
}

struct LinesAnswering;

impl Answering for LinesAnswering {
    type Session = Lines;
    type Service = Nothing;
    fn protocol(&self) -> &'static str {
        "lines"
    }
    fn begin(&self, _: &Arrival) -> (Lines, Nothing) {
        (Lines::default(), Nothing)
    }
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }
}

struct NoSink;

impl RecordSink for NoSink {
    fn record(&self, _: Record) {}
}

/// What the started processes do; nothing when it is run as a test.
#[test]
fn the_server() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    if role == "descriptors" {
        let few = Some(40);
        let limit = Rlimit {
            current: few,
            maximum: few,
        };
        setrlimit(Resource::Nofile, limit).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _folder = runtime.block_on(async {
        let server = Server::new(Recorder::new(Level::Envelope, 1, Box::new(NoSink)));
        let (tls, folder) = identity();
        let (bound, address) = listener("lines", 10_000, role == "tls");
        server
            .serve(bound, Arc::new(LinesAnswering), Some(tls))
            .unwrap();
        println!("\nlistens {address} {}", folder.path().display());
        tokio::task::spawn_blocking(|| obey(std::io::stdin().lock()))
            .await
            .unwrap();
        folder
    });
}

/// Does what the other process says, until it ends.
fn obey(orders: impl BufRead) {
    let mut hoard = Vec::new();
    for order in orders.lines().map_while(Result::ok) {
        match order.as_str() {
            "hoard" => hoard.extend(std::iter::from_fn(|| File::open("/dev/null").ok())),
            "share" => hoard.clear(),
            _ => {}
        }
        println!("\n{order} {}", resident_bytes());
    }
}

fn resident_bytes() -> u64 {
    // Without a descriptor to read it with, nobody asks.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The other process.
struct Other {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
    folder: PathBuf,
}

impl Other {
    fn start(role: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_server", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let said = answer(&mut answers, "listens ");
        let (address, folder) = said.split_once(' ').unwrap();
        Self {
            address: address.parse().unwrap(),
            folder: folder.into(),
            process,
            orders,
            answers,
        }
    }

    /// Has the order carried out; its resident memory then.
    fn order(&mut self, order: &str) -> u64 {
        writeln!(self.orders, "{order}").unwrap();
        answer(&mut self.answers, &format!("{order} "))
            .parse()
            .unwrap()
    }

    fn processor_ticks(&self) -> u64 {
        let file = format!("/proc/{}/stat", self.process.id());
        let stat = std::fs::read_to_string(file).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn answer(answers: &mut impl BufRead, beginning: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(answers.read_line(&mut line).unwrap() > 0, "it has died");
        if let Some(rest) = line.strip_prefix(beginning) {
            return rest.trim().to_owned();
        }
    }
}

fn client(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(10));
    socket.set_read_timeout(patience).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// A line in two pieces, and its answer.
fn talk(stream: &mut (impl Read + Write)) {
    stream.write_all(b"so lit").unwrap();
    stream.flush().unwrap();
    std::thread::sleep(Duration::from_millis(1));
    stream.write_all(b"tle\n").unwrap();
    stream.flush().unwrap();
    let mut heard = [0; 10];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"so little\n");
}

fn trusting(folder: &Path) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn bytes_each(role: &str) -> u64 {
    let _ = guichet_engine::limits::raise_descriptors();
    let mut other = Other::start(role);
    let config = trusting(&other.folder);
    let address = other.address;
    let talking = || {
        let mut socket = client(address);
        match role {
            "tls" => {
                let name = "nord.test".try_into().unwrap();
                let mut tls = rustls::ClientConnection::new(config.clone(), name).unwrap();
                talk(&mut rustls::Stream::new(&mut tls, &mut socket));
            }
            _ => talk(&mut socket),
        }
        socket
    };
    let _warm: Vec<_> = (0..100).map(|_| talking()).collect();
    let before = other.order("measure");
    let idle: Vec<_> = (0..CLIENTS).map(|_| talking()).collect();
    let each = other.order("measure").saturating_sub(before) / CLIENTS;
    drop(idle);
    println!("{role}: {each} bytes for each idle connection");
    each
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let each = bytes_each("plain");
    assert!(each > 0 && each <= PLAIN_BYTES_MOST, "{each}");
}

#[test]
fn an_idle_connection_under_tls_holds_no_buffer_either() {
    let each = bytes_each("tls");
    assert!(each > 0 && each <= TLS_BYTES_MOST, "{each}");
}

#[test]
fn without_descriptors_who_comes_is_let_go_and_later_ones_are_served() {
    let mut other = Other::start("descriptors");
    let mut known = client(other.address);
    talk(&mut known);
    other.order("hoard");
    let before = other.processor_ticks();
    for _ in 0..3 {
        let mut heard = Vec::new();
        let _ = client(other.address).read_to_end(&mut heard); // an end or a reset, not silence
        assert_eq!(heard, b"");
    }
    let _waiting: Vec<_> = (0..10).map(|_| client(other.address)).collect();
    std::thread::sleep(Duration::from_secs(1));
    let ticks = other.processor_ticks() - before;
    assert!(
        ticks < 50,
        "{ticks} hundredths of a second went into waiting"
    );
    talk(&mut known);
    other.order("share");
    talk(&mut client(other.address));
}
