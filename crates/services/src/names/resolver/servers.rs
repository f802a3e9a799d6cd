//! The servers of one zone, as one walk knows them: where they are, and how they have behaved.

use std::net::{IpAddr, SocketAddr};

use guichet_proto::dns::{Name, Rtype};
use guichet_trace::Transport;

use super::cache::Delegation;
use super::{Question, RootHint};

/// Where zone servers listen (RFC 1035 section 4.2).
const PORT: u16 = 53;

/// Under which types a server's address is looked for, in this order.
const SOUGHT: [Rtype; 2] = [Rtype::A, Rtype::AAAA];

/// Who is being asked.
#[derive(Debug)]
pub(super) struct Servers {
    pub zone: Name,
    pub list: Vec<Server>,
    /// How many servers without glue were looked for.
    glueless: u32,
}

#[derive(Debug)]
pub(super) struct Server {
    pub name: Name,
    pub addresses: Vec<Address>,
    /// How many of [`SOUGHT`] its address was looked for under.
    sought: usize,
}

#[derive(Debug)]
pub(super) struct Address {
    pub socket: SocketAddr,
    pub tries: u32,
    pub edns: bool,
    pub transport: Transport,
}

impl Servers {
    pub fn of_root(hints: &[RootHint]) -> Self {
        let list = hints.iter().map(|hint| Server {
            name: hint.name.clone(),
            addresses: hint.addresses.iter().copied().map(Address::new).collect(),
            sought: SOUGHT.len(),
        });
        Self {
            zone: Name::root(),
            list: list.collect(),
            glueless: 0,
        }
    }

    pub fn of(delegation: &Delegation) -> Self {
        let list = delegation.servers.iter().map(|(name, glue)| Server {
            name: name.clone(),
            addresses: glue.iter().copied().map(Address::at).collect(),
            sought: 0,
        });
        Self {
            zone: delegation.zone.clone(),
            list: list.collect(),
            glueless: 0,
        }
    }

    /// Which address of which server to ask: one tried least, by lot among several. `None`: all
    /// have been tried often enough, or none is known.
    pub fn pick(&self, lot: u64, tries_max: u32) -> Option<(usize, usize)> {
        let all = || {
            self.list.iter().enumerate().flat_map(|(at, server)| {
                let addresses = server.addresses.iter().enumerate();
                addresses.map(move |(index, address)| (address.tries, at, index))
            })
        };
        let (least, ..) = all().min().filter(|(tries, ..)| *tries < tries_max)?;
        let candidates: Vec<_> = all().filter(|(tries, ..)| *tries == least).collect();
        let lot = usize::try_from(lot % candidates.len() as u64).ok()?;
        candidates
            .get(lot)
            .map(|&(_, server, address)| (server, address))
    }

    /// Which server's address to look for, and what to ask for it. Whoever looks for a server must
    /// not need that server: those `searched` already are left alone.
    pub fn seek(&mut self, searched: &[&Name], glueless_max: u32) -> Option<(usize, Question)> {
        let more_allowed = self.glueless < glueless_max;
        let waiting = |server: &Server| {
            server.addresses.is_empty()
                && server.sought < SOUGHT.len()
                && (server.sought > 0 || more_allowed)
                && !searched.contains(&&server.name)
        };
        let waiting = self
            .list
            .iter_mut()
            .enumerate()
            .filter(|(_, server)| waiting(server));
        let (at, server) = waiting.min_by_key(|(_, server)| server.sought)?;
        let qtype = *SOUGHT.get(server.sought)?;
        self.glueless += u32::from(server.sought == 0);
        server.sought += 1;
        Some((
            at,
            Question {
                name: server.name.clone(),
                qtype,
            },
        ))
    }

    pub fn address_mut(&mut self, server: usize, address: usize) -> Option<&mut Address> {
        self.list.get_mut(server)?.addresses.get_mut(address)
    }
}

impl Address {
    fn new(socket: SocketAddr) -> Self {
        Self {
            socket,
            tries: 0,
            edns: true,
            transport: Transport::Udp,
        }
    }

    pub fn at(address: IpAddr) -> Self {
        Self::new(SocketAddr::new(address, PORT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::parse_name;

    #[test]
    fn a_server_is_not_looked_for_by_those_who_look_for_it() {
        let name = |text| parse_name(text).unwrap_or_else(Name::root);
        let servers = vec![(name("ns1.test"), vec![]), (name("ns2.test"), vec![])];
        let delegation = Delegation {
            zone: name("test"),
            servers,
            ttl_seconds: 60,
        };
        let mut servers = Servers::of(&delegation);
        let searched = name("ns1.test");
        let mut seek = |most| {
            servers
                .seek(&[&searched], most)
                .map(|(at, asked)| (at, asked.qtype))
        };
        assert_eq!(seek(0), None, "no more servers without glue are allowed");
        assert_eq!(seek(4), Some((1, Rtype::A)));
        assert_eq!(
            seek(0),
            Some((1, Rtype::AAAA)),
            "it was begun, so it is ended"
        );
        assert_eq!(seek(4), None);
    }
}
