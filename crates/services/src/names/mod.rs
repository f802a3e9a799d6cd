//! Names: answers for the zones this server holds, and a resolver that finds out about others.
//!
//! *The server side*: [`Zones`] is an immutable image of all zones, read from zone files
//! ([`Zones::load`]); [`answer()`] turns the bytes of a query into the bytes of an answer, a pure
//! function; [`Names`] holds the image in force and swaps it whole, so a reload never stops
//! answering and a faulty file leaves the old image standing. [`zone_file`] writes the zone files
//! that a new organisation begins with, and [`check()`] judges one.
//!
//! *The client side*: [`resolver`] walks from the root, without sockets or clock.
//!
//! Follows RFC 1034, 1035 (zones, answers), 2181 (clarifications), 2308 (negative answers), 4592
//! (wildcards), 6672 (DNAME), 6891 (EDNS(0)), 7505 (null MX), 7766 (TCP), 8020, 8482 (ANY), 8914
//! (extended errors), 9471 (glue), 9619 (one question).
//!
//! Not here: sockets, timers and the trace (the engine's), DNSSEC, transfer, dynamic update.

mod answer;
mod check;
mod load;
mod parse;
pub mod resolver;
mod times;
mod zone;
pub mod zone_file;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod zone_tests;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use answer::{Answered, Carrier, answer};
pub use check::{Finding, Severity, check};
pub use load::{LoadError, Loaded, Zones};
pub use parse::parse_name;
pub use zone::Zone;

/// The zones in force. Cheap to ask from every thread; a reload swaps the image in one step.
#[derive(Debug)]
pub struct Names(ArcSwap<Zones>);

impl Names {
    /// Serves `zones` from now on.
    pub fn new(zones: Zones) -> Self {
        Self(ArcSwap::from_pointee(zones))
    }

    /// The image in force. Hold it for one answer (or one batch), not longer: what is held is not
    /// freed.
    pub fn zones(&self) -> arc_swap::Guard<Arc<Zones>> {
        self.0.load()
    }

    /// Serves `zones` from the next answer on; answers in the making end with the old image.
    pub fn replace(&self, zones: Zones) {
        self.0.store(Arc::new(zones));
    }
}
