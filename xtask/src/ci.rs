//! `cargo xtask ci`: everything a change must pass, each part even when an earlier one failed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::test::Tally;
use crate::{End, asked_for_help, clients, run, skips, test, tidy};

const HELP: &str = "\
cargo xtask ci [--skips-allowed FILE]

Formatting, clippy with warnings as errors, tidy, every test, the documentation with warnings as
errors, and cargo-deny. A tool that is not installed is skipped by name. With --skips-allowed a skip
that the file does not name is a failure.
";

/// Runs the command.
pub fn command(arguments: &[String]) -> End {
    if asked_for_help(arguments, HELP) {
        return End::Well;
    }
    let allowed = match arguments {
        [] => None,
        [option, file] if option == "--skips-allowed" => Some(PathBuf::from(file)),
        _ => {
            eprintln!("{HELP}");
            return End::Usage;
        }
    };
    if !skips::begin() {
        return End::Failed;
    }
    clients::install_missing();

    let mut parts = Parts::default();
    parts.tool("fmt", &["fmt", "--version"], || {
        run::succeeds(&mut run::cargo(&["fmt", "--all", "--check"]))
    });
    parts.part("tidy", || tidy::command(&[]) == End::Well);
    parts.tool("clippy", &["clippy", "--version"], || {
        let words = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        run::succeeds(&mut run::cargo(&words))
    });
    let mut tally = Tally::default();
    parts.part("test", || {
        tally = test::everything(&[]);
        tally.show();
        tally.well()
    });
    parts.part("doc", || {
        let words = [
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ];
        // Links to private items are what a reader of the source wants; they resolve in these pages.
        let flags = "-D warnings -A rustdoc::private_intra_doc_links";
        run::succeeds(run::cargo(&words).env("RUSTDOCFLAGS", flags))
    });
    parts.tool("cargo-deny", &["deny", "--version"], || {
        run::succeeds(&mut run::cargo(&["deny", "check"]))
    });
    let skipped = skips::all();
    if let Some(list) = allowed {
        parts.part("skips", || {
            let refused = skips::not_allowed(&skipped, &run::root().join(&list));
            for skip in &refused {
                println!("skipped, and {} does not allow it: {skip}", list.display());
            }
            refused.is_empty()
        });
    }
    parts.show();
    for skip in &skipped {
        println!("skipped: {skip}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    End::when(parts.well())
}

#[derive(Default)]
struct Parts(Vec<(&'static str, bool, Duration)>);

impl Parts {
    fn part(&mut self, name: &'static str, run: impl FnOnce() -> bool) {
        println!("\n── {name}");
        let begun = Instant::now();
        let well = run();
        self.0.push((name, well, begun.elapsed()));
    }

    /// A part that needs a tool of cargo; `asking` succeeds where the tool is installed.
    fn tool(&mut self, name: &'static str, asking: &[&str], run: impl FnOnce() -> bool) {
        let there = run::cargo(asking)
            .output()
            .is_ok_and(|output| output.status.success());
        if there {
            self.part(name, run);
        } else {
            skips::note(name, "not installed");
        }
    }

    fn well(&self) -> bool {
        self.0.iter().all(|(_, well, _)| *well)
    }

    fn show(&self) {
        println!();
        for (name, well, took) in &self.0 {
            let word = if *well { "ok" } else { "FAILED" };
            println!("{:8.1} s  {name}: {word}", took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_part_fails_the_whole_and_the_rest_still_runs() {
        let mut parts = Parts::default();
        parts.part("first", || false);
        let mut ran = false;
        parts.part("second", || {
            ran = true;
            true
        });
        assert!(ran);
        assert!(!parts.well());
    }
}
