//! A journey: everything that led to or followed from one letter, page or name.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::facts;
use crate::order::Root;
use crate::picture::Picture;
use crate::record::{ExchangeId, NotAnExchangeId};
use crate::shown::{Selection, Shown};

/// Names a journey by the part of the exchange it began with: `j-` and the exchange's characters,
/// and `.2` for its second part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JourneyId {
    /// The exchange it began with.
    pub exchange: ExchangeId,
    /// The part of it, from 1.
    pub part: u32,
}

impl fmt::Display for JourneyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.exchange.digits();
        f.write_str("j-")?;
        f.write_str(core::str::from_utf8(&digits).unwrap_or("?"))?;
        if self.part > 1 {
            write!(f, ".{}", self.part)
        } else {
            Ok(())
        }
    }
}

impl FromStr for JourneyId {
    type Err = NotAnExchangeId;

    /// Reads what [`fmt::Display`] writes, and also an exchange's own `x-…`.
    fn from_str(text: &str) -> Result<Self, NotAnExchangeId> {
        let named = text.strip_prefix("j-").or_else(|| text.strip_prefix("x-"));
        let text = named.ok_or(NotAnExchangeId)?;
        let (digits, part) = text.split_once('.').unwrap_or((text, "1"));
        let exchange = ExchangeId::from_digits(digits).ok_or(NotAnExchangeId)?;
        Ok(Self {
            exchange,
            part: part.parse().map_err(|_| NotAnExchangeId)?,
        })
    }
}

/// What a journey is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A letter, from submission (or from another system) on.
    Letter,
    /// A page: the request with what led to it and followed from it.
    Page,
    /// A question to the name service that nothing else asked for.
    Name,
    /// Somebody asked whether mail has come, and none of it is known.
    Collection,
    /// A mail dialogue without a letter.
    Dialogue,
    /// Any other protocol, by its own name.
    Other,
}

/// How a journey stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State<'v> {
    /// Under way, nothing to say yet.
    Open,
    /// Letter: accepted by its first server.
    Submitted,
    /// Letter: waits in a queue.
    Queued,
    /// Letter: an attempt failed, another will be made.
    Deferred,
    /// Letter: another system took it; what became of it there is not known here.
    Relayed,
    /// Letter: lies in a mailbox (whether it was collected: [`Journey::collected`]).
    Delivered,
    /// The first server did not take it.
    Refused,
    /// It could not be done.
    Failed,
    /// Page: the status of the first reply.
    Status(&'v str),
    /// Name: an answer came.
    Answered,
    /// Name: the answer was another code than NOERROR.
    Rcode(&'v str),
    /// Collection: there was mail.
    Collected,
    /// Collection: there was none.
    Empty,
    /// Done, nothing special.
    Done,
    /// It broke: the ending's word.
    Broken(&'v str),
}

impl State<'_> {
    /// One word for programs, in small letters.
    pub fn word(&self) -> String {
        let word = match self {
            Self::Open => "open",
            Self::Submitted => "submitted",
            Self::Queued => "queued",
            Self::Deferred => "deferred",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Answered => "answered",
            Self::Collected => "collected",
            Self::Empty => "empty",
            Self::Done => "done",
            Self::Status(word) | Self::Broken(word) => word,
            Self::Rcode(code) => return code.to_ascii_lowercase(),
        };
        String::from(word)
    }
}

/// Everything that led to or followed from one matter.
#[derive(Clone, Debug)]
pub struct Journey<'p, 'v> {
    /// Its name.
    pub id: JourneyId,
    /// What it is about.
    pub kind: Kind,
    /// `alice@nord.test → bob@sud.test`, `http://www.sud.test/`; not yet fit for a terminal.
    pub title: String,
    /// How it stands.
    pub state: State<'v>,
    /// Letter: somebody fetched it from a mailbox.
    pub collected: bool,
    /// When it began, in microseconds since 1970.
    pub start_us: u64,
    /// How long it took; a letter's journey ends in the mailbox.
    pub duration_us: u64,
    /// Letter: its Message-ID with angle brackets, where a server noted it.
    pub message_id: Option<&'v str>,
    /// The exchanges, each with the messages that concern the journey.
    pub selection: Selection<'p, 'v>,
    /// Index of the exchange it began with.
    pub root: usize,
    /// The part of it.
    pub root_part: u32,
}

impl<'p, 'v> Journey<'p, 'v> {
    pub(crate) fn new(
        picture: &'p Picture<'v>,
        root: usize,
        kind: Kind,
        members: &[usize],
    ) -> Self {
        let nodes = &picture.graph().nodes;
        let root_node = &nodes[root];
        let shown = shown_exchanges(picture, root, members);
        let place = |shown: &Shown<'_, '_>| {
            core::ptr::eq(
                shown.exchange,
                &raw const picture.exchanges()[root_node.exchange],
            )
        };
        let root_place = shown.iter().position(place).unwrap_or(0);
        let begins = Root {
            index: root_place,
            part: root_node.part,
            is_handed_in: kind == Kind::Letter,
        };
        let mut journey = Self {
            id: JourneyId {
                exchange: picture.exchanges()[root_node.exchange].id(),
                part: root_node.part.max(1),
            },
            kind,
            title: String::new(),
            state: State::Open,
            collected: false,
            start_us: 0,
            duration_us: 0,
            message_id: None,
            selection: Selection::new(shown, Some(begins)),
            root: root_place,
            root_part: root_node.part,
        };
        facts::fill(&mut journey);
        journey
    }

    /// The exchange it began with.
    pub fn root(&self) -> &Shown<'p, 'v> {
        &self.selection.exchanges[self.root]
    }

    /// Letter: the sender's address; empty for the null sender.
    pub fn sender(&self) -> Option<&'v str> {
        facts::sender(self).filter(|_| self.kind == Kind::Letter)
    }

    /// Letter: the recipients as the client named them.
    pub fn recipients(&self) -> Vec<&'v str> {
        if self.kind == Kind::Letter {
            facts::recipients(self)
        } else {
            Vec::new()
        }
    }

    /// The organisations that take part, each once.
    pub fn organisations(&self) -> Vec<&'v str> {
        let exchanges = self.selection.exchanges.iter().map(|shown| shown.exchange);
        let mut organisations: Vec<&'v str> = exchanges
            .flat_map(|exchange| {
                [
                    exchange.client_organisation(),
                    exchange.server_organisation(),
                ]
            })
            .filter(|organisation| !organisation.is_empty())
            .collect();
        organisations.sort_unstable();
        organisations.dedup();
        organisations
    }

    /// `letter`, `page`, `name`, `collection`, `dialogue`, or the protocol's name.
    pub fn kind_word(&self) -> &'v str {
        match self.kind {
            Kind::Letter => "letter",
            Kind::Page => "page",
            Kind::Name => "name",
            Kind::Collection => "collection",
            Kind::Dialogue => "dialogue",
            Kind::Other => self.root().exchange.protocol(),
        }
    }
}

/// The members' exchanges in time order, with the parts that are members.
fn shown_exchanges<'p, 'v>(
    picture: &'p Picture<'v>,
    root: usize,
    members: &[usize],
) -> Vec<Shown<'p, 'v>> {
    let graph = picture.graph();
    let mut shown: Vec<Shown<'p, 'v>> = Vec::new();
    let mut rest = members;
    // Members ascend, and the nodes of one exchange stand together.
    while let Some(&first) = rest.first() {
        let index = graph.nodes[first].exchange;
        let same = rest
            .iter()
            .take_while(|&&node| graph.nodes[node].exchange == index)
            .count();
        let (nodes, others) = rest.split_at(same);
        let parts = nodes.iter().map(|&node| graph.nodes[node].part).collect();
        let remembered = graph.nodes[first].is_name && graph.is_remembered(first, root, members);
        shown.push(Shown::of_parts(
            &picture.exchanges()[index],
            parts,
            remembered,
        ));
        rest = others;
    }
    shown
}
