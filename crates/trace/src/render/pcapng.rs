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
    checksums were not captured: they are made up to fit. What followed STARTTLS or STLS is shown \
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
        format!("{comment}: {} more bytes were not kept", wire.missing)
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
        for content in wire.bytes.chunks(SEGMENT_MAX_BYTES) {
            self.segment(message.from, PSH | ACK, content, &comment);
            self.advance(message.from, content.len() as u64);
            comment.clear();
        }
        self.advance(message.from, wire.missing);
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
mod tests {
    use super::*;
    use crate::fixture;
    use crate::render::json;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn word(bytes: &[u8]) -> usize {
        u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
    }

    /// Kinds and bodies of all blocks; checks the lengths at both ends.
    fn blocks(file: &[u8]) -> Vec<(u32, &[u8])> {
        let mut rest = file;
        let mut blocks = Vec::new();
        while !rest.is_empty() {
            let length = word(&rest[4..]);
            assert_eq!((length % 4, word(&rest[length - 4..])), (0, length));
            blocks.push((word(rest) as u32, &rest[8..length - 4]));
            rest = &rest[length..];
        }
        blocks
    }

    fn packets_of(file: &[u8]) -> Vec<&[u8]> {
        let packets = blocks(file).into_iter().filter(|(kind, _)| *kind == PACKET);
        packets
            .map(|(_, body)| &body[20..20 + word(&body[12..])])
            .collect()
    }

    fn ones_sum(bytes: &[u8]) -> u16 {
        let mut sum: u32 = 0;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    #[test]
    fn blocks_are_well_formed_and_say_what_is_reconstructed() {
        let view = fixture::letter_tape().0.view();
        let picture = view.picture();
        let file = pcapng(&picture.everything(), None);
        let blocks = blocks(&file);
        assert_eq!((blocks[0].0, blocks[1].0), (SECTION, INTERFACE));
        assert!(String::from_utf8_lossy(blocks[0].1).contains("Reconstructed"));
        assert!(blocks[2..].iter().all(|(kind, _)| *kind == PACKET));
        let times: Vec<_> = blocks[2..]
            .iter()
            .map(|(_, body)| (word(&body[4..]), word(&body[8..])))
            .collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn every_checksum_is_right() {
        let view = fixture::letter_tape().0.view();
        let picture = view.picture();
        let file = pcapng(&picture.everything(), None);
        for packet in packets_of(&file) {
            assert_eq!(ones_sum(&packet[..20]), 0xffff, "IP header");
            let mut pseudo = packet[12..20].to_vec();
            pseudo.extend_from_slice(&[0, packet[9]]);
            pseudo.extend_from_slice(&((packet.len() - 20) as u16).to_be_bytes());
            pseudo.extend_from_slice(&packet[20..]);
            assert_eq!(ones_sum(&pseudo), 0xffff, "{packet:?}");
        }
    }

    #[test]
    fn ipv6_has_its_own_pseudo_header() {
        let way = (
            "[2001:db8::1]:40000".parse().unwrap(),
            "[2001:db8::2]:53".parse().unwrap(),
        );
        let packet = udp(way, b"odd");
        assert_eq!((packet[0], packet[6], packet.len()), (0x60, UDP_HEADER, 51));
        let mut pseudo = packet[8..40].to_vec();
        pseudo.extend_from_slice(&[0, 0, 0, 11, 0, 0, 0, UDP_HEADER]);
        pseudo.extend_from_slice(&packet[40..]);
        assert_eq!(ones_sum(&pseudo), 0xffff);
    }

    const UDP_HEADER: u8 = 17;

    #[test]
    fn what_follows_starttls_is_a_connection_of_its_own() {
        let view = fixture::letter_tape().0.view();
        let picture = view.picture();
        let file = pcapng(&picture.everything(), None);
        let is_tcp = |packet: &&&[u8]| packet[9] == 6;
        let packets = packets_of(&file);
        let opened = packets
            .iter()
            .filter(is_tcp)
            .filter(|packet| packet[33] == SYN);
        let opened: Vec<_> = opened
            .map(|packet| u16::from_be_bytes([packet[22], packet[23]]))
            .collect();
        assert_eq!(opened, [587, 587, 25, 25, 110]);
    }

    /// What tshark makes of the file: the fields of each packet.
    fn dissected(file: &[u8], fields: &[&str]) -> Option<Vec<Vec<String>>> {
        let mut command = Command::new("tshark");
        command.args(["-r", "-", "-T", "fields", "-o", "tcp.check_checksum:TRUE"]);
        command.args([
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "udp.check_checksum:TRUE",
        ]);
        fields.iter().for_each(|field| {
            command.args(["-e", field]);
        });
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        child.stdin.take().unwrap().write_all(file).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        Some(
            text.lines()
                .map(|line| line.split('\t').map(String::from).collect())
                .collect(),
        )
    }

    /// Tells the test runner what was not checked.
    fn skipped(name: &str, why: &str) {
        std::eprintln!("skipped: {name}: {why}");
        if let Some(ledger) = std::env::var_os("GUICHET_SKIPS") {
            let ledger = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(ledger);
            writeln!(ledger.unwrap(), "{name}: {why}").unwrap();
        }
    }

    #[test]
    fn wireshark_names_the_protocols_and_finds_no_fault() {
        let mut tape = fixture::letter_tape().0;
        let mut pages = fixture::pages();
        for (_, record) in &mut pages.records {
            record.exchange.0 += 1 << 50;
            record.wall.0 += 60_000_000;
        }
        tape.records.append(&mut pages.records);
        let view = tape.view();
        let picture = view.picture();
        let file = pcapng(&picture.everything(), None);
        let fields = [
            "frame.protocols",
            "_ws.expert.message",
            "smtp.req.command",
            "imf.subject",
        ];
        let Some(packets) = dissected(&file, &fields) else {
            return skipped("tshark", "not installed: no other eye on the pcapng export");
        };
        assert_eq!(packets.len(), packets_of(&file).len());
        for protocol in ["smtp", "pop", "dns", "http"] {
            let named = packets
                .iter()
                .filter(|packet| packet[0].contains(protocol))
                .count();
            assert!(named > 1, "{protocol}: {packets:?}");
        }
        let faults = [
            "hecksum",
            "Malformed",
            "previous segment",
            "etransmission",
            "out-of-order",
        ];
        for packet in &packets {
            assert!(
                !faults.iter().any(|fault| packet[1].contains(fault)),
                "{packet:?}"
            );
        }
        assert!(packets.iter().any(|packet| packet[2] == "MAIL"));
        assert!(
            packets.iter().any(|packet| packet[3] == "greetings"),
            "the letter is found"
        );
    }

    #[test]
    fn exports_without_an_id_show_each_hop_once() {
        let view = fixture::letter_tape().0.view();
        let picture = view.picture();
        let lines = json::lines(&picture.everything(), None);
        let mails = lines
            .lines()
            .filter(|line| line.contains(r#""verb":"MAIL""#))
            .count();
        assert_eq!(
            mails, 2,
            "submission and relay, not each end's account of them"
        );
    }
}
