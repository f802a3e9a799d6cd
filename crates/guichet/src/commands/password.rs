//! Passwords from people: typed unseen at a terminal, or read from a pipe or a file. Never from
//! the command line, where every other user of the computer could read them.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::output::{Failure, Message, Output};

/// Longer ones are refused: hashing them would keep the server busy.
const LENGTH_MAX_BYTES: usize = 1024;

/// A password to be set: asked for twice at a terminal, else the first line of standard input.
///
/// # Errors
/// [`Failure::Wrong`] if there is none, it is too long, or the two differ.
pub fn new(output: &Output<'_>, login: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return checked(line()?);
    }
    let login = guichet_trace::visible(login);
    let first = typed(&output.say("control-password-new", &[("login", &login)]))?;
    repeated(first, output)
}

/// The password of the first account of all: as [`new`], and `None` where none is given, so that
/// one is drawn.
///
/// # Errors
/// [`Failure::Wrong`] if it is too long, or the two differ.
pub fn first(output: &Output<'_>, login: &str) -> Result<Option<String>, Failure> {
    if !io::stdin().is_terminal() {
        let line = line()?;
        return match line.is_empty() {
            true => Ok(None),
            false => checked(line).map(Some),
        };
    }
    let login = guichet_trace::visible(login);
    let first = typed(&output.say("control-password-first", &[("login", &login)]))?;
    match first.is_empty() {
        true => Ok(None),
        false => repeated(first, output).map(Some),
    }
}

fn repeated(first: String, output: &Output<'_>) -> Result<String, Failure> {
    let second = typed(&output.say("control-password-again", &[]))?;
    if first != second {
        return Err(Failure::wrong(Message::new("control-password-differs")));
    }
    checked(first)
}

/// The password of an account that exists: `GUICHET_PASSWORD`, else the first line of `file`, else
/// asked for at a terminal.
///
/// # Errors
/// [`Failure::Wrong`] if there is none.
pub fn of(output: &Output<'_>, login: &str, file: Option<&Path>) -> Result<String, Failure> {
    if let Ok(password) = std::env::var("GUICHET_PASSWORD") {
        return Ok(password);
    }
    if let Some(file) = file {
        let text =
            std::fs::read_to_string(file).map_err(|error| Failure::unreadable(file, &error))?;
        return checked(text.lines().next().unwrap_or_default().to_owned());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::wrong(
            Message::new("control-password-none").with("login", login),
        ));
    }
    let login = guichet_trace::visible(login);
    checked(typed(
        &output.say("control-password", &[("login", &login)]),
    )?)
}

fn checked(password: String) -> Result<String, Failure> {
    match password.len() {
        0 => Err(Failure::wrong(Message::new("control-password-empty"))),
        length if length > LENGTH_MAX_BYTES => Err(Failure::wrong(
            Message::new("control-password-long").with_shown("most", LENGTH_MAX_BYTES),
        )),
        _ => Ok(password),
    }
}

/// Asks on standard error and reads a line that the terminal does not show.
fn typed(prompt: &str) -> Result<String, Failure> {
    // That a prompt cannot be written does not keep anybody from typing.
    let _ = write!(io::stderr(), "{prompt} ");
    let unseen = Unseen::begin();
    let line = line();
    drop(unseen);
    let _ = writeln!(io::stderr());
    line
}

fn line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::wrong(Message::new("error-stdin").with("why", &error)))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal without echo, until it is dropped.
struct Unseen(Option<Termios>);

impl Unseen {
    fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &silent);
        }
        Self(before)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}
