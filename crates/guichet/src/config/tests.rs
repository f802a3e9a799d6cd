//! What a file means, and what is said about one that is wrong.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::texts::Texts;

const FILE: &str = "/etc/guichet/guichet.toml";

fn parse(text: &str) -> Result<Config, Vec<String>> {
    Config::parse(Path::new(FILE), text).map_err(|failure| match failure {
        Failure::Wrong(messages) => messages
            .iter()
            .map(|message| message.said(&Texts::new(Language::English)))
            .collect(),
        other => panic!("{other:?}"),
    })
}

/// The one complaint about `text` after a good first line.
fn complaint(text: &str) -> String {
    let complaints = parse(&format!("domains = [\"nord.test\"]\n{text}\n")).unwrap_err();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    complaints.into_iter().next().unwrap()
}

#[test]
fn the_least_file_has_every_default() {
    let config = parse("domains = [\"Nord.Test.\"]").unwrap();
    assert_eq!(config.domains, ["nord.test"]);
    assert_eq!(config.hostname, "mail.nord.test");
    assert_eq!(config.store_dir, Path::new("/etc/guichet/store"));
    assert_eq!(config.control, Path::new("/etc/guichet/control.sock"));
    assert!(config.listen.is_empty());
    assert_eq!(config.mail.size_bytes_most, 50_000_000);
    assert_eq!(config.mail.queue.expire, Duration::from_secs(5 * 86_400));
    assert_eq!(config.trace.level, TraceLevel::Envelope);
    assert_eq!(config.stop_drain, Duration::from_secs(3));
    assert!(!config.mail.clear_logins);
}

#[test]
fn a_full_file_is_understood() {
    let config = parse(
        r#"
        domains = ["nord.test"]
        hostname = "mx.nord.test"
        language = "fr"
        store.dir = "/var/lib/guichet"
        [listen.smtp]
        addresses = ["0.0.0.0:25", "[::]:25"]
        most = 50
        [tls]
        certificates = [{ names = ["*.nord.test"], certificate = "c.pem", key = "k.pem" }]
        [names]
        roots = ["127.0.0.1:20054"]
        resolver_listen = ["127.0.0.1:20053"]
        [dial.map]
        "127.0.0.3:25" = "127.0.0.3:20025"
        [stop]
        drain_s = "500ms"
        "#,
    )
    .unwrap();
    assert_eq!(config.hostname, "mx.nord.test");
    assert_eq!(config.language, Some(Language::French));
    assert_eq!(config.store_dir, Path::new("/var/lib/guichet"));
    let smtp = &config.listen[&Service::Smtp];
    assert_eq!(
        (smtp.addresses.len(), smtp.connections_most, smtp.backlog),
        (2, 50, 1024)
    );
    assert_eq!(config.certificates[0].key, Path::new("/etc/guichet/k.pem"));
    assert_eq!(config.certificates[0].names, ["*.nord.test"]);
    assert_eq!(
        config.dial_map[&("127.0.0.3".to_owned(), 25)],
        "127.0.0.3:20025".parse().unwrap()
    );
    assert_eq!(config.stop_drain, Duration::from_millis(500));
}

#[test]
fn an_unknown_key_is_refused_with_line_and_nearest() {
    let said = complaint("hostnam = \"x.test\"");
    assert!(said.starts_with("/etc/guichet/guichet.toml:2: "), "{said}");
    assert!(
        said.contains("hostnam") && said.contains("hostname"),
        "{said}"
    );
    assert!(complaint("[listen.smpt]\naddresses = []").contains("`listen.smtp`"));
    assert!(complaint("[mail]\nqueue.expires = \"1d\"").contains("mail.queue.expire"));
    assert!(!complaint("xyzzy = 1").contains("mean"));
}

#[test]
fn wrong_types_and_impossible_values_say_what_was_expected() {
    for (text, expected, found) in [
        ("hostname = 5", "domain name", "5"),
        ("hostname = \"a b\"", "domain name", "a b"),
        ("language = \"de\"", "\"en\", \"fr\"", "de"),
        ("mail.size_bytes_most = \"10 apples\"", "size", "10 apples"),
        ("mail.size_bytes_most = -1", "size", "-1"),
        ("mail.queue.first_retry = 300", "unit", "300"),
        ("stop.drain_s = \"2h\"", "1h", "2h"),
        ("trace.days = 0", "from 1", "0"),
        ("listen.smtp.addresses = [\"25\"]", "192.0.2.1:25", "25"),
        (
            "listen.smtp.addresses = \"0.0.0.0:25\"",
            "list",
            "0.0.0.0:25",
        ),
        (
            "names.resolver_listen = [\"192.0.2.1:53\"]",
            "127.0.0.1",
            "192.0.2.1:53",
        ),
        ("mail.clear_logins = \"yes\"", "true", "yes"),
        (
            "dial.map = { \"nohost\" = \"127.0.0.1:1\" }",
            "host:port",
            "nohost",
        ),
    ] {
        let said = complaint(text);
        assert!(said.contains(":2: "), "{said}");
        assert!(said.contains(expected) && said.contains(found), "{said}");
    }
}

#[test]
fn a_certificate_needs_both_files() {
    let said = complaint("tls.certificates = [{ certificate = \"c.pem\" }]");
    assert!(said.contains("key"), "{said}");
    let said = complaint("tls.certificates = [{ certificat = \"c.pem\", key = \"k\" }]");
    assert!(said.contains("certificate"), "{said}");
}

#[test]
fn contradictions_are_found() {
    assert!(complaint("mail.queue.first_retry = \"6h\"").contains("first_retry"));
    assert!(complaint("mail.queue.expire = \"1h\"").contains("expire"));
    let twice = "[listen.smtp]\naddresses = [\"127.0.0.1:25\"]\n[listen.echo]\naddresses = [\"127.0.0.1:25\"]";
    let said = complaint(twice);
    assert!(
        said.contains("listen.smtp") && said.contains("listen.echo"),
        "{said}"
    );
    assert!(parse("").unwrap_err()[0].contains("domains"));
}

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_lines() {
    let complaints =
        parse("hostname = 1\ndomains = [\"a.test\"]\nfoo = 2\ntrace.days = 0").unwrap_err();
    let lines: Vec<_> = complaints
        .iter()
        .map(|said| said.split(':').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(lines, ["1", "3", "4"]);
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    let said = complaint("hostname = ");
    assert!(said.contains(":2: ") && said.contains("TOML"), "{said}");
}

#[test]
fn every_default_passes_its_own_kind() {
    for declaration in TABLE
        .iter()
        .filter(|declaration| !declaration.default.is_empty())
    {
        assert!(
            check::default(declaration).is_some(),
            "{}",
            declaration.path
        );
    }
}

/// `UPDATE=1` writes the page afresh.
#[test]
fn the_page_of_the_documentation_is_fresh() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, manual()).unwrap();
    }
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(
        written == manual(),
        "docs/configuration.md is stale: run this test with UPDATE=1"
    );
}
