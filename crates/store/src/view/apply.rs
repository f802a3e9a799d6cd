//! What each event does to the view: the same for a new operation and for a replayed one.
//!
//! Nothing here asks whether something may be: that was decided before the frame was written.
//! Replay goes on behind damage, so every statement also holds where an earlier event is missing.

use guichet_trace::{Cause, WallTime};
use rusqlite::{Connection, OptionalExtension, params};

use super::signed;
use crate::answer::Answer;
use crate::event::{Attempted, Entry, Event, Message};
use crate::journal::Place;
use crate::types::{FactKind, Outcome, QueueId, QueueState};

/// Applies one frame. Gives back the body files that nothing refers to any more; they may be
/// removed once the change is committed.
pub(crate) fn apply(
    connection: &Connection,
    place: &Place,
    entry: &Entry,
) -> rusqlite::Result<Vec<String>> {
    let mut step = Step {
        connection,
        place,
        at: entry.at,
        facts: 0,
        unused: Vec::new(),
    };
    step.event(&entry.event)?;
    if let Some(key) = entry.key {
        let answer = Answer::of(&entry.event).to_bytes();
        step.execute(
            "INSERT OR IGNORE INTO done VALUES (?1, ?2, ?3)",
            params![key.to_be_bytes(), signed(entry.at.0), answer],
        )?;
    }
    Ok(step.unused)
}

struct Step<'a> {
    connection: &'a Connection,
    place: &'a Place,
    at: WallTime,
    /// How many facts this frame has made.
    facts: i64,
    unused: Vec<String>,
}

impl Step<'_> {
    fn event(&mut self, event: &Event) -> rusqlite::Result<()> {
        match event {
            Event::AccountAdded {
                login,
                password_hash,
                uid_validity,
            } => self.add_account(login, password_hash, *uid_validity),
            Event::PasswordSet {
                login,
                password_hash,
            } => self.execute(
                "UPDATE account SET password_hash = ?2 WHERE login = ?1",
                params![login, password_hash],
            ),
            Event::AccountSuspended { login, suspended } => self.execute(
                "UPDATE account SET suspended = ?2 WHERE login = ?1",
                params![login, suspended],
            ),
            Event::AccountRemoved { login } => self.remove_account(login),
            Event::AliasAdded { address, targets } => {
                (0_i64..).zip(targets).try_for_each(|(place, target)| {
                    self.execute(
                        "INSERT OR REPLACE INTO alias VALUES (?1, ?2, ?3)",
                        params![address, place, target],
                    )
                })
            }
            Event::AliasRemoved { address } => {
                self.execute("DELETE FROM alias WHERE address = ?1", params![address])
            }
            Event::Accepted(message) => self.accept(message),
            Event::Attempted(attempted) => self.attempted(attempted),
            Event::Held { queue_id, held } => self.execute(
                "UPDATE queue SET held = ?2 WHERE state = 0
                 AND message = (SELECT id FROM message WHERE queue_id = ?1)",
                params![signed(queue_id.0), held],
            ),
            Event::RetryAt { queue_id, due } => self.execute(
                "UPDATE queue SET due = ?2 WHERE state = 0
                 AND message = (SELECT id FROM message WHERE queue_id = ?1)",
                params![signed(queue_id.0), signed(due.0)],
            ),
            Event::QueueRemoved { queue_id, words } => self.remove_queued(*queue_id, words),
            Event::Deleted { login, uids } => self.delete(login, uids),
            Event::Purged { ended_before } => self.purge(*ended_before),
        }
    }

    fn add_account(&self, login: &str, hash: &str, uid_validity: u32) -> rusqlite::Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO account VALUES (?1, ?2, ?3, 0, ?4, ?5, 1)",
            params![
                signed(self.place.sequence),
                login,
                hash,
                signed(self.at.0),
                uid_validity
            ],
        )?;
        self.execute(
            "INSERT INTO counter VALUES ('uid_validity', ?1)
             ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            params![uid_validity],
        )
    }

    fn remove_account(&mut self, login: &str) -> rusqlite::Result<()> {
        let Some(account) = self.account(login)? else {
            return Ok(());
        };
        let messages = self.numbers(
            "SELECT DISTINCT message FROM mailbox WHERE account = ?1",
            account,
        )?;
        self.execute("DELETE FROM mailbox WHERE account = ?1", params![account])?;
        self.execute("DELETE FROM account WHERE id = ?1", params![account])?;
        messages
            .into_iter()
            .try_for_each(|message| self.release(message))
    }

    fn accept(&mut self, message: &Message) -> rusqlite::Result<()> {
        let id = signed(self.place.sequence);
        let ended = message.remote.is_empty().then_some(signed(self.at.0));
        let Cause { exchange, part } = message.origin;
        self.execute(
            "INSERT OR IGNORE INTO message
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0)",
            params![
                id,
                signed(message.queue_id.0),
                message.sender,
                message.message_id,
                signed(exchange.0),
                part,
                signed(self.at.0),
                ended,
                signed(message.body_bytes),
                message.digest,
                signed(self.place.segment),
                signed(self.place.body_offset_bytes),
                message.file,
            ],
        )?;
        let origin = Some(message.origin);
        for local in &message.local {
            for original in &local.originals {
                self.fact(FactKind::Accepted, id, &local.account, original, "", origin)?;
                self.fact(FactKind::Stored, id, &local.account, original, "", origin)?;
            }
            if let Some(account) = self.account(&local.account)? {
                self.execute(
                    "INSERT OR IGNORE INTO mailbox VALUES (?1, ?2, ?3)",
                    params![account, local.uid, id],
                )?;
                self.execute(
                    "UPDATE account SET next_uid = max(next_uid, ?2) WHERE id = ?1",
                    params![account, i64::from(local.uid) + 1],
                )?;
            }
        }
        for remote in &message.remote {
            self.fact(
                FactKind::Accepted,
                id,
                &remote.address,
                &remote.original,
                "",
                origin,
            )?;
            self.execute(
                "INSERT OR IGNORE INTO queue VALUES (?1, ?2, ?3, 0, 0, 0, ?4, '')",
                params![id, remote.address, remote.original, signed(self.at.0)],
            )?;
        }
        self.release(id) // a message whose every account has gone meanwhile
    }

    fn attempted(&mut self, attempted: &Attempted) -> rusqlite::Result<()> {
        if let Some(message) = self.message(attempted.queue_id)? {
            for (address, outcome) in &attempted.outcomes {
                self.outcome(message, address, outcome, attempted.exchange)?;
            }
            self.settle(message)?;
        }
        attempted
            .report
            .as_ref()
            .map_or(Ok(()), |report| self.accept(report))
    }

    fn outcome(
        &mut self,
        message: i64,
        address: &str,
        outcome: &Outcome,
        exchange: Option<Cause>,
    ) -> rusqlite::Result<()> {
        let (kind, state, due, words) = match outcome {
            Outcome::Delivered { words } => {
                (FactKind::Delivered, QueueState::Delivered, None, words)
            }
            Outcome::Deferred { until, words } => (
                FactKind::Deferred,
                QueueState::Waiting,
                Some(signed(until.0)),
                words,
            ),
            Outcome::Failed { words } => (FactKind::Failed, QueueState::Failed, None, words),
        };
        self.execute(
            "UPDATE queue SET state = ?3, due = coalesce(?4, due), words = ?5,
             attempts = attempts + 1 WHERE message = ?1 AND address = ?2 AND state = 0",
            params![message, address, state as i64, due, words],
        )?;
        let original = self.original(message, address)?;
        self.fact(kind, message, address, &original, words, exchange)
    }

    fn remove_queued(&mut self, queue_id: QueueId, words: &str) -> rusqlite::Result<()> {
        let Some(message) = self.message(queue_id)? else {
            return Ok(());
        };
        let waiting: Vec<String> = self
            .connection
            .prepare_cached("SELECT address FROM queue WHERE message = ?1 AND state = 0")?
            .query_map([message], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for address in waiting {
            let original = self.original(message, &address)?;
            self.fact(FactKind::Removed, message, &address, &original, words, None)?;
        }
        self.execute(
            "UPDATE queue SET state = ?2, words = ?3 WHERE message = ?1 AND state = 0",
            params![message, QueueState::Removed as i64, words],
        )?;
        self.settle(message)
    }

    fn delete(&mut self, login: &str, uids: &[u32]) -> rusqlite::Result<()> {
        let Some(account) = self.account(login)? else {
            return Ok(());
        };
        for uid in uids {
            let message = self
                .connection
                .prepare_cached(
                    "DELETE FROM mailbox WHERE account = ?1 AND uid = ?2 RETURNING message",
                )?
                .query_row(params![account, uid], |row| row.get(0))
                .optional()?;
            if let Some(message) = message {
                self.release(message)?;
            }
        }
        Ok(())
    }

    fn purge(&self, ended_before: WallTime) -> rusqlite::Result<()> {
        let before = signed(ended_before.0);
        let old = "(SELECT id FROM message WHERE ended < ?1)";
        self.execute(
            &format!("DELETE FROM fact WHERE message IN {old}"),
            params![before],
        )?;
        self.execute(
            &format!("DELETE FROM queue WHERE message IN {old}"),
            params![before],
        )?;
        self.execute(
            "DELETE FROM message WHERE ended < ?1 AND gone = 1",
            params![before],
        )?;
        self.execute("DELETE FROM done WHERE at < ?1", params![before])
    }

    /// Notes the end of a message for which nothing waits any more.
    fn settle(&mut self, message: i64) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE message SET ended = ?2 WHERE id = ?1 AND ended IS NULL AND NOT EXISTS
             (SELECT 1 FROM queue WHERE message = ?1 AND state = 0)",
            params![message, signed(self.at.0)],
        )?;
        self.release(message)
    }

    /// Lets go of the body if it is neither in a mailbox nor waiting.
    fn release(&mut self, message: i64) -> rusqlite::Result<()> {
        let released: Option<Option<String>> = self
            .connection
            .prepare_cached(
                "UPDATE message SET gone = 1 WHERE id = ?1 AND gone = 0
                 AND NOT EXISTS (SELECT 1 FROM mailbox WHERE message = ?1)
                 AND NOT EXISTS (SELECT 1 FROM queue WHERE message = ?1 AND state = 0)
                 RETURNING file",
            )?
            .query_row([message], |row| row.get(0))
            .optional()?;
        self.unused.extend(released.flatten());
        Ok(())
    }

    fn fact(
        &mut self,
        kind: FactKind,
        message: i64,
        recipient: &str,
        original: &str,
        words: &str,
        exchange: Option<Cause>,
    ) -> rusqlite::Result<()> {
        self.facts += 1;
        self.execute(
            "INSERT OR REPLACE INTO fact VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                signed(self.place.sequence),
                self.facts,
                signed(self.at.0),
                kind as i64,
                message,
                recipient,
                original,
                words,
                exchange.map(|cause| signed(cause.exchange.0)),
                exchange.map(|cause| cause.part),
            ],
        )
    }

    fn original(&self, message: i64, address: &str) -> rusqlite::Result<String> {
        let original = self
            .connection
            .prepare_cached("SELECT original FROM queue WHERE message = ?1 AND address = ?2")?
            .query_row(params![message, address], |row| row.get(0))
            .optional()?;
        Ok(original.unwrap_or_else(|| address.to_owned()))
    }

    fn account(&self, login: &str) -> rusqlite::Result<Option<i64>> {
        let mut query = self
            .connection
            .prepare_cached("SELECT id FROM account WHERE login = ?1")?;
        query.query_row([login], |row| row.get(0)).optional()
    }

    fn message(&self, queue_id: QueueId) -> rusqlite::Result<Option<i64>> {
        let mut query = self
            .connection
            .prepare_cached("SELECT id FROM message WHERE queue_id = ?1")?;
        query
            .query_row([signed(queue_id.0)], |row| row.get(0))
            .optional()
    }

    fn numbers(&self, query: &str, parameter: i64) -> rusqlite::Result<Vec<i64>> {
        let mut query = self.connection.prepare_cached(query)?;
        query.query_map([parameter], |row| row.get(0))?.collect()
    }

    fn execute(&self, statement: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(statement)?
            .execute(parameters)
            .map(|_| ())
    }
}
