//! Reception: mail from other servers for our own addresses (port 25).
//!
//! It relays for nobody and knows no log-in. What cannot be delivered is refused in the dialogue, so
//! that the sender's server reports it and ours never sends a report to a forged address.

use std::sync::Arc;

use guichet_proto::smtp::ask::{Answer, Ask, Refusal};
use guichet_proto::{Reply, Service};

use super::head::Head;
use super::intake::Dressed;
use super::transaction::{Opening, Transaction, refusal_of};
use super::{Mail, Peer, unavailable};
use crate::accounts::Found;

/// The decisions for one connection on port 25.
pub struct Reception {
    mail: Arc<Mail>,
    peer: Peer,
    transaction: Option<Transaction>,
}

impl Reception {
    /// For one connection.
    pub fn new(mail: Arc<Mail>, peer: Peer) -> Self {
        Self {
            mail,
            peer,
            transaction: None,
        }
    }

    fn open(&mut self, opening: Opening, size_bytes: Option<u64>) -> Answer {
        if !is_reverse_path(&opening.sender) {
            let words = "The sender must be a whole address, or empty for a report";
            return Answer::Refused(Refusal::new(553, "5.1.7", words));
        }
        match Transaction::begin(&self.mail, &self.peer, opening, size_bytes) {
            Ok(transaction) => {
                self.transaction = Some(transaction);
                Answer::Accepted
            }
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    fn recipient(&mut self, text: &str) -> Result<(), Refusal> {
        let transaction = self.transaction.as_mut().ok_or_else(no_transaction)?;
        let Some(address) = self.mail.directory.read(text) else {
            return Err(match text.rsplit_once('@') {
                Some((_, domain))
                    if self.mail.directory.domain(&domain.to_lowercase()).is_none() =>
                {
                    refusal_of(&Found::Elsewhere, text).unwrap_or_else(no_transaction)
                }
                _ => Refusal::new(553, "5.1.3", "That is no address"),
            });
        };
        let found = self
            .mail
            .directory
            .find(&address)
            .map_err(|error| unavailable(&error))?;
        match (refusal_of(&found, text), found) {
            (None, Found::Leads(targets)) => {
                transaction.add(&self.mail, &address.to_string(), targets)
            }
            (refusal, _) => Err(refusal.unwrap_or_else(no_transaction)),
        }
    }
}

impl Service for Reception {
    type Ask = Ask;
    type Answer = Answer;

    fn ask(&mut self, ask: Ask) -> Reply<Answer> {
        Reply::Now(match ask {
            Ask::Authenticate { .. } => Answer::Refused(Refusal::new(
                502,
                "5.5.1",
                "No log-ins here: hand in your mail on the submission port",
            )),
            Ask::Mail {
                sender,
                client_name,
                size_bytes,
                utf8,
                eight_bit: _,
                part,
            } => self.open(
                Opening {
                    sender,
                    client_name,
                    utf8,
                    part,
                },
                size_bytes,
            ),
            Ask::Recipient { address } => answer(self.recipient(&address)),
            Ask::Body => match &mut self.transaction {
                Some(transaction) => {
                    transaction.open_body(&self.mail, &self.peer, false, as_it_came)
                }
                None => Answer::Refused(no_transaction()),
            },
            Ask::Finish { .. } => match self.transaction.take() {
                Some(transaction) => return transaction.finish(&self.mail),
                None => Answer::Refused(no_transaction()),
            },
            Ask::Reset => {
                self.transaction = None;
                Answer::Accepted
            }
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        match &mut self.transaction {
            Some(transaction) => transaction.piece(piece),
            None => Reply::Now(()),
        }
    }
}

/// Another server's fields are its own, but for a Return-Path, which only we may write
/// (RFC 5321 section 4.4).
fn as_it_came(head: &Head) -> Result<Dressed, Refusal> {
    Ok(Dressed {
        bytes: head.without(&["return-path"]),
        message_id: head.message_id(),
    })
}

fn is_reverse_path(sender: &str) -> bool {
    let plain = |c: char| !c.is_control() && c != '<' && c != '>';
    let whole = sender
        .rsplit_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    sender.is_empty() || whole && sender.chars().all(plain)
}

/// The session asks in order; this is what it hears if it does not.
pub(super) fn no_transaction() -> Refusal {
    Refusal::new(503, "5.5.1", "MAIL comes first")
}

pub(super) fn answer(result: Result<(), Refusal>) -> Answer {
    match result {
        Ok(()) => Answer::Accepted,
        Err(refusal) => Answer::Refused(refusal),
    }
}
