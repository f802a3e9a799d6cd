//! The same services behind the real sessions, both sides in one process: what a session asks and
//! what a service answers fit together.

use std::convert::Infallible;
use std::sync::Arc;

use guichet_proto::common::sasl::Credentials;
use guichet_proto::pop3::{self, Collect, Collected};
use guichet_proto::session::{NoTap, SourceId};
use guichet_proto::smtp::{self, Fate, Kind};
use guichet_proto::{Dialogue, Moment, Next, Pulled, Reply, Service, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::outgoing::sud_zone;
use super::world::{World, quick};
use crate::mail::outside::{Later, Letter, MailHost, Relay, RelayOutcome, Verdict};
use crate::mail::{Maildrop, Submission};

const NOW: Moment = Moment(0);

/// Drives one side to its end; the wire holds little, so that pieces are small and output waits.
async fn drive<S, V>(session: S, mut service: V, mut wire: DuplexStream) -> (S, V)
where
    S: Session,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    let mut dialogue = Dialogue::open(session, NOW);
    loop {
        match dialogue.next(NOW, &mut NoTap) {
            Next::Ask(ask) => {
                let answer = now(service.ask(ask)).await;
                dialogue.answer(NOW, answer);
            }
            Next::Piece => {
                now(service.piece(dialogue.piece())).await;
                dialogue.piece_taken(NOW);
            }
            Next::Pull(source) => {
                let pulled = now(service.pull(source, 1000)).await;
                dialogue.pulled(pulled, &mut NoTap);
            }
            Next::Flush | Next::Idle if !dialogue.output().is_empty() => {
                let count = wire.write(dialogue.output()).await.unwrap();
                dialogue.sent(NOW, count);
            }
            Next::Flush | Next::Idle => {
                let mut bytes = [0; 600];
                match wire.read(&mut bytes).await.unwrap() {
                    0 => dialogue.input_ended(),
                    count => dialogue.receive(&bytes[..count]),
                }
            }
            Next::Close(_) => return (dialogue.into_session(), service),
            _ => panic!("neither TLS nor channels here"),
        }
    }
}

async fn now<T>(reply: Reply<T>) -> T {
    match reply {
        Reply::Now(answer) => answer,
        Reply::Later(answer) => answer.await,
    }
}

/// Gives the bytes of one letter.
struct Bytes {
    bytes: Vec<u8>,
    at: usize,
}

impl Service for Bytes {
    type Ask = Infallible;
    type Answer = Infallible;

    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }

    fn pull(&mut self, _: SourceId, most: usize) -> Reply<Pulled> {
        let end = self.bytes.len().min(self.at + most);
        let bytes = self.bytes[self.at..end].to_vec();
        self.at = end;
        Reply::Now(if bytes.is_empty() {
            Pulled::End
        } else {
            Pulled::Bytes(bytes)
        })
    }
}

/// Takes every message.
#[derive(Default)]
struct Basket {
    messages: Vec<String>,
    current: Vec<u8>,
}

impl Service for Basket {
    type Ask = Collect;
    type Answer = Collected;

    fn ask(&mut self, ask: Collect) -> Reply<Collected> {
        Reply::Now(match ask {
            Collect::Begin { .. } => {
                self.current.clear();
                Collected::Take
            }
            Collect::End { .. } => {
                self.messages
                    .push(String::from_utf8(self.current.split_off(0)).unwrap());
                Collected::Kept
            }
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        self.current.extend_from_slice(piece);
        Reply::Now(())
    }
}

fn job(letter: smtp::Letter, login: Option<Credentials>) -> smtp::Job {
    let tls = smtp::TlsPolicy::Never;
    smtp::Job {
        client_name: "mail.nord.test".into(),
        tls,
        login,
        letters: vec![letter],
    }
}

/// A client and a server talk until both are done; gives what became of each recipient.
async fn talk<V>(kind: Kind, service: V, job: smtp::Job, letter: Vec<u8>) -> Vec<Fate>
where
    V: Service<Ask = smtp::Ask, Answer = smtp::Answer> + 'static,
{
    let (near, far) = duplex(512);
    let mut settings = smtp::Settings::new("mail.test", kind);
    settings.auth_in_clear = true;
    let server = tokio::spawn(drive(smtp::Server::new(settings), service, far));
    let bytes = Bytes {
        bytes: letter,
        at: 0,
    };
    let (client, _) = drive(smtp::Client::new(job), bytes, near).await;
    server.await.unwrap();
    client.outcome().letters.remove(0)
}

/// A relay that speaks SMTP to another organisation's reception.
struct Wire(Arc<World>);

impl Relay for Wire {
    fn deliver(&self, _: MailHost, letter: Letter) -> Later<RelayOutcome> {
        let service = self.0.reception();
        Box::pin(async move {
            let size_bytes = letter.body.size_bytes();
            let bytes = letter.body.read(0, usize::MAX).unwrap();
            let recipients = letter.recipients.clone();
            let handed = smtp::Letter {
                sender: letter.sender,
                recipients: letter.recipients,
                source: SourceId(1),
                size_bytes,
                utf8: letter.utf8,
                eight_bit: letter.eight_bit,
                causes: letter.causes,
            };
            let fates = talk(Kind::Reception, service, job(handed, None), bytes).await;
            let verdict = |fate| match fate {
                Fate::Delivered { words } => Verdict::Delivered { words },
                Fate::Deferred { words, .. } => Verdict::Deferred { words },
                Fate::Refused { words, .. } => Verdict::Failed { words },
            };
            let results = recipients
                .into_iter()
                .zip(fates.into_iter().map(verdict))
                .collect();
            RelayOutcome::Answered {
                results,
                exchange: None,
            }
        })
    }
}

fn credentials(login: &str) -> Credentials {
    Credentials {
        login: login.into(),
        password: "lab".into(),
    }
}

async fn submit(nord: &World, recipients: &[&str], letter: &str) -> Vec<Fate> {
    let handed = smtp::Letter {
        sender: "alice@nord.test".into(),
        recipients: recipients
            .iter()
            .map(|recipient| (*recipient).to_owned())
            .collect(),
        source: SourceId(1),
        size_bytes: letter.len() as u64,
        utf8: false,
        eight_bit: false,
        causes: Vec::new(),
    };
    let service = Submission::new(Arc::clone(&nord.mail), nord.peer());
    let job = job(handed, Some(credentials("alice@nord.test")));
    talk(Kind::Submission, service, job, letter.into()).await
}

async fn collect(world: &World, login: &str) -> (Vec<String>, pop3::Outcome) {
    let (near, far) = duplex(512);
    let mut settings = pop3::Settings::new("mail.test");
    settings.auth_in_clear = true;
    let service = Maildrop::new(Arc::clone(&world.mail));
    let server = tokio::spawn(drive(pop3::Server::new(settings), service, far));
    let job = pop3::Job {
        tls: pop3::TlsPolicy::Never,
        login: credentials(login),
        keep: false,
        fetch: pop3::Fetch::All,
    };
    let (client, basket) = drive(pop3::Client::new(job), Basket::default(), near).await;
    server.await.unwrap();
    (basket.messages, client.outcome().clone())
}

#[tokio::test]
async fn the_letter_from_submission_to_collection_in_real_dialogues() {
    let sud = Arc::new(World::new("sud.test", &["bob"]).await);
    let nord = World::new("nord.test", &["alice"]).await;
    let dots = ".\r\n..\r\n.hidden\r\n".repeat(3000);
    let letter = format!("Subject: dots\r\nBcc: x@sud.test\r\n\r\n{dots}");
    let fates = submit(&nord, &["bob@sud.test", "nobody@nord.test"], &letter).await;
    assert!(matches!(&fates[0], Fate::Delivered { .. }), "{fates:?}");
    assert!(
        matches!(&fates[1], Fate::Refused { code: 550, .. }),
        "{fates:?}"
    );
    let store = nord.mail.store.clone();
    let relay = Arc::new(Wire(Arc::clone(&sud)));
    nord.run_queue(sud_zone(), relay, quick(), || {
        store.queue().unwrap().is_empty()
    })
    .await;
    let (messages, outcome) = collect(&sud, "bob@sud.test").await;
    assert_eq!(
        (messages.len(), outcome.count, outcome.deleted),
        (1, 1, true),
        "{outcome:?}"
    );
    assert_eq!(messages[0].len() as u64, outcome.octets);
    let (head, body) = messages[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, dots, "not a dot more or less");
    assert!(
        head.contains("Return-Path: <alice@nord.test>\r\n") && !head.contains("Bcc"),
        "{head}"
    );
    assert_eq!(
        collect(&sud, "bob@sud.test").await.0.len(),
        0,
        "and then there is none"
    );
}

#[tokio::test]
async fn the_report_of_a_refusal_carries_the_other_servers_words() {
    let sud = Arc::new(World::new("sud.test", &["bob"]).await);
    let nord = World::new("nord.test", &["alice"]).await;
    submit(&nord, &["nobody@sud.test"], "Subject: hi\r\n\r\nHello\r\n").await;
    let store = nord.mail.store.clone();
    let relay = Arc::new(Wire(sud));
    nord.run_queue(sud_zone(), relay, quick(), || {
        store.queue().unwrap().is_empty()
    })
    .await;
    let (messages, _) = collect(&nord, "alice@nord.test").await;
    for words in [
        "\r\nStatus: 5.1.1\r\n",
        "Nobody has the address <nobody@sud.test> here",
    ] {
        assert!(messages[0].contains(words), "{words:?} in {}", messages[0]);
    }
}
