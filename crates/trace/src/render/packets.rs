//! Packets as they could have been: IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293), UDP (RFC 768)
//! with right lengths, sequence numbers and checksums, around bytes of the trace.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

const TCP: u8 = 6;
const UDP: u8 = 17;
const TTL: u8 = 64;

/// Content of one TCP segment at most, in bytes: what an Ethernet frame of 1,500 holds.
pub(crate) const SEGMENT_MAX_BYTES: usize = 1_460;
/// Content of one datagram at most, in bytes.
const DATAGRAM_MAX_BYTES: usize = 65_507;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// From whom to whom.
pub(crate) type Way = (SocketAddr, SocketAddr);

/// A datagram; what exceeds the largest one is cut off.
pub(crate) fn udp(way: Way, content: &[u8]) -> Vec<u8> {
    let content = &content[..content.len().min(DATAGRAM_MAX_BYTES)];
    let length = (8 + content.len()) as u16;
    let mut datagram = Vec::with_capacity(usize::from(length));
    for field in [way.0.port(), way.1.port(), length, 0] {
        datagram.extend_from_slice(&field.to_be_bytes());
    }
    datagram.extend_from_slice(content);
    let sum = match checksum(way, UDP, &datagram) {
        0 => 0xffff, // 0 would mean "none"
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(way, UDP, &datagram)
}

/// A TCP segment; one with SYN carries the maximum segment size.
pub(crate) fn tcp(way: Way, seq: u32, ack: u32, flags: u8, content: &[u8]) -> Vec<u8> {
    let mss: &[u8] = if flags & SYN == 0 {
        &[]
    } else {
        &[2, 4, 5, 180]
    }; // 1460
    let header_words = (5 + mss.len() / 4) as u8;
    let mut segment = Vec::with_capacity(24 + content.len());
    segment.extend_from_slice(&way.0.port().to_be_bytes());
    segment.extend_from_slice(&way.1.port().to_be_bytes());
    segment.extend_from_slice(&seq.to_be_bytes());
    segment.extend_from_slice(&ack.to_be_bytes());
    segment.extend_from_slice(&[header_words << 4, flags]);
    segment.extend_from_slice(&u16::MAX.to_be_bytes()); // window
    segment.extend_from_slice(&[0, 0, 0, 0]); // checksum, urgent pointer
    segment.extend_from_slice(mss);
    segment.extend_from_slice(content);
    let sum = checksum(way, TCP, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(way, TCP, &segment)
}

fn ip(way: Way, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (way.0.ip(), way.1.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let length = (20 + payload.len()) as u16;
            let mut packet = Vec::with_capacity(usize::from(length));
            packet.extend_from_slice(&[0x45, 0]);
            packet.extend_from_slice(&length.to_be_bytes());
            packet.extend_from_slice(&[0, 0, 0x40, 0, TTL, protocol, 0, 0]); // don't fragment
            packet.extend_from_slice(&from.octets());
            packet.extend_from_slice(&to.octets());
            let sum = fold(sum16(&packet));
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend_from_slice(payload);
            packet
        }
        (from, to) => {
            let mut packet = Vec::with_capacity(40 + payload.len());
            packet.extend_from_slice(&[0x60, 0, 0, 0]);
            packet.extend_from_slice(&(payload.len() as u16).to_be_bytes());
            packet.extend_from_slice(&[protocol, TTL]);
            packet.extend_from_slice(&as_v6(from));
            packet.extend_from_slice(&as_v6(to));
            packet.extend_from_slice(payload);
            packet
        }
    }
}

fn as_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The checksum over pseudo-header and payload. Length and protocol add up to the same in IPv4's
/// (RFC 9293 section 3.1) and IPv6's pseudo-header (RFC 8200 section 8.1).
fn checksum(way: Way, protocol: u8, payload: &[u8]) -> u16 {
    let addresses = match (way.0.ip(), way.1.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => sum16(&from.octets()) + sum16(&to.octets()),
        (from, to) => sum16(&as_v6(from)) + sum16(&as_v6(to)),
    };
    fold(addresses + u64::from(protocol) + payload.len() as u64 + sum16(payload))
}

fn sum16(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    });
    words.sum()
}

/// The one's complement of the one's complement sum (RFC 1071).
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
