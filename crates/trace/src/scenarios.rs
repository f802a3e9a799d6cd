//! Whole record sets read as the journeys they are.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::fixture::{self, Tape};
use crate::journey::{Journey, JourneyId, Kind, State};
use crate::picture::Picture;
use crate::record::{Body, ExchangeId, Record, Role};
use crate::render::diagram::{Style, diagram};
use crate::render::dialogue::{dialogue, dialogues};
use crate::render::json;
use crate::render::list::{Detail, steps};
use crate::render::mermaid::mermaid;
use crate::render::story::story;
use crate::text::columns;
use crate::view::{Source, View};
use crate::words::tests::{english, french};

fn titles(picture: &Picture<'_>) -> Vec<(String, String, String)> {
    let journeys = picture.journeys();
    let facts = journeys.iter().map(|journey| {
        (
            journey.kind_word().to_string(),
            journey.title.clone(),
            journey.state.word(),
        )
    });
    facts.collect()
}

fn only<'p, 'v>(picture: &'p Picture<'v>, kind: Kind) -> Journey<'p, 'v> {
    let mut found: Vec<_> = picture
        .journeys()
        .into_iter()
        .filter(|journey| journey.kind == kind)
        .collect();
    assert_eq!(found.len(), 1, "{:?}", titles(picture));
    found.remove(0)
}

fn texts<'v>(journey: &Journey<'_, 'v>) -> Vec<&'v str> {
    journey
        .selection
        .messages()
        .map(|(_, message)| message.text)
        .collect()
}

#[test]
fn a_letter_between_two_organisations_is_one_journey() {
    let (tape, submitted) = fixture::letter_tape();
    let view = tape.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    assert_eq!(picture.journeys().len(), 1, "{:?}", titles(&picture));
    assert_eq!(journey.title, "alice@nord.test → bob@sud.test");
    assert_eq!((journey.state, journey.collected), (State::Delivered, true));
    assert_eq!(journey.message_id, Some("<m1@nord.test>"));
    assert_eq!(journey.selection.exchanges.len(), 7);
    assert!(
        journey
            .selection
            .exchanges
            .iter()
            .all(|shown| !shown.remembered)
    );
    // Either end's id names it, and so does any exchange in it.
    let id = submitted.server.unwrap().1;
    assert_eq!(
        journey.id,
        JourneyId {
            exchange: id,
            part: 1
        }
    );
    assert_eq!(journey.id.to_string().parse(), Ok(journey.id));
    for exchange in picture.exchanges() {
        let by_any = JourneyId {
            exchange: exchange.id(),
            part: 1,
        };
        assert_eq!(picture.journey(by_any).unwrap().id, journey.id);
    }
}

#[test]
fn the_letters_steps_carry_the_courses_numbers() {
    let view = fixture::letter_tape().0.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    let lines: Vec<_> = steps(&journey, Detail::Essential, &english())
        .into_iter()
        .map(|s| s.line)
        .collect();
    assert_eq!(
        lines,
        [
            "1 alice → mail.nord.test  STARTTLS",
            "1 alice → mail.nord.test  AUTH PLAIN ********",
            "1 alice → mail.nord.test  MAIL FROM:<alice@nord.test> SIZE=42",
            "1 alice → mail.nord.test  RCPT TO:<bob@sud.test>",
            "1 alice → mail.nord.test  DATA",
            "1 alice → mail.nord.test  . 42 bytes",
            "1 mail.nord.test → alice  250 accepted as Q1",
            "2 mail.nord.test → resolver  sud.test MX?",
            "2 resolver → root  sud.test MX?",
            "2 root → resolver  NOERROR referral to test",
            "2 resolver → ns.test  sud.test MX?",
            "2 ns.test → resolver  NOERROR referral to sud.test",
            "2 resolver → ns.sud.test  sud.test MX?",
            "2 ns.sud.test → resolver  NOERROR 10 mail.sud.test",
            "2 resolver → mail.nord.test  NOERROR 10 mail.sud.test",
            "2 mail.nord.test → mail.sud.test  STARTTLS",
            "2 mail.nord.test → mail.sud.test  MAIL FROM:<alice@nord.test> SIZE=42",
            "2 mail.nord.test → mail.sud.test  RCPT TO:<bob@sud.test>",
            "2 mail.nord.test → mail.sud.test  DATA",
            "2 mail.nord.test → mail.sud.test  . 42 bytes",
            "2 mail.sud.test → mail.nord.test  250 delivered",
            "3a bob → mail.sud.test  LIST",
            "3b mail.sud.test → bob  +OK 1 letter",
            "3a bob → mail.sud.test  RETR 1",
            "3b mail.sud.test → bob  +OK letter 1",
        ]
    );
    let every = steps(&journey, Detail::Every, &english());
    assert_eq!(every.len(), journey.selection.order.len());
    assert!(every.iter().all(|step| step.line.starts_with(&step.number)));
}

fn drawn(journey: &Journey<'_, '_>, width: usize, unicode: bool) -> String {
    diagram(
        journey,
        Style {
            width,
            unicode,
            detail: Detail::Every,
        },
        &english(),
    )
}

#[test]
fn a_page_is_drawn_as_a_sequence_diagram() {
    let view = fixture::pages().view();
    let picture = view.picture();
    let drawing = drawn(&picture.journeys()[0], 60, true);
    let expected = "
  client   resolver    root     ns.test  ns.sud.t… www.sud.…
     │         │         │         │         │         │
     │ 1a www.sud.test A?          │         │         │
     │────────▶│         │         │         │         │
     │         │ 1a www.sud.test A?          │         │
     │         │────────▶│         │         │         │
     │         │ 1b NOERROR referral to test │         │
     │         │◀────────│         │         │         │
";
    assert!(
        drawing.starts_with(expected.trim_start_matches('\n')),
        "{drawing}"
    );
    assert!(drawing.contains("     │◀────────────────────────────────────────────────│\n"));
    assert!(drawn(&picture.journeys()[0], 60, false).is_ascii());
}

#[test]
fn a_drawing_is_never_wider_than_the_terminal() {
    let (tape, _) = fixture::letter_tape();
    let hostile = view_with(&tape, |_, record| {
        if let Body::Message { text, .. } = &mut record.body {
            text.push_str(
                " 日本語 \u{202e}\x1b[2J and a very long text that goes on and on and on",
            );
        }
    });
    let picture = hostile.picture();
    for width in 0..200 {
        for unicode in [true, false] {
            let drawing = drawn(&picture.journeys()[0], width, unicode);
            assert!(
                drawing.lines().all(|line| columns(line) <= width),
                "{width}:\n{drawing}"
            );
            assert!(!drawing.contains(['\u{202e}', '\x1b', '\0']));
        }
    }
}

#[test]
fn what_went_through_tls_has_double_lines() {
    let view = fixture::letter_tape().0.view();
    let picture = view.picture();
    let drawing = drawn(&picture.journeys()[0], 100, true);
    let arrow_under = |text: &str| {
        let mut lines = drawing.lines().skip_while(|line| !line.contains(text));
        lines.nth(1).unwrap_or_default().contains('═')
    };
    assert!(
        !arrow_under("STARTTLS") && arrow_under("MAIL FROM"),
        "{drawing}"
    );
    assert!(drawing.contains("TLS begins (TLSv1.3)"));
}

#[test]
fn the_letters_story_is_told_in_both_languages() {
    let view = fixture::letter_tape().0.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    assert_eq!(
        story(&journey, &english()),
        [
            "alice@nord.test handed the letter for bob@sud.test to mail.nord.test (port 587, here 20587), through TLS.",
            "mail.nord.test asked the name service: sud.test MX.",
            "To find the answer, these name servers were asked: root, ns.test, ns.sud.test.",
            "mail.nord.test connected to mail.sud.test (port 25, here 20025) and passed the letter on, through TLS.",
            "The letter lies in the mailbox of bob@sud.test.",
            "bob asked mail.sud.test whether mail had come, and received the letter.",
        ]
    );
    let french = story(&journey, &french());
    assert_eq!(french.len(), 6);
    assert_eq!(
        french[4],
        "La lettre est dans la boîte aux lettres de bob@sud.test."
    );
}

#[test]
fn the_two_halves_of_a_hop_are_listed_once() {
    let view = fixture::letter_tape().0.view();
    let picture = view.picture();
    assert_eq!(view.halves().count(), 14);
    assert_eq!(picture.exchanges().len(), 7);
    for exchange in picture.exchanges() {
        assert!(exchange.client_half.is_some() && exchange.server_half.is_some());
    }
}

/// Changes every record of one side before it enters the view.
fn view_with(tape: &Tape, change: impl Fn(Source, &mut Record)) -> View {
    let mut view = View::new();
    for (source, record) in &tape.records {
        let mut record = record.clone();
        change(*source, &mut record);
        view.add(*source, record);
    }
    view
}

fn joined(view: &View, protocol: &str) -> usize {
    let picture = view.picture();
    let both = picture.exchanges().iter().filter(|exchange| {
        exchange.client_half.is_some()
            && exchange.server_half.is_some()
            && exchange.protocol() == protocol
    });
    both.count()
}

#[test]
fn tls_keys_join_halves_that_see_other_addresses() {
    let (tape, _) = fixture::letter_tape();
    // Behind a translating router, and with a clock that is an hour off.
    let translated = |source: Source, record: &mut Record| {
        if source == fixture::SUD {
            record.wall.0 += 3_600_000_000;
            if let Body::Opened(opened) = &mut record.body {
                opened.local = "10.0.0.3:20025".parse().unwrap();
            }
        }
    };
    assert_eq!(joined(&view_with(&tape, translated), "smtp"), 2);
}

#[test]
fn different_tls_keys_never_join_even_with_equal_addresses() {
    let (tape, _) = fixture::letter_tape();
    let other_key = |source: Source, record: &mut Record| {
        if let (fixture::SUD, Body::Secured(secured)) = (source, &mut record.body) {
            secured.key = [99; 16];
        }
    };
    assert_eq!(
        joined(&view_with(&tape, other_key), "smtp"),
        1,
        "the submission only"
    );
}

#[test]
fn without_tls_addresses_join_within_five_seconds() {
    let (tape, _) = fixture::letter_tape();
    let late = |seconds: u64| {
        move |source: Source, record: &mut Record| {
            if source == fixture::SUD {
                record.wall.0 += seconds * 1_000_000;
            }
        }
    };
    assert_eq!(joined(&view_with(&tape, late(4)), "pop3"), 1);
    assert_eq!(joined(&view_with(&tape, late(6)), "pop3"), 0);
    let mapped = |_: Source, record: &mut Record| {
        if let Body::Opened(opened) = &mut record.body
            && opened.role == Role::Server
            && let core::net::SocketAddr::V4(remote) = opened.remote
        {
            let mapped = remote.ip().to_ipv6_mapped();
            opened.remote = core::net::SocketAddr::new(mapped.into(), remote.port());
        }
    };
    assert_eq!(
        joined(&view_with(&tape, mapped), "pop3"),
        1,
        "::ffff:127.0.0.1 is 127.0.0.1"
    );
}

#[test]
fn a_hop_that_only_one_end_wrote_is_still_shown() {
    let (tape, _) = fixture::letter_tape();
    let mut view = View::new();
    for (source, record) in tape
        .records
        .iter()
        .filter(|(source, _)| *source != fixture::SUD)
    {
        view.add(*source, record.clone());
    }
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    assert_eq!(
        journey.state,
        State::Relayed,
        "what became of it there is not known"
    );
    assert!(
        texts(&journey).contains(&"250 delivered"),
        "the client's account"
    );
}

#[test]
fn letters_fetched_in_one_session_stay_apart() {
    let mut tape = Tape::new();
    let first = fixture::submit(&mut tape);
    let first_relay = fixture::relay(&mut tape, first);
    tape.wait_us(1_000_000);
    let second = fixture::submit(&mut tape);
    let second_relay = fixture::relay(&mut tape, second);
    let maildrop = fixture::open_maildrop(&mut tape);
    fixture::retrieve(&mut tape, maildrop, 1, &[first_relay.by_server(1)]);
    fixture::retrieve(&mut tape, maildrop, 2, &[second_relay.by_server(1)]);
    fixture::leave_maildrop(&mut tape, maildrop);
    let view = tape.view();
    let picture = view.picture();
    let journeys = picture.journeys();
    assert_eq!(
        journeys.len(),
        2,
        "the session is not listed apart: {:?}",
        titles(&picture)
    );
    for (journey, (own, other)) in journeys
        .iter()
        .zip([("RETR 1", "RETR 2"), ("RETR 2", "RETR 1")])
    {
        let texts = texts(journey);
        assert!(texts.contains(&own) && !texts.contains(&other), "{texts:?}");
        assert!(
            texts.contains(&"USER bob@sud.test"),
            "the log-in belongs to both"
        );
        assert_eq!(journey.selection.exchanges.len(), 7);
    }
}

#[test]
fn letters_on_one_kept_relay_connection_stay_apart() {
    let mut tape = Tape::new();
    let first = fixture::submit(&mut tape);
    let kept = fixture::relay(&mut tape, first);
    let second = fixture::submit(&mut tape);
    tape.say_because(
        kept,
        Role::Client,
        2,
        "MAIL FROM:<adam@nord.test>",
        &[second.by_server(1)],
    );
    tape.say(kept, Role::Server, 2, "250 second");
    let view = tape.view();
    let picture = view.picture();
    let journeys = picture.journeys();
    assert_eq!(journeys.len(), 2);
    assert!(!texts(&journeys[0]).contains(&"250 second"));
    let second = texts(&journeys[1]);
    assert!(second.contains(&"250 second") && !second.contains(&"250 delivered"));
    let names = journeys[1].selection.exchanges.iter();
    let names: Vec<_> = names
        .filter(|shown| shown.exchange.protocol() == "dns")
        .collect();
    assert_eq!(
        names.len(),
        4,
        "the names that led to the connection served both"
    );
    assert!(names.iter().all(|shown| shown.remembered));
}

#[test]
fn a_page_is_one_journey_with_its_files_and_names() {
    let view = fixture::pages().view();
    let picture = view.picture();
    let page = ("page".into(), "http://www.sud.test/".into(), "200".into());
    assert_eq!(titles(&picture), [page.clone(), page]);
    let [first, second] = &picture.journeys()[..] else {
        panic!("two pages")
    };
    let numbers = |journey| -> Vec<String> {
        steps(journey, Detail::Every, &english())
            .into_iter()
            .map(|step| step.number)
            .collect()
    };
    let walk = ["1a", "1a", "1b", "1a", "1b", "1a", "1b", "1b"];
    let files = ["2a", "2b", "2a", "2b", "2a", "2b"];
    assert_eq!(numbers(first), [&walk[..], &files[..]].concat());
    // The second shows the remembered walk, but none of the first page.
    assert_eq!(
        numbers(second),
        [&walk[..], &["1a", "1b"], &files[..]].concat()
    );
    assert_eq!(second.selection.exchanges.len(), 6);
    let remembered = second
        .selection
        .exchanges
        .iter()
        .filter(|shown| shown.remembered)
        .count();
    assert_eq!(remembered, 4);
    assert!(
        second.start_us > first.start_us + 3_000_000,
        "old names do not count as its time"
    );
    assert!(second.duration_us < 1_000_000);
    let told = story(first, &english());
    assert_eq!(
        told,
        [
            "client asked the name service: www.sud.test A.",
            "To find the answer, these name servers were asked: root, ns.test, ns.sud.test.",
            "client asked www.sud.test (port 80, here 20080) for http://www.sud.test/.",
            "The reply was: 200 OK.",
            "The page was put together from 3 replies, 126 bytes in all.",
        ]
    );
}

#[test]
fn looking_for_mail_in_vain_is_a_collection() {
    let mut tape = Tape::new();
    let maildrop = fixture::open_maildrop(&mut tape);
    tape.dialogue(maildrop, 0, &["S: +OK 0 letters"]);
    fixture::leave_maildrop(&mut tape, maildrop);
    let view = tape.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Collection);
    assert_eq!(
        (journey.state, journey.title.as_str()),
        (State::Empty, "bob@sud.test ← mail.sud.test",)
    );
    assert_eq!(
        story(&journey, &english()),
        ["bob asked mail.sud.test whether mail had come: there was none."]
    );
}

#[test]
fn a_refused_letter_says_so() {
    let (mut tape, _) = fixture::letter_tape();
    tape.records.retain(|(_, record)| match &record.body {
        Body::Message { text, .. } => !text.starts_with("354") && !text.starts_with("250 acc"),
        Body::Note { .. } => false,
        _ => true,
    });
    let view = view_with(&tape, |_, record| {
        if let Body::Message { text, verb, .. } = &mut record.body
            && text == "250 ok"
        {
            *text = "550 5.1.1 no such person.".into();
            *verb = crate::record::Verb::new("550");
        }
    });
    let picture = view.picture();
    let journey = picture.journeys().remove(0);
    assert_eq!(journey.state, State::Refused);
    let told = story(&journey, &english());
    assert_eq!(
        told[0],
        "mail.nord.test did not accept the letter: 550 5.1.1 no such person."
    );
}

#[test]
fn a_broken_connection_is_marked() {
    let mut tape = Tape::new();
    let maildrop = fixture::open_maildrop(&mut tape);
    tape.close_as(maildrop, "reset", "the other side reset the connection");
    let view = tape.view();
    let picture = view.picture();
    let json = json::shown(&picture, &picture.journeys()[0], &english());
    assert!(json.contains(r#""ended":"reset""#), "{json}");
    let told = story(&picture.journeys()[0], &english());
    assert!(
        told[1].contains("the other side reset the connection"),
        "{told:?}"
    );
}

#[test]
fn json_is_as_the_contract_says() {
    let view = fixture::letter_tape().0.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    let listed: serde_json::Value = serde_json::from_str(&json::listed(&journey)).unwrap();
    assert_eq!(listed["title"], "alice@nord.test → bob@sud.test");
    assert_eq!(listed["kind"], "letter");
    assert_eq!(listed["state"], "delivered");
    assert_eq!(listed["start"], "2026-01-01T10:00:00.000Z");
    assert_eq!(listed["exchanges"], 7);
    assert_eq!(listed["message_id"], "<m1@nord.test>");
    assert!(listed["duration_ms"].as_f64().unwrap() > 1.0);
    assert!(listed["journey"].as_str().unwrap().starts_with("j-"));
    let shown = json::shown(&picture, &journey, &english());
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let exchanges = shown["exchanges"].as_array().unwrap();
    let relay = &exchanges[5];
    assert_eq!(relay["protocol"], "smtp");
    assert_eq!(relay["transport"], "tcp");
    assert_eq!(relay["tls"], true);
    assert_eq!(relay["client"], "127.0.0.2:41822");
    assert_eq!(relay["server"], "127.0.0.3:20025");
    assert_eq!(relay["named"], "mail.sud.test port 25");
    assert_eq!(relay["organisation"], "sud.test");
    assert_eq!(relay["mode"], "event");
    let causes = relay["causes"].as_array().unwrap();
    assert!(
        causes.contains(&exchanges[0]["id"]),
        "joined ids: {causes:?}"
    );
    let message = &relay["messages"][0];
    assert_eq!((&message["n"], &message["step"]), (&1.into(), &"2".into()));
    assert_eq!(
        (&message["from"], &message["verb"]),
        (&"server".into(), &"220".into())
    );
    assert_eq!(message["masked"], false);
    assert_eq!(exchanges[0]["messages"][7]["masked"], true);
    for line in json::lines(&journey.selection, Some(&journey)).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["journey"], listed["journey"]);
    }
}

#[test]
fn a_leap_day_is_a_day() {
    assert_eq!(json::timestamp(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(
        json::timestamp(1_709_210_096_789_000),
        "2024-02-29T12:34:56.789Z"
    );
    assert_eq!(
        json::timestamp(4_102_444_799_999_999),
        "2099-12-31T23:59:59.999Z"
    );
}

#[test]
fn causes_that_run_in_a_circle_do_no_harm() {
    let (tape, submitted) = fixture::letter_tape();
    let circular = view_with(&tape, |_, record| {
        if let Body::Opened(opened) = &mut record.body {
            opened.causes.push(submitted.by_server(1));
            opened.causes.push(crate::record::Cause {
                exchange: record.exchange,
                part: 0,
            });
            opened.causes.push(crate::record::Cause {
                exchange: ExchangeId(7),
                part: 9,
            });
        }
    });
    let picture = circular.picture();
    assert!(picture.journeys().len() <= 2);
}

#[test]
fn a_dialogue_is_written_as_transcripts_are() {
    let mut tape = Tape::new();
    let submitted = fixture::submit(&mut tape);
    tape.wait_us(5_000_000);
    let relayed = fixture::relay(&mut tape, submitted);
    tape.wait_us(2_500_000);
    tape.dialogue(relayed, 0, &["C: QUIT", "S: 221 bye"]);
    tape.close(relayed);
    let view = tape.view();
    let picture = view.picture();
    let journey = picture.journeys().remove(0);
    let last = journey.selection.exchanges.last().unwrap();
    assert_eq!(
        dialogue(last),
        alloc::format!(
            "\
# protocol: smtp
# exchange: {}
# client: 127.0.0.2:41822
# server: 127.0.0.3:20025
# named: mail.sud.test port 25
# service: smtp
S: 220 mail.sud.test ready
C: EHLO mail.nord.test
S: 250 STARTTLS
C: STARTTLS
S: 220 go ahead
! tls
C: MAIL FROM:<alice@nord.test> SIZE=42
S: 250 ok
C: RCPT TO:<bob@sud.test>
S: 250 ok
C: DATA
S: 354 go on
C: Subject: greetings
C:{}
C: ..a line with a dot
C: .
S: 250 delivered
T: +2s
C: QUIT
S: 221 bye
! closed
",
            last.exchange.id(),
            " "
        )
    );
    let all = dialogues(&journey.selection);
    assert!(
        all.contains("C: AUTH PLAIN ********\n"),
        "what was masked matches anything"
    );
    assert!(
        all.contains("C: \\x00\\x07\\x01\\x00\\x00\\x01"),
        "binary is escaped: {all}"
    );
}

#[test]
fn below_full_a_transcript_says_what_it_lacks() {
    let (tape, _) = fixture::letter_tape();
    let view = view_with(&tape, |_, record| {
        if let Body::Message { bytes, .. } = &mut record.body {
            bytes.clear();
        }
    });
    let picture = view.picture();
    let text = dialogue(&picture.everything().exchanges[0]);
    assert!(text.contains("# bytes: not all were kept"), "{text}");
    assert!(text.contains("C: MAIL FROM:<alice@nord.test> SIZE=42\n"));
}

#[test]
fn mermaid_draws_the_same_messages() {
    let view = fixture::letter_tape().0.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    let drawn = mermaid(&journey.selection, Some(&journey), &english());
    assert!(
        drawn.starts_with("sequenceDiagram\n    participant P0 as alice\n"),
        "{drawn}"
    );
    assert!(drawn.contains("P0->>P1: 1 MAIL FROM:#60;alice@nord.test#62; SIZE=42\n"));
    assert!(drawn.contains("P1-->>P0: 1 250 accepted as Q1\n"));
    assert!(drawn.contains("Note over P0,P1: TLS begins (TLSv1.3)\n"));
    assert_eq!(drawn.matches(">>P").count(), journey.selection.order.len());
}
