//! DNS: messages between bytes and values, and how they read for people.
//!
//! Follows RFC 1034 and 1035 (messages, compression), RFC 2181 (clarifications), RFC 3597 (unknown
//! types), RFC 6891 (EDNS(0)), RFC 7766 (length-framed streams), RFC 8914 (extended errors) and
//! RFC 9619 (exactly one question).
//!
//! It decides nothing about names: what exists, who may ask and what is cached is
//! `guichet_services::names`. It knows no DNSSEC validation and no zone files.
//!
//! Reading somebody's *answer* is done with the `domain` crate ([`Message`]); a *query* on its way
//! into a name server is read without allocation ([`Query`]), and answers are put together by
//! [`Writer`], which compresses names in bounded work.

mod describe;
mod message;
mod query;
pub mod stream;
mod writer;

#[cfg(test)]
mod tests;

pub use describe::{Described, about, describe, visible};
pub use domain::base::Name as AnyName;
pub use domain::base::iana::{Class, Opcode, OptRcode as Rcode, Rtype};
pub use message::{
    Flags, Malformed, Message, Question, Record, data_text, first_name, is_well_formed,
};
pub use query::{Edns, Query, Refusal, query};
pub use writer::{Full, Header, Section, Writer};

use alloc::vec::Vec;

/// An absolute domain name in uncompressed wire form; compares and hashes without regard to case.
pub type Name = AnyName<Vec<u8>>;

/// What this program offers and accepts over UDP: small enough never to be fragmented
/// (DNS flag day 2020), in bytes.
pub const UDP_SIZE_MAX: u16 = 1232;

/// What a client without EDNS takes over UDP (RFC 1035 section 4.2.1), in bytes.
pub const UDP_SIZE_PLAIN: u16 = 512;

/// The largest message there can be: the length field of a stream has 16 bits (RFC 1035 section
/// 4.2.2).
pub const MESSAGE_SIZE_MAX: usize = 65_535;

/// The fixed header, in bytes (RFC 1035 section 4.1.1).
pub const HEADER_SIZE: usize = 12;
