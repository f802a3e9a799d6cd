//! A letter answered with 250 is there afterwards, whatever moment the server is killed at.
//!
//! Many clients hand letters to the public port while the server is killed with `kill -9`, again and
//! again; a ledger keeps what was acknowledged. A letter whose answer never came is handed in again,
//! as a mail server would do: only such a letter may arrive twice. The test command runs a few rounds;
//! `cargo xtask storm kill --rounds N` as many as asked for.
//!
//! What only a lost power supply reveals (a missing sync) is not seen here: the store's own tests run
//! over a file layer that forgets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use support::{Lab, eventually};

/// Clients at work in each round.
const CLIENTS: usize = 24;

/// The server is killed only while so many letters are between MAIL and their answer.
const IN_FLIGHT_LEAST: usize = 20;

const TO: &str = "alice@nord.test";

/// Within this time a server listens again after it was killed.
const RESTART_MOST: Duration = Duration::from_secs(20);

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let rounds = env::var("GUICHET_STORM_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    let lab = Lab::start(&[]);
    let server = lab.service("nord.test", "smtp");
    let mut random = Random::new();
    println!("seed {}", random.0);

    let mut running = Server::of_the_lab(&lab);
    let ledger = Arc::new(Ledger::default());
    for round in 1..=rounds {
        let in_flight = one_round(&mut running, server, &ledger, &mut random);
        running = Server::start(&lab);
        let acknowledged = ledger.acknowledged.lock().unwrap().len();
        println!(
            "round {round}: killed with {in_flight} in flight; {acknowledged} acknowledged so far"
        );
        assert!(in_flight >= IN_FLIGHT_LEAST);
    }
    let expected = ledger.acknowledged.lock().unwrap().clone();
    assert!(
        !expected.is_empty(),
        "nothing was acknowledged: the storm tested nothing"
    );
    let maildrop = lab.service("nord.test", "pop3");
    let password = lab.password(TO);
    eventually(Duration::from_secs(30), || {
        let found = collect(maildrop, &password).map_err(|error| error.to_string())?;
        verdict(&expected, &ledger.retried.lock().unwrap(), &found)
    });
}

/// What the clients know about their letters.
#[derive(Default)]
struct Ledger {
    acknowledged: Mutex<BTreeSet<String>>,
    /// Sent whole at least once without an answer: these may arrive twice.
    retried: Mutex<BTreeSet<String>>,
    /// To be handed in again.
    waiting: Mutex<Vec<String>>,
    made: AtomicUsize,
    in_flight: AtomicUsize,
}

/// None lost; twice only what was sent twice.
fn verdict(
    acknowledged: &BTreeSet<String>,
    retried: &BTreeSet<String>,
    found: &BTreeMap<String, usize>,
) -> Result<(), String> {
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|name| !found.contains_key(*name))
        .collect();
    let doubled: Vec<_> = found
        .iter()
        .filter(|(name, times)| **times > 1 && !retried.contains(*name))
        .collect();
    if lost.is_empty() && doubled.is_empty() {
        Ok(())
    } else {
        let of = acknowledged.len();
        Err(format!(
            "of {of}: {} lost {lost:?}, {} doubled {doubled:?}",
            lost.len(),
            doubled.len()
        ))
    }
}

/// Clients send, the server dies; how many letters were in flight then.
fn one_round(
    running: &mut Server,
    server: SocketAddr,
    ledger: &Arc<Ledger>,
    random: &mut Random,
) -> usize {
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (ledger, over) = (Arc::clone(ledger), Arc::clone(&over));
            thread::spawn(move || {
                // The connection breaks when the server dies: that is the end of the round.
                while !over.load(Ordering::Relaxed) {
                    let _ = send_letters(server, &ledger);
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(random.below(400)));
    let deadline = Instant::now() + Duration::from_secs(20);
    while ledger.in_flight.load(Ordering::SeqCst) < IN_FLIGHT_LEAST && Instant::now() < deadline {
        thread::yield_now();
    }
    let in_flight = ledger.in_flight.load(Ordering::SeqCst);
    running.kill();
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(ledger.in_flight.load(Ordering::SeqCst), 0);
    in_flight
}

/// Hands in letter after letter over one connection, until it breaks.
fn send_letters(server: SocketAddr, ledger: &Ledger) -> io::Result<()> {
    let mut dialogue = Dialogue::open(server)?;
    dialogue.expect("", "220")?;
    dialogue.expect("EHLO storm.test", "250")?;
    loop {
        let again = ledger.waiting.lock().unwrap().pop();
        let name = again
            .unwrap_or_else(|| format!("letter-{}", ledger.made.fetch_add(1, Ordering::Relaxed)));
        ledger.in_flight.fetch_add(1, Ordering::SeqCst);
        let mut whole = false;
        let sent = hand_in(&mut dialogue, &name, &mut whole);
        if sent.is_ok() {
            ledger.acknowledged.lock().unwrap().insert(name);
        } else {
            if whole {
                ledger.retried.lock().unwrap().insert(name.clone());
            }
            ledger.waiting.lock().unwrap().push(name);
        }
        ledger.in_flight.fetch_sub(1, Ordering::SeqCst);
        sent?;
    }
}

fn hand_in(dialogue: &mut Dialogue, name: &str, whole: &mut bool) -> io::Result<()> {
    dialogue.expect("MAIL FROM:<storm@elsewhere.test>", "250")?;
    dialogue.expect(&format!("RCPT TO:<{TO}>"), "250")?;
    dialogue.expect("DATA", "354")?;
    // From the first byte of the end on, the letter may have been accepted without our knowing.
    *whole = true;
    let filling = "All work and no play makes a dull letter.\r\n".repeat(40);
    let letter = format!(
        "From: <storm@elsewhere.test>\r\nTo: <{TO}>\r\nSubject: {name}\r\nMessage-ID: <{name}@storm.test>\r\n\r\n{filling}."
    );
    dialogue.expect(&letter, "250")
}

/// Every letter in the maildrop, by its subject, and how often it is there.
fn collect(server: SocketAddr, password: &str) -> io::Result<BTreeMap<String, usize>> {
    let mut dialogue = Dialogue::open(server)?;
    dialogue.expect("", "+OK")?;
    dialogue.expect(&format!("USER {TO}"), "+OK")?;
    dialogue.expect(&format!("PASS {password}"), "+OK")?;
    dialogue.expect("LIST", "+OK")?;
    let letters = dialogue.block()?.len();
    let mut found = BTreeMap::new();
    for number in 1..=letters {
        dialogue.expect(&format!("TOP {number} 0"), "+OK")?;
        let head = dialogue.block()?;
        let subject = head.iter().find_map(|line| line.strip_prefix("Subject: "));
        *found
            .entry(subject.unwrap_or_default().to_owned())
            .or_default() += 1;
    }
    dialogue.expect("QUIT", "+OK")?;
    Ok(found)
}

/// One connection of lines.
struct Dialogue {
    reader: BufReader<TcpStream>,
}

impl Dialogue {
    fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }

    /// Says a line (none when empty) and reads the reply, which must begin so.
    fn expect(&mut self, line: &str, reply: &str) -> io::Result<()> {
        if !line.is_empty() {
            self.reader
                .get_mut()
                .write_all(format!("{line}\r\n").as_bytes())?;
        }
        loop {
            let answer = self.line()?;
            if answer.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if answer.starts_with(reply) {
                return Ok(());
            }
            let first = line.lines().next().unwrap_or_default();
            return Err(io::Error::other(format!(
                "{first:?} was answered {answer:?}"
            )));
        }
    }

    /// The lines up to the one with a single dot.
    fn block(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(lines);
            }
            lines.push(line);
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// The server under the storm: first the lab's own instance, then ones we start in its place.
enum Server {
    Lab(u32),
    Ours(Child),
}

impl Server {
    fn of_the_lab(lab: &Lab) -> Self {
        let pid = lab.organisation("nord.test")["pid"].as_u64().expect("pid");
        Self::Lab(u32::try_from(pid).unwrap())
    }

    fn start(lab: &Lab) -> Self {
        let config = lab.organisation("nord.test")["config"]
            .as_str()
            .expect("config");
        let words =
            std::fs::File::create(PathBuf::from(config).with_extension("storm.err")).unwrap();
        let child = lab
            .guichet()
            .args(["serve", "--config", config])
            .stdout(Stdio::null())
            .stderr(words)
            .spawn()
            .unwrap();
        let mut server = Self::Ours(child);
        let address = lab.service("nord.test", "smtp");
        eventually(RESTART_MOST, || {
            server.alive()?;
            let greeted =
                Dialogue::open(address).and_then(|mut dialogue| dialogue.expect("", "220"));
            greeted.map_err(|error| error.to_string())
        });
        server
    }

    fn alive(&mut self) -> Result<(), String> {
        match self {
            Self::Lab(_) => Ok(()),
            Self::Ours(child) => match child.try_wait() {
                Ok(None) => Ok(()),
                other => Err(format!("the server ended: {other:?}")),
            },
        }
    }

    fn kill(&mut self) {
        match self {
            Self::Lab(pid) => support::signal(*pid, support::Signal::KILL),
            Self::Ours(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Ours(_) = self {
            self.kill();
        }
    }
}

/// Enough chance to hit other moments in each run (splitmix64).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = env::var("GUICHET_STORM_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let clock = || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.map_or(1, |now| now.as_secs() ^ u64::from(now.subsec_nanos()))
        };
        Self(seed.unwrap_or_else(clock))
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

#[test]
fn the_verdict_sees_a_lost_letter_and_a_doubled_one() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let found = |found: &[(&str, usize)]| {
        found
            .iter()
            .map(|(name, times)| ((*name).to_owned(), *times))
            .collect()
    };
    let acknowledged = names(&["a", "b"]);
    let retried = names(&["b"]);
    assert!(
        verdict(
            &acknowledged,
            &retried,
            &found(&[("a", 1), ("b", 2), ("c", 1)])
        )
        .is_ok()
    );
    assert!(
        verdict(&acknowledged, &retried, &found(&[("a", 1)])).is_err(),
        "b is lost"
    );
    let doubled = found(&[("a", 2), ("b", 1)]);
    assert!(
        verdict(&acknowledged, &retried, &doubled).is_err(),
        "a came twice"
    );
}
