//! Decides whether an operation may be, and makes its event: numbers and ids are given here, from
//! the view as it stands after everything before in the same group.

use guichet_trace::WallTime;
use rusqlite::{Connection, OptionalExtension, params};

use super::signed;
use crate::body::{OwnedFile, SealedContent};
use crate::error::StoreError;
use crate::event::{Attempted, Event, Local, Message, Remote};
use crate::lease::Lease;
use crate::operation::{Operation, SealedMessage};
use crate::types::{Outcome, QueueId, Recipient};

/// A message with its ids, the body for the frame, and the file if the body has one.
type Numbered = (Message, Vec<u8>, Option<OwnedFile>);

/// An event, and what goes with its frame.
pub(crate) struct Chosen {
    pub event: Event,
    /// The body behind the metadata; empty if there is none or it has a file.
    pub body: Vec<u8>,
    /// The body's file, if it has one.
    pub file: Option<OwnedFile>,
    /// Ends when the event is done.
    pub lease: Option<Lease>,
}

impl From<Event> for Chosen {
    fn from(event: Event) -> Self {
        Self {
            event,
            body: Vec::new(),
            file: None,
            lease: None,
        }
    }
}

/// Decides one operation; `Ok(None)` if there is nothing to record.
pub(crate) fn choose(
    connection: &Connection,
    at: WallTime,
    operation: Operation,
) -> Result<Option<Chosen>, StoreError> {
    let choice = Choice { connection, at };
    let event = match operation {
        Operation::AddAccount {
            login,
            password_hash,
        } => choice.add_account(login, password_hash)?,
        Operation::SetPassword {
            login,
            password_hash,
        } => {
            choice.account(&login)?;
            Event::PasswordSet {
                login,
                password_hash,
            }
        }
        Operation::Suspend { login, suspended } => {
            choice.account(&login)?;
            Event::AccountSuspended { login, suspended }
        }
        Operation::RemoveAccount { login } => {
            choice.account(&login)?;
            Event::AccountRemoved { login }
        }
        Operation::AddAlias { address, targets } => choice.add_alias(address, targets)?,
        Operation::RemoveAlias { address } => match choice.has_alias(&address)? {
            true => Event::AliasRemoved { address },
            false => return Err(StoreError::NoSuchAlias(address)),
        },
        Operation::Accept(message) => return choice.accept(message).map(Some),
        Operation::Attempted {
            lease,
            outcomes,
            exchange,
            report,
        } => {
            let mut chosen = choice.attempted(&lease, outcomes, exchange, report)?;
            chosen.lease = Some(lease);
            return Ok(Some(chosen));
        }
        Operation::Hold { queue_id, held } => {
            choice.waiting(queue_id)?;
            Event::Held { queue_id, held }
        }
        Operation::RetryNow { queue_id } => {
            choice.waiting(queue_id)?;
            Event::RetryAt { queue_id, due: at }
        }
        Operation::RemoveQueued { queue_id, words } => {
            choice.waiting(queue_id)?;
            Event::QueueRemoved { queue_id, words }
        }
        Operation::Delete { login, uids } => choice.delete(login, uids)?,
        Operation::Purge { ended_before } => Event::Purged { ended_before },
        Operation::Rebuild | Operation::Flush => return Ok(None),
    };
    Ok(Some(event.into()))
}

struct Choice<'a> {
    connection: &'a Connection,
    at: WallTime,
}

impl Choice<'_> {
    fn add_account(&self, login: String, password_hash: String) -> Result<Event, StoreError> {
        if self.account(&login).is_ok() {
            return Err(StoreError::AccountExists(login));
        }
        let last: Option<u32> = self
            .connection
            .query_row(
                "SELECT value FROM counter WHERE name = 'uid_validity'",
                [],
                |row| row.get(0),
            )
            .optional()?;
        // RFC 3501 section 2.3.1.1 advises the time; an account made again must get a higher one.
        let now_s = u32::try_from(self.at.0 / 1_000_000).unwrap_or(u32::MAX);
        let uid_validity = now_s.max(last.unwrap_or(0).saturating_add(1));
        Ok(Event::AccountAdded {
            login,
            password_hash,
            uid_validity,
        })
    }

    fn add_alias(&self, address: String, targets: Vec<String>) -> Result<Event, StoreError> {
        if targets.is_empty() {
            return Err(StoreError::NoTargets(address));
        }
        if self.has_alias(&address)? {
            return Err(StoreError::AliasExists(address));
        }
        Ok(Event::AliasAdded { address, targets })
    }

    fn accept(&self, message: SealedMessage) -> Result<Chosen, StoreError> {
        if message.recipients.is_empty() {
            return Err(StoreError::NoRecipients);
        }
        let (message, body, file) = self.message(message)?;
        Ok(Chosen {
            event: Event::Accepted(message),
            body,
            file,
            lease: None,
        })
    }

    /// Gives a message its ids and numbers.
    fn message(&self, sealed: SealedMessage) -> Result<Numbered, StoreError> {
        let SealedMessage {
            sender,
            recipients,
            body,
            message_id,
            origin,
        } = sealed;
        let mut local: Vec<Local> = Vec::new();
        let mut remote: Vec<Remote> = Vec::new();
        for recipient in recipients {
            match recipient {
                Recipient::Local { account, original } => {
                    match local.iter_mut().find(|local| local.account == account) {
                        Some(known) => known.originals.push(original),
                        None => {
                            let uid = self.next_uid(&account)?;
                            local.push(Local {
                                account,
                                originals: vec![original],
                                uid,
                            });
                        }
                    }
                }
                Recipient::Remote { address, original } => {
                    if !remote.iter().any(|known| known.address == address) {
                        remote.push(Remote { address, original });
                    }
                }
            }
        }
        let queue_id = self.free_queue_id()?;
        let (inline, file) = match body.content {
            SealedContent::Inline(bytes) => (bytes, None),
            SealedContent::File(file) => (Vec::new(), Some(file)),
        };
        let message = Message {
            queue_id,
            sender,
            message_id,
            origin,
            body_bytes: body.len_bytes,
            digest: body.digest,
            file: file.as_ref().map(|file| file.name.clone()),
            local,
            remote,
        };
        Ok((message, inline, file))
    }

    fn attempted(
        &self,
        lease: &Lease,
        outcomes: Vec<(String, Outcome)>,
        exchange: Option<guichet_trace::Cause>,
        report: Option<SealedMessage>,
    ) -> Result<Chosen, StoreError> {
        let outcomes = outcomes
            .into_iter()
            .filter(|(address, _)| lease.covers(address))
            .collect();
        let report = report
            .map(|report| self.report(report))
            .transpose()?
            .flatten();
        let (report, body, file) = match report {
            Some((report, body, file)) => (Some(report), body, file),
            None => (None, Vec::new(), None),
        };
        let queue_id = lease.queue_id;
        let event = Event::Attempted(Attempted {
            queue_id,
            outcomes,
            exchange,
            report,
        });
        Ok(Chosen {
            event,
            body,
            file,
            lease: None,
        })
    }

    /// A report whose reader's account has gone must not keep the failure from being recorded.
    fn report(&self, mut report: SealedMessage) -> Result<Option<Numbered>, StoreError> {
        let mut kept = Vec::new();
        for recipient in report.recipients {
            let gone = match &recipient {
                Recipient::Local { account, .. } => match self.account(account) {
                    Err(StoreError::NoSuchAccount(_)) => true,
                    other => other.map(|_| false)?,
                },
                Recipient::Remote { .. } => false,
            };
            if !gone {
                kept.push(recipient);
            }
        }
        report.recipients = kept;
        if report.recipients.is_empty() {
            return Ok(None);
        }
        self.message(report).map(Some)
    }

    fn delete(&self, login: String, uids: Vec<u32>) -> Result<Event, StoreError> {
        let account = self.account(&login)?;
        let mut present = Vec::new();
        let mut query = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM mailbox WHERE account = ?1 AND uid = ?2)",
        )?;
        for uid in uids {
            if !present.contains(&uid)
                && query.query_row(params![account, uid], |row| row.get(0))?
            {
                present.push(uid);
            }
        }
        Ok(Event::Deleted {
            login,
            uids: present,
        })
    }

    fn account(&self, login: &str) -> Result<i64, StoreError> {
        let mut query = self
            .connection
            .prepare_cached("SELECT id FROM account WHERE login = ?1")?;
        let account = query.query_row([login], |row| row.get(0)).optional()?;
        account.ok_or_else(|| StoreError::NoSuchAccount(login.to_owned()))
    }

    fn next_uid(&self, login: &str) -> Result<u32, StoreError> {
        let mut query = self
            .connection
            .prepare_cached("SELECT next_uid FROM account WHERE login = ?1")?;
        let uid = query.query_row([login], |row| row.get(0)).optional()?;
        uid.ok_or_else(|| StoreError::NoSuchAccount(login.to_owned()))
    }

    fn has_alias(&self, address: &str) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM alias WHERE address = ?1)";
        Ok(self
            .connection
            .prepare_cached(query)?
            .query_row([address], |row| row.get(0))?)
    }

    /// Refuses a queue id under which nothing waits.
    fn waiting(&self, queue_id: QueueId) -> Result<(), StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM queue JOIN message ON message.id = queue.message
                     WHERE message.queue_id = ?1 AND queue.state = 0)";
        let mut query = self.connection.prepare_cached(query)?;
        match query.query_row([signed(queue_id.0)], |row| row.get(0))? {
            true => Ok(()),
            false => Err(StoreError::NoSuchQueueEntry(queue_id)),
        }
    }

    fn free_queue_id(&self) -> Result<QueueId, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM message WHERE queue_id = ?1)";
        let mut query = self.connection.prepare_cached(query)?;
        loop {
            let queue_id = QueueId::random()?;
            if !query.query_row([signed(queue_id.0)], |row| row.get(0))? {
                return Ok(queue_id);
            }
        }
    }
}
