//! A capture file for Wireshark (pcapng).
//!
//! What the messages said is as recorded, in clear; everything below is reconstructed, and the file
//! says so: the trace sees messages, not packets. Servers stand on the protocols' usual ports (those
//! for clear text), so that Wireshark names the protocols without settings. What followed STARTTLS
//! or STLS is a connection of its own, because clear text behind such a command would be taken for
//! TLS.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::exchange::{Ending, Exchange, Message};
use crate::journey::Journey;
use crate::record::{Role, Transport};
use crate::render::packets::{ACK, FIN, PSH, RST, SEGMENT_MAX_BYTES, SYN, Way, tcp, udp};
use crate::shown::{Selection, Shown};
use crate::steps::step;
use crate::wire::{Wire, wire};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const LINKTYPE_RAW: u16 = 101;
const OPTION_COMMENT: u16 = 1;
const OPTION_IF_NAME: u16 = 2;
const OPTION_USERAPPL: u16 = 4;
const OPTION_TSRESOL: u16 = 9;

const NOTICE: &str = "Reconstructed from Guichet's trace of messages. What the messages say is as \
    recorded (in clear, secrets masked). Addresses and client ports are real; servers stand on the \
    protocols' standard ports. TCP segments, sequence numbers, acknowledgements, IP headers and \
    checksums were not captured: they are made up to fit. Of long messages only the beginning is \
    kept: the packet's comment says how much is left out. What followed STARTTLS or STLS is shown \
    as a connection of its own.";

/// The capture file of a selection; `journey` adds its steps to the packets' comments.
pub fn pcapng(selection: &Selection<'_, '_>, journey: Option<&Journey<'_, '_>>) -> Vec<u8> {
    let steps = journey.map(steps_of);
    let mut packets = Vec::new();
    for (index, shown) in selection.exchanges.iter().enumerate() {
        let comments = |message: &Message<'_>| {
            let steps = steps.as_ref();
            let step =
                steps.and_then(|steps| steps.iter().find(|s| s.0 == (index, message.number)));
            comment(shown.exchange, message, step.map(|(_, step)| step.as_str()))
        };
        match shown.exchange.transport() {
            Transport::Udp => datagrams(&mut packets, shown, &comments),
            Transport::Tcp => connections(&mut packets, shown, &comments),
        }
    }
    packets.sort_by_key(|packet| packet.time_us); // stable: a connection's order stays
    file(&packets)
}

/// The port for clear text on which Wireshark expects the exchange's protocol; the real one where
/// there is none.
pub fn standard_port(exchange: &Exchange<'_>) -> u16 {
    let submits = exchange.server_service().starts_with("submission")
        || exchange.named().ends_with("port 587")
        || exchange.named().ends_with("port 465");
    match exchange.protocol() {
        "smtp" if submits => 587,
        "smtp" => 25,
        "pop3" => 110,
        "imap" => 143,
        "http" | "dav" | "documents" => 80,
        "dns" => 53,
        "ftp" => 21,
        "telnet" => 23,
        "echo" => 7,
        _ => exchange.server().port(),
    }
}

fn steps_of(journey: &Journey<'_, '_>) -> Vec<((usize, usize), String)> {
    let order = journey.selection.order.iter().enumerate();
    let steps = order.map(|(place, &(index, at))| {
        let shown = &journey.selection.exchanges[index];
        let message = &shown.messages[at];
        (
            (index, message.number),
            step(journey, shown, message.from, place),
        )
    });
    steps.collect()
}

fn comment(exchange: &Exchange<'_>, message: &Message<'_>, step: Option<&str>) -> String {
    let step = step.map_or_else(String::new, |step| format!("step {step}, "));
    format!("{step}{} message {}", exchange.id(), message.number)
}

struct Packet {
    time_us: u64,
    bytes: Vec<u8>,
    comment: String,
}

type Comments<'c> = &'c dyn Fn(&Message<'_>) -> String;

fn datagrams(packets: &mut Vec<Packet>, shown: &Shown<'_, '_>, comments: Comments<'_>) {
    let exchange = shown.exchange;
    let client = exchange.client();
    let server = SocketAddr::new(exchange.server().ip(), standard_port(exchange));
    for message in &shown.messages {
        let wire = wire(exchange, message);
        let bytes = udp(way(client, server, message.from), &wire.bytes);
        let comment = with_caveat(comments(message), &wire);
        packets.push(Packet {
            time_us: message.time_us,
            bytes,
            comment,
        });
    }
}

fn connections(packets: &mut Vec<Packet>, shown: &Shown<'_, '_>, comments: Comments<'_>) {
    let exchange = shown.exchange;
    let client = exchange.client();
    let server = SocketAddr::new(exchange.server().ip(), standard_port(exchange));
    let clear = shown
        .messages
        .iter()
        .take_while(|message| !message.secured)
        .count();
    let (clear, secured) = shown.messages.split_at(clear);
    let ends = Some((exchange.end_us, exchange.ending()));
    match (clear.is_empty(), secured.first()) {
        (false, Some(first)) => {
            let upgraded = Some((first.time_us, Ending::Done));
            connection(packets, shown, (client, server), clear, upgraded, comments);
            let other = SocketAddr::new(client.ip(), other_port(client.port()));
            connection(packets, shown, (other, server), secured, ends, comments);
        }
        (true, Some(_)) => connection(packets, shown, (client, server), secured, ends, comments),
        (_, None) => connection(packets, shown, (client, server), clear, ends, comments),
    }
}

/// A port that the same client hardly uses at the same time.
fn other_port(port: u16) -> u16 {
    if port ^ 0x4000 == 0 { 1 } else { port ^ 0x4000 }
}

fn way(client: SocketAddr, server: SocketAddr, from: Role) -> Way {
    match from {
        Role::Client => (client, server),
        Role::Server => (server, client),
    }
}

fn with_caveat(comment: String, wire: &Wire<'_>) -> String {
    if wire.is_text {
        format!("{comment}: the bytes were not kept, this is what the trace says of them")
    } else if wire.missing > 0 {
        let missing = wire.missing;
        let end = if wire.end.is_empty() {
            ""
        } else {
            "; its end is put right behind what was kept"
        };
        format!("{comment}: not kept whole, {missing} more bytes are left out{end}")
    } else {
        comment
    }
}

fn connection(
    packets: &mut Vec<Packet>,
    shown: &Shown<'_, '_>,
    ends: (SocketAddr, SocketAddr),
    messages: &[Message<'_>],
    end: Option<(u64, Ending<'_>)>,
    comments: Comments<'_>,
) {
    let is_first = messages
        .first()
        .is_none_or(|first| !first.secured || first.number == 1);
    let begin_us = match messages.first() {
        Some(first) if !is_first => first.time_us,
        _ => shown.exchange.start_us,
    };
    let mut stream = Stream {
        packets,
        ends,
        next: [CLIENT_ISN, SERVER_ISN],
        now_us: begin_us,
    };
    stream.open();
    for message in messages {
        let wire = wire(shown.exchange, message);
        let comment = with_caveat(comments(message), &wire);
        stream.say(message, &wire, comment);
    }
    if let Some((end_us, ending)) = end {
        stream.close(end_us, ending);
    }
}

const CLIENT_ISN: u32 = 1_000_000;
const SERVER_ISN: u32 = 2_000_000;

/// A TCP connection being reconstructed.
struct Stream<'p> {
    packets: &'p mut Vec<Packet>,
    ends: (SocketAddr, SocketAddr),
    /// The next sequence numbers: client's, server's.
    next: [u32; 2],
    now_us: u64,
}

impl Stream<'_> {
    fn open(&mut self) {
        self.segment(Role::Client, SYN, &[], "");
        self.next[0] = self.next[0].wrapping_add(1);
        self.segment(Role::Server, SYN | ACK, &[], "");
        self.next[1] = self.next[1].wrapping_add(1);
        self.segment(Role::Client, ACK, &[], "");
    }

    fn say(&mut self, message: &Message<'_>, wire: &Wire<'_>, comment: String) {
        self.now_us = self.now_us.max(message.time_us);
        let mut comment = comment;
        // What was not kept is left out of the count too: a gap would be read as packets lost.
        let end = if wire.missing > 0 { wire.end } else { b"" };
        let chunks = wire.bytes.chunks(SEGMENT_MAX_BYTES);
        for content in chunks.chain(end.chunks(SEGMENT_MAX_BYTES)) {
            self.segment(message.from, PSH | ACK, content, &comment);
            self.advance(message.from, content.len() as u64);
            comment.clear();
        }
        self.segment(message.from.other(), ACK, &[], "");
    }

    fn close(&mut self, end_us: u64, ending: Ending<'_>) {
        self.now_us = self.now_us.max(end_us);
        match ending {
            Ending::Open => {}
            Ending::Broken {
                reason: "reset", ..
            } => {
                self.segment(Role::Client, RST | ACK, &[], "");
            }
            Ending::Done | Ending::Broken { .. } => {
                self.segment(Role::Client, FIN | ACK, &[], "");
                self.advance(Role::Client, 1);
                self.segment(Role::Server, FIN | ACK, &[], "");
                self.advance(Role::Server, 1);
                self.segment(Role::Client, ACK, &[], "");
            }
        }
    }

    fn advance(&mut self, role: Role, bytes: u64) {
        let next = &mut self.next[side(role)];
        *next = next.wrapping_add(bytes as u32); // sequence numbers count modulo 2^32
    }

    fn segment(&mut self, from: Role, flags: u8, content: &[u8], comment: &str) {
        let seq = self.next[side(from)];
        let ack = if flags & ACK == 0 {
            0
        } else {
            self.next[side(from.other())]
        };
        let bytes = tcp(
            way(self.ends.0, self.ends.1, from),
            seq,
            ack,
            flags,
            content,
        );
        self.packets.push(Packet {
            time_us: self.now_us,
            bytes,
            comment: comment.to_string(),
        });
    }
}

fn side(role: Role) -> usize {
    match role {
        Role::Client => 0,
        Role::Server => 1,
    }
}

fn file(packets: &[Packet]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut section = Vec::new();
    section.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
    section.extend_from_slice(&[1, 0, 0, 0]); // version 1.0
    section.extend_from_slice(&u64::MAX.to_le_bytes()); // length not said
    option(&mut section, OPTION_COMMENT, NOTICE.as_bytes());
    option(&mut section, OPTION_USERAPPL, b"Guichet");
    end_of_options(&mut section);
    block(&mut out, SECTION, section);
    let mut interface = Vec::new();
    interface.extend_from_slice(&LINKTYPE_RAW.to_le_bytes());
    interface.extend_from_slice(&[0; 6]); // reserved; no limit of length
    option(&mut interface, OPTION_IF_NAME, b"reconstructed");
    option(&mut interface, OPTION_TSRESOL, &[6]); // microseconds
    end_of_options(&mut interface);
    block(&mut out, INTERFACE, interface);
    for packet in packets {
        block(&mut out, PACKET, packet_body(packet));
    }
    out
}

fn packet_body(packet: &Packet) -> Vec<u8> {
    let length = packet.bytes.len() as u32;
    let mut body = Vec::with_capacity(packet.bytes.len() + 64);
    for field in [
        0,
        (packet.time_us >> 32) as u32,
        packet.time_us as u32,
        length,
        length,
    ] {
        body.extend_from_slice(&field.to_le_bytes());
    }
    body.extend_from_slice(&packet.bytes);
    pad(&mut body);
    if !packet.comment.is_empty() {
        option(&mut body, OPTION_COMMENT, packet.comment.as_bytes());
        end_of_options(&mut body);
    }
    body
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend_from_slice(&[0; 4]);
}

fn block(out: &mut Vec<u8>, kind: u32, body: Vec<u8>) {
    let length = body.len() as u32 + 12;
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&body);
    out.extend_from_slice(&length.to_le_bytes());
}

fn pad(bytes: &mut Vec<u8>) {
    while !bytes.len().is_multiple_of(4) {
        bytes.push(0);
    }
}

#[cfg(test)]
mod tests;
