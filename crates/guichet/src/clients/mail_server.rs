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
    let found = match named {
        Some(named) => Found::by(Place::read(named, role.usual.port())?),
        // The lab's organisations keep theirs where beginners look for it.
        None if world.organisation(domain).is_some() => Found::by(by_custom(role, domain)),
        None => match by_srv(world, role, domain).await? {
            Some(found) => found,
            None => Found::by(by_custom(role, domain)),
        },
    };
    let mut causes = found.causes;
    let (address, host, cause) = found.place.find(world).await?;
    causes.extend(cause);
    let implicit = match found.implicit {
        Some(implicit) => implicit,
        None => world.usual_port(address) == role.implicit.port(),
    };
    let security = match world.authority {
        Some(_) if implicit => Security::Implicit,
        Some(_) if stays_here(address.ip()) => Security::IfOffered,
        Some(_) => Security::Upgrade,
        None if stays_here(address.ip()) && !implicit => Security::Clear,
        None => {
            let shown = match host.is_empty() {
                true => address.to_string(),
                false => host,
            };
            return Err(Message::new(super::NO_AUTHORITY).with("host", shown));
        }
    };
    Ok(Server {
        address,
        host,
        security,
        causes,
    })
}

/// Where a server is, and how that was found out.
#[derive(Debug)]
struct Found {
    place: Place,
    /// Whether TLS begins at once; `None`: the port tells.
    implicit: Option<bool>,
    causes: Vec<Cause>,
}

impl Found {
    fn by(place: Place) -> Self {
        Self {
            place,
            implicit: None,
            causes: Vec::new(),
        }
    }
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
async fn by_srv(world: &World, role: Role, domain: &str) -> Result<Option<Found>, Message> {
    for (label, implicit) in role.names.into_iter().zip([true, false]) {
        let found = name::ask(world, &format!("{label}.{domain}"), Rtype::SRV).await?;
        let records = found.records.iter().filter(|it| it.rtype == Rtype::SRV);
        let best = records
            .filter_map(|record| service_record(&record.data))
            .min_by_key(|(priority, ..)| *priority);
        let Some((_, port, host)) = best else {
            continue;
        };
        // Anybody on the way can forge the answer and hold a certificate for a name of his own: a
        // password goes to another domain only if the person says so (RFC 6186 section 6).
        if !lies_in(&host, domain) {
            let message = Message::new("clients-server-elsewhere").with("domain", domain);
            return Err(message.with("host", format!("{host}:{port}")));
        }
        return Ok(Some(Found {
            place: Place::Host { host, port },
            implicit: Some(implicit),
            causes: vec![found.cause],
        }));
    }
    Ok(None)
}

fn lies_in(host: &str, domain: &str) -> bool {
    let domain = domain.to_lowercase();
    host == domain || host.ends_with(&format!(".{domain}"))
}

/// Priority, port and host of a SRV record (RFC 2782); `None` where the host is the root, which
/// says that there is no such service.
fn service_record(data: &[u8]) -> Option<(u16, u16, String)> {
    let field = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let host = first_name(Rtype::SRV, data)?.to_string();
    let host = host.trim_end_matches('.').to_lowercase();
    (!host.is_empty()).then_some((field(0)?, field(4)?, host))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use guichet_services::names::{Carrier, Zone, Zones, answer, parse_name};
    use guichet_trace::Level;

    use super::*;
    use crate::recording::{Recording, Settings};

    /// A world whose name service knows one zone, `b.test`.
    fn world_with(records: &str) -> World {
        let text = format!(
            "@ 60 SOA ns.b.test. x.b.test. 1 60 60 60 60\n@ 60 NS ns.b.test.\n\
             ns 60 A 192.0.2.53\nmail 60 A 192.0.2.1\nother 60 A 192.0.2.2\n{records}"
        );
        let zone = Zone::parse(&parse_name("b.test").unwrap(), &text).unwrap();
        let zones = Zones::new([zone]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let resolver = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut query) {
                let mut reply = Vec::new();
                answer(&zones, &query[..length], Carrier::Udp, &mut reply);
                let _ = socket.send_to(&reply, peer);
            }
        });
        let settings = Settings {
            folder: None,
            bytes_most: 0,
            keep: Duration::ZERO,
            level: Level::Off,
        };
        let (recorder, _recording) = Recording::start(settings).unwrap();
        World::outside(resolver, Some("ca.pem".into()), recorder, "test")
    }

    async fn found(records: &str) -> Result<(String, Security), String> {
        let server = find(&world_with(records), SUBMISSION, "B.test", None).await;
        server
            .map(|server| {
                (
                    format!("{} {}", server.host, server.address),
                    server.security,
                )
            })
            .map_err(|message| message.key().to_owned())
    }

    #[tokio::test]
    async fn a_domain_says_where_its_people_hand_in() {
        let custom = ("mail.b.test 192.0.2.1:587".to_owned(), Security::Upgrade);
        assert_eq!(found("").await, Ok(custom.clone()));
        // The root as target: there is no such service.
        let none = "_submission._tcp 60 SRV 0 0 0 .\n";
        assert_eq!(found(none).await, Ok(custom));
        let upgraded = "_submission._tcp 60 SRV 0 1 1587 other\n";
        let expected = ("other.b.test 192.0.2.2:1587".to_owned(), Security::Upgrade);
        assert_eq!(found(upgraded).await, Ok(expected));
        let both = format!(
            "{upgraded}_submissions._tcp 60 SRV 10 1 465 other\n\
             _submissions._tcp 60 SRV 5 1 1465 mail\n"
        );
        let expected = ("mail.b.test 192.0.2.1:1465".to_owned(), Security::Implicit);
        assert_eq!(found(&both).await, Ok(expected));
    }

    #[tokio::test]
    async fn a_password_goes_to_another_domain_only_if_the_person_says_so() {
        for target in ["mail.evil.test.", "notb.test."] {
            let elsewhere = format!("_submissions._tcp 60 SRV 0 1 465 {target}\n");
            let refused = Err("clients-server-elsewhere".to_owned());
            assert_eq!(found(&elsewhere).await, refused, "{target}");
        }
    }

    #[tokio::test]
    async fn nothing_is_said_in_clear_over_a_network() {
        let mut world = world_with("");
        let security = async |world: &World, server: &str| {
            let found = find(world, MAILDROP, "b.test", Some(server)).await;
            found
                .map(|server| server.security)
                .map_err(|message| message.key().to_owned())
        };
        assert_eq!(security(&world, "127.0.0.1").await, Ok(Security::IfOffered));
        assert_eq!(
            security(&world, "192.0.2.1:995").await,
            Ok(Security::Implicit)
        );
        world.authority = None;
        assert_eq!(security(&world, "127.0.0.1").await, Ok(Security::Clear));
        for server in ["192.0.2.1", "127.0.0.1:995", "mail.b.test"] {
            let refused = Err(super::super::NO_AUTHORITY.to_owned());
            assert_eq!(security(&world, server).await, refused, "{server}");
        }
    }
}
