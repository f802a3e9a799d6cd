//! Who takes part: the columns of a drawing, the names in a list of steps.

use alloc::format;
use alloc::string::{String, ToString};

use crate::exchange::{Exchange, socket_text};
use crate::facts;
use crate::journey::{Journey, Kind};
use crate::purpose;
use crate::record::Role;
use crate::shown::{Selection, Shown};
use crate::text::visible;
use crate::words::Words;

/// One participant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A person, by the local part of their address.
    Person(String),
    /// A program whose person is not known.
    Client,
    /// The lab's resolver.
    Resolver,
    /// The name servers of the root.
    Root,
    /// A server by name, or by address where no name is known.
    Server(String),
}

impl Lane {
    /// Its name for people, fit for a terminal.
    pub fn label(&self, words: &dyn Words) -> String {
        match self {
            Self::Person(name) | Self::Server(name) => visible(name),
            Self::Client => words.say("trace-lane-client", &[]),
            Self::Resolver => words.say("trace-lane-resolver", &[]),
            Self::Root => words.say("trace-lane-root", &[]),
        }
    }
}

/// Client and server of an exchange as participants. `journey` gives the people's names; without
/// one (an export of everything) they stay nameless.
pub fn lanes(
    selection: &Selection<'_, '_>,
    journey: Option<&Journey<'_, '_>>,
    shown: &Shown<'_, '_>,
) -> (Lane, Lane) {
    (client_lane(selection, journey, shown), server_lane(shown))
}

/// A message's two ends in the direction it went.
pub(crate) fn ends<T>(lanes: (T, T), from: Role) -> (T, T) {
    match from {
        Role::Client => lanes,
        Role::Server => (lanes.1, lanes.0),
    }
}

fn server_lane(shown: &Shown<'_, '_>) -> Lane {
    let exchange = shown.exchange;
    let organisation = exchange.server_organisation();
    let host = exchange.named_host();
    let name = match exchange.protocol() {
        "dns" => return name_server_lane(exchange, organisation, host),
        "smtp" | "pop3" | "imap" if !organisation.is_empty() => format!("mail.{organisation}"),
        "http" => url_host(shown)
            .unwrap_or(if host.is_empty() { organisation } else { host })
            .into(),
        _ if !host.is_empty() => host.to_string(),
        _ => organisation.to_string(),
    };
    if name.is_empty() {
        Lane::Server(socket_text(exchange.server()))
    } else {
        Lane::Server(name)
    }
}

fn name_server_lane(exchange: &Exchange<'_>, organisation: &str, host: &str) -> Lane {
    match exchange.server_service() {
        "resolver" => Lane::Resolver,
        "root" => Lane::Root,
        _ if matches!(organisation, "." | "root") => Lane::Root,
        _ if !host.is_empty() => Lane::Server(host.to_string()),
        _ if !organisation.is_empty() => Lane::Server(format!("ns.{organisation}")),
        _ => Lane::Server(socket_text(exchange.server())),
    }
}

/// The host of the first request's URL.
fn url_host<'v>(shown: &Shown<'_, 'v>) -> Option<&'v str> {
    let text = shown
        .messages
        .iter()
        .find(|message| message.from == Role::Client)?
        .text;
    let (_, behind) = text.split_once("://")?;
    let host = behind.split(['/', ' ', ':']).next()?;
    (!host.is_empty()).then_some(host)
}

fn client_lane(
    selection: &Selection<'_, '_>,
    journey: Option<&Journey<'_, '_>>,
    shown: &Shown<'_, '_>,
) -> Lane {
    let exchange = shown.exchange;
    let organisation = exchange.client_organisation();
    if !organisation.is_empty() {
        let mails = matches!(exchange.protocol(), "dns" | "smtp");
        return Lane::Server(if mails {
            format!("mail.{organisation}")
        } else {
            organisation.to_string()
        });
    }
    if exchange.client_service() == "resolver" {
        return Lane::Resolver;
    }
    if exchange.client_half.is_none() {
        if let Some(server) = server_that_asked(selection, exchange) {
            return server;
        }
        let from_a_server = exchange.protocol() == "smtp" && exchange.server_service() == "smtp";
        if from_a_server {
            return Lane::Server(exchange.client().ip().to_string());
        }
    }
    person(journey, shown).map_or(Lane::Client, Lane::Person)
}

/// The server of the exchange that led to this one, when the client wrote nothing itself.
fn server_that_asked(selection: &Selection<'_, '_>, exchange: &Exchange<'_>) -> Option<Lane> {
    exchange.causes().find_map(|cause| {
        let names = |shown: &&Shown<'_, '_>| {
            shown
                .exchange
                .halves()
                .any(|half| half.id == cause.exchange)
                && !core::ptr::eq(shown.exchange, exchange)
        };
        selection.exchanges.iter().find(names).map(server_lane)
    })
}

fn person(journey: Option<&Journey<'_, '_>>, shown: &Shown<'_, '_>) -> Option<String> {
    // Who asked for the mail server's name is who then looked for mail there.
    let looked = journey.and_then(|journey| purpose::collection(&journey.selection, shown));
    let shown = looked.unwrap_or(shown);
    let address = match shown.exchange.protocol() {
        "pop3" | "imap" => {
            let recipient = || {
                let letter = journey.filter(|journey| journey.kind == Kind::Letter)?;
                facts::recipients(letter).first().copied()
            };
            facts::login(shown).or_else(recipient)?
        }
        _ => {
            let letter = journey.filter(|journey| journey.kind == Kind::Letter)?;
            facts::sender(letter)?
        }
    };
    let name = address.split('@').next().unwrap_or(address);
    (!name.is_empty()).then(|| name.to_string())
}
