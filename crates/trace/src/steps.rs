//! The course's numbers: which step of the letter or the page a message belongs to.

use alloc::string::{String, ToString};

use crate::exchange::Message;
use crate::facts;
use crate::journey::{Journey, Kind};
use crate::purpose;
use crate::record::Role;
use crate::shown::Shown;

/// The number that a message sent by `from` carries in its journey. `place` is its place in the journey's time order,
/// from 0; it numbers the messages of journeys for which the course has no figure.
///
/// A letter: 1 handing in, 2 names and relaying, 3a asking for mail (and where), 3b the answers. A page: 1a
/// questions and 1b answers about names, 2a request and 2b reply.
pub fn step(journey: &Journey<'_, '_>, shown: &Shown<'_, '_>, from: Role, place: usize) -> String {
    let asks = from == Role::Client;
    let number = match (journey.kind, shown.exchange.protocol()) {
        (Kind::Letter, "pop3" | "imap") if asks => "3a",
        (Kind::Letter, "pop3" | "imap") => "3b",
        (Kind::Letter, _) if is_handing_in(journey, shown) => "1",
        (Kind::Letter | Kind::Collection, "dns") if is_collecting(journey, shown) => "3a",
        (Kind::Letter, _) => "2",
        (Kind::Collection, "pop3" | "imap") if asks => "3a",
        (Kind::Collection, "pop3" | "imap") => "3b",
        (Kind::Page, "dns") if asks => "1a",
        (Kind::Page, "dns") => "1b",
        (Kind::Page, "http") if asks => "2a",
        (Kind::Page, "http") => "2b",
        _ => return (place + 1).to_string(),
    };
    String::from(number)
}

/// The submission itself, and what the sender's own program asked before it; not what the server
/// remembered from an earlier letter when it passed this one on.
fn is_handing_in(journey: &Journey<'_, '_>, shown: &Shown<'_, '_>) -> bool {
    let root = journey.root().exchange;
    core::ptr::eq(shown.exchange, root)
        || (shown.exchange.protocol() == "dns"
            && shown.exchange.end_us <= root.start_us
            && !purpose::is_for_relaying(&journey.selection, shown, root))
}

/// What the recipient's program asked before it looked for mail.
fn is_collecting(journey: &Journey<'_, '_>, shown: &Shown<'_, '_>) -> bool {
    purpose::collection(&journey.selection, shown).is_some()
}

/// Whether a message belongs in the short account: what moves the letter, the question about mail
/// and its answer, all of names and pages; not greetings and courtesies.
pub fn is_essential(shown: &Shown<'_, '_>, message: &Message<'_>) -> bool {
    match shown.exchange.protocol() {
        "smtp" => match message.from {
            Role::Client => !matches!(
                message.verb,
                "EHLO" | "HELO" | "QUIT" | "NOOP" | "RSET" | "LHLO"
            ),
            Role::Server => facts::is_refusal(message) || answers_text(shown, message),
        },
        "pop3" => match message.from {
            Role::Client => matches!(message.verb, "STAT" | "LIST" | "UIDL" | "RETR" | "DELE"),
            Role::Server => facts::is_refusal(message) || answers_essential(shown, message),
        },
        _ => true,
    }
}

/// The reply to the letter's text: the next one behind the 354, or behind a chunk.
fn answers_text(shown: &Shown<'_, '_>, message: &Message<'_>) -> bool {
    let is_before = |other: &&Message<'_>| other.number < message.number;
    let mut before = shown.messages.iter().rev().filter(is_before);
    let is_reply =
        |other: &&Message<'_>| other.from == Role::Server && other.verb != facts::MORE_LINES;
    let reply_before = before.clone().find(is_reply);
    is_reply(&message)
        && (reply_before.is_some_and(|reply| reply.verb == "354")
            || before.next().is_some_and(|earlier| earlier.verb == "BDAT"))
}

/// What comes right behind a command of the short account, or continues such an answer.
fn answers_essential(shown: &Shown<'_, '_>, message: &Message<'_>) -> bool {
    let mut before = shown
        .messages
        .iter()
        .rev()
        .filter(|other| other.number < message.number);
    before
        .find(|earlier| earlier.from == Role::Client)
        .is_some_and(|command| is_essential(shown, command))
}
