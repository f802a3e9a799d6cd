//! The catalogue of messages: what exists in one language exists in the other, with the same
//! variables.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree};

const LANGUAGES: [&str; 2] = ["en", "fr"];

/// Every message and every variable in it exists in both languages.
pub fn languages_agree(tree: &Tree) -> Vec<Finding> {
    let [english, french] = LANGUAGES.map(|language| messages(tree, language));
    let mut findings = missing(&english, &french, "French");
    findings.extend(missing(&french, &english, "English"));
    for (key, message) in &english {
        if let Some(other) = french
            .get(key)
            .filter(|other| other.variables != message.variables)
        {
            let says = format!(
                "`{key}` uses the variables {:?} in French and {:?} in English",
                other.variables, message.variables
            );
            findings.push(Finding::new(&other.path, other.line, says));
        }
    }
    findings
}

struct Message {
    path: String,
    line: usize,
    variables: BTreeSet<String>,
}

type Catalogue = BTreeMap<String, Message>;

fn missing(here: &Catalogue, there: &Catalogue, language: &str) -> Vec<Finding> {
    let only_here = here.iter().filter(|(key, _)| !there.contains_key(*key));
    only_here
        .map(|(key, message)| {
            let says = format!("`{key}` is missing in {language}");
            Finding::new(&message.path, message.line, says)
        })
        .collect()
}

/// The messages of one language, from all its `.ftl` files: `…/en/cli.ftl` or `…/en.ftl`.
fn messages(tree: &Tree, language: &str) -> Catalogue {
    let mut found = Catalogue::new();
    for (path, text) in &tree.files {
        let Some(stem) = path.strip_suffix(".ftl") else {
            continue;
        };
        if !stem.split('/').any(|part| part == language) {
            continue;
        }
        let mut current: Option<String> = None;
        for (line, text) in (1..).zip(text.lines()) {
            if let Some(key) = key(text) {
                let message = Message {
                    path: path.clone(),
                    line,
                    variables: BTreeSet::new(),
                };
                found.insert(key.to_owned(), message);
                current = Some(key.to_owned());
            } else if text.starts_with('#') {
                current = None;
            }
            if let Some(message) = current.as_ref().and_then(|key| found.get_mut(key)) {
                message.variables.extend(variables(text));
            }
        }
    }
    found
}

/// The name of the message or term that begins on this line.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let key = key.strip_suffix(' ').unwrap_or(key);
    let name = key.strip_prefix('-').unwrap_or(key);
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    fits.then_some(key)
}

fn variables(line: &str) -> impl Iterator<Item = String> {
    line.split('$').skip(1).map(|behind| {
        let name = behind.chars();
        name.take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn says(english: &str, french: &str) -> Vec<String> {
        let files = [
            ("a/texts/en/cli.ftl", english),
            ("a/texts/fr/cli.ftl", french),
        ];
        let found = languages_agree(&tree(&files));
        found.into_iter().map(|finding| finding.says).collect()
    }

    #[test]
    fn both_languages_have_the_same_messages_and_variables() {
        let english =
            "# Note.\nhello = Hello { $name },\n    you have { $count } letters.\nbye = Bye\n";
        let french = "hello = { $count } lettres, { $name }\nbye = Au revoir\n";
        assert_eq!(says(english, french), Vec::<String>::new());
    }

    #[test]
    fn a_missing_message_is_found_in_either_language() {
        assert_eq!(
            says("hello = Hello\n", ""),
            ["`hello` is missing in French"]
        );
        assert_eq!(
            says("", "hello = Bonjour\n"),
            ["`hello` is missing in English"]
        );
        assert_eq!(
            says("", "-brand = Guichet\n"),
            ["`-brand` is missing in English"]
        );
    }

    #[test]
    fn another_variable_is_found() {
        assert_eq!(
            says("hello = { $name }\n", "hello =\n    { $nom }\n").len(),
            1
        );
    }
}
