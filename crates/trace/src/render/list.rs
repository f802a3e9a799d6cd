//! The numbered steps: one line a message, the line begins with the step's number.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::exchange::Message;
use crate::journey::Journey;
use crate::lanes::{ends, lanes};
use crate::render::line;
use crate::shown::Shown;
use crate::steps::{is_essential, step};
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
}

/// The steps of a journey: `1 alice → mail.nord.test  MAIL FROM:<alice@nord.test>`.
pub fn steps(journey: &Journey<'_, '_>, detail: Detail, words: &dyn Words) -> Vec<Step> {
    let wanted = |(_, (shown, message)): &(usize, (&Shown<'_, '_>, &Message<'_>))| {
        detail.wants(shown, message)
    };
    let messages = journey.selection.messages().enumerate().filter(wanted);
    messages
        .map(|(place, (shown, message))| {
            let number = step(journey, shown, message, place);
            let lanes = lanes(&journey.selection, Some(journey), shown);
            let (from, to) = ends(lanes, message.from);
            let (from, to) = (from.label(words), to.label(words));
            let line = format!("{number} {from} → {to}  {}", line(message));
            Step { number, line }
        })
        .collect()
}
