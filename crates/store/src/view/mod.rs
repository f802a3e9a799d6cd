//! The view: a SQLite file (`index.db`) in which what the journal says can be looked up. It holds
//! nothing that replay would not bring back, and can be deleted at any time while the store is
//! closed.
//!
//! All SQL of the project is in this folder.

pub(crate) mod apply;
pub(crate) mod choose;
pub(crate) mod read;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::error::StoreError;
use crate::journal::Position;
use crate::locked;

/// The layout of the tables below; another number means that the view is made anew.
const LAYOUT: i32 = 1;
/// Earlier versions may corrupt a database when a write-ahead log is reset while another
/// connection writes.
const LEAST_SQLITE: i32 = 3_051_003;
/// Connections kept for readers; more are opened under load and closed again.
const IDLE_READERS: usize = 4;

const TABLES: &str = "
CREATE TABLE applied (
  one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER, segment INTEGER, offset INTEGER);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE account (
  id INTEGER PRIMARY KEY, login TEXT UNIQUE, password_hash TEXT, suspended INTEGER,
  created INTEGER, uid_validity INTEGER, next_uid INTEGER);
CREATE TABLE alias (
  address TEXT, place INTEGER, target TEXT, PRIMARY KEY (address, place)) WITHOUT ROWID;
CREATE TABLE message (
  id INTEGER PRIMARY KEY, queue_id INTEGER UNIQUE, sender TEXT COLLATE NOCASE, message_id TEXT,
  exchange INTEGER, part INTEGER, accepted INTEGER, ended INTEGER, size INTEGER, digest BLOB,
  segment INTEGER, offset INTEGER, file TEXT, gone INTEGER);
CREATE INDEX message_by_message_id ON message (message_id);
CREATE INDEX message_by_sender ON message (sender);
CREATE INDEX message_by_end ON message (ended);
CREATE TABLE mailbox (
  account INTEGER, uid INTEGER, message INTEGER, PRIMARY KEY (account, uid)) WITHOUT ROWID;
CREATE INDEX mailbox_by_message ON mailbox (message);
CREATE TABLE queue (
  message INTEGER, address TEXT, original TEXT, state INTEGER, held INTEGER, attempts INTEGER,
  due INTEGER, words TEXT, PRIMARY KEY (message, address)) WITHOUT ROWID;
CREATE INDEX queue_by_due ON queue (due) WHERE state = 0 AND held = 0;
CREATE TABLE fact (
  sequence INTEGER, nth INTEGER, at INTEGER, kind INTEGER, message INTEGER,
  recipient TEXT COLLATE NOCASE, original TEXT COLLATE NOCASE, words TEXT,
  exchange INTEGER, part INTEGER, PRIMARY KEY (sequence, nth)) WITHOUT ROWID;
CREATE INDEX fact_by_message ON fact (message);
CREATE INDEX fact_by_recipient ON fact (recipient);
CREATE INDEX fact_by_original ON fact (original);
CREATE TABLE done (key BLOB PRIMARY KEY, at INTEGER, answer BLOB) WITHOUT ROWID;
INSERT INTO applied VALUES (1, 0, 0, 0);
";

/// Every table that replay fills.
const NAMES: [&str; 9] = [
    "applied", "counter", "account", "alias", "message", "mailbox", "queue", "fact", "done",
];

/// The writer's connection. There is one, and the committer has it.
pub(crate) struct Writer {
    connection: Connection,
}

impl Writer {
    /// Opens the view, or makes it (anew, where it cannot be used as it is: the words say why).
    pub fn open(path: &Path) -> Result<(Self, Option<String>), StoreError> {
        if rusqlite::version_number() < LEAST_SQLITE {
            return Err(StoreError::Io(format!(
                "SQLite {} is too old",
                rusqlite::version()
            )));
        }
        let existed = path.exists();
        match Self::open_existing(path) {
            Ok(Some(writer)) => Ok((writer, None)),
            Ok(None) => {
                let reason = existed.then(|| "it had another layout".to_owned());
                Ok((Self::create(path)?, reason))
            }
            Err(error) if unusable(&error) => Ok((Self::create(path)?, Some(error.to_string()))),
            Err(error) => Err(error.into()),
        }
    }

    fn open_existing(path: &Path) -> rusqlite::Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = connect(path)?;
        let layout: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let writer = Self { connection };
        if layout != LAYOUT {
            return Ok(None);
        }
        writer.position()?;
        Ok(Some(writer))
    }

    fn create(path: &Path) -> Result<Self, StoreError> {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            match fs::remove_file(PathBuf::from(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::io("removing", path, &error));
                }
                _ => {}
            }
        }
        // Made by us first: SQLite gives its other files the same mode.
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        made.map_err(|error| StoreError::io("making", path, &error))?;
        let connection = connect(path)?;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;"
        ))?;
        Ok(Self { connection })
    }

    /// The connection, for [`apply`] and [`choose`].
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub fn begin(&self) -> rusqlite::Result<()> {
        self.run("BEGIN IMMEDIATE")
    }

    pub fn commit(&self) -> rusqlite::Result<()> {
        self.run("COMMIT")
    }

    /// Ends the transaction without effect. SQLite may have done it already (a full disk).
    pub fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.run("ROLLBACK"); // fails only where nothing is left to roll back
        }
    }

    pub fn begin_operation(&self) -> rusqlite::Result<()> {
        self.run("SAVEPOINT operation")
    }

    pub fn end_operation(&self) -> rusqlite::Result<()> {
        self.run("RELEASE operation")
    }

    pub fn undo_operation(&self) -> rusqlite::Result<()> {
        self.run("ROLLBACK TO operation")?;
        self.run("RELEASE operation")
    }

    /// Empties every table, inside a transaction.
    pub fn clear(&self) -> rusqlite::Result<()> {
        for name in NAMES {
            self.connection
                .execute(&format!("DELETE FROM {name}"), [])?;
        }
        self.connection
            .execute("INSERT INTO applied VALUES (1, 0, 0, 0)", [])?;
        Ok(())
    }

    /// Behind which frame the view stands.
    pub fn position(&self) -> rusqlite::Result<Position> {
        let query = "SELECT sequence, segment, offset FROM applied";
        self.connection.query_row(query, [], |row| {
            Ok(Position {
                sequence: unsigned(row.get(0)?),
                segment: unsigned(row.get(1)?),
                offset_bytes: unsigned(row.get(2)?),
            })
        })
    }

    pub fn set_position(&self, position: Position) -> rusqlite::Result<()> {
        let mut update = self
            .connection
            .prepare_cached("UPDATE applied SET sequence = ?1, segment = ?2, offset = ?3")?;
        let Position {
            sequence,
            segment,
            offset_bytes,
        } = position;
        update.execute((signed(sequence), signed(segment), signed(offset_bytes)))?;
        Ok(())
    }

    /// The answer given to an earlier operation with this key.
    pub fn answer_of(&self, key: u128) -> rusqlite::Result<Option<Vec<u8>>> {
        let mut query = self
            .connection
            .prepare_cached("SELECT answer FROM done WHERE key = ?1")?;
        query
            .query_row([key.to_be_bytes()], |row| row.get(0))
            .optional()
    }

    fn run(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(statement)?
            .execute([])
            .map(|_| ())
    }
}

/// Connections for readers, in any thread.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Lends a connection. What is read with one statement is one consistent state.
    pub fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = locked(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => read_only(&self.path)?,
        };
        let result = read(&connection);
        let mut idle = locked(&self.idle);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        result
    }
}

/// Every row of every table, as text: two views are equal if these are.
pub(crate) fn dump(connection: &Connection) -> Result<String, StoreError> {
    let mut text = String::new();
    for name in NAMES {
        let mut query = connection.prepare(&format!("SELECT * FROM {name} ORDER BY 1, 2"))?;
        let columns = query.column_count();
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            text.push_str(name);
            for column in 0..columns {
                let value: rusqlite::types::Value = row.get(column)?;
                text.push_str(&format!(" {value:?}"));
            }
            text.push('\n');
        }
    }
    Ok(text)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL until replay has survived the power cuts that DESIGN section 6 asks for; then NORMAL.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    // Read-only for SQL, but not for the file: a reader of a write-ahead log keeps its place there.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

/// The file is no database, a broken one, or one without our tables.
fn unusable(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error, rusqlite::Error::QueryReturnedNoRows)
        || matches!(
            error.sqlite_error_code(),
            Some(DatabaseCorrupt | NotADatabase)
        )
}

/// SQLite's integers are signed; the bits are what counts.
pub(crate) fn signed(value: u64) -> i64 {
    value.cast_signed()
}

/// The way back from [`signed`].
pub(crate) fn unsigned(value: i64) -> u64 {
    value.cast_unsigned()
}
