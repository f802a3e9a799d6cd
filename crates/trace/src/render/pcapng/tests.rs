//! The capture file read back by hand, and by tshark where it is installed.

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

/// A view in which the letter's text, as alice handed it in, is what `change` makes of it.
fn with_letter(change: impl Fn(&mut u64, &mut Vec<u8>)) -> crate::view::View {
    let mut view = crate::view::View::new();
    for (source, mut record) in fixture::letter() {
        if let crate::record::Body::Message {
            text, size, bytes, ..
        } = &mut record.body
            && text == ". 42 bytes"
        {
            change(size, bytes);
        }
        view.add(source, record);
    }
    view
}

#[test]
fn a_long_letter_goes_in_segments() {
    let view = with_letter(|size, bytes| {
        *bytes = b"a line of 20 octets.\r\n".repeat(1_000);
        *size = bytes.len() as u64;
    });
    let picture = view.picture();
    let file = pcapng(&picture.everything(), None);
    let longest = packets_of(&file).into_iter().map(<[u8]>::len).max();
    assert_eq!(longest, Some(20 + 20 + SEGMENT_MAX_BYTES));
    let Some(packets) = dissected(&file, &["tcp.analysis.lost_segment", "imf.from"]) else {
        return skipped("tshark", "not installed: no other eye on the pcapng export");
    };
    assert!(packets.iter().all(|packet| packet[0].is_empty()));
}

#[test]
fn a_body_that_was_not_kept_whole_is_no_loss_on_the_wire() {
    let view = with_letter(|size, bytes| {
        *bytes = b"Subject: long\r\n\r\n".to_vec();
        bytes.extend(b"a line of 20 octets.\r\n".repeat(2_979));
        bytes.truncate(65_536);
        *size = 40_000_000;
    });
    let picture = view.picture();
    let file = pcapng(&picture.everything(), None);
    check_numbers(&file);
    let said = String::from_utf8_lossy(&file);
    assert!(said.contains("not kept whole, 39934464 more bytes are left out; its end is put"));
    let fields = [
        "tcp.analysis.ack_lost_segment",
        "tcp.analysis.lost_segment",
        "_ws.expert.message",
        "smtp.req.command",
        "imf.subject",
    ];
    let Some(packets) = dissected(&file, &fields) else {
        return skipped("tshark", "not installed: no other eye on the pcapng export");
    };
    let no_loss = |packet: &&Vec<String>| {
        packet[0].is_empty() && packet[1].is_empty() && !packet[2].contains("unseen segment")
    };
    let lossy = packets.iter().find(|packet| !no_loss(packet));
    assert_eq!(lossy, None);
    let commands = packets.iter().filter(|packet| packet[3] == "QUIT").count();
    assert_eq!(commands, 2, "what follows the letter is read as commands");
    assert!(packets.iter().any(|packet| packet[4] == "long"));
}

#[test]
fn without_bytes_the_text_stands_in_and_says_so() {
    let view = with_letter(|_, bytes| bytes.clear());
    let picture = view.picture();
    let file = pcapng(&picture.everything(), None);
    assert!(String::from_utf8_lossy(&file).contains("the bytes were not kept"));
    assert!(
        packets_of(&file)
            .iter()
            .any(|packet| packet.ends_with(b". 42 bytes\r\n"))
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

#[test]
fn sequence_and_acknowledgement_numbers_fit() {
    let view = fixture::letter_tape().0.view();
    let picture = view.picture();
    let file = pcapng(&picture.everything(), None);
    assert!(check_numbers(&file) > 50);
}

/// Each segment continues its side's bytes and acknowledges just what the other sent; how many were
/// checked.
fn check_numbers(file: &[u8]) -> usize {
    let mut next: std::collections::HashMap<(Vec<u8>, Vec<u8>), u32> = Default::default();
    let mut checked = 0;
    for packet in packets_of(file).into_iter().filter(|packet| packet[9] == 6) {
        let number = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let from = [&packet[12..16], &packet[20..22]].concat();
        let to = [&packet[16..20], &packet[22..24]].concat();
        let (flags, header) = (packet[33], usize::from(packet[32] >> 4) * 4);
        if let Some(&expected) = next.get(&(from.clone(), to.clone())) {
            assert_eq!(number(24), expected, "{packet:?}");
            checked += 1;
        }
        if flags & ACK != 0 {
            assert_eq!(
                Some(&number(28)),
                next.get(&(to.clone(), from.clone())),
                "{packet:?}"
            );
        }
        let content = (packet.len() - 20 - header) as u32;
        let counted = content + u32::from(flags & (SYN | FIN) != 0);
        next.insert((from, to), number(24) + counted);
    }
    checked
}
