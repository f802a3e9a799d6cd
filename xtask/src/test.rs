//! `cargo xtask test`: the one test command.
//!
//! Installs the real clients that are missing, runs `cargo test --workspace` (unit tests, the
//! transcripts, and the integration tests that start the binary and real clients), then says how
//! many passed, failed and were skipped, and how long each part took.

use std::time::{Duration, Instant};

use crate::{End, asked_for_help, clients, run, skips};

const HELP: &str = "\
cargo xtask test [--no-install] [-- ARGUMENTS OF cargo test]

Runs every test. Real clients (dig, curl, swaks …) that are missing are installed first where that
is possible (as root, with apt-get); --no-install leaves the system as it is. A test whose client is
missing is skipped by name, and target/skips.txt lists all skips.

  cargo xtask test -- -p guichet-proto      only that crate
  cargo xtask test -- --test clients_dns    only that file
";

/// Runs the command.
pub fn command(arguments: &[String]) -> End {
    if asked_for_help(arguments, HELP) {
        return End::Well;
    }
    let (own, for_cargo) = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &arguments[..0]),
    };
    let mut install = true;
    for argument in own {
        match argument.as_str() {
            "--no-install" => install = false,
            other => {
                eprintln!("`{other}` is not an option of `test`.\n\n{HELP}");
                return End::Usage;
            }
        }
    }
    if install {
        clients::install_missing();
    }
    if !skips::begin() {
        return End::Failed;
    }
    let tally = everything(for_cargo);
    tally.show();
    for skip in skips::all() {
        println!("skipped: {skip}");
    }
    println!("{}", tally.summary(skips::all().len()));
    End::when(tally.well())
}

/// Runs `cargo test` over the workspace, or what `arguments` choose, and counts.
pub fn everything(arguments: &[String]) -> Tally {
    let begun = Instant::now();
    let mut words = vec!["test", "--no-fail-fast"];
    if arguments.is_empty() {
        words.push("--workspace");
    }
    words.extend(arguments.iter().map(String::as_str));
    let mut command = run::cargo(&words);
    command.env(skips::VARIABLE, skips::file());
    let mut tally = Tally::default();
    let well = run::succeeds_watched(&mut command, |line| tally.read(line));
    tally.cargo_failed = !well;
    tally.took = begun.elapsed();
    tally
}

/// What the closing lines of all test programs add up to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that did not run (`#[ignore]`); the house has none.
    pub ignored: usize,
    areas: Vec<(String, f64)>,
    cargo_failed: bool,
    took: Duration,
}

impl Tally {
    fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(program) = area(line) {
            self.areas.push((program, 0.0));
        }
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        self.passed += count(counts, "passed");
        self.failed += count(counts, "failed");
        self.ignored += count(counts, "ignored");
        let seconds = counts
            .rsplit_once("finished in ")
            .and_then(|(_, time)| time.trim_end_matches('s').parse::<f64>().ok());
        if let (Some(seconds), Some((_, took))) = (seconds, self.areas.last_mut()) {
            *took += seconds;
        }
    }

    /// All passed, and there was something to pass: a run that tests nothing is a failed run.
    pub fn well(&self) -> bool {
        !self.cargo_failed && self.failed == 0 && self.ignored == 0 && self.passed > 0
    }

    /// The time each test program took, longest first.
    pub fn show(&self) {
        let mut areas: Vec<_> = self.areas.iter().filter(|(_, took)| *took >= 0.1).collect();
        areas.sort_by(|one, other| other.1.total_cmp(&one.1));
        println!(
            "\nTime by area (with building {:.0} s):",
            self.took.as_secs_f64()
        );
        for (name, took) in areas {
            println!("{took:8.1} s  {name}");
        }
        if self.cargo_failed && self.failed == 0 {
            println!("cargo test failed outside the tests: see the errors above.");
        }
        if self.passed == 0 {
            println!("No test ran.");
        }
    }

    /// The closing line.
    pub fn summary(&self, skipped: usize) -> String {
        let Self {
            passed,
            failed,
            ignored,
            ..
        } = self;
        format!("{passed} passed, {failed} failed, {ignored} ignored, {skipped} skipped")
    }
}

/// What runs now, when `line` is cargo's word for that:
/// `Running unittests src/lib.rs (target/debug/deps/guichet_proto-0f…)` or `Doc-tests guichet_proto`.
fn area(line: &str) -> Option<String> {
    if let Some(crate_name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{crate_name}: examples"));
    }
    let (what, binary) = line.strip_prefix("Running ")?.rsplit_once(" (")?;
    let file = binary.trim_end_matches(')').rsplit('/').next()?;
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    Some(match what.strip_prefix("unittests ") {
        Some(_) => format!("{name}: unit tests"),
        None => what.to_owned(),
    })
}

fn count(counts: &str, what: &str) -> usize {
    counts
        .split([';', '.'])
        .filter_map(|part| part.trim().strip_suffix(what))
        .filter_map(|number| number.trim().parse::<usize>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(line);
        }
        tally
    }

    const GOOD: &str = "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s";
    const BAD: &str = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s";

    #[test]
    fn the_closing_lines_add_up() {
        let tally = tally(&[
            "     Running unittests src/lib.rs (target/debug/deps/guichet_proto-0fa1)",
            GOOD,
            "     Running tests/clients_dns.rs (target/debug/deps/clients_dns-77aa)",
            BAD,
            "   Doc-tests guichet_proto",
        ]);
        assert_eq!(
            tally.summary(1),
            "15 passed, 2 failed, 0 ignored, 1 skipped"
        );
        let names: Vec<&str> = tally.areas.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "guichet_proto: unit tests",
                "tests/clients_dns.rs",
                "guichet_proto: examples"
            ]
        );
        assert!((tally.areas[0].1 - 1.25).abs() < 0.001);
        assert!(!tally.well());
    }

    #[test]
    fn well_is_only_what_ran_and_passed_whole() {
        assert!(tally(&[GOOD]).well());
        assert!(!tally(&[]).well(), "no test ran");
        assert!(!tally(&[GOOD, BAD]).well());
        assert!(!tally(&[&GOOD.replace("0 ignored", "1 ignored")]).well());
        let mut stopped = tally(&[GOOD]);
        stopped.cargo_failed = true;
        assert!(!stopped.well(), "a test program that did not compile");
    }
}
