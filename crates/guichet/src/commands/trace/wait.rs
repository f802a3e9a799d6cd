//! `guichet trace wait`: until a letter has come to its end. For scripts and tests.

use std::time::{Duration, Instant};

use guichet_trace::{Journey, Kind, State};

use super::gather::Gathering;
use super::{is_wanted, line, one_line, since};
use crate::cli::TraceWait;
use crate::output::{Failure, Message, Outcome, Output};

/// A picture is made at most so often.
const PAUSE: Duration = Duration::from_millis(50);

/// What one server knows, the others have told within this time.
const OTHERS_MOST: Duration = Duration::from_millis(500);

/// Waits for the newest letter that is wanted; one that has come already counts, if it began since
/// the servers did or since the time asked for.
pub(super) async fn run(
    args: &TraceWait,
    mut gathering: Gathering<'_>,
    output: &Output<'_>,
) -> Outcome {
    let wanted = &args.wanted;
    if wanted.to.is_none() && wanted.from.is_none() && wanted.message_id.is_none() {
        return Err(Failure::wrong(Message::new("journey-wait-for-what")));
    }
    let earliest_us = since::earliest_us(args.since.as_deref(), &gathering).await?;
    let end = Instant::now() + Duration::from_secs(args.timeout);
    let mut handed_on = None;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let message = Message::new("journey-waited").with_shown("seconds", args.timeout);
            return Err(Failure::Failed(message));
        }
        let patience = handed_on.map_or(left, |_| left.min(OTHERS_MOST));
        let (view, came) = gathering.next(patience).await?;
        let picture = view.picture();
        let letter = picture
            .journeys()
            .into_iter()
            .filter(|journey| journey.start_us >= earliest_us)
            .rfind(|journey| journey.kind == Kind::Letter && is_wanted(journey, wanted));
        let Some(letter) = letter else {
            continue;
        };
        // The next server may be one of those that are asked, and its account still on the way.
        if letter.state == State::Relayed {
            let since = *handed_on.get_or_insert_with(Instant::now);
            if came && since.elapsed() < OTHERS_MOST {
                continue;
            }
        }
        if let Some(end) = ended(&letter, output) {
            return end;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The command's end, if the letter has come to its own.
fn ended(letter: &Journey<'_, '_>, output: &Output<'_>) -> Option<Outcome> {
    match letter.state {
        State::Delivered | State::Relayed => Some(line(letter, output)),
        State::Refused | State::Failed => {
            let state = one_line::state(letter, output.texts);
            Some(line(letter, output).and(Err(Failure::failed(
                Message::new("journey-came-to-nothing").with("state", state),
            ))))
        }
        _ => None,
    }
}
