//! What happens while the service thinks.

use std::time::Duration;

use guichet_proto::session::NoTap;
use guichet_proto::smtp::{Answer, Ask, Kind, Server, Settings};
use guichet_proto::{Dialogue, Moment, Next};

/// A server whose client has handed a letter in and waits for the verdict.
fn waiting() -> Dialogue<Server> {
    let server = Server::new(Settings::new("mail.nord.test", Kind::Reception));
    let mut dialogue = Dialogue::open(server, Moment(0));
    let parts: [&[u8]; 3] = [
        b"HELO x\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<a@nord.test>\r\nDATA\r\n",
        b"hi\r\n.\r\n",
    ];
    for bytes in parts {
        dialogue.receive(bytes);
        if goes_on(&mut dialogue, Moment(0)).0.is_some() {
            return dialogue;
        }
    }
    panic!("the letter was not finished");
}

/// Answers everything but the last question; gives that, what was said, and whether it is over.
fn goes_on(dialogue: &mut Dialogue<Server>, now: Moment) -> (Option<Ask>, String, bool) {
    let mut said = Vec::new();
    loop {
        let next = dialogue.next(now, &mut NoTap);
        said.extend_from_slice(dialogue.output());
        let count = dialogue.output().len();
        dialogue.sent(now, count);
        let words = || String::from_utf8_lossy(&said).into_owned();
        match next {
            Next::Ask(ask @ Ask::Finish { .. }) => return (Some(ask), words(), false),
            Next::Ask(_) => dialogue.answer(now, Answer::Accepted),
            Next::Piece => dialogue.piece_taken(now),
            Next::Close(_) => return (None, words(), true),
            Next::Idle => return (None, words(), false),
            _ => {}
        }
    }
}

fn queued() -> Answer {
    Answer::Queued {
        id: "q1".into(),
        message_id: String::new(),
    }
}

#[test]
fn a_client_is_not_late_while_the_service_thinks() {
    let mut dialogue = waiting();
    let later = Moment(0).after(Duration::from_secs(3600));
    dialogue.tick(later);
    assert!(is_silent(&mut dialogue, later));
    dialogue.answer(later, queued());
    let (_, said, over) = goes_on(&mut dialogue, later);
    assert_eq!((said.as_str(), over), ("250 2.0.0 queued as q1\r\n", false));
}

#[test]
fn a_stop_waits_for_the_verdict() {
    let mut dialogue = waiting();
    dialogue.stop(Moment(0));
    assert!(is_silent(&mut dialogue, Moment(0)));
    dialogue.answer(Moment(0), queued());
    let (_, said, over) = goes_on(&mut dialogue, Moment(0));
    assert!(
        said.starts_with("250 2.0.0 queued as q1\r\n421 4.3.2 "),
        "{said}"
    );
    assert!(over);
}

#[test]
fn a_half_close_waits_for_the_verdict() {
    let mut dialogue = waiting();
    dialogue.input_ended();
    assert!(is_silent(&mut dialogue, Moment(0)));
    dialogue.answer(Moment(0), queued());
    let (_, said, over) = goes_on(&mut dialogue, Moment(0));
    assert_eq!((said.as_str(), over), ("250 2.0.0 queued as q1\r\n", true));
}

/// `Accepted` is no promise that the letter lasts: it must not sound like one.
#[test]
fn a_verdict_without_a_queue_id_is_no_promise() {
    let mut dialogue = waiting();
    dialogue.answer(Moment(0), Answer::Accepted);
    let (_, said, _) = goes_on(&mut dialogue, Moment(0));
    assert!(said.starts_with("451 4.3.0 "), "{said}");
}

fn is_silent(dialogue: &mut Dialogue<Server>, now: Moment) -> bool {
    let (ask, said, over) = goes_on(dialogue, now);
    ask.is_none() && said.is_empty() && !over
}
