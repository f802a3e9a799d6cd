//! One line for people about any bytes that came or went as a DNS message.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use guichet_trace::Verb;

use crate::outbox::About;

use super::{Class, Message, Opcode, Rcode, Record, Rtype, data_text, first_name};

/// Longest line made, in bytes; what is beyond becomes an ellipsis.
const TEXT_SIZE_MAX: usize = 400;

/// How many records are told before "and n more".
const RECORDS_TOLD_MAX: usize = 6;

/// How a message reads in the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The type asked for in a query, the verdict in an answer, `?` when unreadable.
    pub verb: Verb,
    /// What it says.
    pub text: String,
}

/// Describes any bytes: `www.sud.test A?`, `NOERROR www.sud.test A 127.0.0.3`,
/// `referral: sud.test NS ns1.sud.test (127.0.0.3)`, `NXDOMAIN nix.sud.test`.
pub fn describe(bytes: &[u8]) -> Described {
    let Ok(message) = Message::read(bytes) else {
        return Described {
            verb: Verb::new("?"),
            text: format!("{} bytes that are not a readable DNS message", bytes.len()),
        };
    };
    let (verb, text) = if message.flags.response {
        (message.rcode.to_string(), describe_answer(&message))
    } else {
        describe_query(&message)
    };
    Described {
        verb: Verb::new(&verb),
        text: visible(&text),
    }
}

/// The same for the tap, wherever a message goes by.
pub fn about(bytes: &[u8]) -> About {
    let described = describe(bytes);
    let mut about = About::new(described.verb);
    about.text(described.text);
    about
}

fn describe_query(message: &Message) -> (String, String) {
    let Some(question) = &message.question else {
        return (
            message.opcode.to_string(),
            format!("{} without a question", message.opcode),
        );
    };
    let asked = question_text(message);
    match message.opcode {
        Opcode::QUERY => (question.qtype.to_string(), format!("{asked}?")),
        opcode => (opcode.to_string(), format!("{opcode} {asked}")),
    }
}

fn question_text(message: &Message) -> String {
    match &message.question {
        Some(question) if question.qclass == Class::IN => {
            format!("{} {}", question.name, question.qtype)
        }
        Some(question) => format!("{} {} {}", question.name, question.qclass, question.qtype),
        None => String::new(),
    }
}

fn describe_answer(message: &Message) -> String {
    if message.flags.truncated {
        return format!(
            "{} {} truncated: ask over TCP",
            message.rcode,
            question_text(message)
        );
    }
    if !message.answer.is_empty() {
        return format!("{} {}", message.rcode, records_text(&message.answer));
    }
    let delegation: Vec<&Record> = message
        .authority
        .iter()
        .filter(|record| record.rtype == Rtype::NS)
        .collect();
    if message.rcode == Rcode::NOERROR && !message.flags.authoritative && !delegation.is_empty() {
        return referral_text(&delegation, &message.additional);
    }
    match message.rcode {
        Rcode::NOERROR => format!("NOERROR {}: no such record", question_text(message)),
        Rcode::NXDOMAIN => match &message.question {
            Some(question) => format!("NXDOMAIN {}: no such name", question.name),
            None => "NXDOMAIN".to_string(),
        },
        rcode => format!("{rcode} {}", question_text(message)),
    }
}

/// Consecutive records of one owner and type share their head: `www.sud.test A 1.2.3.4, 1.2.3.5`.
fn records_text(records: &[Record]) -> String {
    let mut text = String::new();
    let mut previous: Option<&Record> = None;
    for record in records.iter().take(RECORDS_TOLD_MAX) {
        let data = undotted(data_text(record.rtype, &record.data));
        text += &match previous {
            Some(before) if before.owner == record.owner && before.rtype == record.rtype => {
                format!(", {data}")
            }
            Some(_) => format!("; {} {} {data}", record.owner, record.rtype),
            None => format!("{} {} {data}", record.owner, record.rtype),
        };
        previous = Some(record);
    }
    if records.len() > RECORDS_TOLD_MAX {
        text += &format!(", and {} more", records.len() - RECORDS_TOLD_MAX);
    }
    text
}

fn referral_text(delegation: &[&Record], glue: &[Record]) -> String {
    let zone = delegation
        .first()
        .map_or_else(String::new, |record| record.owner.to_string());
    let servers: Vec<String> = delegation
        .iter()
        .take(RECORDS_TOLD_MAX)
        .filter_map(|record| first_name(record.rtype, &record.data))
        .map(|server| {
            let addresses: Vec<String> = glue
                .iter()
                .filter(|record| record.owner == server)
                .filter(|record| matches!(record.rtype, Rtype::A | Rtype::AAAA))
                .take(RECORDS_TOLD_MAX)
                .map(|record| data_text(record.rtype, &record.data))
                .collect();
            match addresses.is_empty() {
                true => server.to_string(),
                false => format!("{server} ({})", addresses.join(", ")),
            }
        })
        .collect();
    format!("referral: {zone} NS {}", servers.join(", "))
}

/// Names in record data without the zone file's final dot, as everywhere else in the line.
fn undotted(text: String) -> String {
    match text.strip_suffix('.') {
        Some(short) if !short.is_empty() && !short.ends_with(' ') => short.to_string(),
        _ => text,
    }
}

/// Text that a terminal may be given: control, bidirectional and other invisible characters are
/// written as `\u{…}`, and it ends at 400 bytes.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(TEXT_SIZE_MAX));
    for character in text.chars() {
        if shown.len() >= TEXT_SIZE_MAX {
            shown.push('…');
            break;
        }
        if character.is_control() || is_format_character(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Characters that change how their neighbours are drawn.
fn is_format_character(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}
