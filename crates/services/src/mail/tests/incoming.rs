//! Reception and submission.

use guichet_proto::smtp::ask::{Answer, Ask};
use guichet_proto::{Reply, Service};
use tempfile::TempDir;

use super::world::{World, ask, code, mail_from, open_store, pieces, rcpt, send};
use crate::accounts::Domain;
use crate::mail::{HEAD_BYTES_MAX, Limits, Submission};

const LETTER: &str = "From: eve@far.test\r\nTo: bob@sud.test\r\nMessage-ID: <1@far>\r\n\r\nHi\r\n";

#[tokio::test]
async fn a_letter_for_one_of_ours_lies_in_the_maildrop() {
    let sud = World::new("sud.test", &["bob"]).await;
    let mut service = sud.reception();
    let answer = send(&mut service, "eve@far.test", &["Bob@SUD.test"], LETTER).await;
    let Answer::Queued { id, message_id } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!((id.len(), message_id.as_str()), (10, "<1@far>"));
    let kept = sud.messages("bob@sud.test").await;
    let expected = format!(
        "Return-Path: <eve@far.test>\r\nReceived: from pc ([127.0.0.9])\r\n\tby mail.sud.test with \
         ESMTP\r\n\tid x-0000000000001-1\r\n\tfor <bob@sud.test>;\r\n\tFri, 04 Oct 2024 00:00:00 +0000\r\n{LETTER}"
    );
    assert_eq!(kept, [expected]);
    assert_eq!(sud.facts.all(), ["delivered bob@sud.test"]);
    let cause = sud.facts.causes()[0];
    assert_eq!(
        (cause.exchange.0, cause.part),
        (1, 1),
        "the note lies where the letter came"
    );
}

#[tokio::test]
async fn who_is_refused_at_rcpt() {
    let sud = World::new("sud.test", &["bob"]).await;
    sud.alias("round@sud.test", &["circle@sud.test"]).await;
    sud.alias("circle@sud.test", &["round@sud.test"]).await;
    let mut service = sud.reception();
    for sender in ["", "eve@far.test"] {
        assert_eq!(ask(&mut service, mail_from(sender)).await, Answer::Accepted);
    }
    for (recipient, expected) in [
        ("bob@sud.test", "accepted"),
        ("bob+lists@sud.test", "accepted"),
        ("\"bob\"@sud.test", "accepted"),
        ("postmaster", "accepted"),
        ("Postmaster@sud.test", "accepted"),
        ("nobody@sud.test", "550 5.1.1"),
        ("bob@far.test", "550 5.7.1"),
        ("bob%far.test@sud.test", "553 5.1.3"),
        ("\"bob@far.test\"@sud.test", "553 5.1.3"),
        ("bob@[127.0.0.1]", "550 5.7.1"),
        ("a!b@far.test", "550 5.7.1"),
        ("round@sud.test", "451 4.3.5"),
        ("bob", "553 5.1.3"),
    ] {
        assert_eq!(
            code(&ask(&mut service, rcpt(recipient)).await),
            expected,
            "{recipient}"
        );
    }
}

#[tokio::test]
async fn a_suspended_person_receives_but_does_not_log_in() {
    let sud = World::new("sud.test", &["bob"]).await;
    sud.mail
        .store
        .set_suspended(sud.now(), "bob@sud.test", true)
        .await
        .unwrap();
    let answer = send(&mut sud.reception(), "", &["bob@sud.test"], LETTER).await;
    assert_eq!(code(&answer), "queued");
    let log_in = Ask::Authenticate {
        login: "bob@sud.test".into(),
        password: "lab".into(),
    };
    let mut service = Submission::new(sud.mail.clone(), peer());
    assert_eq!(code(&ask(&mut service, log_in).await), "535 5.7.8");
}

fn peer() -> crate::mail::Peer {
    crate::mail::Peer {
        exchange: guichet_trace::ExchangeId(99),
        address: [127, 0, 0, 1].into(),
        tls: Default::default(),
    }
}

#[tokio::test]
async fn sizes_and_circles_are_refused_when_they_are_known() {
    let dir = TempDir::new().unwrap();
    let store = open_store(dir.path());
    let limits = Limits {
        message_bytes_max: 1_000_000,
        recipients_max: 2,
        ..Limits::default()
    };
    let sud = World::over(dir, store, "sud.test", &["bob"], limits).await;
    let mut service = sud.reception();
    let announced = Ask::Mail {
        sender: String::new(),
        client_name: "pc".into(),
        size_bytes: Some(1_000_001),
        utf8: false,
        eight_bit: false,
        part: 1,
    };
    assert_eq!(code(&ask(&mut service, announced).await), "552 5.3.4");
    let bodies = [
        (
            format!("A: b\r\n\r\n{}", "x".repeat(1_000_000)),
            "552 5.3.4",
        ),
        (
            format!("A: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX)),
            "552 5.3.4",
        ),
        ("Received: x\r\n".repeat(51) + "\r\n", "554 5.4.6"),
        ("Received: x\r\n".repeat(50) + "\r\n", "queued"),
        ("A: b\n\r\nx".to_owned(), "554 5.6.0"),
        ("A: b\r\n\r\nx\r".to_owned(), "554 5.6.0"),
        (String::new(), "queued"),
        ("only text\r\n".to_owned(), "queued"),
    ];
    for (body, expected) in bodies {
        let answer = send(&mut service, "", &["bob@sud.test"], &body).await;
        assert_eq!(code(&answer), expected, "{}", &body[..body.len().min(20)]);
    }
    let three = ["bob@sud.test", "bob+2@sud.test", "bob+3@sud.test"];
    assert_eq!(
        code(&send(&mut service, "", &three, LETTER).await),
        "452 4.5.3"
    );
    assert_eq!(sud.messages("bob@sud.test").await.len(), 3);
}

#[tokio::test]
async fn a_large_body_comes_through_whole_and_holds_the_client_back() {
    let sud = World::new("sud.test", &["bob"]).await;
    let mut service = sud.reception();
    let line = "0123456789".repeat(7) + "\r\n";
    let body = format!("Subject: large\r\n\r\n{}", line.repeat(50_000));
    for next in [mail_from("eve@far.test"), rcpt("bob@sud.test"), Ask::Body] {
        assert_eq!(ask(&mut service, next).await, Answer::Accepted);
    }
    let mut held_back = 0;
    for piece in body.as_bytes().chunks(16_384) {
        if let Reply::Later(ready) = service.piece(piece) {
            held_back += 1;
            ready.await;
        }
    }
    assert!(held_back > 20, "the disk was waited for {held_back} times");
    let answer = ask(
        &mut service,
        Ask::Finish {
            bytes: body.len() as u64,
        },
    )
    .await;
    assert_eq!(code(&answer), "queued");
    let kept = sud.messages("bob@sud.test").await;
    assert!(kept[0].ends_with(&body));
}

#[tokio::test]
async fn a_transaction_that_is_dropped_or_reset_leaves_nothing() {
    let sud = World::new("sud.test", &["bob"]).await;
    let mut service = sud.reception();
    for next in [mail_from("eve@far.test"), rcpt("bob@sud.test"), Ask::Body] {
        assert_eq!(ask(&mut service, next).await, Answer::Accepted);
    }
    pieces(&mut service, &[b'x'; 600_000], 16_384).await;
    assert_eq!(ask(&mut service, Ask::Reset).await, Answer::Accepted);
    assert_eq!(
        code(&ask(&mut service, Ask::Finish { bytes: 1 }).await),
        "503 5.5.1"
    );
    assert!(sud.messages("bob@sud.test").await.is_empty());
    let left = std::fs::read_dir(sud.dir.path().join("store/bodies"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "the spool is gone");
}

#[tokio::test]
async fn hanging_up_behind_the_final_dot_loses_nothing() {
    let sud = World::new("sud.test", &["bob"]).await;
    let mut service = sud.reception();
    for next in [mail_from("eve@far.test"), rcpt("bob@sud.test"), Ask::Body] {
        ask(&mut service, next).await;
    }
    pieces(&mut service, LETTER.as_bytes(), 10).await;
    drop(service.ask(Ask::Finish {
        bytes: LETTER.len() as u64,
    }));
    drop(service);
    super::world::wait_until(|| !sud.facts.all().is_empty()).await;
    assert_eq!(sud.messages("bob@sud.test").await.len(), 1);
}

#[tokio::test]
async fn a_store_that_stopped_acknowledging_never_gets_a_250() {
    let sud = World::new("sud.test", &["bob"]).await;
    sud.mail.store.close();
    let answer = send(&mut sud.reception(), "", &["bob@sud.test"], LETTER).await;
    assert_eq!(code(&answer), "451 4.3.0");
}

#[tokio::test]
async fn submission_takes_mail_only_from_its_own_people_under_their_own_names() {
    let nord = World::new("nord.test", &["alice", "adam"]).await;
    nord.alias("team@nord.test", &["alice@nord.test", "adam@nord.test"])
        .await;
    let mut stranger = Submission::new(nord.mail.clone(), peer());
    assert_eq!(
        code(&ask(&mut stranger, mail_from("alice@nord.test")).await),
        "530 5.7.0"
    );
    let mut service = nord.submission("Alice@nord.test").await;
    for (sender, expected) in [
        ("alice@nord.test", "accepted"),
        ("ALICE+x@Nord.Test", "accepted"),
        ("team@nord.test", "accepted"),
        ("", "accepted"),
        ("adam@nord.test", "553 5.7.1"),
        ("alice@sud.test", "553 5.7.1"),
        ("alice", "553 5.7.1"),
    ] {
        assert_eq!(
            code(&ask(&mut service, mail_from(sender)).await),
            expected,
            "{sender}"
        );
    }
    let wrong = Ask::Authenticate {
        login: "alice@nord.test".into(),
        password: "bal".into(),
    };
    let mut service = Submission::new(nord.mail.clone(), peer());
    assert_eq!(code(&ask(&mut service, wrong).await), "535 5.7.8");
    assert_eq!(
        code(&ask(&mut service, mail_from("alice@nord.test")).await),
        "530 5.7.0"
    );
}

#[tokio::test]
async fn submission_takes_any_address_that_can_be_looked_up() {
    let nord = World::new("nord.test", &["alice"]).await;
    let mut service = nord.submission("alice@nord.test").await;
    ask(&mut service, mail_from("alice@nord.test")).await;
    for (recipient, expected) in [
        ("bob@sud.test", "accepted"),
        ("bob@xn--cole-9oa.test", "accepted"),
        ("bob@localhost", "accepted"),
        ("alice@nord.test", "accepted"),
        ("nobody@nord.test", "550 5.1.1"),
        ("bob@[127.0.0.1]", "553 5.1.2"),
        ("bob@école.test", "553 5.1.2"),
        ("bob@sud..test", "553 5.1.3"),
        ("bob%far.test@sud.test", "553 5.1.3"),
    ] {
        assert_eq!(
            code(&ask(&mut service, rcpt(recipient)).await),
            expected,
            "{recipient}"
        );
    }
}

#[tokio::test]
async fn submission_completes_the_head_and_takes_bcc_out() {
    let nord = World::new("nord.test", &["alice", "adam"]).await;
    let mut service = nord.submission("alice@nord.test").await;
    let body = "Subject: hi\r\nBcc: adam@nord.test,\r\n\tbob@sud.test\r\n\r\nHello\r\n";
    let to = ["adam@nord.test", "Bob@sud.test", "nobody@nord.test"];
    assert_eq!(
        code(&send(&mut service, "alice@nord.test", &to[..2], body).await),
        "queued"
    );
    assert_eq!(
        code(&send(&mut service, "alice@nord.test", &to, body).await),
        "550 5.1.1"
    );
    let kept = nord.messages("adam@nord.test").await.remove(0);
    assert!(
        !kept.to_lowercase().contains("bcc") && !kept.contains("bob@sud.test"),
        "{kept}"
    );
    for field in [
        "with ESMTPA\r\n",
        "\r\nDate: Fri, 04 Oct 2024 00:00:00 +0000\r\n",
        "\r\nFrom: <alice@nord.test>\r\n",
        "\r\nSubject: hi\r\n",
    ] {
        assert!(kept.contains(field), "{field:?} in {kept}");
    }
    let queued = nord.mail.store.queue().unwrap().remove(0);
    assert!(
        kept.contains(&format!("\r\nMessage-ID: {}\r\n", queued.message_id)),
        "{kept}"
    );
    assert_eq!(queued.recipients.len(), 1);
    assert_eq!(
        queued.recipients[0].address, "Bob@sud.test",
        "its spelling is the other's affair"
    );
    let notes = nord.facts.all();
    assert_eq!(notes, ["delivered adam@nord.test"]);
    let given = "Date: x\r\nFrom: a@b\r\nMessage-ID: <own@id>\r\n\r\n";
    let answer = send(&mut service, "alice@nord.test", &["adam@nord.test"], given).await;
    assert!(matches!(answer, Answer::Queued { message_id, .. } if message_id == "<own@id>"));
    assert!(nord.messages("adam@nord.test").await[1].ends_with(&format!("+0000\r\n{given}")));
}

#[tokio::test]
async fn aliases_lead_to_several_people_and_elsewhere() {
    let sud = World::new("sud.test", &["bob", "berthe"]).await;
    sud.alias(
        "all@sud.test",
        &["bob@sud.test", "Far@Far.test", "two@sud.test"],
    )
    .await;
    sud.alias(
        "two@sud.test",
        &["berthe@sud.test", "bob@sud.test", "all@sud.test"],
    )
    .await;
    sud.alias("bob@sud.test", &["bob@sud.test", "copy@far.test"])
        .await;
    let answer = send(
        &mut sud.reception(),
        "eve@far.test",
        &["all+x@sud.test"],
        LETTER,
    )
    .await;
    assert_eq!(code(&answer), "queued");
    assert_eq!(
        sud.messages("bob@sud.test").await.len(),
        1,
        "one copy, however many ways"
    );
    assert_eq!(sud.messages("berthe@sud.test").await.len(), 1);
    let queue = sud.mail.store.queue().unwrap();
    let mut remote: Vec<&str> = queue[0]
        .recipients
        .iter()
        .map(|recipient| recipient.address.as_str())
        .collect();
    remote.sort_unstable();
    assert_eq!(remote, ["Far@Far.test", "copy@far.test"]);
    assert_eq!(queue[0].recipients[0].original, "all+x@sud.test");
}

#[tokio::test]
async fn catch_all_and_postmaster() {
    let sud = World::new("sud.test", &["bob", "amelie"]).await;
    let own = |catch_all: Option<&str>| Domain {
        name: "sud.test".into(),
        catch_all: catch_all.map(str::to_owned),
        language: Default::default(),
    };
    sud.mail
        .directory
        .replace(vec![own(Some("amelie@sud.test"))]);
    for to in ["any@sud.test", "postmaster"] {
        assert_eq!(
            code(&send(&mut sud.reception(), "", &[to], LETTER).await),
            "queued"
        );
    }
    assert_eq!(
        sud.messages("amelie@sud.test").await.len(),
        2,
        "first in the alphabet, same age"
    );
    sud.alias("postmaster@sud.test", &["bob@sud.test"]).await;
    assert_eq!(
        code(&send(&mut sud.reception(), "", &["POSTMASTER"], LETTER).await),
        "queued"
    );
    assert_eq!(sud.messages("bob@sud.test").await.len(), 1);
    sud.mail
        .directory
        .replace(vec![own(Some("nobody@sud.test"))]);
    assert_eq!(
        code(&send(&mut sud.reception(), "", &["any@sud.test"], LETTER).await),
        "451 4.3.5"
    );
}
