//! A journey in one line for people.

use guichet_trace::render::json::timestamp;
use guichet_trace::{Journey, State, visible};

use crate::texts::Texts;

/// Id, time, what it was, how it stands.
pub(super) fn of(journey: &Journey<'_, '_>, texts: &Texts) -> String {
    let time = timestamp(journey.start_us);
    let clock = time.get(11..19).unwrap_or(&time);
    texts.say(
        "journey-line",
        &[
            ("id", &journey.id.to_string()),
            ("time", clock),
            ("kind", &kind(journey, texts)),
            ("title", &visible(&journey.title)),
            ("state", &state(journey, texts)),
            ("ms", &format!("{:.1}", millis(journey.duration_us))),
        ],
    )
}

fn millis(us: u64) -> f64 {
    // Exact far beyond any journey's length.
    us as f64 / 1_000.0
}

fn kind(journey: &Journey<'_, '_>, texts: &Texts) -> String {
    let key = match journey.kind_word() {
        "letter" => "journey-kind-letter",
        "page" => "journey-kind-page",
        "name" => "journey-kind-name",
        "collection" => "journey-kind-collection",
        "dialogue" => "journey-kind-dialogue",
        // Its title begins with the protocol.
        _ => "journey-kind-other",
    };
    texts.say(key, &[])
}

/// How a journey stands, in words.
pub(super) fn state(journey: &Journey<'_, '_>, texts: &Texts) -> String {
    let key = match journey.state {
        State::Open => "journey-state-open",
        State::Submitted => "journey-state-submitted",
        State::Queued => "journey-state-queued",
        State::Deferred => "journey-state-deferred",
        State::Relayed => "journey-state-relayed",
        State::Delivered if journey.collected => "journey-state-fetched",
        State::Delivered => "journey-state-delivered",
        State::Refused => "journey-state-refused",
        State::Failed => "journey-state-failed",
        State::Answered => "journey-state-answered",
        State::Collected => "journey-state-collected",
        State::Empty => "journey-state-empty",
        State::Done => "journey-state-done",
        State::Status(word) | State::Rcode(word) => return visible(word),
        State::Broken(word) => {
            return texts.say("journey-state-broken", &[("reason", &visible(word))]);
        }
    };
    texts.say(key, &[])
}
