//! What was done for an earlier letter and served a later one.

use super::*;

/// The steps' numbers without repetitions.
fn course(journey: &Journey<'_, '_>) -> Vec<String> {
    let mut numbers: Vec<String> = steps(journey, Detail::Every, &english())
        .into_iter()
        .map(|step| step.number)
        .collect();
    numbers.dedup();
    numbers
}

#[test]
fn what_a_relay_remembered_is_told_before_the_relay_not_before_the_letter() {
    let mut tape = Tape::new();
    let first = fixture::submit(&mut tape);
    let names = fixture::ask_for_the_exchanger(&mut tape, first);
    let relayed = fixture::relay_knowing(&mut tape, first, names);
    tape.close(relayed);
    tape.wait_us(1_000_000);
    let second = fixture::submit(&mut tape);
    let relayed = fixture::relay_knowing(&mut tape, second, names);
    tape.close(relayed);
    let view = tape.view();
    let picture = view.picture();
    let journey = &picture.journeys()[1];
    assert_eq!(course(journey), ["1", "2"]);
    let lines = |words| -> Vec<String> {
        let steps = steps(journey, Detail::Essential, words);
        steps.into_iter().map(|step| step.line).collect()
    };
    let (said, dit) = (lines(&english()), lines(&french()));
    let marked: Vec<bool> = said
        .iter()
        .map(|line| line.ends_with(" (known from before)"))
        .collect();
    let handed_in = said.iter().position(|line| line.contains("250 accepted"));
    let relays = said.iter().rposition(|line| line.contains("STARTTLS"));
    let (handed_in, relays) = (handed_in.unwrap(), relays.unwrap());
    assert_eq!(relays - handed_in, 9, "eight messages of names: {said:#?}");
    let expected = (0..said.len()).map(|at| handed_in < at && at < relays);
    assert_eq!(marked, expected.collect::<Vec<_>>(), "{said:#?}");
    assert!(dit[relays - 1].ends_with("(déjà connu)"), "{dit:#?}");
    let drawing = drawn(journey, 200, true);
    let at = |text: &str| drawing.find(text).unwrap_or_else(|| panic!("{drawing}"));
    assert!(at("1 MAIL FROM") < at("known from before"));
    let told = story(journey, &english()).join(" ");
    assert!(told.contains("mail.nord.test already knew the answer to: sud.test MX."));
    assert!(
        !told.contains("were asked"),
        "nobody was asked for this letter: {told}"
    );
}

#[test]
fn a_kept_connections_greeting_is_told_with_the_letter_it_serves() {
    let mut tape = Tape::new();
    let first = fixture::submit(&mut tape);
    let kept = fixture::relay(&mut tape, first);
    tape.wait_us(1_000_000);
    let second = fixture::submit(&mut tape);
    let because = [second.by_server(1)];
    tape.say_because(
        kept,
        Role::Client,
        2,
        "MAIL FROM:<alice@nord.test>",
        &because,
    );
    tape.say(kept, Role::Server, 2, "250 second");
    let view = tape.view();
    let picture = view.picture();
    assert_eq!(course(&picture.journeys()[1]), ["1", "2"]);
}
