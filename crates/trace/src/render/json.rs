//! For programs: the objects of `trace list --json` and `trace show --json`, and JSON lines with
//! one message each.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use crate::escape;
use crate::exchange::{Ending, Message, socket_text};
use crate::journey::Journey;
use crate::picture::Picture;
use crate::record::{Mode, Role, Transport};
use crate::render::story::story;
use crate::shown::{Selection, Shown};
use crate::steps::step;
use crate::words::Words;

/// One object of `trace list --json`, without a line end.
pub fn listed(journey: &Journey<'_, '_>) -> String {
    object(&Listed::of(journey))
}

/// The object of `trace show ID --json`, without a line end.
pub fn shown(picture: &Picture<'_>, journey: &Journey<'_, '_>, words: &dyn Words) -> String {
    let mut exchanges: Vec<ExchangeObject<'_>> = Vec::new();
    for shown in &journey.selection.exchanges {
        exchanges.push(exchange_object(picture, journey.start_us, shown));
    }
    for (place, &(index, at)) in journey.selection.order.iter().enumerate() {
        let shown = &journey.selection.exchanges[index];
        exchanges[index].messages[at].step = step(journey, shown, shown.messages[at].from, place);
    }
    object(&ShownObject {
        listed: Listed::of(journey),
        story: story(journey, words),
        exchanges,
    })
}

/// One JSON object a line, one line a message, in time order. `journey` adds its id and steps.
pub fn lines(selection: &Selection<'_, '_>, journey: Option<&Journey<'_, '_>>) -> String {
    let id = journey.map(|journey| journey.id.to_string());
    let mut out = String::new();
    for (place, (shown, message)) in selection.messages().enumerate() {
        let step = journey.map(|journey| step(journey, shown, message.from, place));
        out.push_str(&object(&LineObject::of(
            shown,
            message,
            id.as_deref(),
            step,
        )));
        out.push('\n');
    }
    out
}

/// `2026-01-01T10:00:00.000Z` (RFC 3339, UTC).
pub fn timestamp(time_us: u64) -> String {
    let (seconds, millis) = (time_us / 1_000_000, time_us / 1_000 % 1_000);
    let (days, in_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (in_day / 3_600, in_day / 60 % 60, in_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Days since 1970-01-01 to a Gregorian date. Years are counted from March, so that the leap day
/// is a year's last and the months' lengths follow one formula.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Milliseconds with the microseconds as decimals; negative before `origin_us`.
fn milliseconds(time_us: u64, origin_us: u64) -> f64 {
    // Differences are far below 2^53 µs, so both conversions are exact.
    if time_us >= origin_us {
        (time_us - origin_us) as f64 / 1_000.0
    } else {
        -((origin_us - time_us) as f64 / 1_000.0)
    }
}

fn object(value: &impl Serialize) -> String {
    // Plain structs with text keys: serialising them into memory has no way to fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[derive(Serialize)]
struct Listed<'v> {
    journey: String,
    title: String,
    kind: &'v str,
    state: String,
    start: String,
    duration_ms: f64,
    exchanges: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collected: Option<bool>,
}

impl<'v> Listed<'v> {
    fn of(journey: &Journey<'_, 'v>) -> Self {
        let is_letter = journey.kind == crate::journey::Kind::Letter;
        Self {
            journey: journey.id.to_string(),
            title: journey.title.clone(),
            kind: journey.kind_word(),
            state: journey.state.word(),
            start: timestamp(journey.start_us),
            duration_ms: milliseconds(journey.duration_us, 0),
            exchanges: journey.selection.exchanges.len(),
            message_id: journey.message_id,
            collected: is_letter.then_some(journey.collected),
        }
    }
}

/// As [`Listed`], with the exchanges in full instead of their number.
struct ShownObject<'v> {
    listed: Listed<'v>,
    story: Vec<String>,
    exchanges: Vec<ExchangeObject<'v>>,
}

impl Serialize for ShownObject<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let listed = &self.listed;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("journey", &listed.journey)?;
        map.serialize_entry("title", &listed.title)?;
        map.serialize_entry("kind", listed.kind)?;
        map.serialize_entry("state", &listed.state)?;
        map.serialize_entry("start", &listed.start)?;
        map.serialize_entry("duration_ms", &listed.duration_ms)?;
        if let Some(message_id) = listed.message_id {
            map.serialize_entry("message_id", message_id)?;
        }
        if let Some(collected) = listed.collected {
            map.serialize_entry("collected", &collected)?;
        }
        map.serialize_entry("story", &self.story)?;
        map.serialize_entry("exchanges", &self.exchanges)?;
        map.end()
    }
}

#[derive(Serialize)]
struct ExchangeObject<'v> {
    id: String,
    protocol: &'v str,
    transport: &'static str,
    tls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_version: Option<&'v str>,
    client: String,
    server: String,
    named: &'v str,
    organisation: &'v str,
    client_organisation: &'v str,
    mode: &'static str,
    causes: Vec<String>,
    /// `open`, `done`, or the word for how it broke.
    ended: &'v str,
    /// Whose accounts there are: `both`, `client`, `server`.
    seen_by: &'static str,
    remembered: bool,
    time_ms: f64,
    messages: Vec<MessageObject<'v>>,
    /// What was not on the wire: `queued`, `delivered` …
    notes: Vec<NoteObject<'v>>,
}

#[derive(Serialize)]
struct NoteObject<'v> {
    time_ms: f64,
    word: &'v str,
    text: &'v str,
}

#[derive(Serialize)]
struct MessageObject<'v> {
    n: usize,
    step: String,
    time_ms: f64,
    from: &'static str,
    verb: &'v str,
    text: &'v str,
    bytes: u64,
    masked: bool,
    tls: bool,
    part: u32,
}

fn exchange_object<'v>(
    picture: &Picture<'v>,
    origin_us: u64,
    shown: &Shown<'_, 'v>,
) -> ExchangeObject<'v> {
    let exchange = shown.exchange;
    let mut causes: Vec<String> = Vec::new();
    let of_messages = exchange
        .message_causes()
        .filter(|(part, _)| shown.concerns(*part));
    for cause in exchange.causes().chain(of_messages.map(|(_, cause)| cause)) {
        let id = picture
            .shown_id(cause.exchange)
            .unwrap_or(cause.exchange)
            .to_string();
        if !causes.contains(&id) {
            causes.push(id);
        }
    }
    ExchangeObject {
        id: exchange.id().to_string(),
        protocol: exchange.protocol(),
        transport: transport_word(exchange.transport()),
        tls: exchange.secured().is_some(),
        tls_version: exchange.secured().map(|secured| secured.version.as_str()),
        client: socket_text(exchange.client()),
        server: socket_text(exchange.server()),
        named: exchange.named(),
        organisation: exchange.server_organisation(),
        client_organisation: exchange.client_organisation(),
        mode: mode_word(exchange.mode()),
        causes,
        ended: ended_word(exchange.ending()),
        seen_by: match (exchange.client_half, exchange.server_half) {
            (Some(_), Some(_)) => "both",
            (Some(_), None) => "client",
            _ => "server",
        },
        remembered: shown.remembered,
        time_ms: milliseconds(exchange.start_us, origin_us),
        messages: shown
            .messages
            .iter()
            .map(|m| message_object(m, origin_us))
            .collect(),
        notes: notes_of(shown, origin_us),
    }
}

fn notes_of<'v>(shown: &Shown<'_, 'v>, origin_us: u64) -> Vec<NoteObject<'v>> {
    let notes = shown
        .exchange
        .notes
        .iter()
        .filter(|note| shown.concerns(note.part));
    let objects = notes.map(|note| NoteObject {
        time_ms: milliseconds(note.time_us, origin_us),
        word: note.word,
        text: note.text,
    });
    objects.collect()
}

fn message_object<'v>(message: &Message<'v>, origin_us: u64) -> MessageObject<'v> {
    MessageObject {
        n: message.number,
        step: String::new(),
        time_ms: milliseconds(message.time_us, origin_us),
        from: role_word(message.from),
        verb: message.verb,
        text: message.text,
        bytes: message.size,
        masked: message.masked,
        tls: message.secured,
        part: message.part,
    }
}

#[derive(Serialize)]
struct LineObject<'l> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    journey: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    exchange: String,
    n: usize,
    protocol: &'l str,
    transport: &'static str,
    tls: bool,
    client: String,
    server: String,
    from: &'static str,
    verb: &'l str,
    text: &'l str,
    bytes: u64,
    masked: bool,
    part: u32,
    before: &'l str,
    after: &'l str,
    /// The bytes with the escapes of `.dialogue` files; absent below level `full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

impl<'l> LineObject<'l> {
    fn of(
        shown: &Shown<'_, 'l>,
        message: &Message<'l>,
        journey: Option<&'l str>,
        step: Option<String>,
    ) -> Self {
        let exchange = shown.exchange;
        Self {
            time: timestamp(message.time_us),
            journey,
            step,
            exchange: exchange.id().to_string(),
            n: message.number,
            protocol: exchange.protocol(),
            transport: transport_word(exchange.transport()),
            tls: message.secured,
            client: socket_text(exchange.client()),
            server: socket_text(exchange.server()),
            from: role_word(message.from),
            verb: message.verb,
            text: message.text,
            bytes: message.size,
            masked: message.masked,
            part: message.part,
            before: message.before,
            after: message.after,
            content: (!message.bytes.is_empty()).then(|| escape::escaped(message.bytes)),
        }
    }
}

fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    }
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Iterative => "iterative",
        Mode::Process => "process",
        Mode::Event => "event",
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Server => "server",
    }
}

fn ended_word(ending: Ending<'_>) -> &str {
    match ending {
        Ending::Open => "open",
        Ending::Done => "done",
        Ending::Broken { reason, .. } => reason,
    }
}
