//! From the bytes of a query to the bytes of an answer, without waiting for anything.
//!
//! The algorithm is that of RFC 1034 section 4.3.2 with the closest encloser of RFC 4592, without
//! recursion: RA is never set. Only what is asked for goes into an answer, with the addresses of
//! mail, name and service hosts where there is room.

use guichet_proto::dns::{
    Class, Edns, Full, Header, MESSAGE_SIZE_MAX, Opcode, Query, Rcode, Refusal, Rtype, Section,
    UDP_SIZE_MAX, UDP_SIZE_PLAIN, Writer,
};

use super::load::Zones;
use super::zone::{Folded, Found, Node, RrSet, Zone};

/// How many CNAME and DNAME steps one answer holds; the client goes on from there.
const ALIASES_MAX: usize = 16;

/// For how many hosts of one set addresses are added unasked; more would be work for nothing.
const HELPED_MAX: usize = 16;

/// Extended error "not authoritative" (RFC 8914 section 4.21).
const EXTENDED_NOT_AUTHORITATIVE: u16 = 20;

/// What carries the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A datagram: 512 bytes without EDNS, else what the client takes, at most 1232.
    Udp,
    /// A stream: 65,535 bytes. The two length bytes are the session's, not in the answer.
    Tcp,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// An answer stands behind what `out` already held.
    Sent {
        /// Its verdict.
        rcode: Rcode,
        /// It was cut to fit: the client will ask over TCP.
        truncated: bool,
    },
    /// Nothing may be sent back, for this reason.
    Silent(&'static str),
}

/// Answers one query from `zones`, appending the message to `out`. Never panics and never takes
/// long, whatever the bytes are.
pub fn answer(zones: &Zones, query: &[u8], carrier: Carrier, out: &mut Vec<u8>) -> Answered {
    let query = match Query::read(query) {
        Ok(query) => query,
        Err(Refusal::Silent(why)) => return Answered::Silent(why),
        Err(Refusal::Reply(rcode, _)) => return bare(query, rcode, out),
    };
    let limit = match (carrier, query.edns) {
        (Carrier::Tcp, _) => MESSAGE_SIZE_MAX,
        (Carrier::Udp, None) => usize::from(UDP_SIZE_PLAIN),
        (Carrier::Udp, Some(edns)) => usize::from(edns.udp_size.min(UDP_SIZE_MAX)),
    };
    let mut writer = Writer::new(out, limit, query.edns.is_some());
    writer.question(query.question);
    let mut reply = Reply {
        zones,
        writer,
        qtype: query.qtype,
        header: Header {
            id: query.id,
            opcode: query.opcode,
            authoritative: false,
            truncated: false,
            recursion_desired: query.recursion_desired,
            recursion_available: false,
            rcode: Rcode::NOERROR,
        },
        extended_error: None,
    };
    match objection(&query) {
        Some(rcode) => reply.header.rcode = rcode,
        None => reply.look_up(query.name),
    }
    reply.send(query.edns)
}

/// Why a well-formed query is not looked up.
fn objection(query: &Query<'_>) -> Option<Rcode> {
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return Some(Rcode::BADVERS);
    }
    match (query.opcode, query.qclass, query.qtype) {
        (Opcode::QUERY, Class::IN, Rtype::AXFR | Rtype::IXFR) => Some(Rcode::REFUSED),
        (Opcode::QUERY, Class::IN, Rtype::MAILA | Rtype::MAILB) => Some(Rcode::NOTIMP),
        (Opcode::QUERY, Class::IN, Rtype::OPT | Rtype::TSIG | Rtype::TKEY) => Some(Rcode::FORMERR),
        (Opcode::QUERY, Class::IN, _) => None,
        // Among them version.bind in class CHAOS: nobody needs to know what runs here.
        (Opcode::QUERY, _, _) => Some(Rcode::REFUSED),
        _ => Some(Rcode::NOTIMP),
    }
}

/// Answers what has no readable question with a header alone.
fn bare(query: &[u8], rcode: Rcode, out: &mut Vec<u8>) -> Answered {
    let Some(header) = Header::refusing(query, rcode, false) else {
        return Answered::Silent("shorter than a header");
    };
    Writer::new(out, usize::from(UDP_SIZE_PLAIN), false).finish(&header, None, None);
    Answered::Sent {
        rcode,
        truncated: false,
    }
}

/// An answer in the making.
struct Reply<'z, 'o> {
    zones: &'z Zones,
    writer: Writer<'o>,
    qtype: Rtype,
    header: Header,
    extended_error: Option<u16>,
}

/// Where a look-up goes on.
enum Next {
    Done,
    /// The name is an alias of this one (wire form).
    Alias(Vec<u8>),
}

impl<'z> Reply<'z, '_> {
    fn send(self, edns: Option<Edns>) -> Answered {
        let Header {
            rcode, truncated, ..
        } = self.header;
        self.writer.finish(&self.header, edns, self.extended_error);
        Answered::Sent { rcode, truncated }
    }

    /// Follows the name through aliases until an answer, a "no" or the edge of our zones.
    fn look_up(&mut self, name: &[u8]) {
        if self.follow(name) == Err(Full) {
            self.header.truncated = true;
        }
    }

    fn follow(&mut self, name: &[u8]) -> Result<(), Full> {
        let mut passed: Vec<Vec<u8>> = Vec::new();
        let mut next = self.step(name, true)?;
        while let Next::Alias(target) = next {
            let circle = |other: &[u8]| other.eq_ignore_ascii_case(&target);
            if passed.len() == ALIASES_MAX || circle(name) || passed.iter().any(|name| circle(name))
            {
                break;
            }
            next = self.step(&target, false)?;
            passed.push(target);
        }
        Ok(())
    }

    /// One name. For all but the first, "not here" just ends the chain.
    fn step(&mut self, name: &[u8], first: bool) -> Result<Next, Full> {
        let folded = Folded::new(name);
        let Some(zone) = self.zone_for(&folded) else {
            if first {
                self.header.rcode = Rcode::REFUSED;
                self.extended_error = Some(EXTENDED_NOT_AUTHORITATIVE);
            }
            return Ok(Next::Done);
        };
        match zone.find(&folded, self.qtype == Rtype::DS) {
            Found::Exact(node) | Found::Wildcard(node) => {
                self.header.authoritative |= first;
                self.data(zone, node, name)
            }
            Found::Delegation(node, offset) => {
                self.referral(zone, node, &name[offset..])?;
                Ok(Next::Done)
            }
            Found::Renamed(node, offset) => {
                self.header.authoritative |= first;
                self.rename(node, name, offset)
            }
            Found::Missing => {
                self.header.authoritative |= first;
                self.header.rcode = Rcode::NXDOMAIN;
                self.negative(zone)
            }
        }
    }

    /// The zone that answers. DS lives on the parent's side of a cut; when we hold both sides,
    /// the parent must be found.
    fn zone_for(&self, name: &Folded) -> Option<&'z Zone> {
        let zones = self.zones;
        let zone = zones.enclosing(name, usize::MAX)?;
        if self.qtype == Rtype::DS && zone.apex().len() == name.key().len() && name.labels() > 1 {
            return zones.enclosing(name, name.labels() - 1).or(Some(zone));
        }
        Some(zone)
    }

    /// The name exists: its records, its alias, or "no such record".
    fn data(&mut self, zone: &Zone, node: &Node, name: &[u8]) -> Result<Next, Full> {
        if self.qtype == Rtype::ANY {
            // One set is answer enough and no amplifier (RFC 8482 section 4.1).
            return match node.sets.first() {
                Some(set) => self.positive(set, name),
                None => self.negative(zone),
            };
        }
        if let Some(set) = node.set(self.qtype) {
            return self.positive(set, name);
        }
        let Some(alias) = node.set(Rtype::CNAME) else {
            return self.negative(zone);
        };
        self.records(Section::Answer, name, alias)?;
        Ok(match alias.data.first() {
            Some(target) => Next::Alias(target.to_vec()),
            None => Next::Done,
        })
    }

    fn positive(&mut self, set: &RrSet, name: &[u8]) -> Result<Next, Full> {
        self.records(Section::Answer, name, set)?;
        self.helpful_addresses(set);
        Ok(Next::Done)
    }

    /// "No": the SOA says how long it may be remembered (RFC 2308 section 3).
    fn negative(&mut self, zone: &Zone) -> Result<Next, Full> {
        if let Some((ttl_seconds, soa)) = zone.soa() {
            let apex = zone.apex().as_slice();
            self.writer
                .record(Section::Authority, apex, Rtype::SOA, ttl_seconds, soa)?;
        }
        Ok(Next::Done)
    }

    /// Somebody else answers for `cut` and below: who, and where (RFC 1034 section 4.2.1). Glue
    /// below the cut is part of the referral: without it the answer counts as truncated
    /// (RFC 9471 section 3.1). Glue beside it helps and may be missing (section 3.2).
    fn referral(&mut self, zone: &Zone, node: &Node, cut: &[u8]) -> Result<(), Full> {
        let Some(servers) = node.set(Rtype::NS) else {
            return Ok(());
        };
        self.records(Section::Authority, cut, servers)?;
        let cut = Folded::new(cut);
        let below = |server: &Folded| {
            server.labels() >= cut.labels() && server.tail(cut.labels()) == cut.key()
        };
        for required in [true, false] {
            for server in &servers.data {
                let folded = Folded::new(server);
                if below(&folded) != required {
                    continue;
                }
                let glue = zone.nodes.get(folded.key());
                let added = glue.map_or(Ok(()), |glue| self.addresses(server, glue));
                if required {
                    added?;
                }
            }
        }
        Ok(())
    }

    /// Renames by DNAME: the DNAME, a CNAME made for this one name, and on (RFC 6672 section 3).
    fn rename(&mut self, node: &Node, name: &[u8], offset: usize) -> Result<Next, Full> {
        let Some(set) = node.set(Rtype::DNAME) else {
            return Ok(Next::Done);
        };
        let Some(target) = set.data.first() else {
            return Ok(Next::Done);
        };
        self.records(Section::Answer, &name[offset..], set)?;
        let renamed = [&name[..offset], target].concat();
        if renamed.len() > 255 {
            self.header.rcode = Rcode::YXDOMAIN;
            return Ok(Next::Done);
        }
        self.writer.record(
            Section::Answer,
            name,
            Rtype::CNAME,
            set.ttl_seconds,
            &renamed,
        )?;
        Ok(if self.qtype == Rtype::CNAME {
            Next::Done
        } else {
            Next::Alias(renamed)
        })
    }

    /// All records of a set, or none of them.
    fn records(&mut self, section: Section, owner: &[u8], set: &RrSet) -> Result<(), Full> {
        let mark = self.writer.mark();
        for data in &set.data {
            let added = self
                .writer
                .record(section, owner, set.rtype, set.ttl_seconds, data);
            if added.is_err() {
                self.writer.rewind(mark);
                return Err(Full);
            }
        }
        Ok(())
    }

    fn addresses(&mut self, owner: &[u8], node: &Node) -> Result<(), Full> {
        for rtype in [Rtype::A, Rtype::AAAA] {
            if let Some(set) = node.set(rtype) {
                self.records(Section::Additional, owner, set)?;
            }
        }
        Ok(())
    }

    /// Spares the client a question where there is room and we know the address; never a reason
    /// to truncate (RFC 2181 section 9).
    fn helpful_addresses(&mut self, set: &RrSet) {
        let name_at = match set.rtype {
            Rtype::NS => 0,
            Rtype::MX => 2,
            Rtype::SRV => 6,
            _ => return,
        };
        let zones = self.zones;
        let targets = || {
            set.data
                .iter()
                .take(HELPED_MAX)
                .filter_map(|data| data.get(name_at..))
        };
        for (index, target) in targets().enumerate() {
            let known = targets()
                .take(index)
                .any(|other| other.eq_ignore_ascii_case(target));
            if !known
                && let Some(node) = zones.host(&Folded::new(target))
                && self.addresses(target, node).is_err()
            {
                return;
            }
        }
    }
}
