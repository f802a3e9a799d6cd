//! Addresses of servers as people write them: `127.0.0.2`, `127.0.0.2:20587`, `[::1]:25`,
//! `mail.nord.test`, `mail.nord.test:587`.

use std::net::{IpAddr, SocketAddr};

use guichet_trace::Cause;

use super::{World, name};
use crate::output::Message;

/// Where a server is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address.
    Address(SocketAddr),
    /// A name, to be asked for.
    Host {
        /// The name.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Place {
    /// Reads it; where no port stands it is `usual`.
    ///
    /// # Errors
    /// It is neither an address nor a name.
    pub fn read(text: &str, usual: u16) -> Result<Self, Message> {
        let wrong = || Message::new("clients-not-a-server").with("text", text.to_owned());
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self::Address(SocketAddr::new(ip, usual)));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (text, usual),
        };
        match guichet_services::names::parse_name(host) {
            Some(_) if !host.is_empty() => Ok(Self::Host {
                host: host.to_lowercase(),
                port,
            }),
            _ => Err(wrong()),
        }
    }

    /// Its address; the name service is asked for a name. With it the name (empty for an address)
    /// and the exchange in which the address came.
    ///
    /// # Errors
    /// The name has no address, or nobody could say.
    pub async fn find(self, world: &World) -> Result<(SocketAddr, String, Option<Cause>), Message> {
        match self {
            Self::Address(address) => Ok((address, String::new(), None)),
            Self::Host { host, port } => {
                let (ip, cause) = name::address(world, &host).await?;
                Ok((SocketAddr::new(ip, port), host, cause))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let address = |text: &str| Ok(Place::Address(text.parse().unwrap()));
        assert_eq!(Place::read("127.0.0.2", 53), address("127.0.0.2:53"));
        assert_eq!(Place::read("127.0.0.2:5", 53), address("127.0.0.2:5"));
        assert_eq!(Place::read("::1", 53), address("[::1]:53"));
        assert_eq!(Place::read("[::1]", 53), address("[::1]:53"));
        assert_eq!(Place::read("[::1]:5", 53), address("[::1]:5"));
        let host = |port| {
            let host = "mail.nord.test".to_owned();
            Ok(Place::Host { host, port })
        };
        assert_eq!(Place::read("mail.Nord.test", 587), host(587));
        assert_eq!(Place::read("mail.nord.test:25", 587), host(25));
        for wrong in ["", "a..b", "a:port", "a:70000", ":25"] {
            assert!(Place::read(wrong, 1).is_err(), "{wrong}");
        }
    }
}
