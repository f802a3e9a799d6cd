//! A view at one moment: exchanges joined, causes linked, journeys found.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::exchange::Exchange;
use crate::graph::Graph;
use crate::join;
use crate::journey::{Journey, JourneyId, Kind};
use crate::record::{ExchangeId, Role};
use crate::shown::{Selection, Shown};
use crate::view::View;

/// Exchanges and what links them. Made by [`View::picture`].
#[derive(Clone, Debug)]
pub struct Picture<'v> {
    exchanges: Vec<Exchange<'v>>,
    by_id: BTreeMap<ExchangeId, (usize, Role)>,
    graph: Graph,
    kinds: Vec<Option<Kind>>,
}

impl<'v> Picture<'v> {
    pub(crate) fn of(view: &'v View) -> Self {
        let pairs = join::pairs(view);
        let mut exchanges: Vec<_> = pairs.into_iter().filter_map(Exchange::new).collect();
        exchanges.sort_by_key(|exchange| exchange.start_us);
        let mut by_id = BTreeMap::new();
        for (index, exchange) in exchanges.iter().enumerate() {
            for half in exchange.halves() {
                by_id.insert(half.id, (index, half.opened.role));
            }
        }
        let graph = Graph::of(&exchanges, &by_id);
        let mut picture = Self {
            exchanges,
            by_id,
            graph,
            kinds: Vec::new(),
        };
        picture.kinds = (0..picture.graph.nodes.len())
            .map(|node| picture.root_kind(node))
            .collect();
        picture
    }

    /// Every exchange, each hop once, in the order in which they began.
    pub fn exchanges(&self) -> &[Exchange<'v>] {
        &self.exchanges
    }

    /// The exchange that this id names: either half's.
    pub fn exchange(&self, id: ExchangeId) -> Option<&Exchange<'v>> {
        self.by_id
            .get(&id)
            .and_then(|&(index, _)| self.exchanges.get(index))
    }

    /// The id by which an exchange is shown, whichever half `id` names.
    pub fn shown_id(&self, id: ExchangeId) -> Option<ExchangeId> {
        self.exchange(id).map(Exchange::id)
    }

    /// All journeys, newest last.
    pub fn journeys(&self) -> Vec<Journey<'_, 'v>> {
        let roots = self.kinds.iter().enumerate();
        let mut journeys: Vec<_> = roots
            .filter_map(|(node, kind)| kind.map(|kind| self.journey_of(node, kind)))
            .collect();
        journeys.sort_by_key(|journey| journey.start_us);
        journeys
    }

    /// The journey of that id. Any half's id of the root exchange names it; so does any other
    /// exchange's id, which names the first journey it takes part in.
    pub fn journey(&self, id: JourneyId) -> Option<Journey<'_, 'v>> {
        let &(index, role) = self.by_id.get(&id.exchange)?;
        let part = self.exchanges[index].shown_part(role, id.part);
        let exact = self.roots().find(|&(node, _)| {
            let node = &self.graph.nodes[node];
            node.exchange == index && (node.part == part || (node.part == 0 && part == 1))
        });
        let holds = |&(node, _): &(usize, Kind)| {
            self.members(node)
                .iter()
                .any(|&member| self.graph.nodes[member].exchange == index)
        };
        let found = exact.or_else(|| self.roots().find(holds));
        found.map(|(node, kind)| self.journey_of(node, kind))
    }

    /// Everything, for an export without an id.
    pub fn everything(&self) -> Selection<'_, 'v> {
        Selection::new(self.exchanges.iter().map(Shown::whole).collect(), None)
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    fn roots(&self) -> impl Iterator<Item = (usize, Kind)> + '_ {
        self.kinds
            .iter()
            .enumerate()
            .filter_map(|(node, kind)| kind.map(|kind| (node, kind)))
    }

    fn members(&self, root: usize) -> Vec<usize> {
        self.graph.members(root, |node| self.kinds[node].is_some())
    }

    fn journey_of(&self, root: usize, kind: Kind) -> Journey<'_, 'v> {
        Journey::new(self, root, kind, &self.members(root))
    }

    /// Whether a matter begins a journey, and of which kind.
    fn root_kind(&self, index: usize) -> Option<Kind> {
        let node = &self.graph.nodes[index];
        let exchange = &self.exchanges[node.exchange];
        let protocol = exchange.protocol();
        let origins = self.graph.origins(index);
        let same = |&origin: &usize| {
            self.exchanges[self.graph.nodes[origin].exchange].protocol() == protocol
        };
        match protocol {
            "dns" => {
                let caused = !origins.is_empty() || self.graph.live_causes(index).next().is_some();
                let causes = node
                    .effects
                    .iter()
                    .any(|&effect| !self.graph.nodes[effect].is_name);
                (!caused && !causes).then_some(Kind::Name)
            }
            "smtp" if origins.iter().any(same) => None,
            "smtp" => {
                let of_part = exchange
                    .messages
                    .iter()
                    .filter(|message| message.part == node.part);
                let has_mail = of_part.clone().any(|message| message.verb == "MAIL");
                Some(if has_mail {
                    Kind::Letter
                } else {
                    Kind::Dialogue
                })
            }
            "http" => (!origins.iter().any(same)).then_some(Kind::Page),
            "pop3" | "imap" => origins.is_empty().then_some(Kind::Collection),
            _ => origins.is_empty().then_some(Kind::Other),
        }
    }
}
