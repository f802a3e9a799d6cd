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
    assert!(french.contains("Usage : guichet explain"), "{french}");
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
        err(&french).contains("Vouliez-vous dire --json ?"),
        "{}",
        err(&french)
    );

    assert_eq!(guichet("C", &[]).status.code(), Some(2));
    let missing = guichet("fr", &["completions"]);
    assert!(
        err(&missing).contains("Il manque : <SHELL>"),
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
        err(&french).contains("Vouliez-vous dire `hostname` ?"),
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
        one.starts_with("listen.smtp.addresses\n") && one.contains("Pourquoi :"),
        "{one}"
    );
    let json = out(&guichet("C", &["--json", "explain", "trace.days"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["default"], &json["reload"]),
        (&"14".into(), &true.into())
    );
    let slip = guichet("C", &["explain", "trace.day"]);
    assert_eq!(slip.status.code(), Some(2));
    assert!(err(&slip).contains("`trace.days`"), "{}", err(&slip));
}

#[test]
fn completions_are_a_script() {
    let bash = guichet("C", &["completions", "bash"]);
    assert_eq!(bash.status.code(), Some(0));
    assert!(out(&bash).contains("complete -F _guichet"));
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
    let line = format!("nord.test.zone:{} : erreur :", text.lines().count());
    assert!(err(&bad).contains(&line), "{}", err(&bad));
    assert_eq!(zone("C", &["records", "nord.test"]).status.code(), Some(1));
    assert_eq!(
        guichet("C", &["zone", "check", file.to_str().unwrap()])
            .status
            .code(),
        Some(1)
    );
}
