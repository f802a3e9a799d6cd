//! What zone files may say, and what is said about those that may not be served.
#![allow(clippy::unwrap_used)]

use guichet_proto::dns::{Name, Rtype};
use proptest::prelude::*;

use super::zone_file::{Delegation, Host, Organisation, organisation, parent};
use super::*;

fn name(text: &str) -> Name {
    parse_name(text).unwrap()
}

/// Findings about a zone with this behind a good beginning of four lines.
fn said(rest: &str) -> Vec<String> {
    let text = format!("$TTL 60\n@ SOA ns p 1 2 3 4 5\n@ NS ns\nns A 127.0.0.1\n{rest}");
    check(&name("sud.test"), &text)
        .1
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_finding_names_the_line_and_the_remedy() {
    let cases = [
        (
            "www B 127.0.0.1",
            "line 5: error: expected rtype: [TTL] [IN] TYPE DATA should follow",
        ),
        (
            "www A 127.0.0.256",
            "line 5: error: expected IPv4 address; got: www A 127.0.0.256",
        ),
        (
            "www A 127.0.0.256 ; why\nx A 1.2.3.4",
            "line 5: error: expected IPv4 address",
        ),
        ("w..x A 1.2.3.4\nx A 1.2.3.4", "line 5: error: bad name"),
        (
            "@ MX 1 b..c",
            "line 5: error: the data is not what MX holds",
        ),
        (
            "w A \\# 3 010203",
            "line 5: error: the data is not what A holds",
        ),
        ("$TTL 60\n$TTL 1x\nw A 1.2.3.4", "line 6: error: "),
        (
            "www A",
            "line 5: error: unexpected end of entry: something is missing",
        ),
        (
            "www A 127.0.0.1 2",
            "line 5: error: trailing tokens: the record should have ended",
        ),
        (
            "\nwww.nord.test. A 127.0.0.1",
            "line 6: error: www.nord.test is not in the zone sud.test",
        ),
        (
            "@ SOA ns p 1 2 3 4 5",
            "line 5: error: a second SOA; the first is on line 2",
        ),
        (
            "w CNAME ns\nw A 127.0.0.1",
            "line 6: error: w.sud.test has a CNAME on line 5",
        ),
        (
            "@ MX 10 w\nw CNAME ns",
            "line 5: error: MX points to w.sud.test, which is a CNAME",
        ),
        (
            "@ MX 10 nix",
            "line 5: warning: MX points to nix.sud.test, which has no A or AAAA",
        ),
        (
            "sub NS ns.sub",
            "line 5: error: NS points to ns.sub.sud.test, which has no A or AAAA",
        ),
        (
            "sub NS ns.nix",
            "line 5: warning: NS points to ns.nix.sud.test, which has no A or AAAA",
        ),
        (
            "sub NS ns\nx.sub MX 1 ns",
            "line 6: warning: x.sub.sud.test MX is never served",
        ),
        (
            "ns A 127.0.0.1",
            "line 5: warning: ns.sud.test A: the same record again, ignored",
        ),
        (
            "ns 30 A 127.0.0.9",
            "line 5: warning: ns.sud.test A: the TTL differs from line 4",
        ),
        ("*.w NS ns", "line 5: error: a wildcard cannot hold NS"),
        ("$INCLUDE other", "line 5: error: $INCLUDE is not read here"),
        ("w CH TXT x", "line 5: error: different class"),
        (
            "w TYPE200 \\# 0",
            "line 5: error: TYPE200 does not belong into a zone file",
        ),
        ("w ( A 127.0.0.1", "error: "),
    ];
    for (rest, expected) in cases {
        let said = said(rest);
        assert!(
            said.iter().any(|finding| finding.contains(expected)),
            "{rest}: {said:?}"
        );
    }
    assert_eq!(
        said("; nothing wrong\nwww A 127.0.0.1"),
        Vec::<String>::new()
    );
}

#[test]
fn a_zone_needs_its_soa_and_ns() {
    let findings = |text| check(&name("sud.test"), text).1;
    assert!(findings("www 60 A 127.0.0.1\n")[0].text.contains("no SOA"));
    assert!(
        findings("@ 60 SOA ns p 1 2 3 4 5\n")[0]
            .text
            .contains("no NS record at sud.test")
    );
    assert!(findings("")[0].text.contains("no SOA"));
}

#[test]
fn origin_and_ttl_count_and_lines_of_long_records() {
    let text = "$ORIGIN sud.test.\n$TTL 90\n@ SOA ns p (\n 5 ; serial\n 2 3 4 5 )\n  NS ns\n\
                ns A 127.0.0.1\n$ORIGIN deep.sud.test.\nx 10 A 127.0.0.2\n  TXT \"a ; b\" c\n";
    let zone = Zone::parse(&name("other.test"), text).unwrap();
    assert_eq!(
        (zone.apex().to_string(), zone.serial()),
        ("sud.test".to_owned(), 5)
    );
    let shown: Vec<String> = zone.records()[3..]
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shown,
        [
            "x.deep.sud.test 10 A 127.0.0.2",
            "x.deep.sud.test 90 TXT \"a ; b\" \"c\""
        ]
    );
    let units = text.replace("$TTL 90", "$TTL 1m30s");
    assert_eq!(
        Zone::parse(&name("other.test"), &units).unwrap().records(),
        zone.records()
    );
    let late = text.to_owned() + "ns.nord.test. A 1.2.3.4";
    assert_eq!(check(&name("sud.test"), &late).1[0].line, Some(11));
}

#[test]
fn written_zones_are_flawless() {
    let host = |host: &str, address: &str| Host {
        name: name(host),
        addresses: vec![address.parse().unwrap(), "::1".parse().unwrap()],
    };
    let text = organisation(&Organisation {
        domain: name("sud.test"),
        serial: 1,
        addresses: vec!["127.0.0.3".parse().unwrap(), "::1".parse().unwrap()],
        wildcard: true,
    });
    let (zone, findings) = check(&Name::root(), &text);
    assert_eq!(findings, [], "{text}");
    let zone = zone.unwrap();
    let has = |rtype, line: &str| {
        zone.records()
            .iter()
            .any(|record| record.rtype == rtype && record.to_string() == line)
    };
    assert!(
        has(Rtype::MX, "sud.test 300 MX 10 mail.sud.test."),
        "{text}"
    );
    assert!(has(Rtype::TXT, "sud.test 300 TXT \"v=spf1 mx -all\""));
    assert!(has(
        Rtype::SRV,
        "_pop3s._tcp.sud.test 300 SRV 0 1 995 mail.sud.test."
    ));
    assert!(has(Rtype::AAAA, "*.www.sud.test 300 AAAA ::1"));

    let sud = Delegation {
        zone: name("sud.test"),
        servers: vec![host("ns1.sud.test", "127.0.0.3")],
    };
    let tld = parent(&name("test"), 1, &[host("ns.test", "127.0.0.1")], &[sud]);
    let test = Delegation {
        zone: name("test"),
        servers: vec![host("ns.test", "127.0.0.1")],
    };
    let root = parent(&Name::root(), 1, &[host("ns.root", "127.0.0.1")], &[test]);
    for (text, glue) in [
        (tld, "ns1.sud.test 300 A 127.0.0.3"),
        (root, "ns.test 300 A 127.0.0.1"),
    ] {
        let (zone, findings) = check(&name("elsewhere"), &text);
        assert_eq!(findings, [], "{text}");
        assert!(
            zone.unwrap()
                .records()
                .iter()
                .any(|record| record.to_string() == glue),
            "{text}"
        );
    }
}

#[test]
fn a_folder_loads_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    let zone = "@ 60 SOA ns p 1 2 3 4 5\n@ 60 NS ns\nns 60 A 127.0.0.1\n";
    write("sud.test.zone", zone);
    write("nord.test.zone", zone);
    write("root.zone", zone);
    write("notes.txt", "not a zone");
    let loaded = Zones::load(folder.path()).unwrap();
    let mut names: Vec<String> = loaded
        .zones
        .iter()
        .map(|zone| zone.apex().to_string())
        .collect();
    names.sort();
    assert_eq!(names, [".", "nord.test", "sud.test"]);

    write("again.zone", &format!("$ORIGIN sud.test.\n{zone}"));
    let twice = Zones::load(folder.path()).unwrap_err().to_string();
    assert!(twice.contains("sud.test is in another file"), "{twice}");
    write("again.zone", &format!("{zone}w A 1.2.3\n"));
    let broken = Zones::load(folder.path()).unwrap_err().to_string();
    assert!(broken.contains("again.zone: line 4: error:"), "{broken}");
    assert!(matches!(
        Zones::load(&folder.path().join("none")),
        Err(LoadError::Io { .. })
    ));
}

proptest! {
    #[test]
    fn no_text_does_harm(text in "(\\$TTL 1\n)?(@ SOA a b 1 2 3 4 5\n)?[ -~\n\t]{0,80}") {
        let _ = check(&name("sud.test"), &text);
    }

    #[test]
    fn no_tokens_do_harm(tokens in proptest::collection::vec(
        prop_oneof![
            Just("@"), Just("A"), Just("IN"), Just("60"), Just("\n"), Just("("), Just(")"), Just("\""),
            Just("TXT"), Just("$ORIGIN"), Just("\\#"), Just("4"), Just("TYPE999"), Just("*.x"),
            Just("\\1"), Just("SVCB"), Just("alpn=h2"), Just("key65000"), Just("MX"), Just(";"),
        ], 0..40)) {
        let _ = check(&name("sud.test"), &tokens.join(" "));
    }
}
