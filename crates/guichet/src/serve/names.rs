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
pub(crate) struct ZoneDatagrams(pub(crate) Arc<Names>);

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
                    let found = resolver
                        .resolve(question, causes.into_iter().collect())
                        .await;
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
pub(crate) struct ZoneEntry(pub(crate) Arc<Names>);

/// The decisions of one such connection.
pub(crate) struct ZoneDialogue(Arc<Names>);

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
        Reply::Now(
            match answer(&self.0.zones(), &ask.0, Carrier::Tcp, &mut out) {
                Answered::Sent { .. } => stream::Answer::Reply(out),
                Answered::Silent(_) => stream::Answer::Silence,
            },
        )
    }
}

/// The resolver over connections, for stub resolvers whose answer did not fit a datagram.
pub(crate) struct ResolverEntry(pub(crate) Arc<Resolver>);

/// The decisions of one such connection.
pub(crate) struct ResolverDialogue {
    resolver: Arc<Resolver>,
    exchange: ExchangeId,
    part: u32,
}

impl Answering for ResolverEntry {
    type Session = stream::Server;
    type Service = ResolverDialogue;

    fn protocol(&self) -> &'static str {
        "dns"
    }

    fn begin(&self, arrival: &Arrival) -> (stream::Server, ResolverDialogue) {
        let (resolver, exchange) = (self.0.clone(), arrival.exchange);
        (
            stream::Server::default(),
            ResolverDialogue {
                resolver,
                exchange,
                part: 0,
            },
        )
    }

    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Service for ResolverDialogue {
    type Ask = stream::Ask;
    type Answer = stream::Answer;

    fn ask(&mut self, ask: stream::Ask) -> Reply<stream::Answer> {
        self.part += 1;
        let question = match stub_question(&ask.0) {
            Stub::Silent(_) => return Reply::Now(stream::Answer::Silence),
            Stub::Reply(reply) => return Reply::Now(stream::Answer::Reply(reply)),
            Stub::Resolve(question) => question,
        };
        let resolver = self.resolver.clone();
        let cause = Cause {
            exchange: self.exchange,
            part: self.part,
        };
        Reply::later(async move {
            let found = resolver.resolve(question, vec![cause]).await;
            let mut reply = Vec::new();
            match respond(&ask.0, &found, Carrier::Tcp, &mut reply) {
                true => stream::Answer::Reply(reply),
                false => stream::Answer::Silence,
            }
        })
    }
}
