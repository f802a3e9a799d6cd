//! Journeys and exports in the forms people and programs read. Each file is one form, and each
//! shows exactly the messages of the journey or selection it is given.

pub mod diagram;
pub mod dialogue;
pub mod json;
pub mod list;
pub mod mermaid;
mod packets;
pub mod pcapng;
mod said;
pub mod story;

pub use said::reason;
pub(crate) use said::said;

use alloc::string::String;

use crate::exchange::Message;
use crate::shown::Shown;
use crate::text::visible;
use crate::words::Words;

/// A message's text in one line fit for a terminal; the verb where there is no text.
pub(crate) fn line(message: &Message<'_>) -> String {
    let text = if message.text.is_empty() {
        message.verb
    } else {
        message.text
    };
    let mut joined = String::new();
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            joined.push_str(" / ");
        }
        joined.push_str(&visible(line.trim_end()));
    }
    joined
}

/// A message's line, and that it is only remembered where it is.
pub(crate) fn told(shown: &Shown<'_, '_>, message: &Message<'_>, words: &dyn Words) -> String {
    let mut told = said(shown.exchange, message, words);
    if shown.remembered {
        told.push_str(" (");
        told.push_str(&words.say("trace-remembered", &[]));
        told.push(')');
    }
    told
}

/// How an exchange ended, in words fit for a terminal.
pub(crate) fn end_words(word: &str, text: &str, words: &dyn Words) -> String {
    words.say(
        "trace-ended",
        &[("reason", &reason_words(word, text, words))],
    )
}

/// Why it ended: the word of its ending in the reader's language, and what the system said.
pub(crate) fn reason_words(word: &str, text: &str, words: &dyn Words) -> String {
    let key = match word {
        "reset" => "trace-reason-reset",
        "timeout" => "trace-reason-timeout",
        "stopped" => "trace-reason-stopped",
        "refused" => "trace-reason-refused",
        "unreachable" => "trace-reason-unreachable",
        "silent" => "trace-reason-silent",
        "panic" => "trace-reason-panic",
        "tls" => "trace-reason-tls",
        "cut" => "trace-reason-cut",
        _ if text.is_empty() => return visible(word),
        _ => return reason(text, words),
    };
    let mut said = words.say(key, &[]);
    if !text.is_empty() {
        said.push_str(" (");
        said.push_str(&reason(text, words));
        said.push(')');
    }
    said
}
