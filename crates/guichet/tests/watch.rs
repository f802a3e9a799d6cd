//! Who may look at the trace, and what they see: the watch address, the control sockets, the files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Lab, client, eventually, run, skipped};

/// What this file's letters and pages try to smuggle into the watcher's browser and terminal.
const HOSTILE: &str = "<script>alert(1)</script>";

/// A reply of the watch address.
struct Reply {
    status: u16,
    /// Status line and fields, in lower case.
    head: String,
    body: String,
}

impl Reply {
    /// The value of a field; empty when it is not there.
    fn field(&self, name: &str) -> &str {
        let found = self.head.lines().find_map(|line| line.strip_prefix(name));
        found.map_or("", |rest| rest.trim_start_matches(':').trim())
    }
}

/// Where the watch address listens, and its token.
fn watch(lab: &Lab) -> (String, String) {
    let url = lab.json["watch"].as_str().expect("watch");
    let rest = url.strip_prefix("http://").expect("an http address");
    let (host, token) = rest.split_once("/?t=").expect("a token");
    (host.to_owned(), token.to_owned())
}

/// Asks with these fields and no others; `Host` is the address unless it is among them.
fn ask(lab: &Lab, request: &str, fields: &[(&str, &str)]) -> Reply {
    let mut stream = open(&watch(lab).0, request, fields);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    // Whatever is asked and whoever asks: no other origin's script is ever let in.
    let head = head.to_lowercase();
    assert!(!head.contains("access-control-"), "{head}");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Reply {
        status: status.expect("a status"),
        head,
        body: body.to_owned(),
    }
}

fn open(address: &str, request: &str, fields: &[(&str, &str)]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut text = format!("{request} HTTP/1.1\r\nConnection: close\r\n");
    if !fields.iter().any(|(name, _)| *name == "Host") {
        text.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    stream
}

/// The cookie that stands for the token.
fn cookie(lab: &Lab) -> String {
    let first = ask(lab, &format!("GET /?t={}", watch(lab).1), &[]);
    let (cookie, _) = first.field("set-cookie").split_once(';').expect("a cookie");
    cookie.to_owned()
}

/// Has the lab's page fetched, as any browser would.
fn load_page(lab: &Lab, path: &str) {
    let address = lab.service("sud.test", "http").to_string();
    let mut stream = open(
        &address,
        &format!("GET {path}"),
        &[("Host", "www.sud.test")],
    );
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 "), "{reply:?}");
}

#[test]
fn nobody_sees_anything_without_the_token() {
    let lab = Lab::shared();
    load_page(&lab, "/secret-page");
    let wrong = format!("guichet_watch={}", "0".repeat(32));
    for path in [
        "/",
        "/?t=",
        "/?t=0123456789abcdef0123456789abcdef",
        "/api/journeys",
        "/api/journeys/j-1",
        "/api/events",
        "/journeys/j-1",
        "/nowhere",
    ] {
        for fields in [&[][..], &[("Cookie", wrong.as_str())]] {
            let reply = ask(&lab, &format!("GET {path}"), fields);
            assert_eq!(reply.status, 403, "{path} {fields:?}: {}", reply.body);
            assert!(!reply.body.contains("secret-page"), "{}", reply.body);
            assert_eq!(reply.field("set-cookie"), "");
        }
    }
}

#[test]
fn the_token_goes_into_a_cookie_and_out_of_sight() {
    let lab = Lab::shared();
    let (_, token) = watch(&lab);
    let first = ask(&lab, &format!("GET /?t={token}"), &[]);
    assert_eq!((first.status, first.field("location")), (303, "/"));
    let set = first.field("set-cookie").to_owned();
    for attribute in ["httponly", "samesite=strict", "path=/"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert_eq!(first.field("referrer-policy"), "no-referrer");

    let page = ask(&lab, "GET /", &[("Cookie", &cookie(&lab))]);
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.field("cache-control"), "no-store");
    assert!(page.body.contains("<h1>") && !page.body.contains(&token));
    let other = ask(&lab, "POST /", &[("Cookie", &cookie(&lab))]);
    assert_eq!(other.status, 405);
}

#[test]
fn a_page_of_another_origin_gets_nothing() {
    let lab = Lab::shared();
    let (address, token) = watch(&lab);
    let cookie = cookie(&lab);
    let port = address.rsplit(':').next().unwrap();
    let foreign_host = format!("evil.example:{port}");
    let own_origin = format!("http://{address}");
    let cases: [(u16, &[(&str, &str)]); 10] = [
        // A foreign name that was made to lead here (DNS rebinding).
        (403, &[("Host", "evil.example")]),
        (403, &[("Host", &foreign_host)]),
        (403, &[("Host", "127.0.0.1.evil.example")]),
        (403, &[("Origin", "http://evil.example")]),
        (403, &[("Origin", "null")]),
        // Another port is another origin.
        (403, &[("Origin", "http://127.0.0.1:1")]),
        (403, &[("Sec-Fetch-Site", "cross-site")]),
        (
            403,
            &[("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")],
        ),
        (200, &[("Sec-Fetch-Site", "same-origin")]),
        (200, &[("Origin", &own_origin)]),
    ];
    for path in ["/api/journeys", "/"] {
        for (status, fields) in cases {
            let mut fields = fields.to_vec();
            fields.push(("Cookie", &cookie));
            let reply = ask(&lab, &format!("GET {path}"), &fields);
            assert_eq!(reply.status, status, "{path} {fields:?}: {}", reply.body);
        }
    }
    // Nor does knowing the token help another page.
    let reply = ask(
        &lab,
        &format!("GET /?t={token}"),
        &[("Sec-Fetch-Site", "cross-site")],
    );
    assert_eq!((reply.status, reply.field("set-cookie")), (403, ""));
    let asked_first = ask(
        &lab,
        "OPTIONS /api/journeys",
        &[("Origin", "http://evil.example")],
    );
    assert!(asked_first.status >= 400, "{}", asked_first.head);
}

#[test]
fn a_new_journey_is_told_at_once_and_can_be_had_as_json() {
    let lab = Lab::shared();
    let cookie = cookie(&lab);
    let events = open(
        &watch(&lab).0,
        "GET /api/events",
        &[("Cookie", &cookie), ("Accept", "text/event-stream")],
    );
    let mut lines = BufReader::new(events).lines();
    let head: Vec<_> = lines
        .by_ref()
        .map(|line| line.unwrap().to_lowercase())
        .take_while(|line| !line.is_empty())
        .collect();
    let head = head.join("\n");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains("content-type: text/event-stream") && !head.contains("access-control-"),
        "{head}"
    );

    load_page(&lab, "/only-for-the-events");
    let deadline = Instant::now() + Duration::from_secs(10);
    let told = lines
        .map(|line| line.unwrap())
        .take_while(|_| Instant::now() < deadline)
        .find(|line| line.starts_with("data: ") && line.contains("only-for-the-events"))
        .expect("an event");
    let told: Value = serde_json::from_str(&told["data: ".len()..]).unwrap();
    assert_eq!(told["kind"], "page", "{told}");

    let list = ask(&lab, "GET /api/journeys", &[("Cookie", &cookie)]);
    assert_eq!(list.field("content-type"), "application/json");
    let list: Vec<Value> = serde_json::from_str(&list.body).unwrap();
    assert!(
        list.iter()
            .any(|journey| journey["journey"] == told["journey"])
    );
    let id = told["journey"].as_str().expect("an id");
    let one = ask(
        &lab,
        &format!("GET /api/journeys/{id}"),
        &[("Cookie", &cookie)],
    );
    let one: Value = serde_json::from_str(&one.body).unwrap();
    assert_eq!(one["journey"], told["journey"]);
    assert_eq!(one["exchanges"][0]["messages"][0]["verb"], "GET", "{one:#}");

    let unknown = ask(
        &lab,
        "GET /api/journeys/j-0000000000009",
        &[("Cookie", &cookie)],
    );
    assert_eq!(unknown.status, 404);
    assert!(serde_json::from_str::<Value>(&unknown.body).is_ok());
}

#[test]
fn what_strangers_send_does_not_become_markup() {
    let lab = Lab::shared();
    let cookie = cookie(&lab);
    load_page(&lab, "/\"><b>&'onload-of-ours'");
    let message_id = send_hostile_letter(&lab);
    let journeys = eventually(Duration::from_secs(10), || {
        let list = ask(&lab, "GET /api/journeys", &[("Cookie", &cookie)]);
        let list: Vec<Value> = serde_json::from_str(&list.body).unwrap();
        let found = |what: &str| {
            let is_it = |journey: &&Value| journey.to_string().contains(what);
            let found = list.iter().find(is_it).ok_or(format!("no {what}"))?;
            Ok::<_, String>(found["journey"].as_str().expect("an id").to_owned())
        };
        Ok([found("onload-of-ours")?, found(message_id)?])
    });
    let shown = journeys.map(|id| format!("/journeys/{id}"));
    for path in ["/".to_owned()].iter().chain(&shown) {
        let page = ask(&lab, &format!("GET {path}"), &[("Cookie", &cookie)]);
        assert_eq!(page.status, 200, "{path}");
        let body = page.body.to_lowercase();
        assert!(!body.contains("<script"), "{path}: {body}");
        assert!(!body.contains("<b>"), "{path}: {body}");
        assert!(!body.contains(['\u{1b}', '\u{202e}']), "{path}: {body}");
        // Should something get through one day, the browser is told not to run it.
        let policy = page.field("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert_eq!(page.field("x-content-type-options"), "nosniff");
    }
    let letter = ask(&lab, &format!("GET {}", shown[1]), &[("Cookie", &cookie)]);
    assert!(
        letter.body.contains("MAIL FROM:&lt;'&amp;b'@far.test&gt;"),
        "{}",
        letter.body
    );
    // The drawing has lines, and no line end of a stranger's makes one.
    assert!(!letter.body.contains("\\n"), "{}", letter.body);
}

/// A letter whose sender, subject and text are hostile; its Message-ID.
fn send_hostile_letter(lab: &Lab) -> &'static str {
    const ID: &str = "smuggler@far.test";
    let stream = TcpStream::connect(lab.service("sud.test", "smtp")).unwrap();
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    let mut say = |text: &str, code: &str| {
        stream.write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        while !line.starts_with(&format!("{code} ")) {
            line.clear();
            assert!(replies.read_line(&mut line).unwrap() > 0);
            assert!(line.starts_with(code), "{text:?}: {line}");
        }
    };
    say("", "220");
    say("EHLO far.test\r\n", "250");
    say("MAIL FROM:<'&b'@far.test>\r\n", "250");
    say("RCPT TO:<bob@sud.test>\r\n", "250");
    say("DATA\r\n", "354");
    say(
        &format!(
            "From: far@far.test\r\nTo: bob@sud.test\r\nMessage-ID: <{ID}>\r\n\
             Subject: {HOSTILE} \u{1b}[2J \u{202e}\r\n\r\n{HOSTILE}\r\n.\r\n"
        ),
        "250",
    );
    say(&format!("{HOSTILE}\r\n"), "500");
    say("QUIT\r\n", "221");
    ID
}

/// The permission bits of a file.
fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o777
}

#[test]
fn what_opens_the_lab_belongs_to_its_user_alone() {
    let lab = Lab::shared();
    let dir = lab.dir();
    for folder in ["", "nord", "sud", "nord/store", "sud/store"] {
        assert_eq!(mode(&dir.join(folder)), 0o700, "{folder}");
    }
    for file in [
        "watch.token",
        "ca-key.pem",
        "lab.json",
        "control.sock",
        "nord/control.sock",
        "nord/watch.token",
        "nord/key.pem",
        "nord/guichet.toml",
        "sud/control.sock",
        "sud/watch.token",
        "sud/key.pem",
        "sud/guichet.toml",
    ] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
}

#[test]
fn another_user_of_this_computer_gets_nothing() {
    let (Some(setpriv), Some(curl)) = (client("setpriv"), client("curl")) else {
        return;
    };
    if !rustix::process::geteuid().is_root() {
        skipped(
            "another-user",
            "only root may run a program as another user",
        );
        return;
    }
    let other = Other { setpriv, curl };
    let lab = Lab::start(&[]);
    let dir = lab.dir();
    // Only the lab's own modes are between them: the folder above lets everybody through.
    open_to_all(dir.parent().expect("a folder above"));
    assert!(!other.reads(&dir.join("watch.token")));
    assert!(!other.connects(&dir.join("control.sock")));

    // Not even where its owner opened the folders,
    for folder in ["", "nord", "sud"] {
        open_to_all(&dir.join(folder));
    }
    for folder in ["", "nord", "sud"] {
        let folder = dir.join(folder);
        assert!(!other.reads(&folder.join("watch.token")));
        assert!(!other.connects(&folder.join("control.sock")));
    }
    // nor where the socket was opened, too: it asks who is at the other end.
    let socket = dir.join("nord/control.sock");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(other.is_told_over(&socket), "");
    assert_ne!(run(Command::new(&other.curl).args(over(&socket))).out, "");

    let address = format!("http://{}/api/journeys", watch(&lab).0);
    let asked = run(other
        .as_nobody()
        .args(["-s", "-w", "%{http_code}", &address]));
    assert!(asked.out.ends_with("403"), "{asked:?}");
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whoever is behind this user's number, it is neither root nor the lab's owner.
const NOBODY: &str = "65534";

/// Another user of this computer, with curl.
struct Other {
    setpriv: PathBuf,
    curl: PathBuf,
}

impl Other {
    fn as_nobody(&self) -> Command {
        let mut command = Command::new(&self.setpriv);
        command
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
            .arg(&self.curl);
        command
    }

    fn reads(&self, file: &Path) -> bool {
        let url = format!("file://{}", file.display());
        run(self.as_nobody().args(["-s", &url])).code == Some(0)
    }

    fn connects(&self, socket: &Path) -> bool {
        const COULD_NOT_CONNECT: i32 = 7;
        run(self.as_nobody().args(over(socket))).code != Some(COULD_NOT_CONNECT)
    }

    fn is_told_over(&self, socket: &Path) -> String {
        run(self.as_nobody().args(over(socket))).out
    }
}

/// What curl says is no request, but who may ask is told so.
fn over(socket: &Path) -> [String; 7] {
    let socket = socket.display().to_string();
    let words = ["-s", "--http0.9", "-m", "5", "--unix-socket", &socket];
    let [a, b, c, d, e, f] = words.map(str::to_owned);
    [a, b, c, d, e, f, "http://server/".to_owned()]
}
