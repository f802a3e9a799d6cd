//! Plays every transcript of the two folders, whole and in every chunk size. Header keys:
//!
//! ```text
//! side: server (default), client          chunks: whole (timing matters: only as written)
//! kind: reception (default), submission   tls: offered, required, if-offered, implicit
//! auth: in-clear                          size, recipients: the limits     pause: milliseconds
//! kept: how many letters the service kept; what it kept last, with \r\n
//! maildrop: a message each                broken, in-use, keep, count-only, known: see fakes
//! letter: sender recipient,recipient [8bit] [utf8]      login: yes
//! outcome: what a client reports at the end, a line each
//! needs: what only the fakes have, so that it is not played against the binary
//! ```

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use guichet_proto::common::sasl::Credentials;
use guichet_proto::player::{Ours, Player};
use guichet_proto::session::NoTap;
use guichet_proto::smtp::{Fate, Kind};
use guichet_proto::transcript::{Step, Transcript};
use guichet_proto::{Service, Session, SourceId, pop3, smtp};

use crate::fakes::{Keeper, Letters, Mail, Maildrop, PASSWORD};

#[test]
fn smtp_transcripts() {
    play_folder("smtp", |transcript, chunk| match is_client(transcript) {
        true => smtp_client(transcript, chunk),
        false => smtp_server(transcript, chunk),
    });
}

#[test]
fn pop3_transcripts() {
    play_folder("pop3", |transcript, chunk| match is_client(transcript) {
        true => pop3_client(transcript, chunk),
        false => pop3_server(transcript, chunk),
    });
}

/// A check that cannot fail is a defect: with one reply changed, or another outcome expected, no
/// transcript passes.
#[test]
fn a_change_is_noticed() {
    for (path, text) in files("smtp").into_iter().chain(files("pop3")) {
        let is_smtp = path.to_string_lossy().contains("/smtp/");
        let (old, new) = match text.contains("# side: client") {
            true => ("# outcome: ", "# outcome: x"),
            false => ("S: ", "S: x"),
        };
        let transcript = Transcript::parse(&text.replacen(old, new, 1)).unwrap();
        let played = match (is_smtp, is_client(&transcript)) {
            (true, false) => smtp_server(&transcript, usize::MAX),
            (true, true) => smtp_client(&transcript, usize::MAX),
            (false, false) => pop3_server(&transcript, usize::MAX),
            (false, true) => pop3_client(&transcript, usize::MAX),
        };
        assert!(played.is_err(), "{}", path.display());
    }
}

fn play_folder(folder: &str, play: impl Fn(&Transcript, usize) -> Result<(), String>) {
    let files = files(folder);
    assert!(files.len() > 20, "few transcripts in {folder}");
    let mut wrong = Vec::new();
    for (path, text) in files {
        let name = path.display();
        let transcript = Transcript::parse(&text)
            .unwrap_or_else(|error| panic!("{name}:{}: {}", error.line, error.what));
        let sizes = chunk_sizes(&transcript).into_iter();
        let mut played = sizes.map(|bytes| (bytes, play(&transcript, bytes)));
        if let Some((bytes, Err(what))) = played.find(|(_, result)| result.is_err()) {
            wrong.push(format!("{name}, in pieces of {bytes}: {what}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts");
    let entries = fs::read_dir(root.join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

fn chunk_sizes(transcript: &Transcript) -> Vec<usize> {
    if transcript.header("chunks") == Some("whole") {
        return vec![usize::MAX];
    }
    let longest = transcript.steps.iter().map(|(_, step)| match step {
        Step::Client(text) | Step::Server(text) => text.bytes().len(),
        _ => 0,
    });
    let longest = longest.max().unwrap_or(0).min(100);
    (1..=longest).chain([usize::MAX]).collect()
}

fn is_client(transcript: &Transcript) -> bool {
    transcript.header("side") == Some("client")
}

fn has(transcript: &Transcript, key: &str, value: &str) -> bool {
    transcript.header(key) == Some(value)
}

fn all<'a>(transcript: &'a Transcript, key: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = transcript
        .header
        .iter()
        .filter(move |(name, _)| name == key);
    lines.map(|(_, value)| value.as_str())
}

fn unescape(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n")
}

fn number(transcript: &Transcript, key: &str) -> Option<u64> {
    transcript.header(key).map(|text| text.parse().unwrap())
}

/// Plays, then looks at session and service.
fn run<S, V>(
    transcript: &Transcript,
    (session, service): (S, V),
    chunk_bytes: usize,
    look: impl Fn(&Player<'_, S, V>) -> Result<(), String>,
) -> Result<(), String>
where
    S: Session,
    S::Ask: Debug,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    let mut tap = NoTap;
    let ours = match is_client(transcript) {
        true => Ours::Client,
        false => Ours::Server,
    };
    let mut player = Player::new(session, service, chunk_bytes, &mut tap);
    for (line, step) in &transcript.steps {
        player
            .step(ours, step)
            .map_err(|what| format!("line {line}: {what}"))?;
    }
    look(&player)?;
    player.finish().map(|_| ())
}

fn smtp_server(transcript: &Transcript, chunk_bytes: usize) -> Result<(), String> {
    let kind = match has(transcript, "kind", "submission") {
        true => Kind::Submission,
        false => Kind::Reception,
    };
    let mut settings = smtp::Settings::new("mail.nord.test", kind);
    settings.tls_offered = has(transcript, "tls", "offered");
    settings.secured = has(transcript, "tls", "implicit");
    settings.auth_in_clear = has(transcript, "auth", "in-clear");
    if let Some(size) = number(transcript, "size") {
        settings.size_bytes_most = size;
    }
    if let Some(count) = number(transcript, "recipients") {
        settings.recipients_most = count as usize;
    }
    if let Some(pause) = number(transcript, "pause") {
        settings.greeting_pause = Duration::from_millis(pause);
    }
    let halves = (smtp::Server::new(settings), Mail::default());
    run(transcript, halves, chunk_bytes, |player| {
        let service = player.service_ref();
        if let Some(count) = number(transcript, "kept") {
            same("letters kept", &(count as usize), &service.kept.len())?;
        }
        match transcript.header("last") {
            Some(text) => same(
                "the last letter",
                &Some(unescape(text).as_bytes()),
                &service.kept.last().map(Vec::as_slice),
            ),
            None => Ok(()),
        }
    })
}

fn smtp_client(transcript: &Transcript, chunk_bytes: usize) -> Result<(), String> {
    let content = |words: &str| match words.contains("8bit") {
        true => "Subject: hé\r\n\r\n.dot\r\n",
        false => "Subject: hi\r\n\r\n.dot\r\n",
    };
    let letters = all(transcript, "letter").enumerate().map(|(index, text)| {
        let words: Vec<_> = text.split(' ').collect();
        smtp::Letter {
            sender: words[0].trim_matches(['<', '>']).into(),
            recipients: words[1].split(',').map(unescape).collect(),
            source: SourceId(index as u64),
            size_bytes: content(text).len() as u64,
            utf8: words.contains(&"utf8"),
            eight_bit: words.contains(&"8bit"),
            causes: Vec::new(),
        }
    });
    let job = smtp::Job {
        client_name: "client.sud.test".into(),
        tls: match transcript.header("tls") {
            Some("required") => smtp::TlsPolicy::Required,
            Some("if-offered") => smtp::TlsPolicy::IfOffered,
            Some("implicit") => smtp::TlsPolicy::Implicit,
            _ => smtp::TlsPolicy::Never,
        },
        login: has(transcript, "login", "yes").then(|| Credentials {
            login: "alice@nord.test".into(),
            password: PASSWORD.into(),
        }),
        letters: letters.collect(),
    };
    let service = Letters {
        letters: all(transcript, "letter")
            .map(|text| content(text).into())
            .collect(),
        broken: has(transcript, "broken", "yes"),
        ..Letters::default()
    };
    run(
        transcript,
        (smtp::Client::new(job.clone()), service),
        chunk_bytes,
        |player| {
            let outcome = player.session().outcome();
            let mut told = Vec::new();
            for (letter, fates) in job.letters.iter().zip(&outcome.letters) {
                for (recipient, fate) in letter.recipients.iter().zip(fates) {
                    let recipient = recipient.escape_debug();
                    told.push(format!("{recipient} {}", in_words(fate)));
                }
            }
            told.extend(outcome.failed.map(|words| format!("failed {words}")));
            same(
                "the outcome",
                &all(transcript, "outcome").collect::<Vec<_>>(),
                &told,
            )
        },
    )
}

/// The server's words begin with its code; where it said none, the code of our own stands first.
fn in_words(fate: &Fate) -> String {
    let coded = |code: &u16, words: &str| match words.starts_with(&code.to_string()) {
        true => words.to_owned(),
        false => format!("{code} {words}"),
    };
    match fate {
        Fate::Delivered { words } => format!("delivered {words}"),
        Fate::Deferred { code, words } => format!("deferred {}", coded(code, words)),
        Fate::Refused { code, words } => format!("refused {}", coded(code, words)),
    }
}

fn pop3_server(transcript: &Transcript, chunk_bytes: usize) -> Result<(), String> {
    let mut settings = pop3::Settings::new("mail.nord.test");
    settings.tls_offered = has(transcript, "tls", "offered");
    settings.secured = has(transcript, "tls", "implicit");
    settings.auth_in_clear = has(transcript, "auth", "in-clear");
    let messages = all(transcript, "maildrop").map(|text| unescape(text).into_bytes());
    let service = Maildrop {
        messages: messages.collect(),
        in_use: has(transcript, "in-use", "yes"),
        broken: has(transcript, "broken", "yes"),
        ..Maildrop::default()
    };
    let halves = (pop3::Server::new(settings), service);
    run(transcript, halves, chunk_bytes, |player| {
        let service = player.service_ref();
        match transcript.header("deleted") {
            Some(numbers) => same(
                "what was deleted",
                &numbers,
                &format!("{:?}", service.deleted),
            ),
            None => Ok(()),
        }
    })
}

fn pop3_client(transcript: &Transcript, chunk_bytes: usize) -> Result<(), String> {
    let job = pop3::Job {
        tls: match transcript.header("tls") {
            Some("required") => pop3::TlsPolicy::Required,
            Some("if-offered") => pop3::TlsPolicy::IfOffered,
            Some("implicit") => pop3::TlsPolicy::Implicit,
            _ => pop3::TlsPolicy::Never,
        },
        login: Credentials {
            login: "bob@nord.test".into(),
            password: PASSWORD.into(),
        },
        keep: has(transcript, "keep", "yes"),
        fetch: match has(transcript, "count-only", "yes") {
            true => pop3::Fetch::CountOnly,
            false => pop3::Fetch::All,
        },
    };
    let service = Keeper {
        known: all(transcript, "known").map(Into::into).collect(),
        full: has(transcript, "full", "yes"),
        ..Keeper::default()
    };
    run(
        transcript,
        (pop3::Client::new(job), service),
        chunk_bytes,
        |player| {
            let (outcome, keeper) = (player.session().outcome(), player.service_ref());
            let mut told = vec![format!(
                "{} messages, {} octets, kept {:?}, marked {:?}, deleted {}",
                outcome.count, outcome.octets, outcome.kept, outcome.marked, outcome.deleted
            )];
            told.extend(outcome.failed.iter().map(|words| format!("failed {words}")));
            same(
                "the outcome",
                &all(transcript, "outcome").collect::<Vec<_>>(),
                &told,
            )?;
            let kept = keeper
                .kept
                .iter()
                .map(|body| String::from_utf8_lossy(body).into_owned());
            let expected = all(transcript, "kept").map(unescape);
            same(
                "what is kept",
                &expected.collect::<Vec<_>>(),
                &kept.collect::<Vec<_>>(),
            )
        },
    )
}

fn same<A: Debug + PartialEq<B>, B: Debug>(what: &str, want: &A, got: &B) -> Result<(), String> {
    match want == got {
        true => Ok(()),
        false => Err(format!("{what}: expected {want:?}, got {got:?}")),
    }
}
