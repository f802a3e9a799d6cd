//! What is shown of exchanges: some of their messages, in time order.

use alloc::vec::Vec;

use crate::exchange::{Ending, Exchange, Message};
use crate::order::{Place, Places, Root};

/// One exchange with the messages of it that concern what is shown.
#[derive(Clone, Debug)]
pub struct Shown<'p, 'v> {
    /// The exchange.
    pub exchange: &'p Exchange<'v>,
    /// Its messages, filtered.
    pub messages: Vec<Message<'v>>,
    /// The parts that concern what is shown; empty means all.
    pub parts: Vec<u32>,
    /// An answer remembered from an earlier occasion.
    pub remembered: bool,
}

impl<'p, 'v> Shown<'p, 'v> {
    /// All of an exchange.
    pub fn whole(exchange: &'p Exchange<'v>) -> Self {
        let messages = exchange.messages.clone();
        Self {
            exchange,
            messages,
            parts: Vec::new(),
            remembered: false,
        }
    }

    /// The parts named, and part 0, which belongs to all of them.
    pub(crate) fn of_parts(exchange: &'p Exchange<'v>, parts: Vec<u32>, remembered: bool) -> Self {
        let concerns = |message: &&Message<'v>| message.part == 0 || parts.contains(&message.part);
        let messages = exchange.messages.iter().filter(concerns).copied().collect();
        Self {
            exchange,
            messages,
            parts,
            remembered,
        }
    }

    /// Whether a note of that part concerns what is shown.
    pub(crate) fn concerns(&self, part: u32) -> bool {
        part == 0 || self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// What happened at one moment of a selection.
#[derive(Clone, Copy, Debug)]
pub enum Event<'p, 'v> {
    /// A message went by.
    Message(Message<'v>),
    /// The exchange broke: the reason's word, and more in words, perhaps nothing.
    Broken(&'p str, &'p str),
}

/// Exchanges to be shown, and the order of their messages.
#[derive(Clone, Debug)]
pub struct Selection<'p, 'v> {
    /// The exchanges in the order in which they began.
    pub exchanges: Vec<Shown<'p, 'v>>,
    /// All messages in the order in which they are told: index of the exchange, index of the
    /// message in it. By time, but what is only remembered stands before what it led to.
    pub order: Vec<(usize, usize)>,
    /// Where on the line that is told the messages of `order` and the breaks stand.
    places: Places,
}

impl<'p, 'v> Selection<'p, 'v> {
    /// `root` is what it is about; without one everything stands at its own time.
    pub(crate) fn new(exchanges: Vec<Shown<'p, 'v>>, root: Option<Root>) -> Self {
        let places = Places::of(&exchanges, root);
        let mut placed: Vec<(Place, usize, usize)> = Vec::new();
        for (index, shown) in exchanges.iter().enumerate() {
            // Within an exchange the order is the recorder's, whatever the clock says.
            let mut latest_us = 0;
            for (place, message) in shown.messages.iter().enumerate() {
                latest_us = message.time_us.max(latest_us);
                placed.push((places.place(index, latest_us), index, place));
            }
        }
        placed.sort_unstable();
        let order = placed.into_iter();
        let order = order.map(|(_, index, place)| (index, place)).collect();
        Self {
            exchanges,
            order,
            places,
        }
    }

    /// The messages in the order in which they are told, with their exchanges.
    pub fn messages(&self) -> impl Iterator<Item = (&Shown<'p, 'v>, &Message<'v>)> + '_ {
        self.order.iter().filter_map(|&(index, place)| {
            let shown = self.exchanges.get(index)?;
            Some((shown, shown.messages.get(place)?))
        })
    }

    /// The exchanges in the order in which their first messages are told; those without any last.
    pub(crate) fn in_told_order(&self) -> Vec<&Shown<'p, 'v>> {
        let mut indexes: Vec<usize> = Vec::with_capacity(self.exchanges.len());
        let mut is_told = alloc::vec![false; self.exchanges.len()];
        let told = self.order.iter().map(|&(index, _)| index);
        for index in told.chain(0..self.exchanges.len()) {
            if !core::mem::replace(&mut is_told[index], true) {
                indexes.push(index);
            }
        }
        let shown = indexes.into_iter();
        shown.map(|index| &self.exchanges[index]).collect()
    }

    /// Messages and breaks in the order in which they are told, each with its exchange's index. A break comes behind its
    /// exchange's messages; an exchange that could not even begin shows by it.
    pub fn events(&self) -> Vec<(usize, Event<'p, 'v>)>
    where
        'v: 'p,
    {
        let mut breaks: Vec<_> = self
            .exchanges
            .iter()
            .enumerate()
            .filter_map(|(index, shown)| self.broken(index, shown))
            .collect();
        breaks.sort_by_key(|&(place, index, _)| (place, index));
        let mut breaks = breaks.into_iter().peekable();
        let mut events = Vec::with_capacity(self.order.len());
        for &(index, place) in &self.order {
            let message = self.exchanges[index].messages[place];
            let here = self.places.place(index, message.time_us);
            while let Some((_, at, event)) =
                breaks.next_if(|&(place, at, _)| place < here && at != index)
            {
                events.push((at, event));
            }
            events.push((index, Event::Message(message)));
        }
        events.extend(breaks.map(|(_, index, event)| (index, event)));
        events
    }

    fn broken(&self, index: usize, shown: &Shown<'p, 'v>) -> Option<(Place, usize, Event<'p, 'v>)>
    where
        'v: 'p,
    {
        match shown.exchange.ending() {
            Ending::Broken { reason, text } => {
                let place = self.places.place(index, shown.exchange.end_us);
                Some((place, index, Event::Broken(reason, text)))
            }
            Ending::Open | Ending::Done => None,
        }
    }
}
