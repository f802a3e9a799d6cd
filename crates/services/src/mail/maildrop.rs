//! Collecting: one person's messages, as POP3 sees them (RFC 1939).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use guichet_proto::pop3::ask::{Answer, Ask, Entry};
use guichet_proto::session::SourceId;
use guichet_proto::{Pulled, Reply, Service};
use guichet_store::{Body, Change, MaildropEntry, MaildropLock, StoreError};
use tokio::task;

use super::Mail;
use crate::accounts::LogIn;

/// Read at once at most while looking for the end of a TOP.
const LOOK_BYTES: usize = 64 << 10;

/// An open maildrop.
struct Opened {
    login: String,
    _lock: MaildropLock,
    entries: Vec<MaildropEntry>,
}

/// A message being sent.
struct Source {
    body: Arc<Body>,
    at: u64,
    end: u64,
}

/// The decisions for one POP3 connection.
pub struct Maildrop {
    mail: Arc<Mail>,
    /// Set by the answer to a log-in, which comes later.
    opened: Arc<OnceLock<Opened>>,
    sources: HashMap<SourceId, Arc<Mutex<Source>>>,
    next_source: u64,
}

impl Maildrop {
    /// For one connection.
    pub fn new(mail: Arc<Mail>) -> Self {
        Self {
            mail,
            opened: Arc::default(),
            sources: HashMap::new(),
            next_source: 1,
        }
    }

    fn open(&self, login: String, password: String) -> Reply<Answer> {
        let (mail, opened) = (Arc::clone(&self.mail), Arc::clone(&self.opened));
        Reply::later(async move {
            let login = match mail.accounts.log_in(&login, &password).await {
                LogIn::Welcome(login) => login,
                LogIn::Refused => return Answer::WrongLogin,
                LogIn::Unavailable(words) => {
                    tracing::error!(words, "a log-in could not be checked");
                    return Answer::Failed("Log-ins cannot be checked now; try again later".into());
                }
            };
            let Some(lock) = mail.store.lock_maildrop(&login) else {
                return Answer::InUse;
            };
            let entries = match mail.store.maildrop(&login) {
                Ok(entries) => entries,
                Err(error) => return failed(&error),
            };
            let listed = entries.iter().map(|entry| Entry {
                octets: entry.size_octets,
                unique_id: entry.unique_id.clone(),
            });
            let listed = listed.collect();
            match opened.set(Opened {
                login,
                _lock: lock,
                entries,
            }) {
                Ok(()) => Answer::Opened(listed),
                Err(_) => Answer::Failed("This maildrop is open already".into()),
            }
        })
    }

    /// Holds a message ready, up to `lines` lines of its body.
    fn ready(&mut self, number: u32, lines: Option<u32>) -> Answer {
        let Some(entry) = self.entry(number) else {
            return Answer::Failed(format!("There is no message {number}"));
        };
        let (handle, origin) = (entry.body, entry.origin);
        let source = self.mail.store.body(handle).and_then(|body| {
            let end = match lines {
                None => body.size_bytes(),
                Some(lines) => end_of_top(&body, lines)?,
            };
            Ok(Source {
                body: Arc::new(body),
                at: 0,
                end,
            })
        });
        match source {
            Ok(source) => {
                let id = SourceId(self.next_source);
                self.next_source += 1;
                self.sources.clear(); // one message is sent at a time
                self.sources.insert(id, Arc::new(Mutex::new(source)));
                Answer::Ready {
                    source: id,
                    cause: Some(origin),
                }
            }
            Err(error) => failed(&error),
        }
    }

    fn entry(&self, number: u32) -> Option<&MaildropEntry> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.opened.get()?.entries.get(index)
    }

    fn delete(&self, numbers: &[u32]) -> Reply<Answer> {
        let Some(opened) = self.opened.get() else {
            return Reply::Now(Answer::Failed("No maildrop is open".into()));
        };
        let uids: Vec<u32> = numbers
            .iter()
            .filter_map(|&number| self.entry(number))
            .map(|entry| entry.uid)
            .collect();
        if uids.is_empty() {
            return Reply::Now(Answer::Done);
        }
        let change = Change::at(self.mail.clock.wall()); // deleting twice is deleting once
        let deleted = self.mail.store.delete(change, &opened.login, &uids);
        Reply::later(async move {
            match deleted.await {
                Ok(_) => Answer::Done,
                Err(error) => failed(&error),
            }
        })
    }
}

impl Service for Maildrop {
    type Ask = Ask;
    type Answer = Answer;

    fn ask(&mut self, ask: Ask) -> Reply<Answer> {
        match ask {
            Ask::Open { login, password } => self.open(login, password),
            Ask::Retrieve { number } => Reply::Now(self.ready(number, None)),
            Ask::Top { number, lines } => Reply::Now(self.ready(number, Some(lines))),
            Ask::Delete { numbers } => self.delete(&numbers),
        }
    }

    fn pull(&mut self, source: SourceId, most: usize) -> Reply<Pulled> {
        let Some(source) = self.sources.get(&source).map(Arc::clone) else {
            return Reply::Now(Pulled::Failed);
        };
        Reply::later(async move {
            let read = task::spawn_blocking(move || read_on(&source, most)).await;
            read.unwrap_or(Pulled::Failed)
        })
    }
}

fn read_on(source: &Mutex<Source>, most: usize) -> Pulled {
    let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
    let rest = usize::try_from(source.end.saturating_sub(source.at)).unwrap_or(usize::MAX);
    if rest == 0 {
        return Pulled::End;
    }
    match source.body.read(source.at, most.max(1).min(rest)) {
        Ok(bytes) if !bytes.is_empty() => {
            source.at += bytes.len() as u64;
            Pulled::Bytes(bytes)
        }
        Ok(_) => Pulled::Failed,
        Err(error) => {
            tracing::error!(%error, "a message cannot be read");
            Pulled::Failed
        }
    }
}

/// Where the head, the empty line and `lines` lines of the body end (RFC 1939, TOP).
fn end_of_top(body: &Body, lines: u32) -> Result<u64, StoreError> {
    let (mut at, mut line_bytes, mut left) = (0, 0_u64, None);
    loop {
        let piece = body.read(at, LOOK_BYTES)?;
        if piece.is_empty() {
            return Ok(at);
        }
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', &piece).map(|end| end + 1) {
            let line = line_bytes + (end - from) as u64;
            left = match left {
                None if line <= 2 => Some(lines), // the empty line: CR LF
                None => None,
                Some(left) => Some(left - 1),
            };
            if left == Some(0) {
                return Ok(at + end as u64);
            }
            (from, line_bytes) = (end, 0);
        }
        line_bytes += (piece.len() - from) as u64;
        at += piece.len() as u64;
    }
}

fn failed(error: &StoreError) -> Answer {
    tracing::error!(%error, "the store refused");
    Answer::Failed("The mailbox cannot be read or changed now; try again later".into())
}
