//! Journeys and exports in each of their forms.

use super::*;

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
            "The answer was: NOERROR 10 mail.sud.test.",
            "mail.nord.test connected to mail.sud.test (port 25, here 20025) and passed the letter on, through TLS.",
            "The letter lies in the mailbox of bob@sud.test.",
            "bob asked mail.sud.test whether mail had come, and received the letter.",
        ]
    );
    let french = story(&journey, &french());
    assert_eq!(french.len(), 7);
    assert_eq!(
        french[5],
        "La lettre est dans la boîte aux lettres de bob@sud.test."
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

#[test]
fn nothing_hostile_reaches_a_terminal() {
    const HOSTILE: &str = "\x1b[2J\u{202e}\u{9b}\n";
    let (tape, _) = fixture::letter_tape();
    let view = view_with(&tape, |_, record| match &mut record.body {
        Body::Opened(opened) => {
            opened.named.insert_str(0, HOSTILE);
            opened.organisation.push_str(HOSTILE);
        }
        Body::Message { text, .. } => {
            let at = text.find(['@', ' ']).unwrap_or(text.len());
            text.insert_str(at, HOSTILE);
        }
        Body::Note { text, .. } | Body::Closed { text, .. } => text.push_str(HOSTILE),
        Body::Secured(secured) => secured.version.push_str(HOSTILE),
        Body::Gap { .. } => {}
    });
    let view = {
        let mut broken = view;
        let opened = tape.records[0].1.exchange;
        let mut end = tape.records[0].1.clone();
        end.exchange = opened;
        end.body = Body::Closed {
            reason: crate::record::Verb::new("reset"),
            text: HOSTILE.into(),
        };
        broken.add(tape.records[0].0, end);
        broken
    };
    let picture = view.picture();
    for journey in picture.journeys() {
        let mut shown = drawn(&journey, 80, true);
        shown.push_str(&mermaid(&journey.selection, Some(&journey), &english()));
        shown.push_str(&dialogues(&journey.selection));
        for step in steps(&journey, Detail::Every, &english()) {
            shown.push_str(&step.line);
        }
        shown.push_str(&story(&journey, &english()).concat());
        let obeyed = shown
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(obeyed, None);
    }
}
