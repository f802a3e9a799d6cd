//! The queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use guichet_store::{FactKind, FactQuery};
use mail_parser::{MessageParser, MimeHeaders};

use super::world::{
    ASKED, Bridge, Scripted, World, Zones, all, code, deferred, delivered, failed, quick, send,
};
use crate::accounts::{Address, Found};
use crate::mail::outside::{MxPlan, NamesError, RelayOutcome, Verdict};
use crate::mail::queue::{Ourselves, Settings};

pub const LETTER: &str = "Subject: hi\r\n\r\nHello Bob\r\n";

pub async fn nord_with(recipients: &[&str]) -> World {
    let nord = World::new("nord.test", &["alice"]).await;
    let mut service = nord.submission("alice@nord.test").await;
    let answer = send(&mut service, "alice@nord.test", recipients, LETTER).await;
    assert_eq!(code(&answer), "queued");
    nord
}

pub fn sud_zone() -> Zones {
    Zones::with("sud.test", &[(10, "mail.sud.test", 3)])
}

pub fn waiting(world: &World) -> usize {
    world.mail.store.queue().unwrap().len()
}

fn facts(world: &World) -> Vec<(FactKind, String, String)> {
    let facts = world.mail.store.facts(&FactQuery::All, 100).unwrap();
    facts
        .into_iter()
        .map(|fact| (fact.kind, fact.recipient, fact.words))
        .collect()
}

#[tokio::test]
async fn from_alice_to_bob_through_everything() {
    let sud = Arc::new(World::new("sud.test", &["bob"]).await);
    let nord = nord_with(&["bob@sud.test"]).await;
    let relay = Arc::new(Bridge(Arc::clone(&sud)));
    nord.run_queue(sud_zone(), relay, quick(), || waiting(&nord) == 0)
        .await;
    let kept = sud.messages("bob@sud.test").await.remove(0);
    assert!(
        kept.starts_with("Return-Path: <alice@nord.test>\r\nReceived: from pc"),
        "{kept}"
    );
    assert_eq!(
        kept.matches("Return-Path").count(),
        1,
        "only the last server's"
    );
    assert_eq!(
        kept.matches("\nReceived: ").count(),
        2,
        "one for each server"
    );
    assert!(kept.ends_with("\r\n\r\nHello Bob\r\n"), "{kept}");
    let notes = nord.facts.all();
    assert!(
        notes[0].starts_with("relayed bob@sud.test: 250 2.0.0 "),
        "{notes:?}"
    );
    let submitted = nord.facts.causes()[0];
    assert_eq!(
        (submitted.exchange.0, submitted.part),
        (1, 1),
        "where the letter came in"
    );
    assert_eq!(sud.facts.all(), ["delivered bob@sud.test"]);
    assert!(
        nord.messages("alice@nord.test").await.is_empty(),
        "no report"
    );
}

#[tokio::test]
async fn an_unknown_person_there_means_a_report_here_at_once() {
    let sud = Arc::new(World::new("sud.test", &["bob"]).await);
    let nord = nord_with(&["nobody@sud.test"]).await;
    let relay = Arc::new(Bridge(sud));
    nord.run_queue(sud_zone(), relay, quick(), || waiting(&nord) == 0)
        .await;
    let report = nord.messages("alice@nord.test").await.remove(0);
    assert!(report.starts_with("Return-Path: <>\r\n"), "{report}");
    let parsed = MessageParser::new().parse(report.as_bytes()).unwrap();
    assert_eq!(
        parsed.content_type().unwrap().attribute("report-type"),
        Some("delivery-status")
    );
    assert_eq!(
        parsed.subject(),
        Some("Votre message n'a pas pu être remis")
    );
    let from = parsed.from().unwrap().first().unwrap().address().unwrap();
    let found = nord.mail.directory.find(&Address::parse(from).unwrap());
    assert!(
        matches!(found, Ok(Found::Leads(_))),
        "an answer to {from} reaches nobody: {found:?}"
    );
    let status = String::from_utf8_lossy(parsed.parts[2].contents()).into_owned();
    for line in [
        "Reporting-MTA: dns; mail.nord.test",
        "Final-Recipient: rfc822; nobody@sud.test",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mail.sud.test",
        "Diagnostic-Code: smtp; 550 5.1.1 Nobody has the address <nobody@sud.test> here",
    ] {
        assert!(
            status.contains(&format!("{line}\r\n")),
            "{line} in {status}"
        );
    }
    let head = String::from_utf8_lossy(parsed.parts[3].contents()).into_owned();
    assert!(
        head.contains("Subject: hi\r\n") && !head.contains("Hello Bob"),
        "{head}"
    );
    let notes = nord.facts.all();
    assert!(
        notes.contains(&"reported alice@nord.test".to_owned()),
        "{notes:?}"
    );
    let kinds: Vec<FactKind> = facts(&nord).into_iter().map(|(kind, ..)| kind).collect();
    assert!(kinds.contains(&FactKind::Failed), "{kinds:?}");
}

#[tokio::test]
async fn a_report_is_never_reported() {
    let nord = World::new("nord.test", &["alice"]).await;
    nord.alias("away@nord.test", &["x@sud.test"]).await;
    assert_eq!(
        code(&send(&mut nord.reception(), "", &["away@nord.test"], LETTER).await),
        "queued"
    );
    let relay = Scripted::new(|_, letter, _| all(letter, &failed()));
    nord.run_queue(sud_zone(), relay.clone(), quick(), || waiting(&nord) == 0)
        .await;
    assert_eq!(relay.count(), 1);
    assert!(
        nord.facts
            .all()
            .iter()
            .all(|note| !note.starts_with("reported"))
    );
}

#[tokio::test]
async fn a_foreign_sender_gets_the_report_through_the_queue() {
    let nord = World::new("nord.test", &["alice"]).await;
    nord.alias("away@nord.test", &["x@sud.test"]).await;
    let answer = send(
        &mut nord.reception(),
        "eve@far.test",
        &["away@nord.test"],
        LETTER,
    )
    .await;
    assert_eq!(code(&answer), "queued");
    let mut zones = sud_zone();
    zones
        .0
        .extend(Zones::with("far.test", &[(1, "mail.far.test", 4)]).0);
    let relay = Scripted::new(|host, letter, _| match host.name.as_str() {
        "mail.sud.test" => all(letter, &failed()),
        _ => all(letter, &delivered()),
    });
    let done = relay.clone();
    nord.run_queue(zones, relay.clone(), quick(), || {
        done.count() == 2 && waiting(&nord) == 0
    })
    .await;
    let seen = relay.seen.lock().unwrap();
    assert_eq!(
        (seen[1].1.sender.as_str(), seen[1].1.recipients.as_slice()),
        ("", &["eve@far.test".to_owned()][..])
    );
    let report = String::from_utf8(seen[1].1.body.read(0, 100_000).unwrap()).unwrap();
    assert!(
        report.starts_with("Date: "),
        "the Return-Path stays here: {report}"
    );
    assert!(
        report.contains("Final-Recipient: rfc822; away@nord.test\r\n"),
        "{report}"
    );
    assert!(
        !report.contains("rfc822; x@sud.test"),
        "where the alias leads is not told: {report}"
    );
}

#[tokio::test]
async fn hosts_are_tried_in_order_until_one_answers() {
    let nord = nord_with(&["bob@sud.test"]).await;
    let zones = Zones::with("sud.test", &[(30, "c", 3), (10, "a", 1), (20, "b", 2)]);
    let relay = Scripted::new(|host, letter, _| match host.name.as_str() {
        "a" => RelayOutcome::Unusable {
            words: "refused".into(),
            permanent: false,
            exchange: None,
        },
        "b" => RelayOutcome::Unusable {
            words: "554 no".into(),
            permanent: true,
            exchange: None,
        },
        _ => all(letter, &delivered()),
    });
    nord.run_queue(zones, relay.clone(), quick(), || waiting(&nord) == 0)
        .await;
    let seen = relay.seen.lock().unwrap();
    assert_eq!(
        seen[0].1.causes[1..],
        [ASKED],
        "the chain passes through the names"
    );
    let names: Vec<&str> = seen.iter().map(|(host, _)| host.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn what_is_put_off_waits_longer_each_time_and_is_given_up_after_five_days() {
    let nord = nord_with(&["bob@sud.test"]).await;
    let relay = Scripted::new(|_, letter, _| all(letter, &deferred()));
    let names = Zones::with("sud.test", &[(10, "mail.sud.test", 3)]);
    let mut settings = quick();
    settings.schedule.jitter_percent = 0;
    let (clock, store) = (Arc::clone(&nord.clock), nord.mail.store.clone());
    let driver = tokio::spawn({
        let (relay, clock, store) = (relay.clone(), Arc::clone(&clock), store.clone());
        async move {
            let mut dues = Vec::new();
            for attempts in 1.. {
                loop {
                    let waiting = store.queue().unwrap();
                    let Some(first) = waiting.first() else {
                        return dues;
                    };
                    if first.recipients[0].attempts == attempts {
                        dues.push(first.recipients[0].due.0);
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                assert_eq!(relay.count(), attempts as usize, "not before it is due");
                let now = crate::mail::outside::Clock::wall(&*clock).0;
                clock.advance(Duration::from_micros(dues[dues.len() - 1] - now));
            }
            dues
        }
    });
    nord.run_queue(names, relay.clone(), settings, || waiting(&nord) == 0)
        .await;
    let dues = driver.await.unwrap();
    let minutes: Vec<u64> = dues
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) / 60_000_000)
        .collect();
    assert_eq!(minutes[..5], [10, 20, 40, 60, 60]);
    assert_eq!(relay.count(), dues.len() + 1);
    assert!(
        (118..125).contains(&relay.count()),
        "five days by the hour: {}",
        relay.count()
    );
    let report = nord.messages("alice@nord.test").await.remove(0);
    assert!(report.contains("\r\nStatus: 4.4.7\r\n"), "{report}");
    assert!(
        report.contains("Diagnostic-Code: smtp; 451 4.7.1 later\r\n"),
        "{report}"
    );
    let last = facts(&nord)
        .into_iter()
        .rev()
        .find(|(kind, ..)| *kind == FactKind::Failed);
    assert_eq!(
        last.unwrap().2,
        "451 4.7.1 later",
        "the other server's words are kept"
    );
}

#[tokio::test]
async fn one_report_for_all_of_a_domain_and_the_others_are_served() {
    let nord = nord_with(&["a@sud.test", "b@sud.test", "c@sud.test", "d@far.test"]).await;
    let relay = Scripted::new(|_, letter, _| {
        let results = letter.recipients.iter().map(|to| match to.as_str() {
            "b@sud.test" => (to.clone(), delivered()),
            _ => (to.clone(), failed()),
        });
        RelayOutcome::Answered {
            results: results.collect(),
            exchange: None,
        }
    });
    let mut zones = sud_zone();
    zones.0.insert("far.test".into(), Ok(MxPlan::Null));
    nord.run_queue(zones, relay.clone(), quick(), || waiting(&nord) == 0)
        .await;
    assert_eq!(
        relay.count(),
        1,
        "one connection for three recipients, none for a null MX"
    );
    let reports = nord.messages("alice@nord.test").await;
    assert_eq!(reports.len(), 2);
    let both = reports
        .iter()
        .find(|report| report.contains("rfc822; a@sud.test"))
        .unwrap();
    assert!(both.contains("rfc822; c@sud.test") && !both.contains("rfc822; b@sud.test"));
    let null = reports
        .iter()
        .find(|report| report.contains("rfc822; d@far.test"))
        .unwrap();
    assert!(null.contains("\r\nStatus: 5.1.10\r\n"), "{null}");
    assert!(
        !null.contains("Remote-MTA"),
        "no other server said so: {null}"
    );
}

#[tokio::test]
async fn a_circle_ends_here_and_silent_names_only_put_off() {
    let nord = nord_with(&["a@sud.test", "b@far.test"]).await;
    let mut zones = sud_zone();
    zones
        .0
        .insert("far.test".into(), Err(NamesError("nobody answers".into())));
    let ourselves = Ourselves {
        names: vec!["mail.sud.test".into()],
        addresses: vec![],
    };
    let relay = Scripted::new(|_, letter, _| all(letter, &delivered()));
    let settings = Settings {
        ourselves,
        ..quick()
    };
    let store = &nord.mail.store;
    let tried = || {
        let queue = store.queue().unwrap();
        queue[0]
            .recipients
            .iter()
            .all(|recipient| !recipient.words.is_empty())
    };
    nord.run_queue(zones, relay.clone(), settings, tried).await;
    assert_eq!(relay.count(), 0);
    let words: HashMap<String, String> = store.queue().unwrap()[0]
        .recipients
        .iter()
        .map(|recipient| (recipient.address.clone(), recipient.words.clone()))
        .collect();
    assert!(words["a@sud.test"].starts_with("550 5.4.6 "), "{words:?}");
    assert_eq!(words["b@far.test"], "451 4.4.3 nobody answers");
}

#[tokio::test]
async fn the_letter_says_what_it_needs() {
    let nord = World::new("nord.test", &["alice"]).await;
    let mut service = nord.submission("alice@nord.test").await;
    let cases = [
        (
            "bob@sud.test",
            "Subject: a\r\n\r\nplain\r\n",
            (false, false),
        ),
        ("bob@sud.test", "Subject: a\r\n\r\né\r\n", (true, false)),
        ("bob@sud.test", "Subject: é\r\n\r\nplain\r\n", (true, true)),
        (
            "élodie@sud.test",
            "Subject: a\r\n\r\nplain\r\n",
            (false, true),
        ),
    ];
    for (to, body, _) in cases {
        assert_eq!(
            code(&send(&mut service, "alice@nord.test", &[to], body).await),
            "queued"
        );
    }
    let relay = Scripted::new(|_, letter, _| all(letter, &delivered()));
    let settings = Settings {
        connections_max: 1,
        ..quick()
    };
    nord.run_queue(sud_zone(), relay.clone(), settings, || waiting(&nord) == 0)
        .await;
    let seen = relay.seen.lock().unwrap();
    let mut needs: Vec<(bool, bool)> = seen
        .iter()
        .map(|(_, letter)| (letter.eight_bit, letter.utf8))
        .collect();
    let mut expected: Vec<(bool, bool)> = cases.iter().map(|(.., needs)| *needs).collect();
    needs.sort_unstable();
    expected.sort_unstable();
    assert_eq!(needs, expected);
}

#[tokio::test]
async fn a_recipient_nobody_spoke_of_is_tried_again() {
    let nord = nord_with(&["a@sud.test", "b@sud.test"]).await;
    let relay = Scripted::new(|_, letter, _| {
        let results = vec![(
            letter.recipients[0].clone(),
            Verdict::Delivered {
                words: "250".into(),
            },
        )];
        RelayOutcome::Answered {
            results,
            exchange: None,
        }
    });
    let store = &nord.mail.store;
    let settled = || {
        store.queue().unwrap()[0]
            .recipients
            .iter()
            .all(|one| one.attempts == 1)
    };
    nord.run_queue(sud_zone(), relay, quick(), settled).await;
    let words: Vec<String> = store.queue().unwrap()[0]
        .recipients
        .iter()
        .map(|one| one.words.clone())
        .collect();
    assert_eq!(
        words,
        ["250", "mail.sud.test did not say what became of it"]
    );
}
