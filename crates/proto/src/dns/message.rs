//! A whole message as values: what a client reads out of an answer.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use domain::base::message::RecordSection;
use domain::base::name::{ParsedName, ToName};
use domain::base::rdata::{ComposeRecordData, ParseAnyRecordData};
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::dep::octseq::Parser;
use domain::rdata::AllRecordData;

use super::query::Edns;
use super::{Class, Name, Opcode, Rcode, Rtype};

/// One record of class IN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// Whom it is about.
    pub owner: Name,
    /// What kind of fact it is.
    pub rtype: Rtype,
    /// How long it may be kept, in seconds; at most 2^31-1 (RFC 2181 section 8).
    pub ttl_seconds: u32,
    /// The fact, in wire form with uncompressed names.
    pub data: Vec<u8>,
}

impl fmt::Display for Record {
    /// `www.sud.test 300 A 127.0.0.3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            owner,
            ttl_seconds,
            rtype,
            data,
        } = self;
        write!(
            f,
            "{owner} {ttl_seconds} {rtype} {}",
            data_text(*rtype, data)
        )
    }
}

/// Record data as a zone file would say it; unreadable data in the form of RFC 3597 section 5.
pub fn data_text(rtype: Rtype, data: &[u8]) -> String {
    let mut parser = Parser::from_ref(data);
    match AllRecordData::<_, ParsedName<_>>::parse_any_rdata(rtype, &mut parser) {
        Ok(parsed) if parser.remaining() == 0 => {
            parsed.display_zonefile(DisplayKind::Simple).to_string()
        }
        _ => {
            let mut text = format!("\\# {} ", data.len());
            for byte in data {
                text.extend(hex(*byte));
            }
            text
        }
    }
}

/// Whether record data is what its type says (RFC 1035 section 3.3 and the types' own RFCs); data
/// of unknown types always is.
pub fn is_well_formed(rtype: Rtype, data: &[u8]) -> bool {
    let mut parser = Parser::from_ref(data);
    AllRecordData::<_, ParsedName<_>>::parse_any_rdata(rtype, &mut parser).is_ok()
        && parser.remaining() == 0
}

fn hex(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('?'))
}

/// The first name in record data: the target of NS, CNAME, PTR, DNAME, MX and SRV, the primary
/// server of SOA. `None` for other types and unreadable data.
pub fn first_name(rtype: Rtype, data: &[u8]) -> Option<Name> {
    let skipped = match rtype {
        Rtype::NS | Rtype::CNAME | Rtype::PTR | Rtype::DNAME | Rtype::SOA => 0,
        Rtype::MX => 2,
        Rtype::SRV => 6,
        _ => return None,
    };
    let mut parser = Parser::from_ref(data.get(skipped..)?);
    ParsedName::parse_ref(&mut parser)
        .ok()
        .map(|name| name.to_name())
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type.
    pub qtype: Rtype,
    /// The class; everything here but CHAOS curiosities is IN.
    pub qclass: Class,
}

/// The header's bits (RFC 1035 section 4.1.1, RFC 4035 for AD and CD).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// QR: a response.
    pub response: bool,
    /// AA: from a server of the zone.
    pub authoritative: bool,
    /// TC: cut to fit.
    pub truncated: bool,
    /// RD: the client wants recursion.
    pub recursion_desired: bool,
    /// RA: the server offers it.
    pub recursion_available: bool,
    /// AD: the resolver found it authentic.
    pub authentic: bool,
    /// CD: the client checks itself.
    pub checking_disabled: bool,
}

/// A message, read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Pairs an answer with its query.
    pub id: u16,
    /// What kind of request.
    pub opcode: Opcode,
    /// The header's bits.
    pub flags: Flags,
    /// The verdict, with the upper bits of the OPT record.
    pub rcode: Rcode,
    /// The question, when there is exactly one.
    pub question: Option<Question>,
    /// The answer section: records of class IN; others are passed over.
    pub answer: Vec<Record>,
    /// The authority section.
    pub authority: Vec<Record>,
    /// The additional section without OPT.
    pub additional: Vec<Record>,
    /// The OPT record.
    pub edns: Option<Edns>,
}

/// The bytes are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a readable DNS message")
    }
}

impl core::error::Error for Malformed {}

type Sections<'a> = RecordSection<'a, [u8]>;

impl Message {
    /// Reads a message. Compression loops, cut records and data that is not what its type says
    /// make the whole of it malformed. Of a truncated answer the header and the question suffice;
    /// its records are not read, because they may be cut anywhere and nothing may rely on them.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let source = domain::base::Message::from_slice(bytes).map_err(|_| Malformed)?;
        let header = source.header();
        let mut message = Self {
            id: header.id(),
            opcode: header.opcode(),
            flags: Flags {
                response: header.qr(),
                authoritative: header.aa(),
                truncated: header.tc(),
                recursion_desired: header.rd(),
                recursion_available: header.ra(),
                authentic: header.ad(),
                checking_disabled: header.cd(),
            },
            rcode: header.rcode().into(),
            question: None,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            edns: None,
        };
        message.question = sole_question(source)?;
        if !header.tc() {
            message.read_records(source.answer().map_err(|_| Malformed)?)?;
        }
        Ok(message)
    }

    fn read_records(&mut self, answer: Sections<'_>) -> Result<(), Malformed> {
        let (section, authority) = self.read_section(answer)?;
        self.answer = section;
        let (section, additional) = self.read_section(authority.ok_or(Malformed)?)?;
        self.authority = section;
        let (section, _) = self.read_section(additional.ok_or(Malformed)?)?;
        self.additional = section;
        Ok(())
    }

    fn read_section<'a>(
        &mut self,
        mut section: Sections<'a>,
    ) -> Result<(Vec<Record>, Option<Sections<'a>>), Malformed> {
        let mut records = Vec::new();
        for parsed in section.by_ref() {
            let parsed = parsed.map_err(|_| Malformed)?;
            if parsed.rtype() == Rtype::OPT {
                let fields = parsed.ttl().as_secs();
                self.edns = Some(Edns {
                    udp_size: parsed.class().to_int().max(super::UDP_SIZE_PLAIN),
                    version: (fields >> 16) as u8,
                    dnssec_ok: fields & 0x8000 != 0,
                });
                self.rcode = Rcode::from_parts(self.rcode.rcode(), (fields >> 24) as u8);
                continue;
            }
            if parsed.class() != Class::IN {
                continue;
            }
            let record = parsed
                .to_any_record::<AllRecordData<_, ParsedName<_>>>()
                .map_err(|_| Malformed)?;
            let mut data = Vec::new();
            record
                .data()
                .compose_rdata(&mut data)
                .map_err(|_| Malformed)?;
            records.push(Record {
                owner: record.owner().to_name(),
                rtype: record.rtype(),
                ttl_seconds: ttl_seconds(record.ttl().as_secs()),
                data,
            });
        }
        let next = section.next_section().map_err(|_| Malformed)?;
        Ok((records, next))
    }
}

fn sole_question(source: &domain::base::Message<[u8]>) -> Result<Option<Question>, Malformed> {
    let mut questions = source.question();
    let first = questions.next().transpose().map_err(|_| Malformed)?;
    Ok(first
        .filter(|_| questions.next().is_none())
        .map(|question| Question {
            name: question.qname().to_name(),
            qtype: question.qtype(),
            qclass: question.qclass(),
        }))
}

/// A time to live with the top bit set counts as zero (RFC 2181 section 8).
fn ttl_seconds(field: u32) -> u32 {
    if field >> 31 == 0 { field } else { 0 }
}
