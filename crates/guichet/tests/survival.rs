//! The promise: a letter accepted with 250 survives `kill -9` at any moment.
//!
//! Clients hand letters to the real server without pause while it is killed and started again; some
//! letters stay there, some go on to a second server that is killed, too. In the end everything is
//! collected and compared with the clients' ledger. The same storm over a server whose store answers
//! before the frame is written must lose letters: else it would show nothing.
//!
//! That the kernel may die, too, is shown by the tests of `guichet-store` with a file layer that
//! forgets what was not synced.
//!
//! `GUICHET_STORM_ROUNDS` and `GUICHET_STORM_SEED` make it longer and bring a run back.

#![allow(clippy::unwrap_used, reason = "a test may stop here")]

mod harness;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use guichet::config::Config;
use guichet::serve::{Instance as Serving, Sockets};
use guichet_store::testing::{self, CommitOrder};
use harness::chance::Chance;
use harness::instance::{Instance, PASSWORD, free_port, real};
use harness::ledger::{Entry, Ledger, hash};
use harness::pop3;
use harness::smtp::Smtp;

/// Clients, each with one letter under way at all times.
const CLIENTS: usize = 24;
/// Nobody is killed before so many letters are between MAIL and their answer.
const IN_FLIGHT_LEAST: usize = 20;
/// So many are there within this time, or the storm is none.
const GATHERING_MOST: Duration = Duration::from_secs(20);
/// How long the queue may take to empty when nobody kills any more.
const DRAIN_MOST: Duration = Duration::from_secs(120);
/// Letters to one domain that are handed over at the same time are fewer than this.
const RELAYED_AT_ONCE: usize = 100;
/// Where each address of the storm ends.
const MAILDROPS: [(&str, &str); 3] = [
    ("alice@nord.test", "alice@nord.test"),
    ("adam@nord.test", "adam@nord.test"),
    ("far@nord.test", FAR),
];
const FAR: &str = "bob@sud.test";
const MUTANT: &str = "GUICHET_TEST_MUTANT_CONFIG";

#[test]
fn a_letter_accepted_survives_kill_9() {
    let rounds = std::env::var("GUICHET_STORM_ROUNDS").ok();
    let rounds = rounds.map_or(50, |rounds| rounds.parse().unwrap());
    let storm = Storm::new(real);
    let seen = storm.blow(rounds);
    println!("{seen}");
    assert_eq!(seen.lost, [""; 0], "seed {}", storm.seed);
    assert_eq!(seen.changed, [""; 0], "seed {}", storm.seed);
    assert_eq!(seen.doubled, [""; 0], "seed {}", storm.seed);
    assert!(
        seen.relayed_again <= 2 * rounds * RELAYED_AT_ONCE,
        "at most what was being handed over at a kill: {seen}"
    );
    // The storm was one.
    assert!(seen.acked > 20 * rounds, "{seen}");
    assert!(seen.sent_again >= rounds, "{seen}");
    assert!(seen.in_flight_least >= IN_FLIGHT_LEAST, "{seen}");
}

#[test]
fn the_storm_finds_a_server_that_answers_before_the_frame_is_written() {
    // On a busy computer an answer may reach its client later than the frame the disk.
    let found = (0..3).any(|_| {
        let seen = Storm::new(mutant).blow(10);
        println!("mutant: {seen}");
        !seen.lost.is_empty()
    });
    assert!(found);
}

/// This test program as a server: everything as in `guichet serve`, but for the committer.
fn mutant(config: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", "mutant_server"])
        .env(MUTANT, config);
    command
}

/// Does nothing by itself: [`mutant`] starts it in a process of its own.
#[test]
fn mutant_server() {
    let Some(config) = std::env::var_os(MUTANT) else {
        return;
    };
    let config = Config::load(config.as_ref()).unwrap();
    let sockets = Sockets::bind(&config).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let open = |options| testing::open_with(options, CommitOrder::AnswerBeforeWrite);
        let _serving = Serving::start(config, sockets, open).await.unwrap();
        std::future::pending().await
    })
}

/// Two mail servers, and a name server that leads from one to the other.
struct Storm {
    seed: u64,
    dir: tempfile::TempDir,
    command: fn(&Path) -> Command,
}

/// What is found after a storm.
#[derive(Debug, Default)]
struct Seen {
    rounds: usize,
    /// Letters in flight at a kill, at least; recoveries that were cut short are not counted.
    in_flight_least: usize,
    acked: usize,
    /// Letters sent a second time because the answer was lost.
    sent_again: usize,
    /// Message-IDs of acknowledged letters that are not where they should be.
    lost: Vec<String>,
    /// Letters that are not what was sent.
    changed: Vec<String>,
    /// Letters that are there more often than they were sent.
    doubled: Vec<String>,
    /// The same between the two servers, where the first may have died before it noted the answer.
    relayed_again: usize,
    took: Duration,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} kills with {} or more letters in flight; {} acknowledged, {} sent again, {} lost, \
             {} changed, {} doubled, {} relayed again; {:.1} s",
            self.rounds,
            self.in_flight_least,
            self.acked,
            self.sent_again,
            self.lost.len(),
            self.changed.len(),
            self.doubled.len(),
            self.relayed_again,
            self.took.as_secs_f32()
        )
    }
}

impl Storm {
    fn new(command: fn(&Path) -> Command) -> Self {
        let seed = Chance::seed("GUICHET_STORM_SEED");
        println!("GUICHET_STORM_SEED={seed}");
        Self {
            seed,
            dir: tempfile::tempdir().unwrap(),
            command,
        }
    }

    fn blow(&self, rounds: usize) -> Seen {
        // One at a time: two would take each other's processor, and less would be in flight.
        static BLOWING: Mutex<()> = Mutex::new(());
        let _blowing = BLOWING.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        let ports = Ports::free();
        let mut names = self.names(&ports);
        let (mut nord, mut sud) = (self.nord(&ports), self.sud(&ports));
        for instance in [&mut names, &mut nord, &mut sud] {
            instance.start();
        }
        nord.wait_for(|| Smtp::open(ports.nord_smtp));
        let sending = Sending::to(
            ports.nord_smtp,
            Ledger::begin(&self.dir.path().join("ledger")),
        );
        let in_flight_least = std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let mut client = Client {
                    number,
                    sending: &sending,
                    chance: Chance::new(self.seed ^ number as u64),
                };
                scope.spawn(move || client.send_until_calm());
            }
            let _end = EndOfSending(&sending);
            let mut kills = Kills {
                chance: Chance::new(self.seed),
                in_flight: &sending.in_flight,
                nord: &mut nord,
                sud: &mut sud,
                ports: &ports,
            };
            kills.again_and_again(rounds)
        });
        wait_until_empty(&mut nord, &ports);
        let mut seen = compare(&sending.ledger.read(), &delivered(&ports));
        seen.rounds = rounds;
        seen.in_flight_least = in_flight_least;
        seen.took = begun.elapsed();
        seen
    }

    fn names(&self, ports: &Ports) -> Instance {
        let config = format!(
            "domains = [\"root.test\"]\nlisten.dns.addresses = [\"{}\"]\n",
            ports.names
        );
        let zone = "$TTL 60\n\
            . IN SOA ns.nic.test. post.nic.test. 1 3600 600 86400 60\n\
            . IN NS ns.nic.test.\n\
            ns.nic.test. IN A 192.0.2.53\n\
            sud.test. IN MX 10 mail.sud.test.\n\
            mail.sud.test. IN A 192.0.2.25\n";
        let folder = self.dir.path().join("names");
        Instance::found(folder, &config, &[("root.zone", zone)], real)
    }

    fn nord(&self, ports: &Ports) -> Instance {
        let config = format!(
            "domains = [\"nord.test\"]\nnames.roots = [\"{}\"]\nmail.clear_logins = true\n\
             mail.queue.first_retry = \"1s\"\nmail.queue.retry_most = \"1s\"\n\
             mail.queue.expire = \"1h\"\n\
             listen.smtp.addresses = [\"{}\"]\nlisten.pop3.addresses = [\"{}\"]\n\
             [dial.map]\n\"192.0.2.25:25\" = \"{}\"\n",
            ports.names, ports.nord_smtp, ports.nord_pop3, ports.sud_smtp
        );
        let nord = Instance::found(self.dir.path().join("nord"), &config, &[], self.command);
        let people = ["alice@nord.test", "adam@nord.test"];
        nord.people(&people, &[("far@nord.test", FAR)]);
        nord
    }

    fn sud(&self, ports: &Ports) -> Instance {
        let config = format!(
            "domains = [\"sud.test\"]\nmail.clear_logins = true\n\
             listen.smtp.addresses = [\"{}\"]\nlisten.pop3.addresses = [\"{}\"]\n",
            ports.sud_smtp, ports.sud_pop3
        );
        let sud = Instance::found(self.dir.path().join("sud"), &config, &[], real);
        sud.people(&[FAR], &[]);
        sud
    }
}

/// Who kills.
struct Kills<'s> {
    chance: Chance,
    in_flight: &'s AtomicUsize,
    nord: &'s mut Instance,
    sud: &'s mut Instance,
    ports: &'s Ports,
}

impl Kills<'_> {
    /// Gives how many letters were in flight at each kill, at least.
    fn again_and_again(&mut self, rounds: usize) -> usize {
        let mut least = usize::MAX;
        for round in 0..rounds {
            // Now and then it dies while it still recovers from the last time.
            let recovering = round % 7 == 6;
            if !recovering {
                self.nord.wait_for(|| Smtp::open(self.ports.nord_smtp));
            }
            std::thread::sleep(self.chance.millis(5, 500));
            if round % 3 == 2 {
                self.sud.kill();
                self.sud.start();
                std::thread::sleep(self.chance.millis(0, 30));
            }
            if !recovering {
                least = least.min(self.gather());
            }
            self.nord.kill();
            self.nord.start();
        }
        self.nord.wait_for(|| Smtp::open(self.ports.nord_smtp));
        self.sud.wait_for(|| Smtp::open(self.ports.sud_smtp));
        least
    }

    /// Waits until enough letters are in flight; how many they are.
    fn gather(&self) -> usize {
        let begun = Instant::now();
        loop {
            let in_flight = self.in_flight.load(Ordering::SeqCst);
            if in_flight >= IN_FLIGHT_LEAST || begun.elapsed() > GATHERING_MOST {
                return in_flight;
            }
            std::thread::yield_now();
        }
    }
}

struct Ports {
    names: SocketAddr,
    nord_smtp: SocketAddr,
    nord_pop3: SocketAddr,
    sud_smtp: SocketAddr,
    sud_pop3: SocketAddr,
}

impl Ports {
    fn free() -> Self {
        Self {
            names: free_port(),
            nord_smtp: free_port(),
            nord_pop3: free_port(),
            sud_smtp: free_port(),
            sud_pop3: free_port(),
        }
    }
}

/// What the clients share.
struct Sending {
    server: SocketAddr,
    ledger: Ledger,
    in_flight: AtomicUsize,
    /// Nobody kills any more: each client's letter is its last.
    calm: AtomicBool,
    /// The test has failed: there may be no server any more.
    given_up: AtomicBool,
}

impl Sending {
    fn to(server: SocketAddr, ledger: Ledger) -> Self {
        Self {
            server,
            ledger,
            in_flight: AtomicUsize::new(0),
            calm: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
        }
    }
}

/// Lets the clients come to their end, however the killing has ended.
struct EndOfSending<'s>(&'s Sending);

impl Drop for EndOfSending<'_> {
    fn drop(&mut self) {
        self.0.calm.store(true, Ordering::SeqCst);
        if std::thread::panicking() {
            self.0.given_up.store(true, Ordering::SeqCst);
        }
    }
}

/// Somebody with letters to send, who notes what was promised.
struct Client<'s> {
    number: usize,
    sending: &'s Sending,
    chance: Chance,
}

impl Client<'_> {
    fn send_until_calm(&mut self) {
        let mut connection = None;
        for number in 0.. {
            if self.sending.calm.load(Ordering::SeqCst) {
                return;
            }
            let id = format!("<{number}.{}@client.test>", self.number);
            let letter = self.letter(&id);
            let recipients: &[&str] = match number % 20 {
                3 => &["far@nord.test"],
                8 => &["adam@nord.test", "far@nord.test"],
                13 => &["alice@nord.test", "adam@nord.test"],
                even if even % 2 == 0 => &["alice@nord.test"],
                _ => &["adam@nord.test"],
            };
            // The same letter again, until somebody has promised to keep it.
            while let Err(error) = self.send(&mut connection, &id, &letter, recipients) {
                if self.sending.given_up.load(Ordering::SeqCst) {
                    return;
                }
                assert!(is_death(&error), "refused, or silence: {error}");
                connection = None;
                std::thread::sleep(Duration::from_millis(3));
            }
            self.sending.ledger.acked(&id);
        }
    }

    fn send(
        &self,
        connection: &mut Option<Smtp>,
        id: &str,
        letter: &str,
        recipients: &[&str],
    ) -> io::Result<()> {
        let smtp = match connection {
            Some(smtp) => smtp,
            None => connection.insert(Smtp::open(self.sending.server)?),
        };
        self.sending.in_flight.fetch_add(1, Ordering::SeqCst);
        let sent = smtp
            .envelope("sender@client.test", recipients)
            .and_then(|()| smtp.body(letter))
            .and_then(|()| {
                self.sending.ledger.sent(id, letter, recipients);
                smtp.end()
            });
        self.sending.in_flight.fetch_sub(1, Ordering::SeqCst);
        match sent? {
            reply if reply.code == 250 => Ok(()),
            reply => Err(io::Error::other(format!("{reply:?}"))),
        }
    }

    /// Mostly small; some too large for a frame of the journal.
    fn letter(&mut self, id: &str) -> String {
        let length = match self.chance.between(0, 199) {
            0 => self.chance.between(1_000_000, 1_200_000),
            _ => self.chance.between(1, 6_000),
        };
        let mut letter = format!("Message-ID: {id}\r\nSubject: storm\r\n\r\n");
        while (letter.len() as u64) < length {
            // Also lines that begin with dots.
            letter.push_str(&".".repeat(self.chance.between(0, 2) as usize));
            letter.push_str(&format!("{:x}\r\n", self.chance.next()));
        }
        letter
    }
}

/// What a client sees of a server that was killed: anything but a refusal, or silence.
fn is_death(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::Other | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn wait_until_empty(nord: &mut Instance, ports: &Ports) {
    let begun = Instant::now();
    loop {
        let status = nord.ask(&["status"]).unwrap();
        if status["queued"] == 0 {
            return;
        }
        assert!(
            begun.elapsed() < DRAIN_MOST,
            "the queue does not empty: {status}\n{}\n{}",
            nord.ask(&["queue", "list"]).unwrap_or_default(),
            nord.log()
        );
        nord.wait_for(|| Smtp::open(ports.nord_smtp));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The hashes of every letter that was collected, by maildrop and Message-ID.
type Delivered = HashMap<(&'static str, String), Vec<u64>>;

fn delivered(ports: &Ports) -> Delivered {
    let mut delivered = Delivered::new();
    for (_, login) in MAILDROPS {
        let server = match login {
            FAR => ports.sud_pop3,
            _ => ports.nord_pop3,
        };
        for letter in pop3::collect(server, login, PASSWORD).unwrap() {
            let (id, letter) = as_sent(&letter);
            let hashes = delivered.entry((login, id)).or_default();
            hashes.push(hash(letter));
        }
    }
    delivered
}

/// The letter without the lines that servers put on top of it, and its Message-ID.
fn as_sent(letter: &[u8]) -> (String, &[u8]) {
    let mark = b"Message-ID: ";
    let begin = letter.windows(mark.len()).position(|window| window == mark);
    let letter = &letter[begin.unwrap()..];
    let line = letter.split(|byte| *byte == b'\r').next().unwrap();
    let id = String::from_utf8_lossy(&line[mark.len()..]).into_owned();
    (id, letter)
}

fn compare(ledger: &BTreeMap<String, Entry>, delivered: &Delivered) -> Seen {
    let mut seen = Seen::default();
    for (id, entry) in ledger {
        seen.acked += usize::from(entry.acked);
        seen.sent_again += entry.sent - 1;
        for (address, login) in MAILDROPS {
            if !entry.recipients.iter().any(|to| to == address) {
                continue;
            }
            let copies = delivered.get(&(login, id.clone())).map_or(&[][..], |c| c);
            if copies.is_empty() && entry.acked {
                seen.lost.push(format!("{id} for {login}"));
            }
            if copies.iter().any(|hash| *hash != entry.hash) {
                seen.changed.push(format!("{id} for {login}"));
            }
            let too_many = copies.len().saturating_sub(entry.sent);
            match login {
                FAR => seen.relayed_again += too_many,
                _ if too_many > 0 => seen.doubled.push(format!("{id} for {login}")),
                _ => {}
            }
        }
    }
    seen
}
