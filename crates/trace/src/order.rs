//! In which order the messages of a selection are told.
//!
//! Time gives it, with one exception: what was done for an earlier matter and only served this one
//! (names remembered, a connection kept open) is told where it was of use, directly before what it
//! led to. By its own time it would stand before the beginning.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::record::{ExchangeId, Role};
use crate::shown::Shown;

/// What a selection is about: index of its first exchange, and the part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub index: usize,
    pub part: u32,
    /// The matter is handed in by its first exchange; the rest is done behind it.
    pub is_handed_in: bool,
}

/// A place on the line that is told: the time that counts, whether something was moved there
/// (before what happened then, or behind it), and the own time.
pub(crate) type Place = (u64, Moved, u64);

/// How something came to its place. The order of the variants is the order at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moved {
    Before,
    Not,
    Behind,
}

/// The places of everything that some exchanges show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// For each exchange that is moved as a whole, where to.
    whole: Vec<Option<(u64, Moved)>>,
    /// For each kept connection, the moment until which its messages are moved: its own matter's.
    opening: Vec<Option<u64>>,
}

impl Places {
    pub fn of(exchanges: &[Shown<'_, '_>], root: Option<Root>) -> Self {
        let mut places = Self {
            whole: alloc::vec![None; exchanges.len()],
            opening: alloc::vec![None; exchanges.len()],
        };
        let Some(root) = root else { return places };
        let Some(begins) = exchanges.get(root.index) else {
            return places;
        };
        let start_us = own_start_us(begins);
        for (index, shown) in exchanges.iter().enumerate() {
            let own_us = own_start_us(shown);
            if index != root.index && shown.exchange.start_us < start_us && own_us > start_us {
                places.opening[index] = Some(own_us);
            }
        }
        if !exchanges.iter().any(|shown| shown.remembered) {
            return places;
        }
        let causes = causes(exchanges);
        for (index, shown) in exchanges.iter().enumerate() {
            if shown.remembered && index != root.index {
                let use_us = first_use_us(exchanges, &causes, index);
                places.whole[index] = Some(match use_us {
                    Some(use_us) => (use_us, Moved::Before),
                    None if root.is_handed_in => (handed_in_us(begins, root.part), Moved::Behind),
                    None => (start_us, Moved::Before),
                });
            }
        }
        places
    }

    /// Where something of that exchange that happened at `time_us` is told.
    pub fn place(&self, index: usize, time_us: u64) -> Place {
        let whole = self.whole.get(index).copied().flatten();
        let opening = self.opening.get(index).copied().flatten();
        match (whole, opening) {
            (Some((moved_us, moved)), _) => (moved_us, moved, time_us),
            (None, Some(own_us)) if time_us < own_us => (own_us, Moved::Before, time_us),
            _ => (time_us, Moved::Not, time_us),
        }
    }
}

/// When the exchange began with what is shown of it; not when its connection was opened for an
/// earlier matter.
fn own_start_us(shown: &Shown<'_, '_>) -> u64 {
    let first = shown.exchange.parts.first();
    let begins_it = shown.parts.is_empty() || first.is_none_or(|first| shown.parts.contains(first));
    let own = shown.messages.iter().find(|message| message.part > 0);
    match own {
        Some(message) if !begins_it => message.time_us,
        _ => shown.exchange.start_us,
    }
}

/// The moment at which the first server had answered the matter's own messages.
fn handed_in_us(begins: &Shown<'_, '_>, part: u32) -> u64 {
    let mut own = begins
        .messages
        .iter()
        .filter(|message| message.part == part);
    let answered = own.rfind(|message| message.from == Role::Server);
    answered.map_or(begins.exchange.start_us, |message| message.time_us)
}

/// What each exchange names as its cause, read once: a kept connection has very many messages.
type Causes = Vec<BTreeSet<ExchangeId>>;

fn causes(exchanges: &[Shown<'_, '_>]) -> Causes {
    let named = exchanges.iter().map(|shown| {
        let of_messages = shown.exchange.message_causes();
        let of_messages = of_messages.filter(|(part, _)| shown.concerns(*part));
        let all = shown.exchange.causes();
        let all = all.chain(of_messages.map(|(_, cause)| cause));
        all.map(|cause| cause.exchange).collect()
    });
    named.collect()
}

/// When something remembered first led to something that was not. Remembered exchanges that led to
/// each other (the walk from the root for one question) are of use together.
fn first_use_us(exchanges: &[Shown<'_, '_>], causes: &Causes, index: usize) -> Option<u64> {
    let leads = |from: usize, to: usize| {
        let mut halves = exchanges[from].exchange.halves();
        halves.any(|half| causes[to].contains(&half.id))
    };
    let mut together = BTreeSet::from([index]);
    let mut open = alloc::vec![index];
    let mut uses = Vec::new();
    while let Some(at) = open.pop() {
        for (other, shown) in exchanges.iter().enumerate() {
            let follows = leads(at, other);
            if !shown.remembered {
                uses.extend(follows.then(|| own_start_us(shown)));
            } else if (follows || leads(other, at)) && together.insert(other) {
                open.push(other);
            }
        }
    }
    uses.into_iter().min()
}
