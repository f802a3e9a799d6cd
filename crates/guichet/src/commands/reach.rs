//! From what people type (a name or an address, and a port) to socket addresses, and the waiting
//! between attempts.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::output::{Failure, Message};

/// How long one attempt to connect may take.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// The socket addresses of `host`, in the order in which they are to be tried. A name is looked up
/// by the system.
///
/// # Errors
/// [`Failure::Failed`] if the name has no address.
pub async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unknown = || Failure::failed(Message::new("error-unknown-host").with("host", host));
    let found: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| unknown())?
        .collect();
    if found.is_empty() {
        Err(unknown())
    } else {
        Ok(found)
    }
}

/// That nobody could be reached at `host` and `port`.
pub fn unreachable(host: &str, port: u16, error: &io::Error) -> Failure {
    Failure::failed(
        Message::new("error-unreachable")
            .with("host", host)
            .with_shown("port", port)
            .with("why", error),
    )
}

/// The pause before attempt `attempt` (the first repetition is 1): doubled each time up to 5
/// seconds, and anything between half and the whole of it, so that many who were turned away
/// together do not come back together.
pub fn backoff(attempt: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(5);
    let whole = FIRST
        .saturating_mul(1 << attempt.saturating_sub(1).min(16))
        .min(LONGEST);
    // Without randomness the pause is still a pause.
    let random = getrandom::u32().unwrap_or_default();
    whole.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_differ_and_stay_bearable() {
        for (attempt, longest_ms) in [(1, 200), (2, 400), (3, 800), (40, 5_000)] {
            let pause = backoff(attempt).as_millis();
            assert!(
                (longest_ms / 2..=longest_ms).contains(&pause),
                "{attempt}: {pause}"
            );
        }
        let drawn: std::collections::BTreeSet<_> = (0..20).map(|_| backoff(3)).collect();
        assert!(drawn.len() > 10);
    }

    #[tokio::test]
    async fn addresses_need_no_lookup() {
        let found = addresses("[::1]", 7).await.unwrap();
        assert_eq!(found, ["[::1]:7".parse().unwrap()]);
        assert!(matches!(
            addresses("no such name", 7).await,
            Err(Failure::Failed(_))
        ));
    }
}
