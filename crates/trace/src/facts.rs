//! What a journey is called and how it stands, read from its messages and notes.
//!
//! Only what the sessions write for the trace is read (`MAIL FROM:<…>`, reply codes, notes), never
//! the content of letters or pages: at level `envelope` the facts are the same.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::delivery::{self, Stand};
use crate::exchange::{Ending, Message, Note, socket_text};
use crate::journey::{Journey, Kind, State};
use crate::record::Role;
use crate::shown::Shown;

/// Completes title, state, times and ids from the journey's exchanges.
pub(crate) fn fill(journey: &mut Journey<'_, '_>) {
    let (start_us, end_us) = span_us(journey);
    journey.start_us = start_us;
    journey.duration_us = end_us.saturating_sub(start_us);
    journey.title = title(journey);
    journey.collected = journey.kind == Kind::Letter && is_collected(journey);
    let message_id = notes(journey)
        .find(|note| note.word == "message-id")
        .map(|note| note.text);
    journey.message_id = message_id;
    journey.state = state(journey);
}

/// The root's own messages: those of its part, or all where it is the exchange as a whole.
pub(crate) fn root_messages<'j, 'v>(
    journey: &'j Journey<'_, 'v>,
) -> impl Iterator<Item = &'j Message<'v>> {
    let part = journey.root_part;
    journey
        .root()
        .messages
        .iter()
        .filter(move |message| message.part == part)
}

/// All notes that concern the journey.
pub(crate) fn notes<'j, 'v>(journey: &'j Journey<'_, 'v>) -> impl Iterator<Item = &'j Note<'v>> {
    journey.selection.exchanges.iter().flat_map(|shown| {
        shown
            .exchange
            .notes
            .iter()
            .filter(move |note| shown.concerns(note.part))
    })
}

/// Sender of the letter; empty for the null sender `<>`, `None` if no MAIL was seen.
pub(crate) fn sender<'v>(journey: &Journey<'_, 'v>) -> Option<&'v str> {
    root_messages(journey)
        .find(|message| message.verb == "MAIL")
        .map(|mail| address(mail.text))
}

/// Recipients as the client named them.
pub(crate) fn recipients<'v>(journey: &Journey<'_, 'v>) -> Vec<&'v str> {
    let named = root_messages(journey).filter(|message| message.verb == "RCPT");
    named.map(|message| address(message.text)).collect()
}

/// Who logged in at a mail store, as far as it was said in clear words: `USER bob@sud.test`.
pub(crate) fn login<'v>(shown: &Shown<'_, 'v>) -> Option<&'v str> {
    let user = shown.messages.iter().find(|message| {
        message.from == Role::Client && message.verb == "USER" && !message.masked
    })?;
    user.text
        .split(' ')
        .nth(1)
        .filter(|login| !login.is_empty())
}

/// Recipients the server took. Replies come in the order of the commands (RFC 2920 section 3.1).
fn accepted_recipients<'v>(journey: &Journey<'_, 'v>) -> BTreeSet<&'v str> {
    let mut waiting = VecDeque::new();
    let mut accepted = BTreeSet::new();
    for message in root_messages(journey) {
        match message.from {
            Role::Client => waiting.push_back(message),
            Role::Server if message.verb == MORE_LINES => {}
            Role::Server => {
                let command = waiting.pop_front();
                let taken = command.filter(|command| command.verb == "RCPT");
                let taken = taken.filter(|_| message.verb.starts_with('2'));
                accepted.extend(taken.map(|command| address(command.text)));
            }
        }
    }
    accepted
}

/// The verb of a line of a reply that goes on.
pub(crate) const MORE_LINES: &str = "...";

/// What stands between the first `<` and the next `>`.
fn address(text: &str) -> &str {
    let behind = text.split_once('<').map_or("", |(_, behind)| behind);
    behind
        .split_once('>')
        .map_or(behind, |(address, _)| address)
}

fn title(journey: &Journey<'_, '_>) -> String {
    let root = journey.root();
    let exchange = root.exchange;
    let first = root_messages(journey).find(|message| message.from == Role::Client);
    match journey.kind {
        Kind::Letter => letter_title(journey),
        Kind::Page => {
            let text = first.map_or("", |request| request.text);
            let target = text.split_once(' ').map_or("", |(_, target)| target);
            let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
            if target.is_empty() {
                whom(root)
            } else {
                target.to_string()
            }
        }
        Kind::Name => first.map_or_else(
            || whom(root),
            |question| question.text.replace('?', "").to_string(),
        ),
        Kind::Collection => {
            login(root).map_or_else(|| whom(root), |login| format!("{login} ← {}", whom(root)))
        }
        Kind::Dialogue | Kind::Other => {
            format!("{} {}", exchange.protocol(), whom(root))
        }
    }
}

fn letter_title(journey: &Journey<'_, '_>) -> String {
    let from = match sender(journey) {
        None | Some("") => "<>",
        Some(from) => from,
    };
    let to = recipients(journey);
    match to.as_slice() {
        [] => format!("{from} → ?"),
        [one] => format!("{from} → {one}"),
        [one, two] => format!("{from} → {one}, {two}"),
        [one, two, more @ ..] => format!("{from} → {one}, {two} +{}", more.len()),
    }
}

fn whom(shown: &Shown<'_, '_>) -> String {
    let exchange = shown.exchange;
    let names = [exchange.named_host(), exchange.server_organisation()];
    let name = names.into_iter().find(|name| !name.is_empty());
    name.map_or_else(|| socket_text(exchange.server()), ToString::to_string)
}

fn state<'v>(journey: &Journey<'_, 'v>) -> State<'v> {
    let said = match journey.kind {
        Kind::Letter => letter_state(journey),
        Kind::Page => first_reply(journey).map_or(State::Open, |reply| State::Status(reply.verb)),
        Kind::Name => match first_reply(journey).map(|reply| reply.verb) {
            None => State::Open,
            Some(code @ ("NXDOMAIN" | "SERVFAIL" | "REFUSED" | "FORMERR" | "NOTIMP")) => {
                State::Rcode(code)
            }
            Some(_) => State::Answered,
        },
        Kind::Collection => collection_state(journey),
        Kind::Dialogue | Kind::Other => State::Open,
    };
    if said != State::Open {
        return said;
    }
    match journey.root().exchange.ending() {
        Ending::Open => State::Open,
        Ending::Done if matches!(journey.kind, Kind::Letter | Kind::Page | Kind::Name) => {
            State::Failed
        }
        Ending::Done => State::Done,
        Ending::Broken { reason, .. } => State::Broken(reason),
    }
}

fn first_reply<'j, 'v>(journey: &'j Journey<'_, 'v>) -> Option<&'j Message<'v>> {
    root_messages(journey).find(|message| {
        message.from == Role::Server && !(message.verb.len() == 3 && message.verb.starts_with('1'))
    })
}

fn letter_state<'v>(journey: &Journey<'_, 'v>) -> State<'v> {
    let stands = delivery::stands(journey);
    let count = |wanted: Stand| {
        stands
            .values()
            .filter(|(stand, _)| *stand == wanted)
            .count()
    };
    let recipients = accepted_recipients(journey).len().max(1);
    let accepted = accepts_letter(root_messages(journey));
    let queued = notes(journey).any(|note| note.word == "queued");
    if count(Stand::Failed) > 0 {
        State::Failed
    } else if count(Stand::Deferred) > 0 {
        State::Deferred
    } else if count(Stand::Delivered) >= recipients {
        State::Delivered
    } else if count(Stand::Delivered) + count(Stand::Relayed) >= recipients
        || (accepted && is_relayed_away(journey))
    {
        State::Relayed
    } else if queued {
        State::Queued
    } else if accepted {
        State::Submitted
    } else if root_messages(journey).any(is_refusal) {
        State::Refused
    } else {
        State::Open
    }
}

/// A next server whose own account is not in the view took the letter.
fn is_relayed_away(journey: &Journey<'_, '_>) -> bool {
    journey
        .selection
        .exchanges
        .iter()
        .enumerate()
        .any(|(place, shown)| {
            place != journey.root
                && shown.exchange.protocol() == "smtp"
                && shown.exchange.server_half.is_none()
                && accepts_letter(shown.messages.iter().filter(|message| message.part > 0))
        })
}

/// Whether the server took responsibility: a positive reply after the letter's text.
pub(crate) fn accepts_letter<'j, 'v: 'j>(messages: impl Iterator<Item = &'j Message<'v>>) -> bool {
    let mut text_sent = false;
    for message in messages {
        match message.from {
            Role::Client => text_sent |= message.verb == "BDAT",
            Role::Server if message.verb == MORE_LINES => {}
            Role::Server if message.verb == "354" => text_sent = true,
            Role::Server if text_sent => return message.verb.starts_with('2'),
            Role::Server => {}
        }
    }
    false
}

/// A negative reply of SMTP or POP3.
pub(crate) fn is_refusal(message: &Message<'_>) -> bool {
    message.from == Role::Server
        && (message.verb == "-ERR"
            || (message.verb.len() == 3 && message.verb.starts_with(['4', '5'])))
}

fn is_collected(journey: &Journey<'_, '_>) -> bool {
    journey
        .selection
        .exchanges
        .iter()
        .any(|shown| fetched(shown) > 0)
}

/// How many letters were fetched from a mail store in what is shown of the exchange.
pub(crate) fn fetched(shown: &Shown<'_, '_>) -> usize {
    if shown.exchange.protocol() != "pop3" {
        return 0;
    }
    let mut waits = false;
    let mut count = 0;
    for message in &shown.messages {
        match message.from {
            Role::Client => waits = message.verb == "RETR",
            Role::Server if waits => {
                count += usize::from(message.verb == "+OK");
                waits = false;
            }
            Role::Server => {}
        }
    }
    count
}

fn collection_state<'v>(journey: &Journey<'_, 'v>) -> State<'v> {
    let root = journey.root();
    if fetched(root) > 0 {
        return State::Collected;
    }
    let asked = |message: &Message<'_>| {
        message.from == Role::Client && matches!(message.verb, "STAT" | "LIST" | "UIDL")
    };
    if root.messages.iter().any(asked) {
        State::Empty
    } else if root.messages.iter().any(is_refusal) {
        State::Refused
    } else {
        State::Open
    }
}

/// From the first to the last moment of what was done for this journey. Names remembered from
/// before do not count, nor does the time until somebody fetches a letter.
fn span_us(journey: &Journey<'_, '_>) -> (u64, u64) {
    let fetches = |shown: &&Shown<'_, '_>| {
        journey.kind == Kind::Letter && matches!(shown.exchange.protocol(), "pop3" | "imap")
    };
    let counted = journey.selection.exchanges.iter();
    let counted = counted.filter(|shown| !shown.remembered && !fetches(shown));
    let spans = counted.map(exchange_span_us);
    let all = spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    all.unwrap_or_else(|| exchange_span_us(journey.root()))
}

fn exchange_span_us(shown: &Shown<'_, '_>) -> (u64, u64) {
    let exchange = shown.exchange;
    let first = exchange.parts.first().copied().unwrap_or(0);
    let own = |part: u32| part > 0 || exchange.parts.is_empty() || shown.parts.is_empty();
    let times: Vec<u64> = shown
        .messages
        .iter()
        .filter(|m| own(m.part))
        .map(|m| m.time_us)
        .collect();
    let begins_it = shown.parts.is_empty() || shown.parts.contains(&first);
    let start = if begins_it {
        None
    } else {
        times.first().copied()
    };
    let start = start.unwrap_or(exchange.start_us);
    (start, times.last().copied().unwrap_or(start).max(start))
}
