//! Small services with fixed decisions.

use std::collections::VecDeque;
use std::convert::Infallible;

use guichet_proto::pop3::{Collect, Collected, Entry};
use guichet_proto::smtp::Refusal;
use guichet_proto::{Cause, Pulled, Reply, Service, SourceId, pop3, smtp};

/// The one password.
pub const PASSWORD: &str = "kanarienvogel";

/// A mail service: `nobody@…` is unknown, `later@…` must wait, letters from `blocked@…` are
/// refused, `REFUSE` in a letter too.
#[derive(Debug, Default)]
pub struct Mail {
    pub kept: Vec<Vec<u8>>,
    pub recipients: Vec<String>,
    pub body: Vec<u8>,
}

impl Mail {
    fn decide(&mut self, ask: smtp::Ask) -> smtp::Answer {
        let no =
            |code, enhanced, text: &str| smtp::Answer::Refused(Refusal::new(code, enhanced, text));
        match ask {
            smtp::Ask::Authenticate { login, password } => {
                match login == "alice@nord.test" && password == PASSWORD {
                    true => smtp::Answer::Accepted,
                    false => no(535, "5.7.8", "wrong name or password"),
                }
            }
            smtp::Ask::Mail { sender, .. } if sender.starts_with("blocked@") => {
                no(550, "5.7.1", "not from you")
            }
            smtp::Ask::Mail { .. } | smtp::Ask::Reset => {
                self.body.clear();
                self.recipients.clear();
                smtp::Answer::Accepted
            }
            smtp::Ask::Recipient { address } if address.starts_with("nobody@") => {
                no(550, "5.1.1", "nobody here has this name")
            }
            smtp::Ask::Recipient { address } if address.starts_with("later@") => {
                no(450, "4.2.1", "not now")
            }
            smtp::Ask::Recipient { address } => {
                self.recipients.push(address);
                smtp::Answer::Accepted
            }
            smtp::Ask::Body => smtp::Answer::Accepted,
            smtp::Ask::Finish { bytes } => {
                assert_eq!(bytes, self.body.len() as u64);
                let body = std::mem::take(&mut self.body);
                if body.windows(6).any(|word| word == b"REFUSE") {
                    return no(554, "5.6.0", "not with these words");
                }
                self.kept.push(body);
                smtp::Answer::Queued {
                    id: format!("q{}", self.kept.len()),
                    message_id: "<1@nord.test>".into(),
                }
            }
        }
    }
}

impl Service for Mail {
    type Ask = smtp::Ask;
    type Answer = smtp::Answer;

    fn ask(&mut self, ask: smtp::Ask) -> Reply<smtp::Answer> {
        Reply::Now(self.decide(ask))
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        self.body.extend_from_slice(piece);
        Reply::Now(())
    }
}

/// A maildrop of bob's. Reading the last message fails halfway if `broken`.
#[derive(Debug, Default)]
pub struct Maildrop {
    pub messages: Vec<Vec<u8>>,
    pub deleted: Vec<u32>,
    pub in_use: bool,
    pub broken: bool,
    pub cause: Option<Cause>,
    pub reading: VecDeque<u8>,
    pub failing: bool,
}

impl Maildrop {
    pub fn new(messages: &[&str]) -> Self {
        Self {
            messages: messages
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect(),
            ..Self::default()
        }
    }

    fn open(&self) -> pop3::Answer {
        let entry = |(number, message): (usize, &Vec<u8>)| Entry {
            octets: message.len() as u64,
            unique_id: format!("u{}", number + 1),
        };
        match self.in_use {
            true => pop3::Answer::InUse,
            false => pop3::Answer::Opened(self.messages.iter().enumerate().map(entry).collect()),
        }
    }

    fn ready(&mut self, number: u32, lines: Option<u32>) -> pop3::Answer {
        let message = &self.messages[number as usize - 1];
        let text = String::from_utf8(message.clone()).unwrap();
        let text = match (lines, text.split_once("\r\n\r\n")) {
            (Some(lines), Some((head, body))) => {
                let body = body.split_inclusive("\r\n").take(lines as usize);
                format!("{head}\r\n\r\n{}", body.collect::<String>())
            }
            _ => text,
        };
        self.failing = self.broken && number as usize == self.messages.len();
        self.reading = text.into_bytes().into();
        if self.failing {
            self.reading.truncate(5);
        }
        pop3::Answer::Ready {
            source: SourceId(u64::from(number)),
            cause: self.cause,
        }
    }
}

impl Service for Maildrop {
    type Ask = pop3::Ask;
    type Answer = pop3::Answer;

    fn ask(&mut self, ask: pop3::Ask) -> Reply<pop3::Answer> {
        Reply::Now(match ask {
            pop3::Ask::Open { login, password } => {
                match login == "bob@nord.test" && password == PASSWORD {
                    true => self.open(),
                    false => pop3::Answer::WrongLogin,
                }
            }
            pop3::Ask::Retrieve { number } => self.ready(number, None),
            pop3::Ask::Top { number, lines } => self.ready(number, Some(lines)),
            pop3::Ask::Delete { .. } if self.broken => {
                pop3::Answer::Failed("the disk is full".into())
            }
            pop3::Ask::Delete { numbers } => {
                self.deleted = numbers;
                pop3::Answer::Done
            }
        })
    }

    fn pull(&mut self, _: SourceId, most: usize) -> Reply<Pulled> {
        let count = most.min(self.reading.len());
        Reply::Now(match count {
            0 if self.failing => Pulled::Failed,
            0 => Pulled::End,
            _ => Pulled::Bytes(self.reading.drain(..count).collect()),
        })
    }
}

/// Holds letters for an SMTP client: source n is letter n.
#[derive(Debug, Default)]
pub struct Letters {
    pub letters: Vec<Vec<u8>>,
    pub at: usize,
    pub broken: bool,
}

impl Service for Letters {
    type Ask = Infallible;
    type Answer = Infallible;

    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }

    fn pull(&mut self, source: SourceId, most: usize) -> Reply<Pulled> {
        let letter = &self.letters[source.0 as usize];
        let piece = &letter[self.at.min(letter.len())..];
        let piece = &piece[..piece.len().min(most)];
        self.at += piece.len();
        Reply::Now(match (piece, self.broken) {
            ([], _) => {
                self.at = 0;
                Pulled::End
            }
            (_, true) => Pulled::Failed,
            _ => Pulled::Bytes(piece.to_vec()),
        })
    }
}

/// Keeps what a POP3 client fetches; `known` unique ids are not wanted.
#[derive(Debug, Default)]
pub struct Keeper {
    pub kept: Vec<Vec<u8>>,
    pub known: Vec<String>,
    pub full: bool,
    pub body: Vec<u8>,
}

impl Service for Keeper {
    type Ask = Collect;
    type Answer = Collected;

    fn ask(&mut self, ask: Collect) -> Reply<Collected> {
        Reply::Now(match ask {
            Collect::Begin { unique_id, .. } if self.known.contains(&unique_id) => Collected::Skip,
            Collect::Begin { .. } => {
                self.body.clear();
                Collected::Take
            }
            Collect::End { .. } if self.full => Collected::Skip,
            Collect::End { bytes } => {
                assert_eq!(bytes, self.body.len() as u64);
                self.kept.push(std::mem::take(&mut self.body));
                Collected::Kept
            }
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        self.body.extend_from_slice(piece);
        Reply::Now(())
    }
}
