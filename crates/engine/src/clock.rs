//! The two clocks: monotonic, shared by all processes of the machine, and wall.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guichet_trace::{Moment, WallTime};

/// `CLOCK_MONOTONIC`.
pub fn now() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Moment(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The time of day.
pub fn wall() -> WallTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    WallTime(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The runtime's instant for a moment.
pub(crate) fn instant(moment: Moment) -> tokio::time::Instant {
    tokio::time::Instant::now() + moment.since(now())
}
