//! The numbered steps: one line a message, the line begins with the step's number.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::exchange::Message;
use crate::journey::Journey;
use crate::lanes::{ends, lanes};
use crate::record::Role;
use crate::render::json::timestamp;
use crate::render::{end_words, told};
use crate::shown::{Event, Shown};
use crate::steps::{is_essential, step};
use crate::view::View;
use crate::words::Words;

/// How much is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What moves things: for the short account of both journeys.
    Essential,
    /// Every message.
    Every,
}

impl Detail {
    pub(crate) fn wants(self, shown: &Shown<'_, '_>, message: &Message<'_>) -> bool {
        self == Self::Every || is_essential(shown, message)
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The course's number: `1`, `2`, `3a` …
    pub number: String,
    /// The line, which begins with the number; fit for a terminal, not cut.
    pub line: String,
    /// Here an exchange broke.
    pub is_break: bool,
}

/// The steps of a journey: `1 alice → mail.nord.test  MAIL FROM:<alice@nord.test>`. Where an
/// exchange broke, a step says so: `2 mail.nord.test ✗ mail.sud.test  …`.
pub fn steps(journey: &Journey<'_, '_>, detail: Detail, words: &dyn Words) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut place = 0;
    for (index, event) in journey.selection.events() {
        let shown = &journey.selection.exchanges[index];
        let lanes = lanes(&journey.selection, Some(journey), shown);
        let (from, arrow, text, is_break) = match event {
            Event::Message(message) => (message.from, '→', told(shown, &message, words), false),
            Event::Broken(reason, text) => {
                (Role::Client, '✗', end_words(reason, text, words), true)
            }
        };
        let number = step(journey, shown, from, place);
        if let Event::Message(message) = event {
            place += 1;
            if !detail.wants(shown, &message) {
                continue;
            }
        }
        let (from, to) = ends(lanes, from);
        let (from, to) = (from.label(words), to.label(words));
        let line = format!("{number} {from} {arrow} {to}  {text}");
        steps.push(Step {
            number,
            line,
            is_break,
        });
    }
    steps
}

/// Where records are missing in a view: a sentence for each gap, with its time.
pub fn gaps(view: &View, words: &dyn Words) -> Vec<String> {
    let said = view.gaps().map(|gap| {
        let (time, count) = (timestamp(gap.time_us), gap.dropped.to_string());
        words.say("trace-gap", &[("time", &time), ("count", &count)])
    });
    said.collect()
}
