//! `cargo xtask tidy`: the rules of the house that neither rustc nor clippy knows.
//!
//! Each rule is a function from the tree of files to what it found, with a unit test in which it
//! finds something in a small bad example: a check that cannot fail is a defect. Exceptions are
//! written where the rule is, with their reason.

mod layers;
mod links;
mod shape;
mod source;
mod texts;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use self::source::Source;
use crate::{End, asked_for_help, run};

const HELP: &str = "\
cargo xtask tidy

Checks the layering (who may depend on whom, what each layer may know), the shape of files and
functions, the catalogue of messages in both languages, and the links of the documentation.
";

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// From the root of the project.
    pub path: String,
    /// From 1; 0 when it concerns the file as a whole.
    pub line: usize,
    /// What is wrong and what to do.
    pub says: String,
    /// Only said; does not fail the run.
    pub note: bool,
}

impl Finding {
    fn new(path: &str, line: usize, says: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            says: says.into(),
            note: false,
        }
    }

    fn note(path: &str, line: usize, says: impl Into<String>) -> Self {
        Self {
            note: true,
            ..Self::new(path, line, says)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.note { "note: " } else { "" };
        write!(f, "{}:{}: {word}{}", self.path, self.line.max(1), self.says)
    }
}

/// Every text file of the project.
pub struct Tree {
    /// Path from the root, and content.
    pub files: Vec<(String, String)>,
    /// The Rust files among them.
    pub sources: Vec<Source>,
}

impl Tree {
    /// Takes files as they are.
    pub fn of(files: Vec<(String, String)>) -> Self {
        let rust = files.iter().filter(|(path, _)| path.ends_with(".rs"));
        let mut sources: Vec<Source> = rust.map(|(path, text)| Source::read(path, text)).collect();
        let tests: BTreeSet<String> = sources.iter().flat_map(test_files).collect();
        for source in &mut sources {
            let folder = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
            let within = tests.iter().any(|test| {
                folder == test
                    || folder
                        .strip_prefix(test)
                        .is_some_and(|rest| rest.starts_with('/'))
            });
            if within {
                source.code.iter_mut().for_each(|token| token.test = true);
            }
        }
        Self { files, sources }
    }

    fn file(&self, path: &str) -> Option<&str> {
        let found = self.files.iter().find(|(name, _)| name == path);
        found.map(|(_, text)| text.as_str())
    }
}

/// The modules a source declares for tests only, as paths without `.rs`.
fn test_files(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs");
    let folder = ["/mod", "/lib", "/main"]
        .iter()
        .find_map(|name| stem.strip_suffix(name))
        .unwrap_or(stem);
    let modules = source.test_modules.iter();
    modules.map(|name| format!("{folder}/{name}")).collect()
}

const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    layers::dependencies_point_down,
    layers::owned_libraries,
    layers::lints_are_inherited,
    layers::pure_crates_are_no_std,
    layers::protocols_do_not_import_each_other,
    words::engine_names_no_protocol,
    words::sql_stays_in_store,
    words::no_unsafe,
    words::no_leftovers,
    words::no_test_mode_in_production,
    words::no_private_paths,
    words::lock_files_name_the_public_registries,
    shape::files_fit_a_reading,
    shape::functions_fit_a_screen,
    shape::modules_are_introduced,
    texts::languages_agree,
    links::documents_link_to_what_is_there,
];

/// Runs the command.
pub fn command(arguments: &[String]) -> End {
    if asked_for_help(arguments, HELP) {
        return End::Well;
    }
    if !arguments.is_empty() {
        eprintln!("{HELP}");
        return End::Usage;
    }
    let mut files = Vec::new();
    if let Err(error) = read_folder(&run::root(), "", &mut files) {
        eprintln!("The project cannot be read: {error}");
        return End::Failed;
    }
    let tree = Tree::of(files);
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let wrong = findings.iter().filter(|finding| !finding.note).count();
    let looked = tree.files.len();
    println!(
        "tidy: {} rules over {looked} files, {wrong} findings",
        RULES.len()
    );
    // A tree without sources means that the wrong folder was read.
    End::when(wrong == 0 && !tree.sources.is_empty())
}

/// What is built, fetched or kept by git, not written.
const NOT_OURS: &[&str] = &[
    ".git",
    "target",
    "node_modules",
    "dist",
    "corpus",
    "artifacts",
];

fn read_folder(
    root: &Path,
    inside: &str,
    files: &mut Vec<(String, String)>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(root.join(inside))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = if inside.is_empty() {
            name.to_owned()
        } else {
            format!("{inside}/{name}")
        };
        let kind = entry.file_type()?;
        if NOT_OURS.contains(&name) {
            continue;
        }
        if kind.is_dir() {
            read_folder(root, &path, files)?;
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            files.push((path, text));
        }
    }
    Ok(())
}

#[cfg(test)]
fn tree(files: &[(&str, &str)]) -> Tree {
    let owned = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    Tree::of(owned.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_declared_for_tests_is_a_test_wherever_it_lies() {
        let tree = tree(&[
            ("crates/a/src/lib.rs", "#[cfg(test)] mod play; mod work;"),
            ("crates/a/src/play/mod.rs", "fn a() {}"),
            ("crates/a/src/play/deep.rs", "fn a() {}"),
            ("crates/a/src/work.rs", "fn a() {}"),
            ("crates/a/src/playful.rs", "fn a() {}"),
        ]);
        let tests: Vec<bool> = tree
            .sources
            .iter()
            .map(|s| s.code.iter().all(|t| t.test))
            .collect();
        assert_eq!(tests, [false, true, true, false, false]);
    }
}
