//! `lab --once` against a capture of the same run: what it prints is what was on the wire, in the
//! same order and on the same ports, and nothing was on the wire that its trace does not know. With a
//! server stopped on purpose it fails in time, and says where and why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::capture::Capture;
use support::{Lab, Ran, Signal, client, guichet, run, signal, skipped};

/// The course's numbers.
const NUMBERS: [&str; 8] = ["1", "2", "3a", "3b", "1a", "1b", "2a", "2b"];

#[test]
fn what_is_told_is_what_was_on_the_wire() {
    let Some(tshark) = client("tshark") else {
        return;
    };
    // A lab that has been: its folder, and ports that no other lab takes by itself.
    let base = (1..14)
        .map(|n| 5_000 + n * 1_100)
        .find(|&base| is_free(base));
    let base = base.expect("free ports").to_string();
    let mut lab = Lab::start(&["--base-port", &base]);
    signal(lab.pid(), Signal::TERM);
    assert_eq!(lab.ended(Duration::from_secs(10)), Some(0));
    let base = lab.resolver().port() - 53;

    let file = lab.scratch("capture").join("once.pcapng");
    let ports = format!("portrange {base}-{}", base + 1000);
    let Some(capture) = Capture::start(&tshark, &file, &ports) else {
        skipped("capture", "only root may listen on the loopback");
        return;
    };
    let told = once(&lab.dir(), &["--base-port", &base.to_string()]).well();
    capture.stop();
    let wire = Wire::read(&tshark, &file, base);

    // Every question and answer, every command in clear, every request and reply, in order.
    assert_eq!(events_told(&told.out), wire.events, "{}", told.out);
    assert!(wire.events.len() > 20, "{:?}", wire.events);
    // Inside TLS the wire shows that there was a dialogue, and on which port.
    let looked = told
        .out
        .lines()
        .filter(|line| line.starts_with("3a bob → mail.sud.test  STAT"));
    assert_eq!(looked.count(), wire.secured_on(base + 110));
    assert_eq!(
        (wire.secured_on(base + 587), wire.secured_on(base + 25)),
        (1, 1)
    );
    for port in [25, 587, 110, 80] {
        let said = format!("port {port}, here {}", base + port);
        assert!(port == 110 || told.out.contains(&said), "{said}");
    }

    lab.restart();
    let traced = traced(&lab);
    let unknown: Vec<_> = wire.conversations.difference(&traced).collect();
    assert!(
        unknown.is_empty(),
        "on the wire, not in the trace: {unknown:?}"
    );
    let invented: Vec<_> = traced.difference(&wire.conversations).collect();
    assert!(
        invented.is_empty(),
        "in the trace, not on the wire: {invented:?}"
    );
}

#[test]
fn each_step_stands_in_a_line_that_begins_with_its_number() {
    let home = tempfile::tempdir().unwrap();
    let told = once(&home.path().join("lab"), &[]).well();
    let numbers: Vec<_> = told
        .out
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|word| NUMBERS.contains(word))
        .collect();
    for number in NUMBERS {
        assert!(numbers.contains(&number), "no step {number}: {}", told.out);
    }
    // Bob looks in vain; then the letter, then the page, each step begun after the one before. The
    // server may relay before it has said that it accepted: then 2 stands between two lines of 1.
    let (looked, rest) = numbers.split_at(2);
    assert_eq!(looked, ["3a", "3b"]);
    let mut begun = Vec::new();
    for number in rest {
        if !begun.contains(number) {
            begun.push(*number);
        }
    }
    assert_eq!(begun, NUMBERS);
}

#[test]
fn a_stopped_server_fails_the_step_that_needs_it_in_time() {
    let cases = [
        // The other organisation's mail server does not answer the relay.
        ("stop=sud.smtp", "Step 2 failed: ", "mail.sud.test"),
        // Nothing of the other organisation does: bob, who looks first, learns it.
        ("stop=sud", "Step 3a failed: ", "mail.sud.test"),
        ("stop=sud.http", "Step 2a failed: ", "www.sud.test"),
    ];
    for (fault, step, who) in cases {
        let home = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let told = once(&home.path().join("lab"), &["--fault", fault]);
        assert_eq!(told.code, Some(1), "{fault}: {told:#?}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{fault}: {:?}",
            begun.elapsed()
        );
        let last = told.err.lines().last().unwrap_or_default();
        assert!(
            last.starts_with(step) && last.contains(who),
            "{fault}: {told:#?}"
        );
        assert!(last.ends_with('.') && !last.ends_with(".."), "{last}");
    }
    let home = tempfile::tempdir().unwrap();
    let slip = once(&home.path().join("lab"), &["--fault", "stop=west"]);
    assert_eq!(slip.code, Some(2), "{slip:#?}");
}

fn is_free(base: u16) -> bool {
    [0, 25, 53, 80].iter().all(|usual| {
        let addresses = [1, 2, 3].map(|last| ([127, 0, 0, last], base + usual).into());
        let mut addresses = addresses.iter();
        addresses.all(|address: &SocketAddr| TcpListener::bind(address).is_ok())
    })
}

fn once(dir: &Path, arguments: &[&str]) -> Ran {
    let mut command = guichet(dir.parent().expect("a folder above"));
    command.args(["lab", "--once", "--dir"]).arg(dir);
    run(command.args(arguments))
}

/// What both the steps and a capture can tell, as words: `A www.sud.test?`, `an answer`,
/// `STARTTLS`, `GET http://www.sud.test/`, `200`.
fn events_told(out: &str) -> Vec<String> {
    let steps = out.lines().filter_map(|line| {
        let (who, what) = line.split_once("  ")?;
        let number = who.split(' ').next()?;
        (NUMBERS.contains(&number) && who.contains('→')).then_some(what)
    });
    let events = steps.filter_map(|what| {
        let word = what.split(' ').next().unwrap_or_default();
        match word {
            "STARTTLS" | "GET" => Some(what.to_owned()),
            "200" => Some(word.to_owned()),
            "referral:" | "NOERROR" | "NXDOMAIN" => Some("an answer".to_owned()),
            name => {
                let kind = what.strip_prefix(name)?.trim().strip_suffix('?')?;
                Some(format!("{kind} {name}?"))
            }
        }
    });
    events.collect()
}

/// Transport, the client's end, the server's.
type Conversation = (String, String, String);

/// What a capture shows of the lab's ports.
struct Wire {
    events: Vec<String>,
    conversations: BTreeSet<Conversation>,
    /// The server's port of each TLS handshake.
    secured: Vec<u16>,
}

impl Wire {
    fn read(tshark: &Path, file: &Path, base: u16) -> Self {
        let mut command = Command::new(tshark);
        command.arg("-r").arg(file);
        let protocols = [
            ("tcp", 25, "smtp"),
            ("tcp", 587, "smtp"),
            ("tcp", 110, "pop"),
            ("tcp", 80, "http"),
            ("udp", 53, "dns"),
            ("udp", 54, "dns"),
            ("udp", 55, "dns"),
        ];
        for (transport, port, name) in protocols {
            command.args(["-d", &format!("{transport}.port=={},{name}", base + port)]);
        }
        command.args([
            "-Y",
            "tcp.len > 0 or dns",
            "-T",
            "fields",
            "-E",
            "separator=|",
        ]);
        for field in [
            "ip.src",
            "tcp.srcport",
            "udp.srcport",
            "ip.dst",
            "tcp.dstport",
            "udp.dstport",
            "dns.flags.response",
            "dns.qry.type",
            "dns.qry.name",
            "http.request.method",
            "http.request.full_uri",
            "http.response.code",
            "smtp.command_line",
            "tls.handshake.type",
        ] {
            command.args(["-e", field]);
        }
        let mut wire = Self {
            events: Vec::new(),
            conversations: BTreeSet::new(),
            secured: Vec::new(),
        };
        let ran = run(&mut command).well();
        for line in ran.out.lines() {
            wire.packet(line, base);
        }
        wire
    }

    fn packet(&mut self, line: &str, base: u16) {
        let parts: Vec<&str> = line.split('|').collect();
        let [
            source,
            tcp_source,
            udp_source,
            target,
            tcp_target,
            udp_target,
            response,
            kind,
            name,
            method,
            url,
            status,
            command,
            handshake,
        ] = parts[..]
        else {
            panic!("{line}");
        };
        let transport = if udp_target.is_empty() { "tcp" } else { "udp" };
        let port = |one: &str, other: &str| format!("{one}{other}").parse::<u16>().unwrap();
        let (from, to) = (port(tcp_source, udp_source), port(tcp_target, udp_target));
        let is_server = |port: u16| (base..=base + 1000).contains(&port);
        let ends = (format!("{source}:{from}"), format!("{target}:{to}"));
        let (client, server) = if is_server(to) {
            ends
        } else {
            (ends.1, ends.0)
        };
        self.conversations
            .insert((transport.to_owned(), client, server));

        const CLIENT_HELLO: &str = "1";
        if handshake.split(',').any(|kind| kind == CLIENT_HELLO) {
            self.secured.push(to);
        }
        let kind = match kind {
            "1" => "A",
            "15" => "MX",
            "28" => "AAAA",
            other => other,
        };
        match response {
            "0" | "False" => self.events.push(format!("{kind} {name}?")),
            "1" | "True" => self.events.push("an answer".to_owned()),
            _ => {}
        }
        if !method.is_empty() {
            self.events.push(format!("{method} {url}"));
        }
        if !status.is_empty() {
            self.events.push(status.to_owned());
        }
        if command.trim_end_matches("\\r\\n") == "STARTTLS" {
            self.events.push("STARTTLS".to_owned());
        }
    }

    fn secured_on(&self, port: u16) -> usize {
        self.secured.iter().filter(|&&on| on == port).count()
    }
}

/// Every exchange that the trace knows.
fn traced(lab: &Lab) -> BTreeSet<Conversation> {
    let exported = run(lab.guichet().args(["trace", "export", "--format", "json"])).well();
    let messages = exported
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let conversation = |message: Value| {
        let [transport, client, server] = ["transport", "client", "server"]
            .map(|name| message[name].as_str().expect(name).to_owned());
        (transport, client, server)
    };
    messages.map(conversation).collect()
}
