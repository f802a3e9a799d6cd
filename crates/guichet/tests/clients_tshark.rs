//! What the trace says against what tshark sees: the exported capture in Wireshark's dissectors, and
//! the exchanges of a run against a capture of the same run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::capture::Capture;
use support::{DELIVERY_MOST, Lab, client, eventually, run, skipped};

/// A letter and a page by the lab's own clients, waited for.
fn play(lab: &Lab) {
    let letter = [
        "send",
        "-q",
        "--from",
        "alice@nord.test",
        "--to",
        "bob@sud.test",
    ];
    run(lab
        .guichet()
        .args(letter)
        .args(["--subject", "captured", "--text", "Hello"]))
    .well();
    eventually(DELIVERY_MOST, || {
        let fetched = run(lab
            .guichet()
            .args(["fetch", "-q", "--pop3", "--login", "bob@sud.test"]));
        let there = fetched.out.contains("Subject: captured");
        there.then_some(()).ok_or_else(|| format!("{fetched:?}"))
    });
    run(lab.guichet().args(["get", "-q", "http://www.sud.test/"])).well();
}

/// Runs tshark over the file; the values of one field, a packet a line.
fn fields(tshark: &Path, file: &Path, filter: &str, field: &str) -> Vec<String> {
    let mut command = Command::new(tshark);
    command
        .arg("-r")
        .arg(file)
        .args(["-Y", filter, "-T", "fields", "-e", field]);
    let ran = run(&mut command).well();
    ran.out.lines().map(str::to_owned).collect()
}

#[test]
fn tshark_names_the_protocols_of_an_exported_capture() {
    let Some(tshark) = client("tshark") else {
        return;
    };
    let lab = Lab::start(&[]);
    play(&lab);
    let file = lab.scratch("export").join("all.pcapng");
    run(lab
        .guichet()
        .args(["trace", "export", "--format", "pcapng", "-o"])
        .arg(&file))
    .well();

    let mut packets: BTreeMap<String, usize> = BTreeMap::new();
    for stack in fields(&tshark, &file, "frame", "frame.protocols") {
        for protocol in stack.split(':') {
            *packets.entry(protocol.to_owned()).or_default() += 1;
        }
    }
    for protocol in ["dns", "http", "smtp", "pop"] {
        assert!(
            packets.contains_key(protocol),
            "no packet of {protocol}: {packets:?}"
        );
    }
    // Nothing a dissector stumbles over, and sums and sequence numbers as on a real wire.
    for problem in [
        "_ws.malformed",
        "tcp.analysis.flags",
        "tcp.checksum.status == \"Bad\"",
    ] {
        let found = fields(&tshark, &file, problem, "frame.number");
        assert_eq!(found, Vec::<String>::new(), "{problem}");
    }

    let queries = fields(&tshark, &file, "dns.flags.response == 0", "dns.qry.name");
    for name in ["www.sud.test", "sud.test"] {
        assert!(
            queries.iter().any(|query| query == name),
            "{name} is not in {queries:?}"
        );
    }
    let recipients = fields(
        &tshark,
        &file,
        "smtp.req.command == \"RCPT\"",
        "smtp.req.parameter",
    );
    assert!(
        recipients.iter().any(|to| to.contains("bob@sud.test")),
        "{recipients:?}"
    );
    let hosts = fields(&tshark, &file, "http.request", "http.host");
    assert!(
        hosts.iter().any(|host| host.starts_with("www.sud.test")),
        "{hosts:?}"
    );

    // The password never leaves the program, not even to who may read everything else.
    let verbose = run(Command::new(&tshark)
        .arg("-r")
        .arg(&file)
        .args(["-V", "-x"]))
    .well();
    verbose.does_not_say("PASS lab");
}

/// A client's and a server's end, as `ip:port`.
type Ends = (String, String);

#[test]
fn the_trace_and_a_capture_of_the_same_run_name_the_same_exchanges() {
    let Some(tshark) = client("tshark") else {
        return;
    };
    let lab = Lab::start(&[]);
    let file = lab.scratch("capture").join("live.pcapng");
    let Some(capture) = Capture::start(&tshark, &file, "") else {
        skipped("capture", "only root may listen on the loopback");
        return;
    };
    play(&lab);
    capture.stop();

    let (seen, told) = (captured(&tshark, &file, &lab), traced(&lab));
    assert!(!seen.is_empty());
    let untold: Vec<_> = seen.difference(&told).collect();
    assert!(
        untold.is_empty(),
        "on the wire, not in the trace: {untold:?}; in the trace: {told:?}"
    );
    // What the lab did by itself before the capture began is in the trace alone.
    let letter_and_page: BTreeSet<_> = journeys(&lab).into_iter().collect();
    let unseen: Vec<_> = letter_and_page.difference(&seen).collect();
    assert!(
        unseen.is_empty(),
        "in a journey, not on the wire: {unseen:?}; on the wire: {seen:?}"
    );
}

/// The TCP connections to the organisations' servers that carried something.
fn captured(tshark: &Path, file: &Path, lab: &Lab) -> BTreeSet<Ends> {
    let services = [
        "smtp",
        "submission",
        "submissions",
        "pop3",
        "pop3s",
        "http",
        "https",
    ];
    let domains = ["nord.test", "sud.test"];
    let servers: BTreeSet<String> = domains
        .into_iter()
        .flat_map(|domain| services.map(|name| lab.service(domain, name).to_string()))
        .collect();
    let mut command = Command::new(tshark);
    command
        .arg("-r")
        .arg(file)
        .args(["-Y", "tcp.len > 0", "-T", "fields", "-E", "separator=:"]);
    command.args([
        "-e",
        "ip.src",
        "-e",
        "tcp.srcport",
        "-e",
        "ip.dst",
        "-e",
        "tcp.dstport",
    ]);
    let ran = run(&mut command).well();
    let ends = ran.out.lines().filter_map(|line| {
        let parts: Vec<&str> = line.split(':').collect();
        let [source, source_port, target, target_port] = parts[..] else {
            return None;
        };
        let (from, to) = (
            format!("{source}:{source_port}"),
            format!("{target}:{target_port}"),
        );
        Some(if servers.contains(&to) {
            (from, to)
        } else {
            (to, from)
        })
    });
    ends.filter(|(_, server)| servers.contains(server))
        .collect()
}

/// Every TCP exchange of every journey.
fn journeys(lab: &Lab) -> Vec<Ends> {
    let list = run(lab.guichet().args(["trace", "list", "--json"])).well();
    let mut found = Vec::new();
    for line in list.out.lines() {
        let journey: Value = serde_json::from_str(line).unwrap();
        if !["letter", "page"].contains(&journey["kind"].as_str().unwrap_or_default()) {
            continue;
        }
        let id = journey["journey"].as_str().expect("journey");
        let shown = run(lab.guichet().args(["trace", "show", id, "--json"])).well();
        let shown: Value = serde_json::from_str(&shown.out).unwrap();
        for exchange in shown["exchanges"].as_array().expect("exchanges") {
            let dns = exchange["protocol"] == "dns";
            if exchange["transport"] == "tcp" && !dns {
                found.push(ends(exchange));
            }
        }
    }
    assert!(!found.is_empty(), "no journey in {list:?}");
    found
}

/// Every TCP exchange the trace knows, journey or not.
fn traced(lab: &Lab) -> BTreeSet<Ends> {
    let exported = run(lab.guichet().args(["trace", "export", "--format", "json"])).well();
    let lines = exported.out.lines();
    let values = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    values
        .filter(|value| value["client"].is_string())
        .map(|value| ends(&value))
        .collect()
}

fn ends(exchange: &Value) -> Ends {
    let end = |name: &str| exchange[name].as_str().unwrap_or_default().to_owned();
    (end("client"), end("server"))
}
