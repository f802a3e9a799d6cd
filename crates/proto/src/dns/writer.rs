//! Puts a message together: sections in order, names compressed, never beyond a size.

use alloc::vec::Vec;

use super::query::Edns;
use super::{Class, HEADER_SIZE, Opcode, Rcode, Rtype, UDP_SIZE_MAX};

/// How many label positions later names may point to. A bound, because searching them is what
/// makes careless compression quadratic (RUSTSEC-2026-0119): names beyond it are written in full.
const TARGETS_MAX: usize = 32;

/// Size of an OPT record without options, in bytes.
const OPT_SIZE: usize = 11;

/// The record does not fit; the message is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Where a record goes (RFC 1035 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who is responsible.
    Authority,
    /// What helps.
    Additional,
}

/// The first four bytes of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// As in the query.
    pub id: u16,
    /// As in the query.
    pub opcode: Opcode,
    /// AA: the server holds the zone.
    pub authoritative: bool,
    /// TC: more exists than is said here.
    pub truncated: bool,
    /// RD, as in the query.
    pub recursion_desired: bool,
    /// RA: the server resolves for others.
    pub recursion_available: bool,
    /// The verdict; its upper bits go into the OPT record.
    pub rcode: Rcode,
}

impl Header {
    /// For a query whose question cannot be read: what its first bytes say, and a verdict. `None`
    /// if even the header is not whole.
    pub fn refusing(query: &[u8], rcode: Rcode, recursion_available: bool) -> Option<Self> {
        let head = query.first_chunk::<HEADER_SIZE>()?;
        Some(Self {
            id: u16::from_be_bytes([head[0], head[1]]),
            opcode: Opcode::from_int(head[2] >> 3 & 0x0f),
            authoritative: false,
            truncated: false,
            recursion_desired: head[2] & 1 != 0,
            recursion_available,
            rcode,
        })
    }
}

/// A place to come back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    length: usize,
    targets: usize,
    counts: [u16; 4],
}

/// Writes one message behind whatever `out` already holds.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    base: usize,
    limit: usize,
    counts: [u16; 4],
    targets: [u16; TARGETS_MAX],
    targets_used: usize,
}

impl<'o> Writer<'o> {
    /// A message of at most `limit` bytes; `edns` keeps room for the OPT record that
    /// [`Writer::finish`] adds.
    pub fn new(out: &'o mut Vec<u8>, limit: usize, edns: bool) -> Self {
        let base = out.len();
        out.extend_from_slice(&[0; HEADER_SIZE]);
        Self {
            out,
            base,
            limit: limit.saturating_sub(if edns { OPT_SIZE } else { 0 }),
            counts: [0; 4],
            targets: [0; TARGETS_MAX],
            targets_used: 0,
        }
    }

    /// Repeats the question section of a query, byte for byte.
    pub fn question(&mut self, question: &[u8]) {
        let at = self.length();
        self.out.extend_from_slice(question);
        self.counts[0] = 1;
        self.remember(at, &question[..question.len().saturating_sub(4)]);
    }

    /// Length of the message so far, in bytes.
    pub fn length(&self) -> usize {
        self.out.len() - self.base
    }

    /// A place to [`Writer::rewind`] to.
    pub fn mark(&self) -> Mark {
        Mark {
            length: self.length(),
            targets: self.targets_used,
            counts: self.counts,
        }
    }

    /// Forgets everything written since `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.out.truncate(self.base + mark.length);
        self.targets_used = mark.targets;
        self.counts = mark.counts;
    }

    /// Adds one record of class IN. `owner` and the names in `data` are uncompressed wire names.
    /// Sections must be written in their order.
    pub fn record(
        &mut self,
        section: Section,
        owner: &[u8],
        rtype: Rtype,
        ttl_seconds: u32,
        data: &[u8],
    ) -> Result<(), Full> {
        let mark = self.mark();
        self.name(owner);
        self.out.extend_from_slice(&rtype.to_int().to_be_bytes());
        self.out
            .extend_from_slice(&Class::IN.to_int().to_be_bytes());
        self.out.extend_from_slice(&ttl_seconds.to_be_bytes());
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        self.data(rtype, data);
        let length = self.out.len() - length_at - 2;
        let count = &mut self.counts[section as usize + 1];
        match u16::try_from(length) {
            Ok(length) if self.out.len() - self.base <= self.limit && *count < u16::MAX => {
                self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
                *count += 1;
                Ok(())
            }
            _ => {
                self.rewind(mark);
                Err(Full)
            }
        }
    }

    /// Writes the header and, when the query had one, the OPT record (RFC 6891 section 6.1.1). An
    /// extended error (RFC 8914) is left out when it does not fit.
    pub fn finish(mut self, header: &Header, edns: Option<Edns>, extended_error: Option<u16>) {
        let (rcode, rcode_upper) = header.rcode.to_parts();
        if let Some(edns) = edns {
            self.opt(edns, rcode_upper, extended_error);
        }
        let flags = [
            0x80 | header.opcode.to_int() << 3
                | u8::from(header.authoritative) << 2
                | u8::from(header.truncated) << 1
                | u8::from(header.recursion_desired),
            u8::from(header.recursion_available) << 7 | rcode.to_int(),
        ];
        let head = &mut self.out[self.base..self.base + HEADER_SIZE];
        head[..2].copy_from_slice(&header.id.to_be_bytes());
        head[2..4].copy_from_slice(&flags);
        for (field, count) in head[4..].chunks_exact_mut(2).zip(self.counts) {
            field.copy_from_slice(&count.to_be_bytes());
        }
    }

    fn opt(&mut self, edns: Edns, rcode_upper: u8, extended_error: Option<u16>) {
        self.out.extend_from_slice(&[0, 0, 41]);
        self.out.extend_from_slice(&UDP_SIZE_MAX.to_be_bytes());
        self.out
            .extend_from_slice(&[rcode_upper, 0, u8::from(edns.dnssec_ok) << 7, 0]);
        match extended_error.filter(|_| self.length() + 8 <= self.limit + OPT_SIZE) {
            Some(code) => {
                self.out.extend_from_slice(&[0, 6, 0, 15, 0, 2]);
                self.out.extend_from_slice(&code.to_be_bytes());
            }
            None => self.out.extend_from_slice(&[0, 0]),
        }
        self.counts[3] += 1;
    }

    /// Writes a name, the longest known tail of it as a pointer.
    fn name(&mut self, name: &[u8]) {
        let start = self.length();
        let mut at = 0;
        while name.get(at).is_some_and(|&length| length != 0) {
            if let Some(target) = self.find(&name[at..]) {
                self.out.extend_from_slice(&name[..at]);
                self.out.extend_from_slice(&(0xc000 | target).to_be_bytes());
                self.remember(start, &name[..at]);
                return;
            }
            at += 1 + usize::from(name[at]);
        }
        self.out.extend_from_slice(name);
        self.remember(start, name);
    }

    /// Notes where the labels of a name just written stand. `labels` ends with a root label or
    /// where a pointer follows.
    fn remember(&mut self, start: usize, labels: &[u8]) {
        let mut at = 0;
        while labels.get(at).is_some_and(|&length| length != 0) {
            match u16::try_from(start + at) {
                Ok(target) if target < 0x4000 && self.targets_used < TARGETS_MAX => {
                    self.targets[self.targets_used] = target;
                    self.targets_used += 1;
                }
                _ => return,
            }
            at += 1 + usize::from(labels[at]);
        }
    }

    /// Where the message already has exactly this name.
    fn find(&self, name: &[u8]) -> Option<u16> {
        let message = &self.out[self.base..];
        self.targets[..self.targets_used]
            .iter()
            .copied()
            .find(|&target| same_name(message, usize::from(target), name))
    }

    /// Writes record data; names in the types of RFC 1035 are compressed, others must not be
    /// (RFC 3597 section 4).
    fn data(&mut self, rtype: Rtype, data: &[u8]) {
        let (fixed, names) = match rtype {
            Rtype::NS | Rtype::CNAME | Rtype::PTR => (0, 1),
            Rtype::MX => (2, 1),
            Rtype::SOA => (0, 2),
            _ => (data.len(), 0),
        };
        let (head, mut rest) = data.split_at(fixed.min(data.len()));
        self.out.extend_from_slice(head);
        for _ in 0..names {
            let (name, behind) = rest.split_at(name_length(rest));
            self.name(name);
            rest = behind;
        }
        self.out.extend_from_slice(rest);
    }
}

/// Length of the uncompressed name at the start of `data`, or all of it if none ends there.
fn name_length(data: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&length) = data.get(at) {
        at += 1 + usize::from(length);
        if length == 0 {
            break;
        }
    }
    at.min(data.len())
}

/// Whether the name at `at` in a message of our own making equals `name`, without regard to case.
fn same_name(message: &[u8], mut at: usize, name: &[u8]) -> bool {
    let mut wanted = 0;
    loop {
        let (Some(&length), Some(&wanted_length)) = (message.get(at), name.get(wanted)) else {
            return false;
        };
        if length >= 0xc0 {
            let Some(&low) = message.get(at + 1) else {
                return false;
            };
            at = usize::from(length & 0x3f) << 8 | usize::from(low);
            continue;
        }
        let end = 1 + usize::from(length);
        match (message.get(at..at + end), name.get(wanted..wanted + end)) {
            (Some(label), Some(other)) if length == wanted_length => {
                if !label.eq_ignore_ascii_case(other) {
                    return false;
                }
            }
            _ => return false,
        }
        if length == 0 {
            return true;
        }
        at += end;
        wanted += end;
    }
}
