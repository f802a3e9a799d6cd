//! Collecting mail (RFC 1939).

use std::net::SocketAddr;

use guichet_engine::Ending;
use guichet_proto::common::sasl::Credentials;
use guichet_proto::pop3::{Client, Collect, Collected, Fetch, Job, TlsPolicy};
use guichet_proto::{Reply, Service};
use guichet_trace::ExchangeId;

use super::page::client_tls;
use super::{World, unreachable};
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
    pub address: SocketAddr,
    /// Its name; empty if only the address is known.
    pub host: String,
    /// Who collects.
    pub login: Credentials,
    /// Messages are deleted on the server once they are here.
    pub delete: bool,
}

/// Fetches every message.
pub async fn collect(world: &World, from: &From) -> Result<Mail, Message> {
    let mut call = world.call(from.address, &from.host, Vec::new());
    let mut tls = TlsPolicy::Never;
    if world.authority.is_some() && !from.host.is_empty() {
        call.tls = Some(client_tls(world, &from.host)?);
        tls = TlsPolicy::Required;
    }
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
        .map_err(|error| unreachable(&from.host, &error))?;
    let broken = match finished.ending {
        Ending::Broken(error) | Ending::Tls(error) => Some(error.to_string()),
        Ending::Stalled | Ending::Done => None,
    };
    if let Some(why) = finished.session.outcome().failed.clone().or(broken) {
        return Err(Message::new("clients-collect-failed")
            .with("login", from.login.login.clone())
            .with("why", why));
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
