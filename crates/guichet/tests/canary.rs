//! Secrets go through every service, as clients send them and as clients get them wrong; afterwards
//! they stand in no trace, log or export, at level `full`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use support::{Lab, Signal, eventually, run, signal};

const SECRET: &str = "kanarienvogel-7f3a";

/// Says each line after the server has had a moment to answer the one before.
fn say(lab: &Lab, service: &str, lines: &[String]) {
    let mut stream = TcpStream::connect(lab.service("nord.test", service)).unwrap();
    let patience = Some(Duration::from_secs(5));
    stream.set_read_timeout(patience).unwrap();
    for line in lines {
        thread::sleep(Duration::from_millis(30));
        if stream.write_all(format!("{line}\r\n").as_bytes()).is_err() {
            return; // the server has had enough
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn dialogues() -> Vec<(&'static str, Vec<String>)> {
    let plain = BASE64.encode(format!("\0alice@nord.test\0{SECRET}"));
    let word = BASE64.encode(SECRET);
    let lines = |text: &str| -> Vec<String> {
        let text = text.replace("PLAIN64", &plain).replace("WORD64", &word);
        let text = text.replace("SECRET", SECRET);
        text.split('\n').map(str::to_owned).collect()
    };
    let smtp = [
        "EHLO x\nAUTH PLAIN PLAIN64\nQUIT",
        "EHLO x\nAUTH PLAIN\nPLAIN64\nQUIT",
        "EHLO x\nAUTH LOGIN\nWORD64\nWORD64\nQUIT",
        "EHLO x\nAUTH LOGIN WORD64\nWORD64\nQUIT",
        "EHLO x\nauth plain PLAIN64 PLAIN64\nQUIT",
        "EHLO x\nAUTH NOTHING PLAIN64\nPLAIN64\nQUIT",
        "EHLO x\nAUTHPLAIN PLAIN64\nQUIT",
        "AUTH PLAIN PLAIN64\nQUIT",
        "EHLO x\nAUTH PLAIN *\nPLAIN64\nQUIT",
    ];
    let pop3 = [
        "USER alice@nord.test\nPASS SECRET\nQUIT",
        "PASS SECRET\nQUIT",
        "user alice@nord.test\npass SECRET SECRET\nQUIT",
        "AUTH PLAIN\nPLAIN64\nQUIT",
        "AUTH PLAIN PLAIN64\nQUIT",
        "AUTH LOGIN\nWORD64\nWORD64\nQUIT",
        "USER alice@nord.test\n PASS SECRET\nPASSSECRET\nSECRET\nQUIT",
        "USER alice@nord.test\nPASS lab\nPASS SECRET\nQUIT",
    ];
    let http = [
        "GET / HTTP/1.1\nHost: www.nord.test\nAuthorization: Basic PLAIN64\nCookie: s=SECRET\n",
        "GET /?t=SECRET HTTP/1.1\nHost: www.nord.test\nProxy-Authorization: Bearer SECRET\n",
        "GET /x?a=1&access_token=SECRET HTTP/1.1\nHost: www.nord.test\nReferer: http://x/?t=SECRET\n",
        "GET / HTTP/1.1\nHost: www.nord.test\nAuthorization : Basic PLAIN64\n",
        "GET / HTTP/1.1\nHost: www.nord.test\nCookie: a=b\n s=SECRET\n",
        "POST / HTTP/1.1\nHost: www.nord.test\nContent-Length: 18\n\nSECRET",
    ];
    let of = |service: &'static str, all: &[&str]| -> Vec<(&'static str, Vec<String>)> {
        all.iter().map(|text| (service, lines(text))).collect()
    };
    let mut all = of("submission", &smtp);
    all.extend(of("smtp", &smtp));
    all.extend(of("pop3", &pop3));
    all.extend(of("http", &http));
    all
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "trace")
}

#[test]
fn no_secret_stands_in_a_trace_a_log_or_an_export() {
    let lab = Lab::start(&[]);
    for (service, lines) in dialogues() {
        say(&lab, service, &lines);
    }
    let mut changing = lab
        .guichet()
        .args(["account", "passwd", "alice@nord.test"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = changing.stdin.take().unwrap();
    writeln!(asked, "{SECRET}\n{SECRET}").unwrap();
    drop(asked);
    assert!(changing.wait().unwrap().success());
    // The right password, as it is now.
    for (service, lines) in dialogues() {
        say(&lab, service, &lines);
    }
    let exported = |form: &str| {
        let out = lab.scratch("exported").join(form);
        run(lab
            .guichet()
            .args(["trace", "export", "--format", form, "-o"])
            .arg(&out));
        fs::read(&out).unwrap_or_default()
    };
    eventually(Duration::from_secs(5), || {
        let lines = run(lab.guichet().args(["trace", "list", "--json"])).out;
        let seen = lines.contains("http") && lines.len() > 1000;
        seen.then_some(()).ok_or(lines)
    });
    let mut heard = vec![(
        "list",
        run(lab.guichet().args(["trace", "list", "--json"]))
            .out
            .into_bytes(),
    )];
    for form in ["json", "dialogue", "pcapng", "mermaid"] {
        heard.push((form, exported(form)));
    }
    let mut paths = Vec::new();
    files(&lab.dir(), &mut paths);
    paths.retain(|path| !path.components().any(|part| part.as_os_str() == "store"));
    assert!(paths.iter().any(|path| is_segment(path)));
    let encoded = BASE64.encode(SECRET);
    let plain = BASE64.encode(format!("\0alice@nord.test\0{SECRET}"));
    let holds = |bytes: &[u8]| {
        [
            SECRET,
            encoded.trim_end_matches('='),
            plain.trim_end_matches('='),
        ]
        .iter()
        .any(|secret| {
            bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        })
    };
    for path in paths {
        assert!(!holds(&fs::read(&path).unwrap()), "{}", path.display());
    }
    for (name, bytes) in heard {
        assert!(bytes.len() > 1000, "{name}: too little to tell");
        assert!(
            !holds(&bytes),
            "{name}: {}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn at_level_envelope_the_trace_holds_no_content() {
    let lab = Lab::start(&[]);
    let organisation = lab.organisation("nord.test");
    let config = Path::new(organisation["config"].as_str().unwrap());
    let full = fs::read_to_string(config).unwrap();
    let envelope = full.replace("level = \"full\"", "level = \"envelope\"");
    assert_ne!(full, envelope);
    fs::write(config, envelope).unwrap();
    signal(
        u32::try_from(organisation["pid"].as_u64().unwrap()).unwrap(),
        Signal::KILL,
    );
    eventually(Duration::from_secs(10), || {
        let started = run(lab.guichet().args(["lab", "start", "nord"]));
        let status = run(lab.guichet().args(["status"]));
        let reached = TcpStream::connect(lab.service("nord.test", "smtp"));
        reached
            .map(drop)
            .map_err(|_| format!("{started:?} {status:?}"))
    });
    let letter = "EHLO x\nNOOP SECRET\nHELP SECRET\nSECRET\nMAIL FROM:<x@sud.test>\nRCPT TO:<alice@nord.test>\n\
                  DATA\nSubject: SECRET\nMessage-ID: <1@sud.test>\n\nSECRET\n.\nQUIT";
    let fetch = "USER alice@nord.test\nPASS lab\nSTAT\nLIST\nUIDL\nTOP 1 10\nRETR 1\nNOOP SECRET\nSECRET\nQUIT";
    let page = "GET /SECRETLESS?q=SECRET HTTP/1.1\nHost: www.nord.test\nReferer: http://x/SECRET\n\
                User-Agent: SECRET\nConnection: close\n";
    let echo = "SECRET\nSECRET";
    let all = [
        ("smtp", letter),
        ("pop3", fetch),
        ("http", page),
        ("echo", echo),
    ];
    for (service, text) in all {
        let text = text.replace("SECRETLESS", "page").replace("SECRET", SECRET);
        let lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        say(&lab, service, &lines);
        thread::sleep(Duration::from_millis(300));
    }
    let mut paths = Vec::new();
    files(&config.with_file_name("trace"), &mut paths);
    paths.retain(|path| is_segment(path));
    let mut said = String::new();
    for path in paths {
        said.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap()));
    }
    for known in ["x@sud.test", "RETR", "/page"] {
        assert!(said.contains(known), "{known:?} was not recorded: {said}");
    }
    let around = said.find(SECRET).map(|at| {
        let text: String = said[..at].chars().rev().take(100).collect();
        text.chars().rev().collect::<String>()
    });
    assert_eq!(around, None);
}
