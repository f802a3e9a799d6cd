//! `connect` and `echo` in a running lab: names and usual ports lead into it, and the trace shows
//! who spoke to whom, but nothing that was typed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Lab, Ran, run};

/// The newest journey that `fits`, whole, once there is one.
fn newest(lab: &Lab, fits: impl Fn(&str) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let listed = run(lab.guichet().args(["trace", "list", "--json"]));
        let id = listed.out.lines().rev().find_map(|line| {
            let journey: Value = serde_json::from_str(line).unwrap();
            fits(journey["title"].as_str().unwrap())
                .then(|| journey["journey"].as_str().unwrap().to_owned())
        });
        if let Some(id) = id {
            let shown = run(lab.guichet().args(["trace", "show", &id, "--json"])).well();
            return serde_json::from_str(&shown.out).unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("no such journey");
}

fn connect(lab: &Lab, arguments: &[&str]) -> Command {
    let mut command = lab.guichet();
    command.arg("connect").args(arguments);
    command
}

/// Runs it with `typed` on standard input.
fn run_with(command: &mut Command, typed: &[u8]) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_name_and_a_usual_port_lead_into_the_lab() {
    let lab = Lab::shared();
    let server = lab.service("sud.test", "smtp");
    let ran = run_with(&mut connect(&lab, &["mail.sud.test", "25"]), b"QUIT\r\n").well();
    assert!(ran.out.starts_with("220 mail.sud.test"), "{ran:#?}");
    assert!(ran.out.contains("\r\n221 "), "{ran:#?}");
    let where_to = format!(
        "Connected to {} port 25 (here {}).",
        server.ip(),
        server.port()
    );
    ran.says(&where_to);
    let first = ran.err.lines().find(|line| line.starts_with("1 ")).unwrap();
    assert!(first.ends_with("mail.sud.test A?"), "{ran:#?}");
    let quiet = run_with(
        &mut connect(&lab, &["-q", "mail.sud.test", "25"]),
        b"QUIT\r\n",
    )
    .well();
    assert_eq!(quiet.err, "");

    let journey = newest(&lab, |title| title.contains("mail.sud.test"));
    let exchanges = journey["exchanges"].as_array().unwrap();
    let names: Vec<_> = exchanges
        .iter()
        .map(|x| x["protocol"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"dns") && names.contains(&"smtp"),
        "{journey:#}"
    );
    let smtp = exchanges.iter().find(|x| x["protocol"] == "smtp").unwrap();
    assert_eq!(smtp["named"], "mail.sud.test port 25");
    assert_eq!(
        smtp["messages"][1]["verb"], "QUIT",
        "the server's account: {smtp:#}"
    );
}

#[test]
fn what_is_typed_by_hand_is_not_kept() {
    let lab = Lab::shared();
    let typed = b"USER bob@sud.test\r\nPASS canary-in-clear\r\nQUIT\r\n";
    let ran = run_with(&mut connect(&lab, &["mail.sud.test", "110"]), typed).well();
    assert!(ran.out.contains("-ERR"), "{ran:#?}");
    assert!(!ran.err.contains("canary"), "{ran:#?}");
    newest(&lab, |title| title.contains("sud.test"));
    let exported = run(lab.guichet().args(["trace", "export"])).well();
    assert!(exported.out.contains("\"PASS\""), "the dialogue is there");
    assert!(!exported.out.contains("canary"));
}

#[test]
fn echo_finds_the_lab_over_both_transports() {
    let lab = Lab::shared();
    let server = lab.service("nord.test", "echo");
    for transport in [&[][..], &["--udp"]] {
        let mut command = lab.guichet();
        command.args([
            "echo",
            "www.nord.test",
            "7",
            "salut",
            "--count",
            "2",
            "--json",
        ]);
        let ran = run(command.args(transport)).well();
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(told["server"], server.to_string(), "{ran:#?}");
        assert_eq!(told["times_ms"].as_array().unwrap().len(), 2);
        ran.says(&format!("{} port 7 (here {})", server.ip(), server.port()));
        let steps = ran.err.lines().filter(|line| line.ends_with("DATA"));
        assert_eq!(steps.count(), 4, "{ran:#?}");
    }
    let journey = newest(&lab, |title| title.contains("nord.test"));
    assert!(
        journey.to_string().contains("www.nord.test port 7"),
        "{journey:#}"
    );
}

#[test]
fn connect_over_udp_reaches_the_labs_echo() {
    let lab = Lab::shared();
    let mut command = connect(&lab, &["www.sud.test", "7", "--udp"]);
    let ran = run_with(&mut command, b"ping\n").well();
    assert_eq!(ran.out, "ping\n");
    ran.says("port 7 (here ");
}

#[test]
fn a_name_the_lab_does_not_have_is_said_to_have_no_address() {
    let lab = Lab::shared();
    let ran = run(&mut connect(&lab, &["nobody.nowhere.test", "25"]));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    ran.says("nobody.nowhere.test");
}
