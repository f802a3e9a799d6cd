//! How a lab begins and ends: what it promises about folders, signals and sudden death.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use support::{Lab, Signal, eventually, run, signal};

fn instances(lab: &Lab) -> Vec<u32> {
    let domains = ["nord.test", "sud.test"];
    let pids = domains.map(|domain| lab.organisation(domain)["pid"].as_u64().expect("pid"));
    pids.map(|pid| u32::try_from(pid).unwrap()).to_vec()
}

/// Running, and not merely waiting to be reaped.
fn runs(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| !state.trim().starts_with('Z'))
}

#[test]
fn its_instances_die_with_it_even_by_kill_9() {
    let lab = Lab::start(&[]);
    let instances = instances(&lab);
    assert!(instances.iter().all(|pid| runs(*pid)));
    signal(lab.pid(), Signal::KILL);
    eventually(Duration::from_secs(10), || {
        let left: Vec<_> = instances.iter().filter(|pid| runs(**pid)).collect();
        left.is_empty()
            .then_some(())
            .ok_or_else(|| format!("{left:?} still run"))
    });
}

#[test]
fn a_signal_ends_it_with_0_and_everything_with_it() {
    for word in [Signal::TERM, Signal::INT] {
        let mut lab = Lab::start(&[]);
        let instances = instances(&lab);
        signal(lab.pid(), word);
        assert_eq!(lab.ended(Duration::from_secs(10)), Some(0));
        assert!(instances.iter().all(|pid| !runs(*pid)));
    }
}

#[test]
fn what_was_stopped_has_ended_and_the_next_can_start_at_once() {
    let mut lab = Lab::start(&[]);
    for _ in 0..3 {
        let mut processes = instances(&lab);
        processes.push(lab.pid());
        run(lab.guichet().args(["lab", "stop", "--dir"]).arg(lab.dir())).well();
        processes.retain(|process| runs(*process));
        assert!(processes.is_empty(), "{processes:?} still run");
        let status = run(lab
            .guichet()
            .args(["lab", "status", "--dir"])
            .arg(lab.dir()));
        assert_eq!(status.code, Some(1), "{status:#?}");
        assert!(status.err.starts_with("There is no lab in "), "{status:#?}");
        lab.restart();
    }
}

#[test]
fn a_second_lab_in_the_same_folder_is_refused_and_one_elsewhere_moves() {
    let lab = Lab::start(&[]);
    let same = run(lab
        .guichet()
        .args(["lab", "--json", "--dir"])
        .arg(lab.dir()));
    assert!(matches!(same.code, Some(1 | 2)), "{same:#?}");
    assert_eq!(same.out, "");
    assert!(!same.err.trim().is_empty(), "it says why");

    let other = Lab::start(&[]);
    assert_ne!(
        lab.service("nord.test", "smtp"),
        other.service("nord.test", "smtp")
    );
    assert_ne!(lab.resolver(), other.resolver());
}

#[test]
fn nobody_else_may_look_into_its_folder() {
    let lab = Lab::start(&[]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&lab.dir()), 0o700);
    let control = lab.json["control"].as_str().expect("control");
    assert_eq!(mode(Path::new(control)), 0o600);
}

#[test]
fn the_same_folder_serves_again_after_the_end() {
    let mut lab = Lab::start(&[]);
    let letter = [
        "send",
        "-q",
        "--from",
        "alice@nord.test",
        "--to",
        "adam@nord.test",
    ];
    run(lab
        .guichet()
        .args(letter)
        .args(["--subject", "kept", "--text", "Hello"]))
    .well();
    let fetch = ["fetch", "-q", "--pop3", "--login", "adam@nord.test"];
    let there = |lab: &Lab| {
        eventually(support::DELIVERY_MOST, || {
            let fetched = run(lab.guichet().args(fetch));
            let found = fetched.out.contains("Subject: kept");
            found.then_some(()).ok_or_else(|| format!("{fetched:?}"))
        });
    };
    there(&lab);
    let arrived = |lab: &Lab, more: &[&str]| {
        let wait = ["trace", "wait", "--to", "adam@nord.test", "--timeout", "2"];
        run(lab.guichet().args(wait).args(more)).code
    };
    assert_eq!(arrived(&lab, &[]), Some(0));
    lab.restart();
    there(&lab);
    // A letter of an earlier lab is no answer to a test that waits for its own.
    assert_eq!(arrived(&lab, &[]), Some(1));
    assert_eq!(arrived(&lab, &["--since", "10m"]), Some(0));
}

#[test]
fn two_who_start_a_dead_organisation_start_it_once() {
    let lab = Lab::start(&[]);
    let old = instances(&lab)[1];
    signal(old, Signal::KILL);
    let pid = || {
        let status = run(lab.guichet().args(["status", "--json"])).well();
        let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
        status["organisations"][1]["pid"].as_u64()
    };
    eventually(Duration::from_secs(5), || match pid() {
        None => Ok(()),
        Some(pid) => Err(format!("{pid} runs")),
    });
    let start = || run(lab.guichet().args(["lab", "start", "sud"])).code;
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(start);
        (start(), one.join().unwrap())
    });
    assert_eq!((one, other), (Some(0), Some(0)));
    assert!(pid().is_some_and(|pid| runs(u32::try_from(pid).unwrap())));
}

#[test]
fn an_open_stream_of_events_is_ended_at_the_stop() {
    let mut lab = Lab::start(&[]);
    let organisation = lab.organisation("sud.test");
    let config = Path::new(organisation["config"].as_str().unwrap());
    let token = fs::read_to_string(config.with_file_name("watch.token")).unwrap();
    let url = organisation["services"]["web"].as_str().unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).unwrap();
    write!(
        stream,
        "GET /api/events HTTP/1.1\r\nHost: {address}\r\nCookie: guichet_watch={token}\r\n\r\n"
    )
    .unwrap();
    let mut first = [0; 4096];
    let count = stream.read(&mut first).unwrap();
    assert!(first[..count].starts_with(b"HTTP/1.1 200 "));
    let begun = Instant::now();
    signal(lab.pid(), Signal::TERM);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "cut, not ended");
    assert_eq!(lab.ended(Duration::from_secs(10)), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(4), "{begun:?}");
}

#[test]
fn a_fault_stops_what_it_names_and_the_other_goes_on() {
    let lab = Lab::start(&[]);
    let guichet = |words: &[&str]| run(lab.guichet().args(words));
    let listens = |name: &str| TcpStream::connect(lab.service("sud.test", name)).is_ok();

    for wrong in ["stop=ouest", "stop=sud.fax", "rain=50%", ""] {
        let refused = guichet(&["fault", wrong]);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        refused.says("is not a fault the lab knows");
    }
    assert!(listens("smtp") && listens("http"));
    guichet(&["fault", "stop=sud.smtp"])
        .well()
        .says("no longer answers for smtp");
    assert!(!listens("smtp") && listens("http"));
    guichet(&["fault", "stop=sud", "--lang", "fr"])
        .well()
        .says("sud est arrêté");
    assert!(!listens("http"));
    assert!(!runs(instances(&lab)[1]));

    // Whoever asks both is answered by the one that runs, and told how to get the other back.
    for both in [["queue", "list"], ["account", "list"]] {
        let asked = guichet(&both).well();
        assert_eq!(
            asked.err.lines().find(|line| line.contains("sud")),
            Some("sud.test does not run; start it again with `guichet lab start sud`.")
        );
    }
    guichet(&["account", "list"]).says("alice@nord.test");
    let alone = guichet(&["account", "show", "bob@sud.test"]);
    assert_eq!(alone.code, Some(1), "{alone:#?}");
    alone.says("sud.test does not run;");

    guichet(&["lab", "start", "sud"]).well();
    assert!(listens("smtp") && listens("http"));
    guichet(&["account", "list"])
        .well()
        .says("bob@sud.test")
        .does_not_say("does not run");
}

#[test]
fn a_fault_needs_a_lab() {
    let home = tempfile::tempdir().unwrap();
    let nowhere = run(support::guichet(home.path()).args(["fault", "stop=sud"]));
    assert_eq!(nowhere.code, Some(1), "{nowhere:#?}");

    let lab = Lab::start(&[]);
    let nord = Path::new(lab.organisation("nord.test")["config"].as_str().unwrap());
    let server = run(lab
        .guichet()
        .args(["fault", "stop=sud", "--config"])
        .arg(nord));
    assert_eq!(server.code, Some(1), "{server:#?}");

    // Killed, it leaves its file behind.
    signal(lab.pid(), Signal::KILL);
    let gone = eventually(Duration::from_secs(10), || {
        let ran = run(lab.guichet().args(["queue", "list"]));
        let gone = ran.code == Some(1) && ran.err.contains("There is no lab in");
        match gone {
            true => Ok(ran),
            false => Err(format!("{ran:?}")),
        }
    });
    gone.does_not_say("lab start");
}

#[test]
fn its_status_names_every_service_and_address() {
    let lab = Lab::start(&[]);
    let expected = |domain: &str| {
        let services = lab.organisation(domain)["services"].as_object().unwrap();
        let addresses = services.values().map(|address| address.as_str().unwrap());
        addresses
            .map(|address| {
                address
                    .trim_start_matches("http://")
                    .trim_end_matches('/')
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    for words in [&["lab", "status"][..], &["status"]] {
        let status = run(lab.guichet().args(words)).well();
        for address in expected("nord.test").iter().chain(&expected("sud.test")) {
            status.says(&format!("{address} "));
        }
        status
            .says(&lab.resolver().to_string())
            .says("No mail waits.");
    }
    let status = run(lab.guichet().args(["lab", "status", "--json"])).well();
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    let sud = &status["organisations"][1];
    assert_eq!(sud["status"]["pid"], sud["pid"], "{status}");
}
