//! Our answers, read by somebody else's client: `dig`, over datagrams and streams.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use guichet_services::names::{Answered, Carrier, Names, Zone, Zones, answer, parse_name};

const SUD: &str = "$ORIGIN sud.test.\n$TTL 5m\n@ SOA ns1 postmaster 7 1h 15m 2w 60\n@ NS ns1\n\
                   ns1 A 127.0.0.3\n@ MX 10 mail\nmail A 127.0.0.3\nwww A 127.0.0.3\n\
                   alias CNAME www\n*.wild TXT \"any \\\"name\\\"\"\nnord NS ns.nord\n\
                   ns.nord A 127.0.0.2\n_pop3s._tcp SRV 0 1 995 mail\n";

/// Serves the zone on a port of the system's choice for as long as the test runs.
fn serve() -> SocketAddr {
    let mut text = SUD.to_owned();
    for number in 0..50 {
        text += &format!("big TXT \"{number:03}{}\"\n", "x".repeat(60));
    }
    let zone = Zone::parse(&parse_name("sud.test").unwrap(), &text).expect("a good zone");
    let names = Arc::new(Names::new(Zones::new([zone])));
    // Both sockets need the same number; a port just chosen may be taken for the other kind.
    let (udp, tcp) = (0..50)
        .find_map(|_| {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let tcp = TcpListener::bind(udp.local_addr().ok()?).ok()?;
            Some((udp, tcp))
        })
        .expect("a port free for both");
    let address = udp.local_addr().unwrap();
    let names_of_streams = names.clone();
    thread::spawn(move || {
        let mut query = [0; 65_535];
        while let Ok((length, peer)) = udp.recv_from(&mut query) {
            let mut out = Vec::new();
            if let Answered::Sent { .. } =
                answer(&names.zones(), &query[..length], Carrier::Udp, &mut out)
            {
                udp.send_to(&out, peer).unwrap();
            }
        }
    });
    thread::spawn(move || {
        for stream in tcp.incoming() {
            let _ = converse(stream.unwrap(), &names_of_streams); // the client may leave any time
        }
    });
    address
}

fn converse(mut stream: TcpStream, names: &Names) -> std::io::Result<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query)?;
        let mut out = vec![0, 0];
        answer(&names.zones(), &query, Carrier::Tcp, &mut out);
        let length = u16::try_from(out.len() - 2).unwrap();
        out[..2].copy_from_slice(&length.to_be_bytes());
        stream.write_all(&out)?;
    }
}

fn dig(server: SocketAddr, arguments: &str) -> String {
    let output = Command::new("dig")
        .args([
            format!("@{}", server.ip()),
            "-p".to_owned(),
            server.port().to_string(),
        ])
        .args(["+tries=1", "+time=5"])
        .args(arguments.split(' '))
        .output()
        .expect("dig runs");
    String::from_utf8(output.stdout)
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn dig_is_there() -> bool {
    match Command::new("dig").arg("-v").output() {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: names with dig: dig is not installed");
            if let Some(ledger) = std::env::var_os("GUICHET_SKIPS") {
                let ledger = std::fs::OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(ledger);
                writeln!(ledger.unwrap(), "names with dig: dig is not installed").unwrap();
            }
            false
        }
        Err(error) => panic!("dig: {error}"),
    }
}

#[test]
fn dig_reads_what_we_say() {
    if !dig_is_there() {
        return;
    }
    let server = serve();
    let cases: &[(&str, &[&str])] = &[
        (
            "www.sud.test",
            &[
                "status: NOERROR",
                "flags: qr aa rd;",
                "udp: 1232",
                "IN A 127.0.0.3",
            ],
        ),
        ("wWw.SUD.test", &["wWw.SUD.test. 300 IN A 127.0.0.3"]),
        (
            "+tcp www.sud.test",
            &["status: NOERROR", "IN A 127.0.0.3", "(TCP)"],
        ),
        (
            "+noedns www.sud.test",
            &["ADDITIONAL: 0", "IN A 127.0.0.3", "(UDP)"],
        ),
        (
            "sud.test MX",
            &["10 mail.sud.test.", "mail.sud.test. 300 IN A 127.0.0.3"],
        ),
        (
            "alias.sud.test",
            &["ANSWER: 2", "CNAME www.sud.test.", "www.sud.test. 300 IN A"],
        ),
        (
            "x.y.wild.sud.test TXT",
            &["x.y.wild.sud.test. 300 IN TXT \"any \\\"name\\\"\""],
        ),
        ("_pop3s._tcp.sud.test SRV", &["0 1 995 mail.sud.test."]),
        (
            "nix.sud.test",
            &[
                "status: NXDOMAIN",
                "flags: qr aa rd;",
                "7 3600 900 1209600 60",
            ],
        ),
        (
            "www.sud.test AAAA",
            &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"],
        ),
        (
            "www.nord.sud.test",
            &["flags: qr rd;", "NS ns.nord.sud.test.", "A 127.0.0.2"],
        ),
        (
            "www.example",
            &["status: REFUSED", "EDE: 20 (Not Authoritative)"],
        ),
        ("version.bind CH TXT", &["status: REFUSED"]),
        ("+edns=1 +noednsneg www.sud.test", &["status: BADVERS"]),
        ("+opcode=5 www.sud.test", &["status: NOTIMP"]),
        ("sud.test ANY", &["ANSWER: 1"]),
        (
            "+ignore big.sud.test TXT",
            &["flags: qr aa tc rd;", "ANSWER: 0"],
        ),
        // Truncated, so dig comes again over TCP by itself.
        (
            "big.sud.test TXT",
            &["Truncated, retrying in TCP mode", "ANSWER: 50", "(TCP)"],
        ),
        (
            "+bufsize=512 +ignore big.sud.test TXT",
            &["flags: qr aa tc rd;"],
        ),
    ];
    for (arguments, expected) in cases {
        let said = dig(server, arguments);
        for part in *expected {
            assert!(
                said.contains(part),
                "dig {arguments}: expected {part}, got {said}"
            );
        }
        assert!(
            !said.contains("malformed") && !said.contains("Warning"),
            "{said}"
        );
    }
}
