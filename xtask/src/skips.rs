//! What was not checked, by name: the ledger of skips, and the committed list of those allowed.
//!
//! A test that cannot run appends a line `NAME: why` to the file named by the variable
//! [`VARIABLE`]. Nothing is skipped in silence: every line is shown at the end, counted, and in
//! continuous integration compared with `.ci/skips-allowed`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run;

/// The environment variable that tells tests where to note what they skip.
pub const VARIABLE: &str = "GUICHET_SKIPS";

/// The file of this run.
pub fn file() -> PathBuf {
    run::target().join("skips.txt")
}

/// Empties the ledger. False (and said) when that is impossible: then no skip would be seen.
pub fn begin() -> bool {
    let path = file();
    let made = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&path, ""));
    if let Err(error) = &made {
        eprintln!("{} cannot be written: {error}", path.display());
    }
    made.is_ok()
}

/// Notes one more.
pub fn note(name: &str, why: &str) {
    use std::io::Write;
    let path = file();
    println!("skipped: {name}: {why}");
    let noted = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{name}: {why}"));
    if let Err(error) = noted {
        eprintln!("{} cannot be written: {error}", path.display());
    }
}

/// All skips of this run, each once, in the order of their names.
pub fn all() -> Vec<String> {
    let mut lines: Vec<String> = fs::read_to_string(file())
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort();
    lines.dedup();
    lines
}

/// Those of `skips` whose name the list at `allowed` does not have.
///
/// The list has one name a line, `#` begins the reason. A list that cannot be read allows nothing.
pub fn not_allowed(skips: &[String], allowed: &Path) -> Vec<String> {
    let list = fs::read_to_string(allowed).unwrap_or_default();
    refused(skips, &list)
}

fn refused(skips: &[String], list: &str) -> Vec<String> {
    let names: Vec<&str> = list
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
        .collect();
    skips
        .iter()
        .filter(|skip| {
            let name = skip.split(':').next().unwrap_or_default().trim();
            !names.contains(&name)
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_list_names_may_be_skipped() {
        let skips = ["dig: not installed".to_owned(), "swaks: too old".to_owned()];
        assert_eq!(
            refused(&skips, "# none\ndig # Debian only\n"),
            [skips[1].clone()]
        );
        assert_eq!(refused(&skips, ""), skips);
        assert_eq!(refused(&skips, "swaks\ndig"), Vec::<String>::new());
    }

    #[test]
    fn a_name_in_a_reason_allows_nothing() {
        let skips = ["dig: not installed".to_owned()];
        assert_eq!(refused(&skips, "kdig # as dig\n"), skips);
    }

    #[test]
    fn a_missing_list_allows_nothing() {
        let skips = ["dig: not installed".to_owned()];
        assert_eq!(not_allowed(&skips, Path::new("no/such/list")), skips);
    }
}
