//! The service of sessions that have everything they need in themselves: it is never asked.

use std::convert::Infallible;

use guichet_proto::{Reply, Service};

/// Decides nothing.
pub(crate) struct Nothing;

impl Service for Nothing {
    type Ask = Infallible;
    type Answer = Infallible;

    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }
}
