//! The declarations as text: `guichet explain`, and the page of the documentation.

use std::fmt::Write;

use serde_json::json;

use super::declare::{Change, Declaration, TABLE, declaration};
use crate::texts::{Texts, english};

/// What `guichet explain KEY` says; `None` if no such key is declared.
pub fn explain(texts: &Texts, key: &str) -> Option<String> {
    let found = declaration(key)?;
    let facts = Facts::of(found, texts);
    let shown = if key.contains('*') { found.path } else { key };
    let mut out = format!("{shown}\n  {}\n", facts.meaning);
    for (label, text) in [
        ("explain-type", &facts.kind),
        ("explain-default", &facts.default),
        ("explain-why", &facts.reason),
        ("explain-change", &facts.change),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {} {text}", texts.say(label, &[]));
    }
    Some(out)
}

/// The same for programs.
pub fn explain_json(texts: &Texts, key: &str) -> Option<serde_json::Value> {
    let found = declaration(key)?;
    let facts = Facts::of(found, texts);
    Some(json!({
        "key": if key.contains('*') { found.path } else { key },
        "meaning": facts.meaning,
        "type": facts.kind,
        "default": (!found.default.is_empty()).then_some(found.default),
        "reason": facts.reason,
        "reload": found.change == Change::Reload,
    }))
}

/// The page of the documentation, in English.
pub fn manual() -> String {
    let texts = english();
    let mut out = texts.say("explain-page", &[]) + "\n";
    for declaration in TABLE {
        let facts = Facts::of(declaration, texts);
        let _ = write!(out, "\n## `{}`\n\n{}\n\n", declaration.path, facts.meaning);
        for (label, text) in [
            ("explain-type", &facts.kind),
            ("explain-default", &facts.default),
            ("explain-why", &facts.reason),
            ("explain-change", &facts.change),
        ] {
            let _ = writeln!(out, "- {} {text}", texts.say(label, &[]));
        }
    }
    out
}

struct Facts {
    meaning: String,
    kind: String,
    default: String,
    reason: String,
    change: String,
}

impl Facts {
    fn of(declaration: &Declaration, texts: &Texts) -> Self {
        let key = declaration.text_key();
        Self {
            meaning: texts.say(&key, &[]),
            kind: declaration.kind.expected().said(texts),
            default: match declaration.default {
                "" => texts.say("explain-no-default", &[]),
                default => default.to_owned(),
            },
            reason: texts.say(&format!("{key}.why"), &[]),
            change: match declaration.change {
                Change::Reload => texts.say("explain-reload", &[]),
                Change::Restart => texts.say("explain-restart", &[]),
            },
        }
    }
}
