//! Which command is legal in which state (RFC 1939 sections 4 to 6): one table for both sides.

/// Where a dialogue stands (RFC 1939 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody is logged in.
    Authorization,
    /// The maildrop is open and locked.
    Transaction,
    /// QUIT was said in the transaction state: what is marked is deleted.
    Update,
}

impl Stage {
    /// Its name in the trace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Transaction => "transaction",
            Self::Update => "update",
        }
    }
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is its word, see `TABLE`
pub enum Command {
    Capa,
    Stls,
    Auth,
    User,
    Pass,
    Stat,
    List,
    Uidl,
    Retr,
    Top,
    Dele,
    Rset,
    Noop,
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
    /// How many arguments it takes, from … to.
    pub arguments: (usize, usize),
    /// How it is used, for people who type.
    pub usage: &'static str,
}

const BEFORE: &[Stage] = &[Stage::Authorization];
const INSIDE: &[Stage] = &[Stage::Transaction];
const BOTH: &[Stage] = &[Stage::Authorization, Stage::Transaction];

/// The table. The argument of PASS is the rest of its line (RFC 1939 section 7), hence one.
pub const TABLE: [Row; 14] = [
    row(Command::Capa, "CAPA", BOTH, (0, 0), "CAPA"),
    row(Command::Stls, "STLS", BEFORE, (0, 0), "STLS"),
    row(Command::Auth, "AUTH", BEFORE, (0, 2), "AUTH PLAIN"),
    row(Command::User, "USER", BEFORE, (1, 1), "USER name@domain"),
    row(Command::Pass, "PASS", BEFORE, (1, 1), "PASS password"),
    row(Command::Stat, "STAT", INSIDE, (0, 0), "STAT"),
    row(Command::List, "LIST", INSIDE, (0, 1), "LIST [number]"),
    row(Command::Uidl, "UIDL", INSIDE, (0, 1), "UIDL [number]"),
    row(Command::Retr, "RETR", INSIDE, (1, 1), "RETR number"),
    row(Command::Top, "TOP", INSIDE, (2, 2), "TOP number lines"),
    row(Command::Dele, "DELE", INSIDE, (1, 1), "DELE number"),
    row(Command::Rset, "RSET", INSIDE, (0, 0), "RSET"),
    row(Command::Noop, "NOOP", INSIDE, (0, 0), "NOOP"),
    row(Command::Quit, "QUIT", BOTH, (0, 0), "QUIT"),
];

const fn row(
    command: Command,
    word: &'static str,
    legal_in: &'static [Stage],
    arguments: (usize, usize),
    usage: &'static str,
) -> Row {
    Row {
        command,
        word,
        legal_in,
        arguments,
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

    /// Reads a word in any case (RFC 1939 section 3).
    pub fn parse(word: &str) -> Option<Self> {
        let row = TABLE.iter().find(|row| row.word.eq_ignore_ascii_case(word));
        row.map(|row| row.command)
    }
}

impl Row {
    /// What to do instead of saying it at `stage`. `None`: it is legal there.
    pub fn refusal_at(&self, stage: Stage) -> Option<&'static str> {
        match (self.legal_in.contains(&stage), stage) {
            (true, _) => None,
            (false, Stage::Authorization) => Some("log in first: USER name@domain, then PASS"),
            (false, _) => Some("you are logged in already; QUIT ends the session"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_their_command_looks() {
        for row in &TABLE {
            assert_eq!(row.command.row().word, row.word);
            assert_eq!(Command::parse(&row.word.to_lowercase()), Some(row.command));
        }
        assert_eq!(Command::parse("APOP"), None);
    }
}
