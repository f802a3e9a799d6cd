//! Which matter led to which: the nodes are the parts of exchanges, the edges their causes.
//!
//! Name queries are treated apart. A name that was looked up for one letter and remembered may
//! serve the next; following such a link onward would lead from one letter into another. So from a
//! name query only the queries made *while it was open* (the walk from the root) are followed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::exchange::{Ending, Exchange};
use crate::record::{Cause, ExchangeId, Role};

/// One matter: an exchange's part; part 0 only where the exchange has no other.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub exchange: usize,
    pub part: u32,
    pub causes: Vec<usize>,
    pub effects: Vec<usize>,
    pub is_name: bool,
}

/// All matters of a picture and their links.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub nodes: Vec<Node>,
    /// For each exchange, where its nodes begin.
    first: Vec<usize>,
    spans_us: Vec<(u64, u64)>,
}

impl Graph {
    pub fn of(exchanges: &[Exchange<'_>], by_id: &BTreeMap<ExchangeId, (usize, Role)>) -> Self {
        let mut graph = Self {
            nodes: Vec::new(),
            first: Vec::new(),
            spans_us: Vec::new(),
        };
        for (index, exchange) in exchanges.iter().enumerate() {
            graph.first.push(graph.nodes.len());
            graph.spans_us.push(span_us(exchange));
            let is_name = exchange.protocol() == "dns";
            let whole = [0];
            let parts = if exchange.parts.is_empty() {
                &whole[..]
            } else {
                &exchange.parts
            };
            graph.nodes.extend(parts.iter().map(|&part| Node {
                exchange: index,
                part,
                causes: Vec::new(),
                effects: Vec::new(),
                is_name,
            }));
        }
        for index in 0..exchanges.len() {
            graph.link(exchanges, by_id, index);
        }
        graph
    }

    fn link(
        &mut self,
        exchanges: &[Exchange<'_>],
        by_id: &BTreeMap<ExchangeId, (usize, Role)>,
        index: usize,
    ) {
        let exchange = &exchanges[index];
        let resolve = |cause: Cause| {
            let &(of, role) = by_id.get(&cause.exchange)?;
            Some((of, exchanges[of].shown_part(role, cause.part)))
        };
        let is_name = |&(of, _): &(usize, u32)| exchanges[of].protocol() == "dns";
        let mut whole: Vec<_> = exchange.causes().filter_map(resolve).collect();
        let mut of_parts: BTreeMap<u32, Vec<(usize, u32)>> = BTreeMap::new();
        for (part, cause) in exchange.message_causes() {
            let Some(cause) = resolve(cause) else {
                continue;
            };
            match part {
                // What led to a message outside all matters (a look at a letter that is not
                // fetched) did not lead to the matters, except by a name they all use.
                0 if !exchange.parts.is_empty() && !is_name(&cause) => {}
                0 => whole.push(cause),
                _ => of_parts.entry(part).or_default().push(cause),
            }
        }
        for (place, node) in self.nodes_of(index).enumerate() {
            let own = of_parts.remove(&self.nodes[node].part).unwrap_or_default();
            // A kept connection was opened for its first matter; what a later one says of its own
            // cause replaces that. The names asked for the connection served them all.
            let inherits = place == 0 || own.is_empty();
            let inherited = whole.iter().filter(|cause| inherits || is_name(cause));
            let causes: Vec<_> = own.iter().chain(inherited).copied().collect();
            for cause in causes {
                self.connect(cause, node);
            }
        }
    }

    fn connect(&mut self, (exchange, part): (usize, u32), effect: usize) {
        let all = self.nodes_of(exchange);
        let exact = all.clone().find(|&node| self.nodes[node].part == part);
        let causes: Vec<usize> = match exact {
            Some(node) => alloc::vec![node],
            None if part == 0 || all.len() == 1 => all.collect(),
            None => return,
        };
        for cause in causes {
            if cause != effect && !self.nodes[effect].causes.contains(&cause) {
                self.nodes[effect].causes.push(cause);
                self.nodes[cause].effects.push(effect);
            }
        }
    }

    fn nodes_of(&self, exchange: usize) -> core::ops::Range<usize> {
        let end = self
            .first
            .get(exchange + 1)
            .copied()
            .unwrap_or(self.nodes.len());
        self.first[exchange]..end
    }

    /// A name query made while the name query `cause` was open.
    fn is_walk(&self, cause: usize, effect: usize) -> bool {
        let (_, cause_end) = self.spans_us[self.nodes[cause].exchange];
        let (effect_start, _) = self.spans_us[self.nodes[effect].exchange];
        self.nodes[cause].is_name && self.nodes[effect].is_name && effect_start <= cause_end
    }

    /// What led to the node, not counting answers remembered from earlier: other matters directly,
    /// or, where it names none, what led to the name queries before it.
    pub fn origins(&self, node: usize) -> BTreeSet<usize> {
        let direct: BTreeSet<usize> = self.nodes[node]
            .causes
            .iter()
            .copied()
            .filter(|&c| !self.nodes[c].is_name)
            .collect();
        if !direct.is_empty() {
            return direct;
        }
        let mut origins = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<usize> = self.live_causes(node).collect();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            origins.extend(
                self.nodes[name]
                    .causes
                    .iter()
                    .filter(|&&c| !self.nodes[c].is_name),
            );
            open.extend(self.live_causes(name));
        }
        origins
    }

    /// Name queries that led to the node, except those it only remembers.
    pub fn live_causes(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let names = self.nodes[node]
            .causes
            .iter()
            .copied()
            .filter(|&c| self.nodes[c].is_name);
        names.filter(move |&cause| !self.nodes[node].is_name || self.is_walk(cause, node))
    }

    /// Whether a name query in the journey of `root` was made for something outside it, earlier.
    pub fn is_remembered(&self, name: usize, root: usize, members: &[usize]) -> bool {
        let mut top = name;
        for _ in 0..self.nodes.len() {
            match self.live_causes(top).next() {
                Some(cause) => top = cause,
                None => break,
            }
        }
        let other = |nodes: &[usize]| -> Vec<usize> {
            nodes
                .iter()
                .copied()
                .filter(|&node| !self.nodes[node].is_name)
                .collect()
        };
        let causes = other(&self.nodes[top].causes);
        if !causes.is_empty() {
            return !causes.iter().any(|cause| members.contains(cause));
        }
        let first = other(&self.nodes[top].effects)
            .into_iter()
            .min_by_key(|&effect| (self.spans_us[self.nodes[effect].exchange].0, effect));
        first.map_or(top != root, |first| !members.contains(&first))
    }

    /// The root with all that followed from it and the names that led to any of it, ascending.
    pub fn members(&self, root: usize, is_root: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut members = BTreeSet::from([root]);
        let mut open = alloc::vec![root];
        while let Some(node) = open.pop() {
            for &effect in &self.nodes[node].effects {
                if self.follows(node, effect, &is_root) && members.insert(effect) {
                    open.push(effect);
                }
            }
        }
        self.add_names(&mut members);
        members.into_iter().collect()
    }

    fn follows(&self, node: usize, effect: usize, is_root: impl Fn(usize) -> bool) -> bool {
        if !self.nodes[node].is_name {
            return true;
        }
        if self.nodes[effect].is_name {
            return self.is_walk(node, effect);
        }
        // Something that names no cause but its name query follows from what made that query.
        self.nodes[effect]
            .causes
            .iter()
            .all(|&cause| self.nodes[cause].is_name)
            && !is_root(effect)
    }

    fn add_names(&self, members: &mut BTreeSet<usize>) {
        let mut open: Vec<usize> = members.iter().copied().collect();
        while let Some(node) = open.pop() {
            let causes = self.nodes[node]
                .causes
                .iter()
                .filter(|&&cause| self.nodes[cause].is_name);
            let walks = self.nodes[node]
                .effects
                .iter()
                .filter(|&&e| self.is_walk(node, e));
            for &name in causes.chain(walks) {
                if members.insert(name) {
                    open.push(name);
                }
            }
        }
    }
}

/// From when to when an exchange waited for its answer.
fn span_us(exchange: &Exchange<'_>) -> (u64, u64) {
    let answered = exchange
        .messages
        .iter()
        .any(|message| message.from == Role::Server);
    let waits = !answered && exchange.ending() == Ending::Open;
    (
        exchange.start_us,
        if waits { u64::MAX } else { exchange.end_us },
    )
}
