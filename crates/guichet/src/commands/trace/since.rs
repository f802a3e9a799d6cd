//! From when on journeys count.
//!
//! The trace outlives the servers. A test that waits for its letter must not be content with
//! yesterday's: without `--since` only what began since the servers' start counts.

use std::time::Duration;

use guichet_engine::clock;
use jiff::Timestamp;

use super::gather::Gathering;
use crate::config::parse_duration;
use crate::output::{Failure, Message};

/// The earliest start that counts, in microseconds since 1970.
///
/// # Errors
/// What was `asked` is neither a time (RFC 3339) nor a duration.
pub(super) async fn earliest_us(
    asked: Option<&str>,
    gathering: &Gathering<'_>,
) -> Result<u64, Failure> {
    let Some(asked) = asked else {
        return Ok(gathering.begun_us().await);
    };
    let wrong = || Failure::wrong(Message::new("journey-not-a-time").with("text", asked));
    let parsed = match parse_duration(asked) {
        Some(ago) => Some(before(clock::wall().0, ago)),
        None => time_us(asked),
    };
    parsed.ok_or_else(wrong)
}

/// A time as RFC 3339 writes it, in microseconds since 1970; those before count as 1970.
pub(super) fn time_us(text: &str) -> Option<u64> {
    let time: Timestamp = text.parse().ok()?;
    Some(u64::try_from(time.as_microsecond()).unwrap_or(0))
}

fn before(now_us: u64, ago: Duration) -> u64 {
    let ago_us = u64::try_from(ago.as_micros()).unwrap_or(u64::MAX);
    now_us.saturating_sub(ago_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_told_apart() {
        assert_eq!(time_us("1970-01-01T00:00:01.5Z"), Some(1_500_000));
        assert_eq!(time_us("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(time_us("1960-01-01T00:00:00Z"), Some(0));
        assert_eq!(time_us("10m"), None);
        assert_eq!(before(700_000_000, Duration::from_secs(600)), 100_000_000);
        assert_eq!(before(1, Duration::from_secs(600)), 0);
    }
}
