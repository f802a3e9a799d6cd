//! What our sessions record in one language is shown in the reader's; what peers say is not touched.

use super::*;
use crate::exchange::Exchange;
use crate::record::Transport;
use crate::render::{reason, said};
use crate::words::Words;

/// How one recorded message of a protocol is said.
fn spoken(protocol: &'static str, from: Role, recorded: &str, words: &dyn Words) -> String {
    let mut tape = Tape::new();
    let hop = fixture::one_to_one(&mut tape, (protocol, Transport::Tcp));
    tape.say(hop, from, 1, recorded);
    let view = tape.view();
    let picture = view.picture();
    let exchange: &Exchange<'_> = &picture.exchanges()[0];
    said(exchange, &exchange.messages[0], words)
}

#[test]
fn each_form_our_sessions_write_is_said_in_both_languages() {
    use Role::{Client, Server};
    let forms = [
        (
            "dns",
            Server,
            "referral: sud.test NS ns1.sud.test (127.0.0.3)",
            "renvoi\u{a0}: sud.test NS ns1.sud.test (127.0.0.3)",
        ),
        (
            "dns",
            Server,
            "NOERROR sud.test AAAA: no such record",
            "NOERROR sud.test AAAA\u{a0}: pas d’enregistrement de ce type",
        ),
        (
            "dns",
            Server,
            "NXDOMAIN nix.sud.test: no such name",
            "NXDOMAIN nix.sud.test\u{a0}: ce nom n’existe pas",
        ),
        (
            "dns",
            Server,
            "NOERROR a.test A 127.0.0.3, and 4 more",
            "NOERROR a.test A 127.0.0.3, et 4 de plus",
        ),
        ("smtp", Client, "382 bytes", "382 octets"),
        ("smtp", Client, "(not a command)", "(pas une commande)"),
        ("pop3", Client, "(a secret)", "(un secret)"),
        (
            "http",
            Server,
            "200 text/html 607 bytes",
            "200 text/html 607 octets",
        ),
        (
            "http",
            Server,
            "200 text/html in pieces",
            "200 text/html en morceaux",
        ),
        ("http", Client, "12 bytes", "12 octets"),
    ];
    for (protocol, from, recorded, french_words) in forms {
        assert_eq!(spoken(protocol, from, recorded, &english()), recorded);
        assert_eq!(spoken(protocol, from, recorded, &french()), french_words);
    }
    // Of a dialogue in a protocol nobody knows only the sizes are told.
    assert_eq!(spoken("tcp", Client, "5 octets", &english()), "5 bytes");
    assert_eq!(spoken("tcp", Client, "5 octets", &french()), "5 octets");
}

#[test]
fn a_peers_words_stay_as_they_came() {
    for (protocol, from, words) in [
        ("smtp", Role::Server, "552 at most 100 bytes"),
        ("smtp", Role::Server, "250-SIZE 12 bytes"),
        ("pop3", Role::Server, "+OK 12 bytes"),
        ("smtp", Role::Client, "MAIL FROM:<referral: a@b.test>"),
        ("http", Role::Client, "GET http://a.test/1 bytes"),
        ("echo", Role::Client, "7 bytes"),
    ] {
        assert_eq!(spoken(protocol, from, words, &french()), words);
    }
}

#[test]
fn the_systems_words_come_without_their_number() {
    let unreachable = "bob@sud.test: mail.sud.test [127.0.0.3]: port 25 does not answer: \
                       Connection refused (os error 111)";
    assert_eq!(
        reason(unreachable, &english()),
        "bob@sud.test: mail.sud.test [127.0.0.3]: port 25 does not answer: the connection was refused"
    );
    assert_eq!(
        reason(unreachable, &french()),
        "bob@sud.test: mail.sud.test [127.0.0.3]: le port 25 ne répond pas\u{a0}: la connexion a été refusée"
    );
    assert_eq!(
        reason("Too many links (os error 31)", &french()),
        "Too many links"
    );
    let quoted = "bob@sud.test: 451 why (os error x)";
    assert_eq!(reason(quoted, &french()), quoted);
    let mut tape = Tape::new();
    let submitted = fixture::submit(&mut tape);
    let attempt = fixture::refused_relay(&mut tape, submitted);
    let view = view_with(&tape, |_, record| {
        if let Body::Closed { reason, text } = &mut record.body
            && Some(record.exchange) == attempt.client.map(|(_, id)| id)
        {
            *reason = crate::record::Verb::new("unreachable");
            *text = "Connection refused (os error 111)".into();
        }
    });
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    let told = [
        drawn(&journey, 120, true),
        steps(&journey, Detail::Essential, &english())
            .pop()
            .unwrap()
            .line,
        story(&journey, &english()).concat(),
    ];
    for told in told {
        assert!(told.contains("the connection was refused"), "{told}");
        assert!(!told.contains("os error"), "{told}");
    }
}

#[test]
fn records_for_programs_keep_their_one_language() {
    let mut tape = fixture::pages();
    for (_, record) in &mut tape.records {
        if let Body::Message { text, .. } = &mut record.body
            && text == "200 OK"
        {
            *text = "200 text/html 607 bytes".into();
        }
    }
    let view = tape.view();
    let picture = view.picture();
    let page = picture.journeys().remove(0);
    let lines = steps(&page, Detail::Every, &french());
    assert!(
        lines.last().unwrap().line.ends_with("607 octets"),
        "{lines:#?}"
    );
    assert!(story(&page, &french()).concat().contains("607 octets"));
    for export in [
        json::shown(&picture, &page, &english()),
        json::lines(&page.selection, Some(&page)),
        mermaid(&page.selection, Some(&page), &french()),
    ] {
        assert!(export.contains("607 bytes"), "{export}");
    }
}

#[test]
fn a_further_attempt_that_failed_the_same_way_is_told_as_such() {
    let mut tape = Tape::new();
    let submitted = fixture::submit(&mut tape);
    let told = |tape: &Tape, words: &dyn Words| -> Vec<String> {
        let view = tape.view();
        let picture = view.picture();
        let told = story(&only(&picture, Kind::Letter), words);
        told.into_iter()
            .filter(|sentence| !sentence.contains("alice"))
            .collect()
    };
    fixture::refused_relay(&mut tape, submitted);
    let broke = "The exchange with mail.sud.test broke off: it was refused (nobody listens there).";
    assert_eq!(told(&tape, &english()), [broke]);
    for attempts in ["2", "3"] {
        fixture::refused_relay(&mut tape, submitted);
        let again = [
            "mail.nord.test tried mail.sud.test again, and it failed in the same way. Attempts: ",
            attempts,
            ".",
        ];
        assert_eq!(told(&tape, &english()), [broke, &again.concat()]);
        assert_eq!(told(&tape, &french()).len(), 2);
    }
}
