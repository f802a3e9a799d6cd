//! Mail on the wire: who answers on which port, and how the queue reaches other servers.

use std::net::IpAddr;
use std::sync::Arc;

use guichet_engine::tls::ClientTls;
use guichet_engine::{Answering, Arrival, Call, Dial, DialError, Ending, Recorder, Target};
use guichet_proto::dns::Name;
use guichet_proto::service::Pulled;
use guichet_proto::session::SourceId;
use guichet_proto::smtp::{self, Fate, Job, TlsPolicy};
use guichet_proto::{Reply, Service, Verb, pop3};
use guichet_services::mail::outside::{
    Facts, Later, Letter, LetterBody, MailHost, MailHosts, MxHost, MxPlan, Names, NamesError,
    Relay, RelayOutcome, Verdict,
};
use guichet_services::mail::{Mail, Maildrop, Peer, Reception, Submission};
use guichet_services::names::resolver::{Answer, HostAddresses, MxPlan as Plan, Question};
use guichet_trace::Cause;
use rustls_pki_types::ServerName;

use super::resolver::Resolver;

/// The port other servers take mail on.
const RELAY_PORT: u16 = 25;
/// The source of the one letter of a relay dialogue.
const LETTER: SourceId = SourceId(1);

fn peer(arrival: &Arrival) -> Peer {
    Peer {
        exchange: arrival.exchange,
        address: arrival.peer.ip(),
        tls: arrival.secured.clone(),
    }
}

/// Mail from other servers.
pub(super) struct ReceptionEntry {
    pub(super) mail: Arc<Mail>,
    pub(super) settings: smtp::Settings,
}

impl Answering for ReceptionEntry {
    type Session = smtp::Server;
    type Service = Reception;

    fn protocol(&self) -> &'static str {
        "smtp"
    }

    fn begin(&self, arrival: &Arrival) -> (smtp::Server, Reception) {
        let session = smtp::Server::new(self.settings.clone());
        (session, Reception::new(self.mail.clone(), peer(arrival)))
    }

    fn refusal(&self) -> Vec<u8> {
        smtp::refusal_when_full(&self.settings.host_name).into_bytes()
    }
}

/// Mail from the organisation's own people.
pub(super) struct SubmissionEntry {
    pub(super) mail: Arc<Mail>,
    pub(super) settings: smtp::Settings,
}

impl Answering for SubmissionEntry {
    type Session = smtp::Server;
    type Service = Submission;

    fn protocol(&self) -> &'static str {
        "smtp"
    }

    fn begin(&self, arrival: &Arrival) -> (smtp::Server, Submission) {
        let session = smtp::Server::new(self.settings.clone());
        (session, Submission::new(self.mail.clone(), peer(arrival)))
    }

    fn refusal(&self) -> Vec<u8> {
        smtp::refusal_when_full(&self.settings.host_name).into_bytes()
    }
}

/// Maildrops.
pub(super) struct MaildropEntry {
    pub(super) mail: Arc<Mail>,
    pub(super) settings: pop3::Settings,
}

impl Answering for MaildropEntry {
    type Session = pop3::Server;
    type Service = Maildrop;

    fn protocol(&self) -> &'static str {
        "pop3"
    }

    fn begin(&self, _: &Arrival) -> (pop3::Server, Maildrop) {
        (
            pop3::Server::new(self.settings.clone()),
            Maildrop::new(self.mail.clone()),
        )
    }

    fn refusal(&self) -> Vec<u8> {
        pop3::refusal_when_full(&self.settings.host_name).into_bytes()
    }
}

/// Facts about letters go to the trace, beside the exchange that brought them.
pub(super) struct FactsInTrace(pub(super) Recorder);

impl Facts for FactsInTrace {
    fn note(&self, at: Cause, word: &'static str, text: String) {
        self.0.note(at, Verb::new(word), text);
    }
}

/// Where mail goes, asked of the resolver.
pub(super) struct MailNames(pub(super) Arc<Resolver>);

impl Names for MailNames {
    fn mail_hosts(&self, domain: &str, cause: Cause) -> Later<Result<MailHosts, NamesError>> {
        let (resolver, domain) = (self.0.clone(), domain.to_owned());
        Box::pin(async move { mail_hosts(&resolver, &domain, cause).await })
    }
}

async fn mail_hosts(
    resolver: &Resolver,
    domain: &str,
    cause: Cause,
) -> Result<MailHosts, NamesError> {
    let mut causes = Vec::new();
    let mut ask = async |name: &Name, qtype| -> Answer {
        let question = Question {
            name: name.clone(),
            qtype,
        };
        let answer = resolver.resolve(question, vec![cause]).await;
        causes.extend(&answer.causes);
        answer
    };
    let name = guichet_services::names::parse_name(domain)
        .ok_or_else(|| NamesError(format!("{domain} is not a domain name")))?;
    let found = ask(&name, guichet_proto::dns::Rtype::MX).await;
    let random = || getrandom::u32().unwrap_or_default(); // only spreads the load
    let targets = match Plan::new(&found, random) {
        Plan::Hosts(targets) => targets
            .into_iter()
            .map(|target| (target.preference, target.host))
            .collect(),
        Plan::Implicit(name) => vec![(0, name)],
        Plan::NullMx => {
            return Ok(MailHosts {
                plan: MxPlan::Null,
                causes,
            });
        }
        Plan::NoSuchDomain => {
            return Ok(MailHosts {
                plan: MxPlan::NoSuchDomain,
                causes,
            });
        }
        Plan::Unknown(why) => return Err(NamesError(why)),
    };
    let mut hosts = Vec::new();
    let mut unknown = None;
    for (preference, host) in targets {
        let v4 = ask(&host, guichet_proto::dns::Rtype::A).await;
        let v6 = ask(&host, guichet_proto::dns::Rtype::AAAA).await;
        let addresses = match HostAddresses::new(&v4, &v6) {
            HostAddresses::Found(addresses) => addresses,
            HostAddresses::None => Vec::new(),
            HostAddresses::Unknown(why) => {
                unknown = Some(why);
                Vec::new()
            }
        };
        hosts.push(MxHost {
            preference,
            name: host.to_string(),
            addresses,
        });
    }
    match unknown {
        Some(why) if hosts.iter().all(|host| host.addresses.is_empty()) => Err(NamesError(why)),
        _ => Ok(MailHosts {
            plan: MxPlan::Hosts(hosts),
            causes,
        }),
    }
}

/// Hands letters to other servers over the engine.
pub(super) struct RelayByDial {
    pub(super) dial: Dial,
    pub(super) host_name: String,
    pub(super) organisation: Arc<str>,
    pub(super) tls: ClientTls,
}

impl Relay for RelayByDial {
    fn deliver(&self, host: MailHost, letter: Letter) -> Later<RelayOutcome> {
        let call = Call {
            target: Target {
                address: (host.address, RELAY_PORT).into(),
                host: host.name.clone(),
            },
            organisation: self.organisation.clone(),
            service: "queue".into(),
            causes: letter.causes.clone(),
            tls: server_name(&host).map(|name| (self.tls.clone(), name)),
            implicit_tls: false,
        };
        let tls = if call.tls.is_some() {
            TlsPolicy::IfOffered
        } else {
            TlsPolicy::Never
        };
        let job = Job {
            client_name: self.host_name.clone(),
            tls,
            login: None,
            letters: vec![smtp::Letter {
                sender: letter.sender.clone(),
                recipients: letter.recipients.clone(),
                source: LETTER,
                size_bytes: letter.body.size_bytes(),
                utf8: letter.utf8,
                eight_bit: letter.eight_bit,
                causes: letter.causes.clone(),
            }],
        };
        let dial = self.dial.clone();
        Box::pin(async move {
            let service = LetterSource {
                body: letter.body,
                sent: 0,
            };
            let done = dial
                .run("smtp", call, |_| (smtp::Client::new(job), service))
                .await;
            match done {
                Err(
                    DialError::Connect {
                        exchange,
                        error,
                        address,
                    }
                    | DialError::Tls {
                        exchange,
                        error,
                        address,
                    },
                ) => RelayOutcome::Unusable {
                    words: format!("port {} does not answer: {error}", address.port()),
                    permanent: false,
                    exchange: Some(Cause { exchange, part: 0 }),
                },
                Ok(done) => {
                    let exchange = Some(Cause {
                        exchange: done.exchange,
                        part: 1,
                    });
                    outcome(&done.session, &done.ending, &letter.recipients, exchange)
                }
            }
        })
    }
}

fn server_name(host: &MailHost) -> Option<ServerName<'static>> {
    let name = host.name.trim_end_matches('.').to_owned();
    ServerName::try_from(name)
        .ok()
        .or(Some(ServerName::IpAddress(IpAddr::into(host.address))))
}

fn outcome(
    session: &smtp::Client,
    ending: &Ending,
    recipients: &[String],
    exchange: Option<Cause>,
) -> RelayOutcome {
    let mut outcome = session.outcome();
    let fates = outcome.letters.pop().unwrap_or_default();
    let broken = match ending {
        Ending::Done => None,
        Ending::Stalled => Some("the other server took too long".to_owned()),
        Ending::Broken(error) | Ending::Tls(error) => Some(error.to_string()),
    };
    let failed = outcome.failed.or(broken);
    if let (Some(words), false) = (failed, outcome.discussed) {
        let refused = |fate: &Fate| matches!(fate, Fate::Refused { .. });
        return RelayOutcome::Unusable {
            words,
            permanent: fates.iter().any(refused),
            exchange,
        };
    }
    let verdict = |fate: Fate| match fate {
        Fate::Delivered { words } => Verdict::Delivered { words },
        Fate::Deferred { words, .. } => Verdict::Deferred { words },
        Fate::Refused { words, .. } => Verdict::Failed { words },
    };
    let results = recipients
        .iter()
        .cloned()
        .zip(fates.into_iter().map(verdict))
        .collect();
    RelayOutcome::Answered { results, exchange }
}

/// Gives the letter's bytes to the client session.
struct LetterSource {
    body: LetterBody,
    sent: u64,
}

impl Service for LetterSource {
    type Ask = std::convert::Infallible;
    type Answer = std::convert::Infallible;

    fn ask(&mut self, ask: Self::Ask) -> Reply<Self::Answer> {
        match ask {}
    }

    fn pull(&mut self, _: SourceId, most: usize) -> Reply<Pulled> {
        let (body, offset) = (self.body.clone(), self.sent);
        self.sent += (most as u64).min(body.size_bytes().saturating_sub(offset));
        Reply::later(async move {
            // A disk may be slow; the event loop must not wait for it.
            let read = tokio::task::spawn_blocking(move || body.read(offset, most)).await;
            match read {
                Ok(Ok(bytes)) if bytes.is_empty() => Pulled::End,
                Ok(Ok(bytes)) => Pulled::Bytes(bytes),
                _ => Pulled::Failed,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guichet_proto::session::NoTap;
    use guichet_proto::{Dialogue, Moment, Next};

    /// What the queue learns when the other server says this and then the connection breaks.
    fn told(server: &str) -> RelayOutcome {
        let job = Job {
            client_name: "mail.nord.test".to_owned(),
            tls: TlsPolicy::Never,
            login: None,
            letters: vec![smtp::Letter {
                sender: "alice@nord.test".to_owned(),
                recipients: vec!["bob@sud.test".to_owned()],
                source: LETTER,
                size_bytes: 2,
                utf8: false,
                eight_bit: false,
                causes: Vec::new(),
            }],
        };
        let now = Moment(0);
        let mut dialogue = Dialogue::open(smtp::Client::new(job), now);
        let mut lines = server.lines();
        let mut letter = Some(b"x\r\n".to_vec());
        loop {
            let next = dialogue.next(now, &mut NoTap);
            let count = dialogue.output().len();
            dialogue.sent(now, count);
            match next {
                Next::Idle => match lines.next() {
                    Some(line) => dialogue.receive(format!("{line}\r\n").as_bytes()),
                    None => break,
                },
                Next::Pull(_) => {
                    let pulled = letter.take().map_or(Pulled::End, Pulled::Bytes);
                    dialogue.pulled(pulled, &mut NoTap);
                }
                Next::Close(_) => break,
                _ => {}
            }
        }
        let broken = Ending::Broken(std::io::ErrorKind::ConnectionReset.into());
        let recipients = ["bob@sud.test".to_owned()];
        outcome(&dialogue.into_session(), &broken, &recipients, None)
    }

    #[test]
    fn another_host_is_tried_only_while_this_one_cannot_have_the_letter() {
        assert!(matches!(
            told(""),
            RelayOutcome::Unusable {
                permanent: false,
                ..
            }
        ));
        assert!(matches!(
            told("421 busy"),
            RelayOutcome::Unusable {
                permanent: false,
                ..
            }
        ));
        assert!(matches!(
            told("554 not you"),
            RelayOutcome::Unusable {
                permanent: true,
                ..
            }
        ));
        let behind_the_dot = "220 a\n250 a\n250 sender\n250 recipient\n354 go";
        match told(behind_the_dot) {
            RelayOutcome::Answered { results, .. } => {
                assert!(
                    matches!(results[0].1, Verdict::Deferred { .. }),
                    "{results:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}
