//! The sequence diagram for a terminal: a column for each participant, time downwards, an arrow
//! for each message with its step and text above it. Double lines go through TLS.

use alloc::string::String;
use alloc::vec::Vec;

use crate::exchange::{Ending, Message};
use crate::journey::Journey;
use crate::lanes::{Lane, ends, lanes};
use crate::render::line;
use crate::render::list::{self, Detail};
use crate::shown::Shown;
use crate::steps::step;
use crate::text::{character_columns, columns, cut, visible};
use crate::words::Words;

/// How it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal.
    pub width: usize,
    /// Box characters; otherwise ASCII only (texts of peers excepted).
    pub unicode: bool,
    /// Which messages are drawn.
    pub detail: Detail,
}

/// Narrower columns would leave no room for an arrow and a name.
const LANE_MIN_COLUMNS: usize = 6;

/// Draws a journey; each line ends with `\n` and is at most `style.width` columns wide. Where there
/// are too many participants for the width, the list of steps stands in.
pub fn diagram(journey: &Journey<'_, '_>, style: Style, words: &dyn Words) -> String {
    let participants = participants(journey, style);
    if participants.is_empty() || participants.len() * LANE_MIN_COLUMNS > style.width {
        return as_list(journey, style, words);
    }
    let mut drawing = Drawing {
        style,
        marks: marks(style),
        centres: Vec::new(),
        out: String::new(),
    };
    drawing.header(&participants, words);
    let mut secured: Vec<usize> = Vec::new();
    for (place, &(index, at)) in journey.selection.order.iter().enumerate() {
        let shown = &journey.selection.exchanges[index];
        let message = &shown.messages[at];
        if !style.detail.wants(shown, message) {
            continue;
        }
        let lanes = lanes(&journey.selection, Some(journey), shown);
        let column = |lane: &Lane| {
            participants
                .iter()
                .position(|other| other == lane)
                .unwrap_or(0)
        };
        let (from, to) = ends(lanes, message.from);
        let (from, to) = (column(&from), column(&to));
        if message.secured && !secured.contains(&index) {
            secured.push(index);
            drawing.tls(from, to, shown, words);
        }
        let text = labelled(journey, shown, message, place);
        drawing.message(from, to, message.secured, &text);
        if Some(message.number) == last_drawn(shown, style) {
            drawing.ending(from, to, shown.exchange.ending(), words);
        }
    }
    if !secured.is_empty() {
        let key = if style.unicode {
            "trace-legend"
        } else {
            "trace-legend-ascii"
        };
        drawing.line(&words.say(key, &[]));
    }
    drawing.out
}

/// In the order in which they come into play, a client before its server.
fn participants(journey: &Journey<'_, '_>, style: Style) -> Vec<Lane> {
    let mut participants = Vec::new();
    for (shown, message) in journey.selection.messages() {
        if !style.detail.wants(shown, message) {
            continue;
        }
        let (client, server) = lanes(&journey.selection, Some(journey), shown);
        for lane in [client, server] {
            if !participants.contains(&lane) {
                participants.push(lane);
            }
        }
    }
    participants
}

fn last_drawn(shown: &Shown<'_, '_>, style: Style) -> Option<usize> {
    let mut drawn = shown.messages.iter().rev();
    drawn
        .find(|message| style.detail.wants(shown, message))
        .map(|message| message.number)
}

fn labelled(
    journey: &Journey<'_, '_>,
    shown: &Shown<'_, '_>,
    message: &Message<'_>,
    place: usize,
) -> String {
    let mut text = step(journey, shown, message, place);
    text.push(' ');
    text.push_str(&line(message));
    text
}

fn as_list(journey: &Journey<'_, '_>, style: Style, words: &dyn Words) -> String {
    let mut out = String::new();
    for step in list::steps(journey, style.detail, words) {
        out.push_str(&cut(&step.line, style.width, marks(style).ellipsis));
        out.push('\n');
    }
    out
}

#[derive(Clone, Copy)]
struct Marks {
    life: char,
    clear: char,
    secured: char,
    right: char,
    left: char,
    tls_left: char,
    tls_right: char,
    broken: &'static str,
    ellipsis: &'static str,
}

fn marks(style: Style) -> Marks {
    if style.unicode {
        Marks {
            life: '│',
            clear: '─',
            secured: '═',
            right: '▶',
            left: '◀',
            tls_left: '╞',
            tls_right: '╡',
            broken: "✗ ",
            ellipsis: "…",
        }
    } else {
        Marks {
            life: '|',
            clear: '-',
            secured: '=',
            right: '>',
            left: '<',
            tls_left: '|',
            tls_right: '|',
            broken: "x ",
            ellipsis: "...",
        }
    }
}

struct Drawing {
    style: Style,
    marks: Marks,
    /// The column of each participant's lifeline.
    centres: Vec<usize>,
    out: String,
}

impl Drawing {
    fn header(&mut self, participants: &[Lane], words: &dyn Words) {
        let cell = self.style.width / participants.len();
        let mut names = alloc::vec![' '; self.style.width];
        for (index, lane) in participants.iter().enumerate() {
            let centre = cell * index + cell / 2;
            self.centres.push(centre);
            let label = cut(&lane.label(words), cell - 1, self.marks.ellipsis);
            let start = (cell * index).max(centre.saturating_sub(columns(&label) / 2));
            write_at(&mut names, start, &label);
        }
        self.row(&names);
        let lifelines = self.lifelines();
        self.row(&lifelines);
    }

    fn message(&mut self, from: usize, to: usize, secured: bool, text: &str) {
        self.text_row(from.min(to), text);
        let mut row = self.lifelines();
        let (left, right) = (self.centres[from.min(to)], self.centres[from.max(to)]);
        if left < right {
            let stroke = if secured {
                self.marks.secured
            } else {
                self.marks.clear
            };
            row[left + 1..right].fill(stroke);
            if from < to {
                row[right - 1] = self.marks.right;
            } else {
                row[left + 1] = self.marks.left;
            }
        }
        self.row(&row);
    }

    fn tls(&mut self, from: usize, to: usize, shown: &Shown<'_, '_>, words: &dyn Words) {
        let version = shown
            .exchange
            .secured()
            .map_or("", |secured| secured.version.as_str());
        self.text_row(
            from.min(to),
            &words.say("trace-tls-begins", &[("version", &visible(version))]),
        );
        let mut row = self.lifelines();
        let (left, right) = (self.centres[from.min(to)], self.centres[from.max(to)]);
        row[left..=right].fill(self.marks.secured);
        row[left] = self.marks.tls_left;
        row[right] = self.marks.tls_right;
        self.row(&row);
    }

    fn ending(&mut self, from: usize, to: usize, ending: Ending<'_>, words: &dyn Words) {
        if let Ending::Broken { reason, text } = ending {
            let reason = visible(if text.is_empty() { reason } else { text });
            let mut said = String::from(self.marks.broken);
            said.push_str(&words.say("trace-ended", &[("reason", &reason)]));
            self.text_row(from.min(to), &said);
        }
    }

    /// Text right of a lifeline; it may cover the lifelines further right, and moves left when it
    /// would not fit otherwise.
    fn text_row(&mut self, lane: usize, text: &str) {
        let text = cut(text, self.style.width, self.marks.ellipsis);
        let wanted = self.centres[lane] + 2;
        let start = wanted.min(self.style.width - columns(&text));
        let mut row = self.lifelines();
        if start > 0 {
            row[start - 1] = if self.centres.contains(&(start - 1)) {
                row[start - 1]
            } else {
                ' '
            };
        }
        write_at(&mut row, start, &text);
        self.row(&row);
    }

    fn lifelines(&self) -> Vec<char> {
        let mut row = alloc::vec![' '; self.style.width];
        for &centre in &self.centres {
            row[centre] = self.marks.life;
        }
        row
    }

    fn row(&mut self, row: &[char]) {
        let text: String = row
            .iter()
            .filter(|&&character| character != COVERED)
            .collect();
        self.line(text.trim_end());
    }

    fn line(&mut self, text: &str) {
        self.out
            .push_str(&cut(text, self.style.width, self.marks.ellipsis));
        self.out.push('\n');
    }
}

/// The second column of a wide character.
const COVERED: char = '\0';

fn write_at(row: &mut [char], start: usize, text: &str) {
    let mut at = start;
    for character in text.chars() {
        let wide = character_columns(character);
        // A combining mark has no column of its own here, so it is left out.
        if wide == 0 || at + wide > row.len() {
            continue;
        }
        row[at] = character;
        row[at + 1..at + wide].fill(COVERED);
        at += wide;
    }
    if let Some(next) = row.get_mut(at) {
        *next = ' '; // so that the text does not touch a lifeline
    }
}
