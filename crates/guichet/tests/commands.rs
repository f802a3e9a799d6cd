//! The commands of a person — `resolve`, `get`, `send`, `fetch` — in a running lab, and what the
//! trace makes of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Lab, Ran, guichet, run};

fn lab_run(lab: &Lab, arguments: &[&str]) -> Ran {
    run(lab.guichet().args(arguments))
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran:#?}"))
}

/// Each line's first word: the number of the step.
fn numbers(ran: &Ran) -> Vec<&str> {
    let lines = ran.err.lines();
    lines.filter_map(|line| line.split(' ').next()).collect()
}

#[track_caller]
fn fails(ran: &Ran, code: i32, words: &str) {
    assert!(ran.code == Some(code), "{code} expected: {ran:#?}");
    ran.says(words);
}

#[test]
fn resolve_prints_records_and_says_what_is_missing() {
    let lab = Lab::shared();
    let address = lab.service("sud.test", "dns").ip();
    let found = lab_run(&lab, &["resolve", "www.sud.test"]).well();
    assert_eq!(found.out, format!("www.sud.test 300 A {address}\n"));
    assert_eq!(numbers(&found), ["1", "2"]);
    let quiet = lab_run(&lab, &["resolve", "-q", "sud.test", "mx"]).well();
    assert_eq!(
        (&*quiet.out, &*quiet.err),
        ("sud.test 300 MX 10 mail.sud.test.\n", "")
    );

    let nothing = lab_run(&lab, &["resolve", "-q", "--json", "nowhere.test"]);
    fails(&nothing, 1, "does not exist (NXDOMAIN)");
    let told = json(&nothing);
    assert_eq!(
        (&told["rcode"], &told["records"]),
        (&"NXDOMAIN".into(), &Value::Array(Vec::new()))
    );
    let other = lab_run(
        &lab,
        &["resolve", "-q", "--lang", "fr", "www.sud.test", "TXT"],
    );
    fails(&other, 1, "n’a pas d’enregistrement de type TXT");
    fails(
        &lab_run(&lab, &["resolve", "www.sud.test", "NOTYPE"]),
        2,
        "NOTYPE",
    );
    fails(&lab_run(&lab, &["resolve", "-q", "a..b"]), 2, "a..b");
}

#[test]
fn resolve_asks_whom_it_is_told_to_ask() {
    let lab = Lab::shared();
    let server = lab.service("nord.test", "dns").to_string();
    let own = [
        "resolve",
        "-q",
        "--json",
        "--server",
        &server,
        "nord.test",
        "SOA",
    ];
    assert_eq!(
        json(&lab_run(&lab, &own).well())["records"][0]["type"],
        "SOA"
    );
    // That server holds no other zone.
    let foreign = lab_run(&lab, &["resolve", "-q", "--server", &server, "sud.test"]);
    fails(&foreign, 1, "REFUSED");
}

#[test]
fn resolve_walks_from_the_root_and_shows_each_server() {
    let lab = Lab::shared();
    let walk = lab_run(&lab, &["resolve", "--trace", "--json", "www.sud.test"]).well();
    assert_eq!(numbers(&walk), ["1", "2", "3", "4", "5", "6"]);
    let told = json(&walk);
    let hops: Vec<_> = told["hops"].as_array().unwrap().iter().collect();
    let servers: Vec<_> = hops
        .iter()
        .map(|hop| hop["server"].as_str().unwrap())
        .collect();
    assert_eq!(servers, ["root", "ns.nic.test", "ns1.sud.test"]);
    assert_eq!(hops[0]["address"], lab.json["root"]);
    assert_eq!(told["records"][0]["name"], "www.sud.test");
    let said = lab_run(&lab, &["resolve", "-q", "--trace", "www.sud.test"]).well();
    assert_eq!(said.out.lines().count(), 4, "{said:#?}");
}

fn start_page(lab: &Lab) -> PathBuf {
    lab.dir().join("sud/sites/www.sud.test/index.html")
}

#[test]
fn get_brings_the_page_as_it_lies_on_the_server() {
    let lab = Lab::shared();
    let page = fs::read_to_string(start_page(&lab)).unwrap();
    let got = lab_run(&lab, &["get", "http://www.sud.test/"]).well();
    assert_eq!(got.out, page);
    let steps: BTreeSet<_> = numbers(&got).into_iter().collect();
    assert_eq!(steps, BTreeSet::from(["1a", "1b", "2a", "2b"]));

    let file = lab.scratch("get").join("page.html");
    let name = file.to_str().unwrap();
    let secured = lab_run(&lab, &["get", "-q", "https://www.sud.test/", "-o", name]).well();
    assert_eq!((&*secured.out, &*secured.err), ("", ""));
    assert_eq!(fs::read_to_string(file).unwrap(), page);

    let told = json(&lab_run(&lab, &["get", "-q", "--json", "http://www.sud.test/"]).well());
    assert_eq!(told["status"], 200);
    let kinds = told["files"].as_array().unwrap().iter();
    let kinds: Vec<_> = kinds
        .map(|file| file["content_type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
}

#[test]
fn get_says_why_there_is_no_page() {
    let lab = Lab::shared();
    let missing = lab_run(
        &lab,
        &["get", "-q", "--lang", "fr", "http://www.sud.test/none"],
    );
    fails(&missing, 1, "répond par le code 404");
    fails(
        &lab_run(&lab, &["get", "-q", "http://www.nowhere.test/"]),
        1,
        "NXDOMAIN",
    );
    fails(
        &lab_run(&lab, &["get", "-q", "http://127.0.0.1:1/"]),
        1,
        "nobody listens",
    );
    fails(
        &lab_run(&lab, &["get", "ftp://www.sud.test/"]),
        2,
        "ftp://www.sud.test/",
    );
}

#[test]
fn get_follows_where_a_page_has_moved() {
    let lab = Lab::shared();
    let folder = start_page(&lab).with_file_name("moved");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("index.html"), "here it is").unwrap();
    let got = lab_run(&lab, &["get", "http://www.sud.test/moved"]).well();
    assert_eq!(got.out, "here it is");
    got.says("http://www.sud.test/moved/");

    let round = servant("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    let url = format!("http://{}/", round.address);
    fails(&lab_run(&lab, &["get", "-q", &url]), 1, "10 redirects");
    assert_eq!(round.served.load(Ordering::Relaxed), 11);
}

/// A server that says the same to everybody who has said something.
struct Servant {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
}

fn servant(reply: &'static str) -> Servant {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let (address, count) = (listener.local_addr().unwrap(), served.clone());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            if reply.starts_with("HTTP") {
                let lines = BufReader::new(&stream).lines();
                let head = lines.map_while(Result::ok);
                head.take_while(|line| !line.is_empty()).for_each(drop);
            }
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    Servant { address, served }
}

#[test]
fn whoever_is_full_is_asked_again() {
    let lab = Lab::shared();
    let full = servant("HTTP/1.1 503 Full\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let url = format!("http://{}/", full.address);
    let got = lab_run(&lab, &["get", "--retries", "2", &url]);
    fails(&got, 1, "503");
    assert_eq!(got.err.matches("Next attempt").count(), 2, "{got:#?}");
    assert_eq!(full.served.load(Ordering::Relaxed), 3);

    let full = servant("421 4.3.2 come back later\r\n");
    let server = full.address.to_string();
    let to = [
        "send",
        "--to",
        "bob@sud.test",
        "--text",
        "x",
        "--server",
        &server,
    ];
    let sent = run(lab.guichet().args(to).args(["--retries", "1"]));
    fails(&sent, 1, "come back later");
    assert_eq!(sent.err.matches("Next attempt").count(), 1, "{sent:#?}");
    assert_eq!(full.served.load(Ordering::Relaxed), 2);

    let full = servant("-ERR [SYS/TEMP] come back later\r\n");
    let server = full.address.to_string();
    let from = ["fetch", "--login", "adam@nord.test", "--server", &server];
    let fetched = run(lab
        .guichet()
        .args(from)
        .args(["--lang", "fr", "--retries", "1"]));
    fails(&fetched, 1, "come back later");
    assert_eq!(
        fetched.err.matches("Nouvel essai").count(),
        1,
        "{fetched:#?}"
    );
    assert_eq!(full.served.load(Ordering::Relaxed), 2);
}

#[test]
fn a_letter_sent_and_fetched_is_one_journey() {
    let lab = Lab::shared();
    let none = lab_run(&lab, &["fetch", "-q", "--pop3", "--login", "bob@sud.test"]).well();
    assert_eq!(none.out, "There is no mail for bob@sud.test.\n");
    let to = [
        "send",
        "--json",
        "--from",
        "alice@nord.test",
        "--to",
        "bob@sud.test",
    ];
    let words = ["--subject", "One journey", "--text", "Hello Bob"];
    let sent = run(lab.guichet().args(to).args(words)).well();
    assert!(
        numbers(&sent).iter().all(|number| *number == "1"),
        "{sent:#?}"
    );
    let sent = json(&sent);
    let id = sent["message_id"].as_str().unwrap();
    assert!(!sent["queue_id"].as_str().unwrap().is_empty());
    assert_eq!(sent["recipients"][0]["state"], "accepted");

    let wait = [
        "trace",
        "wait",
        "--to",
        "bob@sud.test",
        "--timeout",
        "20",
        "--json",
    ];
    let waited = json(&lab_run(&lab, &wait).well());
    assert_eq!(
        (&waited["state"], &waited["message_id"]),
        (&"delivered".into(), &id.into())
    );
    let fetched = lab_run(&lab, &["fetch", "--pop3", "--login", "bob@sud.test"]).well();
    assert!(
        fetched.out.contains("Subject: One journey\n"),
        "{fetched:#?}"
    );
    assert!(fetched.out.ends_with("\n\nHello Bob\n"), "{fetched:#?}");
    let steps: BTreeSet<_> = numbers(&fetched).into_iter().collect();
    assert!(
        steps.is_superset(&BTreeSet::from(["3a", "3b"])),
        "{fetched:#?}"
    );

    let shown = json(&lab_run(&lab, &["trace", "show", "--json", "--message-id", id]).well());
    check_shown(&shown);
    let list = lab_run(&lab, &["trace", "list", "--json"]).well();
    check_listed(&list, &shown);
    check_joined(&lab, id);
}

/// Asked one by one, as servers run by hand are, each organisation knows its half; together they
/// make the journey.
fn check_joined(lab: &Lab, id: &str) {
    let control = |name: &str| {
        let socket = lab.dir().join(name).join("control.sock");
        assert!(socket.exists(), "{}", socket.display());
        socket.to_str().unwrap().to_owned()
    };
    let (nord, sud) = (control("nord"), control("sud"));
    let show = ["trace", "show", "--json", "--message-id", id];
    let state = |controls: &[&str]| {
        let mut command = lab.guichet();
        for path in controls {
            command.args(["--control", path]);
        }
        json(&run(command.args(show)).well())["state"].clone()
    };
    assert_eq!(state(&[&nord]), "relayed");
    assert_eq!(state(&[&sud]), "delivered");
    assert_eq!(state(&[&nord, &sud]), "delivered");
    let mut both = lab.guichet();
    let both = both
        .args(["--control", &nord, "--control", &sud])
        .args(show);
    let shown = json(&run(both).well());
    assert_eq!(shown["title"], "alice@nord.test → bob@sud.test");
    let relay = shown["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .find(|exchange| exchange["protocol"] == "smtp" && exchange["organisation"] == "sud.test");
    assert_eq!(relay.expect("the relay")["seen_by"], "both");
}

#[test]
fn what_is_done_is_followed_as_it_happens() {
    let lab = Lab::shared();
    let mut follow = lab.guichet();
    follow
        .args(["trace", "follow", "--json"])
        .stdout(Stdio::piped());
    let mut follow = follow.spawn().unwrap();
    let (send, lines) = mpsc::channel();
    let out = BufReader::new(follow.stdout.take().unwrap());
    thread::spawn(move || {
        let lines = out.lines().map_while(Result::ok);
        lines
            .take_while(|line| send.send(line.clone()).is_ok())
            .for_each(drop);
    });
    // What happens before it has looked for the first time is past: ask until it is heard.
    let heard = (0..20).find_map(|_| {
        lab_run(&lab, &["get", "-q", "http://www.nord.test/style.css"]).well();
        let end = Instant::now() + Duration::from_secs(1);
        while let Ok(line) = lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            let journey: Value = serde_json::from_str(&line).unwrap();
            if journey["title"] == "http://www.nord.test/style.css" {
                return Some(journey);
            }
        }
        None
    });
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert_eq!(heard.expect("a line about the page")["kind"], "page");
}

/// What the contract says about `trace show --json`, and the course's four numbers.
fn check_shown(shown: &Value) {
    assert_eq!(shown["title"], "alice@nord.test → bob@sud.test");
    assert_eq!(shown["state"], "delivered");
    let story: Vec<_> = shown["story"].as_array().unwrap().iter().collect();
    assert!(story.iter().all(|sentence| sentence.is_string()));
    let mut steps = BTreeSet::new();
    let exchanges = shown["exchanges"].as_array().unwrap();
    for exchange in exchanges {
        let text = |key: &str| exchange[key].as_str().unwrap_or_else(|| panic!("{key}"));
        assert!(text("id").starts_with("x-"));
        assert!(["tcp", "udp"].contains(&text("transport")));
        assert!(text("client").parse::<SocketAddr>().is_ok());
        assert!(text("server").parse::<SocketAddr>().is_ok());
        assert_eq!(text("mode"), "event");
        assert_eq!(text("seen_by"), "both", "{exchange:#}");
        assert!(exchange["tls"].is_boolean() && exchange["causes"].is_array());
        let _ = (text("named"), text("organisation"));
        for message in exchange["messages"].as_array().unwrap() {
            assert!(message["n"].is_u64() && message["bytes"].is_u64());
            assert!(message["time_ms"].is_number() && message["masked"].is_boolean());
            assert!(["client", "server"].contains(&message["from"].as_str().unwrap()));
            assert!(message["verb"].is_string() && message["text"].is_string());
            steps.insert(message["step"].as_str().unwrap());
        }
    }
    assert_eq!(steps, BTreeSet::from(["1", "2", "3a", "3b"]));
    let protocols = exchanges
        .iter()
        .map(|exchange| exchange["protocol"].as_str().unwrap());
    assert_eq!(
        protocols.collect::<BTreeSet<_>>(),
        BTreeSet::from(["dns", "pop3", "smtp"])
    );
    let secret = shown.to_string();
    assert!(!secret.contains("AGxhYg"), "a password in clear");
}

/// The letter stands in the list once, with the contract's fields; its exchanges do not.
fn check_listed(list: &Ran, shown: &Value) {
    let lines = list
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let all: Vec<Value> = lines.collect();
    let starts: Vec<_> = all
        .iter()
        .map(|line| line["start"].as_str().unwrap())
        .collect();
    assert!(starts.is_sorted(), "newest last");
    let same = all
        .iter()
        .filter(|line| line["journey"] == shown["journey"]);
    let letters: Vec<_> = same.collect();
    assert_eq!(letters.len(), 1);
    let letter = letters[0];
    for key in [
        "title",
        "kind",
        "state",
        "start",
        "duration_ms",
        "message_id",
    ] {
        assert_eq!(letter[key], shown[key], "{key}");
    }
    assert_eq!(letter["kind"], "letter");
    let count = shown["exchanges"].as_array().unwrap().len();
    assert_eq!(letter["exchanges"], count);
    let collections = all.iter().filter(|line| line["kind"] == "collection");
    // Only bob's first look, when there was no mail, is a journey by itself.
    let of_bob = collections.filter(|line| line["title"].as_str().unwrap().starts_with("bob@"));
    assert_eq!(of_bob.count(), 1, "{all:#?}");
}

#[test]
fn fetch_leaves_the_mail_there_unless_told_to_delete() {
    let lab = Lab::shared();
    let text = lab.scratch("send").join("letter.txt");
    fs::write(&text, "Bonjour,\n.\nça va ?\n").unwrap();
    let people = ["--to", "berthe@sud.test", "--to", "adam@nord.test"];
    let send = run(lab.guichet().args(["send", "-q"]).args(people).arg(&text)).well();
    assert!(send.out.contains("@nord.test>"), "{send:#?}");
    lab_run(&lab, &["trace", "wait", "--to", "berthe@sud.test"]).well();
    let fetch = ["fetch", "-q", "--json", "--login", "berthe@sud.test"];
    let first = json(&lab_run(&lab, &fetch).well());
    assert_eq!(first["messages"].as_array().unwrap().len(), 1);
    let text = first["messages"][0]["text"].as_str().unwrap();
    assert!(
        text.ends_with("\r\n\r\nBonjour,\r\n.\r\nça va ?\r\n"),
        "{text}"
    );
    assert_eq!(json(&lab_run(&lab, &fetch).well()), first);
    let deleted = run(lab.guichet().args(fetch).arg("--delete")).well();
    assert_eq!(json(&deleted), first);
    let empty = lab_run(
        &lab,
        &["fetch", "--lang", "fr", "--login", "berthe@sud.test"],
    )
    .well();
    empty.says("Il n’y a pas de courrier pour berthe@sud.test.");
}

#[test]
fn send_says_who_was_refused_and_why() {
    let lab = Lab::shared();
    let unknown = [
        "send",
        "-q",
        "--json",
        "--to",
        "nobody@nord.test",
        "--text",
        "x",
    ];
    let refused = lab_run(&lab, &unknown);
    fails(&refused, 1, "nobody@nord.test was not taken");
    let told = json(&refused);
    assert_eq!(told["recipients"][0]["state"], "refused");
    assert_eq!(told["queue_id"], Value::Null);

    let word = lab.scratch("password").join("wrong");
    fs::write(&word, "not it\n").unwrap();
    let login = [
        "fetch",
        "-q",
        "--login",
        "adam@nord.test",
        "--password-file",
    ];
    let wrong = run(lab.guichet().args(login).arg(&word));
    fails(&wrong, 1, "adam@nord.test");

    let stranger = ["fetch", "--login", "zoe@far.test"];
    fails(&lab_run(&lab, &stranger), 2, "GUICHET_PASSWORD");
    fails(&lab_run(&lab, &["send", "--text", "x"]), 2, "--to");
    let nowhere = [
        "send",
        "-q",
        "--to",
        "bob@sud.test",
        "--text",
        "x",
        "--server",
        "127.0.0.1:1",
    ];
    fails(&lab_run(&lab, &nowhere), 1, "nobody listens");
    fails(
        &lab_run(&lab, &["send", "--to", "bob", "--text", "x"]),
        2,
        "“bob”",
    );
}

#[test]
fn outside_a_lab_nobody_is_believed_unless_named() {
    let home = tempfile::tempdir().unwrap();
    let outside = || {
        let mut command = guichet(home.path());
        command.env_remove("SSL_CERT_FILE");
        command
    };
    let secured = run(outside().args(["get", "-q", "https://127.0.0.1:1/"]));
    fails(&secured, 2, "--ca FILE");
    let submit = [
        "send", "-q", "--from", "a@b.test", "--to", "c@d.test", "--text", "x",
    ];
    let far = run(outside().args(submit).args(["--server", "192.0.2.1"]));
    fails(&far, 2, "--ca FILE");
    // What a lab that was killed has left behind leads nobody astray.
    let lab = Lab::shared();
    let mut left = lab.json.clone();
    left["control"] = home.path().join("control.sock").to_str().unwrap().into();
    fs::write(home.path().join("lab.json"), left.to_string()).unwrap();
    let mut command = guichet(home.path());
    command.env("GUICHET_DIR", home.path());
    let sent = run(command.args(["send", "--to", "bob@sud.test", "--text", "x"]));
    fails(&sent, 2, "--from");
}

#[test]
fn help_is_in_both_languages() {
    let home = tempfile::tempdir().unwrap();
    for (command, english, french) in [
        (
            "resolve",
            "Asks the name service",
            "Demande au service de noms",
        ),
        ("get", "Loads a page", "Charge une page"),
        ("send", "Hands a letter", "Remet une lettre"),
        ("fetch", "Collects mail", "Relève le courrier"),
    ] {
        let help = run(guichet(home.path()).args([command, "--help"])).well();
        assert!(help.out.contains(english), "{help:#?}");
        let help = run(guichet(home.path()).args([command, "--help", "--lang", "fr"])).well();
        assert!(help.out.contains(french), "{help:#?}");
    }
}
