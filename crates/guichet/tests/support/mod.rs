//! What the tests with real clients share: a running lab, and programs run with a deadline.
//!
//! Every address comes from the line `guichet lab --json` prints; nothing is hard-wired. A test whose
//! client is not installed says so through [`client`], which notes the skip for the test command.
#![allow(dead_code, reason = "each test program uses its part of this")]

pub mod capture;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;

/// The lab says within this time where it listens. Far above what it promises: other tests run too.
const START_MOST: Duration = Duration::from_secs(30);

/// It ends within this time when it is told to.
const STOP_MOST: Duration = Duration::from_secs(10);

/// No client needs longer than this for what the tests ask of it.
const CLIENT_MOST: Duration = Duration::from_secs(30);

/// A letter reaches its mailbox within this time.
pub const DELIVERY_MOST: Duration = Duration::from_secs(20);

/// Where a program is; none, with the skip noted, when it is not installed.
pub fn client(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file());
    if found.is_none() {
        skipped(program, "not installed");
    }
    found
}

/// Notes that something was not checked: shown, and counted by `cargo xtask test`.
pub fn skipped(name: &str, why: &str) {
    eprintln!("skipped: {name}: {why}");
    if let Some(ledger) = env::var_os("GUICHET_SKIPS") {
        let file = fs::File::options().create(true).append(true).open(ledger);
        writeln!(file.unwrap(), "{name}: {why}").unwrap();
    }
}

/// The binary under test, apart from whatever this user's own labs and variables say.
pub fn guichet(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("GUICHET_") {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", home)
        .env("XDG_STATE_HOME", home.join("state"))
        .env("LANG", "C.UTF-8")
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

/// A running lab in a folder of its own; it ends when the last user lets go of it.
pub struct Lab {
    child: Child,
    /// What it printed.
    pub json: Value,
    home: tempfile::TempDir,
}

impl Lab {
    /// One lab for all tests of this program that run at the same time.
    pub fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Lab>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lab) = running.upgrade() {
            return lab;
        }
        let lab = Arc::new(Self::start(&[]));
        *running = Arc::downgrade(&lab);
        lab
    }

    /// A lab for one test alone, with these further arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (child, json) = spawn(home.path(), arguments);
        Self { child, json, home }
    }

    /// Ends it and starts it again in the same folder.
    pub fn restart(&mut self) {
        signal(self.pid(), Signal::TERM);
        assert_eq!(self.ended(STOP_MOST), Some(0));
        (self.child, self.json) = spawn(self.home.path(), &[]);
    }

    /// The lab's own process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end: the exit code, none when it runs on or was killed.
    pub fn ended(&mut self, within: Duration) -> Option<i32> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// The lab's folder.
    pub fn dir(&self) -> PathBuf {
        PathBuf::from(self.json["dir"].as_str().expect("dir"))
    }

    /// A folder for what a test writes, outside the lab's.
    pub fn scratch(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The certificate of the lab's authority.
    pub fn authority(&self) -> String {
        self.json["ca"].as_str().expect("ca").to_owned()
    }

    /// The lab's own resolver.
    pub fn resolver(&self) -> SocketAddr {
        address(&self.json["resolver"])
    }

    /// Where an organisation's service listens.
    pub fn service(&self, domain: &str, name: &str) -> SocketAddr {
        address(&self.organisation(domain)["services"][name])
    }

    /// One of the organisations.
    pub fn organisation(&self, domain: &str) -> &Value {
        let all = self.json["organisations"]
            .as_array()
            .expect("organisations");
        all.iter()
            .find(|organisation| organisation["domain"] == domain)
            .unwrap_or_else(|| panic!("no organisation {domain} in {}", self.json))
    }

    /// The password of an account, as the lab prints it.
    pub fn password(&self, login: &str) -> String {
        let (_, domain) = login.split_once('@').expect("a full address");
        let accounts = self.organisation(domain)["accounts"]
            .as_array()
            .expect("accounts");
        let account = accounts.iter().find(|account| account["login"] == login);
        let account = account.unwrap_or_else(|| panic!("no account {login}"));
        account["password"].as_str().expect("a password").to_owned()
    }

    /// The binary, talking to this lab.
    pub fn guichet(&self) -> Command {
        let mut command = guichet(self.home.path());
        command.env("GUICHET_DIR", self.dir());
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        signal(self.pid(), Signal::TERM);
        let _ = self.ended(STOP_MOST);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a lab in `home` and reads where it listens.
fn spawn(home: &Path, arguments: &[&str]) -> (Child, Value) {
    let words = fs::File::create(home.join("lab.err")).unwrap();
    let mut child = guichet(home)
        .args(["lab", "--json", "--dir"])
        .arg(home.join("lab"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(words)
        .spawn()
        .unwrap();
    let (send, receive) = mpsc::channel();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || {
        let mut line = String::new();
        let _ = out.read_line(&mut line);
        let _ = send.send(line);
        // Read on, so that the lab never writes into a closed pipe.
        let _ = std::io::copy(&mut out, &mut std::io::sink());
    });
    let line = receive.recv_timeout(START_MOST).unwrap_or_default();
    let json = serde_json::from_str(&line).unwrap_or_else(|error| {
        let _ = child.kill();
        let _ = child.wait();
        let said = fs::read_to_string(home.join("lab.err")).unwrap_or_default();
        panic!("{error} in the lab's line {line:?}; it said: {said}")
    });
    (child, json)
}

/// Sends a signal; a process that has ended already does not mind.
pub fn signal(process: u32, signal: Signal) {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let _ = pid.map(|pid| kill_process(pid, signal));
}

fn address(value: &Value) -> SocketAddr {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("no address in the lab's line: {value}"));
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output; bytes that are no UTF-8 are replaced.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    /// Panics with everything it printed unless it ended with 0.
    #[track_caller]
    pub fn well(self) -> Self {
        assert!(self.code == Some(0), "{self:#?}");
        self
    }

    /// Both outputs.
    pub fn all(&self) -> String {
        let mut all = self.out.clone();
        let _ = write!(all, "\n{}", self.err);
        all
    }

    /// Panics with everything it printed unless this text is in it.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.all().contains(text), "{text:?} is not in {self:#?}");
        self
    }

    /// Panics with everything it printed when this text is in it.
    #[track_caller]
    pub fn does_not_say(&self, text: &str) -> &Self {
        assert!(!self.all().contains(text), "{text:?} is in {self:#?}");
        self
    }
}

/// Runs a program to its end; one that does not come to it fails the test.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let out = reader(child.stdout.take().unwrap());
    let err = reader(child.stderr.take().unwrap());
    let deadline = Instant::now() + CLIENT_MOST;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status.code());
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let ran = Ran {
        code: code.flatten(),
        out: out.join().unwrap(),
        err: err.join().unwrap(),
    };
    assert!(code.is_some(), "{command:?} did not end: {ran:#?}");
    ran
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Tries until something comes of it; the test fails with the last word at the deadline.
#[track_caller]
pub fn eventually<T>(within: Duration, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + within;
    loop {
        match attempt() {
            Ok(found) => return found,
            Err(why) => assert!(Instant::now() < deadline, "not within {within:?}: {why}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A script of `tests/clients/`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/clients")
        .join(name)
}
