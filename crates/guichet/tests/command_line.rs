//! The binary as people meet it: exit codes, streams and words in both languages.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

fn guichet(lang: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_guichet"))
        .args(arguments)
        .env_clear()
        .env("LANG", lang)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_and_version_are_results() {
    let help = guichet("C", &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(out(&help).contains("Usage: guichet"), "{}", out(&help));
    let french = out(&guichet("fr_FR.UTF-8", &["explain", "--help"]));
    assert!(french.contains("Usage\u{a0}: guichet explain"), "{french}");
    assert!(out(&guichet("C", &["--version"])).starts_with("guichet 0."));
}

#[test]
fn a_wrong_command_line_ends_with_2_and_a_sentence() {
    let slip = guichet("C", &["chek"]);
    assert_eq!(slip.status.code(), Some(2));
    assert!(err(&slip).contains("Do you mean check?"), "{}", err(&slip));
    assert_eq!(out(&slip), "");

    let french = guichet("C", &["check", "--lang", "fr", "--jsn"]);
    assert_eq!(french.status.code(), Some(2));
    assert!(
        err(&french).contains("Vouliez-vous dire --json\u{a0}?"),
        "{}",
        err(&french)
    );

    assert_eq!(guichet("C", &[]).status.code(), Some(2));
    let missing = guichet("fr", &["completions"]);
    assert!(
        err(&missing).contains("Il manque\u{a0}: <SHELL>"),
        "{}",
        err(&missing)
    );
}

#[test]
fn check_names_file_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guichet.toml");
    std::fs::write(&file, "domains = [\"nord.test\"]\nhostnam = \"x\"\n").unwrap();
    let path = file.to_str().unwrap();

    let wrong = guichet("C", &["check", "--config", path]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        err(&wrong).starts_with(&format!("{path}:2: ")),
        "{}",
        err(&wrong)
    );
    assert!(
        err(&wrong).contains("Do you mean `hostname`?"),
        "{}",
        err(&wrong)
    );
    let french = guichet("fr", &["check", "--dir", folder.path().to_str().unwrap()]);
    assert!(
        err(&french).contains("Vouliez-vous dire `hostname`\u{a0}?"),
        "{}",
        err(&french)
    );

    std::fs::write(&file, "domains = [\"nord.test\"]\n").unwrap();
    let good = guichet("C", &["check", "--config", path]);
    assert_eq!((good.status.code(), err(&good).as_str()), (Some(0), ""));
    assert!(out(&good).contains("nord.test"));

    let absent = guichet("fr", &["check", "--config", "/nowhere/guichet.toml"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(
        err(&absent).contains("cela n’existe pas"),
        "{}",
        err(&absent)
    );
}

#[test]
fn explain_knows_every_key_and_the_nearest() {
    let list = out(&guichet("C", &["explain"]));
    assert!(list.contains("mail.queue.expire") && list.contains("listen.*.addresses"));
    let one = out(&guichet("fr", &["explain", "listen.smtp.addresses"]));
    assert!(
        one.starts_with("listen.smtp.addresses\n") && one.contains("Pourquoi\u{a0}:"),
        "{one}"
    );
    for (key, default, reload) in [
        ("trace.days", "14", false),
        ("trace.level", "\"envelope\"", true),
    ] {
        let json = out(&guichet("C", &["--json", "explain", key]));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&json["default"], &json["reload"]),
            (&default.into(), &reload.into()),
            "{key}"
        );
    }
    let slip = guichet("C", &["explain", "trace.day"]);
    assert_eq!(slip.status.code(), Some(2));
    assert!(err(&slip).contains("`trace.days`"), "{}", err(&slip));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let script = format!(
        "set -o pipefail; for i in 1 2 3 4 5; do {} completions zsh || exit 9; done | head -c 1",
        env!("CARGO_BIN_EXE_guichet")
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(err(&output), "");
}

#[test]
fn zones_are_judged_where_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let zone = |lang: &str, arguments: &[&str]| {
        guichet(lang, &[&["zone"], arguments, &["--dir", dir]].concat())
    };
    assert_eq!(
        guichet(
            "C",
            &["init", "nord.test", "--dir", dir, "--address", "127.0.0.2"]
        )
        .status
        .code(),
        Some(0)
    );
    let good = zone("C", &["check"]);
    assert_eq!(good.status.code(), Some(0), "{}", err(&good));
    assert!(
        out(&good).contains("is good: nord.test, serial 20"),
        "{}",
        out(&good)
    );
    let records = out(&zone("C", &["records", "Nord.Test"]));
    assert!(
        records.contains("mail.nord.test 300 A 127.0.0.2"),
        "{records}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&out(&zone("C", &["records", "nord.test", "--json"]))).unwrap();
    assert_eq!(json[0]["type"], "SOA");
    assert!(out(&zone("C", &["show", "nord.test"])).contains("$ORIGIN"));
    assert_eq!(zone("C", &["show", "other.test"]).status.code(), Some(1));

    let file = folder.path().join("zones/nord.test.zone");
    let text = std::fs::read_to_string(&file).unwrap() + "broken A not-an-address\n";
    std::fs::write(&file, &text).unwrap();
    let bad = zone("fr", &["check", "nord.test"]);
    assert_eq!(bad.status.code(), Some(1));
    let line = format!(
        "nord.test.zone:{}\u{a0}: erreur\u{a0}:",
        text.lines().count()
    );
    assert!(err(&bad).contains(&line), "{}", err(&bad));
    assert_eq!(zone("C", &["records", "nord.test"]).status.code(), Some(1));
    assert_eq!(
        guichet("C", &["zone", "check", file.to_str().unwrap()])
            .status
            .code(),
        Some(1)
    );
}

/// `guichet init example.org` in `folder`, with `input` on standard input.
fn init(folder: &std::path::Path, more: &[&str], input: &str) -> Output {
    use std::io::Write;
    use std::process::Stdio;

    let dir = folder.to_str().unwrap();
    let fixed = [
        "init",
        "example.org",
        "--dir",
        dir,
        "--address",
        "192.0.2.7",
    ];
    let mut child = Command::new(env!("CARGO_BIN_EXE_guichet"))
        .args([&fixed, more].concat())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command line that is wrong is refused before anything is read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The hash of an account, from the store itself.
fn hash_of(folder: &std::path::Path, login: &str) -> Option<String> {
    let options = guichet_store::Options::new(folder.join("store"));
    let store = guichet_store::Store::open(options).unwrap();
    let account = store.account(login).unwrap();
    store.close();
    account.map(|account| account.password_hash)
}

/// Where an alias leads, from the store itself.
fn targets_of(folder: &std::path::Path, address: &str) -> Option<Vec<String>> {
    let options = guichet_store::Options::new(folder.join("store"));
    let store = guichet_store::Store::open(options).unwrap();
    let aliases = store.aliases().unwrap();
    store.close();
    let found = aliases.into_iter().find(|alias| alias.address == address);
    found.map(|alias| alias.targets)
}

/// Every file below `folder` that contains `text`.
fn files_with(folder: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn init_draws_a_password_says_it_once_and_keeps_it_nowhere() {
    use guichet_services::accounts::password::verify;
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let founded = init(folder.path(), &[], "");
    assert_eq!(founded.status.code(), Some(0), "{}", err(&founded));
    let said = out(&founded);
    let password = said
        .lines()
        .find_map(|line| line.strip_prefix("The password of postmaster@example.org is "))
        .unwrap_or_else(|| panic!("{said}"));
    assert_eq!(said.matches(password).count(), 1);
    assert!(!err(&founded).contains(password));
    assert!(said.contains("name server  ns1.example.org"), "{said}");
    let roles = "abuse@example.org, hostmaster@example.org, webmaster@example.org";
    assert!(said.contains(roles), "{said}");
    for role in roles.split(", ") {
        let leads_to = targets_of(folder.path(), role).unwrap_or_default();
        assert_eq!(leads_to, ["postmaster@example.org"], "{role}");
    }

    let hash = hash_of(folder.path(), "postmaster@example.org").unwrap();
    assert!(verify(password, &hash) && !verify("", &hash));
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    // The search itself must be able to find: the login stands in the store.
    assert!(!files_with(folder.path(), "postmaster@example.org").is_empty());
    assert_eq!(
        files_with(folder.path(), password),
        [] as [std::path::PathBuf; 0]
    );

    let token = folder.path().join("watch.token");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&token), 0o600);
    assert_eq!(mode(&folder.path().join("store")), 0o700);

    let again = init(folder.path(), &[], "");
    assert_eq!(again.status.code(), Some(1));
    assert!(
        err(&again).contains("nothing was written"),
        "{}",
        err(&again)
    );
    assert_eq!(hash_of(folder.path(), "postmaster@example.org"), Some(hash));
}

#[test]
fn init_takes_the_password_and_the_account_it_is_given() {
    use guichet_services::accounts::password::verify;

    let folder = tempfile::tempdir().unwrap();
    let more = ["--account", "Anna@example.org", "--json"];
    let founded = init(folder.path(), &more, "correct horse\nignored\n");
    assert_eq!(founded.status.code(), Some(0), "{}", err(&founded));
    assert!(
        !out(&founded).contains("correct horse"),
        "{}",
        out(&founded)
    );
    let json: serde_json::Value = serde_json::from_str(&out(&founded)).unwrap();
    assert_eq!(json["account"], "anna@example.org");
    assert_eq!(json["password"], serde_json::Value::Null);
    let hash = hash_of(folder.path(), "anna@example.org").unwrap();
    assert!(verify("correct horse", &hash));

    // Who is one of those already needs no alias.
    let folder = tempfile::tempdir().unwrap();
    let more = ["--account", "webmaster@example.org", "--json"];
    let founded = init(folder.path(), &more, "x\n");
    let json: serde_json::Value = serde_json::from_str(&out(&founded)).unwrap();
    let others = ["abuse@example.org", "hostmaster@example.org"];
    assert_eq!(json["aliases"], serde_json::json!(others));
    assert_eq!(targets_of(folder.path(), "webmaster@example.org"), None);

    for wrong in ["anna", "@example.org", "a b@example.org", "anna@other.org"] {
        let empty = tempfile::tempdir().unwrap();
        let refused = init(empty.path(), &["--account", wrong], "x\n");
        assert_eq!(refused.status.code(), Some(2), "{wrong}");
        assert!(
            err(&refused).contains("anna@example.org"),
            "{}",
            err(&refused)
        );
        assert_eq!(
            std::fs::read_dir(empty.path()).unwrap().count(),
            0,
            "{wrong}"
        );
    }
}

#[test]
fn init_leaves_a_store_that_holds_something_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("store")).unwrap();
    assert_eq!(
        init(folder.path(), &[], "").status.code(),
        Some(0),
        "empty: welcome"
    );
    for name in ["guichet.toml", "watch.token"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    for name in ["zones", "sites"] {
        std::fs::remove_dir_all(folder.path().join(name)).unwrap();
    }
    let refused = init(folder.path(), &[], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        err(&refused).contains("/store is there already"),
        "{}",
        err(&refused)
    );
}

#[test]
fn every_key_is_explained_in_both_languages_and_as_data() {
    let list = out(&guichet("C", &["--json", "explain"]));
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let keys: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["key"].as_str().unwrap())
        .collect();
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        for (lang, why) in [("C", "Why:"), ("fr", "Pourquoi")] {
            let told = guichet(lang, &["explain", key]);
            assert_eq!(told.status.code(), Some(0), "{key}: {}", err(&told));
            let told = out(&told);
            assert!(told.starts_with(key) && told.contains(why), "{told}");
        }
    }
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    for (shell, sign) in [
        ("bash", "complete -F _guichet"),
        ("zsh", "#compdef guichet"),
        ("fish", "complete -c guichet"),
    ] {
        let script = guichet("C", &["completions", shell]);
        assert_eq!(script.status.code(), Some(0), "{shell}");
        let script = out(&script);
        for expected in [sign, "resolve", "init", "account"] {
            assert!(script.contains(expected), "{shell}: {expected}");
        }
    }
}

/// Every command and subcommand, as the help lists them.
fn commands(lang: &str, path: &[String]) -> Vec<Vec<String>> {
    let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let help = guichet(lang, &arguments);
    assert_eq!(help.status.code(), Some(0), "{path:?}: {}", err(&help));
    let text = out(&help);
    assert!(!text.contains("cli-"), "a text is missing: {text}");
    let mut all = vec![path.to_vec()];
    let listed = text
        .lines()
        .skip_while(|line| !line.starts_with("Command"))
        .skip(1)
        .take_while(|line| !line.trim().is_empty());
    for line in listed {
        let Some(name) = line.split_whitespace().next() else {
            continue;
        };
        // A line that goes on from the one above is indented further.
        if line.starts_with("   ") {
            continue;
        }
        all.extend(commands(lang, &[path, &[name.to_owned()]].concat()));
    }
    all
}

#[test]
fn every_command_has_help_in_both_languages() {
    let english = commands("C", &[]);
    let french = commands("fr", &[]);
    assert!(english.len() > 40, "{english:?}");
    assert_eq!(english, french);
}
