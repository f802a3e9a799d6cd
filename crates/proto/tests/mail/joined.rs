//! Both halves of a protocol, joined in memory until both have ended.

use guichet_proto::common::sasl::Credentials;
use guichet_proto::dialogue::{Dialogue, Next};
use guichet_proto::smtp::{Fate, Kind};
use guichet_proto::{
    Cause, Level, Moment, Reply, Service, Session, SourceId, Tap, Tapped, Verb, pop3, smtp,
};
use guichet_trace::{Direction, ExchangeId};
use proptest::prelude::*;

use crate::fakes::{Keeper, Letters, Mail, Maildrop, PASSWORD};

const NOW: Moment = Moment(0);

/// A tap that keeps what it is shown, masked as the trace masks it.
#[derive(Debug, Default)]
pub struct Seen {
    /// `direction part verb text`, and whatever bytes are not masked.
    pub messages: Vec<String>,
    pub notes: Vec<String>,
    pub body: Vec<u8>,
    /// The wire itself, to show that a check on the rest can fail.
    pub unmasked: Vec<u8>,
    pub causes: Vec<(u32, String, Cause)>,
}

impl Tap for Seen {
    fn level(&self) -> Level {
        Level::Full
    }

    fn message(&mut self, message: Tapped<'_>) {
        self.unmasked.extend_from_slice(message.bytes);
        let mut bytes = message.bytes.to_vec();
        for mask in &message.about.masks {
            let end = mask.end.min(bytes.len());
            bytes[mask.start.min(end)..end].fill(b'x');
        }
        for &cause in &message.about.causes {
            self.causes
                .push((message.part, message.about.verb.to_string(), cause));
        }
        let mark = match message.direction {
            Direction::Received => '<',
            Direction::Sent => '>',
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = message
            .about
            .text
            .clone()
            .map_or(text.clone(), |words| words + " | " + &text);
        let verb = message.about.verb;
        self.messages
            .push(format!("{mark} {} {verb} {text}", message.part));
    }

    fn body(&mut self, _: Direction, piece: &[u8]) {
        self.body.extend_from_slice(piece);
    }

    fn note(&mut self, _: Moment, part: u32, word: Verb, text: String) {
        self.notes.push(format!("{part} {word} {text}"));
    }
}

/// One end.
pub struct End<S: Session, V> {
    pub dialogue: Dialogue<S>,
    pub service: V,
    pub seen: Seen,
    pub closed: bool,
    secures: bool,
}

impl<S, V> End<S, V>
where
    S: Session,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    pub fn new(session: S, service: V) -> Self {
        Self {
            dialogue: Dialogue::open(session, NOW),
            service,
            seen: Seen::default(),
            closed: false,
            secures: false,
        }
    }

    /// Goes on as far as possible; gives what it sends.
    pub fn drive(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        while !self.closed && !self.secures {
            match self.dialogue.next(NOW, &mut self.seen) {
                Next::Ask(ask) => {
                    let Reply::Now(answer) = self.service.ask(ask) else {
                        panic!("later")
                    };
                    self.dialogue.answer(NOW, answer);
                }
                Next::Piece => {
                    let Reply::Now(()) = self.service.piece(self.dialogue.piece()) else {
                        panic!("later")
                    };
                    self.dialogue.piece_taken(NOW);
                }
                Next::Pull(source) => {
                    let Reply::Now(pulled) = self.service.pull(source, 1000) else {
                        panic!("later")
                    };
                    self.dialogue.pulled(pulled, &mut self.seen);
                }
                Next::Secure(_) => self.secures = true,
                Next::Close(_) => self.closed = true,
                Next::Channel(_) | Next::HalfClose => {}
                Next::Flush => flush(&mut self.dialogue, &mut sent),
                Next::Idle => break,
            }
        }
        flush(&mut self.dialogue, &mut sent);
        sent
    }
}

fn flush<S: Session>(dialogue: &mut Dialogue<S>, sent: &mut Vec<u8>) {
    while !dialogue.output().is_empty() {
        sent.extend_from_slice(dialogue.output());
        let count = dialogue.output().len();
        dialogue.sent(NOW, count);
    }
}

/// Lets both talk, in pieces of `chunk_bytes`, until both have closed.
pub fn join<S1, V1, S2, V2>(one: &mut End<S1, V1>, other: &mut End<S2, V2>, chunk_bytes: usize)
where
    S1: Session,
    V1: Service<Ask = S1::Ask, Answer = S1::Answer>,
    S2: Session,
    V2: Service<Ask = S2::Ask, Answer = S2::Answer>,
{
    for _ in 0..1_000_000 {
        let moved = carry(one, other, chunk_bytes) + carry(other, one, chunk_bytes);
        if one.secures && other.secures {
            (one.secures, other.secures) = (false, false);
            one.dialogue.secured(NOW);
            other.dialogue.secured(NOW);
        } else if one.closed && other.closed {
            return;
        } else if one.closed {
            other.dialogue.input_ended();
        } else if other.closed {
            one.dialogue.input_ended();
        } else {
            assert!(moved > 0, "both wait: {:#?}\n{:#?}", one.seen, other.seen);
        }
    }
    panic!("no end");
}

fn carry<S1, V1, S2, V2>(from: &mut End<S1, V1>, to: &mut End<S2, V2>, chunk_bytes: usize) -> usize
where
    S1: Session,
    V1: Service<Ask = S1::Ask, Answer = S1::Answer>,
    S2: Session,
    V2: Service<Ask = S2::Ask, Answer = S2::Answer>,
{
    let sent = from.drive();
    // A true connection delivers what was sent before the handshake before it.
    let was_waiting = to.secures;
    assert!(
        !was_waiting || sent.is_empty(),
        "words in clear behind the handshake"
    );
    let mut back = 0;
    for chunk in sent.chunks(chunk_bytes) {
        to.dialogue.receive(chunk);
        let reply = to.drive();
        back += reply.len();
        from.dialogue.receive(&reply);
    }
    sent.len() + back
}

pub fn letter(source: u64, recipients: &[&str], size_bytes: usize) -> smtp::Letter {
    smtp::Letter {
        sender: "alice@nord.test".into(),
        recipients: recipients.iter().map(|text| (*text).into()).collect(),
        source: SourceId(source),
        size_bytes: size_bytes as u64,
        utf8: false,
        eight_bit: false,
        causes: vec![Cause {
            exchange: ExchangeId(7),
            part: 3,
        }],
    }
}

pub fn login(name: &str) -> Credentials {
    Credentials {
        login: name.into(),
        password: PASSWORD.into(),
    }
}

type Halves = (End<smtp::Client, Letters>, End<smtp::Server, Mail>);

fn submission(letters: Vec<(smtp::Letter, Vec<u8>)>) -> Halves {
    let mut settings = smtp::Settings::new("mail.nord.test", Kind::Submission);
    settings.tls_offered = true;
    let (letters, contents) = letters.into_iter().unzip();
    let job = smtp::Job {
        client_name: "laptop".into(),
        tls: smtp::TlsPolicy::Required,
        login: Some(login("alice@nord.test")),
        letters,
    };
    let letters = Letters {
        letters: contents,
        ..Letters::default()
    };
    let client = End::new(smtp::Client::new(job), letters);
    (
        client,
        End::new(smtp::Server::new(settings), Mail::default()),
    )
}

#[test]
fn letters_go_from_client_to_server_in_every_piece_size() {
    let text = b"Subject: hi\r\n\r\n.\r\n..\r\nend\r\n".to_vec();
    for chunk_bytes in (1..60).chain([usize::MAX]) {
        let (mut client, mut server) = submission(vec![
            (
                letter(0, &["bob@sud.test", "nobody@sud.test"], text.len()),
                text.clone(),
            ),
            (letter(1, &["nobody@sud.test"], 9), b"never\r\n".to_vec()),
            (
                letter(2, &["later@sud.test", "bob@sud.test"], 9),
                b"REFUSE\r\n".to_vec(),
            ),
            (letter(3, &["bob@sud.test"], 9), b"unended line".to_vec()),
        ]);
        join(&mut client, &mut server, chunk_bytes);
        assert_eq!(
            server.service.kept,
            [text.clone(), b"unended line\r\n".to_vec()]
        );
        let outcome = client.dialogue.session().outcome();
        assert_eq!((outcome.secured, &outcome.failed), (true, &None));
        let codes: Vec<Vec<u16>> = outcome
            .letters
            .iter()
            .map(|l| l.iter().map(code).collect())
            .collect();
        assert_eq!(
            codes,
            [vec![250, 550], vec![550], vec![450, 554], vec![250]]
        );
    }
}

fn code(fate: &Fate) -> u16 {
    match fate {
        Fate::Delivered { .. } => 250,
        Fate::Deferred { code, .. } | Fate::Refused { code, .. } => *code,
    }
}

#[test]
fn each_letter_is_a_part_and_its_facts_are_noted() {
    let (mut client, mut server) = submission(vec![
        (letter(0, &["bob@sud.test"], 5), b"one\r\n".to_vec()),
        (letter(1, &["bob@sud.test"], 5), b"two\r\n".to_vec()),
    ]);
    join(&mut client, &mut server, usize::MAX);
    for seen in [&client.seen, &server.seen] {
        let part_of = |verb: &str| -> Vec<&str> {
            let messages = seen
                .messages
                .iter()
                .map(|text| text.splitn(4, ' ').collect::<Vec<_>>());
            messages
                .filter(|words| words[2] == verb)
                .map(|words| words[1])
                .collect()
        };
        for verb in ["MAIL", "RCPT"] {
            assert_eq!(part_of(verb), ["1", "2"], "{verb} {seen:#?}");
        }
        assert_eq!(part_of("DATA"), ["1", "1", "2", "2"], "{seen:#?}");
        assert_eq!(part_of("354"), ["1", "2"], "{seen:#?}");
        for verb in ["AUTH", "QUIT", "221", "235", "STARTTLS"] {
            assert!(
                part_of(verb).iter().all(|&part| part == "0"),
                "{verb} {seen:#?}"
            );
        }
        assert_eq!(
            part_of("250").iter().filter(|&&part| part == "1").count(),
            3,
            "{seen:#?}"
        );
    }
    assert!(
        server
            .seen
            .messages
            .contains(&"< 1 MAIL MAIL FROM:<alice@nord.test> SIZE=5\r\n".into())
    );
    assert!(server.seen.messages.contains(&"< 1 DATA 5 bytes | ".into()));
    let notes = [
        "1 queued q1",
        "1 message-id <1@nord.test>",
        "2 queued q2",
        "2 message-id <1@nord.test>",
    ];
    assert_eq!(server.seen.notes, notes);
    let cause = letter(0, &[], 0).causes[0];
    assert_eq!(
        client.seen.causes,
        [(1, "MAIL".into(), cause), (2, "MAIL".into(), cause)]
    );
}

/// The two halves are joined part by part, so both must count alike, whatever was refused.
#[test]
fn both_ends_count_the_parts_alike() {
    let mut blocked = letter(1, &["bob@sud.test", "cyd@sud.test"], 5);
    blocked.sender = "blocked@nord.test".into();
    let large = letter(0, &["bob@sud.test"], 60_000_000);
    let unknown = letter(2, &["nobody@sud.test"], 5);
    let taken = letter(3, &["later@sud.test", "bob@sud.test"], 5);
    let letters = [large, blocked, unknown, taken];
    let letters = letters.map(|letter| (letter, b"one\r\n".to_vec())).to_vec();
    let (mut client, mut server) = submission(letters);
    join(&mut client, &mut server, usize::MAX);
    assert_eq!(server.service.kept.len(), 1);
    assert_eq!(parts(&client.seen, '>'), parts(&server.seen, '<'));
    assert_eq!(parts(&client.seen, '<'), parts(&server.seen, '>'));
    assert!(parts(&server.seen, '<').contains(&(3, "DATA".into())));
}

/// Part and verb of every whole message one way.
fn parts(seen: &Seen, way: char) -> Vec<(u32, String)> {
    let lines = seen.messages.iter().filter(|text| text.starts_with(way));
    let words = lines.map(|text| text.splitn(4, ' ').collect::<Vec<_>>());
    words
        .filter(|words| words[2] != "...")
        .map(|words| (words[1].parse().unwrap(), words[2].into()))
        .collect()
}

fn collection(
    tls: pop3::TlsPolicy,
    messages: &[&str],
) -> (End<pop3::Client, Keeper>, End<pop3::Server, Maildrop>) {
    let mut settings = pop3::Settings::new("mail.nord.test");
    settings.tls_offered = true;
    settings.auth_in_clear = tls == pop3::TlsPolicy::Never;
    let job = pop3::Job {
        tls,
        login: login("bob@nord.test"),
        keep: false,
        fetch: pop3::Fetch::All,
    };
    let mut maildrop = Maildrop::new(messages);
    maildrop.cause = Some(Cause {
        exchange: ExchangeId(9),
        part: 1,
    });
    let client = End::new(pop3::Client::new(job), Keeper::default());
    (client, End::new(pop3::Server::new(settings), maildrop))
}

#[test]
fn mail_is_collected_in_every_piece_size() {
    let messages = ["a: b\r\n\r\n.\r\n..x\r\n", "c: d\r\n\r\n"];
    for tls in [pop3::TlsPolicy::Never, pop3::TlsPolicy::Required] {
        for chunk_bytes in (1..60).chain([usize::MAX]) {
            let (mut client, mut server) = collection(tls, &messages);
            join(&mut client, &mut server, chunk_bytes);
            assert_eq!(
                client.service.kept,
                messages.map(|text| text.as_bytes().to_vec())
            );
            assert_eq!(server.service.deleted, [1, 2]);
            let outcome = client.dialogue.session().outcome();
            assert_eq!(
                (outcome.count, outcome.deleted, &outcome.failed),
                (2, true, &None)
            );
        }
    }
}

#[test]
fn each_retrieval_is_a_part_with_its_cause() {
    let (mut client, mut server) = collection(pop3::TlsPolicy::Required, &["a\r\n", "b\r\n"]);
    join(&mut client, &mut server, usize::MAX);
    for seen in [&client.seen, &server.seen] {
        for (verb, parts) in [
            ("RETR", "1122"),
            ("DELE", "12"),
            ("STAT", "0"),
            ("QUIT", "0"),
        ] {
            let messages = seen
                .messages
                .iter()
                .map(|text| text.splitn(4, ' ').collect::<Vec<_>>());
            let found: String = messages
                .filter(|words| words[2] == verb)
                .map(|words| words[1])
                .collect();
            assert_eq!(found, parts, "{verb} {seen:#?}");
        }
    }
    let of_commands = |seen: &Seen, way| {
        let mut parts = parts(seen, way);
        parts.retain(|(_, verb)| verb.len() == 4);
        parts
    };
    assert_eq!(
        of_commands(&client.seen, '>'),
        of_commands(&server.seen, '<')
    );
    let parts: Vec<u32> = server.seen.causes.iter().map(|(part, ..)| *part).collect();
    assert_eq!(parts, [1, 1, 2, 2]);
}

#[test]
fn no_mail_is_told_too() {
    let (mut client, mut server) = collection(pop3::TlsPolicy::Required, &[]);
    join(&mut client, &mut server, usize::MAX);
    let outcome = client.dialogue.session().outcome();
    assert_eq!(
        (outcome.logged_in, outcome.count, &outcome.failed),
        (true, 0, &None)
    );
    assert!(
        server
            .seen
            .messages
            .iter()
            .all(|text| !text.contains("RETR"))
    );
}

proptest! {
    #[test]
    fn whatever_a_letter_holds_arrives_as_it_was(
        lines in proptest::collection::vec("[a.\\x00-\\x09é]{0,6}", 0..12),
        chunk_bytes in 1_usize..40,
    ) {
        let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let mut letter = letter(0, &["bob@sud.test"], text.len());
        letter.eight_bit = !text.is_ascii();
        let (mut client, mut server) = submission(vec![(letter, text.clone().into_bytes())]);
        join(&mut client, &mut server, chunk_bytes);
        prop_assert_eq!(&server.service.kept, &[text.clone().into_bytes()]);
        if text.is_ascii() {
            let (mut client, mut server) = collection(pop3::TlsPolicy::Never, &[&text]);
            join(&mut client, &mut server, chunk_bytes);
            prop_assert_eq!(&client.service.kept, &[text.into_bytes()]);
        }
    }
}
