//! The names of the lab as `dig` sees them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::net::SocketAddr;
use std::process::Command;

use support::{Lab, Ran, client, run};

/// Asks `server`; dig's whole output.
#[track_caller]
fn dig(server: SocketAddr, question: &[&str]) -> Option<Ran> {
    let mut command = Command::new(client("dig")?);
    command
        .arg(format!("@{}", server.ip()))
        .args(["-p", &server.port().to_string(), "+tries=2", "+timeout=5"])
        .args(question);
    Some(run(&mut command).well())
}

/// The flags of the answer: `qr aa rd`.
fn flags(ran: &Ran) -> Vec<&str> {
    let line = ran
        .out
        .lines()
        .find_map(|line| line.strip_prefix(";; flags: "));
    let flags = line.and_then(|line| line.split(';').next());
    flags.unwrap_or_default().split(' ').collect()
}

/// The records of a section, one a line, fields parted by one space.
fn section(ran: &Ran, name: &str) -> Vec<String> {
    let head = format!(";; {name} SECTION:");
    let lines = ran.out.lines().skip_while(|line| *line != head).skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn has_address(records: &[String], address: SocketAddr) -> bool {
    let end = format!(" IN A {}", address.ip());
    records.iter().any(|record| record.ends_with(&end))
}

#[test]
fn an_organisation_answers_for_its_names_over_udp_and_tcp() {
    let lab = Lab::shared();
    let names = lab.service("nord.test", "dns");
    for transport in ["+notcp", "+tcp"] {
        let question = [transport, "+norec", "www.nord.test", "A"];
        let Some(answer) = dig(names, &question) else {
            return;
        };
        answer.says("status: NOERROR");
        assert!(
            has_address(&section(&answer, "ANSWER"), names),
            "{answer:#?}"
        );
        let flags = flags(&answer);
        assert!(flags.contains(&"aa"), "authoritative: {answer:#?}");
        assert!(!flags.contains(&"ra"), "no recursion here: {answer:#?}");
        let word = if transport == "+tcp" {
            "(TCP)"
        } else {
            "(UDP)"
        };
        answer.says(word);
    }
}

#[test]
fn mail_and_name_servers_are_named_with_their_addresses() {
    let lab = Lab::shared();
    let names = lab.service("sud.test", "dns");
    for kind in ["MX", "NS"] {
        let Some(answer) = dig(names, &["+norec", "sud.test", kind]) else {
            return;
        };
        let records = section(&answer, "ANSWER");
        assert!(
            records
                .iter()
                .any(|record| record.contains(&format!(" IN {kind} "))),
            "{answer:#?}"
        );
        assert!(
            has_address(&section(&answer, "ADDITIONAL"), names),
            "{answer:#?}"
        );
    }
    let Some(answer) = dig(names, &["+norec", "sud.test", "SOA"]) else {
        return;
    };
    assert_eq!(section(&answer, "ANSWER").len(), 1, "{answer:#?}");
}

#[test]
fn edns_is_answered_with_edns_and_its_absence_with_none() {
    let lab = Lab::shared();
    let names = lab.service("nord.test", "dns");
    let question = ["+edns=0", "+bufsize=1232", "www.nord.test"];
    let Some(with) = dig(names, &question) else {
        return;
    };
    with.says("EDNS: version: 0");
    let Some(without) = dig(names, &["+noedns", "www.nord.test"]) else {
        return;
    };
    without.does_not_say("EDNS:").says("status: NOERROR");
    let question = ["+edns=1", "+noednsnegotiation", "www.nord.test"];
    let Some(later) = dig(names, &question) else {
        return;
    };
    later.says("status: BADVERS").says("EDNS: version: 0");
}

#[test]
fn a_name_that_does_not_exist_is_nxdomain_and_a_missing_type_is_not() {
    let lab = Lab::shared();
    let names = lab.service("nord.test", "dns");
    let Some(none) = dig(names, &["+norec", "no-such-name.nord.test"]) else {
        return;
    };
    none.says("status: NXDOMAIN");
    assert_eq!(section(&none, "ANSWER"), Vec::<String>::new());
    assert!(
        section(&none, "AUTHORITY")[0].contains(" IN SOA "),
        "{none:#?}"
    );
    let Some(no_data) = dig(names, &["+norec", "www.nord.test", "HINFO"]) else {
        return;
    };
    no_data.says("status: NOERROR");
    assert_eq!(section(&no_data, "ANSWER"), Vec::<String>::new());
    assert!(
        section(&no_data, "AUTHORITY")[0].contains(" IN SOA "),
        "{no_data:#?}"
    );
}

#[test]
fn the_case_of_the_question_is_kept() {
    let lab = Lab::shared();
    let names = lab.service("nord.test", "dns");
    let Some(answer) = dig(names, &["+norec", "wWw.NoRd.tEsT", "A"]) else {
        return;
    };
    assert_eq!(section(&answer, "QUESTION"), [";wWw.NoRd.tEsT. IN A"]);
    assert!(
        has_address(&section(&answer, "ANSWER"), names),
        "{answer:#?}"
    );
}

#[test]
fn names_of_others_are_refused() {
    let lab = Lab::shared();
    let names = lab.service("nord.test", "dns");
    for name in ["www.sud.test", "example.org", "."] {
        let Some(answer) = dig(names, &[name, "A"]) else {
            return;
        };
        answer.says("status: REFUSED");
        assert_eq!(section(&answer, "ANSWER"), Vec::<String>::new());
    }
}

#[test]
fn the_resolver_finds_both_organisations_from_the_root() {
    let lab = Lab::shared();
    for domain in ["nord.test", "sud.test"] {
        let name = format!("www.{domain}");
        let Some(answer) = dig(lab.resolver(), &[&name, "A"]) else {
            return;
        };
        answer.says("status: NOERROR");
        let address = lab.service(domain, "dns");
        assert!(
            has_address(&section(&answer, "ANSWER"), address),
            "{answer:#?}"
        );
        assert!(flags(&answer).contains(&"ra"), "{answer:#?}");
        assert!(!flags(&answer).contains(&"aa"), "{answer:#?}");
    }
    let Some(none) = dig(lab.resolver(), &["no-such-name.sud.test"]) else {
        return;
    };
    none.says("status: NXDOMAIN");
}

#[test]
fn the_wildcard_of_the_lab_answers_for_names_nobody_wrote() {
    let lab = Lab::shared();
    let names = lab.service("nord.test", "dns");
    let question = ["+norec", "any.name.www.nord.test", "A"];
    let Some(answer) = dig(names, &question) else {
        return;
    };
    let records = section(&answer, "ANSWER");
    assert!(
        records[0].starts_with("any.name.www.nord.test. "),
        "{records:?}"
    );
    assert!(has_address(&records, names), "{records:?}");
}

#[test]
fn a_zone_that_was_changed_answers_anew_after_a_reload() {
    let lab = Lab::start(&[]);
    let names = lab.service("nord.test", "dns");
    let folder = lab.dir().join("nord/zones");
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut zone = std::fs::read_to_string(&file).unwrap();
    zone.push_str(
        "\n*.wild.nord.test. 60 IN A 127.0.0.9\nowned.wild.nord.test. 60 IN TXT \"here\"\n",
    );
    std::fs::write(&file, zone).unwrap();
    run(lab.guichet().args(["reload"])).well();

    for name in ["any.wild.nord.test", "deep.any.wild.nord.test"] {
        let Some(answer) = dig(names, &["+norec", name, "A"]) else {
            return;
        };
        let record = format!("{name}. 60 IN A 127.0.0.9");
        assert_eq!(section(&answer, "ANSWER"), [record]);
    }
    // What exists is not covered by the wildcard (RFC 4592 section 2.2.1).
    let question = ["+norec", "owned.wild.nord.test", "A"];
    let Some(owned) = dig(names, &question) else {
        return;
    };
    owned.says("status: NOERROR");
    assert_eq!(section(&owned, "ANSWER"), Vec::<String>::new());
}
