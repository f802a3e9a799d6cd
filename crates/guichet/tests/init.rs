//! From `guichet init` to a server that is in use: without a certificate, with one, through changes
//! of people, names and certificates, to its end.
//!
//! The file is the one that `init` writes; only its ports are moved to such as the system chooses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use guichet_engine::tls::Authority;
use serde_json::Value;
use support::{DELIVERY_MOST, Ran, Signal, client, eventually, guichet, run, signal};

const FIRST_PASSWORD: &str = "the first one's word";

/// What `init` wrote, changed as a person would change it, and the server that runs with it.
struct Server {
    home: tempfile::TempDir,
    child: Option<Child>,
}

impl Server {
    /// The folder, nothing running yet.
    fn init() -> Self {
        let server = Self {
            home: tempfile::tempdir().unwrap(),
            child: None,
        };
        let dir = server.dir().display().to_string();
        let words = ["init", "example.test", "--address", "127.0.0.1", "--dir"];
        let mut command = guichet(server.home.path());
        with_input(command.args(words).arg(dir), FIRST_PASSWORD).well();
        let written = fs::read_to_string(server.config()).unwrap();
        let moved = written.lines().map(|line| match line {
            line if line.starts_with("addresses = ") => "addresses = [\"127.0.0.1:0\"]",
            line => line,
        });
        fs::write(server.config(), moved.collect::<Vec<_>>().join("\n")).unwrap();
        server
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("server")
    }

    fn config(&self) -> PathBuf {
        self.dir().join("guichet.toml")
    }

    /// A certificate of a new authority, in the places that the configuration names.
    fn certify(&self) -> PathBuf {
        let authority = Authority::new("the test's authority", &["test"]).unwrap();
        let folder = tempfile::tempdir_in(self.home.path()).unwrap().keep();
        authority.write(&folder).unwrap();
        let names = ["example.test", "*.example.test"].map(str::to_owned);
        let address = [[127, 0, 0, 1].into()];
        authority.issue(&self.dir(), &names, &address).unwrap();
        folder.join("ca.pem")
    }

    /// Puts the certificate into the configuration.
    fn configure_certificate(&self) {
        let mut text = fs::read_to_string(self.config()).unwrap();
        text.push_str("\n[[tls.certificates]]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n");
        fs::write(self.config(), text).unwrap();
    }

    fn serve(&mut self) {
        let log = fs::File::create(self.home.path().join("log")).unwrap();
        let mut command = guichet(self.home.path());
        command.arg("serve").arg("--config").arg(self.config());
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        eventually(Duration::from_secs(20), || {
            let ran = self.ask(&["status"]);
            (ran.code == Some(0)).then_some(()).ok_or(ran.err)
        });
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = guichet(self.home.path());
        command.args(words).arg("--config").arg(self.config());
        command
    }

    /// A command of the operator.
    fn ask(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// A command of the operator that reads a password.
    fn ask_with(&self, words: &[&str], password: &str) -> Ran {
        with_input(&mut self.command(words), password)
    }

    /// Where a service listens; none when it does not.
    fn listens(&self, service: &str) -> Option<SocketAddr> {
        let status = self.ask(&["status", "--json"]).well();
        let status: Value = serde_json::from_str(&status.out).unwrap();
        let services = status["services"].as_array().expect("services").clone();
        let found = services.iter().find(|one| one["service"] == service)?;
        Some(found["addresses"][0].as_str()?.parse().unwrap())
    }

    fn dialogue(&self, service: &str) -> Dialogue {
        Dialogue::open(self.listens(service).expect(service))
    }

    /// A letter from outside; the reply that settles it.
    fn letter(&self, to: &str, subject: &str) -> String {
        let mut smtp = self.dialogue("smtp");
        smtp.say("EHLO far.test");
        smtp.say("MAIL FROM:<zoe@far.test>");
        let reply = smtp.say(&format!("RCPT TO:<{to}>"));
        if !reply.starts_with("250") {
            return reply;
        }
        smtp.say("DATA");
        smtp.say(&format!(
            "From: zoe@far.test\r\nSubject: {subject}\r\n\r\nHello.\r\n."
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn with_input(command: &mut Command, password: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{password}\n").as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A conversation in lines by hand, in clear.
struct Dialogue {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Dialogue {
    /// Connects and hears the greeting.
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let replies = BufReader::new(stream.try_clone().unwrap());
        let mut dialogue = Self { stream, replies };
        dialogue.hear();
        dialogue
    }

    fn say(&mut self, line: &str) -> String {
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.hear()
    }

    /// The next reply: all lines of an SMTP reply, one line of POP3; empty at the end.
    fn hear(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            self.replies.read_line(&mut reply).unwrap();
            if reply.as_bytes().get(start + 3) != Some(&b'-') {
                return reply;
            }
        }
    }

    /// The lines of a POP3 list, up to its dot.
    fn list(&mut self, command: &str) -> String {
        let mut list = self.say(command);
        while !list.ends_with("\r\n.\r\n") {
            assert!(self.replies.read_line(&mut list).unwrap() > 0, "{list}");
        }
        list
    }
}

#[test]
fn without_a_certificate_nothing_is_faked() {
    let mut server = Server::init();
    server.serve();
    for service in ["dns", "http", "smtp", "submission", "pop3"] {
        assert!(server.listens(service).is_some(), "{service}");
    }
    for service in ["https", "submissions", "pop3s"] {
        assert_eq!(server.listens(service), None, "{service}");
    }
    let status = server.ask(&["status"]).well();
    assert_eq!(
        status.out.matches("no certificate").count(),
        3,
        "{status:?}"
    );
    status.says("tls.certificates");
    assert!(server.log().contains("no certificate"), "{}", server.log());
    let watch = format!("http://{}/", server.listens("watch").expect("watch"));
    assert!(server.log().contains(&watch), "{}", server.log());

    for (service, login) in [("smtp", "502"), ("submission", "538")] {
        let mut dialogue = server.dialogue(service);
        let offered = dialogue.say("EHLO client.test");
        assert!(
            !offered.contains("STARTTLS") && !offered.contains("AUTH"),
            "{offered}"
        );
        let refused = dialogue.say("STARTTLS");
        assert!(
            refused.starts_with("502") && refused.contains("no certificate"),
            "{refused}"
        );
        let refused = dialogue.say("AUTH PLAIN AHBvc3RtYXN0ZXJAZXhhbXBsZS50ZXN0AHg=");
        assert!(refused.starts_with(login), "{service}: {refused}");
        assert_eq!(
            service == "submission",
            refused.contains("no certificate"),
            "{refused}"
        );
    }
    let refused = server.dialogue("submission").say("EHLO x");
    assert!(refused.starts_with("250"), "{refused}");

    let mut pop3 = server.dialogue("pop3");
    let offered = pop3.list("CAPA");
    assert!(
        !offered.contains("STLS") && !offered.contains("USER"),
        "{offered}"
    );
    for command in [
        "STLS",
        "USER postmaster@example.test",
        "AUTH PLAIN AHgAeA==",
    ] {
        let refused = pop3.say(command);
        assert!(
            refused.starts_with("-ERR") && refused.contains("no certificate"),
            "{refused}"
        );
    }
    // Mail comes in all the same, and waits for the day people can log in.
    assert!(
        server
            .letter("postmaster@example.test", "early")
            .starts_with("250")
    );
}

#[test]
fn people_come_and_go_and_mail_follows_them() {
    let Some(curl) = client("curl") else { return };
    let mut server = Server::init();
    let authority = server.certify();
    server.configure_certificate();
    server.serve();
    let pop3 = server.listens("pop3").expect("pop3");
    // How many letters LIST shows (number and size of each); none when the log-in is refused.
    let collect = |login: &str, password: &str| {
        let ran = run(Command::new(&curl)
            .args(["-s", "--ssl-reqd", "--cacert"])
            .arg(&authority)
            .args(["-u", &format!("{login}:{password}")])
            .arg(format!("pop3://{pop3}/")));
        const LOGIN_DENIED: i32 = 67;
        match ran.code {
            Some(0) => Some(ran.out.split_whitespace().count() / 2),
            code => {
                assert_eq!(code, Some(LOGIN_DENIED), "{ran:?}");
                None
            }
        }
    };
    assert_eq!(collect("postmaster@example.test", FIRST_PASSWORD), Some(0));
    assert!(
        server
            .letter("anna@example.test", "too early")
            .starts_with("550")
    );

    server
        .ask_with(&["account", "add", "anna@example.test"], "one")
        .well();
    assert_eq!(collect("anna@example.test", "one"), Some(0));
    assert_eq!(collect("anna@example.test", "two"), None);
    assert!(
        server
            .letter("anna@example.test", "first")
            .starts_with("250")
    );
    eventually(DELIVERY_MOST, || {
        match collect("anna@example.test", "one") {
            Some(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });

    assert!(server.letter("info@example.test", "no").starts_with("550"));
    let alias = ["alias", "add", "info@example.test", "anna@example.test"];
    server.ask(&alias).well();
    assert!(
        server
            .letter("info@example.test", "second")
            .starts_with("250")
    );
    eventually(DELIVERY_MOST, || {
        match collect("anna@example.test", "one") {
            Some(2) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });

    server
        .ask_with(&["account", "passwd", "anna@example.test"], "two")
        .well();
    assert_eq!(collect("anna@example.test", "one"), None);
    assert_eq!(collect("anna@example.test", "two"), Some(2));

    server
        .ask(&["account", "suspend", "anna@example.test"])
        .well();
    assert_eq!(collect("anna@example.test", "two"), None);
    assert!(
        server
            .letter("anna@example.test", "third")
            .starts_with("250")
    );
    server
        .ask(&["account", "resume", "anna@example.test"])
        .well();
    eventually(DELIVERY_MOST, || {
        match collect("anna@example.test", "two") {
            Some(3) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });

    server
        .ask(&["account", "remove", "anna@example.test"])
        .well();
    assert_eq!(collect("anna@example.test", "two"), None);
    assert!(
        server
            .letter("anna@example.test", "late")
            .starts_with("550")
    );
    let again = server.ask(&["account", "remove", "anna@example.test"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    again.says("anna@example.test");
}

#[test]
fn a_reload_takes_new_names_and_certificates_and_closes_nothing() {
    let (Some(curl), Some(dig)) = (client("curl"), client("dig")) else {
        return;
    };
    let mut server = Server::init();
    let old = server.certify();
    server.configure_certificate();
    server.serve();
    let (dns, https) = (
        server.listens("dns").unwrap(),
        server.listens("https").unwrap(),
    );
    let text_of = |name: &str| {
        let port = dns.port().to_string();
        let words = ["@127.0.0.1", "-p", &port, "+short", "+tries=1", name, "TXT"];
        run(Command::new(&dig).args(words)).well().out
    };
    let trusts = |authority: &Path| {
        let host = "www.example.test";
        let ran = run(Command::new(&curl)
            .args(["-sf", "--cacert"])
            .arg(authority)
            .args(["--resolve", &format!("{host}:{}:127.0.0.1", https.port())])
            .arg(format!("https://{host}:{}/", https.port())));
        const NOT_TRUSTED: i32 = 60;
        assert!(matches!(ran.code, Some(0 | NOT_TRUSTED)), "{ran:?}");
        ran.code == Some(0)
    };
    // STARTTLS is offered, and used: mail is taken through it.
    let offered = server.dialogue("smtp").say("EHLO client.test");
    assert!(
        offered.contains("STARTTLS") && !offered.contains("AUTH"),
        "{offered}"
    );
    starttls(&curl, &old, server.listens("smtp").unwrap());
    assert!(trusts(&old));

    let mut held = server.dialogue("smtp");
    held.say("EHLO far.test");
    held.say("MAIL FROM:<zoe@far.test>");
    let zone = server.dir().join("zones/example.test.zone");
    let mut text = fs::read_to_string(&zone).unwrap();
    text.push_str("new TXT \"was not here before\"\n");
    fs::write(&zone, &text).unwrap();
    let new = server.certify();
    // Files alone change nothing.
    assert_eq!(text_of("new.example.test"), "");
    assert!(trusts(&old) && !trusts(&new));

    let reload = || server.ask(&["reload"]).well();
    reload().says("changed and read again: zones, certificates.");
    reload().says("nothing has changed.");
    assert_eq!(text_of("new.example.test"), "\"was not here before\"\n");
    assert!(trusts(&new) && !trusts(&old));
    starttls(&curl, &new, server.listens("smtp").unwrap());
    let goes_on = held.say("RCPT TO:<postmaster@example.test>");
    assert!(goes_on.starts_with("250"), "{goes_on}");

    // One of the two alone, and the same serial number, are seen as well.
    fs::write(&zone, text.replace("not here", "never here")).unwrap();
    reload().says("changed and read again: zones.");
    fs::write(&zone, &text).unwrap();
    reload().says("changed and read again: zones.");
    let new = server.certify();
    reload().says("changed and read again: certificates.");
    assert!(trusts(&new));

    // What is wrong changes nothing, and says where.
    fs::write(&zone, format!("{text}bad A 1.2.3.four\n")).unwrap();
    let refused = server.ask(&["reload"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    refused.says("example.test.zone");
    assert_eq!(text_of("new.example.test"), "\"was not here before\"\n");
    fs::remove_file(server.dir().join("key.pem")).unwrap();
    fs::write(&zone, &text).unwrap();
    let refused = server.ask(&["reload"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    refused.says("key.pem");
    assert!(trusts(&new));
}

/// A letter through STARTTLS, or not at all.
fn starttls(curl: &Path, authority: &Path, smtp: SocketAddr) {
    let letter = tempfile::NamedTempFile::new().unwrap();
    fs::write(letter.path(), "Subject: sealed\r\n\r\nHello.\r\n").unwrap();
    run(Command::new(curl)
        .args(["-s", "--ssl-reqd", "--cacert"])
        .arg(authority)
        .args(["--mail-from", "zoe@far.test"])
        .args(["--mail-rcpt", "postmaster@example.test", "-T"])
        .arg(letter.path())
        .arg(format!("smtp://{smtp}/far.test")))
    .well();
}

#[test]
fn told_to_stop_it_tells_those_who_wait_and_ends_in_time() {
    let mut server = Server::init();
    server.serve();
    let mut idle = server.dialogue("smtp");
    idle.say("EHLO far.test");
    // In the middle of a letter that will never end.
    let mut busy = server.dialogue("smtp");
    for line in [
        "EHLO far.test",
        "MAIL FROM:<>",
        "RCPT TO:<postmaster@example.test>",
        "DATA",
    ] {
        assert!(busy.say(line).starts_with(['2', '3']));
    }
    let mut child = server.child.take().unwrap();
    let begun = Instant::now();
    signal(child.id(), Signal::TERM);
    let told = idle.hear();
    assert!(told.starts_with("421 "), "{told:?}");
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(idle.hear(), "", "then the connection ends");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    // The drain time is 3 s unless the file says otherwise; the rest is for a busy machine.
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_the_nearest_known() {
    let server = Server::init();
    let text = fs::read_to_string(server.config()).unwrap();
    let wrong = text.replace("\n[mail]\n", "\n[mail]\nsize_byte_most = \"1 MB\"\n");
    let is_wrong = |line: &str| line.starts_with("size_byte_most");
    let line = wrong.lines().position(is_wrong).expect("a [mail] table") + 1;
    fs::write(server.config(), wrong).unwrap();
    let refused = server.ask(&["serve"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let place = format!("{}:{line}: ", server.config().display());
    refused.says(&place).says("mail.size_bytes_most");
}
