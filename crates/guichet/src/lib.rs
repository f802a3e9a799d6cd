//! The binary's inside: commands, configuration, control socket and the words for people.
//!
//! This is the one crate that knows all the others, and where they are put together. It holds no
//! protocol, no domain logic and no storage of its own.

pub mod cli;
pub mod clients;
pub mod commands;
pub mod config;
pub mod control;
pub mod founding;
pub mod lab;
mod nothing;
pub mod output;
pub mod recording;
pub mod serve;
pub mod texts;
pub mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use output::Output;
use texts::Texts;

/// Does what the command line asks for and says how it ended.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let environment = |name: &str| std::env::var(name).ok();
    let texts = Texts::new(cli::language(&arguments, environment));
    match cli::parse(arguments, &texts) {
        Ok(parsed) => {
            let global = &parsed.global;
            let output = Output {
                texts: &texts,
                json: global.json,
                quiet: global.quiet,
            };
            output.end(commands::run(parsed, &output))
        }
        Err(unparsed) => {
            let output = Output {
                texts: &texts,
                json: false,
                quiet: false,
            };
            output.end(unparsed.tell(&output))
        }
    }
}
