//! One attempt at one letter and one domain: the names, then one host after the other.

use std::sync::Arc;

use guichet_store::{QueuedMessage, StoreError};
use guichet_trace::Cause;
use tokio::{task, time};

use super::{Queue, letter, route};
use crate::mail::outside::{Letter, MailHost, MailHosts, RelayOutcome, Verdict};

/// Addresses tried at most in one attempt.
const HOSTS_MAX: usize = 10;

/// What came of an attempt.
#[derive(Debug)]
pub(super) struct Tried {
    pub told: Vec<Told>,
    /// The exchange with the other server, if it came to one.
    pub exchange: Option<Cause>,
    /// Why other letters for the domain would fare no better now.
    pub unreachable: Option<String>,
}

/// What became of one recipient, and who said so.
#[derive(Debug)]
pub(super) struct Told {
    pub address: String,
    pub verdict: Verdict,
    /// The host whose words they are; none if they are ours.
    pub remote: Option<String>,
}

impl Tried {
    /// The same for every recipient, in our words.
    fn all(message: &QueuedMessage, verdict: &Verdict) -> Self {
        let told = message.recipients.iter().map(|recipient| Told {
            address: recipient.address.clone(),
            verdict: verdict.clone(),
            remote: None,
        });
        Self {
            told: told.collect(),
            exchange: None,
            unreachable: None,
        }
    }

    /// Nothing was tried, or nothing came of it, for everybody.
    pub fn put_off(message: &QueuedMessage, words: String) -> Self {
        Self::all(message, &Verdict::Deferred { words })
    }

    /// The domain cannot be reached now, whatever the letter.
    fn unreachable(message: &QueuedMessage, words: String) -> Self {
        Self {
            unreachable: Some(words.clone()),
            ..Self::put_off(message, words)
        }
    }
}

impl Queue {
    /// Asks the names, then tries the hosts in order until one discusses the envelope.
    pub(super) async fn attempt(
        self: Arc<Self>,
        message: Arc<QueuedMessage>,
        domain: String,
    ) -> Tried {
        let (hosts, asked) = match self.hosts(&domain, message.origin).await {
            Ok(found) => found,
            Err(Verdict::Deferred { words }) => return Tried::unreachable(&message, words),
            Err(verdict) => return Tried::all(&message, &verdict),
        };
        let letter = match self.letter(&message, asked).await {
            Ok(letter) => letter,
            Err(error) => {
                tracing::error!(%error, queue_id = %message.queue_id, "a letter cannot be read");
                let words = format!("451 4.3.0 the letter cannot be read here: {error}");
                return Tried::put_off(&message, words);
            }
        };
        self.try_hosts(&message, hosts, letter).await
    }

    async fn hosts(
        &self,
        domain: &str,
        cause: Cause,
    ) -> Result<(Vec<MailHost>, Vec<Cause>), Verdict> {
        let asked = self.names.mail_hosts(domain, cause);
        let later = |why: String| Verdict::Deferred {
            words: format!("451 4.4.3 {why}"),
        };
        let MailHosts { plan, causes } =
            match time::timeout(self.settings.schedule.names_patience, asked).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => return Err(later(error.to_string())),
                Err(_) => {
                    return Err(later(format!(
                        "the names did not say where {domain} takes mail"
                    )));
                }
            };
        route::order(domain, plan, &self.settings.ourselves, below)
            .map(|hosts| (hosts, causes))
            .map_err(|no| Verdict::Failed {
                words: format!("550 {} {}", no.status, no.words),
            })
    }

    async fn letter(
        &self,
        message: &Arc<QueuedMessage>,
        asked: Vec<Cause>,
    ) -> Result<Letter, StoreError> {
        let causes = [vec![message.origin], asked].concat();
        let (store, message) = (self.mail.store.clone(), Arc::clone(message));
        let opened = task::spawn_blocking(move || {
            let recipients: Vec<String> = message
                .recipients
                .iter()
                .map(|recipient| recipient.address.clone())
                .collect();
            letter::open(&store, &message, &recipients, causes)
        });
        opened
            .await
            .unwrap_or_else(|error| Err(StoreError::Io(error.to_string())))
    }

    async fn try_hosts(
        &self,
        message: &QueuedMessage,
        hosts: Vec<MailHost>,
        letter: Letter,
    ) -> Tried {
        let (mut refused, mut deferred, mut exchange) = (None, None, None);
        for host in hosts.into_iter().take(HOSTS_MAX) {
            let said = format!("{} [{}]", host.name, host.address);
            let trying = self.relay.deliver(host.clone(), letter.clone());
            let patience = self.settings.schedule.relay_patience;
            let Ok(outcome) = time::timeout(patience, trying).await else {
                // It may have taken the letter all the same: another host would get it twice.
                let words = format!(
                    "{said}: the dialogue took longer than {} s",
                    patience.as_secs()
                );
                return Tried::put_off(message, words);
            };
            match outcome {
                RelayOutcome::Answered { results, exchange } => {
                    return answered(message, &host.name, results, exchange);
                }
                RelayOutcome::Unusable {
                    words,
                    permanent,
                    exchange: with,
                } => {
                    exchange = with.or(exchange);
                    let place = if permanent {
                        &mut refused
                    } else {
                        &mut deferred
                    };
                    *place = Some(format!("{said}: {words}"));
                }
            }
        }
        // A host that can be used later outweighs one that never can.
        let tried = match (deferred, refused) {
            (None, Some(words)) => Tried::all(message, &Verdict::Failed { words }),
            (deferred, _) => Tried::unreachable(message, deferred.unwrap_or_default()),
        };
        Tried { exchange, ..tried }
    }
}

/// A recipient of whom the host said nothing is tried again.
fn answered(
    message: &QueuedMessage,
    host: &str,
    mut results: Vec<(String, Verdict)>,
    exchange: Option<Cause>,
) -> Tried {
    let told = message.recipients.iter().map(|recipient| {
        let known = results
            .iter()
            .position(|(address, _)| *address == recipient.address);
        let verdict = match known {
            Some(at) => results.swap_remove(at).1,
            None => Verdict::Deferred {
                words: format!("{host} did not say what became of it"),
            },
        };
        Told {
            address: recipient.address.clone(),
            verdict,
            remote: Some(host.to_owned()),
        }
    });
    let told = told.collect();
    Tried {
        told,
        exchange,
        unreachable: None,
    }
}

/// A random number below `bound`; 0 if the system gives none, which only costs the shuffle.
fn below(bound: usize) -> usize {
    let drawn = getrandom::u32().unwrap_or(0);
    usize::try_from(drawn).unwrap_or(0) % bound.max(1)
}
