//! Collecting mail (RFC 1939).

use guichet_engine::Ending;
use guichet_proto::common::sasl::Credentials;
use guichet_proto::pop3::{Client, Collect, Collected, Fetch, Job, TlsPolicy};
use guichet_proto::{Reply, Service};
use guichet_trace::ExchangeId;

use super::{Security, Server, Trouble, World, unreachable};
use crate::output::Message;

/// What was collected.
#[derive(Debug)]
pub struct Mail {
    /// The exchange in the trace.
    pub exchange: ExchangeId,
    /// The messages, in the maildrop's order.
    pub messages: Vec<Vec<u8>>,
}

/// Where and as whom.
#[derive(Clone, Debug)]
pub struct From {
    /// The maildrop's server.
    pub server: Server,
    /// Who collects.
    pub login: Credentials,
    /// Messages are deleted on the server once they are here.
    pub delete: bool,
}

/// Fetches every message.
pub async fn collect(world: &World, from: &From) -> Result<Mail, Message> {
    attempt(world, from)
        .await
        .map_err(|trouble| trouble.message)
}

/// As [`collect`], and says whether it may be tried again.
pub async fn attempt(world: &World, from: &From) -> Result<Mail, Trouble> {
    let call = from.server.call(world)?;
    let tls = match from.server.security {
        Security::Clear => TlsPolicy::Never,
        Security::IfOffered => TlsPolicy::IfOffered,
        Security::Upgrade => TlsPolicy::Required,
        Security::Implicit => TlsPolicy::Implicit,
    };
    let job = Job {
        tls,
        login: from.login.clone(),
        keep: !from.delete,
        fetch: Fetch::All,
    };
    let finished = world
        .dial
        .run("pop3", call, |_| (Client::new(job), Bag::default()))
        .await
        .map_err(|error| unreachable(&from.server.shown(), &error))?;
    let broken = match finished.ending {
        Ending::Broken(error) | Ending::Tls(error) => Some(error.to_string()),
        Ending::Stalled | Ending::Done => None,
    };
    if let Some(why) = finished.session.outcome().failed.clone().or(broken) {
        // RFC 3206 section 3, RFC 2449 section 8.1.1: the server is full, or another program has
        // the maildrop open.
        let again = ["[SYS/TEMP]", "[IN-USE]"]
            .iter()
            .any(|code| why.contains(code));
        let message = Message::new("clients-collect-failed")
            .with("login", from.login.login.clone())
            .with("why", why);
        return Err(Trouble { message, again });
    }
    Ok(Mail {
        exchange: finished.exchange,
        messages: finished.service.messages,
    })
}

#[derive(Default)]
struct Bag {
    messages: Vec<Vec<u8>>,
    coming: Vec<u8>,
}

impl Service for Bag {
    type Ask = Collect;
    type Answer = Collected;

    fn ask(&mut self, ask: Collect) -> Reply<Collected> {
        Reply::Now(match ask {
            Collect::Begin { .. } => {
                self.coming.clear();
                Collected::Take
            }
            Collect::End { .. } => {
                self.messages.push(std::mem::take(&mut self.coming));
                Collected::Kept
            }
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        self.coming.extend_from_slice(piece);
        Reply::Now(())
    }
}
