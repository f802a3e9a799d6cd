//! In which order the hosts of a domain are tried (RFC 5321 section 5.1).

use std::net::IpAddr;

use crate::mail::outside::{MailHost, MxHost, MxPlan};

/// Who we are, to know ourselves in an MX list.
#[derive(Clone, Debug, Default)]
pub struct Ourselves {
    /// Names this server answers to.
    pub names: Vec<String>,
    /// Addresses it receives mail on.
    pub addresses: Vec<IpAddr>,
}

impl Ourselves {
    fn are(&self, host: &MxHost) -> bool {
        self.names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&host.name))
            || host
                .addresses
                .iter()
                .any(|address| self.addresses.contains(address))
    }
}

/// There is nowhere to go, and waiting would not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoute {
    /// Enhanced status code (RFC 3463).
    pub status: &'static str,
    /// Why, in words.
    pub words: String,
}

/// Puts the hosts in order: rising preference, chance among equals (`random(n)` gives a number below
/// `n`), all addresses of a host before the next host.
///
/// If we are in the list, only what is preferred to us remains, so that mail moves towards its
/// destination and never in a circle.
pub fn order(
    domain: &str,
    plan: MxPlan,
    ourselves: &Ourselves,
    mut random: impl FnMut(usize) -> usize,
) -> Result<Vec<MailHost>, NoRoute> {
    let never = |status, words| NoRoute { status, words };
    let mut hosts = match plan {
        MxPlan::Hosts(hosts) => hosts,
        MxPlan::Null => {
            return Err(never(
                "5.1.10",
                format!("{domain} says that it takes no mail (null MX)"),
            ));
        }
        MxPlan::NoSuchDomain => {
            return Err(never("5.1.2", format!("there is no domain {domain}")));
        }
    };
    for last in (1..hosts.len()).rev() {
        hosts.swap(last, random(last + 1).min(last));
    }
    hosts.sort_by_key(|host| host.preference);
    let own = hosts
        .iter()
        .filter(|host| ourselves.are(host))
        .map(|host| host.preference)
        .min();
    if let Some(own) = own {
        hosts.retain(|host| host.preference < own);
        if hosts.is_empty() {
            let words =
                format!("mail for {domain} leads back to this server, which does not serve it");
            return Err(never("5.4.6", words));
        }
    }
    let ordered: Vec<MailHost> = hosts.into_iter().flat_map(addresses).collect();
    if ordered.is_empty() {
        let words = format!("no mail host of {domain} has an address");
        return Err(never("5.4.4", words));
    }
    Ok(ordered)
}

fn addresses(host: MxHost) -> impl Iterator<Item = MailHost> {
    let MxHost {
        name, addresses, ..
    } = host;
    addresses.into_iter().map(move |address| MailHost {
        name: name.clone(),
        address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(preference: u16, name: &str, last: u8) -> MxHost {
        MxHost {
            preference,
            name: name.into(),
            addresses: vec![[127, 0, 0, last].into()],
        }
    }

    fn names(plan: Vec<MxHost>, ourselves: &Ourselves) -> Result<Vec<String>, &'static str> {
        order("sud.test", MxPlan::Hosts(plan), ourselves, |_| 0)
            .map(|hosts| hosts.into_iter().map(|host| host.name).collect())
            .map_err(|no| no.status)
    }

    fn nobody() -> Ourselves {
        Ourselves::default()
    }

    #[test]
    fn lower_preferences_come_first_with_all_their_addresses() {
        let mut first = host(5, "a", 1);
        first.addresses.push([127, 0, 0, 9].into());
        let plan = vec![host(20, "c", 3), host(10, "b", 2), first];
        assert_eq!(names(plan, &nobody()).unwrap(), ["a", "a", "b", "c"]);
    }

    #[test]
    fn we_and_what_is_behind_us_are_cut() {
        let plan = || {
            vec![
                host(5, "a", 1),
                host(10, "US", 2),
                host(10, "b", 3),
                host(20, "c", 4),
            ]
        };
        let by_name = Ourselves {
            names: vec!["us".into()],
            addresses: vec![],
        };
        let by_address = Ourselves {
            names: vec![],
            addresses: vec![[127, 0, 0, 2].into()],
        };
        assert_eq!(names(plan(), &by_name).unwrap(), ["a"]);
        assert_eq!(names(plan(), &by_address).unwrap(), ["a"]);
        assert_eq!(names(plan().split_off(1), &by_name), Err("5.4.6"));
    }

    #[test]
    fn who_takes_no_mail_gets_none() {
        let status = |plan| order("sud.test", plan, &nobody(), |_| 0).map_err(|no| no.status);
        assert_eq!(status(MxPlan::Null), Err("5.1.10"));
        assert_eq!(status(MxPlan::NoSuchDomain), Err("5.1.2"));
        let bare = MxHost {
            preference: 0,
            name: "a".into(),
            addresses: vec![],
        };
        assert_eq!(status(MxPlan::Hosts(vec![bare])), Err("5.4.4"));
    }

    #[test]
    fn equals_are_shuffled() {
        let plan = || vec![host(1, "a", 1), host(1, "b", 2), host(1, "c", 3)];
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..6 {
            let hosts = order("x", MxPlan::Hosts(plan()), &nobody(), |n| seed % n).unwrap();
            seen.insert(hosts[0].name.clone());
        }
        assert!(seen.len() > 1, "{seen:?}");
    }

    proptest! {
        #[test]
        fn chance_loses_nobody(preferences in prop::collection::vec(0_u16..4, 1..8), seed: usize) {
            let plan: Vec<_> =
                preferences.iter().enumerate().map(|(n, p)| host(*p, &n.to_string(), n as u8)).collect();
            let hosts = order("x", MxPlan::Hosts(plan.clone()), &nobody(), |n| seed % n).unwrap();
            let preference = |host: &MailHost| plan[host.name.parse::<usize>().unwrap()].preference;
            prop_assert_eq!(hosts.len(), plan.len());
            prop_assert!(hosts.windows(2).all(|pair| preference(&pair[0]) <= preference(&pair[1])));
        }
    }
}
