//! The chores of this project: `cargo xtask test`, `tidy`, `ci`, `storm`.
//!
//! Standard library only, so that it compiles in seconds on a machine with nothing but Rust. It
//! runs other programs and reads the project's files; it contains no test of the product itself
//! (those live in the crates) and knows no protocol.

mod ci;
mod clients;
mod run;
mod skips;
mod storm;
mod test;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  test [--no-install] [-- ARGUMENTS OF cargo test]
         the test command: installs missing real clients where it may, then runs every test
  tidy   checks the layering and the house rules, file by file
  ci     fmt, clippy, tidy, test, docs and cargo-deny: what a change must pass
  storm NAME [--rounds N]
         long runs under faults; `cargo xtask storm` lists them

Each ends with 0 (all well), 1 (something failed) or 2 (the command line is wrong).
`cargo xtask COMMAND --help` says more.
";

/// How a command ended, and what the process says with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything asked for was done and was well.
    Well,
    /// Something was found wrong, or could not be done.
    Failed,
    /// The command line could not be understood.
    Usage,
}

impl End {
    /// Well, or failed.
    pub fn when(well: bool) -> Self {
        if well { Self::Well } else { Self::Failed }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments.as_slice()),
    };
    let end = match command {
        "test" => test::command(rest),
        "tidy" => tidy::command(rest),
        "ci" => ci::command(rest),
        "storm" => storm::command(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            End::Well
        }
        other => {
            eprintln!("There is no command `{other}`.\n\n{HELP}");
            End::Usage
        }
    };
    match end {
        End::Well => ExitCode::SUCCESS,
        End::Failed => ExitCode::from(1),
        End::Usage => ExitCode::from(2),
    }
}

/// Prints `help` and says so when one of the arguments before `--` asks for it.
pub fn asked_for_help(arguments: &[String], help: &str) -> bool {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    let asked = own
        .into_iter()
        .any(|argument| argument == "--help" || argument == "-h");
    if asked {
        print!("{help}");
    }
    asked
}
