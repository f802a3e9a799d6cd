//! An organisation in memory, and the world around it in tables.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guichet_proto::session::SourceId;
use guichet_proto::smtp::ask::{Answer, Ask};
use guichet_proto::{Pulled, Reply, Service, pop3};
use guichet_store::{Change, Options, Store};
use guichet_trace::{Cause, ExchangeId, WallTime};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::accounts::{Accounts, Cost, Directory, Domain};
use crate::mail::outside::{
    Clock, Facts, Later, Letter, MailHost, MailHosts, MxHost, MxPlan, Names, NamesError, Relay,
    RelayOutcome, Verdict,
};
use crate::mail::queue::{Queue, Schedule, Settings};
use crate::mail::report::Language;
use crate::mail::{Limits, Mail, Maildrop, Peer, Reception, Submission};

pub const DAY: u64 = 24 * 60 * 60 * 1_000_000;

/// A clock set by hand.
pub struct HandClock(AtomicU64);

impl HandClock {
    pub fn advance(&self, wait: Duration) {
        self.0.fetch_add(wait.as_micros() as u64, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn wall(&self) -> WallTime {
        WallTime(self.0.load(Ordering::SeqCst))
    }
}

/// Every fact, as `word text`.
#[derive(Default)]
pub struct Notebook(Mutex<Vec<(Cause, String)>>);

impl Notebook {
    pub fn all(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(_, text)| text.clone())
            .collect()
    }

    pub fn causes(&self) -> Vec<Cause> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(cause, _)| *cause)
            .collect()
    }
}

impl Facts for Notebook {
    fn note(&self, at: Cause, word: &'static str, text: String) {
        self.0.lock().unwrap().push((at, format!("{word} {text}")));
    }
}

/// An organisation.
pub struct World {
    pub mail: Arc<Mail>,
    pub clock: Arc<HandClock>,
    pub facts: Arc<Notebook>,
    exchanges: AtomicU32,
    pub dir: TempDir,
}

pub fn open_store(dir: &std::path::Path) -> Store {
    Store::open(Options {
        reserve_bytes: 0,
        ..Options::new(dir.join("store"))
    })
    .unwrap()
}

impl World {
    /// `domain` with accounts for `people`, whose password is `lab`.
    pub async fn new(domain: &str, people: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let store = open_store(dir.path());
        Self::over(dir, store, domain, people, Limits::default()).await
    }

    pub async fn over(
        dir: TempDir,
        store: Store,
        domain: &str,
        people: &[&str],
        limits: Limits,
    ) -> Self {
        let clock = Arc::new(HandClock(AtomicU64::new(20_000 * DAY)));
        let facts = Arc::new(Notebook::default());
        let accounts = Accounts::new(store.clone(), Cost::LIGHT, 2).unwrap();
        let own = Domain {
            name: domain.into(),
            catch_all: None,
            language: Language::French,
        };
        let mail = Arc::new(Mail {
            directory: Arc::new(Directory::new(store.clone(), vec![own])),
            accounts: Arc::new(accounts),
            store,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            facts: Arc::clone(&facts) as Arc<dyn Facts>,
            limits,
            host: format!("mail.{domain}"),
        });
        let world = Self {
            mail,
            clock,
            facts,
            exchanges: AtomicU32::new(1),
            dir,
        };
        for person in people {
            world.add(&format!("{person}@{domain}")).await;
        }
        world
    }

    pub async fn add(&self, login: &str) {
        let hash = self.mail.accounts.hash("lab").await.unwrap();
        self.mail
            .store
            .add_account(self.now(), login, &hash)
            .await
            .unwrap();
    }

    pub async fn alias(&self, address: &str, targets: &[&str]) {
        let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
        self.mail
            .store
            .add_alias(self.now(), address, &targets)
            .await
            .unwrap();
    }

    pub fn now(&self) -> Change {
        Change::at(self.mail.clock.wall())
    }

    pub fn peer(&self) -> Peer {
        let count = self.exchanges.fetch_add(1, Ordering::SeqCst);
        Peer {
            exchange: ExchangeId(u64::from(count)),
            address: [127, 0, 0, 9].into(),
            tls: Arc::default(),
        }
    }

    pub fn reception(&self) -> Reception {
        Reception::new(Arc::clone(&self.mail), self.peer())
    }

    pub async fn submission(&self, login: &str) -> Submission {
        let mut service = Submission::new(Arc::clone(&self.mail), self.peer());
        let log_in = Ask::Authenticate {
            login: login.into(),
            password: "lab".into(),
        };
        assert_eq!(ask(&mut service, log_in).await, Answer::Accepted);
        service
    }

    /// Everything in a person's maildrop, in full.
    pub async fn messages(&self, login: &str) -> Vec<String> {
        let mut drop = Maildrop::new(Arc::clone(&self.mail));
        let open = pop3::ask::Ask::Open {
            login: login.into(),
            password: "lab".into(),
        };
        let count = match ask(&mut drop, open).await {
            pop3::ask::Answer::Opened(entries) => entries.len() as u32,
            other => panic!("{other:?}"),
        };
        let mut messages = Vec::new();
        for number in 1..=count {
            let ready = ask(&mut drop, pop3::ask::Ask::Retrieve { number }).await;
            messages.push(pulled(&mut drop, ready, 1000).await);
        }
        messages
    }

    /// Runs the queue until `done` says so, then stops it.
    pub async fn run_queue(
        &self,
        names: impl Names + 'static,
        relay: Arc<dyn Relay>,
        settings: Settings,
        done: impl Fn() -> bool,
    ) {
        let queue = Queue::new(Arc::clone(&self.mail), Arc::new(names), relay, settings);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(queue.run(async move {
            let _ = stopped.await;
        }));
        wait_until(done).await;
        stop.send(()).unwrap();
        running.await.unwrap();
    }
}

pub async fn wait_until(done: impl Fn() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited ten seconds in vain");
}

/// Durations that make a scenario quick; what waits is moved by the hand clock.
pub fn quick() -> Settings {
    let glance = Duration::from_millis(10);
    Settings {
        schedule: Schedule {
            glance,
            ..Schedule::default()
        },
        ..Settings::default()
    }
}

pub async fn ask<S: Service>(service: &mut S, ask: S::Ask) -> S::Answer {
    match service.ask(ask) {
        Reply::Now(answer) => answer,
        Reply::Later(answer) => answer.await,
    }
}

pub async fn pieces<S: Service>(service: &mut S, body: &[u8], piece_bytes: usize) {
    for piece in body.chunks(piece_bytes) {
        if let Reply::Later(ready) = service.piece(piece) {
            ready.await;
        }
    }
}

pub async fn pulled(drop: &mut Maildrop, ready: pop3::ask::Answer, most: usize) -> String {
    let pop3::ask::Answer::Ready { source, .. } = ready else {
        panic!("{ready:?}")
    };
    let mut text = Vec::new();
    loop {
        match pull(drop, source, most).await {
            Pulled::Bytes(bytes) => text.extend_from_slice(&bytes),
            Pulled::End => return String::from_utf8(text).unwrap(),
            Pulled::Failed => panic!("failed"),
        }
    }
}

async fn pull(drop: &mut Maildrop, source: SourceId, most: usize) -> Pulled {
    match drop.pull(source, most) {
        Reply::Now(pulled) => pulled,
        Reply::Later(pulled) => pulled.await,
    }
}

pub fn mail_from(sender: &str) -> Ask {
    Ask::Mail {
        sender: sender.into(),
        client_name: "pc".into(),
        size_bytes: None,
        utf8: false,
        eight_bit: false,
        part: 1,
    }
}

pub fn rcpt(address: &str) -> Ask {
    Ask::Recipient {
        address: address.into(),
    }
}

/// A whole transaction; the answer is the last one, or the first refusal.
pub async fn send<S: Service<Ask = Ask, Answer = Answer>>(
    service: &mut S,
    sender: &str,
    recipients: &[&str],
    body: &str,
) -> Answer {
    let mut asks = vec![mail_from(sender)];
    asks.extend(recipients.iter().map(|recipient| rcpt(recipient)));
    asks.push(Ask::Body);
    for next in asks {
        let answer = ask(service, next).await;
        if answer != Answer::Accepted {
            return answer;
        }
    }
    pieces(service, body.as_bytes(), 100_000).await;
    ask(
        service,
        Ask::Finish {
            bytes: body.len() as u64,
        },
    )
    .await
}

pub fn code(answer: &Answer) -> String {
    match answer {
        Answer::Refused(refusal) => format!("{} {}", refusal.code, refusal.enhanced),
        Answer::Accepted => "accepted".into(),
        Answer::Queued { .. } => "queued".into(),
    }
}

/// MX plans by domain; an unknown domain does not exist.
#[derive(Default)]
pub struct Zones(pub HashMap<String, Result<MxPlan, NamesError>>);

/// The exchange in which the names were asked.
pub const ASKED: Cause = Cause {
    exchange: ExchangeId(53),
    part: 0,
};

impl Zones {
    pub fn with(domain: &str, hosts: &[(u16, &str, u8)]) -> Self {
        let hosts = hosts.iter().map(|(preference, name, last)| MxHost {
            preference: *preference,
            name: (*name).into(),
            addresses: vec![[127, 0, 0, *last].into()],
        });
        let plan = Ok(MxPlan::Hosts(hosts.collect()));
        Self(HashMap::from([(domain.to_owned(), plan)]))
    }
}

impl Names for Zones {
    fn mail_hosts(&self, domain: &str, _: Cause) -> Later<Result<MailHosts, NamesError>> {
        let plan = self
            .0
            .get(domain)
            .cloned()
            .unwrap_or(Ok(MxPlan::NoSuchDomain));
        Box::pin(async move {
            plan.map(|plan| MailHosts {
                plan,
                causes: vec![ASKED],
            })
        })
    }
}

type Script = Box<dyn Fn(&MailHost, &Letter, usize) -> RelayOutcome + Send + Sync>;

/// A relay that answers by a script: host, letter, and how many came before.
pub struct Scripted {
    script: Script,
    pub seen: Mutex<Vec<(MailHost, Letter)>>,
}

impl Scripted {
    pub fn new(
        script: impl Fn(&MailHost, &Letter, usize) -> RelayOutcome + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            seen: Mutex::default(),
        })
    }

    /// What the script says to the first letter, without noting it.
    pub fn answer(&self, host: &MailHost, letter: &Letter) -> RelayOutcome {
        (self.script)(host, letter, 0)
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Relay for Scripted {
    fn deliver(&self, host: MailHost, letter: Letter) -> Later<RelayOutcome> {
        let mut seen = self.seen.lock().unwrap();
        let outcome = (self.script)(&host, &letter, seen.len());
        seen.push((host, letter));
        Box::pin(async move { outcome })
    }
}

/// The same verdict for every recipient.
pub fn all(letter: &Letter, verdict: &Verdict) -> RelayOutcome {
    let results = letter
        .recipients
        .iter()
        .map(|to| (to.clone(), verdict.clone()))
        .collect();
    RelayOutcome::Answered {
        results,
        exchange: None,
    }
}

pub fn delivered() -> Verdict {
    Verdict::Delivered {
        words: "250 2.0.0 ok".into(),
    }
}

pub fn deferred() -> Verdict {
    Verdict::Deferred {
        words: "451 4.7.1 later".into(),
    }
}

pub fn failed() -> Verdict {
    Verdict::Failed {
        words: "550 5.1.1 no such user".into(),
    }
}

/// A relay that speaks to another organisation's reception.
pub struct Bridge(pub Arc<World>);

impl Relay for Bridge {
    fn deliver(&self, _: MailHost, letter: Letter) -> Later<RelayOutcome> {
        let mut service = self.0.reception();
        Box::pin(async move {
            let recipients: Vec<&str> = letter.recipients.iter().map(String::as_str).collect();
            let mut body = Vec::new();
            loop {
                match letter.body.read(body.len() as u64, 777).unwrap() {
                    piece if piece.is_empty() => break,
                    piece => body.extend_from_slice(&piece),
                }
            }
            let body = String::from_utf8(body).unwrap();
            match send(&mut service, &letter.sender, &recipients, &body).await {
                Answer::Queued { id, .. } => all(
                    &letter,
                    &Verdict::Delivered {
                        words: format!("250 2.0.0 {id}"),
                    },
                ),
                Answer::Refused(no) => {
                    let words = format!("{} {} {}", no.code, no.enhanced, no.text);
                    all(&letter, &Verdict::Failed { words })
                }
                Answer::Accepted => panic!("no answer to the body"),
            }
        })
    }
}
