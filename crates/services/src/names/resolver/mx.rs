//! Where mail for a domain goes (RFC 5321 section 5.1, RFC 7505).

use std::net::IpAddr;

use guichet_proto::dns::{Name, Rcode, Rtype, first_name};

use super::Answer;

/// Hosts kept of one answer; more than anybody will try.
const TARGETS_MAX: usize = 20;

/// A host that takes mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxTarget {
    /// Smaller is tried first.
    pub preference: u16,
    /// The host.
    pub host: Name,
}

/// What an answer to an MX question means for mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxPlan {
    /// Try these hosts, in this order.
    Hosts(Vec<MxTarget>),
    /// There is no MX: the domain itself is the host, if it has an address ("implicit MX").
    Implicit(Name),
    /// The domain says that it takes no mail (RFC 7505): a final refusal.
    NullMx,
    /// There is no such domain: a final refusal.
    NoSuchDomain,
    /// Nobody could be made to say; try again later. Why.
    Unknown(String),
}

impl MxPlan {
    /// Reads the answer to an MX question. Hosts of equal preference are put in an order chosen by
    /// lot, so that senders spread; `random` gives a new number at each call.
    pub fn new(answer: &Answer, mut random: impl FnMut() -> u32) -> Self {
        match answer.rcode {
            Rcode::NOERROR => {}
            Rcode::NXDOMAIN => return Self::NoSuchDomain,
            _ => return Self::Unknown(reason(answer)),
        }
        let mut targets: Vec<(u16, u32, Name)> = answer
            .found()
            .filter(|record| record.rtype == Rtype::MX)
            .filter_map(|record| {
                let preference = record.data.first_chunk::<2>()?;
                let host = first_name(record.rtype, &record.data)?;
                Some((u16::from_be_bytes(*preference), random(), host))
            })
            .take(TARGETS_MAX)
            .collect();
        if targets.is_empty() {
            // Behind an alias the domain stays what the sender wrote; its address lookup follows
            // the alias again.
            return Self::Implicit(answer.question.name.clone());
        }
        // A null MX beside others is a mistake of the domain; the others count.
        targets.retain(|(.., host)| !host.is_root());
        if targets.is_empty() {
            return Self::NullMx;
        }
        targets.sort_by_key(|(preference, lot, _)| (*preference, *lot));
        let hosts = targets
            .into_iter()
            .map(|(preference, _, host)| MxTarget { preference, host });
        Self::Hosts(hosts.collect())
    }

    /// Leaves out this server itself and every host that is not preferred to it, so that mail
    /// never goes in circles (RFC 5321 section 5.1). An empty list means that this server is the
    /// best host for a domain it does not know: a mistake in its configuration or in the zone.
    pub fn before(self, is_me: impl Fn(&Name) -> bool) -> Self {
        let Self::Hosts(mut hosts) = self else {
            return self;
        };
        let mine = hosts
            .iter()
            .filter(|target| is_me(&target.host))
            .map(|t| t.preference)
            .min();
        if let Some(mine) = mine {
            hosts.retain(|target| target.preference < mine);
        }
        Self::Hosts(hosts)
    }
}

/// Where a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAddresses {
    /// To be tried in this order: IPv6, IPv4, by turns (RFC 8305 section 4).
    Found(Vec<IpAddr>),
    /// It has none, or there is no such host.
    None,
    /// Nobody could be made to say; try again later. Why.
    Unknown(String),
}

impl HostAddresses {
    /// Joins the answers to an A and an AAAA question. One of them is enough.
    pub fn new(a: &Answer, aaaa: &Answer) -> Self {
        let (mut v4, mut v6) = (a.addresses(), aaaa.addresses());
        let mut addresses = Vec::new();
        loop {
            let pair = [v6.next(), v4.next()];
            if pair == [None, None] {
                break;
            }
            addresses.extend(pair.into_iter().flatten());
        }
        if !addresses.is_empty() {
            return Self::Found(addresses);
        }
        match [a, aaaa]
            .iter()
            .find(|answer| answer.rcode == Rcode::SERVFAIL)
        {
            Some(answer) => Self::Unknown(reason(answer)),
            None => Self::None,
        }
    }
}

fn reason(answer: &Answer) -> String {
    let last = answer.troubles.last();
    last.cloned()
        .unwrap_or_else(|| format!("{} is answered with {}", answer.question, answer.rcode))
}
