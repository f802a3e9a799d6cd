//! Crates are layers: who may depend on whom, and what the pure ones must declare.

use std::collections::BTreeSet;

use super::source::{Kind, Source, closing};
use super::{Finding, Tree};

/// Each crate of ours, and the ones of ours it may depend on.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("trace", &[]),
    ("proto", &["trace"]),
    ("store", &["trace"]),
    ("services", &["proto", "store", "trace"]),
    ("engine", &["proto", "trace"]),
    ("hosts", &["engine", "proto", "trace"]),
    (
        "guichet",
        &["engine", "hosts", "proto", "services", "store", "trace"],
    ),
];

/// Libraries that one crate alone may use, so that the rest can be built without them.
const ONE_OWNER: &[(&str, &str)] = &[
    ("rusqlite", "store"),
    ("hyper", "hosts"),
    ("hyper-util", "hosts"),
    ("quinn", "hosts"),
    ("h3", "hosts"),
    ("h3-quinn", "hosts"),
];

/// Pure crates: the compiler keeps sockets, clocks and files out of what has no `std`.
const PURE: &[&str] = &["proto", "trace"];

/// Every crate depends only on layers beneath it (dev-dependencies too).
pub fn dependencies_point_down(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, layer, text) in manifests(tree) {
        let Some((_, below)) = MAY_DEPEND_ON.iter().find(|(name, _)| *name == layer) else {
            let says = "this crate has no place among the layers: give it one in xtask";
            findings.push(Finding::new(path, 0, says));
            continue;
        };
        for (line, name) in dependencies(text) {
            let ours = match name.strip_prefix("guichet-") {
                Some(ours) => ours,
                None if name == "guichet" => "guichet",
                None => continue,
            };
            if !below.contains(&ours) {
                let says =
                    format!("`{layer}` must not depend on `{ours}`: that layer is not beneath it");
                findings.push(Finding::new(path, line, says));
            }
        }
    }
    findings
}

/// Some libraries have one owner.
pub fn owned_libraries(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, layer, text) in manifests(tree) {
        for (line, name) in dependencies(text) {
            let owner = ONE_OWNER.iter().find(|(library, _)| *library == name);
            if let Some((library, owner)) = owner.filter(|(_, owner)| *owner != layer) {
                let says = format!("`{library}` belongs to `{owner}` alone");
                findings.push(Finding::new(path, line, says));
            }
        }
    }
    findings
}

/// Every crate takes the workspace's lints.
pub fn lints_are_inherited(tree: &Tree) -> Vec<Finding> {
    let manifests = manifests(tree).filter(|(_, _, text)| {
        let mut lines = text
            .lines()
            .map(str::trim)
            .skip_while(|line| *line != "[lints]");
        !lines.any(|line| line == "workspace = true")
    });
    manifests
        .map(|(path, _, _)| Finding::new(path, 0, "needs `[lints] workspace = true`"))
        .collect()
}

/// `proto` and `trace` say `#![no_std]`, and take `std` back for tests only.
pub fn pure_crates_are_no_std(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for layer in PURE {
        let path = format!("crates/{layer}/src/lib.rs");
        for source in tree.sources.iter().filter(|source| source.path == path) {
            let says = |at: usize| source.says(at, &["#", "!", "[", "no_std", "]"]);
            if !(0..source.code.len()).any(says) {
                let says = "this crate is pure: it needs a plain `#![no_std]`";
                findings.push(Finding::new(&path, 0, says));
            }
        }
        let inside = format!("crates/{layer}/src/");
        for source in tree
            .sources
            .iter()
            .filter(|source| source.path.starts_with(&inside))
        {
            for (at, token) in source.production() {
                if source.says(at, &["extern", "crate", "std"]) {
                    let says = "this crate is pure: `std` is for its tests only";
                    findings.push(Finding::new(&source.path, token.line, says));
                }
            }
        }
    }
    findings
}

/// One protocol's folder does not import another's; what they share lies in `common`.
pub fn protocols_do_not_import_each_other(tree: &Tree) -> Vec<Finding> {
    const ROOM: &str = "crates/proto/src/";
    let room = |source: &Source| {
        let (folder, _) = source.path.strip_prefix(ROOM)?.split_once('/')?;
        (folder != "common").then(|| folder.to_owned())
    };
    let protocols: BTreeSet<String> = tree.sources.iter().filter_map(room).collect();
    let mut findings = Vec::new();
    for source in &tree.sources {
        let Some(own) = room(source) else { continue };
        for (line, name) in crate_paths(source) {
            if name != own && protocols.contains(&name) {
                let says =
                    format!("`{own}` must not import `{name}`: shared syntax goes to `common`");
                findings.push(Finding::new(&source.path, line, says));
            }
        }
    }
    findings
}

/// First words of the paths from the crate's root: `crate::a`, `crate::{a, b::c}`, `super::super::a`.
fn crate_paths(source: &Source) -> Vec<(usize, String)> {
    let code = &source.code;
    let mut found = Vec::new();
    for at in 0..code.len() {
        let behind = if source.says(at, &["crate", ":", ":"]) {
            at + 3
        } else if source.says(at, &["super", ":", ":", "super", ":", ":"]) {
            at + 6
        } else {
            continue;
        };
        let Some(next) = code.get(behind) else {
            continue;
        };
        if next.kind == Kind::Word {
            found.push((next.line, next.text.clone()));
        } else if source.is(behind, "{") {
            let mut inner = behind + 1;
            let end = closing(code, behind);
            let mut first = true;
            while inner < end {
                if first && code[inner].kind == Kind::Word {
                    found.push((code[inner].line, code[inner].text.clone()));
                }
                first = source.is(inner, ",");
                inner = if source.is(inner, "{") {
                    closing(code, inner) + 1
                } else {
                    inner + 1
                };
            }
        }
    }
    found
}

/// Path, layer and text of every crate's manifest.
fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &str, &str)> {
    tree.files.iter().filter_map(|(path, text)| {
        let layer = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
        (!layer.contains('/')).then_some((path.as_str(), layer, text.as_str()))
    })
}

/// The dependencies a manifest declares, of every kind, by the name of their package.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut within = false;
    for (line, text) in (1..).zip(manifest.lines()) {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            within = header.ends_with("dependencies");
            if let Some((section, name)) = header.rsplit_once('.')
                && section.ends_with("dependencies")
            {
                found.push((line, name.to_owned()));
            }
        } else if within && !text.starts_with('#') {
            let Some((key, value)) = text.split_once('=') else {
                continue;
            };
            let renamed = value
                .split_once("package")
                .and_then(|(_, behind)| behind.split('"').nth(1));
            let name = key
                .split('.')
                .next()
                .unwrap_or_default()
                .trim()
                .trim_matches('"');
            found.push((line, renamed.unwrap_or(name).to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_dependency_upwards_is_found_in_every_notation() {
        let bad = "[dependencies]\nguichet-proto.workspace = true\nguichet-engine.workspace = true\n\
                   e = { package = \"guichet-engine\", path = \"x\" }\n[dev-dependencies]\n\
                   guichet-engine = { path = \"../engine\" }\n[dependencies.guichet-engine]\npath = \"x\"\n\
                   [target.'cfg(unix)'.dependencies]\nguichet = \"1\"\n";
        let found = dependencies_point_down(&tree(&[("crates/services/Cargo.toml", bad)]));
        assert_eq!(lines(&found), [3, 4, 6, 7, 10]);
        let good = "[package]\nname = \"guichet-services\"\n[dependencies]\nguichet-store.workspace = true\n";
        let found = dependencies_point_down(&tree(&[("crates/services/Cargo.toml", good)]));
        assert_eq!(found, []);
    }

    #[test]
    fn trace_depends_on_nothing_of_ours_and_a_new_crate_needs_a_place() {
        let text = "[dependencies]\nguichet-proto.workspace = true\n";
        let found = dependencies_point_down(&tree(&[("crates/trace/Cargo.toml", text)]));
        assert_eq!(lines(&found), [2]);
        let found = dependencies_point_down(&tree(&[("crates/util/Cargo.toml", "")]));
        assert_eq!(lines(&found), [0]);
    }

    #[test]
    fn a_library_with_an_owner_is_used_by_it_alone() {
        let text = "[dependencies]\nrusqlite.workspace = true\n";
        assert_eq!(
            owned_libraries(&tree(&[("crates/store/Cargo.toml", text)])),
            []
        );
        let found = owned_libraries(&tree(&[("crates/services/Cargo.toml", text)]));
        assert_eq!(lines(&found), [2]);
    }

    #[test]
    fn a_crate_without_the_lints_is_found() {
        let good = "[dependencies]\n[lints]\nworkspace = true\n";
        assert_eq!(
            lints_are_inherited(&tree(&[("crates/store/Cargo.toml", good)])),
            []
        );
        let bad = "[package]\nworkspace = true\n[lints]\n";
        let found = lints_are_inherited(&tree(&[("crates/store/Cargo.toml", bad)]));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_pure_crate_with_std_is_found() {
        let path = "crates/proto/src/lib.rs";
        let good = "//! Intro.\n#![no_std]\n#[cfg(test)]\nextern crate std;";
        assert_eq!(pure_crates_are_no_std(&tree(&[(path, good)])), []);
        let without = "// #![no_std]\n#![cfg_attr(not(test), no_std)]";
        assert_eq!(pure_crates_are_no_std(&tree(&[(path, without)])).len(), 1);
        let with = "#![no_std]\nextern crate std;";
        assert_eq!(lines(&pure_crates_are_no_std(&tree(&[(path, with)]))), [2]);
    }

    #[test]
    fn a_protocol_that_imports_another_is_found() {
        let smtp = "use crate::common::dot;\nuse crate::smtp::ask;\nuse crate::pop3::table;\n\
                    use crate::{session::{pop3, Input}, pop3::ask};\nfn a() { super::super::pop3::b() }";
        let files = [
            ("crates/proto/src/smtp/server.rs", smtp),
            ("crates/proto/src/pop3/mod.rs", "use crate::common::dot;"),
            ("crates/proto/src/common/dot.rs", ""),
        ];
        let found = protocols_do_not_import_each_other(&tree(&files));
        assert_eq!(lines(&found), [3, 4, 5]);
    }
}
