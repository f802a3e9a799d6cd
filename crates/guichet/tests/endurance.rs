//! What a server endures: clients that ask for much and read nothing, that send without end, that
//! are many and idle, a disk that is full. Nobody else notices, and memory stays within bounds.
//!
//! Refusals in words are in `bad_input.rs`; deadlines of silent clients are in the transcripts of
//! each protocol, where time costs nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod harness;
mod support;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::instance::{Instance, PASSWORD, free_port, real};
use harness::memory::pss_kib;
use harness::pop3::{self, Pop3};
use harness::smtp::{Reply, Smtp};
use harness::tmpfs::SmallDisk;
use rustix::process::{Resource, getrlimit, setrlimit};
use support::{Lab, eventually, skipped};

/// Everybody else is answered within this time. Generous: other tests run.
const OTHERS_MOST: Duration = Duration::from_secs(5);
/// What clients may cost together that ask for hundreds of megabytes and read nothing.
const GROWTH_KIB_MOST: u64 = 40_000;
/// What a lab may take that nobody uses, all its processes together: 60 MB. Without optimisation the
/// program itself is larger, but that is in files, and small beside this.
const LAB_KIB_MOST: u64 = 60_000_000 >> 10;
const LOGIN: &str = "alice@nord.test";

/// A server with a page, a maildrop and echo.
struct Served {
    instance: Instance,
    smtp: SocketAddr,
    pop3: SocketAddr,
    http: SocketAddr,
    echo: SocketAddr,
}

impl Served {
    fn start(folder: PathBuf) -> Self {
        let ports: [SocketAddr; 4] = std::array::from_fn(|_| free_port());
        let [smtp, pop3, http, echo] = ports;
        let config = format!(
            "domains = [\"nord.test\"]\nmail.clear_logins = true\n\
             listen.smtp.addresses = [\"{smtp}\"]\nlisten.pop3.addresses = [\"{pop3}\"]\n\
             listen.http.addresses = [\"{http}\"]\nlisten.echo.addresses = [\"{echo}\"]\n"
        );
        let mut instance = Instance::found(folder, &config, &[], real);
        let site = instance.folder.join("sites/www.nord.test");
        fs::create_dir_all(&site).unwrap();
        fs::write(site.join("index.html"), "<p>Here.</p>").unwrap();
        instance.people(&[LOGIN], &[]);
        instance.start();
        instance.wait_for(|| Smtp::open(smtp));
        Self {
            instance,
            smtp,
            pop3,
            http,
            echo,
        }
    }

    fn kill_and_start(&mut self) {
        self.instance.kill();
        self.instance.start();
        self.instance.wait_for(|| Smtp::open(self.smtp));
    }

    fn send(&self, letter: &str) -> io::Result<Reply> {
        let mut smtp = Smtp::open(self.smtp)?;
        smtp.envelope("sender@client.test", &[LOGIN])?;
        smtp.body(letter)?;
        smtp.end()
    }

    /// An innocent client of each service gets what it asks for, soon.
    #[track_caller]
    fn others_are_served(&self) {
        others_are_served(self.smtp, self.pop3, self.http, self.echo);
    }

    fn memory_kib(&self) -> Option<u64> {
        pss_kib(&[self.instance.pid()])
    }
}

#[track_caller]
fn others_are_served(smtp: SocketAddr, pop3: SocketAddr, http: SocketAddr, echo: SocketAddr) {
    let asked = [
        ("smtp", smtp, "QUIT\r\n", "220 "),
        ("pop3", pop3, "QUIT\r\n", "+OK"),
        (
            "http",
            http,
            "GET / HTTP/1.1\r\nHost: www.nord.test\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200",
        ),
        ("echo", echo, "Is anybody there?", "Is anybody there?"),
    ];
    for (service, address, question, answer) in asked {
        let begun = Instant::now();
        let mut stream = open(address);
        stream.write_all(question.as_bytes()).unwrap();
        let mut begin = vec![0; answer.len()];
        stream.read_exact(&mut begin).unwrap();
        assert_eq!(String::from_utf8_lossy(&begin), answer, "{service}");
        let took = begun.elapsed();
        assert!(took < OTHERS_MOST, "{service} took {took:?}");
    }
}

fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    stream
}

fn letter(subject: &str, bytes: usize) -> String {
    let line = "This line is one of many in a letter that is long.\r\n";
    let lines = line.repeat(bytes / line.len());
    format!("Subject: {subject}\r\n\r\n{lines}")
}

/// Whoever asks and asks, and never reads, is not listened to any longer; and costs little.
fn ask_without_reading(
    served: &Served,
    service: &str,
    address: SocketAddr,
    hello: &str,
    ask: &[u8],
) {
    const CLIENTS: usize = 8;
    let before = served.memory_kib();
    let mut kept = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = open(address);
        stream.write_all(hello.as_bytes()).unwrap();
        let mut stopped = false;
        for _ in 0..400 {
            // The server reads no further: the kernel's buffers fill, and writing stalls.
            stopped |= stream.write_all(ask).is_err();
            if stopped {
                break;
            }
        }
        assert!(
            stopped,
            "{service} reads on although nobody takes the answers"
        );
        kept.push(stream);
    }
    served.others_are_served();
    if let (Some(before), Some(after)) = (before, served.memory_kib()) {
        let grown = after.saturating_sub(before);
        println!("{service}: {grown} KiB for {CLIENTS} clients that read nothing");
        assert!(grown < GROWTH_KIB_MOST, "{service}: {grown} KiB");
    }
}

#[test]
fn clients_that_read_nothing_cost_little() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path().to_owned());
    fs::write(
        dir.path().join("sites/www.nord.test/large"),
        vec![b'x'; 20_000_000],
    )
    .unwrap();
    assert_eq!(served.send(&letter("large", 20_000_000)).unwrap().code, 250);

    let piece = vec![b'e'; 100_000];
    ask_without_reading(&served, "echo", served.echo, "", &piece);

    let get = "GET /large HTTP/1.1\r\nHost: www.nord.test\r\n\r\n".repeat(2_000);
    ask_without_reading(&served, "http", served.http, "", get.as_bytes());

    // One maildrop has one reader at a time, so one client asks for all of it, again and again.
    let mut greedy = Pop3::log_in(served.pop3, LOGIN, PASSWORD).unwrap();
    let before = served.memory_kib();
    greedy.say(&"RETR 1\r\n".repeat(20)).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    served.others_are_served();
    if let (Some(before), Some(after)) = (before, served.memory_kib()) {
        let grown = after.saturating_sub(before);
        println!("pop3: {grown} KiB for a client that asks for 400 MB and reads nothing");
        assert!(grown < GROWTH_KIB_MOST, "{grown} KiB");
    }
}

#[test]
fn a_line_of_10_mb_comes_back_from_echo() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path().to_owned());
    let mut stream = open(served.echo);
    stream
        .set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut writer = stream.try_clone().unwrap();
    let line = vec![b'a'; 10_000_000];
    let sent = line.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    writing.join().unwrap();
    assert!(back == line, "{} bytes came back", back.len());
    served.others_are_served();
}

/// A letter without end: refused once it is too large, without being kept.
#[test]
fn a_letter_without_end_is_refused_and_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path().to_owned());
    let before = served.memory_kib();
    let mut smtp = Smtp::open(served.smtp).unwrap();
    smtp.envelope("sender@client.test", &[LOGIN]).unwrap();
    let piece = letter("endless", 1_000_000);
    for _ in 0..60 {
        smtp.body(&piece).unwrap();
    }
    served.others_are_served();
    if let (Some(before), Some(after)) = (before, served.memory_kib()) {
        let grown = after.saturating_sub(before);
        println!("smtp: {grown} KiB while a letter of 60 MB comes in");
        assert!(grown < 10_000, "{grown} KiB");
    }
    assert_eq!(smtp.end().unwrap().code, 552);
    assert_eq!(served.send(&letter("small", 100)).unwrap().code, 250);
}

#[test]
fn two_thousand_idle_connections_on_any_service_hinder_nobody() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    if limit.current.is_some_and(|most| most < 2_500) {
        skipped("descriptors", "fewer than 2500 allowed on this system");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path().to_owned());
    let services = [
        ("smtp", served.smtp),
        ("pop3", served.pop3),
        ("http", served.http),
        ("echo", served.echo),
    ];
    for (service, address) in services {
        let before = served.memory_kib();
        let idle: Vec<TcpStream> = (0..2_000).map(|_| open(address)).collect();
        served.others_are_served();
        if let (Some(before), Some(after)) = (before, served.memory_kib()) {
            let each = after.saturating_sub(before) as f64 / 2_000.0;
            println!("{service}: {each:.1} KiB for each idle connection");
        }
        drop(idle);
    }
}

#[test]
fn a_full_disk_is_told_and_forgotten_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(160 << 20) else {
        skipped("disk-full", "this user may not mount a small file system");
        return;
    };
    let mut served = Served::start(disk.path().join("nord"));
    let mut kept = 0;
    // Nearly full: some room is kept back for deletions. Then full to the last byte.
    for (most, restarts) in [(90 << 20, true), (u64::MAX, true), (u64::MAX, false)] {
        let filling = disk.fill(most);
        let refused = (0..1_000).find_map(|_| {
            let reply = served.send(&letter("filling", 300_000)).unwrap();
            kept += usize::from(reply.code == 250);
            (reply.code != 250).then_some(reply)
        });
        let refused = refused.expect("the disk fills");
        assert_eq!(refused.code, 452, "{refused:?}");
        assert!(refused.text.contains("disk is full"), "{refused:?}");
        // Nobody else notices, and nothing that was promised is lost.
        served.others_are_served();
        assert_eq!(letters(&served), kept);
        if restarts {
            served.kill_and_start();
            served.others_are_served();
            assert_eq!(letters(&served), kept);
        }
        // What makes nothing larger may still be done; if not, it is told.
        for _ in 0..3 {
            kept -= usize::from(delete_first(&served));
        }
        fs::remove_file(filling).unwrap();
        eventually(Duration::from_secs(10), || {
            match served.send(&letter("there is room", 1_000)) {
                Ok(reply) if reply.code == 250 => Ok(()),
                other => Err(format!("{other:?}\n{}", served.instance.log())),
            }
        });
        kept += 1;
        assert_eq!(letters(&served), kept, "{}", served.instance.log());
    }
}

/// Whether the server says that it is done.
fn delete_first(served: &Served) -> bool {
    let mut pop3 = Pop3::log_in(served.pop3, LOGIN, PASSWORD).unwrap();
    pop3.ask("DELE 1").unwrap();
    pop3.ask("QUIT").is_ok()
}

fn letters(served: &Served) -> usize {
    pop3::collect(served.pop3, LOGIN, PASSWORD).unwrap().len()
}

#[test]
fn an_idle_lab_is_small() {
    let lab = Lab::start(&[]);
    let mut pids = vec![lab.pid()];
    for domain in ["nord.test", "sud.test"] {
        let pid = lab.organisation(domain)["pid"].as_u64().expect("pid");
        pids.push(u32::try_from(pid).unwrap());
    }
    // What the start needed has been given back.
    std::thread::sleep(Duration::from_secs(1));
    let Some(kib) = pss_kib(&pids) else {
        skipped("memory", "the system does not say what a process takes");
        return;
    };
    println!("an idle lab takes {:.1} MB in all", kib as f64 / 1024.0);
    assert!(kib < LAB_KIB_MOST, "{kib} KiB");
}
