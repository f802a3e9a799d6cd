//! The same answers for queries that come over a stream.

use std::sync::Arc;

use guichet_proto::dns::stream::{Answer, Ask};
use guichet_proto::{Reply, Service};

use super::{Answered, Carrier, Names, answer};

/// Answers the queries of one connection from the zones in force when each arrives.
#[derive(Clone, Debug)]
pub struct NameStream {
    names: Arc<Names>,
}

impl NameStream {
    /// One connection's service.
    pub fn new(names: Arc<Names>) -> Self {
        Self { names }
    }
}

impl Service for NameStream {
    type Ask = Ask;
    type Answer = Answer;

    fn ask(&mut self, Ask(query): Ask) -> Reply<Answer> {
        let mut out = Vec::new();
        Reply::Now(
            match answer(&self.names.zones(), &query, Carrier::Tcp, &mut out) {
                Answered::Sent { .. } => Answer::Reply(out),
                Answered::Silent(_) => Answer::Silence,
            },
        )
    }
}
