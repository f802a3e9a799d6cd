//! The catalogue is whole: both languages have the same keys with the same arguments, every key
//! in the source exists, and none is unused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::*;

/// Key (with attribute) to the arguments its text names.
type Keys = BTreeMap<String, BTreeSet<String>>;

/// Reads the keys of a Fluent file: messages begin in the first column, attributes with a dot.
fn keys(text: &str) -> Keys {
    let mut keys = Keys::new();
    let (mut message, mut current) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let start = line.trim_start();
        let name = start.split_once(" =").map(|(name, _)| name);
        if let Some(attribute) = name.and_then(|name| name.strip_prefix('.')) {
            current = format!("{message}.{attribute}");
            keys.insert(current.clone(), BTreeSet::new());
        } else if let (Some(name), true) = (name, start.len() == line.len()) {
            message = name.to_owned();
            current = message.clone();
            if !start.ends_with(" =") || !text.contains(&format!("\n{name} =\n    .")) {
                keys.insert(current.clone(), BTreeSet::new());
            }
        }
        if let Some(arguments) = keys.get_mut(&current) {
            arguments.extend(line.match_indices('$').map(|(at, _)| {
                let rest = &line[at + 1..];
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
                rest[..end.unwrap_or(rest.len())].to_owned()
            }));
        }
    }
    keys
}

fn all(language: Language) -> Keys {
    let text = |source: &Source| match language {
        Language::English => source.english,
        Language::French => source.french,
    };
    SOURCES
        .iter()
        .flat_map(|source| keys(text(source)))
        .collect()
}

fn differences(english: &Keys, french: &Keys) -> Vec<String> {
    let names: BTreeSet<_> = english.keys().chain(french.keys()).collect();
    names
        .into_iter()
        .filter(|name| english.get(*name) != french.get(*name))
        .map(|name| {
            format!(
                "{name}: en {:?}, fr {:?}",
                english.get(name),
                french.get(name)
            )
        })
        .collect()
}

#[test]
fn both_languages_say_the_same_things() {
    let (english, french) = (all(Language::English), all(Language::French));
    assert!(english.len() > 50);
    assert_eq!(differences(&english, &french), Vec::<String>::new());

    // The check itself: a lost key and a lost argument are both seen.
    let mut poorer = french.clone();
    poorer.pop_first();
    assert_eq!(differences(&english, &poorer).len(), 1);
    let changed = keys("a-b = { $x } { $y }\n    .c = { $z }");
    assert_eq!(
        differences(&changed, &keys("a-b = { $x }\n    .c = { $z }")).len(),
        1
    );
}

#[test]
fn every_file_of_the_catalogue_is_built_in() {
    for (_, tag) in Language::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../texts")
            .join(tag);
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let stem = name.strip_suffix(".ftl").unwrap();
            assert!(SOURCES.iter().any(|source| source.name == stem), "{name}");
        }
    }
}

#[test]
fn every_file_is_fluent_and_keeps_to_its_prefix() {
    for source in SOURCES {
        for text in [source.english, source.french] {
            if let Err((_, errors)) = FluentResource::try_new(text.to_owned()) {
                panic!("{}.ftl: {errors:?}", source.name);
            }
            for key in keys(text).keys() {
                let prefix = format!("{}-", source.name);
                assert!(key.starts_with(&prefix), "{key} in {}.ftl", source.name);
            }
        }
    }
}

/// The program's source files, without tests.
/// Lines of a French text that a terminal could break before a sign, or right behind a quotation
/// mark that opens: a no-break space has to stand there.
fn breakable(text: &str) -> Vec<&str> {
    const SIGNS: [&str; 6] = [" :", " ;", " ?", " !", " »", "« "];
    let broken = |line: &&str| SIGNS.iter().any(|sign| line.contains(sign));
    text.lines().filter(broken).collect()
}

#[test]
fn french_signs_stay_with_their_words() {
    assert_eq!(breakable("a = Quoi ?\nb = Ici\u{a0}: « là\u{a0}»").len(), 2);
    for source in SOURCES {
        assert_eq!(
            breakable(source.french),
            [] as [&str; 0],
            "{}.ftl",
            source.name
        );
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// Every string literal of the source that begins like a key of the catalogue.
fn literals(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod").next().unwrap_or_default();
    code.split('"')
        .filter(|piece| {
            let prefix = piece.split_once('-').map(|(prefix, _)| prefix);
            prefix.is_some_and(|prefix| SOURCES.iter().any(|source| source.name == prefix))
                && !piece.ends_with('-')
                && piece
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_key_in_the_source_exists_and_none_is_unused() {
    let mut files = Vec::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in ["guichet", "trace"] {
        sources(&crates.join(name).join("src"), &mut files);
    }
    let mut used = BTreeSet::new();
    for file in files {
        used.extend(literals(&std::fs::read_to_string(file).unwrap()));
    }
    let known = all(Language::English);
    let missing: Vec<_> = used
        .iter()
        .filter(|key| !known.contains_key(*key))
        .collect();
    assert!(missing.is_empty(), "not in the catalogue: {missing:?}");

    used.extend(crate::config::text_keys());
    used.extend(crate::cli::text_keys());
    let unused: Vec<_> = known.keys().filter(|key| !used.contains(*key)).collect();
    assert!(unused.is_empty(), "said nowhere: {unused:?}");
}

#[test]
fn the_locale_chooses_the_language() {
    let locale = |pairs: &'static [(&str, &str)]| {
        Language::of_locale(|name| {
            pairs
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    };
    assert_eq!(locale(&[("LANG", "fr_FR.UTF-8")]), Language::French);
    assert_eq!(
        locale(&[("LANG", "fr_FR.UTF-8"), ("LC_ALL", "C")]),
        Language::English
    );
    assert_eq!(
        locale(&[("LC_ALL", ""), ("LC_MESSAGES", "fr")]),
        Language::French
    );
    assert_eq!(locale(&[("LANG", "de_DE")]), Language::English);
    assert_eq!(locale(&[]), Language::English);
}

#[test]
fn a_missing_key_is_shown_as_it_is() {
    assert_eq!(
        Texts::new(Language::French).say("no-such-text", &[]),
        "no-such-text"
    );
}

#[test]
fn only_plain_numbers_count_as_numbers() {
    assert!(matches!(argument("12"), FluentValue::Number(_)));
    for text in ["007", "", "1.50", "12a", "1234567890123456"] {
        assert!(matches!(argument(text), FluentValue::String(_)), "{text}");
    }
}
