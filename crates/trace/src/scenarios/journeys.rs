//! What belongs to a letter, a page, a name, and what does not.

use super::*;

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
fn who_asked_where_the_mail_lies_is_who_looked_for_it() {
    let mut tape = Tape::new();
    let submitted = fixture::submit(&mut tape);
    let relayed = fixture::relay(&mut tape, submitted);
    tape.close(relayed);
    tape.wait_us(1_000_000);
    let asked = fixture::ask_for_the_maildrop(&mut tape);
    let maildrop = fixture::open_maildrop_because(&mut tape, &[asked.by_client(1)]);
    fixture::retrieve(&mut tape, maildrop, 1, &[relayed.by_server(1)]);
    fixture::leave_maildrop(&mut tape, maildrop);
    let view = tape.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    let english = english();
    let steps = steps(&journey, Detail::Every, &english);
    let lines: Vec<_> = steps.iter().map(|step| &*step.line).collect();
    assert!(
        lines.contains(&"3a bob → resolver  mail.sud.test A?"),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"3a resolver → root  mail.sud.test A?"),
        "{lines:#?}"
    );
    assert!(!lines.iter().any(|line| line.starts_with("1 bob")));
    let story = story(&journey, &english);
    let bobs = story
        .iter()
        .filter(|sentence| sentence.starts_with("bob asked"));
    assert_eq!(bobs.count(), 2, "{story:#?}");
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
    let english = english();
    let asked: Vec<_> = steps(&journeys[1], Detail::Every, &english)
        .into_iter()
        .filter(|step| step.line.contains("sud.test MX"))
        .map(|step| step.number)
        .collect();
    assert!(
        !asked.is_empty() && asked.iter().all(|number| number == "2"),
        "names the relay remembered belong to the relay: {asked:?}"
    );
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
            "The answer was: NOERROR 127.0.0.3.",
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
fn a_relay_that_never_began_is_a_step_of_its_own() {
    let mut tape = Tape::new();
    let submitted = fixture::submit(&mut tape);
    let attempt = fixture::refused_relay(&mut tape, submitted);
    tape.note(attempt.client, 1, "deferred", "the connection was refused");
    let view = tape.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    assert_eq!(journey.state, State::Deferred);
    let listed = steps(&journey, Detail::Essential, &english());
    let broken: Vec<_> = listed.iter().filter(|step| step.is_break).collect();
    assert_eq!(broken.len(), 1);
    assert_eq!(
        broken[0].line,
        "2 mail.nord.test ✗ mail.sud.test  the exchange ended: it was refused (nobody listens there)"
    );
    let style = Style {
        width: 80,
        unicode: true,
        detail: Detail::Essential,
    };
    assert!(diagram(&journey, style, &english()).contains('✗'));
    let told = story(&journey, &english());
    assert!(
        told.iter()
            .any(|sentence| sentence.contains("nobody listens there")),
        "{told:?}"
    );
    assert_eq!(journey.organisations(), ["nord.test"]);
    assert_eq!(
        (journey.sender(), journey.recipients()),
        (Some("alice@nord.test"), alloc::vec!["bob@sud.test"])
    );
}

#[test]
fn a_note_long_after_the_end_does_not_keep_an_exchange_open() {
    let (mut tape, submitted) = fixture::letter_tape();
    tape.wait_us(3_600_000_000);
    tape.note(submitted.server, 1, "delivered", "bob@sud.test");
    let view = tape.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    assert!(journey.duration_us < 60_000_000);
    assert!(journey.root().exchange.end_us < journey.start_us + 60_000_000);
}

#[test]
fn a_thousand_letters_from_the_same_sockets_stay_apart() {
    let mut view = View::new();
    let (tape, _) = fixture::letter_tape();
    for copy in 0..1_000_u64 {
        for (source, record) in &tape.records {
            let mut record = record.clone();
            let shift = |id: &mut ExchangeId| id.0 += copy << 20;
            shift(&mut record.exchange);
            record.at.0 += copy * 1_000_000_000;
            record.wall.0 += copy * 1_000_000;
            match &mut record.body {
                Body::Opened(opened) => {
                    opened
                        .causes
                        .iter_mut()
                        .for_each(|cause| shift(&mut cause.exchange));
                }
                Body::Message { causes, .. } => {
                    causes
                        .iter_mut()
                        .for_each(|cause| shift(&mut cause.exchange));
                }
                Body::Secured(secured) => {
                    secured.key[..8].copy_from_slice(&copy.to_le_bytes());
                }
                _ => {}
            }
            view.add(*source, record);
        }
    }
    let picture = view.picture();
    let journeys = picture.journeys();
    assert_eq!(journeys.len(), 1_000);
    assert!(
        journeys
            .iter()
            .all(|journey| journey.selection.exchanges.len() == 7)
    );
}

#[test]
fn a_letter_refused_before_it_became_a_matter_is_still_a_letter() {
    let mut tape = Tape::new();
    let hop = fixture::submission(&mut tape);
    tape.dialogue(
        hop,
        0,
        &[
            "S: 220 ready",
            "C: MAIL FROM:<alice@nord.test>",
            "S: 530 log in first",
            "C: QUIT",
            "S: 221 bye",
        ],
    );
    tape.close(hop);
    let view = tape.view();
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    assert_eq!(
        (journey.state, journey.title.as_str()),
        (State::Refused, "alice@nord.test → ?")
    );
    assert!(
        steps(&journey, Detail::Essential, &english())
            .iter()
            .all(|step| step.number == "1")
    );
}

#[test]
fn a_recipient_that_was_refused_is_not_waited_for() {
    let mut tape = Tape::new();
    let hop = fixture::submission(&mut tape);
    tape.dialogue(
        hop,
        1,
        &[
            // Pipelined (RFC 2920), as most clients do.
            "C: MAIL FROM:<alice@nord.test>",
            "C: RCPT TO:<nobody@nord.test>",
            "C: RCPT TO:<adam@nord.test>",
            "C: DATA",
            "S: 250 ok",
            "S: 550 no such person",
            "S: 250 ok",
            "S: 354 go on",
            "C: . 42 bytes",
            "S: 250 queued as Q1",
        ],
    );
    tape.note(hop.server, 1, "queued", "Q1");
    let state = |tape: &Tape| only(&tape.view().picture(), Kind::Letter).state.word();
    assert_eq!(state(&tape), "queued");
    tape.note(hop.server, 1, "delivered", "adam@nord.test");
    assert_eq!(state(&tape), "delivered");
}

#[test]
fn a_look_at_one_letter_does_not_tie_the_next_to_it() {
    let mut tape = Tape::new();
    let first = fixture::submit(&mut tape);
    let first_relay = fixture::relay(&mut tape, first);
    let second = fixture::submit(&mut tape);
    let second_relay = fixture::relay(&mut tape, second);
    let maildrop = fixture::open_maildrop(&mut tape);
    // TOP belongs to no retrieval, but the server knows whose letter it was.
    tape.say(maildrop, Role::Client, 0, "TOP 1 0");
    tape.say_because(
        maildrop,
        Role::Server,
        0,
        "+OK top",
        &[first_relay.by_server(1)],
    );
    fixture::retrieve(&mut tape, maildrop, 1, &[second_relay.by_server(1)]);
    let view = tape.view();
    let picture = view.picture();
    let journeys = picture.journeys();
    assert!(
        !texts(&journeys[0]).contains(&"RETR 1"),
        "{:?}",
        texts(&journeys[0])
    );
    assert!(texts(&journeys[1]).contains(&"RETR 1"));
}

#[test]
fn records_from_before_a_reboot_keep_their_time() {
    let (tape, _) = fixture::letter_tape();
    let mut view = tape.view();
    for (source, record) in &tape.records {
        let mut later = record.clone();
        later.exchange.0 += 1 << 20;
        later.wall.0 += 86_400_000_000; // a day later, while the monotonic clock began anew
        if let Body::Secured(secured) = &mut later.body {
            secured.key[0] ^= 0x80;
        }
        view.add(*source, later);
    }
    let picture = view.picture();
    let begun: Vec<_> = picture
        .exchanges()
        .iter()
        .map(|exchange| exchange.start_us)
        .collect();
    assert_eq!(begun[7] - begun[0], 86_400_000_000);
}

#[test]
fn a_cause_named_by_another_count_of_parts_still_holds() {
    let (tape, _) = fixture::letter_tape();
    let other_count = view_with(&tape, |_, record| {
        if let Body::Opened(opened) = &mut record.body {
            for cause in &mut opened.causes {
                cause.part = if cause.part == 0 { 1 } else { cause.part };
            }
        }
    });
    let picture = other_count.picture();
    assert_eq!(only(&picture, Kind::Letter).selection.exchanges.len(), 7);
}

#[test]
fn each_recipient_stands_where_the_last_fact_put_it() {
    let mut tape = Tape::new();
    let hop = fixture::submit(&mut tape);
    let state = |tape: &Tape| {
        let view = tape.view();
        let picture = view.picture();
        let journey = only(&picture, Kind::Letter);
        (journey.state.word(), story(&journey, &english()).join(" "))
    };
    let mut note = |word, text| {
        tape.note(hop.server, 1, word, text);
        state(&tape)
    };
    let (word, told) = note("deferred", "bob@sud.test: 451 try later");
    assert_eq!(word, "deferred");
    assert!(
        told.contains("tried again: bob@sud.test: 451 try later."),
        "{told}"
    );
    let (word, told) = note("relayed", "bob@sud.test: 250 taken");
    assert_eq!(word, "relayed");
    assert!(
        !told.contains("451"),
        "an attempt that was made good is no news: {told}"
    );
    assert_eq!(note("delivered", "bob@sud.test").0, "delivered");
    assert_eq!(
        note("relayed", "bob@sud.test: 250 taken").0,
        "delivered",
        "a mailbox's word stays"
    );
    let (word, told) = note("failed", "berthe@sud.test: 550 unknown");
    assert_eq!(word, "failed");
    assert!(
        told.contains("could not be delivered: berthe@sud.test: 550 unknown."),
        "{told}"
    );
    let (_, told) = note("delivered", "alice@nord.test");
    assert!(told.contains("A report that it failed lies in the mailbox of alice@nord.test."));
}
