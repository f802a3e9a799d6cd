//! What the commands do: one file each.

mod check;
mod completions;
mod explain;

use std::path::PathBuf;

use crate::cli::{Cli, Command, Global};
use crate::config::FILE_NAME;
use crate::output::{Outcome, Output};

/// Does what a parsed command line asks for.
///
/// # Errors
/// Whatever ends the command with another code than 0.
pub fn run(cli: Cli, output: &Output<'_>) -> Outcome {
    let global = &cli.global;
    match cli.command {
        Command::Explain(args) => explain::run(args, output),
        Command::Check => check::run(global, output),
        Command::Completions(args) => completions::run(args, output),
    }
}

/// The configuration a command works with: `--config`, else `guichet.toml` in `--dir`, in
/// `GUICHET_DIR` or in the current folder.
pub fn config_file(global: &Global) -> PathBuf {
    let folder = || {
        let named = global.dir.clone();
        named
            .or_else(|| std::env::var_os("GUICHET_DIR").map(PathBuf::from))
            .unwrap_or_default()
    };
    global
        .config
        .clone()
        .unwrap_or_else(|| folder().join(FILE_NAME))
}
