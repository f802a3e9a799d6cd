//! Names: the zones we hold, over datagrams and streams, and the resolver for those who ask it.

use std::net::SocketAddr;
use std::sync::Arc;

use guichet_engine::{Answering, Arrival, Datagrams, Handled};
use guichet_proto::dns::{about, stream};
use guichet_proto::{About, Reply, Service};
use guichet_services::names::resolver::{Stub, respond, stub_question};
use guichet_services::names::{Answered, Carrier, Names, answer};
use guichet_trace::{Cause, Direction, ExchangeId};

use super::resolver::Resolver;

/// Answers for our zones.
pub(super) struct ZoneDatagrams(pub(super) Arc<Names>);

impl Datagrams for ZoneDatagrams {
    fn protocol(&self) -> &'static str {
        "dns"
    }

    fn answer(
        &self,
        query: &[u8],
        _: SocketAddr,
        _: Option<ExchangeId>,
        out: &mut Vec<u8>,
    ) -> Handled {
        match answer(&self.0.zones(), query, Carrier::Udp, out) {
            Answered::Sent { .. } => Handled::Answered,
            Answered::Silent(_) => Handled::Silent,
        }
    }

    fn about(&self, _: Direction, datagram: &[u8]) -> About {
        about(datagram)
    }
}

/// Finds out for stub resolvers.
pub(crate) struct ResolverDatagrams(pub(crate) Arc<Resolver>);

impl Datagrams for ResolverDatagrams {
    fn protocol(&self) -> &'static str {
        "dns"
    }

    fn answer(
        &self,
        query: &[u8],
        _: SocketAddr,
        exchange: Option<ExchangeId>,
        out: &mut Vec<u8>,
    ) -> Handled {
        match stub_question(query) {
            Stub::Silent(_) => Handled::Silent,
            Stub::Reply(reply) => {
                out.extend_from_slice(&reply);
                Handled::Answered
            }
            Stub::Resolve(question) => {
                let (resolver, query) = (self.0.clone(), query.to_vec());
                let causes = exchange.map(|exchange| Cause { exchange, part: 1 });
                Handled::Later(Box::pin(async move {
                    let found = resolver.resolve(question, causes.into_iter().collect()).await;
                    let mut reply = Vec::new();
                    respond(&query, &found, Carrier::Udp, &mut reply).then_some(reply)
                }))
            }
        }
    }

    fn about(&self, _: Direction, datagram: &[u8]) -> About {
        about(datagram)
    }
}

/// Answers for our zones over connections.
pub(super) struct ZoneEntry(pub(super) Arc<Names>);

/// The decisions of one such connection.
pub(super) struct ZoneDialogue(Arc<Names>);

impl Answering for ZoneEntry {
    type Session = stream::Server;
    type Service = ZoneDialogue;

    fn protocol(&self) -> &'static str {
        "dns"
    }

    fn begin(&self, _: &Arrival) -> (stream::Server, ZoneDialogue) {
        (stream::Server::default(), ZoneDialogue(self.0.clone()))
    }

    /// A client whose stream closes asks again by itself (RFC 7766 section 6.2.4).
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Service for ZoneDialogue {
    type Ask = stream::Ask;
    type Answer = stream::Answer;

    fn ask(&mut self, ask: stream::Ask) -> Reply<stream::Answer> {
        let mut out = Vec::new();
        Reply::Now(match answer(&self.0.zones(), &ask.0, Carrier::Tcp, &mut out) {
            Answered::Sent { .. } => stream::Answer::Reply(out),
            Answered::Silent(_) => stream::Answer::Silence,
        })
    }
}
