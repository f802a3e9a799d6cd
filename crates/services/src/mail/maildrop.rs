//! Collecting: one person's messages, as POP3 sees them (RFC 1939).

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
    id: SourceId,
    body: Body,
    at: u64,
    end: u64,
}

/// The decisions for one POP3 connection.
pub struct Maildrop {
    mail: Arc<Mail>,
    /// Set by the answer to a log-in, which comes later.
    opened: Arc<OnceLock<Opened>>,
    /// The message being sent; one at a time.
    source: Arc<Mutex<Option<Source>>>,
    next_source: u64,
}

impl Maildrop {
    /// For one connection.
    pub fn new(mail: Arc<Mail>) -> Self {
        Self {
            mail,
            opened: Arc::default(),
            source: Arc::default(),
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
            let (store, name) = (mail.store.clone(), login.clone());
            let entries = match off_the_loop(move || store.maildrop(&name)).await {
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
    fn ready(&mut self, number: u32, lines: Option<u32>) -> Reply<Answer> {
        let Some(entry) = self.entry(number) else {
            return Reply::Now(Answer::Failed(format!("There is no message {number}")));
        };
        let (handle, origin) = (entry.body, entry.origin);
        let id = SourceId(self.next_source);
        self.next_source += 1;
        let (store, place) = (self.mail.store.clone(), Arc::clone(&self.source));
        Reply::later(async move {
            let opened = off_the_loop(move || {
                let body = store.body(handle)?;
                let end = match lines {
                    None => body.size_bytes(),
                    Some(lines) => end_of_top(&body, lines)?,
                };
                Ok(Source {
                    id,
                    body,
                    at: 0,
                    end,
                })
            });
            match opened.await {
                Ok(source) => {
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
                    Answer::Ready {
                        source: id,
                        cause: Some(origin),
                    }
                }
                Err(error) => failed(&error),
            }
        })
    }

    fn entry(&self, number: u32) -> Option<&MaildropEntry> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.opened.get()?.entries.get(index)
    }

    /// Deletes, and gives the maildrop back before the client is told.
    fn delete(&mut self, numbers: &[u32]) -> Reply<Answer> {
        let uids: Vec<u32> = numbers
            .iter()
            .filter_map(|&number| self.entry(number))
            .map(|entry| entry.uid)
            .collect();
        let held = std::mem::take(&mut self.opened);
        let Some(opened) = held.get() else {
            return Reply::Now(Answer::Failed("No maildrop is open".into()));
        };
        if uids.is_empty() {
            return Reply::Now(Answer::Done);
        }
        let change = Change::at(self.mail.clock.wall()); // deleting twice is deleting once
        let deleted = self.mail.store.delete(change, &opened.login, &uids);
        Reply::later(async move {
            let deleted = deleted.await;
            drop(held);
            match deleted {
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
            Ask::Retrieve { number } => self.ready(number, None),
            Ask::Top { number, lines } => self.ready(number, Some(lines)),
            Ask::Delete { numbers } => self.delete(&numbers),
        }
    }

    fn pull(&mut self, source: SourceId, most: usize) -> Reply<Pulled> {
        let place = Arc::clone(&self.source);
        Reply::later(async move {
            let read = off_the_loop(move || {
                let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
                match place.as_mut().filter(|current| current.id == source) {
                    Some(current) => current.read_on(most),
                    None => Ok(Pulled::Failed),
                }
            });
            read.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a message cannot be read");
                Pulled::Failed
            })
        })
    }
}

impl Source {
    fn read_on(&mut self, most: usize) -> Result<Pulled, StoreError> {
        let rest = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if rest == 0 {
            return Ok(Pulled::End);
        }
        let bytes = self.body.read(self.at, most.max(1).min(rest))?;
        self.at += bytes.len() as u64;
        Ok(if bytes.is_empty() {
            Pulled::Failed
        } else {
            Pulled::Bytes(bytes)
        })
    }
}

/// Runs what waits for the disk where it holds nobody else up.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StoreError::Io(error.to_string())))
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
