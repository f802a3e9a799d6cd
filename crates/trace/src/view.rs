//! Where records of one or several instances come together.
//!
//! A view keeps what it was given, bounded: when there are more exchanges or more bytes than it may
//! hold, those that began first are dropped. It does not join or link anything itself; that is done
//! afresh by [`View::picture`], because the second half of an exchange may arrive at any time.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::picture::Picture;
use crate::record::{Body, Cause, ExchangeId, Moment, Opened, Record, Role, Secured, WallTime};

/// The instance (process or server) that wrote a record; the caller numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(pub u16);

/// How much a view may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Halves of exchanges.
    pub halves: usize,
    /// Bytes of text and content in them, roughly.
    pub bytes: usize,
}

impl Default for Limits {
    /// 20,000 halves and 64 MiB: a class of thirty for some hours.
    fn default() -> Self {
        Self {
            halves: 20_000,
            bytes: 64 << 20,
        }
    }
}

/// One end's account of an exchange.
#[derive(Clone, Debug)]
pub struct Half {
    /// Its id.
    pub id: ExchangeId,
    /// Who wrote it.
    pub source: Source,
    /// How it began.
    pub opened: Opened,
    /// When it began: monotonic.
    pub at: Moment,
    /// When it began: wall clock.
    pub wall: WallTime,
    /// What followed: messages, notes, TLS, the end.
    pub records: Vec<Record>,
    /// Wall time of the monotonic clock's zero, in microseconds since 1970.
    origin_us: u64,
    bytes: usize,
}

impl Half {
    /// A moment of this half on the view's common time line, in microseconds since 1970.
    pub fn time_us(&self, at: Moment) -> u64 {
        self.origin_us.saturating_add(at.0 / 1_000)
    }

    /// The client's socket, as this end saw it.
    pub fn client(&self) -> SocketAddr {
        self.address(Role::Client)
    }

    /// The server's socket, as this end saw it.
    pub fn server(&self) -> SocketAddr {
        self.address(Role::Server)
    }

    fn address(&self, role: Role) -> SocketAddr {
        let own = self.opened.role == role;
        let address = if own {
            self.opened.local
        } else {
            self.opened.remote
        };
        // A listener for both families sees IPv4 clients as ::ffff:a.b.c.d.
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    /// The last TLS session of the exchange.
    pub fn secured(&self) -> Option<&Secured> {
        self.records
            .iter()
            .rev()
            .find_map(|record| match &record.body {
                Body::Secured(secured) => Some(secured),
                _ => None,
            })
    }
}

/// Records that were dropped before they could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Whose.
    pub source: Source,
    /// When it was noticed, in microseconds since 1970.
    pub time_us: u64,
    /// How many.
    pub dropped: u64,
}

/// Records of several instances.
#[derive(Clone, Debug, Default)]
pub struct View {
    limits: Limits,
    halves: BTreeMap<ExchangeId, Half>,
    order: VecDeque<ExchangeId>,
    bytes: usize,
    /// Where the monotonic clocks met so far began: one for each machine and boot.
    origins_us: VecDeque<u64>,
    gaps: VecDeque<Gap>,
}

/// Two halves whose origins differ by less than this share one machine's clocks; the difference is
/// only the time between reading one clock and the other.
const SAME_CLOCK_US: u64 = 100_000;
const ORIGINS_MAX: usize = 64;
const GAPS_MAX: usize = 1_000;

impl View {
    /// An empty view with the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty view that holds at most so much.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes one record of `source`. A record whose exchange is not (or no longer) known is dropped.
    pub fn add(&mut self, source: Source, record: Record) {
        let bytes = weight(&record.body);
        match record.body {
            Body::Gap { dropped } => {
                let gap = Gap {
                    source,
                    time_us: record.wall.0,
                    dropped,
                };
                self.gaps.push_back(gap);
                if self.gaps.len() > GAPS_MAX {
                    self.gaps.pop_front();
                }
            }
            Body::Opened(opened) => {
                let Record {
                    exchange: id,
                    at,
                    wall,
                    ..
                } = record;
                let origin_us = self.origin_us(at, wall);
                let records = Vec::new();
                let half = Half {
                    id,
                    source,
                    opened,
                    at,
                    wall,
                    records,
                    origin_us,
                    bytes,
                };
                if let Some(replaced) = self.halves.insert(id, half) {
                    self.bytes = self.bytes.saturating_sub(replaced.bytes);
                } else {
                    self.order.push_back(id);
                }
                self.bytes += bytes;
            }
            _ => {
                let Some(half) = self.halves.get_mut(&record.exchange) else {
                    return;
                };
                half.records.push(record);
                half.bytes += bytes;
                self.bytes += bytes;
            }
        }
        self.keep_within_limits();
    }

    /// Drops the exchanges that began before `wall` and the gaps noticed before it.
    pub fn forget_before(&mut self, wall: WallTime) {
        let is_old = |half: &Half| half.wall < wall;
        while let Some(oldest) = self.order.front() {
            if !self.halves.get(oldest).is_none_or(is_old) {
                break;
            }
            if let Some(half) = self.halves.remove(oldest) {
                self.bytes = self.bytes.saturating_sub(half.bytes);
            }
            self.order.pop_front();
        }
        self.gaps.retain(|gap| gap.time_us >= wall.0);
    }

    /// What the records say now: exchanges joined, causes linked. Costs a pass over everything held.
    pub fn picture(&self) -> Picture<'_> {
        Picture::of(self)
    }

    /// All halves, the first begun first.
    pub fn halves(&self) -> impl Iterator<Item = &Half> {
        self.order.iter().filter_map(|id| self.halves.get(id))
    }

    /// Where records are missing, oldest first.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.iter()
    }

    /// The origin of the clock that gave both times. Moments of one clock compare exactly, wall
    /// times do not, so halves of one machine must share one origin.
    fn origin_us(&mut self, at: Moment, wall: WallTime) -> u64 {
        let origin = wall.0.saturating_sub(at.0 / 1_000);
        let known = self
            .origins_us
            .iter()
            .find(|known| known.abs_diff(origin) < SAME_CLOCK_US);
        if let Some(&known) = known {
            return known;
        }
        self.origins_us.push_back(origin);
        if self.origins_us.len() > ORIGINS_MAX {
            self.origins_us.pop_front();
        }
        origin
    }

    fn keep_within_limits(&mut self) {
        while self.halves.len() > self.limits.halves || self.bytes > self.limits.bytes {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if let Some(half) = self.halves.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(half.bytes);
            }
        }
    }
}

/// What a record costs to keep, roughly.
fn weight(body: &Body) -> usize {
    let causes = |causes: &Vec<Cause>| causes.len() * size_of::<Cause>();
    let own = match body {
        Body::Opened(opened) => opened.named.len() + causes(&opened.causes),
        Body::Message {
            text,
            bytes,
            causes: of,
            ..
        } => text.len() + bytes.len() + causes(of),
        Body::Note { text, .. } | Body::Closed { text, .. } => text.len(),
        Body::Secured(_) | Body::Gap { .. } => 0,
    };
    size_of::<Record>() + own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_oldest_exchanges_are_dropped_at_the_limit() {
        let mut view = View::with_limits(Limits {
            halves: 3,
            bytes: usize::MAX,
        });
        for (source, record) in fixture::letter() {
            view.add(source, record);
            assert!(view.halves().count() <= 3);
        }
        let newest = fixture::letter()
            .iter()
            .rev()
            .find_map(|(_, record)| match record.body {
                Body::Opened(_) => Some(record.exchange),
                _ => None,
            });
        assert!(view.halves().any(|half| Some(half.id) == newest));
    }

    #[test]
    fn one_endless_exchange_does_not_fill_the_memory() {
        let mut view = View::with_limits(Limits {
            halves: 10,
            bytes: 20_000,
        });
        let records = fixture::letter();
        view.add(records[0].0, records[0].1.clone());
        for _ in 0..10_000 {
            view.add(records[1].0, records[1].1.clone());
        }
        assert!(view.bytes <= 20_000);
    }

    #[test]
    fn what_is_too_old_is_forgotten_and_the_rest_is_not() {
        let mut view = View::new();
        for (source, record) in fixture::letter() {
            view.add(source, record);
        }
        let all = view.halves().count();
        let second = view.halves().nth(1).map(|half| half.wall);
        view.forget_before(second.unwrap_or_default());
        assert_eq!(view.halves().next().map(|half| half.wall), second);
        assert!(view.halves().count() < all);
        view.forget_before(WallTime(u64::MAX));
        assert_eq!((view.halves().count(), view.bytes), (0, 0));
    }

    #[test]
    fn a_gap_stays_visible() {
        let mut view = View::new();
        let mut record = fixture::letter().remove(0).1;
        record.body = Body::Gap { dropped: 7 };
        view.add(Source(1), record);
        assert_eq!(view.gaps().map(|gap| gap.dropped).sum::<u64>(), 7);
        let said = crate::render::list::gaps(&view, &crate::words::tests::english());
        assert!(
            said[0].starts_with("2026-01-01T10:00:00.000Z: 7 records"),
            "{said:?}"
        );
    }
}
