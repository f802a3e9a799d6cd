//! Mermaid's sequence diagram, for documents and web pages.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::exchange::Ending;
use crate::journey::Journey;
use crate::lanes::{Lane, ends, lanes};
use crate::record::Role;
use crate::render::line;
use crate::shown::Selection;
use crate::steps::step;
use crate::text::visible;
use crate::words::Words;

/// Draws a selection; `journey` adds people's names and steps.
pub fn mermaid(
    selection: &Selection<'_, '_>,
    journey: Option<&Journey<'_, '_>>,
    words: &dyn Words,
) -> String {
    let mut participants: Vec<Lane> = Vec::new();
    let mut body = String::new();
    let mut secured: Vec<usize> = Vec::new();
    for (place, &(index, at)) in selection.order.iter().enumerate() {
        let shown = &selection.exchanges[index];
        let message = &shown.messages[at];
        let (client, server) = lanes(selection, journey, shown);
        let columns = [
            number(&mut participants, client),
            number(&mut participants, server),
        ];
        let over = format!(
            "P{},P{}",
            columns[0].min(columns[1]),
            columns[0].max(columns[1])
        );
        let mut note = |text: &str| push(&mut body, &format!("Note over {over}: {}", quoted(text)));
        if message.secured && !secured.contains(&index) {
            secured.push(index);
            let version = shown
                .exchange
                .secured()
                .map_or("", |secured| secured.version.as_str());
            note(&words.say("trace-tls-begins", &[("version", &visible(version))]));
        }
        let (from, to) = ends((columns[0], columns[1]), message.from);
        let arrow = if message.from == Role::Client {
            "->>"
        } else {
            "-->>"
        };
        let step = journey.map(|journey| step(journey, shown, message, place));
        let step = step.map_or_else(String::new, |step| format!("{step} "));
        let text = quoted(&format!("{step}{}", line(message)));
        push(&mut body, &format!("P{from}{arrow}P{to}: {text}"));
        if let (true, Ending::Broken { reason, text }) =
            (at + 1 == shown.messages.len(), shown.exchange.ending())
        {
            let reason = visible(if text.is_empty() { reason } else { text });
            let said = words.say("trace-ended", &[("reason", &reason)]);
            push(&mut body, &format!("Note over {over}: {}", quoted(&said)));
        }
    }
    let mut out = String::from("sequenceDiagram\n");
    for (index, lane) in participants.iter().enumerate() {
        push(
            &mut out,
            &format!("participant P{index} as {}", quoted(&lane.label(words))),
        );
    }
    out.push_str(&body);
    out
}

fn number(participants: &mut Vec<Lane>, lane: Lane) -> usize {
    participants
        .iter()
        .position(|other| *other == lane)
        .unwrap_or_else(|| {
            participants.push(lane);
            participants.len() - 1
        })
}

fn push(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "    {text}");
}

/// What Mermaid or HTML would take as syntax becomes a character reference in Mermaid's notation.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in visible(text).chars() {
        match character {
            '#' | ';' | '<' | '>' | '&' | '"' | '%' | '{' | '}' | '\\' => {
                let _ = write!(out, "#{};", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}
