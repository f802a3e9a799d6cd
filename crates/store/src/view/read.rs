//! What people and services look up.

use std::collections::HashSet;
use std::sync::Arc;

use guichet_trace::{Cause, ExchangeId, WallTime};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{signed, unsigned};
use crate::body::BodyHandle;
use crate::error::StoreError;
use crate::lease::{Lease, Leases};
use crate::types::{
    Account, Alias, Fact, FactKind, FactQuery, MaildropEntry, QueueId, QueueState, QueuedMessage,
    QueuedRecipient,
};

/// Where a body lies.
pub(crate) enum BodyPlace {
    Segment { number: u64, offset_bytes: u64 },
    File(String),
}

pub(crate) fn accounts(connection: &Connection) -> Result<Vec<Account>, StoreError> {
    let mut query = connection.prepare_cached(
        "SELECT login, password_hash, suspended, created FROM account ORDER BY login",
    )?;
    Ok(query
        .query_map([], account_row)?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn account(connection: &Connection, login: &str) -> Result<Option<Account>, StoreError> {
    let mut query = connection.prepare_cached(
        "SELECT login, password_hash, suspended, created FROM account WHERE login = ?1",
    )?;
    Ok(query.query_row([login], account_row).optional()?)
}

fn account_row(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        login: row.get(0)?,
        password_hash: row.get(1)?,
        suspended: row.get(2)?,
        created: wall(row.get(3)?),
    })
}

pub(crate) fn aliases(
    connection: &Connection,
    address: Option<&str>,
) -> Result<Vec<Alias>, StoreError> {
    let mut query = connection.prepare_cached(
        "SELECT address, target FROM alias WHERE ?1 IS NULL OR address = ?1
         ORDER BY address, place",
    )?;
    let mut aliases: Vec<Alias> = Vec::new();
    let mut rows = query.query([address])?;
    while let Some(row) = rows.next()? {
        let address: String = row.get(0)?;
        let target = row.get(1)?;
        match aliases.last_mut().filter(|last| last.address == address) {
            Some(last) => last.targets.push(target),
            None => aliases.push(Alias {
                address,
                targets: vec![target],
            }),
        }
    }
    Ok(aliases)
}

pub(crate) fn maildrop(
    connection: &Connection,
    login: &str,
) -> Result<Vec<MaildropEntry>, StoreError> {
    if account(connection, login)?.is_none() {
        return Err(StoreError::NoSuchAccount(login.to_owned()));
    }
    let mut query = connection.prepare_cached(
        "SELECT mailbox.uid, account.uid_validity, message.size, message.message_id,
           message.exchange, message.part, message.queue_id, message.accepted, message.id
         FROM account JOIN mailbox ON mailbox.account = account.id
           JOIN message ON message.id = mailbox.message
         WHERE account.login = ?1 ORDER BY mailbox.uid",
    )?;
    let entries = query.query_map([login], |row| {
        let uid = row.get(0)?;
        let uid_validity: u32 = row.get(1)?;
        let size_bytes = unsigned(row.get(2)?);
        Ok(MaildropEntry {
            uid,
            size_octets: size_bytes,
            unique_id: format!("{uid_validity:08x}.{uid}"),
            message_id: row.get(3)?,
            origin: cause(row.get(4)?, row.get(5)?),
            queue_id: QueueId(unsigned(row.get(6)?)),
            arrived: wall(row.get(7)?),
            body: BodyHandle {
                message: row.get(8)?,
                size_bytes,
            },
        })
    })?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn body_place(
    connection: &Connection,
    body: BodyHandle,
) -> Result<Option<BodyPlace>, StoreError> {
    let mut query = connection
        .prepare_cached("SELECT segment, offset, file FROM message WHERE id = ?1 AND gone = 0")?;
    let place = query.query_row([body.message], |row| {
        let file: Option<String> = row.get(2)?;
        Ok(match file {
            Some(name) => BodyPlace::File(name),
            None => BodyPlace::Segment {
                number: unsigned(row.get(0)?),
                offset_bytes: unsigned(row.get(1)?),
            },
        })
    });
    Ok(place.optional()?)
}

/// The names of the body files in use.
pub(crate) fn body_files(connection: &Connection) -> Result<HashSet<String>, StoreError> {
    let mut query = connection
        .prepare_cached("SELECT file FROM message WHERE file IS NOT NULL AND gone = 0")?;
    Ok(query
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

/// A body that should be readable, and the digest it came with.
pub(crate) struct Stored {
    pub handle: BodyHandle,
    pub queue_id: QueueId,
    pub digest: [u8; 32],
}

/// The next `limit` bodies behind message `after`, in the order they came.
pub(crate) fn stored_bodies(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let mut query = connection.prepare_cached(
        "SELECT id, size, queue_id, digest FROM message WHERE id > ?1 AND gone = 0
         ORDER BY id LIMIT ?2",
    )?;
    let bodies = query.query_map(
        params![after, i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| {
            Ok(Stored {
                handle: BodyHandle {
                    message: row.get(0)?,
                    size_bytes: unsigned(row.get(1)?),
                },
                queue_id: QueueId(unsigned(row.get(2)?)),
                digest: row.get(3)?,
            })
        },
    )?;
    Ok(bodies.collect::<rusqlite::Result<_>>()?)
}

/// Messages in the queue: those under `queue_id` (also if nothing waits any more), or all with a
/// recipient still waiting. The oldest first.
pub(crate) fn queue(
    connection: &Connection,
    queue_id: Option<QueueId>,
) -> Result<Vec<QueuedMessage>, StoreError> {
    const COLUMNS: &str = "SELECT message.id, message.queue_id, sender, message_id, exchange, part,
        accepted, size, address, original, state, held, attempts, due, words
        FROM message JOIN queue ON queue.message = message.id";
    let mut messages: Vec<(i64, QueuedMessage)> = Vec::new();
    let mut query = connection.prepare_cached(&match queue_id {
        Some(_) => format!("{COLUMNS} WHERE message.queue_id = ?1 ORDER BY address"),
        None => {
            format!("{COLUMNS} WHERE ended IS NULL AND ?1 IS NULL ORDER BY message.id, address")
        }
    })?;
    let mut rows = query.query([queue_id.map(|queue_id| signed(queue_id.0))])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let recipient = queued_recipient(row, 8)?;
        match messages.last_mut().filter(|(last, _)| *last == id) {
            Some((_, last)) => last.recipients.push(recipient),
            None => messages.push((id, queued_message(row, recipient)?)),
        }
    }
    Ok(messages.into_iter().map(|(_, message)| message).collect())
}

fn queued_message(row: &Row<'_>, recipient: QueuedRecipient) -> rusqlite::Result<QueuedMessage> {
    Ok(QueuedMessage {
        queue_id: QueueId(unsigned(row.get(1)?)),
        sender: row.get(2)?,
        message_id: row.get(3)?,
        origin: cause(row.get(4)?, row.get(5)?),
        accepted: wall(row.get(6)?),
        body: BodyHandle {
            message: row.get(0)?,
            size_bytes: unsigned(row.get(7)?),
        },
        recipients: vec![recipient],
    })
}

fn queued_recipient(row: &Row<'_>, first: usize) -> rusqlite::Result<QueuedRecipient> {
    let state = match row.get(first + 2)? {
        1_i64 => QueueState::Delivered,
        2 => QueueState::Failed,
        3 => QueueState::Removed,
        _ => QueueState::Waiting,
    };
    Ok(QueuedRecipient {
        address: row.get(first)?,
        original: row.get(first + 1)?,
        state,
        held: row.get(first + 3)?,
        attempts: row.get(first + 4)?,
        due: wall(row.get(first + 5)?),
        words: row.get(first + 6)?,
    })
}

/// What a claim gives: some recipients of one message, all in one domain.
#[derive(Debug)]
pub struct Claimed {
    /// The message, with the claimed recipients only.
    pub message: QueuedMessage,
    /// The domain of their addresses, lower case; empty if an address has none.
    pub domain: String,
    /// The right to deliver them.
    pub lease: Lease,
}

/// Leases up to `limit` groups of recipients that are due: one group for each message and domain,
/// so that a slow domain delays only itself. The longest due first.
pub(crate) fn claim(
    connection: &Connection,
    leases: &Arc<Leases>,
    now: WallTime,
    limit: usize,
) -> Result<Vec<Claimed>, StoreError> {
    let mut held = leases.held(); // no lease may end between the look at it and the look at the row
    let snapshot = connection.unchecked_transaction()?; // ends with it; nothing is written
    let connection = &*snapshot;
    let mut due: Vec<(i64, String, Vec<String>)> = Vec::new();
    let mut query = connection.prepare_cached(
        "SELECT message, address FROM queue WHERE state = 0 AND held = 0 AND due <= ?1
         ORDER BY due, message",
    )?;
    let mut rows = query.query([signed(now.0)])?;
    while let Some(row) = rows.next()? {
        let (message, address): (i64, String) = (row.get(0)?, row.get(1)?);
        let copy = (message, address);
        if held.contains(&copy) {
            continue;
        }
        let (message, address) = copy;
        let domain = domain(&address);
        let group = due
            .iter()
            .rposition(|(one, other, _)| *one == message && *other == domain);
        match group {
            Some(group) => due[group].2.push(address),
            None if due.len() == limit => break,
            None => due.push((message, domain, vec![address])),
        }
    }
    due.into_iter()
        .map(|(message, domain, addresses)| {
            let message_now = claimed_message(connection, message, &addresses)?;
            let queue_id = message_now.queue_id;
            let lease = Lease::take(leases, &mut held, message, queue_id, addresses);
            Ok(Claimed {
                message: message_now,
                domain,
                lease,
            })
        })
        .collect()
}

fn claimed_message(
    connection: &Connection,
    message: i64,
    addresses: &[String],
) -> Result<QueuedMessage, StoreError> {
    let mut query = connection.prepare_cached("SELECT queue_id FROM message WHERE id = ?1")?;
    let queue_id = query.query_row([message], |row| row.get(0)).map(unsigned)?;
    let found = queue(connection, Some(QueueId(queue_id)))?.pop();
    let mut found =
        found.ok_or_else(|| StoreError::Damaged("a queue row without message".into()))?;
    found
        .recipients
        .retain(|recipient| addresses.contains(&recipient.address));
    Ok(found)
}

fn domain(address: &str) -> String {
    address
        .rsplit_once('@')
        .map_or("", |(_, domain)| domain)
        .to_ascii_lowercase()
}

/// When the next recipient that nobody is delivering to becomes due.
pub(crate) fn next_due(
    connection: &Connection,
    leases: &Leases,
) -> Result<Option<WallTime>, StoreError> {
    let held = leases.held();
    let mut query = connection.prepare_cached(
        "SELECT message, address, due FROM queue WHERE state = 0 AND held = 0 ORDER BY due",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if !held.contains(&(row.get(0)?, row.get(1)?)) {
            return Ok(Some(wall(row.get(2)?)));
        }
    }
    Ok(None)
}

/// The newest `limit` facts that fit, in the order they happened.
pub(crate) fn facts(
    connection: &Connection,
    which: &FactQuery,
    limit: usize,
) -> Result<Vec<Fact>, StoreError> {
    let (condition, text, number) = match which {
        FactQuery::QueueId(queue_id) => (
            "message.queue_id = ?2 AND ?1 IS NULL",
            None,
            Some(signed(queue_id.0)),
        ),
        FactQuery::MessageId(text) => ("message.message_id = ?1 AND ?2 IS NULL", Some(text), None),
        FactQuery::Sender(text) => ("message.sender = ?1 AND ?2 IS NULL", Some(text), None),
        FactQuery::Recipient(text) => (
            "(fact.recipient = ?1 OR fact.original = ?1) AND ?2 IS NULL",
            Some(text),
            None,
        ),
        FactQuery::All => ("?1 IS NULL AND ?2 IS NULL", None, None),
    };
    let mut query = connection.prepare_cached(&format!(
        "SELECT fact.at, fact.kind, message.queue_id, message.sender, fact.recipient,
           fact.original, message.message_id, fact.words, fact.exchange, fact.part
         FROM fact JOIN message ON message.id = fact.message
         WHERE {condition} ORDER BY fact.sequence DESC, fact.nth DESC LIMIT ?3"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let facts = query.query_map(params![text, number, limit], fact)?;
    let mut facts = facts.collect::<rusqlite::Result<Vec<_>>>()?;
    facts.reverse();
    Ok(facts)
}

fn fact(row: &Row<'_>) -> rusqlite::Result<Fact> {
    let kind = match row.get(1)? {
        0_i64 => FactKind::Accepted,
        1 => FactKind::Stored,
        2 => FactKind::Delivered,
        3 => FactKind::Deferred,
        4 => FactKind::Failed,
        _ => FactKind::Removed,
    };
    let exchange: Option<i64> = row.get(8)?;
    let part: Option<u32> = row.get(9)?;
    Ok(Fact {
        at: wall(row.get(0)?),
        kind,
        queue_id: QueueId(unsigned(row.get(2)?)),
        sender: row.get(3)?,
        recipient: row.get(4)?,
        original: row.get(5)?,
        message_id: row.get(6)?,
        words: row.get(7)?,
        exchange: exchange
            .zip(part)
            .map(|(exchange, part)| cause(exchange, part)),
    })
}

fn wall(value: i64) -> WallTime {
    WallTime(unsigned(value))
}

fn cause(exchange: i64, part: u32) -> Cause {
    Cause {
        exchange: ExchangeId(unsigned(exchange)),
        part,
    }
}
