//! Echo: connections and datagrams.

use std::convert::Infallible;
use std::net::SocketAddr;

use guichet_engine::{Answering, Arrival, Datagrams, Handled};
use guichet_proto::{About, Reply, Service, Verb, echo};
use guichet_trace::{Direction, ExchangeId};

pub(super) struct Echo;

/// Nothing is ever asked.
pub(super) struct Nothing;

impl Service for Nothing {
    type Ask = Infallible;
    type Answer = Infallible;

    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }
}

impl Answering for Echo {
    type Session = echo::Server;
    type Service = Nothing;

    fn protocol(&self) -> &'static str {
        "echo"
    }

    fn begin(&self, _: &Arrival) -> (echo::Server, Nothing) {
        (echo::Server::default(), Nothing)
    }

    /// Echo has no words of its own: closing is all there is.
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Datagrams for Echo {
    fn protocol(&self) -> &'static str {
        "echo"
    }

    fn answer(
        &self,
        query: &[u8],
        peer: SocketAddr,
        _: Option<ExchangeId>,
        out: &mut Vec<u8>,
    ) -> Handled {
        // A sender that poses as another service (another echo, say) would have the two answer
        // each other for ever.
        if peer.port() < 1024 {
            return Handled::Silent;
        }
        out.extend_from_slice(query);
        Handled::Answered
    }

    fn about(&self, _: Direction, _: &[u8]) -> About {
        let mut about = About::new(Verb::new("DATA"));
        about.text("");
        about
    }
}
