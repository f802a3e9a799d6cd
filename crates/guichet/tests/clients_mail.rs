//! Letters between the lab's organisations, carried by real mail programs: curl, swaks, Python,
//! fetchmail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use support::{DELIVERY_MOST, Lab, Ran, client, eventually, run, script};

const ALICE: &str = "alice@nord.test";
const BOB: &str = "bob@sud.test";

/// A word no other letter has.
fn marker(what: &str) -> String {
    static LETTERS: AtomicU32 = AtomicU32::new(0);
    let number = LETTERS.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{number}", std::process::id())
}

fn letter(from: &str, to: &str, subject: &str) -> String {
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\r\nGood day,\r\n.\r\n..two dots\r\n"
    )
}

fn curl() -> Option<Command> {
    let mut command = Command::new(client("curl")?);
    command.args(["--silent", "--show-error", "--noproxy", "*"]);
    Some(command)
}

/// Collects with curl until a letter with this subject is there; the letter.
#[track_caller]
fn collected(lab: &Lab, login: &str, subject: &str) -> Option<String> {
    client("curl")?;
    let (_, domain) = login.split_once('@').unwrap();
    let server = lab.service(domain, "pop3");
    let user = format!("{login}:{}", lab.password(login));
    Some(eventually(DELIVERY_MOST, || {
        let mut list = curl().ok_or("curl is gone")?;
        let list = run(list.args(["--user", &user, &format!("pop3://{server}/")]));
        for number in list.out.lines().filter_map(|line| line.split(' ').next()) {
            let mut get = curl().ok_or("curl is gone")?;
            let letter = run(get.args(["--user", &user, &format!("pop3://{server}/{number}")]));
            if letter.out.contains(&format!("Subject: {subject}")) {
                return Ok(letter.out);
            }
        }
        Err(format!("no letter {subject:?} for {login}: {list:?}"))
    }))
}

/// Hands in with curl at one of nord's entrances.
fn hand_in(lab: &Lab, url: &str, subject: &str, further: &[&str]) -> Option<Ran> {
    let file = lab.scratch("letters").join(subject);
    fs::write(&file, letter(ALICE, BOB, subject)).unwrap();
    let user = format!("{ALICE}:{}", lab.password(ALICE));
    let mut send = curl()?;
    send.args(["--mail-from", ALICE, "--mail-rcpt", BOB, "--user", &user]);
    send.args(["--cacert", &lab.authority(), "--upload-file"]);
    Some(run(send.arg(file).args(further).arg(url)))
}

#[test]
fn curl_hands_in_at_every_entrance_and_the_letter_arrives_unchanged() {
    let lab = Lab::shared();
    let submission = lab.service("nord.test", "submission");
    let submissions = lab.service("nord.test", "submissions");
    let ways = [
        (format!("smtp://{submission}/client.nord.test"), &[][..]),
        (
            format!("smtp://{submission}/client.nord.test"),
            &["--ssl-reqd"],
        ),
        (format!("smtps://{submissions}/client.nord.test"), &[]),
    ];
    for (url, further) in ways {
        let subject = marker("curl");
        let Some(ran) = hand_in(&lab, &url, &subject, further) else {
            return;
        };
        ran.well();
        let Some(arrived) = collected(&lab, BOB, &subject) else {
            return;
        };
        assert!(arrived.contains("Received:"), "{arrived}");
        let body = "\r\n\r\nGood day,\r\n.\r\n..two dots\r\n";
        assert!(
            arrived.ends_with(body),
            "dots and line ends are kept: {arrived:?}"
        );
    }
}

#[test]
fn curl_collects_in_clear_and_under_tls() {
    let lab = Lab::shared();
    let subject = marker("collect");
    let submission = lab.service("nord.test", "submission");
    let url = format!("smtp://{submission}/client.nord.test");
    let Some(ran) = hand_in(&lab, &url, &subject, &[]) else {
        return;
    };
    ran.well();
    let Some(_) = collected(&lab, BOB, &subject) else {
        return;
    };

    let user = format!("{BOB}:{}", lab.password(BOB));
    let (pop3, pop3s) = (
        lab.service("sud.test", "pop3"),
        lab.service("sud.test", "pop3s"),
    );
    let ways = [
        (format!("pop3s://{pop3s}/"), &[][..]),
        (format!("pop3://{pop3}/"), &["--ssl-reqd"]),
    ];
    for (url, further) in ways {
        let Some(mut get) = curl() else { return };
        let get = get.args(["--cacert", &lab.authority(), "--user", &user]);
        let listed = run(get.args(further).arg(url)).well();
        assert!(
            listed
                .out
                .lines()
                .next()
                .is_some_and(|line| line.contains(' ')),
            "{listed:#?}"
        );
    }
}

fn swaks(server: SocketAddr) -> Option<Command> {
    let mut command = Command::new(client("swaks")?);
    command.args([
        "--server",
        &server.ip().to_string(),
        "--port",
        &server.port().to_string(),
    ]);
    command.args(["--helo", "client.nord.test", "--timeout", "10"]);
    Some(command)
}

#[test]
fn swaks_hands_in_with_starttls_and_each_mechanism() {
    let lab = Lab::shared();
    for mechanism in ["PLAIN", "LOGIN"] {
        let subject = marker("swaks");
        let Some(mut send) = swaks(lab.service("nord.test", "submission")) else {
            return;
        };
        let password = lab.password(ALICE);
        send.args(["--from", ALICE, "--to", BOB, "--h-Subject", &subject])
            .args(["--tls", "--tls-verify", "--tls-ca-path", &lab.authority()])
            .args([
                "--auth",
                mechanism,
                "--auth-user",
                ALICE,
                "--auth-password",
                &password,
            ]);
        run(&mut send).well();
        let Some(_) = collected(&lab, BOB, &subject) else {
            return;
        };
    }
}

#[test]
fn a_wrong_password_opens_nothing() {
    let lab = Lab::shared();
    let Some(mut send) = swaks(lab.service("nord.test", "submission")) else {
        return;
    };
    send.args(["--from", ALICE, "--to", BOB, "--tls"]).args([
        "--auth",
        "PLAIN",
        "--auth-user",
        ALICE,
        "--auth-password",
        "wrong",
    ]);
    let ran = run(&mut send);
    assert_eq!(ran.code, Some(28), "swaks: authentication failed; {ran:#?}");
    ran.says("<~* 535");

    let Some(mut get) = curl() else { return };
    let server = lab.service("sud.test", "pop3");
    let user = format!("{BOB}:wrong");
    let ran = run(get.args(["--user", &user, &format!("pop3://{server}/")]));
    assert_eq!(ran.code, Some(67), "curl: log-in denied; {ran:#?}");
}

#[test]
fn nobody_hands_in_without_a_log_in() {
    let lab = Lab::shared();
    let Some(mut send) = swaks(lab.service("nord.test", "submission")) else {
        return;
    };
    let ran = run(send.args(["--from", ALICE, "--to", BOB, "--tls"]));
    assert_ne!(ran.code, Some(0), "{ran:#?}");
    ran.says("<~* 530");
}

#[test]
fn the_public_port_takes_letters_for_its_own_people_only() {
    let lab = Lab::shared();
    let port = lab.service("nord.test", "smtp");
    let stranger = "carol@elsewhere.test";

    let Some(mut relay) = swaks(port) else { return };
    let ran = run(relay.args(["--from", stranger, "--to", "dave@example.org"]));
    assert_eq!(ran.code, Some(24), "swaks: no recipient accepted; {ran:#?}");
    ran.does_not_say("AUTH");

    let Some(mut unknown) = swaks(port) else {
        return;
    };
    let ran = run(unknown.args(["--from", stranger, "--to", "nobody-here@nord.test"]));
    assert_eq!(ran.code, Some(24), "{ran:#?}");
    ran.says("<** 550");

    let Some(mut postmaster) = swaks(port) else {
        return;
    };
    run(postmaster.args(["--from", stranger, "--to", "postmaster@nord.test"])).well();

    let subject = marker("public");
    let Some(mut known) = swaks(port) else { return };
    run(known.args([
        "--from",
        stranger,
        "--to",
        ALICE,
        "--tls",
        "--h-Subject",
        &subject,
    ]))
    .well();
    let Some(_) = collected(&lab, ALICE, &subject) else {
        return;
    };
}

#[test]
fn python_sends_collects_and_deletes() {
    let lab = Lab::shared();
    let Some(python) = client("python3") else {
        return;
    };
    // Its own two people: what others collect must not be deleted under them.
    let (adam, berthe) = ("adam@nord.test", "berthe@sud.test");
    let mut command = Command::new(python);
    command
        .arg(script("letter.py"))
        .arg(lab.authority())
        .arg(lab.service("nord.test", "submission").to_string())
        .arg(lab.service("nord.test", "submissions").to_string())
        .arg(lab.service("sud.test", "pop3").to_string())
        .arg(lab.service("sud.test", "pop3s").to_string())
        .args([adam, &lab.password(adam), berthe, &lab.password(berthe)]);
    run(&mut command).well().says("all is well");
}

#[test]
fn fetchmail_collects_and_empties_the_mailbox() {
    let lab = Lab::start(&[]);
    let Some(fetchmail) = client("fetchmail") else {
        return;
    };
    let submission = lab.service("nord.test", "submission");
    let url = format!("smtp://{submission}/client.nord.test");
    let subjects = [marker("fetchmail"), marker("fetchmail")];
    for subject in &subjects {
        let Some(ran) = hand_in(&lab, &url, subject, &[]) else {
            return;
        };
        ran.well();
        let Some(_) = collected(&lab, BOB, subject) else {
            return;
        };
    }

    let home = lab.scratch("fetchmail");
    let maildrop = home.join("maildrop");
    let server = lab.service("sud.test", "pop3");
    let settings = format!(
        "poll {} service {} protocol pop3 no dns timeout 20\n  user \"{BOB}\" password \"{}\"\n  \
         sslproto \"\" no keep\n  mda \"cat >> {}\"\n",
        server.ip(),
        server.port(),
        lab.password(BOB),
        maildrop.display()
    );
    let file = home.join("fetchmailrc");
    fs::write(&file, settings).unwrap();
    private(&file);
    let fetch = || {
        let mut command = Command::new(&fetchmail);
        command
            .args(["--fetchmailrc"])
            .arg(&file)
            .args(["--nodetach", "--nosyslog", "-v"]);
        run(command.env("FETCHMAILHOME", &home).env("HOME", &home))
    };
    fetch().well();
    let arrived = fs::read_to_string(&maildrop).unwrap();
    for subject in &subjects {
        assert!(
            arrived.contains(&format!("Subject: {subject}")),
            "{arrived}"
        );
    }
    let again = fetch();
    assert_eq!(
        again.code,
        Some(1),
        "fetchmail: there is no mail; {again:#?}"
    );
}

fn private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}
