//! Which server a person's mail program speaks to: the one named, else the one the domain names in
//! the name service (RFC 6186, RFC 8314 section 5.1), else `mail.DOMAIN`.

use std::net::IpAddr;

use guichet_proto::dns::{Rtype, first_name};
use guichet_trace::Cause;

use super::place::Place;
use super::{Security, Server, World, name};
use crate::config::Service;
use crate::output::Message;

/// What the server is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// The service whose port is used where none is named.
    pub usual: Service,
    /// The same with TLS from the start.
    pub implicit: Service,
    /// Under which names a domain says where it is, the one with TLS from the start first.
    names: [&'static str; 2],
}

/// Takes letters from the people of its domain.
pub const SUBMISSION: Role = Role {
    usual: Service::Submission,
    implicit: Service::Submissions,
    names: ["_submissions._tcp", "_submission._tcp"],
};

/// Holds their mail.
pub const MAILDROP: Role = Role {
    usual: Service::Pop3,
    implicit: Service::Pop3s,
    names: ["_pop3s._tcp", "_pop3._tcp"],
};

/// The server for somebody at `domain`; `named` is what the person said.
///
/// # Errors
/// There is none, or what would be said to it could be overheard.
pub async fn find(
    world: &World,
    role: Role,
    domain: &str,
    named: Option<&str>,
) -> Result<Server, Message> {
    let (place, mut causes) = match named {
        Some(named) => (Place::read(named, role.usual.port())?, Vec::new()),
        // The lab's organisations keep theirs where beginners look for it.
        None if world.organisation(domain).is_some() => (by_custom(role, domain), Vec::new()),
        None => match by_srv(world, role, domain).await? {
            Some((place, cause)) => (place, vec![cause]),
            None => (by_custom(role, domain), Vec::new()),
        },
    };
    let (address, host, cause) = place.find(world).await?;
    causes.extend(cause);
    let security = match world.usual_port(address) {
        port if port == role.implicit.port() => Security::Implicit,
        _ if world.authority.is_some() && !stays_here(address.ip()) => Security::Upgrade,
        _ if world.authority.is_some() => Security::IfOffered,
        _ if stays_here(address.ip()) => Security::Clear,
        _ => Security::Upgrade,
    };
    if security != Security::Clear && world.authority.is_none() {
        let shown = match host.is_empty() {
            true => address.to_string(),
            false => host,
        };
        return Err(Message::new(super::NO_AUTHORITY).with("host", shown));
    }
    Ok(Server {
        address,
        host,
        security,
        causes,
    })
}

/// What is sent to this computer itself, nobody else on the way can read.
fn stays_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn by_custom(role: Role, domain: &str) -> Place {
    Place::Host {
        host: format!("mail.{domain}").to_lowercase(),
        port: role.usual.port(),
    }
}

/// Where the domain itself says that it is.
async fn by_srv(
    world: &World,
    role: Role,
    domain: &str,
) -> Result<Option<(Place, Cause)>, Message> {
    for label in role.names {
        let found = name::ask(world, &format!("{label}.{domain}"), Rtype::SRV).await?;
        let records = found.records.iter().filter(|it| it.rtype == Rtype::SRV);
        let best = records
            .filter_map(|record| service_record(&record.data))
            .min_by_key(|(priority, ..)| *priority);
        if let Some((_, port, host)) = best {
            return Ok(Some((Place::Host { host, port }, found.cause)));
        }
    }
    Ok(None)
}

/// Priority, port and host of a SRV record (RFC 2782); `None` where the host is the root, which
/// says that there is no such service.
fn service_record(data: &[u8]) -> Option<(u16, u16, String)> {
    let field = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let host = first_name(Rtype::SRV, data)?.to_string();
    let host = host.trim_end_matches('.').to_lowercase();
    (!host.is_empty()).then_some((field(0)?, field(4)?, host))
}
