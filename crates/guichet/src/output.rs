//! What the program says and how it ends: the one place that prints errors and picks exit codes.
//!
//! Results go to standard output, everything else to standard error. A reader that goes away
//! (`guichet … | head`) ends the program quietly.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use guichet_trace::visible;
use serde::{Deserialize, Serialize};

use crate::texts::Texts;

/// A text of the catalogue with its arguments, to be said in whatever language the reader has.
/// It can cross the control socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    key: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    args: Vec<(Cow<'static, str>, Arg)>,
}

/// What fills a place of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Arg {
    /// As it is, with control characters made visible.
    Text(String),
    /// Another text of the catalogue.
    Message(Message),
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Message> for Arg {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<&std::path::Path> for Arg {
    fn from(path: &std::path::Path) -> Self {
        Self::Text(path.display().to_string())
    }
}

impl From<&io::Error> for Arg {
    fn from(error: &io::Error) -> Self {
        Self::Message(Message::io(error))
    }
}

impl Message {
    /// The text `key` of the catalogue.
    pub fn new(key: impl Into<Cow<'static, str>>) -> Self {
        Self {
            key: key.into(),
            args: Vec::new(),
        }
    }

    /// Fills the place `name`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Arg>) -> Self {
        self.args.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// Fills the place `name` with a number or anything else that is shown as text.
    #[must_use]
    pub fn with_shown(self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.with(name, value.to_string())
    }

    /// Which text it is.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The operating system's complaint in the reader's language, where it is a common one.
    pub fn io(error: &io::Error) -> Self {
        let key = match error.kind() {
            ErrorKind::NotFound => "error-io-not-found",
            ErrorKind::PermissionDenied => "error-io-permission",
            ErrorKind::AlreadyExists => "error-io-exists",
            ErrorKind::AddrInUse => "error-io-address-in-use",
            ErrorKind::AddrNotAvailable => "error-io-address-not-here",
            ErrorKind::ConnectionRefused => "error-io-refused",
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "error-io-reset",
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "error-io-unreachable",
            ErrorKind::TimedOut => "error-io-timed-out",
            ErrorKind::StorageFull => "error-io-full",
            ErrorKind::UnexpectedEof => "error-io-ended",
            ErrorKind::InvalidData => "error-io-not-text",
            ErrorKind::IsADirectory => "error-io-folder",
            _ => return Self::new("error-io-other").with("detail", error.to_string()),
        };
        Self::new(key)
    }

    /// Its words in the language of `texts`, on one line, safe for a terminal.
    pub fn said(&self, texts: &Texts) -> String {
        let args: Vec<(&str, String)> = self
            .args
            .iter()
            .map(|(name, arg)| match arg {
                Arg::Text(text) => (&**name, visible(text)),
                Arg::Message(message) => (&**name, message.said(texts)),
            })
            .collect();
        let args: Vec<(&str, &str)> = args
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        texts.say(&self.key, &args)
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub enum Failure {
    /// The thing asked for failed: refused, not found, timed out. Exit code 1.
    Failed(Message),
    /// The command line or the configuration is wrong. Exit code 2.
    Wrong(Vec<Message>),
    /// As [`Failure::Failed`], and everything has been said already.
    Told,
    /// As a command that was run ended: with this code.
    Code(u8),
    /// The reader of standard output went away; nothing is wrong.
    NobodyReads,
}

impl Failure {
    /// The thing asked for failed.
    pub fn failed(message: Message) -> Self {
        Self::Failed(message)
    }

    /// Its words, whatever the exit code, for a program that goes on.
    pub fn into_message(self) -> Message {
        match self {
            Self::Failed(message) => message,
            Self::Wrong(messages) => messages
                .into_iter()
                .next()
                .unwrap_or_else(|| Message::new("error-unknown")),
            Self::Told | Self::Code(_) | Self::NobodyReads => Message::new("error-unknown"),
        }
    }

    /// A file that the command line or the configuration names cannot be read.
    pub fn unreadable(file: &std::path::Path, error: &io::Error) -> Self {
        let message = Message::new("error-read").with("file", file);
        Self::wrong(message.with("why", error))
    }

    /// The command line or the configuration is wrong.
    pub fn wrong(message: Message) -> Self {
        Self::Wrong(vec![message])
    }
}

/// What a command comes to.
pub type Outcome = Result<(), Failure>;

/// Where a command's words go, and in which form.
pub struct Output<'t> {
    /// The reader's language.
    pub texts: &'t Texts,
    /// For a program rather than a person.
    pub json: bool,
    /// Without the steps on standard error.
    pub quiet: bool,
}

impl<'t> Output<'t> {
    /// The text `key` of the catalogue.
    pub fn say(&self, key: &str, args: &[(&str, &str)]) -> String {
        self.texts.say(key, args)
    }

    /// One line of the result, on standard output.
    ///
    /// # Errors
    /// As [`Output::bytes`].
    pub fn line(&self, text: &str) -> Outcome {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// A part of the result, on standard output, at once.
    ///
    /// # Errors
    /// [`Failure::NobodyReads`] when the reader went away, [`Failure::Failed`] when nothing can be
    /// written.
    pub fn bytes(&self, bytes: &[u8]) -> Outcome {
        let mut out = io::stdout().lock();
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|error| match error.kind() {
                ErrorKind::BrokenPipe => Failure::NobodyReads,
                _ => Failure::failed(Message::new("error-stdout").with("why", &error)),
            })
    }

    /// One JSON document on one line of standard output.
    ///
    /// # Errors
    /// As [`Output::bytes`].
    pub fn json(&self, value: &impl Serialize) -> Outcome {
        let text = serde_json::to_string(value).map_err(|error| {
            Failure::failed(Message::new("error-json").with("detail", error.to_string()))
        })?;
        self.line(&text)
    }

    /// A step or a remark for people, on standard error; nothing with `-q`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            warn(text);
        }
    }

    /// Something that went wrong but does not end the command, on standard error.
    pub fn warn(&self, message: &Message) {
        warn(&message.said(self.texts));
    }

    /// Ends a command: says what went wrong, and picks the exit code.
    pub fn end(&self, outcome: Outcome) -> ExitCode {
        match outcome {
            Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
            Err(Failure::Told) => ExitCode::from(1),
            Err(Failure::Code(code)) => ExitCode::from(code),
            Err(Failure::Failed(message)) => {
                warn(&message.said(self.texts));
                ExitCode::from(1)
            }
            Err(Failure::Wrong(messages)) => {
                for message in messages {
                    warn(&message.said(self.texts));
                }
                ExitCode::from(2)
            }
        }
    }
}

/// What a drawing on standard output may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Box characters and arrows.
    pub unicode: bool,
}

impl Look {
    /// Without a terminal that says its width.
    const USUAL_WIDTH: usize = 100;

    /// The width of the terminal (or `COLUMNS`), and the characters of the locale.
    pub fn here() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let asked = || variable("COLUMNS").and_then(|columns| columns.parse().ok());
        let terminal = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let width = terminal
            .map(|size| usize::from(size.ws_col))
            .filter(|&width| width > 0);
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| variable(name));
        let unicode = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self {
            width: width.or_else(asked).unwrap_or(Self::USUAL_WIDTH),
            unicode,
        }
    }
}

/// A line on standard error. That it cannot be written can be told to nobody.
fn warn(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn a_hostile_name_stays_on_its_line() {
        let error = io::Error::from(ErrorKind::NotFound);
        let message = Message::new("error-read")
            .with("file", "a\x1b[2J\nb")
            .with("why", &error);
        let said = message.said(&Texts::new(Language::English));
        assert!(said.contains("a\\x1b[2J\\nb"), "{said}");
        assert!(said.contains("does not exist"), "{said}");
    }

    #[test]
    fn a_message_crosses_a_socket_and_is_said_in_the_readers_language() {
        let inner = Message::new("error-io-refused");
        let message = Message::new("error-read")
            .with("file", "x")
            .with("why", inner);
        let wire = serde_json::to_string(&message).unwrap();
        let back: Message = serde_json::from_str(&wire).unwrap();
        assert_eq!(back, message);
        let french = Texts::new(Language::French);
        assert_eq!(back.said(&french), message.said(&french));
        assert_ne!(
            back.said(&french),
            message.said(&Texts::new(Language::English))
        );
    }
}
