//! Mermaid's sequence diagram, for documents and web pages.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::journey::Journey;
use crate::lanes::{Lane, ends, lanes};
use crate::record::Role;
use crate::render::{end_words, line};
use crate::shown::{Event, Selection, Shown};
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
    let mut place = 0;
    for (index, event) in selection.events() {
        let shown = &selection.exchanges[index];
        let (client, server) = lanes(selection, journey, shown);
        let columns = (
            number(&mut participants, client),
            number(&mut participants, server),
        );
        let over = format!(
            "P{},P{}",
            columns.0.min(columns.1),
            columns.0.max(columns.1)
        );
        let mut note = |text: &str| push(&mut body, &format!("Note over {over}: {}", quoted(text)));
        let numbered = |from, text: &str| {
            let step = journey.map(|journey| step(journey, shown, from, place));
            step.map_or_else(|| quoted(text), |step| quoted(&format!("{step} {text}")))
        };
        match event {
            Event::Message(message) => {
                if message.secured && !secured.contains(&index) {
                    secured.push(index);
                    note(&words.say("trace-tls-begins", &[("version", &tls_version(shown))]));
                }
                let (from, to) = ends(columns, message.from);
                let arrow = if message.from == Role::Client {
                    "->>"
                } else {
                    "-->>"
                };
                let text = numbered(message.from, &line(&message));
                push(&mut body, &format!("P{from}{arrow}P{to}: {text}"));
                place += 1;
            }
            Event::Broken(reason, text) => {
                let text = numbered(Role::Client, &end_words(reason, text, words));
                push(
                    &mut body,
                    &format!("P{}-xP{}: {text}", columns.0, columns.1),
                );
            }
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

fn tls_version(shown: &Shown<'_, '_>) -> String {
    shown
        .exchange
        .secured()
        .map_or_else(String::new, |secured| visible(&secured.version))
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
