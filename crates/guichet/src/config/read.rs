//! A file's text becomes values by declared name, with the line of each; whatever is not declared
//! or does not fit its kind becomes a finding.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Finding;
use super::declare::{Declaration, TABLE, declaration, is_table};
use super::kind::{Value, unknown};
use super::nearest::nearest;
use crate::output::Message;

/// What stands in a file.
pub(super) struct Read {
    /// By full name, with the line.
    pub(super) values: BTreeMap<String, (usize, Value)>,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
}

/// Reads a file's text.
pub(super) fn read(text: &str) -> Read {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        text,
        read: Read {
            values: BTreeMap::new(),
            findings: Vec::new(),
        },
    };
    // What follows a mistake in the writing cannot be trusted, so only the first is told.
    if let Some(error) = errors.first() {
        let at = error.span().map_or(0, |span| span.start);
        let message = Message::new("config-not-toml").with("detail", error.message());
        reader.refuse(at, message);
    } else {
        reader.table("", document.get_ref());
    }
    reader.read
}

/// The names that could have been meant: those of tables, or those of keys.
fn known(tables: bool) -> BTreeSet<String> {
    let names = TABLE.iter().flat_map(Declaration::names);
    if !tables {
        return names.collect();
    }
    let above = |name: &str| Some(name.rsplit_once('.')?.0.to_owned());
    names
        .flat_map(|name| std::iter::successors(above(&name), |name| above(name)))
        .collect()
}

struct Reader<'t> {
    text: &'t str,
    read: Read,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = match prefix {
                "" => key.get_ref().to_string(),
                _ => format!("{prefix}.{}", key.get_ref()),
            };
            self.entry(&name, key.span().start, value);
        }
    }

    fn entry(&mut self, name: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        if let Some(declaration) = declaration(name) {
            self.value(name, declaration, value);
        } else if !is_table(name) {
            let known = known(value.get_ref().is_table());
            self.refuse(at, unknown(name, nearest(name, known)));
        } else if let Some(table) = value.get_ref().as_table() {
            self.table(name, table);
        } else {
            self.refuse(at, Message::new("config-not-a-table").with("key", name));
        }
    }

    fn value(&mut self, name: &str, declaration: &Declaration, value: &Spanned<DeValue<'_>>) {
        match declaration.kind.read(value) {
            Ok(read) => {
                let line = self.line(value.span().start);
                self.read.values.insert(name.to_owned(), (line, read));
            }
            Err((at, what)) => {
                let message = Message::new("config-refused")
                    .with("key", name)
                    .with("what", what);
                self.refuse(at, message);
            }
        }
    }

    fn refuse(&mut self, at: usize, what: Message) {
        let line = self.line(at);
        self.read.findings.push(Finding { line, what });
    }

    fn line(&self, at: usize) -> usize {
        let before = self
            .text
            .as_bytes()
            .get(..at)
            .unwrap_or(self.text.as_bytes());
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }
}
