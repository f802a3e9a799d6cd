//! One zone as an image made for answering: a table of names, each with its record sets.

use std::collections::HashMap;

use guichet_proto::dns::{Name, Record, Rtype};

/// A name's wire form in lower case: what the tables are keyed by.
pub(super) type Key = Box<[u8]>;

/// All records of one name and type (RFC 2181 section 5).
#[derive(Clone, Debug)]
pub(super) struct RrSet {
    pub rtype: Rtype,
    pub ttl_seconds: u32,
    /// Wire form, names uncompressed.
    pub data: Vec<Box<[u8]>>,
}

/// What the zone knows of one name. A node without record sets is an empty non-terminal.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// In the order of type numbers.
    pub sets: Vec<RrSet>,
    /// `*` below this name exists.
    pub wildcard_below: bool,
    /// NS here, and not the apex: somebody else answers from here down.
    pub cut: bool,
    /// At or below somebody else's zone, or below a DNAME: never an answer of ours.
    pub hidden: bool,
}

impl Node {
    pub fn set(&self, rtype: Rtype) -> Option<&RrSet> {
        self.sets.iter().find(|set| set.rtype == rtype)
    }
}

/// An immutable image of one zone.
#[derive(Clone, Debug)]
pub struct Zone {
    pub(super) apex: Name,
    pub(super) nodes: HashMap<Key, Node>,
    /// How long "no" may be remembered: the smaller of the SOA's TTL and its MINIMUM field
    /// (RFC 2308 section 5).
    pub(super) negative_ttl_seconds: u32,
    /// As written, for people.
    pub(super) records: Vec<Record>,
}

/// Where a name leads in a zone.
pub(super) enum Found<'z> {
    /// The name itself exists, perhaps without records.
    Exact(&'z Node),
    /// The name does not exist; this wildcard speaks for it (RFC 4592 section 3.3).
    Wildcard(&'z Node),
    /// Somebody else's zone begins at the label at this offset.
    Delegation(&'z Node, usize),
    /// Everything below the label at this offset is renamed (RFC 6672).
    Renamed(&'z Node, usize),
    /// There is no such name.
    Missing,
}

/// A name folded to lower case, with the offset of each label, on the stack.
pub(super) struct Folded {
    bytes: [u8; 255],
    length: usize,
    offsets: [u8; 128],
    labels: usize,
}

impl Folded {
    /// Takes an uncompressed wire name of at most 255 bytes.
    pub fn new(name: &[u8]) -> Self {
        let mut folded = Self {
            bytes: [0; 255],
            length: 0,
            offsets: [0; 128],
            labels: 0,
        };
        for (to, from) in folded.bytes.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        // Label lengths are at most 63 and so below 'A': folding leaves them alone.
        folded.length = name.len().min(255);
        let mut at = 0;
        while at < folded.length && folded.labels < 128 {
            folded.offsets[folded.labels] = at as u8;
            folded.labels += 1;
            if folded.bytes[at] == 0 {
                break;
            }
            at += 1 + usize::from(folded.bytes[at]);
        }
        folded
    }

    /// The whole name.
    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// How many labels, the root's included.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Where the tail with `count` labels (the root's included) begins.
    pub fn offset(&self, count: usize) -> usize {
        usize::from(self.offsets[self.labels - count.clamp(1, self.labels)])
    }

    /// The tail with `count` labels, the root's included.
    pub fn tail(&self, count: usize) -> &[u8] {
        &self.bytes[self.offset(count)..self.length]
    }
}

impl Zone {
    /// The zone's name.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The zone's records in the order of its file, the SOA first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The serial number of its SOA (RFC 1035 section 3.3.13).
    pub fn serial(&self) -> u32 {
        self.soa()
            .and_then(|(_, data)| soa_field(data, 0))
            .unwrap_or(0)
    }

    /// TTL for negative answers, and the SOA's data.
    pub(super) fn soa(&self) -> Option<(u32, &[u8])> {
        let node = self.nodes.get(Folded::new(self.apex.as_slice()).key())?;
        let data = node.set(Rtype::SOA)?.data.first()?;
        Some((self.negative_ttl_seconds, data))
    }

    /// Finds a name at or below the apex. `ds` asks for DS, which the parent side of a delegation
    /// answers (RFC 4035 section 3.1.4.1).
    pub(super) fn find(&self, name: &Folded, ds: bool) -> Found<'_> {
        if let Some(node) = self.nodes.get(name.key())
            && !node.hidden
            && (!node.cut || ds)
        {
            return Found::Exact(node);
        }
        self.descend(name)
    }

    /// Goes down from the apex to the closest encloser (RFC 1034 section 4.3.2, RFC 4592 section
    /// 3.3.1). Ends at the first missing name, so it costs at most the zone's depth.
    fn descend(&self, name: &Folded) -> Found<'_> {
        let apex_labels = self.apex.label_count();
        let mut encloser: Option<&Node> = self.nodes.get(name.tail(apex_labels));
        for labels in apex_labels + 1..=name.labels() {
            if let Some(node) = encloser.filter(|node| node.set(Rtype::DNAME).is_some()) {
                return Found::Renamed(node, name.offset(labels - 1));
            }
            match self.nodes.get(name.tail(labels)) {
                Some(node) if node.cut => return Found::Delegation(node, name.offset(labels)),
                Some(node) => encloser = Some(node),
                None => {
                    return match encloser.filter(|node| node.wildcard_below) {
                        Some(_) => self.wildcard(name.tail(labels - 1)),
                        None => Found::Missing,
                    };
                }
            }
        }
        Found::Missing
    }

    fn wildcard(&self, encloser: &[u8]) -> Found<'_> {
        let mut key = [0_u8; 257];
        key[..2].copy_from_slice(b"\x01*");
        key[2..2 + encloser.len()].copy_from_slice(encloser);
        match self.nodes.get(&key[..2 + encloser.len()]) {
            Some(node) => Found::Wildcard(node),
            None => Found::Missing,
        }
    }

    /// Puts checked records together. Records must be of class IN, at or below the apex, with one
    /// SOA at the apex, as [`check()`](super::check()) makes sure.
    pub(super) fn build(apex: Name, records: Vec<Record>) -> Self {
        let mut zone = Self {
            apex,
            nodes: HashMap::new(),
            negative_ttl_seconds: 0,
            records: Vec::new(),
        };
        for record in &records {
            zone.add(record);
        }
        zone.link();
        if let Some(set) = zone
            .node(zone.apex.as_slice())
            .and_then(|node| node.set(Rtype::SOA))
        {
            let minimum = set
                .data
                .first()
                .and_then(|data| soa_field(data, 4))
                .unwrap_or(0);
            zone.negative_ttl_seconds = set.ttl_seconds.min(minimum);
        }
        zone.records = records;
        zone
    }

    /// The node of a name in any case.
    pub(super) fn node(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.get(Folded::new(name).key())
    }

    fn add(&mut self, record: &Record) {
        let folded = Folded::new(record.owner.as_slice());
        // Every name between the owner and the apex exists, if only because of what is below it.
        for labels in (self.apex.label_count()..=folded.labels()).rev() {
            let name = folded.tail(labels);
            if self.nodes.contains_key(name) {
                break; // and so do those above it
            }
            self.nodes.insert(name.into(), Node::default());
        }
        let Some(node) = self.nodes.get_mut(folded.key()) else {
            return;
        };
        let at = match node
            .sets
            .binary_search_by_key(&record.rtype, |set| set.rtype)
        {
            Ok(at) => at,
            Err(at) => {
                let set = RrSet {
                    rtype: record.rtype,
                    ttl_seconds: record.ttl_seconds,
                    data: Vec::new(),
                };
                node.sets.insert(at, set);
                at
            }
        };
        let set = &mut node.sets[at];
        // One RRset has one TTL; where a file says two, the smaller is safe (RFC 2181 section 5.2).
        set.ttl_seconds = set.ttl_seconds.min(record.ttl_seconds);
        set.data.push(record.data.as_slice().into());
    }

    /// Notes at each node what lies around it, once, instead of at each question.
    fn link(&mut self) {
        let apex = Folded::new(self.apex.as_slice());
        let mut wildcards = Vec::new();
        let mut covers = Vec::new();
        for (key, node) in &mut self.nodes {
            node.cut = key[..] != *apex.key() && node.set(Rtype::NS).is_some();
            if let Some(parent) = key.strip_prefix(b"\x01*") {
                wildcards.push(Key::from(parent));
            }
            if node.cut || node.set(Rtype::DNAME).is_some() {
                covers.push(key.clone());
            }
        }
        for parent in wildcards {
            if let Some(node) = self.nodes.get_mut(&parent) {
                node.wildcard_below = true;
            }
        }
        if covers.is_empty() {
            return;
        }
        let covers: std::collections::HashSet<Key> = covers.into_iter().collect();
        let apex_labels = apex.labels();
        for (key, node) in &mut self.nodes {
            let name = Folded::new(key);
            node.hidden =
                (apex_labels..name.labels()).any(|labels| covers.contains(name.tail(labels)));
        }
    }
}

/// The `index`th of the five numbers behind an SOA's two names.
pub(super) fn soa_field(data: &[u8], index: usize) -> Option<u32> {
    let at = data.len().checked_sub(20)? + 4 * index;
    let field = data.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*field))
}
