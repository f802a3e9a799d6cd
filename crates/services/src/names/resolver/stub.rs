//! The side of the resolver that stub resolvers (`dig`, a system's libc) talk to.

use guichet_proto::dns::{
    Class, Header, MESSAGE_SIZE_MAX, Opcode, Query, Rcode, Refusal, Section, UDP_SIZE_MAX,
    UDP_SIZE_PLAIN, Writer,
};

use super::super::Carrier;
use super::{Answer, Question};

/// Extended error "no reachable authority" (RFC 8914 section 4.23).
const EXTENDED_NO_REACHABLE_AUTHORITY: u16 = 22;

/// What to do with a stub's query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stub {
    /// Walk, then [`respond`] to the same bytes.
    Resolve(Question),
    /// Send this.
    Reply(Vec<u8>),
    /// Nothing may be sent back, for this reason.
    Silent(&'static str),
}

/// Reads a stub's query. Only ordinary types of class IN are resolved, and only for clients that
/// ask for recursion: others want to know what is in the cache, which is nobody's business.
pub fn stub_question(bytes: &[u8]) -> Stub {
    let query = match Query::read(bytes) {
        Ok(query) => query,
        Err(Refusal::Silent(why)) => return Stub::Silent(why),
        Err(Refusal::Reply(rcode, _)) => return bare(bytes, rcode),
    };
    let refusal = match (query.opcode, query.qclass) {
        _ if query.edns.is_some_and(|edns| edns.version != 0) => Some(Rcode::BADVERS),
        (Opcode::QUERY, Class::IN) if !query.recursion_desired => Some(Rcode::REFUSED),
        (Opcode::QUERY, Class::IN) => match query.qtype.to_int() {
            41 | 249 | 250 => Some(Rcode::FORMERR),
            251..=254 => Some(Rcode::NOTIMP),
            _ => None,
        },
        (Opcode::QUERY, _) => Some(Rcode::REFUSED),
        _ => Some(Rcode::NOTIMP),
    };
    match (refusal, query.owned_name()) {
        (None, Some(name)) => Stub::Resolve(Question {
            name,
            qtype: query.qtype,
        }),
        (refusal, _) => {
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out, usize::from(UDP_SIZE_PLAIN), true);
            writer.question(query.question);
            writer.finish(
                &header(&query, refusal.unwrap_or(Rcode::FORMERR)),
                query.edns,
                None,
            );
            Stub::Reply(out)
        }
    }
}

/// The message that tells a stub what a walk found, appended to `out`; false if `bytes` are not a
/// query that [`stub_question`] would resolve.
pub fn respond(bytes: &[u8], answer: &Answer, carrier: Carrier, out: &mut Vec<u8>) -> bool {
    let Ok(query) = Query::read(bytes) else {
        return false;
    };
    let limit = match (carrier, query.edns) {
        (Carrier::Tcp, _) => MESSAGE_SIZE_MAX,
        (Carrier::Udp, None) => usize::from(UDP_SIZE_PLAIN),
        (Carrier::Udp, Some(edns)) => usize::from(edns.udp_size.min(UDP_SIZE_MAX)),
    };
    let mut header = header(&query, answer.rcode);
    let mut writer = Writer::new(out, limit, query.edns.is_some());
    writer.question(query.question);
    let mark = writer.mark();
    let sections = [
        (Section::Answer, &answer.records),
        (Section::Authority, &answer.authority),
    ];
    let records = sections
        .iter()
        .flat_map(|(section, list)| list.iter().map(move |r| (section, r)));
    for (section, record) in records {
        let owner = record.owner.as_slice();
        let added = writer.record(
            *section,
            owner,
            record.rtype,
            record.ttl_seconds,
            &record.data,
        );
        if added.is_err() {
            // Half an answer helps nobody: the stub will ask again over TCP.
            writer.rewind(mark);
            header.truncated = true;
            break;
        }
    }
    let extended = (answer.rcode == Rcode::SERVFAIL).then_some(EXTENDED_NO_REACHABLE_AUTHORITY);
    writer.finish(&header, query.edns, extended);
    true
}

fn header(query: &Query<'_>, rcode: Rcode) -> Header {
    Header {
        id: query.id,
        opcode: query.opcode,
        authoritative: false,
        truncated: false,
        recursion_desired: query.recursion_desired,
        recursion_available: true,
        rcode,
    }
}

fn bare(bytes: &[u8], rcode: Rcode) -> Stub {
    let Some(header) = Header::refusing(bytes, rcode, true) else {
        return Stub::Silent("shorter than a header");
    };
    let mut out = Vec::new();
    Writer::new(&mut out, usize::from(UDP_SIZE_PLAIN), false).finish(&header, None, None);
    Stub::Reply(out)
}
