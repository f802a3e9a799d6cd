//! The sequence diagram for a terminal: a column for each participant, time downwards, an arrow
//! for each message with its step and text above it. Double lines go through TLS.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::journey::Journey;
use crate::lanes::{Lane, ends, lanes};
use crate::record::Role;
use crate::render::list::{self, Detail};
use crate::render::{end_words, told};
use crate::shown::{Event, Shown};
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
    let mut place = 0;
    for (index, event) in journey.selection.events() {
        let shown = &journey.selection.exchanges[index];
        let (client, server) = lanes(&journey.selection, Some(journey), shown);
        let column = |lane: &Lane| {
            participants
                .iter()
                .position(|other| other == lane)
                .unwrap_or(0)
        };
        let columns = (column(&client), column(&server));
        match event {
            Event::Message(message) => {
                let step = step(journey, shown, message.from, place);
                place += 1;
                if !style.detail.wants(shown, &message) {
                    continue;
                }
                if message.secured && !secured.contains(&index) {
                    secured.push(index);
                    drawing.tls(columns, shown, words);
                }
                let text = format!("{step} {}", told(shown, &message, words));
                drawing.message(ends(columns, message.from), message.secured, &text);
            }
            Event::Broken(reason, text) => {
                let step = step(journey, shown, Role::Client, place);
                let said = end_words(reason, text, words);
                drawing.broken(columns, &format!("{step} {said}"));
            }
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
    for (index, event) in journey.selection.events() {
        let shown = &journey.selection.exchanges[index];
        if let Event::Message(message) = event
            && !style.detail.wants(shown, &message)
        {
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
    broken: char,
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
            broken: '✗',
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
            broken: 'x',
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

    fn message(&mut self, (from, to): (usize, usize), secured: bool, text: &str) {
        self.text_row(from.min(to), text);
        let stroke = if secured {
            self.marks.secured
        } else {
            self.marks.clear
        };
        let (mut row, left, right) = self.stroked((from, to), stroke);
        if left < right {
            if from < to {
                row[right - 1] = self.marks.right;
            } else {
                row[left + 1] = self.marks.left;
            }
        }
        self.row(&row);
    }

    fn tls(&mut self, ends: (usize, usize), shown: &Shown<'_, '_>, words: &dyn Words) {
        let version = shown
            .exchange
            .secured()
            .map_or("", |secured| secured.version.as_str());
        let said = words.say("trace-tls-begins", &[("version", &visible(version))]);
        self.text_row(ends.0.min(ends.1), &said);
        let (mut row, left, right) = self.stroked(ends, self.marks.secured);
        row[left] = self.marks.tls_left;
        row[right] = self.marks.tls_right;
        self.row(&row);
    }

    fn broken(&mut self, ends: (usize, usize), text: &str) {
        self.text_row(ends.0.min(ends.1), text);
        let (mut row, left, right) = self.stroked(ends, self.marks.clear);
        row[left.midpoint(right)] = self.marks.broken;
        self.row(&row);
    }

    /// Lifelines with a stroke between two of them, whose columns come back in order.
    fn stroked(&self, (from, to): (usize, usize), stroke: char) -> (Vec<char>, usize, usize) {
        let (left, right) = (self.centres[from.min(to)], self.centres[from.max(to)]);
        let mut row = self.lifelines();
        if left < right {
            row[left + 1..right].fill(stroke);
        }
        (row, left, right)
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
