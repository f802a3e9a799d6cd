//! Submission: mail from our own people to anybody (RFC 6409, ports 587 and 465).
//!
//! Only after a log-in, only under an address of one's own. Missing Date, Message-ID and From are
//! added, Bcc is taken out; nothing else of the message is touched.

use std::sync::Arc;

use guichet_proto::smtp::ask::{Answer, Ask, Refusal};
use guichet_proto::{Reply, Service};

use super::head::Head;
use super::intake::Dressed;
use super::reception::{answer, no_transaction};
use super::transaction::{Opening, Transaction, refusal_of};
use super::{Mail, Peer, date, unavailable};
use crate::accounts::{Address, Found, LogIn, Target};

/// The decisions for one connection on a submission port.
pub struct Submission {
    mail: Arc<Mail>,
    peer: Peer,
    /// Who has logged in; set by the answer to a log-in, which may come later.
    account: Arc<std::sync::OnceLock<String>>,
    sender: String,
    transaction: Option<Transaction>,
}

impl Submission {
    /// For one connection.
    pub fn new(mail: Arc<Mail>, peer: Peer) -> Self {
        let sender = String::new();
        Self {
            mail,
            peer,
            account: Arc::default(),
            sender,
            transaction: None,
        }
    }

    fn authenticate(&self, login: String, password: String) -> Reply<Answer> {
        let (accounts, account) = (Arc::clone(&self.mail.accounts), Arc::clone(&self.account));
        Reply::later(async move {
            match accounts.log_in(&login, &password).await {
                LogIn::Welcome(login) => match account.set(login) {
                    Ok(()) => Answer::Accepted,
                    Err(_) => {
                        Answer::Refused(Refusal::new(503, "5.5.1", "You are logged in already"))
                    }
                },
                LogIn::Refused => {
                    Answer::Refused(Refusal::new(535, "5.7.8", "Wrong name or password"))
                }
                LogIn::Unavailable(words) => {
                    tracing::error!(words, "a log-in could not be checked");
                    Answer::Refused(Refusal::new(454, "4.7.0", "Log-ins cannot be checked now"))
                }
            }
        })
    }

    fn open(&mut self, opening: Opening, size_bytes: Option<u64>) -> Result<(), Refusal> {
        let account = self.account.get().ok_or_else(|| {
            Refusal::new(
                530,
                "5.7.0",
                "Log in first: mail is taken here from our own people only",
            )
        })?;
        if !opening.sender.is_empty() {
            self.check_sender(&opening.sender, account)?;
        }
        self.sender = match opening.sender.as_str() {
            "" => account.clone(),
            sender => sender.to_owned(),
        };
        self.transaction = Some(Transaction::begin(
            &self.mail, &self.peer, opening, size_bytes,
        )?);
        Ok(())
    }

    fn check_sender(&self, sender: &str, account: &str) -> Result<(), Refusal> {
        let own = match Address::parse(sender) {
            Some(address) => self.mail.directory.belongs(&address, account),
            None => Ok(false),
        };
        if own.map_err(|error| unavailable(&error))? {
            return Ok(());
        }
        let words =
            format!("<{sender}> is not an address of {account}: send under one of your own");
        Err(Refusal::new(553, "5.7.1", words))
    }

    fn recipient(&mut self, text: &str) -> Result<(), Refusal> {
        let transaction = self.transaction.as_mut().ok_or_else(no_transaction)?;
        let Some(address) = self.mail.directory.read(text) else {
            return Err(Refusal::new(
                553,
                "5.1.3",
                format!("<{text}> is no address"),
            ));
        };
        let found = self
            .mail
            .directory
            .find(&address)
            .map_err(|error| unavailable(&error))?;
        match found {
            Found::Leads(targets) => transaction.add(&self.mail, &address.to_string(), targets),
            Found::Elsewhere if !address.has_domain_name() => {
                let words = format!("Write a domain name in ASCII behind the @ of <{text}>");
                Err(Refusal::new(553, "5.1.2", words))
            }
            Found::Elsewhere => {
                transaction.add(&self.mail, text, vec![Target::Remote(text.to_owned())])
            }
            found => Err(refusal_of(&found, text).unwrap_or_else(no_transaction)),
        }
    }

    fn body(&mut self) -> Answer {
        let Some(transaction) = &mut self.transaction else {
            return Answer::Refused(no_transaction());
        };
        let (sender, host) = (self.sender.clone(), self.mail.host.clone());
        let now = date::rfc5322(self.mail.clock.wall());
        transaction.open_body(&self.mail, &self.peer, true, move |head| {
            complete(head, &sender, &host, &now)
        })
    }
}

impl Service for Submission {
    type Ask = Ask;
    type Answer = Answer;

    fn ask(&mut self, ask: Ask) -> Reply<Answer> {
        Reply::Now(match ask {
            Ask::Authenticate { login, password } => return self.authenticate(login, password),
            Ask::Mail {
                sender,
                client_name,
                size_bytes,
                utf8,
                eight_bit: _,
                part,
            } => answer(self.open(
                Opening {
                    sender,
                    client_name,
                    utf8,
                    part,
                },
                size_bytes,
            )),
            Ask::Recipient { address } => answer(self.recipient(&address)),
            Ask::Body => self.body(),
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

/// Adds what a message must have (RFC 6409 section 8) and takes out what others must not see.
fn complete(head: &Head, sender: &str, host: &str, now: &str) -> Result<Dressed, Refusal> {
    let mut bytes = head.without(&["return-path", "bcc", "resent-bcc"]);
    let mut message_id = head.message_id();
    if head.count("date") == 0 {
        bytes.extend_from_slice(format!("Date: {now}\r\n").as_bytes());
    }
    if head.count("from") == 0 {
        bytes.extend_from_slice(format!("From: <{sender}>\r\n").as_bytes());
    }
    if head.count("message-id") == 0 {
        let chance = getrandom::u64().map_err(|error| {
            tracing::error!(%error, "the system gave no random number");
            Refusal::new(451, "4.3.0", "Something is missing here; try again later")
        })?;
        message_id = format!("<{chance:016x}@{host}>");
        bytes.extend_from_slice(format!("Message-ID: {message_id}\r\n").as_bytes());
    }
    Ok(Dressed { bytes, message_id })
}
