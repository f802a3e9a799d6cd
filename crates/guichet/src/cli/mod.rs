//! The command line: which commands and options there are. Their help is in the catalogue:
//! `cli-account-add` says what the command does, its `.login` what the argument is.
//!
//! Only what exists is declared. What a command does is in [`crate::commands`].

mod commands;
mod help;
mod refuse;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, FromArgMatches, Parser};

pub use commands::*;
pub use help::{command, text_keys};
pub use refuse::Unparsed;

use crate::texts::{Language, Texts};

/// A parsed command line.
#[derive(Debug, Parser)]
#[command(name = "guichet", version)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    #[arg(long, global = true, value_name = "LANG", value_parser = ["en", "fr"])]
    /// The language, which [`language`] has looked for before.
    pub lang: Option<String>,
    /// Answer for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// Without the steps on standard error.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Control sockets of the instances to talk to.
    #[arg(long, global = true, value_name = "PATH")]
    pub control: Vec<PathBuf>,
    /// The configuration.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of an instance or of the lab.
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// One organisation of the lab.
    #[arg(long, global = true, value_name = "DOMAIN")]
    pub org: Option<String>,
}

/// The language to speak: that of `--lang`, else the locale's. Asked before the command line is
/// parsed, because what is wrong with it must be said too.
pub fn language(arguments: &[OsString], environment: impl Fn(&str) -> Option<String>) -> Language {
    let words = || arguments.iter().map(|argument| argument.to_string_lossy());
    let mut own = words().take_while(|word| word != "--");
    let mut chosen = None;
    while let Some(word) = own.next() {
        if word == "--lang" {
            chosen = own.next();
        } else if let Some(tag) = word.strip_prefix("--lang=") {
            chosen = Some(tag.to_owned().into());
        }
    }
    chosen
        .and_then(|tag| Language::from_tag(&tag))
        .unwrap_or_else(|| Language::of_locale(environment))
}

/// Parses a command line, the program's name first.
///
/// # Errors
/// [`Unparsed`]: help was asked for, or something is wrong.
pub fn parse(arguments: Vec<OsString>, texts: &Texts) -> Result<Cli, Unparsed> {
    let matches = command(texts)
        .try_get_matches_from(arguments)
        .map_err(Unparsed)?;
    Cli::from_arg_matches(&matches).map_err(Unparsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_language_is_known_before_the_rest() {
        let french = |name: &str| (name == "LANG").then(|| "fr_FR.UTF-8".to_owned());
        assert_eq!(language(&words("guichet check"), french), Language::French);
        assert_eq!(
            language(&words("guichet --lang en check"), french),
            Language::English
        );
        assert_eq!(
            language(&words("guichet check --lang=en"), french),
            Language::English
        );
        assert_eq!(
            language(&words("guichet lab -- x --lang en"), french),
            Language::French
        );
        assert_eq!(
            language(&words("guichet --lang"), |_| None),
            Language::English
        );
    }

    #[test]
    fn the_declaration_holds_together() {
        for (tongue, _) in Language::ALL {
            command(&Texts::new(tongue)).debug_assert();
        }
    }
}
