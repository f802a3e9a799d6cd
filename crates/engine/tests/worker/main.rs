#![allow(clippy::unwrap_used, reason = "a test may stop here")]
//! Echo, SMTP and POP3 through a worker process: the same sessions, the same replies, the same
//! trace as in the process itself; bodies in little memory; a death or a treason that harms one
//! client; nothing left behind.
//!
//! It has no test harness: the workers are this executable itself, and nothing else may write to
//! their standard output, which is the channel to the watcher.

mod channel;
mod fakes;
mod inside;
mod rogues;
#[path = "../support/mod.rs"]
mod support;
mod watcher;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::panic::catch_unwind;
use std::process::{Command, Stdio, exit};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use guichet_engine::{Answering, Arrival, Server, blocking};
use guichet_proto::smtp;
use guichet_trace::{Body, Record};
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use channel::WINDOW_BYTES;
use fakes::{LINE, Maildrop, NothingRemote, Post, Shelf, smtp_session, sum_of};
use watcher::{Care, EXCHANGE, End, Report, Worker, process_state};

/// As much as a worker may grow while any body passes: buffers and the channel's frames.
const GROWTH_BYTES_MOST: u64 = 4 * 1024 * 1024;
const BIG_BYTES: usize = 20 * 1024 * 1024;

macro_rules! tests {
    ($($test:ident)*) => { &[$((stringify!($test), $test)),*] };
}
const TESTS: &[(&str, fn())] = tests! {
    echo_goes_through_a_worker
    replies_and_trace_are_the_same
    a_big_body_passes_a_small_worker
    a_slow_service_holds_the_worker_back
    a_source_is_pulled_through_a_worker
    a_killed_worker_harms_its_client_alone
    a_forged_word_is_refused
    the_watcher_knows_who_has_logged_in
    a_worker_is_told_to_stop
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(kind) = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix("--as-worker="))
    {
        return inside::live(kind);
    }
    let is_wanted = |name: &str| {
        let mut words = arguments.iter().filter(|word| !word.starts_with('-'));
        words.clone().next().is_none() || words.any(|word| name.contains(word.as_str()))
    };
    let (begun, mut passed, mut failed) = (Instant::now(), 0, 0);
    for (name, test) in TESTS.iter().filter(|(name, _)| is_wanted(name)) {
        let word = match catch_unwind(test) {
            Ok(()) => (passed += 1, "ok").1,
            Err(_) => (failed += 1, "FAILED").1,
        };
        println!("test {name} ... {word}");
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let filtered = TESTS.len() - passed - failed;
    println!(
        "test result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
         {filtered} filtered out; finished in {:.2}s",
        begun.elapsed().as_secs_f64()
    );
    exit(i32::from(failed > 0));
}

// ----- clients -----

fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    (client, listener.accept().unwrap().0)
}

fn shelf() -> Arc<Mutex<Shelf>> {
    Arc::default()
}

/// A mail server in a worker, and a client connected to it.
fn post_worker(kind: &str, shelf: &Arc<Mutex<Shelf>>, care: Care) -> (TcpStream, Worker) {
    let (client, socket) = connected();
    let post = Post::new(shelf, kind == "submission");
    (client, Worker::spawn(kind, socket, post, care))
}

/// Says each step and reads as many replies as it has, then to the end.
fn converse(client: &TcpStream, steps: &[(&[u8], usize)]) -> String {
    let (mut reader, mut heard) = (BufReader::new(client), String::new());
    for &(words, replies) in steps {
        (&*client).write_all(words).unwrap();
        for _ in 0..replies {
            loop {
                let start = heard.len();
                assert_ne!(
                    reader.read_line(&mut heard).unwrap(),
                    0,
                    "it ends early: {heard}"
                );
                if heard.as_bytes().get(start + 3) == Some(&b' ') {
                    break;
                }
            }
        }
    }
    heard
}

const ENVELOPE: &[u8] = b"EHLO nord.test\r\n";
const PIPELINED: &[u8] = b"MAIL FROM:<alice@nord.test>\r\nRCPT TO:<eve@sud.test>\r\n\
    RCPT TO:<bob@sud.test>\r\nDATA\r\n";
const LETTERS: &[u8] = b"Subject: dots\r\n\r\n..\r\nbye\r\n.\r\nMAIL FROM:<>\r\n\
    RCPT TO:<bob@sud.test>\r\nBDAT 5\r\nhelloBDAT 6 LAST\r\n\nworld";
const STRAY: &[u8] = b"DATA\r\nnonsense\r\nMAIL FROM:<a@b.test>\r\nBDAT 3 LAST\r\nabc\
    RSET\r\nQUIT\r\n";
const TRANSCRIPT: &[(&[u8], usize)] = &[
    (b"", 1),
    (ENVELOPE, 1),
    (PIPELINED, 4),
    (LETTERS, 5),
    (STRAY, 6),
];

/// Greeting, envelope, and the announcement of so many bytes.
fn announce(client: &TcpStream, bytes: usize) {
    let mail = b"MAIL FROM:<alice@nord.test>\r\nRCPT TO:<bob@sud.test>\r\n";
    converse(client, &[(b"", 1), (ENVELOPE, 1), (mail, 2)]);
    (&*client)
        .write_all(format!("BDAT {bytes} LAST\r\n").as_bytes())
        .unwrap();
}

/// Sends one big letter; what was heard behind it, and the watcher's report.
fn send_big(kind: &str, care: Care, shelf: &Arc<Mutex<Shelf>>) -> (String, Report) {
    let (client, worker) = post_worker(kind, shelf, care);
    announce(&client, BIG_BYTES);
    (&client).write_all(&big()).unwrap();
    let heard = converse(&client, &[(b"", 1), (b"QUIT\r\n", 1)]);
    drop(client);
    (heard, worker.join())
}

fn big() -> Vec<u8> {
    (0..BIG_BYTES).map(|n| (n % 251) as u8).collect()
}

// ----- what is shown -----

fn echo_goes_through_a_worker() {
    let (mut client, socket) = connected();
    let worker = Worker::spawn("echo", socket, NothingRemote, Care::Guarding);
    let text: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    let (mut writer, said) = (client.try_clone().unwrap(), text.clone());
    let writing = thread::spawn(move || {
        writer.write_all(&said).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    writing.join().unwrap();
    assert_eq!(heard, text);
    drop(client);
    let report = worker.join();
    assert_eq!(report.end, End::Finished);
    let words = shown(&report.records);
    assert_eq!(words.first().unwrap(), "opened echo");
    assert_eq!(words.last().unwrap(), "closed done");
    assert!(words.len() > 3 && report.records.iter().all(|r| r.exchange == EXCHANGE));
}

/// What a trace says, without times and addresses.
fn shown(records: &[Record]) -> Vec<String> {
    let shown = |record: &Record| match &record.body {
        Body::Opened(opened) => format!("opened {}", opened.protocol),
        Body::Closed { reason, .. } => format!("closed {reason}"),
        Body::Note { word, part, text } => format!("note {word} {part} {text}"),
        Body::Message {
            direction,
            verb,
            text,
            size,
            part,
            before,
            after,
            bytes,
            ..
        } => format!("{direction:?} {verb} {text} {size} {part} {before} {after} {bytes:?}"),
        other => format!("{other:?}"),
    };
    records.iter().map(shown).collect()
}

fn replies_and_trace_are_the_same() {
    let (shelf, event_shelf, blocking_shelf) = (shelf(), shelf(), shelf());
    let (client, worker) = post_worker("smtp", &shelf, Care::Guarding);
    let replies = converse(&client, TRANSCRIPT);
    drop(client);
    let report = worker.join();
    assert_eq!(report.end, End::Finished);
    assert!(replies.contains("queued as letter-2") && replies.contains("nobody of that name"));

    let (event_replies, event_records) = in_an_event_loop(&event_shelf);
    assert_eq!(replies, event_replies);
    assert_eq!(shown(&report.records), shown(&event_records));

    let (client, socket) = connected();
    let post = Post::new(&blocking_shelf, false);
    let thread = thread::spawn(move || {
        let stop = CancellationToken::new();
        drop(blocking::run(
            &socket,
            smtp_session(false),
            post,
            &mut guichet_proto::session::NoTap,
            &stop,
        ));
    });
    assert_eq!(replies, converse(&client, TRANSCRIPT));
    drop(client);
    thread.join().unwrap();
    let queued = &shelf.lock().unwrap().queued;
    assert_eq!(queued, &event_shelf.lock().unwrap().queued);
    assert_eq!(queued, &blocking_shelf.lock().unwrap().queued);
}

struct Mail(Arc<Mutex<Shelf>>);

impl Answering for Mail {
    type Session = smtp::Server;
    type Service = Post;
    fn protocol(&self) -> &'static str {
        "smtp"
    }
    fn begin(&self, _: &Arrival) -> (smtp::Server, Post) {
        (smtp_session(false), Post::new(&self.0, false))
    }
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }
}

fn in_an_event_loop(shelf: &Arc<Mutex<Shelf>>) -> (String, Vec<Record>) {
    let kept = support::Kept::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let server = Server::new(kept.recorder());
    let (bound, address) = support::listener("smtp", 10, false);
    server
        .serve(bound, Arc::new(Mail(shelf.clone())), None)
        .unwrap();
    let client = TcpStream::connect(address).unwrap();
    let replies = converse(&client, TRANSCRIPT);
    drop(client);
    runtime.block_on(server.stop(Duration::from_secs(5)));
    (replies, kept.records())
}

fn a_big_body_passes_a_small_worker() {
    let kept = shelf();
    let (heard, report) = send_big("smtp", Care::Guarding, &kept);
    assert!(heard.starts_with("250 2.0.0 queued as letter-1"), "{heard}");
    assert_eq!(report.end, End::Finished);
    let letter = kept.lock().unwrap().queued[0].clone();
    assert_eq!(
        (letter.bytes, letter.sum),
        (BIG_BYTES as u64, sum_of(0, &big()))
    );
    assert!(
        report.grown_bytes < GROWTH_BYTES_MOST,
        "{} bytes",
        report.grown_bytes
    );

    let (_, mutant) = send_big("hoarding", Care::Guarding, &shelf());
    assert!(mutant.grown_bytes > GROWTH_BYTES_MOST, "the check can fail");
}

fn a_slow_service_holds_the_worker_back() {
    let kept = shelf();
    let (heard, report) = send_big("smtp", Care::Slow, &kept);
    assert!(heard.starts_with("250 "), "{heard}");
    let piece_bytes_most = 256 * 1024; // the dialogue's input buffer at its fullest
    let most = WINDOW_BYTES + piece_bytes_most;
    assert!(
        report.ahead_bytes_most <= most,
        "{} bytes",
        report.ahead_bytes_most
    );

    let (_, mutant) = send_big("windowless", Care::Slow, &kept);
    assert!(mutant.ahead_bytes_most > 8 * most, "the check can fail");
}

fn a_source_is_pulled_through_a_worker() {
    let lines = BIG_BYTES / LINE.len();
    let (client, socket) = connected();
    let worker = Worker::spawn("pop3", socket, Maildrop::new(lines), Care::Guarding);
    (&client)
        .write_all(b"USER bob@sud.test\r\nPASS cheese\r\nRETR 1\r\nQUIT\r\n")
        .unwrap();
    let stuffed = [b".", LINE].concat();
    let count = BufReader::new(&client)
        .split(b'\n')
        .filter(|line| line.as_ref().unwrap() == stuffed.strip_suffix(b"\n").unwrap())
        .count();
    assert_eq!(count, lines);
    drop(client);
    let report = worker.join();
    assert_eq!(report.end, End::Finished);
    assert!(
        report.grown_bytes < GROWTH_BYTES_MOST,
        "{} bytes",
        report.grown_bytes
    );
    let shown = format!("{:?}", report.records);
    assert!(
        shown.contains("PASS") && !shown.contains("cheese"),
        "masked before it left"
    );
}

fn a_killed_worker_harms_its_client_alone() {
    let kept = shelf();
    let (other, other_worker) = post_worker("smtp", &kept, Care::Guarding);
    let (client, worker) = post_worker("smtp", &kept, Care::Guarding);
    announce(&client, BIG_BYTES);
    (&client).write_all(&[b'x'; 1024 * 1024]).unwrap();
    while kept.lock().unwrap().taken_bytes < 1024 * 1024 {
        thread::sleep(Duration::from_millis(2));
    }
    let pid = Pid::from_raw(i32::try_from(worker.pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let mut heard = Vec::new();
    let read = (&client).read_to_end(&mut heard);
    assert!(
        read.is_err() || heard.is_empty(),
        "nothing sounds like a promise"
    );
    assert_eq!(worker.join().end, End::Died);
    assert_eq!(kept.lock().unwrap().discarded, 1);
    assert_eq!(kept.lock().unwrap().queued, []);

    let replies = converse(&other, TRANSCRIPT);
    assert!(replies.contains("queued as letter-2"), "{replies}");
    drop(other);
    assert_eq!(other_worker.join().end, End::Finished);

    // A watcher that does not wait leaves what `Worker::join` looks for.
    let mut unwaited = Command::new("/proc/self/exe")
        .arg("--as-worker=nobody")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while process_state(unwaited.id()) != Some('Z') {
        thread::sleep(Duration::from_millis(5));
    }
    unwaited.wait().unwrap();
}

fn a_forged_word_is_refused() {
    let forgeries = [
        ("rogue-finish", "an end without its body"),
        ("rogue-length", "an end without its body"),
        ("rogue-piece", "a body where none is due"),
        ("rogue-pull", "a source that was not lent"),
        ("rogue-frame", "no frame of ours"),
    ];
    for (kind, why) in forgeries {
        let kept = shelf();
        let (_client, worker) = post_worker(kind, &kept, Care::Guarding);
        assert_eq!(worker.join().end, End::Expelled(why), "{kind}");
        assert_eq!(kept.lock().unwrap().queued, [], "{kind}");
    }
    let kept = shelf();
    let (_client, worker) = post_worker("rogue-finish", &kept, Care::Trusting);
    assert_eq!(worker.join().end, End::Finished);
    assert_eq!(kept.lock().unwrap().queued.len(), 1, "the check can fail");

    let (_client, worker) = post_worker("rogue-record", &shelf(), Care::Guarding);
    let records = worker.join().records;
    assert_eq!(
        records[0].exchange, EXCHANGE,
        "it writes into its own exchange only"
    );
}

fn the_watcher_knows_who_has_logged_in() {
    let kept = shelf();
    let (client, worker) = post_worker("submission", &kept, Care::Guarding);
    // "\0bob@sud.test\0cheese", and a sender that is somebody else.
    let login = b"EHLO me\r\nAUTH PLAIN AGJvYkBzdWQudGVzdABjaGVlc2U=\r\n";
    let letter = b"MAIL FROM:<eve@sud.test>\r\nRCPT TO:<bob@sud.test>\r\nBDAT 2 LAST\r\nhi";
    let heard = converse(
        &client,
        &[(b"", 1), (&login[..9], 1), (&login[9..], 1), (letter, 3)],
    );
    assert!(heard.contains("queued"), "{heard}");
    drop(client);
    worker.join();
    let from = kept.lock().unwrap().queued[0].from.clone();
    assert_eq!(from.as_deref(), Some("bob@sud.test"));

    let (client, socket) = connected();
    let strict = Post::new(&kept, true);
    let worker = Worker::spawn("rogue-finish", socket, strict, Care::Guarding);
    assert_eq!(worker.join().end, End::Expelled("mail without a log-in"));
    drop(client);
}

fn a_worker_is_told_to_stop() {
    let (client, mut worker) = post_worker("smtp", &shelf(), Care::Guarding);
    converse(&client, &[(b"", 1)]);
    worker.stop();
    assert!(converse(&client, &[(b"", 1)]).starts_with("421 4.3.2"));
    drop(client);
    assert_eq!(worker.join().end, End::Finished);
}
