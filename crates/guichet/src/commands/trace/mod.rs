//! `guichet trace list|show|follow|wait|export`: what happened.
//!
//! The servers give their records; joining their halves, finding the journeys and drawing them is
//! done here, in the reader's language. So it works alike for one server, for a lab, and for two
//! servers named by `--control A --control B`.

mod export;
mod follow;
mod gather;
mod one_line;
mod since;
mod wait;

use guichet_trace::journey::JourneyId;
use guichet_trace::render::diagram::{Style, diagram};
use guichet_trace::render::list::{Detail, gaps};
use guichet_trace::render::{json, story};
use guichet_trace::{Journey, Picture, View};

use self::gather::Gathering;
use crate::cli::{Global, Trace as Args, TraceList, TraceShow, Wanted};
use crate::output::{Failure, Look, Message, Outcome, Output};

/// Shows what is asked for.
pub(super) async fn run(args: Args, global: &Global, output: &Output<'_>) -> Outcome {
    let mut gathering = Gathering::new(global, output)?;
    match args {
        Args::List(args) => list(&args, gathering.past().await?, output),
        Args::Show(args) => show(&args, gathering.past().await?, output),
        Args::Follow(args) => follow::run(&args, gathering, output).await,
        Args::Wait(args) => wait::run(&args, gathering, output).await,
        Args::Export(args) => export::run(&args, gathering.past().await?, output),
    }
}

fn list(args: &TraceList, view: &View, output: &Output<'_>) -> Outcome {
    let picture = view.picture();
    let journeys = picture.journeys();
    let mut journeys = journeys
        .iter()
        .filter(|journey| is_wanted(journey, &args.wanted))
        .peekable();
    if journeys.peek().is_none() {
        output.note(&output.say("journey-none-yet", &[]));
    }
    journeys.try_for_each(|journey| line(journey, output))?;
    tell_gaps(view, output);
    Ok(())
}

/// A journey in one line, for people or for programs.
fn line(journey: &Journey<'_, '_>, output: &Output<'_>) -> Outcome {
    match output.json {
        true => output.line(&json::listed(journey)),
        false => output.line(&one_line::of(journey, output.texts)),
    }
}

fn show(args: &TraceShow, view: &View, output: &Output<'_>) -> Outcome {
    let picture = view.picture();
    let journey = find(&picture, args.id.as_deref(), &args.wanted)?;
    if output.json {
        return output.line(&json::shown(&picture, &journey, output.texts));
    }
    output.line(&one_line::of(&journey, output.texts))?;
    let look = Look::here();
    let detail = if args.every {
        Detail::Every
    } else {
        Detail::Essential
    };
    let style = Style {
        width: look.width,
        unicode: look.unicode,
        detail,
    };
    output.line("")?;
    output.bytes(diagram(&journey, style, output.texts).as_bytes())?;
    output.line("")?;
    story::story(&journey, output.texts)
        .iter()
        .try_for_each(|sentence| output.line(sentence))?;
    tell_gaps(view, output);
    Ok(())
}

/// Where records are missing is no secret: what is shown may lack something.
fn tell_gaps(view: &View, output: &Output<'_>) {
    gaps(view, output.texts)
        .iter()
        .for_each(|gap| output.note(gap));
}

/// The journey `id`, or the newest that is wanted.
fn find<'p, 'v>(
    picture: &'p Picture<'v>,
    id: Option<&str>,
    wanted: &Wanted,
) -> Result<Journey<'p, 'v>, Failure> {
    let Some(id) = id else {
        let newest = picture
            .journeys()
            .into_iter()
            .rfind(|journey| is_wanted(journey, wanted));
        return newest.ok_or_else(|| Failure::failed(Message::new("journey-none-such")));
    };
    let parsed: JourneyId = id
        .parse()
        .map_err(|_| Failure::wrong(Message::new("journey-not-an-id").with("id", id)))?;
    picture
        .journey(parsed)
        .ok_or_else(|| Failure::failed(Message::new("journey-unknown").with("id", id)))
}

fn is_wanted(journey: &Journey<'_, '_>, wanted: &Wanted) -> bool {
    let bare = |id: &str| id.trim_matches(['<', '>']).to_owned();
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let message_id = wanted.message_id.as_deref().is_none_or(|wanted| {
        journey
            .message_id
            .is_some_and(|message_id| bare(message_id) == bare(wanted))
    });
    let to = wanted.to.as_deref().is_none_or(|wanted| {
        journey
            .recipients()
            .iter()
            .any(|recipient| same(recipient, wanted))
    });
    let from = wanted
        .from
        .as_deref()
        .is_none_or(|wanted| journey.sender().is_some_and(|sender| same(sender, wanted)));
    message_id && to && from
}
