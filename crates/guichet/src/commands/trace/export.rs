//! `guichet trace export`: in a form for other programs.

use guichet_trace::View;
use guichet_trace::render::{dialogue, json, mermaid, pcapng};

use super::{find, tell_gaps};
use crate::cli::{TraceExport, TraceFormat, Wanted};
use crate::output::{Failure, Message, Outcome, Output};

/// Writes one journey, or everything.
pub(super) fn run(args: &TraceExport, view: &View, output: &Output<'_>) -> Outcome {
    let picture = view.picture();
    let Wanted {
        message_id,
        to,
        from,
    } = &args.wanted;
    let is_one = args.id.is_some() || message_id.is_some() || to.is_some() || from.is_some();
    let journey = match is_one {
        true => Some(find(&picture, args.id.as_deref(), &args.wanted)?),
        false => None,
    };
    let everything = picture.everything();
    let selection = journey
        .as_ref()
        .map_or(&everything, |journey| &journey.selection);
    let bytes = match args.format {
        TraceFormat::Json => json::lines(selection, journey.as_ref()).into_bytes(),
        TraceFormat::Mermaid => {
            mermaid::mermaid(selection, journey.as_ref(), output.texts).into_bytes()
        }
        TraceFormat::Pcapng => pcapng::pcapng(selection, journey.as_ref()),
        TraceFormat::Dialogue => dialogue::dialogues(selection).into_bytes(),
    };
    tell_gaps(view, output);
    let Some(file) = &args.output else {
        return output.bytes(&bytes);
    };
    std::fs::write(file, bytes).map_err(|error| {
        let message = Message::new("error-write")
            .with("file", file.as_path())
            .with("why", &error);
        Failure::failed(message)
    })
}
