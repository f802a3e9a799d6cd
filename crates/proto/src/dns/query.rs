//! A query: read without allocation on its way into a server, or built by our own client.

use alloc::vec::Vec;

use super::{Class, HEADER_SIZE, Name, Opcode, Rcode, Rtype, UDP_SIZE_MAX};

/// What a server needs of an OPT record (RFC 6891 section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Largest datagram the sender takes, in bytes, as it says; below 512 counts as 512.
    pub udp_size: u16,
    /// The version; this program knows 0.
    pub version: u8,
    /// The sender understands DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
}

/// A query with exactly one question, borrowed from the bytes it came in.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// To be repeated in the answer.
    pub id: u16,
    /// What is asked for; everything but `QUERY` is refused by our servers.
    pub opcode: Opcode,
    /// The client wants recursion.
    pub recursion_desired: bool,
    /// The question section as it came: name, type, class.
    pub question: &'a [u8],
    /// The name asked for, in wire form, in the case in which it came.
    pub name: &'a [u8],
    /// The type asked for.
    pub qtype: Rtype,
    /// The class asked for.
    pub qclass: Class,
    /// The OPT record, if there was one.
    pub edns: Option<Edns>,
}

/// Why there is no [`Query`] in some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing may be sent back: too short for a header, or itself a response (answering one
    /// would let two servers talk for ever).
    Silent(&'static str),
    /// A header with this code answers it.
    Reply(Rcode, &'static str),
}

impl<'a> Query<'a> {
    /// Reads a query. A compressed name in the question, a question count other than one
    /// (RFC 9619), a second OPT record or a cut record are format errors.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        const BAD: fn(&'static str) -> Refusal = |why| Refusal::Reply(Rcode::FORMERR, why);
        let Some(header) = bytes.first_chunk::<HEADER_SIZE>() else {
            return Err(Refusal::Silent("shorter than a header"));
        };
        if header[2] & 0x80 != 0 {
            return Err(Refusal::Silent("a response, not a query"));
        }
        let opcode = Opcode::from_int((header[2] >> 3) & 0x0f);
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        if count(4) != 1 {
            // An update or notification counts otherwise; its opcode is what we do not know.
            return Err(match opcode {
                Opcode::QUERY => BAD("not exactly one question"),
                _ => Refusal::Reply(Rcode::NOTIMP, "unknown opcode"),
            });
        }
        let name_end =
            plain_name_end(bytes, HEADER_SIZE).ok_or(BAD("the name asked for is not readable"))?;
        let fixed = bytes
            .get(name_end..)
            .and_then(|rest| rest.first_chunk::<4>())
            .ok_or(BAD("the question is cut short"))?;
        let records = usize::from(count(6)) + usize::from(count(8));
        let edns = read_edns(bytes, name_end + 4, records, count(10)).map_err(BAD)?;
        Ok(Self {
            id: count(0),
            opcode,
            recursion_desired: header[2] & 1 != 0,
            question: &bytes[HEADER_SIZE..name_end + 4],
            name: &bytes[HEADER_SIZE..name_end],
            qtype: Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]])),
            qclass: Class::from_int(u16::from_be_bytes([fixed[2], fixed[3]])),
            edns,
        })
    }

    /// The name asked for, owned.
    pub fn owned_name(&self) -> Option<Name> {
        Name::from_octets(self.name.to_vec()).ok()
    }
}

/// Where the uncompressed name that begins at `start` ends; at most 255 bytes (RFC 1035 section
/// 3.1).
fn plain_name_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match *bytes.get(at)? {
            0 if at - start < 255 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

/// Where a possibly compressed name ends; pointers are not followed.
fn any_name_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0..=0xff => return Some(at + 2),
            _ => return None,
        }
    }
}

/// Skips `others` records and looks through `additional` more for the one OPT record.
fn read_edns(
    bytes: &[u8],
    mut at: usize,
    others: usize,
    additional: u16,
) -> Result<Option<Edns>, &'static str> {
    const CUT: &str = "a record is cut short";
    let mut found = None;
    for index in 0..others + usize::from(additional) {
        let owner_at = at;
        at = any_name_end(bytes, at).ok_or(CUT)?;
        let fixed = bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<10>())
            .ok_or(CUT)?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let data = bytes.get(at + 10..at + 10 + length).ok_or(CUT)?;
        at += 10 + length;
        if index < others || fixed[..2] != [0, 41] {
            continue;
        }
        if found.is_some() || bytes[owner_at] != 0 || !options_fit(data) {
            return Err("the OPT record is malformed or there are two");
        }
        found = Some(Edns {
            udp_size: u16::from_be_bytes([fixed[2], fixed[3]]).max(super::UDP_SIZE_PLAIN),
            version: fixed[5],
            dnssec_ok: fixed[6] & 0x80 != 0,
        });
    }
    Ok(found)
}

/// The options of an OPT record fill it exactly (RFC 6891 section 6.1.2).
fn options_fit(mut data: &[u8]) -> bool {
    while let Some((head, rest)) = data.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        match rest.get(length..) {
            Some(next) => data = next,
            None => return false,
        }
    }
    data.is_empty()
}

/// Builds a query of class IN. `recurse` sets RD, for a stub that asks a resolver; a resolver that
/// asks zone servers leaves it clear. With `edns`, 1232 bytes are offered.
pub fn query(id: u16, name: &Name, qtype: Rtype, recurse: bool, edns: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_SIZE + name.len() + 4 + 11);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&[u8::from(recurse), 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
    bytes.extend_from_slice(name.as_slice());
    bytes.extend_from_slice(&qtype.to_int().to_be_bytes());
    bytes.extend_from_slice(&Class::IN.to_int().to_be_bytes());
    if edns {
        bytes.extend_from_slice(&[0, 0, 41]);
        bytes.extend_from_slice(&UDP_SIZE_MAX.to_be_bytes());
        bytes.extend_from_slice(&[0; 6]);
    }
    bytes
}
