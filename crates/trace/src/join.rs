//! Finds the two halves of one exchange.
//!
//! Each end computes its key alone: the TLS exporter's value where both have one, else the two
//! socket addresses and the time of opening. An id that the other side sent is never used: it could
//! claim to belong to anything.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;

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
    let mut servers: BTreeMap<_, BTreeSet<(u64, usize)>> = BTreeMap::new();
    for (index, half) in of_role(halves, Role::Server) {
        if partners[index].is_none() {
            servers
                .entry(ports(half))
                .or_default()
                .insert((half.wall.0, index));
        }
    }
    for (index, half) in of_role(halves, Role::Client) {
        if partners[index].is_some() {
            continue;
        }
        let Some(candidates) = servers.get_mut(&ports(half)) else {
            continue;
        };
        let earliest = half.wall.0.saturating_sub(OPENING_WINDOW_US);
        let latest = half.wall.0.saturating_add(OPENING_WINDOW_US);
        let nearest = candidates
            .range((earliest, 0)..=(latest, usize::MAX))
            .filter(|&&(_, server)| {
                same_addresses(half, halves[server]) && keys_allow(half, halves[server])
            })
            .min_by_key(|&&(wall_us, _)| half.wall.0.abs_diff(wall_us));
        if let Some(&found) = nearest {
            candidates.remove(&found);
            partners[index] = Some(found.1);
            partners[found.1] = Some(index);
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

fn ports(half: &Half) -> (u16, u16, bool) {
    (
        half.client().port(),
        half.server().port(),
        half.opened.transport == Transport::Tcp,
    )
}

/// A datagram socket bound to every address does not know which of them was used.
fn same_addresses(one: &Half, other: &Half) -> bool {
    let same =
        |one: IpAddr, other: IpAddr| one == other || one.is_unspecified() || other.is_unspecified();
    same(one.client().ip(), other.client().ip()) && same(one.server().ip(), other.server().ip())
}

/// Two ends that both have a key and were not joined by it spoke to somebody else.
fn keys_allow(one: &Half, other: &Half) -> bool {
    one.secured().is_none() || other.secured().is_none()
}
