//! Words that must not stand in certain places, or anywhere.

use super::source::{Kind, Source};
use super::{Finding, Tree};

/// The application protocols, which `engine` must not know.
const PROTOCOLS: &[&str] = &[
    "smtp",
    "lmtp",
    "submission",
    "pop",
    "pop3",
    "imap",
    "http",
    "https",
    "dns",
    "ftp",
    "telnet",
    "echo",
    "dav",
    "webdav",
];

/// Names of TLS and X.509 that contain one of these words without meaning the protocol.
const NOT_THE_PROTOCOL: &[&str] = &[
    "DnsName",
    "dns_name",
    "dNSName",
    "pop_front",
    "pop_back",
    "pop",
];

/// The one file of `engine` that may say `unsafe`: none needs to today.
const UNSAFE_LIVES_IN: &[&str] = &[];

/// `engine` moves bytes for sessions; which protocol they speak is not its business.
///
/// Looks at the names and texts of production code; comments may give examples.
pub fn engine_names_no_protocol(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in under(tree, "crates/engine/src/") {
        for (_, token) in source.production() {
            let word = match token.kind {
                Kind::Word if NOT_THE_PROTOCOL.contains(&token.text.as_str()) => None,
                Kind::Word => words_of_name(&token.text).find(|word| is_protocol(word)),
                Kind::Text => words_of_text(&token.text).find(|word| is_protocol(word)),
                Kind::Mark | Kind::Other => None,
            };
            if let Some(word) = word {
                let says = format!(
                    "`engine` names the protocol {word}: let the session or the wiring say it"
                );
                findings.push(Finding::new(&source.path, token.line, says));
            }
        }
    }
    findings
}

fn is_protocol(word: &str) -> bool {
    PROTOCOLS.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// `SmtpServer`, `smtp_server`, `SMTP_PORT`: the words.
fn words_of_name(name: &str) -> impl Iterator<Item = &str> {
    name.split('_').flat_map(|part| {
        let starts: Vec<usize> = part
            .char_indices()
            .filter(|(at, c)| {
                let before = part[..*at].chars().next_back();
                c.is_uppercase() && before.is_some_and(|before| !before.is_uppercase())
            })
            .map(|(at, _)| at)
            .collect();
        let ends = starts.clone().into_iter().chain([part.len()]);
        let begins = [0].into_iter().chain(starts);
        begins
            .zip(ends)
            .map(|(begin, end)| &part[begin..end])
            .collect::<Vec<_>>()
    })
}

fn words_of_text(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
}

/// SQL, and the library that speaks it, stay in `store`.
pub fn sql_stays_in_store(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in under(tree, "crates/") {
        if source.path.starts_with("crates/store/") {
            continue;
        }
        for token in &source.code {
            let sql = match token.kind {
                Kind::Word => token.text == "rusqlite",
                Kind::Text => is_sql(&token.text),
                Kind::Mark | Kind::Other => false,
            };
            if sql {
                let says = "SQL outside `store`: ask for a domain operation instead";
                findings.push(Finding::new(&source.path, token.line, says));
            }
        }
    }
    findings
}

fn is_sql(text: &str) -> bool {
    // Each with its partner: SELECT alone is also a verb of IMAP.
    let statements = [
        ("SELECT ", " FROM "),
        ("INSERT ", "INTO "),
        ("UPDATE ", " SET "),
        ("DELETE ", "FROM "),
        ("CREATE ", "TABLE "),
        ("PRAGMA ", ""),
    ];
    statements
        .iter()
        .any(|(verb, partner)| text.trim_start().starts_with(verb) && text.contains(partner))
}

/// `unsafe` nowhere but in the named file.
pub fn no_unsafe(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        if UNSAFE_LIVES_IN.contains(&source.path.as_str()) {
            continue;
        }
        for token in source
            .code
            .iter()
            .filter(|token| is_word(token.kind, &token.text, "unsafe"))
        {
            findings.push(Finding::new(
                &source.path,
                token.line,
                "`unsafe` has no place here",
            ));
        }
    }
    findings
}

fn is_word(kind: Kind, text: &str, word: &str) -> bool {
    kind == Kind::Word && text == word
}

/// Nothing half-done: no `todo!`, `unimplemented!`, `dbg!`, ignored test, note without an owner.
pub fn no_leftovers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        for (at, token) in source.code.iter().enumerate() {
            for name in ["todo", "unimplemented", "dbg"] {
                if source.says(at, &[name, "!"]) {
                    let says = format!("`{name}!` is not for main: finish it, or leave it out");
                    findings.push(Finding::new(&source.path, token.line, says));
                }
            }
            if source.says(at, &["#", "[", "ignore"]) {
                let says = "a test that does not run checks nothing: mend it, or make it a storm";
                findings.push(Finding::new(&source.path, token.line, says));
            }
        }
        for (line, comment) in &source.comments {
            let says = "a TODO needs an owner: `TODO(name): what`";
            let ownerless = unowned(comment, "TODO") || unowned(comment, "FIXME");
            findings.extend(ownerless.then(|| Finding::new(&source.path, *line, says)));
        }
    }
    findings
}

fn unowned(comment: &str, word: &str) -> bool {
    let mut pieces = comment.split(word);
    let _ = pieces.next();
    // `TODO` in backquotes is talked about, not left behind.
    pieces.any(|behind| !behind.starts_with('(') && !behind.starts_with('`'))
}

/// Production code does not know that it is being tested.
pub fn no_test_mode_in_production(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in under(tree, "crates/") {
        let production = |at: usize| !source.code[at].test;
        let functions: Vec<_> = source
            .functions
            .iter()
            .filter(|function| production(function.tokens.start))
            .collect();
        for (at, token) in source.code.iter().enumerate() {
            let attribute = source.says(at, &["#", "[", "cfg", "("]);
            let expression = source.says(at, &["cfg", "!", "("]);
            if !attribute && !expression {
                continue;
            }
            let condition = &source.code
                [at..super::source::closing(&source.code, at + 2 + usize::from(attribute))];
            let mentions = |word| condition.iter().any(|t| is_word(t.kind, &t.text, word));
            if !mentions("test") {
                continue;
            }
            let in_function = functions
                .iter()
                .any(|function| function.tokens.contains(&at));
            if in_function || expression && !token.test || attribute && mentions("not") {
                let says =
                    "a branch for tests in production code: pass what differs as an argument";
                findings.push(Finding::new(&source.path, token.line, says));
            }
        }
    }
    findings
}

/// No path of somebody's own machine in any file.
pub fn no_private_paths(tree: &Tree) -> Vec<Finding> {
    let folders = ["home", "root", "work", "Users"].map(|folder| format!("/{folder}/"));
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        for (line, text) in (1..).zip(text.lines()) {
            let found = folders.iter().find(|folder| {
                text.match_indices(folder.as_str()).any(|(at, _)| {
                    let before = text[..at].chars().next_back();
                    before.is_none_or(|c| !c.is_alphanumeric() && !"._~-}>*".contains(c))
                })
            });
            if let Some(folder) = found {
                let says = format!("`{folder}…` is a path of one machine");
                findings.push(Finding::new(path, line, says));
            }
        }
    }
    findings
}

/// What is fetched comes from the public registries, and from nowhere else.
pub fn lock_files_name_the_public_registries(tree: &Tree) -> Vec<Finding> {
    let known = [
        (
            "Cargo.lock",
            "source = \"",
            "registry+https://github.com/rust-lang/crates.io-index",
        ),
        (
            "package-lock.json",
            "\"resolved\": \"",
            "https://registry.npmjs.org/",
        ),
    ];
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        for (_, key, registry) in known.iter().filter(|(name, _, _)| path.ends_with(name)) {
            for (line, text) in (1..).zip(text.lines()) {
                let named = text.split_once(key).map(|(_, named)| named);
                if named.is_some_and(|named| !named.starts_with(registry)) {
                    let says = format!("fetched from elsewhere than {registry}");
                    findings.push(Finding::new(path, line, says));
                }
            }
        }
    }
    findings
}

fn under<'a>(tree: &'a Tree, folder: &'a str) -> impl Iterator<Item = &'a Source> {
    tree.sources
        .iter()
        .filter(move |source| source.path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_protocol_named_in_engine_is_found_in_names_and_texts() {
        let bad = "use guichet_proto::smtp;\nstruct HttpListener;\nconst POP3_PORT: u16 = 1;\n\
                   fn a() { b(\"an IMAP client\") }\nlet httpsConnector = c;\n";
        let found = engine_names_no_protocol(&tree(&[("crates/engine/src/a.rs", bad)]));
        assert_eq!(lines(&found), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn comments_tests_and_certificate_names_may_mention_protocols() {
        let good = "// such as SMTP\nlet a = ServerName::DnsName(b); queue.pop_front(); popular();\n\
                    #[cfg(test)]\nmod tests { use guichet_proto::echo; }";
        let found = engine_names_no_protocol(&tree(&[("crates/engine/src/a.rs", good)]));
        assert_eq!(found, []);
        let elsewhere = tree(&[("crates/guichet/src/a.rs", "use guichet_proto::smtp;")]);
        assert_eq!(engine_names_no_protocol(&elsewhere), []);
    }

    #[test]
    fn sql_is_found_outside_store_only() {
        let bad = "use rusqlite::Row;\nlet a = \"SELECT a FROM b\";\nlet c = \"\n  CREATE TABLE d\";\n\
                   let imap = \"SELECT inbox\";";
        let found = sql_stays_in_store(&tree(&[("crates/services/src/a.rs", bad)]));
        assert_eq!(lines(&found), [1, 2, 3]);
        assert_eq!(
            sql_stays_in_store(&tree(&[("crates/store/src/a.rs", bad)])),
            []
        );
    }

    #[test]
    fn unsafe_is_found_in_code_and_not_in_words() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\nlet a = \"unsafe\";\nunsafe { b() }";
        assert_eq!(
            lines(&no_unsafe(&tree(&[("crates/a/src/b.rs", text)]))),
            [4]
        );
    }

    #[test]
    fn leftovers_are_found() {
        let text = "fn a() { todo!() }\nfn b() { unimplemented!(\"c\") }\nlet d = dbg!(e);\n\
                    #[ignore = \"slow\"]\n// TODO later\n// TODO(ann): later, `TODO` alone\n// FIXME\nlet f = \"todo!()\";";
        let found = no_leftovers(&tree(&[("crates/a/src/b.rs", text)]));
        assert_eq!(lines(&found), [1, 2, 3, 4, 5, 7]);
    }

    #[test]
    fn a_branch_for_tests_is_found() {
        let bad = "fn a() {\n if cfg!(test) { b() }\n #[cfg(test)]\n c();\n}\n#[cfg(not(test))]\nfn d() {}\n\
                   const E: bool = cfg!(any(test, unix));";
        let found = no_test_mode_in_production(&tree(&[("crates/a/src/b.rs", bad)]));
        assert_eq!(lines(&found), [2, 3, 6, 8]);
        let good = "#[cfg(test)]\nextern crate std;\n#[cfg(unix)]\nfn a() { cfg!(unix) }\n\
                    #[cfg(test)]\nmod tests { fn b() { cfg!(test) } }\n#[cfg(test)]\nfn c() { #[cfg(test)] d() }";
        let found = no_test_mode_in_production(&tree(&[("crates/a/src/b.rs", good)]));
        assert_eq!(found, []);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = [
            "see /ho",
            "me/ann/a",
            "\n",
            "(/wo",
            "rk/b)",
            "\nbase/wo",
            "rk/c ~/ho",
            "me/d",
        ]
        .concat();
        let found = no_private_paths(&tree(&[("docs/a.md", &text)]));
        assert_eq!(lines(&found), [1, 2]);
    }

    #[test]
    fn another_registry_is_found() {
        let good = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        let bad = "source = \"registry+https://mirror.example/index\"\n";
        let both = format!("{good}{bad}");
        let found = lock_files_name_the_public_registries(&tree(&[("Cargo.lock", &both)]));
        assert_eq!(lines(&found), [2]);
        let npm = "\"resolved\": \"https://registry.npmjs.org/a.tgz\"\n\"resolved\": \"http://mirror.example/a\"\n";
        let found = lock_files_name_the_public_registries(&tree(&[("web/package-lock.json", npm)]));
        assert_eq!(lines(&found), [2]);
    }
}
