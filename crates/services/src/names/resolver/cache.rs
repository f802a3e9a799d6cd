//! What is known for a while, and which exchange brought it.
//!
//! Delegations and their glue are kept apart from answers: glue is good for finding a server and
//! for nothing else (RFC 2181 section 5.4.1), and a delegation is renewed only by the parent, so a
//! zone that was taken away cannot keep itself alive (ghost domains, CVE-2012-1033).

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use guichet_proto::dns::{Name, Record, Rtype, first_name};
use guichet_trace::{Cause, Moment};

/// Longest time anything is kept, whatever its TTL says, in seconds.
const TTL_SECONDS_MAX: u32 = 86_400;

/// Longest time a "no" is kept, in seconds (RFC 2308 section 5 advises one to three hours).
const NEGATIVE_TTL_SECONDS_MAX: u32 = 3 * 3_600;

/// What an entry costs besides its records, in bytes; an estimate.
const ENTRY_SIZE: usize = 256;

/// What is known about a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// These records.
    Records(Vec<Record>),
    /// The name is an alias.
    Alias(Record),
    /// The name exists and has no such record; the SOA that says so, if one came.
    NoData(Vec<Record>),
    /// The name does not exist; the SOA that says so, if one came.
    NoName(Vec<Record>),
}

/// Who answers for a zone, as its parent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The zone.
    pub zone: Name,
    /// Its servers, with glue.
    pub servers: Vec<(Name, Vec<IpAddr>)>,
    /// How long that holds.
    pub ttl_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Records(Name, Rtype),
    NoName(Name),
    Delegation(Name),
}

#[derive(Clone, Debug)]
enum Value {
    Known(Known),
    Delegation(Delegation),
}

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    stored: Moment,
    expires: Moment,
    cause: Option<Cause>,
    size: usize,
}

/// Answers, "no"s and delegations, each for as long as its TTL says; bounded in size. When it is
/// full, what would expire first goes.
#[derive(Clone, Debug)]
pub struct Cache {
    entries: HashMap<Key, Entry>,
    by_expiry: BTreeSet<(Moment, Key)>,
    size: usize,
    size_max: usize,
}

impl Cache {
    /// Holds about `size_max` bytes.
    pub fn new(size_max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            by_expiry: BTreeSet::new(),
            size: 0,
            size_max,
        }
    }

    /// How many entries, expired ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.by_expiry.clear();
        self.size = 0;
    }

    /// What is known about a question, with the TTLs that are left, and what brought it.
    pub fn find(&self, name: &Name, qtype: Rtype, now: Moment) -> Option<(Known, Option<Cause>)> {
        let keys = [
            Key::Records(name.clone(), qtype),
            Key::Records(name.clone(), Rtype::CNAME),
            Key::NoName(name.clone()),
        ];
        keys.iter().find_map(|key| {
            let entry = self.fresh(key, now)?;
            let Value::Known(known) = &entry.value else {
                return None;
            };
            let known = aged(known, entry.age_seconds(now));
            match (key, known) {
                (Key::Records(_, Rtype::CNAME), Known::Records(records))
                    if qtype != Rtype::CNAME =>
                {
                    records
                        .into_iter()
                        .next()
                        .map(|alias| (Known::Alias(alias), entry.cause))
                }
                // That there is no CNAME says nothing about other types.
                (Key::Records(_, rtype), Known::NoData(_)) if *rtype != qtype => None,
                (_, known) => Some((known, entry.cause)),
            }
        })
    }

    /// The deepest zone at or above `name` whose servers are known. DS is the parent's: for it
    /// (`above`) the zone must be truly above.
    pub(super) fn delegation(
        &self,
        name: &Name,
        above: bool,
        now: Moment,
    ) -> Option<(&Delegation, Option<Cause>)> {
        name.iter_suffixes()
            .skip(usize::from(above))
            .find_map(|zone| {
                let zone = Name::from_octets(zone.as_slice().to_vec()).ok()?;
                let entry = self.fresh(&Key::Delegation(zone), now)?;
                match &entry.value {
                    Value::Delegation(delegation) => Some((delegation, entry.cause)),
                    Value::Known(_) => None,
                }
            })
    }

    /// Remembers what was learnt about a question.
    pub(super) fn store(
        &mut self,
        name: &Name,
        qtype: Rtype,
        known: &Known,
        cause: Option<Cause>,
        now: Moment,
    ) {
        let (key, records, ttl_seconds_max) = match known {
            Known::Records(records) => (
                Key::Records(name.clone(), qtype),
                records.as_slice(),
                TTL_SECONDS_MAX,
            ),
            Known::Alias(alias) => {
                let records = Known::Records(vec![alias.clone()]);
                return self.store(name, Rtype::CNAME, &records, cause, now);
            }
            Known::NoData(soa) => (
                Key::Records(name.clone(), qtype),
                soa.as_slice(),
                NEGATIVE_TTL_SECONDS_MAX,
            ),
            Known::NoName(soa) => (
                Key::NoName(name.clone()),
                soa.as_slice(),
                NEGATIVE_TTL_SECONDS_MAX,
            ),
        };
        // A "no" without SOA is good once (RFC 2308 section 5), as is a TTL of zero.
        let ttl_seconds = records
            .iter()
            .map(|record| record.ttl_seconds)
            .min()
            .unwrap_or(0);
        let size = records
            .iter()
            .map(|record| record.data.len() + record.owner.len() + 64)
            .sum();
        let ttl_seconds = ttl_seconds.min(ttl_seconds_max);
        self.insert(
            key,
            Value::Known(known.clone()),
            ttl_seconds,
            size,
            cause,
            now,
        );
    }

    /// Remembers a delegation that the parent's server gave.
    pub(super) fn store_delegation(
        &mut self,
        delegation: Delegation,
        cause: Option<Cause>,
        now: Moment,
    ) {
        let key = Key::Delegation(delegation.zone.clone());
        let ttl_seconds = delegation.ttl_seconds.min(TTL_SECONDS_MAX);
        let size = delegation
            .servers
            .iter()
            .map(|(name, glue)| name.len() + 32 * glue.len())
            .sum();
        self.insert(
            key,
            Value::Delegation(delegation),
            ttl_seconds,
            size,
            cause,
            now,
        );
    }

    fn fresh(&self, key: &Key, now: Moment) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.expires > now)
    }

    fn insert(
        &mut self,
        key: Key,
        value: Value,
        ttl_seconds: u32,
        size: usize,
        cause: Option<Cause>,
        now: Moment,
    ) {
        self.remove(&key);
        let size = size + ENTRY_SIZE;
        if ttl_seconds == 0 || size > self.size_max {
            return;
        }
        while self.size + size > self.size_max {
            let Some((_, oldest)) = self.by_expiry.first().cloned() else {
                break;
            };
            self.remove(&oldest);
        }
        let expires = now.after(Duration::from_secs(ttl_seconds.into()));
        self.by_expiry.insert((expires, key.clone()));
        self.size += size;
        self.entries.insert(
            key,
            Entry {
                value,
                stored: now,
                expires,
                cause,
                size,
            },
        );
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_expiry.remove(&(entry.expires, key.clone()));
            self.size -= entry.size;
        }
    }
}

impl Entry {
    fn age_seconds(&self, now: Moment) -> u32 {
        u32::try_from(now.since(self.stored).as_secs()).unwrap_or(u32::MAX)
    }
}

/// The same with less time to live.
fn aged(known: &Known, age_seconds: u32) -> Known {
    let less = |record: &Record| Record {
        ttl_seconds: record.ttl_seconds.saturating_sub(age_seconds),
        ..record.clone()
    };
    match known {
        Known::Records(records) => Known::Records(records.iter().map(less).collect()),
        Known::Alias(alias) => Known::Alias(less(alias)),
        Known::NoData(soa) => Known::NoData(soa.iter().map(less).collect()),
        Known::NoName(soa) => Known::NoName(soa.iter().map(less).collect()),
    }
}

/// Where an alias leads.
pub(super) fn alias_target(alias: &Record) -> Option<Name> {
    first_name(alias.rtype, &alias.data)
}
