//! Words for people come from outside: this crate names a message and its arguments, the program
//! knows the language (its catalogues: `texts/en/trace.ftl`, `texts/fr/trace.ftl`).

use alloc::string::{String, ToString};

use crate::exchange::Exchange;

/// Says a message in the reader's language.
pub trait Words {
    /// The message `key` of the catalogue with its arguments filled in. Arguments are already fit
    /// for a terminal. An unknown key should come back as the key itself.
    fn say(&self, key: &str, args: &[(&str, &str)]) -> String;
}

/// The port a client meant, and the one really used where they differ: `port 25, here 20025`.
pub(crate) fn port(words: &dyn Words, exchange: &Exchange<'_>) -> String {
    let real = exchange.server().port().to_string();
    let meant = exchange
        .named()
        .rsplit_once("port ")
        .map_or("", |(_, port)| port);
    let is_number = !meant.is_empty() && meant.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && meant != real {
        words.say("trace-port-mapped", &[("port", meant), ("real", &real)])
    } else {
        words.say("trace-port", &[("port", &real)])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::collections::{BTreeMap, BTreeSet};
    use alloc::vec::Vec;

    /// A catalogue's plain `key = text { $argument }` lines, which are all that is said here.
    pub(crate) struct Catalogue(pub(crate) BTreeMap<&'static str, &'static str>);

    pub(crate) fn english() -> Catalogue {
        read(include_str!("../../../texts/en/trace.ftl"))
    }

    pub(crate) fn french() -> Catalogue {
        read(include_str!("../../../texts/fr/trace.ftl"))
    }

    fn read(text: &'static str) -> Catalogue {
        let lines = text.lines().filter(|line| line.starts_with("trace-"));
        Catalogue(lines.filter_map(|line| line.split_once(" = ")).collect())
    }

    impl Words for Catalogue {
        fn say(&self, key: &str, args: &[(&str, &str)]) -> String {
            let text = self
                .0
                .get(key)
                .unwrap_or_else(|| panic!("no message {key}"));
            let mut pieces = text.split("{ $");
            let mut said = String::from(pieces.next().unwrap_or_default());
            for piece in pieces {
                let (name, rest) = piece.split_once(" }").expect("{ $name }");
                let value = args.iter().find(|(known, _)| *known == name);
                said.push_str(value.unwrap_or_else(|| panic!("{key} lacks {name}")).1);
                said.push_str(rest);
            }
            said
        }
    }

    /// Every `"trace-…"` literal of the sources.
    fn used_keys() -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        let mut folders = Vec::from([std::path::PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src"
        ))]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let source = std::fs::read_to_string(path).unwrap();
                let literals = source.split('"').filter(|text| {
                    text.starts_with("trace-")
                        && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                });
                keys.extend(literals.map(String::from).filter(|key| key != "trace-"));
            }
        }
        keys
    }

    #[test]
    fn every_message_that_is_said_exists_in_both_languages() {
        let used = used_keys();
        assert!(used.len() > 20, "the search for keys finds them");
        for catalogue in [english(), french()] {
            let missing = used
                .iter()
                .find(|key| !catalogue.0.contains_key(key.as_str()));
            assert_eq!(missing, None);
        }
    }

    #[test]
    fn both_languages_name_the_same_arguments() {
        let french = french();
        for (key, text) in english().0 {
            let arguments = |text: &str| -> BTreeSet<String> {
                text.split("{ $")
                    .skip(1)
                    .map(|rest| rest[..rest.find(' ').unwrap()].into())
                    .collect()
            };
            assert_eq!(arguments(text), arguments(french.0[key]), "{key}");
        }
    }

    #[test]
    fn french_has_its_own_spaces_and_apostrophes() {
        for (key, text) in french().0 {
            assert!(!text.contains('\''), "{key}: typographic apostrophe");
            for mark in [':', ';', '!', '?', '»'] {
                for (at, _) in text.match_indices(mark) {
                    let before = text[..at].chars().next_back();
                    assert!(
                        matches!(before, Some('\u{a0}' | '\u{202f}')),
                        "{key}: before {mark}"
                    );
                }
            }
        }
    }
}
