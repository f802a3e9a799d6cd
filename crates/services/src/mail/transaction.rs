//! One mail transaction (RFC 5321 section 3.3) from MAIL to the answer behind the final dot: what
//! reception and submission have in common.

use std::sync::Arc;

use guichet_proto::Reply;
use guichet_proto::smtp::ask::{Answer, Refusal};
use guichet_store::{Change, NewMessage, Recipient};
use guichet_trace::Cause;
use tokio::task;

use super::head::{Head, Stamp};
use super::intake::{Dress, Dressed, Intake, too_large};
use super::{Mail, Peer, unavailable};
use crate::accounts::{Found, Target};

/// What MAIL said.
pub(super) struct Opening {
    pub sender: String,
    pub client_name: String,
    pub utf8: bool,
    pub part: u32,
}

/// A transaction under way.
pub(super) struct Transaction {
    opening: Opening,
    recipients: Vec<Recipient>,
    /// What RCPT named, once for each accepted RCPT.
    named: Vec<String>,
    intake: Option<Intake>,
    /// Names it in Received, and by it the trace is found.
    id: String,
    origin: Cause,
    key: u128,
}

impl Transaction {
    /// Begins one, if its announced size (RFC 1870) fits.
    pub fn begin(
        mail: &Mail,
        peer: &Peer,
        opening: Opening,
        size_bytes: Option<u64>,
    ) -> Result<Self, Refusal> {
        if size_bytes.is_some_and(|size| size > mail.limits.message_bytes_max) {
            return Err(too_large(mail.limits.message_bytes_max));
        }
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| {
            tracing::error!(%error, "the system gave no random number");
            Refusal::new(451, "4.3.0", "Something is missing here; try again later")
        })?;
        Ok(Self {
            id: format!("{}-{}", peer.exchange, opening.part),
            origin: Cause {
                exchange: peer.exchange,
                part: opening.part,
            },
            opening,
            recipients: Vec::new(),
            named: Vec::new(),
            intake: None,
            key: u128::from_ne_bytes(key),
        })
    }

    /// Adds a recipient that leads to `targets`.
    pub fn add(&mut self, mail: &Mail, named: &str, targets: Vec<Target>) -> Result<(), Refusal> {
        if self.named.len() >= mail.limits.recipients_max {
            let words = format!(
                "At most {} recipients at a time",
                mail.limits.recipients_max
            );
            return Err(Refusal::new(452, "4.5.3", words));
        }
        self.named.push(named.to_owned());
        self.recipients
            .extend(targets.into_iter().map(|target| match target {
                Target::Account(account) => Recipient::Local {
                    account,
                    original: named.to_owned(),
                },
                Target::Remote(address) => Recipient::Remote {
                    address,
                    original: named.to_owned(),
                },
            }));
        Ok(())
    }

    /// The body may come. `change` says what becomes of the sender's own fields.
    pub fn open_body(
        &mut self,
        mail: &Mail,
        peer: &Peer,
        authenticated: bool,
        change: impl FnOnce(&Head) -> Result<Dressed, Refusal> + Send + 'static,
    ) -> Answer {
        if self.recipients.is_empty() {
            return Answer::Refused(Refusal::new(554, "5.5.1", "No recipient was accepted"));
        }
        let stamp = Stamp {
            client_name: &self.opening.client_name,
            client: peer.address,
            host: &mail.host,
            tls: peer.tls.get(),
            authenticated,
            utf8: self.opening.utf8,
            id: &self.id,
            recipient: match self.named.as_slice() {
                [one] => Some(one),
                _ => None,
            },
            at: mail.clock.wall(),
        };
        let mut front = return_path(&self.opening.sender).into_bytes();
        front.extend_from_slice(stamp.received().as_bytes());
        let received_max = mail.limits.received_max;
        let dress: Dress = Box::new(move |head| {
            if head.count("received") > received_max {
                let words = "The message is going round in a circle (too many Received fields)";
                return Err(Refusal::new(554, "5.4.6", words));
            }
            let changed = change(head)?;
            Ok(Dressed {
                bytes: [front, changed.bytes].concat(),
                ..changed
            })
        });
        self.intake = Some(Intake::new(
            mail.store.clone(),
            mail.limits.message_bytes_max,
            dress,
        ));
        Answer::Accepted
    }

    /// Takes a piece of the body.
    pub fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        match &mut self.intake {
            Some(intake) => intake.piece(piece),
            None => Reply::Now(()),
        }
    }

    /// Keeps the message, and answers when it lasts. The keeping goes on if nobody waits any more.
    pub fn finish(self, mail: &Arc<Mail>) -> Reply<Answer> {
        let patience = mail.limits.answer_patience;
        let kept = tokio::spawn(keep(self, Arc::clone(mail)));
        Reply::later(async move {
            let slow = || {
                Refusal::new(
                    451,
                    "4.3.0",
                    "Keeping the message takes too long; try again later",
                )
            };
            match tokio::time::timeout(patience, kept).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => {
                    tracing::error!(%error, "keeping a message broke off");
                    Answer::Refused(slow())
                }
                Err(_) => Answer::Refused(slow()),
            }
        })
    }
}

async fn keep(transaction: Transaction, mail: Arc<Mail>) -> Answer {
    let Transaction {
        opening,
        recipients,
        intake,
        origin,
        key,
        ..
    } = transaction;
    let Some(intake) = intake else {
        return Answer::Refused(Refusal::new(503, "5.5.1", "There is no message"));
    };
    let finished = match intake.in_memory() {
        true => Ok(intake.finish()),
        false => task::spawn_blocking(|| intake.finish()).await,
    };
    let taken = match finished {
        Ok(Ok(taken)) => taken,
        Ok(Err(refusal)) => return Answer::Refused(refusal),
        Err(error) => {
            tracing::error!(%error, "writing a message broke off");
            return Answer::Refused(Refusal::new(451, "4.3.0", "The message cannot be kept now"));
        }
    };
    let message_id = taken.message_id.clone();
    let mut here: Vec<String> = recipients
        .iter()
        .filter_map(|recipient| match recipient {
            Recipient::Local { original, .. } => Some(original.clone()),
            Recipient::Remote { .. } => None,
        })
        .collect();
    here.dedup(); // one address may lead to several people
    let message = NewMessage {
        sender: opening.sender,
        recipients,
        body: taken.body,
        message_id: taken.message_id,
        origin,
    };
    match mail
        .store
        .accept_message(Change::once(mail.clock.wall(), key), message)
        .await
    {
        Ok(accepted) => {
            tell(&mail, origin, &here);
            Answer::Queued {
                id: accepted.queue_id.to_string(),
                message_id,
            }
        }
        Err(error) => Answer::Refused(unavailable(&error)),
    }
}

/// Says which of the addresses named are served already.
fn tell(mail: &Mail, origin: Cause, here: &[String]) {
    for address in here {
        mail.facts.note(origin, "delivered", address.clone());
    }
}

/// The field that final delivery adds (RFC 5321 section 4.4). It stands first in every kept message,
/// so that one copy serves maildrops and, behind it, other servers.
pub(super) fn return_path(sender: &str) -> String {
    format!("Return-Path: <{sender}>\r\n")
}

/// Why an address of ours cannot be used; `None` if it can.
pub(super) fn refusal_of(found: &Found, address: &str) -> Option<Refusal> {
    Some(match found {
        Found::Leads(_) => return None,
        Found::Elsewhere => {
            let words = format!("<{address}> is not served here, and mail is not relayed");
            Refusal::new(550, "5.7.1", words)
        }
        Found::Unknown => Refusal::new(
            550,
            "5.1.1",
            format!("Nobody has the address <{address}> here"),
        ),
        Found::Tangled => {
            tracing::warn!(address, "an alias leads nowhere, or to too many places");
            let words =
                format!("The alias <{address}> leads nowhere; its postmaster has to mend it");
            Refusal::new(451, "4.3.5", words)
        }
    })
}
