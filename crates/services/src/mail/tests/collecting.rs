//! Log-ins and maildrops.

use std::sync::Arc;

use guichet_proto::pop3::ask::{Answer, Ask};

use super::world::{World, ask, pulled, send};
use crate::accounts::LogIn;
use crate::mail::Maildrop;

fn open(login: &str, password: &str) -> Ask {
    Ask::Open {
        login: login.into(),
        password: password.into(),
    }
}

async fn filled(count: usize) -> World {
    let sud = World::new("sud.test", &["bob"]).await;
    for number in 0..count {
        let body = format!("Subject: {number}\r\n\r\none\r\n\r\n.three\r\n");
        send(
            &mut sud.reception(),
            "eve@far.test",
            &["bob@sud.test"],
            &body,
        )
        .await;
    }
    sud
}

#[tokio::test]
async fn a_log_in_costs_a_hash_also_where_nobody_is_and_none_the_second_time() {
    let sud = World::new("sud.test", &["bob"]).await;
    let accounts = Arc::clone(&sud.mail.accounts);
    let welcome = LogIn::Welcome("bob@sud.test".into());
    for (login, password, expected, hashes) in [
        ("nobody@sud.test", "lab", LogIn::Refused, 1),
        ("no address", "lab", LogIn::Refused, 2),
        ("bob@sud.test", "bal", LogIn::Refused, 3),
        ("BOB@Sud.test", "lab", welcome.clone(), 4),
        ("bob@sud.test", "lab", welcome.clone(), 4),
        ("bob@sud.test", "bal", LogIn::Refused, 5),
        ("nobody@sud.test", "lab", LogIn::Refused, 6),
    ] {
        assert_eq!(
            accounts.log_in(login, password).await,
            expected,
            "{login} {password}"
        );
        assert_eq!(accounts.hashes(), hashes, "{login} {password}");
    }
    let hash = accounts.hash("new").await.unwrap();
    sud.mail
        .store
        .set_password(sud.now(), "bob@sud.test", &hash)
        .await
        .unwrap();
    assert_eq!(
        accounts.log_in("bob@sud.test", "lab").await,
        LogIn::Refused,
        "from now on"
    );
    assert_eq!(accounts.log_in("bob@sud.test", "new").await, welcome);
    sud.mail
        .store
        .set_suspended(sud.now(), "bob@sud.test", true)
        .await
        .unwrap();
    assert_eq!(
        accounts.log_in("bob@sud.test", "new").await,
        LogIn::Refused,
        "also when cached"
    );
}

#[tokio::test]
async fn one_dialogue_at_a_time_has_the_maildrop() {
    let sud = filled(1).await;
    let mut first = Maildrop::new(Arc::clone(&sud.mail));
    let mut second = Maildrop::new(Arc::clone(&sud.mail));
    assert_eq!(
        ask(&mut first, open("bob@sud.test", "bal")).await,
        Answer::WrongLogin
    );
    assert!(matches!(
        ask(&mut first, open("bob@sud.test", "lab")).await,
        Answer::Opened(_)
    ));
    assert_eq!(
        ask(&mut second, open("BOB@sud.test", "lab")).await,
        Answer::InUse
    );
    drop(first);
    assert!(matches!(
        ask(&mut second, open("bob@sud.test", "lab")).await,
        Answer::Opened(_)
    ));
}

#[tokio::test]
async fn the_maildrop_is_given_back_before_the_client_is_told_goodbye() {
    let sud = filled(1).await;
    for numbers in [Vec::new(), vec![1]] {
        let mut first = Maildrop::new(Arc::clone(&sud.mail));
        let mut second = Maildrop::new(Arc::clone(&sud.mail));
        ask(&mut first, open("bob@sud.test", "lab")).await;
        assert_eq!(ask(&mut first, Ask::Delete { numbers }).await, Answer::Done);
        // The first connection is still there.
        let again = ask(&mut second, open("bob@sud.test", "lab")).await;
        assert!(matches!(again, Answer::Opened(_)), "{again:?}");
    }
}

#[tokio::test]
async fn sizes_are_those_of_what_is_sent_and_top_stops_at_its_line() {
    let sud = filled(1).await;
    let mut drop = Maildrop::new(Arc::clone(&sud.mail));
    let Answer::Opened(entries) = ask(&mut drop, open("bob@sud.test", "lab")).await else {
        panic!()
    };
    let ready = ask(&mut drop, Ask::Retrieve { number: 1 }).await;
    let Answer::Ready { cause, .. } = ready else {
        panic!()
    };
    assert_eq!(cause, Some(sud.facts.causes()[0]), "what brought it");
    let whole = pulled(&mut drop, ready, 7).await;
    assert_eq!(whole.len() as u64, entries[0].octets);
    let (head, _) = whole.split_once("\r\n\r\n").unwrap();
    for (lines, body) in [
        (0, ""),
        (1, "one\r\n"),
        (2, "one\r\n\r\n"),
        (3, "one\r\n\r\n.three\r\n"),
        (9, "one\r\n\r\n.three\r\n"),
    ] {
        let ready = ask(&mut drop, Ask::Top { number: 1, lines }).await;
        assert_eq!(
            pulled(&mut drop, ready, 7).await,
            format!("{head}\r\n\r\n{body}"),
            "{lines}"
        );
    }
    for number in [0, 2, u32::MAX] {
        assert!(matches!(
            ask(&mut drop, Ask::Retrieve { number }).await,
            Answer::Failed(_)
        ));
    }
}

#[tokio::test]
async fn what_is_deleted_at_quit_is_gone_for_good() {
    let sud = filled(3).await;
    let mut drop_ = Maildrop::new(Arc::clone(&sud.mail));
    let Answer::Opened(before) = ask(&mut drop_, open("bob@sud.test", "lab")).await else {
        panic!()
    };
    assert_eq!(
        ask(
            &mut drop_,
            Ask::Delete {
                numbers: vec![1, 3, 9]
            }
        )
        .await,
        Answer::Done
    );
    drop(drop_);
    let mut again = Maildrop::new(Arc::clone(&sud.mail));
    let Answer::Opened(after) = ask(&mut again, open("bob@sud.test", "lab")).await else {
        panic!()
    };
    assert_eq!(after, [before[1].clone()]);
}

#[tokio::test]
async fn nothing_is_given_before_the_log_in() {
    let sud = filled(1).await;
    let mut drop = Maildrop::new(Arc::clone(&sud.mail));
    assert!(matches!(
        ask(&mut drop, Ask::Retrieve { number: 1 }).await,
        Answer::Failed(_)
    ));
    assert!(matches!(
        ask(&mut drop, Ask::Delete { numbers: vec![1] }).await,
        Answer::Failed(_)
    ));
    assert_eq!(sud.messages("bob@sud.test").await.len(), 1);
}
