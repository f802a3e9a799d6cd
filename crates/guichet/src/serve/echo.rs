//! Echo: connections and datagrams.

use std::net::SocketAddr;

use guichet_engine::{Answering, Arrival, Datagrams, Handled};
use guichet_proto::{About, Verb, echo};
use guichet_trace::{Direction, ExchangeId};

use crate::nothing::Nothing;

pub(super) struct Echo;

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
