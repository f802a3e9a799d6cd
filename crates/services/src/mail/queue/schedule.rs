//! When a letter is tried again, and when it is given up (RFC 5321 section 4.5.4.1).

use std::time::Duration;

/// Every duration of the queue. The defaults suit the Internet; a laboratory takes shorter ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Wait after the first failed attempt. Each further wait is twice as long. Default 5 minutes:
    /// most greylisting is over by then.
    pub first_wait: Duration,
    /// No wait is longer. Default 1 hour.
    pub longest_wait: Duration,
    /// How much of a wait is left to chance, in percent to either side, so that what failed together
    /// does not come back together. Default 20.
    pub jitter_percent: u32,
    /// A letter older than this is given up and reported. Default 5 days.
    pub lifetime: Duration,
    /// Longest time for asking the names. Default 1 minute.
    pub names_patience: Duration,
    /// Longest time for one connection. Default 30 minutes: the RFC's 10 minutes for the reply to
    /// the final dot, and a large body over a thin line.
    pub relay_patience: Duration,
    /// How often the queue is looked through although nobody called. Default 30 seconds.
    pub glance: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_secs(5 * 60),
            longest_wait: Duration::from_secs(60 * 60),
            jitter_percent: 20,
            lifetime: Duration::from_secs(5 * 24 * 60 * 60),
            names_patience: Duration::from_secs(60),
            relay_patience: Duration::from_secs(30 * 60),
            glance: Duration::from_secs(30),
        }
    }
}

impl Schedule {
    /// The wait after an attempt, when `failed_before` attempts had failed before it. `chance` is a
    /// random number.
    pub fn wait(&self, failed_before: u32, chance: u32) -> Duration {
        let doubled = 1_u32
            .checked_shl(failed_before)
            .filter(|&factor| factor != 0);
        let plain = doubled
            .and_then(|factor| self.first_wait.checked_mul(factor))
            .map_or(self.longest_wait, |wait| wait.min(self.longest_wait));
        let jitter = self.jitter_percent.min(100);
        let percent = 100 - jitter + chance % (2 * jitter + 1);
        plain / 100 * percent
    }

    /// Whether something this old is given up.
    pub fn expired(&self, age: Duration) -> bool {
        age >= self.lifetime
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let schedule = Schedule {
            jitter_percent: 0,
            ..Schedule::default()
        };
        let minutes: Vec<u64> = (0..6).map(|n| schedule.wait(n, 9).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 60, 60]);
    }

    proptest! {
        #[test]
        fn chance_stays_within_its_share(failed_before: u32, chance: u32) {
            let schedule = Schedule::default();
            let plain = Schedule { jitter_percent: 0, ..Schedule::default() }.wait(failed_before, 0);
            let wait = schedule.wait(failed_before, chance);
            prop_assert!(wait >= plain / 100 * 80 && wait <= plain / 100 * 120);
        }
    }
}
