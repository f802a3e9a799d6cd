//! `guichet queue list|show|retry|hold|release|remove`.

use guichet_trace::visible;

use super::asking::{Asking, From};
use crate::cli::{Global, Queue as Args};
use crate::control::Request;
use crate::control::requests::{Queued, QueuedRecipient};
use crate::output::{Outcome, Output};

/// Has the running server do it.
pub(super) async fn run(args: Args, global: &Global, output: &Output<'_>) -> Outcome {
    let asking = Asking::new(global, output)?;
    match args {
        Args::List => {
            let answers = asking.every(&Request::QueueList).await?;
            list(&answers, &asking, output)
        }
        Args::Show(of) => {
            let request = Request::QueueShow { id: of.id.clone() };
            let message: Queued = asking.owner(&of.id, &request).await?;
            match output.json {
                true => output.json(&message),
                false => show(&message, output),
            }
        }
        Args::Retry(of) => {
            let request = Request::QueueRetry { id: of.id.clone() };
            match of.id {
                Some(id) => asking.act(&id, &request, "control-queue-retried").await,
                None => asking.act_all(&request, "control-queue-all-retried").await,
            }
        }
        Args::Hold(of) => {
            let request = Request::QueueHold { id: of.id.clone() };
            asking.act(&of.id, &request, "control-queue-held").await
        }
        Args::Release(of) => {
            let request = Request::QueueRelease { id: of.id.clone() };
            asking.act(&of.id, &request, "control-queue-released").await
        }
        Args::Remove(of) => {
            let request = Request::QueueRemove { id: of.id.clone() };
            asking.act(&of.id, &request, "control-queue-removed").await
        }
    }
}

fn list(answers: &[From<Vec<Queued>>], asking: &Asking<'_>, output: &Output<'_>) -> Outcome {
    if output.json {
        return asking.json_list(answers);
    }
    let mut messages = answers.iter().flat_map(|from| &from.answer).peekable();
    if messages.peek().is_none() {
        output.note(&output.say("control-queue-empty", &[]));
    }
    messages.try_for_each(|message| show(message, output))
}

fn show(message: &Queued, output: &Output<'_>) -> Outcome {
    let key = if message.sender.is_empty() {
        "control-queued-report"
    } else {
        "control-queued"
    };
    output.line(&output.say(
        key,
        &[
            ("id", &visible(&message.id)),
            ("sender", &visible(&message.sender)),
            ("accepted", &visible(&message.accepted)),
            ("bytes", &message.bytes.to_string()),
        ],
    ))?;
    message
        .recipients
        .iter()
        .try_for_each(|recipient| show_recipient(recipient, output))
}

fn show_recipient(recipient: &QueuedRecipient, output: &Output<'_>) -> Outcome {
    let due = recipient.due.as_deref().unwrap_or_default();
    let key = match recipient.state.as_str() {
        "held" => "control-queued-held",
        "delivered" => "control-queued-delivered",
        "failed" => "control-queued-failed",
        "removed" => "control-queued-removed",
        _ if due.is_empty() => "control-queued-now",
        _ => "control-queued-waiting",
    };
    let said = output.say(
        key,
        &[
            ("address", &visible(&recipient.address)),
            ("attempts", &recipient.attempts.to_string()),
            ("due", &visible(due)),
        ],
    );
    output.line(&format!("  {said}"))?;
    match recipient.words.as_str() {
        "" => Ok(()),
        words => output.line(&format!("    {}", visible(words))),
    }
}
