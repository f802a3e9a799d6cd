//! What is wrong with a command line, in a sentence; clap finds it, but knows only English.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::output::{Failure, Message, Outcome, Output};

/// A command line that leads to no command.
#[derive(Debug)]
pub struct Unparsed(pub(super) clap::Error);

impl Unparsed {
    /// Prints the help asked for, or says what is wrong.
    ///
    /// # Errors
    /// [`Failure::Wrong`] for a wrong command line.
    pub fn tell(self, output: &Output<'_>) -> Outcome {
        match self.0.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                output.bytes(self.0.render().to_string().as_bytes())
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                output.note(self.0.render().to_string().trim_end());
                Err(Failure::Wrong(Vec::new()))
            }
            _ => Err(Failure::Wrong(vec![
                self.message(),
                Message::new("cli-error-see-help"),
            ])),
        }
    }

    fn message(&self) -> Message {
        let argument = || self.context(ContextKind::InvalidArg);
        let value = || self.context(ContextKind::InvalidValue);
        match self.0.kind() {
            ErrorKind::UnknownArgument => self.with_suggestion(
                Message::new("cli-error-unknown-argument").with("argument", argument()),
                ContextKind::SuggestedArg,
            ),
            ErrorKind::InvalidSubcommand => self.with_suggestion(
                Message::new("cli-error-unknown-command")
                    .with("command", self.context(ContextKind::InvalidSubcommand)),
                ContextKind::SuggestedSubcommand,
            ),
            ErrorKind::MissingSubcommand => Message::new("cli-error-no-command"),
            ErrorKind::InvalidValue if value().is_empty() => {
                Message::new("cli-error-no-value").with("argument", argument())
            }
            ErrorKind::InvalidValue => Message::new("cli-error-value-not-one-of")
                .with("argument", argument())
                .with("value", value())
                .with("known", self.context(ContextKind::ValidValue)),
            ErrorKind::ValueValidation => Message::new("cli-error-value")
                .with("argument", argument())
                .with("value", value()),
            ErrorKind::MissingRequiredArgument => {
                Message::new("cli-error-missing").with("arguments", argument())
            }
            ErrorKind::ArgumentConflict => Message::new("cli-error-conflict")
                .with("argument", argument())
                .with("other", self.context(ContextKind::PriorArg)),
            ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => {
                Message::new("cli-error-too-many").with("argument", argument())
            }
            ErrorKind::TooFewValues | ErrorKind::NoEquals => {
                Message::new("cli-error-no-value").with("argument", argument())
            }
            ErrorKind::InvalidUtf8 => Message::new("cli-error-not-text"),
            _ => Message::new("cli-error-other").with("detail", self.0.to_string()),
        }
    }

    fn with_suggestion(&self, message: Message, kind: ContextKind) -> Message {
        match self.context(kind) {
            suggested if suggested.is_empty() => message,
            suggested => Message::new("cli-error-suggestion")
                .with("what", message)
                .with("suggested", suggested),
        }
    }

    /// What clap knows about the mistake; empty if nothing.
    fn context(&self, kind: ContextKind) -> String {
        match self.0.get(kind) {
            Some(ContextValue::String(text)) => text.clone(),
            Some(ContextValue::Strings(texts)) => texts.join(", "),
            _ => String::new(),
        }
    }
}
