//! What a server's reply means, and how much of it is believed.
//!
//! A server was asked because it is said to serve one zone. Nothing it says about names outside
//! that zone counts, and it can hand on only what lies between its zone and the question: a server
//! of `nord.test` cannot name servers for `sud.test` (GHSA-83hf-93m4-rgwq).

use std::net::IpAddr;

use guichet_proto::dns::{Message, Name, Rcode, Record, Rtype, first_name};

use super::cache::{Delegation, Known, alias_target};
use super::{Limits, Question, address};

/// Servers of one delegation that are kept, and addresses of each.
const SERVERS_MAX: usize = 20;

/// Aliases followed inside one reply.
const REPLY_ALIASES_MAX: usize = 16;

/// What a reply says, reduced to what may be believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Aliases from the question on, then what is known of the last name, if it was said.
    Facts(Vec<Record>, Option<Known>),
    /// Ask those.
    Referral(Delegation),
    /// The server does not understand EDNS (RFC 6891 section 7).
    NoEdns,
    /// This server is of no use for this zone; why.
    Lame(String),
}

/// Judges a reply, whose id and question match, of a server asked for its `zone`.
pub(super) fn judge(
    zone: &Name,
    question: &Question,
    message: &Message,
    limits: &Limits,
) -> Verdict {
    match message.rcode {
        Rcode::NOERROR | Rcode::NXDOMAIN => {}
        Rcode::FORMERR | Rcode::NOTIMP => return Verdict::NoEdns,
        rcode => return Verdict::Lame(format!("answers {rcode}")),
    }
    let (aliases, last) = follow(zone, question, &message.answer);
    let found: Vec<Record> = message
        .answer
        .iter()
        .filter(|record| record.owner == last && last.ends_with(zone))
        .filter(|record| record.rtype == question.qtype || question.qtype == Rtype::ANY)
        .cloned()
        .collect();
    if !aliases.is_empty() || !found.is_empty() {
        if !message.flags.authoritative {
            return Verdict::Lame("answers without authority".to_owned());
        }
        return Verdict::Facts(
            aliases,
            (!found.is_empty()).then_some(Known::Records(found)),
        );
    }
    negative_or_referral(zone, question, message, limits)
}

/// The aliases from the question on, as far as they stay in the zone, and where they end.
fn follow(zone: &Name, question: &Question, answer: &[Record]) -> (Vec<Record>, Name) {
    let mut aliases = Vec::new();
    let mut name = question.name.clone();
    while aliases.len() < REPLY_ALIASES_MAX
        && question.qtype != Rtype::CNAME
        && question.qtype != Rtype::ANY
        && name.ends_with(zone)
        && !answer
            .iter()
            .any(|record| record.owner == name && record.rtype == question.qtype)
    {
        let alias = |record: &&Record| record.owner == name && record.rtype == Rtype::CNAME;
        let Some(alias) = answer.iter().find(alias) else {
            break;
        };
        let Some(target) = alias_target(alias) else {
            break;
        };
        aliases.push(alias.clone());
        name = target;
    }
    (aliases, name)
}

fn negative_or_referral(
    zone: &Name,
    question: &Question,
    message: &Message,
    limits: &Limits,
) -> Verdict {
    let soa: Vec<Record> = message
        .authority
        .iter()
        .filter(|record| record.rtype == Rtype::SOA)
        .filter(|record| record.owner.ends_with(zone) && question.name.ends_with(&record.owner))
        .take(1)
        .filter_map(negative_soa)
        .collect();
    let said = !soa.is_empty() || message.flags.authoritative;
    if message.rcode == Rcode::NXDOMAIN {
        return match said {
            true => Verdict::Facts(Vec::new(), Some(Known::NoName(soa))),
            false => Verdict::Lame("says NXDOMAIN without authority".to_owned()),
        };
    }
    if soa.is_empty()
        && let Some(delegation) = referral(zone, question, message, limits)
    {
        return Verdict::Referral(delegation);
    }
    let refers = message
        .authority
        .iter()
        .any(|record| record.rtype == Rtype::NS);
    match (said, refers && soa.is_empty()) {
        (true, false) => Verdict::Facts(Vec::new(), Some(Known::NoData(soa))),
        (_, true) => Verdict::Lame("refers to servers that are no step further".to_owned()),
        (false, false) => Verdict::Lame("has no answer and no authority".to_owned()),
    }
}

/// The SOA with the time for which "no" holds: the smaller of its TTL and MINIMUM (RFC 2308
/// section 5).
fn negative_soa(soa: &Record) -> Option<Record> {
    let minimum = soa
        .data
        .last_chunk::<4>()
        .map(|field| u32::from_be_bytes(*field))?;
    Some(Record {
        ttl_seconds: soa.ttl_seconds.min(minimum),
        ..soa.clone()
    })
}

/// A referral strictly downwards, on the way to the question.
fn referral(
    zone: &Name,
    question: &Question,
    message: &Message,
    limits: &Limits,
) -> Option<Delegation> {
    let onward = |record: &&Record| {
        record.rtype == Rtype::NS
            && record.owner != *zone
            && record.owner.ends_with(zone)
            && question.name.ends_with(&record.owner)
            && (question.qtype != Rtype::DS || question.name != record.owner)
    };
    let first = message.authority.iter().find(onward)?;
    let mut delegation = Delegation {
        zone: first.owner.clone(),
        servers: Vec::new(),
        ttl_seconds: first.ttl_seconds,
    };
    for record in message.authority.iter().filter(onward) {
        if record.owner != delegation.zone || delegation.servers.len() == SERVERS_MAX {
            continue;
        }
        let Some(server) = first_name(record.rtype, &record.data) else {
            continue;
        };
        if delegation.servers.iter().any(|(known, _)| *known == server) {
            continue;
        }
        let (addresses, ttl_seconds) = glue(zone, &server, &message.additional, limits);
        delegation.ttl_seconds = delegation
            .ttl_seconds
            .min(record.ttl_seconds)
            .min(ttl_seconds);
        delegation.servers.push((server, addresses));
    }
    (!delegation.servers.is_empty()).then_some(delegation)
}

/// Addresses of a name server, believed only for names inside the zone asked.
fn glue(zone: &Name, server: &Name, records: &[Record], limits: &Limits) -> (Vec<IpAddr>, u32) {
    let mut ttl_seconds = u32::MAX;
    let mut addresses = Vec::new();
    if !server.ends_with(zone) {
        return (addresses, ttl_seconds);
    }
    for record in records.iter().filter(|record| record.owner == *server) {
        let usable = address(record).filter(|&address| limits.allows(address));
        if let Some(address) = usable
            && addresses.len() < SERVERS_MAX
        {
            addresses.push(address);
            ttl_seconds = ttl_seconds.min(record.ttl_seconds);
        }
    }
    (addresses, ttl_seconds)
}
