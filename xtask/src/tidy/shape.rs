//! Files that can be read in one go, functions that fit a screen, modules that say what they are.

use super::{Finding, Tree};

/// Beyond this a file holds two ideas.
const FILE_LINES_MOST: usize = 600;

/// Files that may be longer, each with the reason.
const LONGER_FILES: &[(&str, &str)] = &[];

/// Beyond this a function no longer fits a screen: said, so that the next reader looks twice.
const FUNCTION_LINES_NOTED: usize = 80;

/// Beyond this it is refused.
const FUNCTION_LINES_MOST: usize = 120;

/// No Rust file is longer than a reading.
pub fn files_fit_a_reading(tree: &Tree) -> Vec<Finding> {
    let sources = tree.sources.iter();
    let mut findings: Vec<Finding> = sources
        .filter(|source| source.lines > FILE_LINES_MOST)
        .filter(|source| !LONGER_FILES.iter().any(|(path, _)| *path == source.path))
        .map(|source| {
            let says = format!(
                "{} lines; at {FILE_LINES_MOST} look for the second idea and give it a file",
                source.lines
            );
            Finding::new(&source.path, 0, says)
        })
        .collect();
    findings.extend(LONGER_FILES.iter().filter_map(|(path, _)| {
        let short = tree
            .sources
            .iter()
            .any(|s| s.path == *path && s.lines <= FILE_LINES_MOST);
        short.then(|| {
            Finding::new(
                path,
                0,
                "is short again: take it off the list of longer files",
            )
        })
    }));
    findings
}

/// No function of the product is much longer than a screen.
pub fn functions_fit_a_screen(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        for function in &source.functions {
            let first = &source.code[function.tokens.start];
            if first.test || function.lines <= FUNCTION_LINES_NOTED {
                continue;
            }
            let says = format!(
                "`{}` has {} lines; cut it by idea",
                function.name, function.lines
            );
            findings.push(if function.lines > FUNCTION_LINES_MOST {
                Finding::new(&source.path, first.line, says)
            } else {
                Finding::note(&source.path, first.line, says)
            });
        }
    }
    findings
}

/// Every file of a crate begins with what it is for.
pub fn modules_are_introduced(tree: &Tree) -> Vec<Finding> {
    let files = tree.files.iter().filter(|(path, _)| {
        path.ends_with(".rs") && (path.starts_with("crates/") || path.starts_with("xtask/"))
    });
    files
        .filter(|(_, text)| !is_introduced(text))
        .map(|(path, _)| {
            Finding::new(
                path,
                1,
                "begins without `//!`: say what it does and does not",
            )
        })
        .collect()
}

fn is_introduced(text: &str) -> bool {
    let attribute = |line: &&str| line.is_empty() || line.starts_with("#![");
    let first = text.lines().find(|line| !attribute(line));
    first.is_some_and(|line| line.starts_with("//!"))
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let long = "// a\n".repeat(FILE_LINES_MOST + 1);
        let fitting = "// a\n".repeat(FILE_LINES_MOST);
        let found = files_fit_a_reading(&tree(&[
            ("crates/a/src/b.rs", &long),
            ("crates/a/src/c.rs", &fitting),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/a/src/b.rs");
    }

    #[test]
    fn a_long_function_is_said_and_a_very_long_one_refused() {
        let function = |lines: usize| format!("fn a() {{\n{}}}\n", "b();\n".repeat(lines - 2));
        let found = |text: &str| functions_fit_a_screen(&tree(&[("crates/a/src/b.rs", text)]));
        assert_eq!(found(&function(FUNCTION_LINES_NOTED)), []);
        assert!(found(&function(FUNCTION_LINES_NOTED + 1))[0].note);
        assert!(!found(&function(FUNCTION_LINES_MOST + 1))[0].note);
        let test = format!("#[cfg(test)]\nmod tests {{ {} }}", function(200));
        assert_eq!(found(&test), []);
    }

    #[test]
    fn a_module_without_introduction_is_found() {
        let files = [
            ("crates/a/src/lib.rs", "//! What it is.\n"),
            ("crates/a/src/b/mod.rs", "// No.\nuse c;\n"),
            ("crates/a/tests/c.rs", "#![allow(d)]\n\n//! What it is.\n"),
            ("fuzz/a.rs", "fn main() {}"),
        ];
        let found = modules_are_introduced(&tree(&files));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/a/src/b/mod.rs");
    }
}
