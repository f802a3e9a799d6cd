//! `guichet completions SHELL`.

use crate::cli::{Completions, command};
use crate::output::{Outcome, Output};

/// Prints the script that completes command lines in a shell.
pub(super) fn run(args: Completions, output: &Output<'_>) -> Outcome {
    let mut script = Vec::new();
    let mut declared = command(output.texts);
    clap_complete::generate(args.shell, &mut declared, "guichet", &mut script);
    output.bytes(&script)
}
