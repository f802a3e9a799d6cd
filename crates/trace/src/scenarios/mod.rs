//! Whole record sets read as what they are, each file from one side.

mod joins;
mod journeys;
mod remembered;
mod renderings;
mod soup;
mod spoken;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::fixture::{self, Tape};
use crate::journey::{Journey, JourneyId, Kind, State};
use crate::picture::Picture;
use crate::record::{Body, ExchangeId, Record, Role};
use crate::render::diagram::{Style, diagram};
use crate::render::dialogue::{dialogue, dialogues};
use crate::render::json;
use crate::render::list::{Detail, steps};
use crate::render::mermaid::mermaid;
use crate::render::story::story;
use crate::text::columns;
use crate::view::{Source, View};
use crate::words::tests::{english, french};

pub(super) fn titles(picture: &Picture<'_>) -> Vec<(String, String, String)> {
    let journeys = picture.journeys();
    let facts = journeys.iter().map(|journey| {
        (
            journey.kind_word().to_string(),
            journey.title.clone(),
            journey.state.word(),
        )
    });
    facts.collect()
}

pub(super) fn only<'p, 'v>(picture: &'p Picture<'v>, kind: Kind) -> Journey<'p, 'v> {
    let mut found: Vec<_> = picture
        .journeys()
        .into_iter()
        .filter(|journey| journey.kind == kind)
        .collect();
    assert_eq!(found.len(), 1, "{:?}", titles(picture));
    found.remove(0)
}

pub(super) fn texts<'v>(journey: &Journey<'_, 'v>) -> Vec<&'v str> {
    journey
        .selection
        .messages()
        .map(|(_, message)| message.text)
        .collect()
}

/// Changes every record of one side before it enters the view.
pub(super) fn view_with(tape: &Tape, change: impl Fn(Source, &mut Record)) -> View {
    let mut view = View::new();
    for (source, record) in &tape.records {
        let mut record = record.clone();
        change(*source, &mut record);
        view.add(*source, record);
    }
    view
}

pub(super) fn drawn(journey: &Journey<'_, '_>, width: usize, unicode: bool) -> String {
    diagram(
        journey,
        Style {
            width,
            unicode,
            detail: Detail::Every,
        },
        &english(),
    )
}
