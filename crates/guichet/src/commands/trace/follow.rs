//! `guichet trace follow`: journeys and their steps as they come.
//!
//! What an exchange means is often clear only some messages later, when the other server's half
//! has come. So a journey is shown when nothing new has come for a moment, and each step once.

use std::collections::HashMap;
use std::time::Duration;

use guichet_trace::Journey;
use guichet_trace::journey::JourneyId;
use guichet_trace::render::list::{Detail, steps};

use super::gather::Gathering;
use super::{is_wanted, line};
use crate::cli::TraceList;
use crate::output::{Outcome, Output};

/// A journey rests when nothing has come for so long.
const REST: Duration = Duration::from_millis(250);

/// Shows what comes from now on.
pub(super) async fn run(
    args: &TraceList,
    mut gathering: Gathering<'_>,
    output: &Output<'_>,
) -> Outcome {
    let mut shown = Shown::default();
    let mut is_past = true;
    loop {
        let (view, came) = gathering.next(REST).await?;
        if came {
            shown.is_due = true;
            continue;
        }
        if !std::mem::take(&mut shown.is_due) {
            continue;
        }
        let picture = view.picture();
        for journey in picture
            .journeys()
            .iter()
            .filter(|found| is_wanted(found, &args.wanted))
        {
            let new = shown.learn(journey, output);
            if !is_past && !new.is_empty() {
                tell(journey, &new, output)?;
            }
        }
        // What had happened before the command began is not news.
        is_past = false;
    }
}

#[derive(Default)]
struct Shown {
    is_due: bool,
    /// How often each step of a journey has been shown, by its words without the number.
    steps: HashMap<(JourneyId, String), usize>,
    states: HashMap<JourneyId, String>,
}

impl Shown {
    /// What is new about a journey: its steps, or an empty line if only its state is.
    fn learn(&mut self, journey: &Journey<'_, '_>, output: &Output<'_>) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut new = Vec::new();
        for step in steps(journey, Detail::Essential, output.texts) {
            let words = step
                .line
                .strip_prefix(&step.number)
                .unwrap_or(&step.line)
                .to_owned();
            let nth = seen.entry(words.clone()).or_default();
            *nth += 1;
            let told = self.steps.entry((journey.id, words)).or_default();
            if *nth > *told {
                *told = *nth;
                new.push(step.line);
            }
        }
        let state = journey.state.word();
        let before = self.states.insert(journey.id, state.clone());
        if new.is_empty() && before != Some(state) {
            new.push(String::new());
        }
        new
    }
}

fn tell(journey: &Journey<'_, '_>, new: &[String], output: &Output<'_>) -> Outcome {
    line(journey, output)?;
    if output.json {
        return Ok(());
    }
    let steps = new.iter().filter(|step| !step.is_empty());
    steps
        .map(|step| format!("  {step}"))
        .try_for_each(|step| output.line(&step))
}
