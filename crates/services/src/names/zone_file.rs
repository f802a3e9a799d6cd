//! The zone files that a new organisation, a top-level domain and a root begin with: commented,
//! for people to read and change. Nothing here is read back by any other way than
//! [`Zone::parse`](super::Zone::parse).

use std::fmt::{self, Write};
use std::net::IpAddr;

use guichet_proto::dns::Name;

/// How long others may keep our records, in seconds: short enough that a change is seen within
/// the lesson.
const TTL_SECONDS: u32 = 300;

/// A host and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its full name.
    pub name: Name,
    /// Its addresses, IPv4 or IPv6.
    pub addresses: Vec<IpAddr>,
}

/// A domain whose mail, pages and names one server runs.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// Its name.
    pub domain: Name,
    /// The SOA's serial number; it must grow with each change (RFC 1982).
    pub serial: u32,
    /// Addresses of the server that does everything.
    pub addresses: Vec<IpAddr>,
    /// Whether any name below `www` leads to the web server, too. Not any name of the domain: a
    /// slip of the pen should be told that there is no such name, and mail for it refused.
    pub wildcard: bool,
}

/// A zone given into other hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The zone's name.
    pub zone: Name,
    /// Its name servers, with the addresses that become glue.
    pub servers: Vec<Host>,
}

/// The zone of an organisation: name server, web, mail with its policies (SPF, DMARC) and the
/// records by which mail programs find their servers (RFC 6186, RFC 8314).
pub fn organisation(organisation: &Organisation) -> String {
    let domain = Dotted(&organisation.domain);
    let mut text = String::new();
    let addresses = |text: &mut String, name: &str| {
        for address in &organisation.addresses {
            line(text, name, address_type(*address), address);
        }
    };
    comment(
        &mut text,
        &format!(
            "The names of {}. Lines beginning with ; are",
            organisation.domain
        ),
    );
    comment(
        &mut text,
        "comments. After a change raise the serial number and reload.",
    );
    head(&mut text, &domain, "ns1", "postmaster", organisation.serial);
    comment(&mut text, "Who answers for this zone, and where.");
    line(&mut text, "@", "NS", "ns1");
    addresses(&mut text, "ns1");
    comment(&mut text, "The web site, with and without www.");
    addresses(&mut text, "@");
    addresses(&mut text, "www");
    if organisation.wildcard {
        comment(
            &mut text,
            "Any name below www leads to the web server, too (a wildcard).",
        );
        addresses(&mut text, "*.www");
    }
    comment(
        &mut text,
        "Mail for the domain goes to this host (the smaller number first).",
    );
    line(&mut text, "@", "MX", "10 mail");
    addresses(&mut text, "mail");
    comment(
        &mut text,
        "Only that host sends mail for the domain (SPF, RFC 7208).",
    );
    line(&mut text, "@", "TXT", "\"v=spf1 mx -all\"");
    comment(
        &mut text,
        "What receivers should do with mail that fails the checks (DMARC).",
    );
    line(&mut text, "_dmarc", "TXT", "\"v=DMARC1; p=none\"");
    comment(
        &mut text,
        "Where mail programs hand over and collect: priority weight port host.",
    );
    line(&mut text, "_submissions._tcp", "SRV", "0 1 465 mail");
    line(&mut text, "_submission._tcp", "SRV", "0 1 587 mail");
    line(&mut text, "_pop3s._tcp", "SRV", "0 1 995 mail");
    text
}

/// A zone that only hands out others: the root, or a top-level domain. `servers` answer for it;
/// those inside the zone get their addresses here.
pub fn parent(zone: &Name, serial: u32, servers: &[Host], delegations: &[Delegation]) -> String {
    let mut text = String::new();
    comment(
        &mut text,
        &match zone.is_root() {
            true => "The root of all names. It knows only who answers for what is".to_owned(),
            false => format!("The domain {zone}. It knows only who answers for what is"),
        },
    );
    comment(
        &mut text,
        "directly below it; glue gives the addresses of those servers.",
    );
    let primary = servers
        .first()
        .map_or_else(Name::root, |server| server.name.clone());
    let contact = if zone.is_root() {
        "postmaster."
    } else {
        "postmaster"
    };
    head(
        &mut text,
        &Dotted(zone),
        &Dotted(&primary).to_string(),
        contact,
        serial,
    );
    for server in servers {
        line(&mut text, "@", "NS", Dotted(&server.name));
    }
    glue(&mut text, zone, servers);
    for delegation in delegations {
        comment(
            &mut text,
            &format!("{} is in other hands.", delegation.zone),
        );
        for server in &delegation.servers {
            line(
                &mut text,
                &Dotted(&delegation.zone).to_string(),
                "NS",
                Dotted(&server.name),
            );
        }
        glue(&mut text, zone, &delegation.servers);
    }
    text
}

fn glue(text: &mut String, zone: &Name, servers: &[Host]) {
    for server in servers.iter().filter(|server| server.name.ends_with(zone)) {
        for address in &server.addresses {
            line(
                text,
                &Dotted(&server.name).to_string(),
                address_type(*address),
                address,
            );
        }
    }
}

fn head(text: &mut String, zone: &Dotted<'_>, primary: &str, contact: &str, serial: u32) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "$ORIGIN {zone}\n$TTL {TTL_SECONDS} ; seconds others may keep a record\n"
    );
    line(text, "@", "SOA", format_args!("{primary} {contact} ("));
    for (number, meaning) in [
        (serial, "serial: raise it with each change"),
        (3600, "refresh, seconds: secondaries look for changes"),
        (900, "retry, seconds, when that failed"),
        (1_209_600, "expire, seconds: secondaries give up"),
    ] {
        let _ = writeln!(text, "{:38}{number:<10} ; {meaning}", "");
    }
    let _ = writeln!(
        text,
        "{:38}{:<10} ; minimum, seconds: how long \"no\" may be kept",
        "", "60 )"
    );
}

fn comment(text: &mut String, words: &str) {
    if words.starts_with(char::is_uppercase) && !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "; {words}");
}

fn line(text: &mut String, name: &str, rtype: &str, data: impl fmt::Display) {
    let _ = writeln!(text, "{name:<24} {rtype:<5} {data}");
}

fn address_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

/// A name as zone files want it, with the final dot.
struct Dotted<'n>(&'n Name);

impl fmt::Display for Dotted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_with_dot().fmt(f)
    }
}
