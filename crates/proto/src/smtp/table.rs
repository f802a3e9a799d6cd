//! Which command is legal at which stage: one table for both sides.
//!
//! The server answers illegal order from it (503) and lists it to who asks for HELP; the client has
//! its words from it, and groups its commands by it (RFC 2920 3.1).

/// Where a dialogue stands, as both sides see it (RFC 5321 4.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No EHLO or HELO yet, or forgotten by STARTTLS.
    Connected,
    /// No transaction is open.
    Ready,
    /// MAIL was accepted, no recipient yet.
    Sender,
    /// At least one recipient was accepted.
    Recipients,
    /// A chunk was accepted; only chunks may follow (RFC 3030 section 2).
    Chunks,
    /// A chunk was refused; only RSET helps (RFC 3030 section 2).
    Broken,
}

impl Stage {
    /// All stages, in the order a letter goes through them.
    pub const ALL: [Self; 6] = [
        Self::Connected,
        Self::Ready,
        Self::Sender,
        Self::Recipients,
        Self::Chunks,
        Self::Broken,
    ];

    /// Its name in the trace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Ready => "ready",
            Self::Sender => "sender",
            Self::Recipients => "recipients",
            Self::Chunks => "chunks",
            Self::Broken => "broken",
        }
    }
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is its word, see `TABLE`
pub enum Command {
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
}

/// What the table says of a command.
#[derive(Debug)]
pub struct Row {
    /// The command.
    pub command: Command,
    /// Its word on the wire.
    pub word: &'static str,
    /// Where it is legal.
    pub legal_in: &'static [Stage],
    /// What to do first, said with 503 everywhere else.
    pub otherwise: &'static str,
    /// Nothing may be sent behind it before its reply (RFC 2920 3.1, RFC 3207 section 4).
    pub ends_group: bool,
    /// How it is used, for people who type.
    pub usage: &'static str,
}

use Stage::{Chunks, Connected, Ready, Recipients, Sender};

const ALWAYS: &[Stage] = &Stage::ALL;
const IDLE: &[Stage] = &[Connected, Ready];

/// The table.
pub const TABLE: [Row; 14] = [
    row(
        Command::Ehlo,
        "EHLO",
        ALWAYS,
        "",
        true,
        "EHLO your-host-name",
    ),
    row(
        Command::Helo,
        "HELO",
        ALWAYS,
        "",
        true,
        "HELO your-host-name",
    ),
    row(
        Command::StartTls,
        "STARTTLS",
        IDLE,
        "finish the letter or say RSET first",
        true,
        "STARTTLS",
    ),
    row(
        Command::Auth,
        "AUTH",
        &[Ready],
        "say EHLO first, and log in before MAIL",
        true,
        "AUTH PLAIN",
    ),
    row(
        Command::Mail,
        "MAIL",
        &[Ready],
        "say EHLO first; a letter already begun ends with DATA or RSET",
        false,
        "MAIL FROM:<you@your.domain>",
    ),
    row(
        Command::Rcpt,
        "RCPT",
        &[Sender, Recipients],
        "say MAIL FROM:<you@your.domain> first",
        false,
        "RCPT TO:<somebody@some.domain>",
    ),
    row(
        Command::Data,
        "DATA",
        &[Recipients],
        "no recipient has been accepted; say MAIL and RCPT first",
        true,
        "DATA, the letter, then a line with nothing but a dot",
    ),
    row(
        Command::Bdat,
        "BDAT",
        &[Recipients, Chunks],
        "no recipient has been accepted, or a chunk has been refused",
        false,
        "BDAT count [LAST], then that many bytes",
    ),
    row(
        Command::Rset,
        "RSET",
        ALWAYS,
        "",
        false,
        "RSET forgets the letter begun",
    ),
    row(Command::Noop, "NOOP", ALWAYS, "", true, "NOOP"),
    row(Command::Vrfy, "VRFY", ALWAYS, "", true, "VRFY name"),
    row(
        Command::Expn,
        "EXPN",
        ALWAYS,
        "",
        true,
        "EXPN list (not offered)",
    ),
    row(Command::Help, "HELP", ALWAYS, "", true, "HELP"),
    row(Command::Quit, "QUIT", ALWAYS, "", true, "QUIT"),
];

const fn row(
    command: Command,
    word: &'static str,
    legal_in: &'static [Stage],
    otherwise: &'static str,
    ends_group: bool,
    usage: &'static str,
) -> Row {
    Row {
        command,
        word,
        legal_in,
        otherwise,
        ends_group,
        usage,
    }
}

impl Command {
    /// Its row.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// Whether its argument says who or how much, and so may stand in every trace.
    pub fn shows_argument(self) -> bool {
        use Command::{Bdat, Ehlo, Expn, Helo, Mail, Rcpt, Vrfy};
        matches!(self, Ehlo | Helo | Mail | Rcpt | Vrfy | Expn | Bdat)
    }

    /// Whether it may be said now.
    pub fn is_legal_in(self, stage: Stage) -> bool {
        self.row().legal_in.contains(&stage)
    }

    /// Reads a word in any case (RFC 5321 2.4).
    pub fn parse(word: &str) -> Option<Self> {
        let row = TABLE.iter().find(|row| row.word.eq_ignore_ascii_case(word));
        row.map(|row| row.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_their_command_looks() {
        for row in &TABLE {
            assert_eq!(row.command.row().word, row.word);
            assert_eq!(Command::parse(row.word), Some(row.command));
            let has_words = row.legal_in.len() == Stage::ALL.len() || !row.otherwise.is_empty();
            assert!(has_words, "{}", row.word);
        }
        assert_eq!(Command::parse("starttls"), Some(Command::StartTls));
        assert_eq!(Command::parse("TURN"), None);
    }
}
