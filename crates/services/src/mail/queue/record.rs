//! After an attempt: what is recorded, when it is tried again, who gets a report.

use std::time::Duration;

use guichet_store::{
    Attempt, Change, Lease, NewMessage, Outcome, QueuedMessage, QueuedRecipient, Recipient,
    StoreError,
};
use guichet_trace::{Cause, WallTime};

use super::attempt::{Told, Tried};
use super::{Queue, letter};
use crate::accounts::{Found, Target};
use crate::mail::outside::Verdict;
use crate::mail::report::{Failure, Reason, Report};
use crate::mail::transaction::return_path;

/// Longest account of another server's words that is kept.
const WORDS_MAX: usize = 500;

impl Queue {
    /// Records what came of an attempt; with it, in one step, the report of what failed for good.
    pub(super) async fn record(&self, message: &QueuedMessage, lease: Lease, tried: Tried) {
        let now = self.mail.clock.wall();
        let Tried { told, exchange, .. } = tried;
        let decided: Vec<Decided> = told
            .into_iter()
            .filter_map(|told| self.decide(message, told, now))
            .collect();
        let report = self.report(message, &decided, exchange, now);
        let reported = report.is_some();
        let outcomes = decided
            .iter()
            .map(|one| (one.told.address.clone(), one.outcome.clone()))
            .collect();
        let attempt = Attempt {
            outcomes,
            exchange,
            report,
        };
        if let Err(error) = self
            .mail
            .store
            .finish_attempt(Change::at(now), lease, attempt)
            .await
        {
            tracing::error!(%error, queue_id = %message.queue_id, "an attempt cannot be recorded");
            self.rest();
            return;
        }
        for one in &decided {
            self.tell(message.origin, one);
        }
        if reported {
            self.mail
                .facts
                .note(message.origin, "reported", message.sender.clone());
        }
    }

    /// What an attempt means for one recipient; `None` if it is not one of the message's.
    fn decide(&self, message: &QueuedMessage, told: Told, now: WallTime) -> Option<Decided> {
        let recipient = message
            .recipients
            .iter()
            .find(|one| one.address == told.address)?;
        let age = Duration::from_micros(now.0.saturating_sub(message.accepted.0));
        let schedule = &self.settings.schedule;
        let (outcome, failed) = match &told.verdict {
            Verdict::Delivered { words } => (
                Outcome::Delivered {
                    words: short(words),
                },
                None,
            ),
            Verdict::Failed { words } => (
                Outcome::Failed {
                    words: short(words),
                },
                Some(Reason::Refused),
            ),
            Verdict::Deferred { words } if schedule.expired(age) => (
                Outcome::Failed {
                    words: short(words),
                },
                Some(Reason::TooLate),
            ),
            Verdict::Deferred { words } => {
                let wait = schedule.wait(recipient.attempts, getrandom::u32().unwrap_or(0));
                let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
                let until = WallTime(now.0.saturating_add(wait));
                (
                    Outcome::Deferred {
                        until,
                        words: short(words),
                    },
                    None,
                )
            }
        };
        let original = original(recipient);
        Some(Decided {
            told,
            original,
            outcome,
            failed,
        })
    }

    /// The report of what failed for good, if there is somebody to tell: never for a report itself
    /// (its sender is empty), never to an address of ours that nobody has.
    fn report(
        &self,
        message: &QueuedMessage,
        decided: &[Decided],
        exchange: Option<Cause>,
        now: WallTime,
    ) -> Option<NewMessage> {
        let failures: Vec<Failure> = decided.iter().filter_map(Decided::failure).collect();
        if failures.is_empty() || message.sender.is_empty() {
            return None;
        }
        let recipients = match self.reporters(&message.sender) {
            Ok(recipients) if !recipients.is_empty() => recipients,
            Ok(_) => {
                tracing::warn!(queue_id = %message.queue_id, "a report has nobody to go to");
                return None;
            }
            Err(error) => {
                tracing::error!(%error, queue_id = %message.queue_id, "no report can be made");
                return None;
            }
        };
        let head = letter::head(&self.mail.store, message).unwrap_or_default();
        let queue_id = message.queue_id.to_string();
        let postmaster = self.mail.directory.reporter(&message.sender).map_or_else(
            || format!("postmaster@{}", self.mail.host),
            |own| own.to_string(),
        );
        let report = Report {
            host: &self.mail.host,
            postmaster: &postmaster,
            language: self.mail.directory.language(&message.sender),
            to: &message.sender,
            queue_id: &queue_id,
            accepted: message.accepted,
            at: now,
            failures: &failures,
            head: &head,
            chance: getrandom::u64().unwrap_or(now.0),
        };
        let body = [return_path("").into_bytes(), report.write()].concat();
        Some(NewMessage {
            sender: String::new(),
            recipients,
            body: body.into(),
            message_id: report.message_id(),
            origin: exchange.unwrap_or(message.origin),
        })
    }

    /// Where a report to `sender` goes.
    fn reporters(&self, sender: &str) -> Result<Vec<Recipient>, StoreError> {
        let original = || sender.to_owned();
        let Some(address) = self.mail.directory.read(sender) else {
            return Ok(vec![Recipient::Remote {
                address: original(),
                original: original(),
            }]);
        };
        let targets = match self.mail.directory.find(&address)? {
            Found::Leads(targets) => targets,
            Found::Elsewhere => vec![Target::Remote(original())],
            Found::Unknown | Found::Tangled => Vec::new(),
        };
        Ok(targets
            .into_iter()
            .map(|target| match target {
                Target::Account(account) => Recipient::Local {
                    account,
                    original: original(),
                },
                Target::Remote(address) => Recipient::Remote {
                    address,
                    original: original(),
                },
            })
            .collect())
    }

    fn tell(&self, origin: Cause, one: &Decided) {
        let (word, words) = match &one.outcome {
            Outcome::Delivered { words } => ("relayed", words),
            Outcome::Deferred { words, .. } => ("deferred", words),
            Outcome::Failed { words } => ("failed", words),
        };
        self.mail
            .facts
            .note(origin, word, format!("{}: {words}", one.told.address));
    }
}

/// What an attempt means for one recipient.
struct Decided {
    told: Told,
    /// The address as the sender gave it.
    original: String,
    outcome: Outcome,
    /// It is over, and why.
    failed: Option<Reason>,
}

impl Decided {
    fn failure(&self) -> Option<Failure> {
        let reason = self.failed?;
        let Outcome::Failed { words } = &self.outcome else {
            return None;
        };
        let status = match reason {
            Reason::Refused => status_in(words).unwrap_or_else(|| "5.0.0".to_owned()),
            Reason::TooLate => "4.4.7".to_owned(), // RFC 3463: delivery time expired
        };
        Some(Failure {
            recipient: self.original.clone(),
            status,
            reason,
            words: words.clone(),
            remote: self.told.remote.clone(),
        })
    }
}

fn original(recipient: &QueuedRecipient) -> String {
    match recipient.original.as_str() {
        "" => recipient.address.clone(),
        original => original.to_owned(),
    }
}

/// The enhanced status code that a reply begins with, behind its reply code (RFC 2034).
fn status_in(words: &str) -> Option<String> {
    let is_status = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        let number =
            |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() == 3 && parts[0] == "5" && parts.iter().all(number)
    };
    words
        .split([' ', '-'])
        .take(4)
        .find(is_status)
        .map(str::to_owned)
}

/// Words of others, in one line of bounded length.
fn short(words: &str) -> String {
    words
        .chars()
        .take(WORDS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_where_replies_have_it() {
        assert_eq!(
            status_in("550 5.1.1 no such user").as_deref(),
            Some("5.1.1")
        );
        assert_eq!(
            status_in("550-5.7.26 many lines").as_deref(),
            Some("5.7.26")
        );
        assert_eq!(status_in("550 no such user 1.2.3.4"), None);
        assert_eq!(status_in("550 4.1.1 contradiction"), None);
        assert_eq!(status_in(""), None);
    }
}
