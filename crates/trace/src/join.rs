//! Finds the two halves of one exchange.
//!
//! Each end computes its key alone: the TLS exporter's value where both have one, else the two
//! socket addresses and the time of opening. An id that the other side sent is never used: it could
//! claim to belong to anything.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::record::{Role, Transport};
use crate::view::{Half, View};

/// How far the two ends' clocks may differ, and how late one may notice the opening.
const OPENING_WINDOW_US: u64 = 5_000_000;

/// One hop: what its client, its server or both wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'v> {
    pub client: Option<&'v Half>,
    pub server: Option<&'v Half>,
}

/// All hops of the view in the order in which their first half was opened.
pub(crate) fn pairs(view: &View) -> Vec<Pair<'_>> {
    let halves: Vec<&Half> = view.halves().collect();
    let mut partners: Vec<Option<usize>> = alloc::vec![None; halves.len()];
    join_by_key(&halves, &mut partners);
    join_by_addresses(&halves, &mut partners);
    let mut pairs = Vec::with_capacity(halves.len());
    for (index, &half) in halves.iter().enumerate() {
        let partner = partners[index];
        if partner.is_some_and(|other| other < index) {
            continue; // came with its partner
        }
        let other = partner.map(|other| halves[other]);
        pairs.push(match half.opened.role {
            Role::Client => Pair {
                client: Some(half),
                server: other,
            },
            Role::Server => Pair {
                client: other,
                server: Some(half),
            },
        });
    }
    pairs
}

fn join_by_key(halves: &[&Half], partners: &mut [Option<usize>]) {
    let mut servers = BTreeMap::new();
    for (index, half) in of_role(halves, Role::Server) {
        if let Some(secured) = half.secured() {
            servers.insert(secured.key, index);
        }
    }
    for (index, half) in of_role(halves, Role::Client) {
        let Some(secured) = half.secured() else {
            continue;
        };
        if let Some(server) = servers.remove(&secured.key) {
            partners[index] = Some(server);
            partners[server] = Some(index);
        }
    }
}

fn join_by_addresses(halves: &[&Half], partners: &mut [Option<usize>]) {
    let mut servers: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, half) in of_role(halves, Role::Server) {
        if partners[index].is_none() {
            servers.entry(addresses(half)).or_default().push(index);
        }
    }
    for (index, half) in of_role(halves, Role::Client) {
        if partners[index].is_some() {
            continue;
        }
        let Some(candidates) = servers.get_mut(&addresses(half)) else {
            continue;
        };
        let nearest = candidates
            .iter()
            .enumerate()
            .map(|(place, &server)| (place, server, distance_us(half, halves[server])))
            .filter(|&(_, server, distance)| {
                distance <= OPENING_WINDOW_US && keys_allow(half, halves[server])
            })
            .min_by_key(|&(_, _, distance)| distance);
        if let Some((place, server, _)) = nearest {
            candidates.remove(place);
            partners[index] = Some(server);
            partners[server] = Some(index);
        }
    }
}

fn of_role<'h, 'v>(
    halves: &'h [&'v Half],
    role: Role,
) -> impl Iterator<Item = (usize, &'v Half)> + 'h {
    let all = halves.iter().copied().enumerate();
    all.filter(move |(_, half)| half.opened.role == role)
}

fn addresses(half: &Half) -> (core::net::SocketAddr, core::net::SocketAddr, bool) {
    (
        half.client(),
        half.server(),
        half.opened.transport == Transport::Tcp,
    )
}

fn distance_us(one: &Half, other: &Half) -> u64 {
    one.wall.0.abs_diff(other.wall.0)
}

/// Two ends that both have a key and were not joined by it spoke to somebody else.
fn keys_allow(one: &Half, other: &Half) -> bool {
    one.secured().is_none() || other.secured().is_none()
}
