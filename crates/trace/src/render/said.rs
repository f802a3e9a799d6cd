//! What our own sessions wrote into the records, in the reader's language.
//!
//! Records hold one language, so that programs can read them; what people read is put into theirs
//! here. Only the forms that our sessions write are known, each where it can stand (no peer's words
//! are changed); everything else stays as recorded, and so do JSON and exports.

use alloc::string::{String, ToString};

use crate::exchange::{Exchange, Message};
use crate::record::Role;
use crate::render::line;
use crate::text::visible;
use crate::words::Words;

/// A message's text in one line fit for a terminal, in the reader's language where it is ours.
pub(crate) fn said(exchange: &Exchange<'_>, message: &Message<'_>, words: &dyn Words) -> String {
    let recorded = line(message);
    let known = match exchange.protocol() {
        "dns" => name(&recorded, words),
        "http" => page(&recorded, message, words),
        "smtp" | "pop3" | "imap" => mail(&recorded, message, words),
        "echo" => None,
        _ => size(&recorded, words),
    };
    known.unwrap_or(recorded)
}

/// Why something failed, as our own programs note it, fit for a terminal: what the system said in
/// the reader's language, without its number; another server's words as they came.
pub fn reason(text: &str, words: &dyn Words) -> String {
    let text = visible(text);
    // `bob@sud.test: mail.sud.test [127.0.0.3]: port 25 does not answer: Connection refused …`
    let Some((host, refused)) = text.split_once("]: port ") else {
        return system(&text, words);
    };
    let Some((port, why)) = refused.split_once(" does not answer: ") else {
        return system(&text, words);
    };
    let why = system(why, words);
    let silent = words.say("trace-said-port-silent", &[("port", port), ("why", &why)]);
    let mut said = host.to_string();
    said.push_str("]: ");
    said.push_str(&silent);
    said
}

/// An error of the operating system, which ends with its number.
fn system(text: &str, words: &dyn Words) -> String {
    let Some((what, number)) = text.rsplit_once(" (os error ") else {
        return text.to_string();
    };
    if !number.strip_suffix(')').is_some_and(is_number) {
        return text.to_string();
    }
    let key = match what {
        "Connection refused" => "trace-system-refused",
        "Connection reset by peer" => "trace-system-reset",
        "Connection timed out" => "trace-system-timed-out",
        "Broken pipe" => "trace-system-pipe",
        "No route to host" => "trace-system-no-route",
        "Network is unreachable" => "trace-system-no-network",
        _ => return what.to_string(),
    };
    words.say(key, &[])
}

/// The forms of the name service's account; all of it is ours.
fn name(text: &str, words: &dyn Words) -> Option<String> {
    let about = |key: &str, about: &str| Some(words.say(key, &[("about", about)]));
    if let Some(about_whom) = text.strip_prefix("referral: ") {
        return about("trace-said-referral", about_whom);
    }
    if let Some(size) = text.strip_suffix(" bytes that are not a readable DNS message") {
        return Some(words.say("trace-said-unreadable", &[("size", size)]));
    }
    let (behind, key) = [
        (": no such record", "trace-said-no-record"),
        (": no such name", "trace-said-no-name"),
        (" truncated: ask over TCP", "trace-said-truncated"),
        (" without a question", "trace-said-no-question"),
    ]
    .into_iter()
    .find(|(behind, _)| text.ends_with(behind))
    .or_else(|| {
        text.ends_with(" more")
            .then_some((" more", "trace-said-more"))
    })?;
    let before = text.strip_suffix(behind)?;
    if key != "trace-said-more" {
        return about(key, before);
    }
    let (told, count) = before.rsplit_once(", and ")?;
    let args = [("about", told), ("count", count)];
    is_number(count).then(|| words.say(key, &args))
}

/// The forms of the web's account.
fn page(text: &str, message: &Message<'_>, words: &dyn Words) -> Option<String> {
    for (prefix, key) in [
        ("a request that is refused: ", "trace-said-request-refused"),
        ("a reply that is refused: ", "trace-said-reply-refused"),
    ] {
        if let Some(why) = text.strip_prefix(prefix) {
            return Some(words.say(key, &[("why", why)]));
        }
    }
    let key = match text {
        "100 the body may come" => "trace-said-continue",
        "a body that was not wanted" => "trace-said-unwanted-body",
        "a head longer than allowed" => "trace-said-long-head",
        "a line longer than allowed" => "trace-said-long-line",
        "longer than allowed" => "trace-said-too-long",
        "an empty line before a request" => "trace-said-empty-line",
        "the end of the stream" => "trace-said-stream-end",
        _ => return status(text, message, words).or_else(|| size(text, words)),
    };
    Some(words.say(key, &[]))
}

/// `200 text/html 607 bytes`, `200 text/html in pieces`.
fn status(text: &str, message: &Message<'_>, words: &dyn Words) -> Option<String> {
    if message.from != Role::Server || !text.starts_with(message.verb) {
        return None;
    }
    if let Some(head) = text.strip_suffix(" in pieces") {
        return Some(words.say("trace-said-in-pieces", &[("about", head)]));
    }
    let (head, count) = text.strip_suffix(" bytes")?.rsplit_once(' ')?;
    is_number(count).then(|| {
        let mut said = head.to_string();
        said.push(' ');
        said.push_str(&words.say("trace-said-bytes", &[("count", count)]));
        said
    })
}

/// The forms of the mail protocols' accounts. A server's replies are lines of the protocol, whoever
/// wrote them; a letter's size stands for the letter.
fn mail(text: &str, message: &Message<'_>, words: &dyn Words) -> Option<String> {
    let is_reply = message.from == Role::Server && message.verb != "RETR";
    if is_reply {
        return None;
    }
    if let Some(said) = size(text, words) {
        return Some(said);
    }
    let key = match text {
        "(before the greeting)" => "trace-said-before-greeting",
        "(not a command)" => "trace-said-no-command",
        "(too long)" => "trace-said-long",
        "(a secret)" => "trace-said-secret",
        _ => return None,
    };
    Some(words.say(key, &[]))
}

/// `382 bytes`, `382 octets` and nothing else.
fn size(text: &str, words: &dyn Words) -> Option<String> {
    let count = text
        .strip_suffix(" bytes")
        .or_else(|| text.strip_suffix(" octets"))?;
    is_number(count).then(|| words.say("trace-said-bytes", &[("count", count)]))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
