//! The transcripts of `transcripts/`, played against the running binary: the server's side of each
//! that needs no special service (`# needs:`), no passing time and no TLS in its middle.
//!
//! The sessions' own words must be the same as in the pure play. What a service decides (which
//! mailbox exists, a queue id) is a fake's word there and the real one's here: such a line must
//! begin with the same status.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod harness;
mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use guichet_engine::tls::Authority;
use guichet_proto::transcript::{Control, Step, Text, Transcript, escape};
use guichet_services::accounts::{Cost, password};
use guichet_store::{Change, Options, Store};
use guichet_trace::WallTime;
use harness::instance::{Instance, free_port, real};
use harness::smtp::Smtp;

/// The password that the transcripts speak of.
const PASSWORD: &str = "kanarienvogel";
const SILENCE_MOST: Duration = Duration::from_secs(20);
/// Headers that only describe what the pure play's fakes saw, or its pieces.
const HARMLESS: [&str; 7] = ["title", "kind", "auth", "tls", "kept", "last", "chunks"];

/// How the server a transcript needs is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    certificate: bool,
    clear_logins: bool,
}

struct Server {
    instance: Instance,
    ports: BTreeMap<&'static str, SocketAddr>,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(setting: Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = ["http", "smtp", "submission", "pop3", "echo"];
        let ports: BTreeMap<_, _> = services.map(|service| (service, free_port())).into();
        let mut config = format!(
            "domains = [\"nord.test\"]\nhostname = \"mail.nord.test\"\n\
             trace.level = \"full\"\nmail.clear_logins = {}\nnames.roots = [\"{}\"]\n",
            setting.clear_logins,
            free_port(), // nobody is there, and nobody needs to be
        );
        for (service, address) in &ports {
            config.push_str(&format!("listen.{service}.addresses = [\"{address}\"]\n"));
        }
        if setting.certificate {
            let authority = Authority::new("the test's authority", &["test"]).unwrap();
            authority
                .issue(folder.path(), &["mail.nord.test".to_owned()], &[])
                .unwrap();
            config
                .push_str("[[tls.certificates]]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n");
        }
        let mut instance = Instance::found(folder.path().to_owned(), &config, &[], real);
        people(folder.path());
        instance.start();
        let smtp = ports["smtp"];
        instance.wait_for(|| TcpStream::connect(smtp));
        Self {
            instance,
            ports,
            _folder: folder,
        }
    }
}

fn people(folder: &Path) {
    let hash = password::hash(PASSWORD, Cost::LIGHT).unwrap();
    let store = Store::open(Options::new(folder.join("store"))).unwrap();
    for login in ["alice@nord.test", "bob@nord.test"] {
        store
            .add_account(Change::at(WallTime(1)), login, &hash)
            .wait()
            .unwrap();
    }
    store.close();
}

/// A transcript that can be played here, the service it is for and the setting it needs.
struct Live {
    path: PathBuf,
    transcript: Transcript,
    service: &'static str,
    setting: Setting,
}

fn live() -> Vec<Live> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts");
    let kinds = [
        ("smtp", "smtp"),
        ("pop3", "pop3"),
        ("http/refused", "http"),
        ("echo", "echo"),
    ];
    let mut found = Vec::new();
    for (kind, protocol) in kinds {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder.join(kind))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            let transcript = Transcript::parse(&text).unwrap();
            if !fits(&transcript) {
                continue;
            }
            let service = match transcript.header("kind") {
                Some("submission") => "submission",
                _ => protocol,
            };
            let setting = Setting {
                certificate: transcript.header("tls") == Some("offered"),
                clear_logins: transcript.header("auth") == Some("in-clear"),
            };
            found.push(Live {
                path,
                transcript,
                service,
                setting,
            });
        }
    }
    found
}

fn fits(transcript: &Transcript) -> bool {
    let plain = transcript
        .header
        .iter()
        .all(|(key, _)| HARMLESS.contains(&key.as_str()));
    let tls = !matches!(transcript.header("tls"), Some(tls) if tls != "offered");
    plain
        && tls
        && transcript.steps.iter().all(|(_, step)| {
            !matches!(
                step,
                Step::Time(_) | Step::Control(Control::Tls) | Step::Control(Control::Stop)
            )
        })
}

#[test]
fn the_binary_answers_as_the_transcripts_say() {
    let all = live();
    let count = |service: &str| all.iter().filter(|live| live.service == service).count();
    assert!(
        count("smtp") >= 10 && count("pop3") >= 4 && count("http") >= 30,
        "few are played"
    );
    let mut servers: BTreeMap<Setting, Server> = BTreeMap::new();
    let mut wrong = Vec::new();
    for live in &all {
        let server = servers
            .entry(live.setting)
            .or_insert_with(|| Server::start(live.setting));
        if let Err(what) = play(live, server.ports[live.service]) {
            wrong.push(format!("{}: {what}", live.path.display()));
        }
    }
    let logs: Vec<String> = servers
        .values()
        .map(|server| server.instance.log())
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        wrong.join("\n"),
        logs.join("\n")
    );
}

/// The check itself: with another status in them, transcripts do not pass.
#[test]
fn another_status_is_noticed() {
    let setting = Setting {
        certificate: false,
        clear_logins: false,
    };
    let server = Server::start(setting);
    let mut changed = 0;
    for live in live() {
        let text = std::fs::read_to_string(&live.path).unwrap();
        let (old, new) = match live.service {
            "smtp" => ("S: 503", "S: 250"),
            "pop3" => ("S: -ERR", "S: +OK"),
            "http" => ("S: HTTP/1.1 4", "S: HTTP/1.1 2"),
            _ => continue,
        };
        if live.setting == setting && text.contains(old) {
            let transcript = Transcript::parse(&text.replacen(old, new, 1)).unwrap();
            let live = Live { transcript, ..live };
            assert!(play(&live, server.ports[live.service]).is_err());
            changed += 1;
        }
    }
    assert!(changed > 30, "{changed}");
}

/// What the trace exports is such a transcript: played again, the same answers come.
#[test]
fn an_exported_dialogue_can_be_played_again() {
    let server = Server::start(Setting {
        certificate: false,
        clear_logins: false,
    });
    let address = server.ports["smtp"];
    let mut smtp = Smtp::open(address).unwrap();
    smtp.envelope("x@far.test", &["alice@nord.test"]).unwrap();
    let letter = "Subject: *stars*\r\n\r\n..a dot, a back\\slash, b\u{e9}\r\n";
    smtp.body(letter).unwrap();
    assert_eq!(smtp.end().unwrap().code, 250);
    assert_eq!(smtp.ask("RCPT TO:<bob@nord.test>").unwrap().code, 503);
    assert_eq!(smtp.ask("QUIT").unwrap().code, 221);
    let exported = Duration::from_secs(10);
    let text = support::eventually(exported, || {
        let output = Command::new(env!("CARGO_BIN_EXE_guichet"))
            .args(["trace", "export", "--format", "dialogue", "--config"])
            .arg(server.instance.config())
            .output()
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
        match text.contains("S: 221") && text.contains("! closed") {
            true => Ok(text),
            false => Err(text),
        }
    });
    let dialogue = text
        .split("\n\n")
        .find(|dialogue| dialogue.contains("far.test"))
        .unwrap();
    assert!(dialogue.contains("\\*stars\\*"), "{dialogue}");
    let transcript = Transcript::parse(dialogue).unwrap();
    let live = Live {
        path: PathBuf::new(),
        transcript,
        service: "smtp",
        setting: Setting {
            certificate: false,
            clear_logins: false,
        },
    };
    play(&live, address).unwrap();
}

fn play(live: &Live, address: SocketAddr) -> Result<(), String> {
    let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(SILENCE_MOST)).unwrap();
    stream.set_write_timeout(Some(SILENCE_MOST)).unwrap();
    let mut wire = Wire {
        stream,
        heard: Vec::new(),
        saying: Vec::new(),
    };
    for (line, step) in &live.transcript.steps {
        let done = match step {
            Step::Client(text) => {
                wire.saying.extend(text.bytes());
                Ok(())
            }
            Step::Server(text) => wire.expect(text),
            Step::Control(Control::HalfClose) => {
                wire.speak();
                let _ = wire.stream.shutdown(Shutdown::Write); // it may have closed already
                Ok(())
            }
            Step::Control(Control::Closed) => wire.expect_end(),
            // What a service is asked, and what only a pure play can do.
            Step::Decision(_) | Step::Time(_) | Step::Control(_) => Ok(()),
        };
        done.map_err(|what| format!("line {line}: {what}"))?;
    }
    Ok(())
}

struct Wire {
    stream: TcpStream,
    heard: Vec<u8>,
    /// Said together, as somebody would who does not wait.
    saying: Vec<u8>,
}

impl Wire {
    fn speak(&mut self) {
        // A server that has had enough closes in the middle; what it said is still read.
        let _ = self.stream.write_all(&std::mem::take(&mut self.saying));
    }

    fn expect(&mut self, text: &Text) -> Result<(), String> {
        self.speak();
        let wanted = text.bytes();
        loop {
            if let Some(taken) = text.matches(&self.heard) {
                self.heard.drain(..taken);
                return Ok(());
            }
            if let Some(end) = self.heard.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return match status(&line).is_some() && status(&line) == status(&wanted) {
                    true => Ok(()),
                    false => Err(format!(
                        "expected {}, got {}",
                        escape(&wanted),
                        escape(&line)
                    )),
                };
            }
            if self.read()? == 0 {
                return Err(format!("expected {}, got the end", escape(&wanted)));
            }
        }
    }

    fn expect_end(&mut self) -> Result<(), String> {
        self.speak();
        while self.heard.is_empty() {
            if self.read()? == 0 {
                return Ok(());
            }
        }
        Err(format!("expected the end, got {}", escape(&self.heard)))
    }

    fn read(&mut self) -> Result<usize, String> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(count) => {
                self.heard.extend_from_slice(&piece[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(0),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What a service's own words leave alone: `250 `, `250-`, `+OK`, `-ERR`.
fn status(line: &[u8]) -> Option<&[u8]> {
    match line {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..] => Some(&line[..4]),
        [b'+', b'O', b'K', ..] => Some(&line[..3]),
        [b'-', b'E', b'R', b'R', ..] => Some(&line[..4]),
        _ => None,
    }
}
