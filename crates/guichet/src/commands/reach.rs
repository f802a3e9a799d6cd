//! From what people type (a name or an address, and a port) to socket addresses, and the waiting
//! between attempts.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use guichet_engine::Target;
use guichet_trace::Cause;

use crate::clients::{World, name};
use crate::output::{Failure, Message, Output};

/// How long one attempt to connect may take.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// The domain that exists in laboratories only (RFC 6761 section 6.2).
const LAB_DOMAIN: &str = "test";

/// One way to a host.
#[derive(Clone, Debug)]
pub struct Way {
    /// What is meant: the address with the port that was typed.
    pub target: Target,
    /// Where that really is: in a lab the usual ports lie elsewhere.
    pub real: SocketAddr,
    /// The exchange in which the name service gave the address.
    pub causes: Vec<Cause>,
}

impl Way {
    fn new(world: &World, address: SocketAddr, host: &str, causes: Vec<Cause>) -> Self {
        let target = Target {
            address,
            host: host.to_owned(),
        };
        Self {
            real: world.dial.mapped(&target),
            target,
            causes,
        }
    }

    /// For people: `127.0.0.3:20025`, or `127.0.0.3 port 25 (here 20025)`.
    pub fn shown(&self, output: &Output<'_>) -> String {
        let meant = self.target.address;
        if self.real == meant {
            return meant.to_string();
        }
        let (ip, port) = (self.real.ip().to_string(), meant.port().to_string());
        let real = self.real.port().to_string();
        output.say(
            "clients-port-mapped",
            &[("ip", &ip), ("port", &port), ("real", &real)],
        )
    }

    /// What was meant, for the trace; nothing where that says no more than the address.
    pub fn named(&self) -> String {
        let meant = self.target.address;
        let host = match self.target.host.is_empty() {
            true if self.real == meant => return String::new(),
            true => meant.ip().to_string(),
            false => self.target.host.clone(),
        };
        format!("{host} port {}", meant.port())
    }
}

/// The ways to `host`, at least one, in the order in which they are to be tried. A lab's names are
/// asked of its resolver; all others are looked up by the system, which also knows `localhost`.
///
/// # Errors
/// [`Failure::Failed`] if the name has no address.
pub async fn ways(world: &World, host: &str, port: u16) -> Result<Vec<Way>, Failure> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        let address = SocketAddr::new(ip, port);
        return Ok(vec![Way::new(world, address, "", Vec::new())]);
    }
    if world.lab.is_some() && is_of_labs(host) {
        let found = name::address(world, host).await.map_err(Failure::failed)?;
        let (address, causes) = (SocketAddr::new(found.0, port), found.1.into_iter());
        return Ok(vec![Way::new(world, address, host, causes.collect())]);
    }
    let unknown = || Failure::failed(Message::new("error-unknown-host").with("host", host));
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| unknown())?;
    let ways: Vec<_> = found
        .map(|address| Way::new(world, address, host, Vec::new()))
        .collect();
    match ways.is_empty() {
        true => Err(unknown()),
        false => Ok(ways),
    }
}

fn is_of_labs(host: &str) -> bool {
    let mut labels = host.trim_end_matches('.').rsplit('.');
    labels
        .next()
        .is_some_and(|last| last.eq_ignore_ascii_case(LAB_DOMAIN))
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

    #[test]
    fn only_names_of_labs_are_asked_of_a_lab() {
        for of_labs in ["test", "mail.sud.test", "WWW.Nord.TEST."] {
            assert!(is_of_labs(of_labs), "{of_labs}");
        }
        for other in [
            "localhost",
            "example.org",
            "test.example.org",
            "contest",
            "",
        ] {
            assert!(!is_of_labs(other), "{other}");
        }
    }
}
