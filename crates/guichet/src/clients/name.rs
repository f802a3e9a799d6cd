//! Asking the name service.

use std::net::IpAddr;
use std::time::Duration;

use guichet_engine::Call;
use guichet_proto::dns::{Message as DnsMessage, Rcode, Record, Rtype, about, query, stream};
use guichet_services::names::parse_name;
use guichet_trace::Cause;

use super::World;
use crate::nothing::Nothing;
use crate::output::Message;

/// How long one try waits; a resolver may have to walk from the root.
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;

/// What the name service said.
#[derive(Debug)]
pub struct Found {
    /// NOERROR, NXDOMAIN …
    pub rcode: Rcode,
    /// The answer section.
    pub records: Vec<Record>,
    /// The exchange in which it came.
    pub cause: Cause,
}

impl Found {
    /// The addresses in the answer.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let address = |record: &Record| match (record.rtype, record.data.as_slice()) {
            (Rtype::A, data) => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            (Rtype::AAAA, data) => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => None,
        };
        self.records.iter().filter_map(address).collect()
    }
}

/// Asks the resolver for records of a name.
pub async fn ask(world: &World, name: &str, qtype: Rtype) -> Result<Found, Message> {
    let wrong = || Message::new("clients-not-a-name").with("name", name.to_owned());
    let wire = parse_name(name).ok_or_else(wrong)?;
    let mut call = world.call(world.resolver, "", Vec::new());
    call.target.address = world.resolver;
    let silent = || Message::new("clients-resolver-silent").with_shown("address", world.resolver);
    for _ in 0..TRIES {
        let id = getrandom::u32().map_err(|_| silent())? as u16;
        let bytes = query(id, &wire, qtype, true, true);
        let fits = |_, reply: &[u8]| reply.get(..2) == Some(&id.to_be_bytes()[..]);
        let shown = |_, bytes: &[u8]| about(bytes);
        let asked = world
            .dial
            .datagram("dns", &call, &bytes, PATIENCE, shown, fits);
        let (exchange, reply) = asked.await;
        match reply {
            Ok(reply) => {
                let message = DnsMessage::read(&reply).map_err(|_| silent())?;
                let cause = Cause { exchange, part: 1 };
                if message.flags.truncated {
                    return ask_by_connection(world, call, bytes, cause).await;
                }
                return Ok(found(message, cause));
            }
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
            Err(_) => return Err(silent()),
        }
    }
    Err(silent())
}

fn found(message: DnsMessage, cause: Cause) -> Found {
    Found {
        rcode: message.rcode,
        records: message.answer,
        cause,
    }
}

/// What did not fit a datagram comes over a connection (RFC 7766 section 5).
async fn ask_by_connection(
    world: &World,
    mut call: Call,
    query: Vec<u8>,
    because: Cause,
) -> Result<Found, Message> {
    let silent = || Message::new("clients-resolver-silent").with_shown("address", world.resolver);
    call.causes.push(because);
    let called = world
        .dial
        .run("dns", call, |_| (stream::Client::new(query), Nothing));
    let finished = tokio::time::timeout(PATIENCE, called)
        .await
        .map_err(|_| silent())?
        .map_err(|error| super::unreachable(&world.resolver.to_string(), &error))?;
    let exchange = finished.exchange;
    let reply = finished.session.into_reply().ok_or_else(silent)?;
    let message = DnsMessage::read(&reply).map_err(|_| silent())?;
    Ok(found(message, Cause { exchange, part: 1 }))
}

/// The address of a host, IPv4 first; a literal address needs no asking.
pub async fn address(world: &World, host: &str) -> Result<(IpAddr, Option<Cause>), Message> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = plain.parse() {
        return Ok((ip, None));
    }
    let v4 = ask(world, host, Rtype::A).await?;
    if let Some(ip) = v4.addresses().into_iter().find(IpAddr::is_ipv4) {
        return Ok((ip, Some(v4.cause)));
    }
    let v6 = ask(world, host, Rtype::AAAA).await?;
    match v6.addresses().into_iter().find(IpAddr::is_ipv6) {
        Some(ip) => Ok((ip, Some(v6.cause))),
        None => Err(Message::new("clients-no-address")
            .with("name", host.to_owned())
            .with("rcode", v4.rcode.to_string())),
    }
}
