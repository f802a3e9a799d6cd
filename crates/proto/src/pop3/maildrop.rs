//! The maildrop as a session sees it: as it was when it was opened, and what has been marked since
//! (RFC 1939 section 5). What it really holds, its service knows.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::ask::Entry;
use crate::common::words::push_plain;

/// The messages, numbered from 1.
#[derive(Debug, Default)]
pub(super) struct Maildrop {
    messages: Vec<Held>,
}

/// A message.
#[derive(Debug)]
pub(super) struct Held {
    pub entry: Entry,
    /// Marked by DELE.
    pub deleted: bool,
    /// The part of its latest retrieval; 0 if it was not retrieved.
    pub part: u32,
}

impl Maildrop {
    pub fn new(entries: Vec<Entry>) -> Self {
        let held = |entry| Held {
            entry,
            deleted: false,
            part: 0,
        };
        Self {
            messages: entries.into_iter().map(held).collect(),
        }
    }

    /// How many messages there are that are not marked, and their size in octets.
    pub fn total(&self) -> (usize, u64) {
        let kept = self.messages.iter().filter(|held| !held.deleted);
        kept.fold((0, 0), |(count, octets), held| {
            (count + 1, octets + held.entry.octets)
        })
    }

    /// The reply to LIST or UIDL without a number, to its final dot.
    pub fn list(&self, show: impl Fn(&Held) -> String) -> String {
        let (count, octets) = self.total();
        let mut text = format!("+OK {} ({octets} octets)\r\n", messages(count));
        for (index, held) in self.messages.iter().enumerate() {
            if !held.deleted {
                text.push_str(&format!("{} ", index + 1));
                push_plain(&mut text, &show(held), 70);
                text.push_str("\r\n");
            }
        }
        text.push_str(".\r\n");
        text
    }

    /// The message with this number, if it is there and not marked; otherwise the words that say
    /// what is wrong.
    pub fn find(&mut self, number: &str) -> Result<(u32, &mut Held), String> {
        let count = self.messages.len();
        let number = digits(number.trim_matches(' ')).ok_or("a message number is expected")?;
        match self.messages.get_mut((number as usize).wrapping_sub(1)) {
            None => Err(format!("there is no message {number}, only {count}")),
            Some(held) if held.deleted => Err(format!("message {number} is marked for deletion")),
            Some(held) => Ok((number, held)),
        }
    }

    /// The numbers of what is marked.
    pub fn marked(&self) -> Vec<u32> {
        let marked = (1..).zip(&self.messages).filter(|(_, held)| held.deleted);
        marked.map(|(number, _)| number).collect()
    }

    /// RSET.
    pub fn unmark(&mut self) {
        for held in &mut self.messages {
            held.deleted = false;
        }
    }
}

/// Reads a number that has no sign.
pub(super) fn digits(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// So many, in words.
pub(super) fn messages(count: usize) -> String {
    match count {
        0 => "no mail".into(),
        1 => "1 message".into(),
        _ => format!("{count} messages"),
    }
}
