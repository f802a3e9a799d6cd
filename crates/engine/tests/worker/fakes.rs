//! The services behind the watcher: a post that takes mail for bob@sud.test, a maildrop with one
//! letter; and the rules by which a watcher knows a worker that has been taken over.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use guichet_proto::{Pulled, Reply, Service, SourceId, pop3, smtp};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// What a watcher asks of a service before it lets a worker's word reach it. An honest session
/// never breaks these rules; so who breaks them is no session any more.
pub trait Guarded: Service {
    /// Why this cannot be asked now.
    fn objection(&self, ask: &Self::Ask) -> Option<&'static str>;
    /// Why no piece of a body can come now.
    fn objection_to_piece(&self) -> Option<&'static str> {
        Some("a body where none is due")
    }
    /// Why this source cannot be pulled.
    fn objection_to_pull(&self, source: SourceId) -> Option<&'static str> {
        let _ = source;
        Some("a source that was not lent")
    }
}

pub fn smtp_session(logs_in: bool) -> smtp::server::Server {
    use smtp::server::{Kind, Server, Settings};
    let kind = if logs_in {
        Kind::Submission
    } else {
        Kind::Reception
    };
    let mut settings = Settings::new("mail.sud.test", kind);
    settings.auth_in_clear = true;
    Server::new(settings)
}

pub fn pop3_session() -> pop3::server::Server {
    let mut settings = pop3::server::Settings::new("mail.sud.test");
    settings.auth_in_clear = true;
    pop3::server::Server::new(settings)
}

/// Echo asks nothing, in the worker and over the channel.
pub struct Nothing;
#[derive(Serialize, Deserialize)]
pub enum NoAsk {}

impl Service for Nothing {
    type Ask = Infallible;
    type Answer = Infallible;
    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }
}

pub struct NothingRemote;

impl Service for NothingRemote {
    type Ask = NoAsk;
    type Answer = NoAsk;
    fn ask(&mut self, ask: NoAsk) -> Reply<NoAsk> {
        match ask {}
    }
}

impl Guarded for NothingRemote {
    fn objection(&self, ask: &NoAsk) -> Option<&'static str> {
        match *ask {}
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub from: Option<String>,
    pub to: Vec<String>,
    pub bytes: u64,
    pub sum: u64,
}

/// What became of the letters.
#[derive(Debug, Default)]
pub struct Shelf {
    pub queued: Vec<Letter>,
    /// Bytes of bodies taken so far.
    pub taken_bytes: usize,
    /// Bodies begun and thrown away.
    pub discarded: usize,
}

pub fn sum_of(sum: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(sum, |sum, &byte| sum.rotate_left(5) ^ u64::from(byte))
}

/// Takes mail for bob@sud.test. It alone knows who has logged in.
pub struct Post {
    pub shelf: Arc<Mutex<Shelf>>,
    logs_in: bool,
    principal: Option<String>,
    letter: Option<Letter>,
    receiving: bool,
}

impl Post {
    pub fn new(shelf: &Arc<Mutex<Shelf>>, logs_in: bool) -> Self {
        Self {
            shelf: shelf.clone(),
            logs_in,
            principal: None,
            letter: None,
            receiving: false,
        }
    }

    fn discard(&mut self) {
        self.letter = None;
        if std::mem::take(&mut self.receiving) {
            self.shelf.lock().unwrap().discarded += 1;
        }
    }

    fn authenticate(&mut self, login: String, password: &str) -> smtp::ask::Answer {
        if password != "cheese" {
            return refused(535, "5.7.8", "wrong name or password");
        }
        self.principal = Some(login);
        smtp::ask::Answer::Accepted
    }

    /// On another thread, as a disk would: the answer comes later.
    fn finish(&mut self) -> Reply<smtp::ask::Answer> {
        self.receiving = false;
        let letter = self.letter.take();
        let (shelf, (done, queued)) = (self.shelf.clone(), oneshot::channel());
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            let mut shelf = shelf.lock().unwrap();
            shelf.queued.extend(letter);
            let _ = done.send(format!("letter-{}", shelf.queued.len()));
        });
        Reply::later(async {
            smtp::ask::Answer::Queued {
                id: queued.await.unwrap(),
                message_id: String::new(),
            }
        })
    }
}

fn refused(code: u16, enhanced: &str, text: &str) -> smtp::ask::Answer {
    smtp::ask::Answer::Refused(smtp::ask::Refusal::new(code, enhanced, text))
}

impl Drop for Post {
    fn drop(&mut self) {
        self.discard();
    }
}

impl Service for Post {
    type Ask = smtp::ask::Ask;
    type Answer = smtp::ask::Answer;

    fn ask(&mut self, ask: smtp::ask::Ask) -> Reply<smtp::ask::Answer> {
        use smtp::ask::{Answer, Ask};
        Reply::Now(match ask {
            Ask::Authenticate { login, password } => self.authenticate(login, &password),
            Ask::Mail { .. } => {
                self.letter = Some(Letter {
                    from: self.principal.clone(),
                    to: Vec::new(),
                    bytes: 0,
                    sum: 0,
                });
                Answer::Accepted
            }
            Ask::Recipient { address } if address != "bob@sud.test" => {
                refused(550, "5.1.1", "nobody of that name here")
            }
            Ask::Recipient { address } => {
                self.letter
                    .iter_mut()
                    .for_each(|l| l.to.push(address.clone()));
                Answer::Accepted
            }
            Ask::Body => {
                self.receiving = true;
                Answer::Accepted
            }
            Ask::Finish { .. } => return self.finish(),
            Ask::Reset => {
                self.discard();
                Answer::Accepted
            }
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        if let Some(letter) = &mut self.letter {
            letter.bytes += piece.len() as u64;
            letter.sum = sum_of(letter.sum, piece);
            self.shelf.lock().unwrap().taken_bytes += piece.len();
        }
        Reply::Now(())
    }
}

impl Guarded for Post {
    fn objection(&self, ask: &smtp::ask::Ask) -> Option<&'static str> {
        use smtp::ask::Ask;
        let (bytes, has_recipient) = self
            .letter
            .as_ref()
            .map_or((0, false), |letter| (letter.bytes, !letter.to.is_empty()));
        match ask {
            Ask::Authenticate { .. } => {
                (!self.logs_in || self.principal.is_some()).then_some("a log-in out of order")
            }
            Ask::Mail { .. } if self.logs_in && self.principal.is_none() => {
                Some("mail without a log-in")
            }
            Ask::Mail { .. } => self.letter.is_some().then_some("a letter inside a letter"),
            Ask::Recipient { .. } => {
                (self.letter.is_none() || self.receiving).then_some("a recipient out of order")
            }
            Ask::Body => (self.receiving || !has_recipient).then_some("a body out of order"),
            Ask::Finish { bytes: said } => {
                (!self.receiving || *said != bytes).then_some("an end without its body")
            }
            Ask::Reset => None,
        }
    }

    fn objection_to_piece(&self) -> Option<&'static str> {
        (!self.receiving).then_some("a body where none is due")
    }
}

/// One letter of so many lines for bob.
pub struct Maildrop {
    pub lines: usize,
    lent: bool,
    next: usize,
}

pub const LINE: &[u8] = b"..0123456789012345678901234567890123456789012345678901234567890\r\n";

impl Maildrop {
    pub fn new(lines: usize) -> Self {
        Self {
            lines,
            lent: false,
            next: 0,
        }
    }
}

impl Service for Maildrop {
    type Ask = pop3::ask::Ask;
    type Answer = pop3::ask::Answer;

    fn ask(&mut self, ask: pop3::ask::Ask) -> Reply<pop3::ask::Answer> {
        use pop3::ask::{Answer, Ask, Entry};
        Reply::Now(match ask {
            Ask::Open { .. } => Answer::Opened(vec![Entry {
                octets: (self.lines * LINE.len()) as u64,
                unique_id: "1".into(),
            }]),
            Ask::Retrieve { .. } => {
                self.lent = true;
                Answer::Ready {
                    source: SourceId(1),
                    cause: None,
                }
            }
            _ => Answer::Done,
        })
    }

    fn pull(&mut self, _: SourceId, most: usize) -> Reply<Pulled> {
        let lines = (most / LINE.len()).min(self.lines - self.next);
        self.next += lines;
        Reply::Now(match lines {
            0 => Pulled::End,
            _ => Pulled::Bytes(LINE.repeat(lines)),
        })
    }
}

impl Guarded for Maildrop {
    fn objection(&self, _: &pop3::ask::Ask) -> Option<&'static str> {
        None
    }
    fn objection_to_pull(&self, source: SourceId) -> Option<&'static str> {
        (!self.lent || source != SourceId(1)).then_some("a source that was not lent")
    }
}
