//! `cargo xtask storm`: long runs under faults.
//!
//! Each storm is an ordinary integration test that reads its number of rounds from a variable: the
//! test command runs a few rounds of it every time, this command as many as asked for.

use crate::{End, asked_for_help, run};

const HELP: &str = "\
cargo xtask storm NAME [--rounds N]

  kill   kill -9 the mail server while letters arrive; nothing acknowledged may be lost
";

struct Storm {
    name: &'static str,
    test: &'static str,
    rounds: u32,
}

const STORMS: &[Storm] = &[Storm {
    name: "kill",
    test: "survival",
    rounds: 50,
}];

/// Runs the command.
pub fn command(arguments: &[String]) -> End {
    if arguments.is_empty() {
        print!("{HELP}");
        return End::Well;
    }
    if asked_for_help(arguments, HELP) {
        return End::Well;
    }
    let Some((storm, rounds)) = chosen(arguments) else {
        eprintln!("{HELP}");
        return End::Usage;
    };
    println!("storm {}: {rounds} rounds", storm.name);
    let words = [
        "test",
        "-p",
        "guichet",
        "--test",
        storm.test,
        "--",
        "--nocapture",
    ];
    let mut command = run::cargo(&words);
    command.env("GUICHET_STORM_ROUNDS", rounds.to_string());
    End::when(run::succeeds(&mut command))
}

fn chosen(arguments: &[String]) -> Option<(&'static Storm, u32)> {
    let (name, rest) = arguments.split_first()?;
    let storm = STORMS.iter().find(|storm| storm.name == name)?;
    let rounds = match rest {
        [] => storm.rounds,
        [option, number] if option == "--rounds" => number.parse().ok().filter(|n| *n > 0)?,
        _ => return None,
    };
    Some((storm, rounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(line: &str) -> Option<u32> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        chosen(&words).map(|(_, rounds)| rounds)
    }

    #[test]
    fn a_storm_is_chosen_by_name_with_its_rounds() {
        assert_eq!(rounds("kill"), Some(50));
        assert_eq!(rounds("kill --rounds 7"), Some(7));
        assert_eq!(rounds("kill --rounds none"), None);
        assert_eq!(rounds("kill --rounds 0"), None);
        assert_eq!(rounds("wind"), None);
    }
}
