//! Help in the reader's language: every text of the declared commands comes from the catalogue.

use clap::{Arg, ArgAction, CommandFactory};

use super::Cli;
use crate::texts::Texts;

/// The command line's declaration with its help in the language of `texts`.
pub fn command(texts: &Texts) -> clap::Command {
    let heading = texts.say("cli-heading-every", &[]);
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help)
        .global(true);
    let version = Arg::new("version")
        .short('V')
        .long("version")
        .action(ArgAction::Version);
    let root = declared()
        .arg(help)
        .arg(version)
        .mut_args(|arg| match arg.is_global_set() {
            true => arg.help_heading(heading.clone()),
            false => arg,
        });
    localise(root, ROOT, texts)
}

const ROOT: &str = "cli-guichet";

/// The declaration without clap's own English additions.
fn declared() -> clap::Command {
    Cli::command()
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
}

fn localise(command: clap::Command, key: &str, texts: &Texts) -> clap::Command {
    let usage = texts.say("cli-heading-usage", &[]);
    let command = command
        .about(texts.say(key, &[]))
        .long_about(None)
        .help_template(format!(
            "{{about-with-newline}}\n{usage} {{usage}}\n\n{{all-args}}\n"
        ))
        .subcommand_help_heading(texts.say("cli-heading-commands", &[]))
        .subcommand_value_name(texts.say("cli-value-command", &[]))
        .mut_args(|arg| {
            let help = texts.say(&argument_key(key, &arg), &[]);
            let heading = match arg.get_help_heading() {
                Some(heading) => heading.to_owned(),
                None if arg.is_positional() => texts.say("cli-heading-arguments", &[]),
                None => texts.say("cli-heading-options", &[]),
            };
            // What is possible and what holds by default is said by the help itself.
            let valued = arg.get_action().takes_values();
            arg.help(help)
                .long_help(None)
                .hide_possible_values(valued)
                .hide_default_value(valued)
                .help_heading(heading)
        });
    command.mut_subcommands(|inner| {
        let key = inner_key(key, &inner);
        localise(inner.disable_help_subcommand(true), &key, texts)
    })
}

fn argument_key(command: &str, arg: &Arg) -> String {
    format!("{command}.{}", arg.get_id())
}

fn inner_key(outer: &str, inner: &clap::Command) -> String {
    let outer = if outer == ROOT { "cli" } else { outer };
    format!("{outer}-{}", inner.get_name())
}

/// Every text of the catalogue that belongs to the declaration.
pub fn text_keys() -> Vec<String> {
    fn collect(command: &clap::Command, key: &str, keys: &mut Vec<String>) {
        keys.push(key.to_owned());
        keys.extend(command.get_arguments().map(|arg| argument_key(key, arg)));
        for inner in command.get_subcommands() {
            collect(inner, &inner_key(key, inner), keys);
        }
    }
    let mut keys = vec![format!("{ROOT}.help"), format!("{ROOT}.version")];
    collect(&declared(), ROOT, &mut keys);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn nothing_is_without_help() {
        for (language, tag) in Language::ALL {
            let texts = Texts::new(language);
            let missing: Vec<_> = text_keys()
                .into_iter()
                .filter(|key| texts.find(key, &[]).is_none())
                .collect();
            assert!(missing.is_empty(), "{tag}: {missing:#?}");
        }
    }

    #[test]
    fn help_is_in_one_language() {
        let french = command(&Texts::new(Language::French))
            .render_help()
            .to_string();
        for english in ["Usage:", "Options:", "Commands:", "Print help"] {
            assert!(!french.contains(english), "{english} in {french}");
        }
    }
}
