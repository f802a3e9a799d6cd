//! Peers that mean harm, or mean nothing: smuggled ends of letters, any bytes whatever, and whoever
//! looks for passwords in the trace.

use std::time::Duration;

use guichet_proto::common::sasl;
use guichet_proto::session::NoTap;
use guichet_proto::smtp::Kind;
use guichet_proto::{Dialogue, Moment, Next, Reply, Service, Session, pop3, smtp};
use proptest::prelude::*;

use crate::fakes::{Keeper, Letters, Mail, Maildrop, PASSWORD};
use crate::joined::{End, Seen, join, letter, login};

/// What somewhere was taken for the end of a letter (CVE-2023-51764 to 51766 and kin).
const FALSE_ENDS: [&[u8]; 14] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r\n.\r\r\n",
    b"\r\n\r.\r\n",
    b"\n\n.\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n.\r\0\n",
    b"\0\r.\r\n",
    b"\r\n . \r\n",
];

const SECOND_LETTER: &[u8] =
    b"MAIL FROM:<evil@sud.test>\r\nRCPT TO:<alice@nord.test>\r\nDATA\r\nevil";

/// What is kept when a letter with this in its middle arrives in these pieces.
fn kept(
    kind: Kind,
    middle: &[u8],
    pieces: impl Fn(&[u8]) -> Vec<Vec<u8>>,
) -> (Vec<Vec<u8>>, String) {
    let mut settings = smtp::Settings::new("mail.nord.test", kind);
    settings.secured = true;
    let mut end = End::new(smtp::Server::new(settings), Mail::default());
    let mut replies = end.drive();
    let response = sasl::encode_plain(&login("alice@nord.test"));
    let hello = match kind {
        Kind::Reception => "HELO x\r\n".to_string(),
        Kind::Submission => format!("EHLO x\r\n|AUTH PLAIN {response}\r\n"),
    };
    let envelope = "|MAIL FROM:<bob@sud.test>\r\n|RCPT TO:<alice@nord.test>\r\n|DATA\r\n";
    for command in (hello + envelope).split('|') {
        end.dialogue.receive(command.as_bytes());
        replies.extend(end.drive());
    }
    let body = [
        b"Subject: hi\r\n\r\nhi",
        middle,
        SECOND_LETTER,
        b"\r\n.\r\nQUIT\r\n",
    ]
    .concat();
    for piece in pieces(&body) {
        end.dialogue.receive(&piece);
        replies.extend(end.drive());
    }
    assert!(end.closed, "QUIT was not heard behind {middle:?}");
    (
        end.service.kept,
        String::from_utf8_lossy(&replies).into_owned(),
    )
}

/// All ways to cut into two, and all piece sizes.
fn all_ways(length: usize) -> Vec<(usize, usize)> {
    let halves = (1..length).map(|at| (at, usize::MAX));
    halves.chain((1..length).map(|size| (0, size))).collect()
}

fn cut(body: &[u8], (at, size): (usize, usize)) -> Vec<Vec<u8>> {
    let (one, other) = body.split_at(at.min(body.len()));
    let chunks = one.chunks(usize::MAX).chain(other.chunks(size));
    chunks.map(<[u8]>::to_vec).collect()
}

#[test]
fn nothing_but_cr_lf_dot_cr_lf_ends_a_letter_in_any_split() {
    for middle in FALSE_ENDS {
        for way in all_ways(120) {
            let (letters, replies) = kept(Kind::Reception, middle, |body| cut(body, way));
            let is_text = middle == b"\r\n . \r\n" || !has_bare_end(middle);
            assert_eq!(letters.len(), usize::from(is_text), "{middle:?} {way:?}");
            assert_eq!(
                replies.contains("550 5.6.11 "),
                !is_text,
                "{middle:?} {way:?}"
            );

            let (letters, _) = kept(Kind::Submission, middle, |body| cut(body, way));
            assert_eq!(letters.len(), 1, "{middle:?} {way:?}");
            let text = String::from_utf8_lossy(&letters[0]);
            assert!(
                text.contains("MAIL FROM:<evil"),
                "{middle:?} {way:?}: {text}"
            );
            assert!(!has_bare_end(&letters[0]), "{middle:?} {way:?}: {text:?}");
        }
    }
}

/// The instrument itself: with a true end in the middle there are two letters.
#[test]
fn a_true_end_is_seen_by_the_same_check() {
    let pieces = |body: &[u8]| {
        let at = body
            .windows(6)
            .position(|word| word == b"DATA\r\n")
            .unwrap()
            + 6;
        vec![body[..at].to_vec(), body[at..].to_vec()]
    };
    let (letters, replies) = kept(Kind::Reception, b"\r\n.\r\n", pieces);
    assert_eq!(
        (letters.len(), replies.matches("queued").count()),
        (2, 2),
        "{replies}"
    );
}

fn has_bare_end(text: &[u8]) -> bool {
    (0..text.len()).any(|at| match text[at] {
        b'\n' => at == 0 || text[at - 1] != b'\r',
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        _ => false,
    })
}

// ----- any bytes whatever -----

/// Feeds it all and whatever else can happen.
fn torment<S, V>(session: S, mut service: V, steps: &[(u8, Vec<u8>)])
where
    S: Session,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    let mut now = Moment(0);
    let mut dialogue = Dialogue::open(session, now);
    for (what, bytes) in steps {
        match what {
            0 => {
                now = now.after(Duration::from_secs(301));
                dialogue.tick(now);
            }
            1 => dialogue.stop(now),
            2 => dialogue.input_ended(),
            _ => dialogue.receive(bytes),
        }
        for _ in 0..100_000 {
            match dialogue.next(now, &mut NoTap) {
                Next::Ask(ask) => {
                    if let Reply::Now(answer) = service.ask(ask) {
                        dialogue.answer(now, answer);
                    }
                }
                Next::Piece => {
                    let _ = service.piece(dialogue.piece());
                    dialogue.piece_taken(now);
                }
                Next::Pull(source) => {
                    if let Reply::Now(pulled) = service.pull(source, 100) {
                        dialogue.pulled(pulled, &mut NoTap);
                    }
                }
                Next::Secure(_) => dialogue.secured(now),
                Next::Channel(_) | Next::HalfClose | Next::Flush => {}
                Next::Idle => break,
                Next::Close(_) => return,
            }
            let count = dialogue.output().len();
            dialogue.sent(now, count);
        }
        let count = dialogue.output().len();
        dialogue.sent(now, count);
    }
}

fn words() -> impl Strategy<Value = Vec<u8>> {
    let known: &[&[u8]] = &[
        b"EHLO x\r\n",
        b"HELO x\r\n",
        b"STARTTLS\r\n",
        b"AUTH PLAIN",
        b"AUTH LOGIN\r\n",
        b" ",
        b"=",
        b"MAIL FROM:<a@b.test>",
        b" SIZE=3",
        b" SMTPUTF8",
        b"RCPT TO:<a@b.test>\r\n",
        b"DATA\r\n",
        b"BDAT 3\r\n",
        b"BDAT 0 LAST\r\n",
        b"BDAT 99999999999 LAST\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"HELP\r\n",
        b"QUIT\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b".",
        b"\r\n.\r\n",
        b"*\r\n",
        b"\0",
        b"\xff",
        b"USER bob@nord.test\r\nPASS kanarienvogel\r\n",
        b"STAT\r\n",
        b"LIST\r\n",
        b"UIDL\r\n",
        b"RETR 1\r\n",
        b"TOP 1 1\r\n",
        b"DELE 1\r\n",
        b"CAPA\r\n",
        b"STLS\r\n",
        b"220 x\r\n",
        b"250-x\r\n",
        b"250 PIPELINING\r\n",
        b"250 STARTTLS\r\n",
        b"250 ok\r\n",
        b"354 go\r\n",
        b"334 x\r\n",
        b"235 x\r\n",
        b"421 x\r\n",
        b"550 x\r\n",
        b"+OK\r\n",
        b"-ERR\r\n",
        b"+OK 1 5\r\n",
        b"1 5\r\n",
        b"1 u1\r\n",
        b"99999999999 x\r\n",
        b".\r\n",
        b"AGEAYg==\r\n",
    ];
    let one = prop_oneof![
        8 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => (1_usize..15_000).prop_map(|count| vec![b'a'; count]),
    ];
    proptest::collection::vec(one, 0..8).prop_map(|words| words.concat())
}

fn steps() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    proptest::collection::vec((0_u8..40, words()), 0..12)
}

fn any_settings() -> impl Strategy<Value = smtp::Settings> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(submission, tls, clear)| {
        let kind = match submission {
            true => Kind::Submission,
            false => Kind::Reception,
        };
        let mut settings = smtp::Settings::new("x", kind);
        (settings.tls_offered, settings.auth_in_clear) = (tls, clear);
        settings.size_bytes_most = 20;
        settings
    })
}

fn smtp_job(tls: smtp::TlsPolicy) -> smtp::Job {
    smtp::Job {
        client_name: "x".into(),
        tls,
        login: Some(login("alice@nord.test")),
        letters: vec![
            letter(0, &["a@b.test", "c@d.test"], 5),
            letter(1, &["a@b.test"], 5),
        ],
    }
}

proptest! {
    #[test]
    fn no_bytes_make_an_smtp_server_panic(settings in any_settings(), steps in steps()) {
        torment(smtp::Server::new(settings), Mail::default(), &steps);
    }

    #[test]
    fn no_bytes_make_an_smtp_client_panic(tls in any::<bool>(), steps in steps()) {
        let tls = match tls {
            true => smtp::TlsPolicy::IfOffered,
            false => smtp::TlsPolicy::Never,
        };
        let letters = Letters {
            letters: vec![b"one\r\n".to_vec(), b".\r\n".to_vec()],
            ..Letters::default()
        };
        torment(smtp::Client::new(smtp_job(tls)), letters, &steps);
    }

    #[test]
    fn no_bytes_make_a_pop3_server_panic(clear in any::<bool>(), steps in steps()) {
        let mut settings = pop3::Settings::new("x");
        (settings.tls_offered, settings.auth_in_clear) = (true, clear);
        torment(pop3::Server::new(settings), Maildrop::new(&["a: b\r\n\r\nc\r\n"]), &steps);
    }

    #[test]
    fn no_bytes_make_a_pop3_client_panic(steps in steps()) {
        let job = pop3::Job {
            tls: pop3::TlsPolicy::IfOffered,
            login: login("bob@nord.test"),
            keep: false,
            fetch: pop3::Fetch::All,
        };
        torment(pop3::Client::new(job), Keeper::default(), &steps);
    }
}

// ----- secrets -----

/// The password as it may appear: itself, and inside base64 at any of its three offsets.
fn canaries() -> Vec<String> {
    let shifted = |prefix: &str| {
        let encoded = sasl::encode(format!("{prefix}{PASSWORD}").as_bytes());
        encoded[4..16].to_string()
    };
    vec![PASSWORD.into(), shifted(""), shifted("a"), shifted("ab")]
}

fn assert_hidden(seen: &Seen, what: &str) {
    let shown = format!("{:?} {:?}", seen.messages, seen.notes);
    for canary in canaries() {
        assert!(!shown.contains(&canary), "{what}: {canary} in {shown}");
    }
    let sent = String::from_utf8_lossy(&seen.unmasked);
    let is_there = canaries().iter().any(|canary| sent.contains(canary));
    assert!(
        is_there,
        "{what}: the password was never on the wire, this test sees nothing"
    );
}

#[test]
fn passwords_never_reach_a_tap() {
    let plain = sasl::encode_plain(&login("alice@nord.test"));
    let (name, word) = (
        sasl::encode(b"alice@nord.test"),
        sasl::encode(PASSWORD.as_bytes()),
    );
    let lines = [
        format!("AUTH PLAIN {plain}\r\n"),
        format!("auth  plain   {plain}  \r\n"),
        format!("AUTH PLAIN\r\n{plain}\r\n"),
        format!("AUTH LOGIN\r\n{name}\r\n{word}\r\n"),
        format!("AUTH LOGIN {name}\r\n{word}\r\n"),
        format!("AUTH {plain}\r\n"),
        format!("AUTH\tPLAIN\t{plain}\r\n"),
        format!(" AUTH PLAIN {plain}\r\n"),
        format!("AUTH PLAIN {plain}\n"),
        format!("AUTH PLAIN\r\n{plain}\n"),
        format!("AUTH LOGIN\n{name}\n{word}\n"),
        format!("AUTH CRAM-MD5\r\n{plain}\r\n"),
        format!("AUTH PLAIN {plain} {plain}\r\n"),
    ];
    for kind in [Kind::Reception, Kind::Submission] {
        for clear in [false, true] {
            for line in &lines {
                let mut settings = smtp::Settings::new("x", kind);
                (settings.auth_in_clear, settings.tls_offered) = (clear, true);
                let mut end = End::new(smtp::Server::new(settings), Mail::default());
                end.drive();
                for said in ["EHLO x\r\n", line] {
                    end.dialogue.receive(said.as_bytes());
                    end.drive();
                }
                assert_hidden(&end.seen, &format!("{kind:?} {clear} {line:?}"));
            }
        }
    }
}

#[test]
fn passwords_of_pop3_never_reach_a_tap() {
    let plain = sasl::encode_plain(&login("bob@nord.test"));
    let lines = [
        format!("USER bob@nord.test\r\nPASS {PASSWORD}\r\n"),
        format!("PASS {PASSWORD}\r\n"),
        format!("pass  {PASSWORD} \n"),
        format!("USER bob@nord.test\r\n{PASSWORD}\r\n"),
        format!("AUTH PLAIN {plain}\r\n"),
        format!("AUTH PLAIN\r\n{plain}\r\n"),
        format!("AUTH PLAIN\r\n{plain}\n"),
        format!("AUTH CRAM-MD5\r\n{plain}\r\n"),
    ];
    for clear in [false, true] {
        for line in &lines {
            let mut settings = pop3::Settings::new("x");
            settings.auth_in_clear = clear;
            let mut end = End::new(pop3::Server::new(settings), Maildrop::default());
            end.drive();
            end.dialogue.receive(line.as_bytes());
            end.drive();
            assert_hidden(&end.seen, &format!("{clear} {line:?}"));
        }
    }
}

#[test]
fn our_clients_hide_what_they_say() {
    let mut settings = smtp::Settings::new("x", Kind::Submission);
    settings.auth_in_clear = true;
    let letters = Letters {
        letters: vec![b"one\r\n".to_vec(); 2],
        ..Letters::default()
    };
    let mut client = End::new(smtp::Client::new(smtp_job(smtp::TlsPolicy::Never)), letters);
    let mut server = End::new(smtp::Server::new(settings), Mail::default());
    join(&mut client, &mut server, usize::MAX);
    assert_hidden(&client.seen, "smtp client");

    for offer in ["AUTH LOGIN", "AUTH PLAIN"] {
        let job = smtp_job(smtp::TlsPolicy::Never);
        let mut client = End::new(smtp::Client::new(job), Letters::default());
        for said in [
            "220 x\r\n",
            &format!("250-x\r\n250 {offer}\r\n"),
            "334 x\r\n",
            "334 x\r\n",
        ] {
            client.dialogue.receive(said.as_bytes());
            client.drive();
        }
        assert_hidden(&client.seen, offer);
    }
    for offer in ["USER", "SASL PLAIN"] {
        let job = pop3::Job {
            tls: pop3::TlsPolicy::Never,
            login: login("bob@nord.test"),
            keep: true,
            fetch: pop3::Fetch::All,
        };
        let mut client = End::new(pop3::Client::new(job), Keeper::default());
        for said in ["+OK\r\n", &format!("+OK\r\n{offer}\r\n.\r\n"), "+OK\r\n"] {
            client.dialogue.receive(said.as_bytes());
            client.drive();
        }
        assert_hidden(&client.seen, offer);
    }
}

/// Questions and sessions may be printed by whoever debugs them.
#[test]
fn printing_shows_no_password() {
    let ask = smtp::Ask::Authenticate {
        login: "alice".into(),
        password: PASSWORD.into(),
    };
    let open = pop3::Ask::Open {
        login: "bob".into(),
        password: PASSWORD.into(),
    };
    let client = smtp::Client::new(smtp_job(smtp::TlsPolicy::Never));
    let printed = format!("{ask:?} {open:?} {client:?}");
    assert!(!printed.contains(PASSWORD), "{printed}");
}
