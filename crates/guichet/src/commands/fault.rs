//! `guichet fault`: something goes wrong on purpose in the lab that runs.

use serde_json::json;

use super::asking::Asking;
use crate::cli::{Fault as Args, Global};
use crate::control::Request;
use crate::control::requests::Done;
use crate::output::{Failure, Outcome, Output};

/// The refusal of a fault that the lab does not know: a wrong command line, not a failure.
const UNKNOWN: &str = "lab-fault-unknown";

/// Has the lab do it.
pub(super) async fn run(args: &Args, global: &Global, output: &Output<'_>) -> Outcome {
    // The fault says itself which organisation it concerns; the lab does it.
    let whole = Global {
        org: None,
        ..global.clone()
    };
    let request = Request::Fault {
        spec: args.spec.clone(),
    };
    for control in Asking::new(&whole, output)?.whole() {
        let _: Done = control
            .ask(&request)
            .await
            .map_err(|message| match message.key() {
                UNKNOWN => Failure::wrong(message),
                _ => Failure::failed(message),
            })?;
    }
    match output.json {
        true => output.json(&json!({})),
        false => output.line(&done(&args.spec, output)),
    }
}

/// What is different now, and how it becomes as before.
fn done(spec: &str, output: &Output<'_>) -> String {
    let target = spec.split_once('=').map_or(spec, |(_, target)| target);
    match target.split_once('.') {
        Some((name, service)) => {
            output.say("lab-fault-service", &[("name", name), ("service", service)])
        }
        None => output.say("lab-fault-organisation", &[("name", target)]),
    }
}
