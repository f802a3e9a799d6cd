//! One exchange as seen from outside: the accounts of its two ends made into one.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::join::Pair;
use crate::record::{
    Body, Cause, Direction, ExchangeId, Mode, Opened, Record, Role, Secured, Transport,
};
use crate::view::Half;

/// One message as people see it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'v> {
    /// Place in the exchange, from 1; stays when a journey shows only some messages.
    pub number: usize,
    /// Microseconds since 1970 on the view's time line.
    pub time_us: u64,
    /// Who sent it.
    pub from: Role,
    /// The protocol's word.
    pub verb: &'v str,
    /// What it says, masked; not yet fit for a terminal.
    pub text: &'v str,
    /// Bytes on the wire.
    pub size: u64,
    /// Something in it was masked.
    pub masked: bool,
    /// The part of the exchange it belongs to.
    pub part: u32,
    /// It went through TLS.
    pub secured: bool,
    /// The recording session's state before it.
    pub before: &'v str,
    /// The recording session's state after it.
    pub after: &'v str,
    /// The bytes in clear, masked; empty below level `full`.
    pub bytes: &'v [u8],
}

/// A fact that was not on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Note<'v> {
    /// Microseconds since 1970.
    pub time_us: u64,
    /// One word for programs.
    pub word: &'v str,
    /// The part it belongs to.
    pub part: u32,
    /// Its matter.
    pub text: &'v str,
}

/// How an exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'v> {
    /// Under way, as far as is known.
    Open,
    /// Both sides were through.
    Done,
    /// It broke: `reset`, `timeout`, `stopped`, `refused`, `panic`, `tls` …, and more in words.
    Broken {
        /// One word.
        reason: &'v str,
        /// More, perhaps nothing.
        text: &'v str,
    },
}

/// One hop between a client and a server.
#[derive(Clone, Debug)]
pub struct Exchange<'v> {
    /// What the client wrote of it.
    pub client_half: Option<&'v Half>,
    /// What the server wrote of it.
    pub server_half: Option<&'v Half>,
    /// When it began, in microseconds since 1970.
    pub start_us: u64,
    /// When the last thing known of it happened.
    pub end_us: u64,
    /// Its messages in order: the server's account, or the client's where the server wrote none.
    pub messages: Vec<Message<'v>>,
    /// Facts from both ends, oldest first.
    pub notes: Vec<Note<'v>>,
    /// The parts that are matters of their own, ascending, without 0.
    pub parts: Vec<u32>,
    main: &'v Half,
}

impl<'v> Exchange<'v> {
    /// `None` for a pair without halves, which joining never makes.
    pub(crate) fn new(pair: Pair<'v>) -> Option<Self> {
        let told = |half: &&Half| half.records.iter().any(is_message);
        let main = pair.server.filter(told).or(pair.client.filter(told));
        let main = main.or(pair.server).or(pair.client)?;
        let halves = [pair.client, pair.server].into_iter().flatten();
        let starts = halves.clone().map(|half| half.time_us(half.at));
        let start_us = starts.min().unwrap_or(0);
        // A note may come long after the end (a letter delivered at last).
        let ends = halves.filter_map(|half| {
            let last = half.records.iter().rev().find(|record| !is_note(record))?;
            Some(half.time_us(last.at))
        });
        let end_us = ends.max().unwrap_or(start_us).max(start_us);
        let messages = messages_of(main);
        let mut exchange = Self {
            client_half: pair.client,
            server_half: pair.server,
            start_us,
            end_us,
            messages,
            notes: Vec::new(),
            parts: Vec::new(),
            main,
        };
        exchange.notes = exchange.read_notes();
        exchange.parts = exchange.read_parts();
        Some(exchange)
    }

    /// The server's id where it is known, else the client's. Both name the exchange in a query.
    pub fn id(&self) -> ExchangeId {
        self.server_half
            .or(self.client_half)
            .unwrap_or(self.main)
            .id
    }

    /// Protocol name: `smtp`, `dns` …
    pub fn protocol(&self) -> &'v str {
        &self.main.opened.protocol
    }

    /// What carries it.
    pub fn transport(&self) -> Transport {
        self.main.opened.transport
    }

    /// The client's socket.
    pub fn client(&self) -> SocketAddr {
        self.address(Half::client)
    }

    /// The server's socket, as really used (after a Dial map).
    pub fn server(&self) -> SocketAddr {
        self.address(Half::server)
    }

    /// An end's address from whichever account knows it.
    fn address(&self, of: impl Fn(&Half) -> SocketAddr) -> SocketAddr {
        let known = self
            .halves()
            .map(&of)
            .find(|address| !address.ip().is_unspecified());
        let main = of(self.main);
        if main.ip().is_unspecified() {
            known.unwrap_or(main)
        } else {
            main
        }
    }

    /// What the client meant: `mail.sud.test port 25`; empty if that says nothing new.
    pub fn named(&self) -> &'v str {
        let opened = |half: Option<&'v Half>| half.map_or("", |half| half.opened.named.as_str());
        let client = opened(self.client_half);
        if client.is_empty() {
            opened(self.server_half)
        } else {
            client
        }
    }

    /// The host name in [`Self::named`]; empty if there is none, or only an address.
    pub fn named_host(&self) -> &'v str {
        let host = self
            .named()
            .split(' ')
            .next()
            .unwrap_or("")
            .trim_end_matches('.');
        if host.parse::<IpAddr>().is_ok() {
            ""
        } else {
            host
        }
    }

    /// The client's organisation; empty for a person's program or if unknown.
    pub fn client_organisation(&self) -> &'v str {
        self.client_half
            .map_or("", |half| half.opened.organisation.as_str())
    }

    /// The server's organisation; empty if unknown.
    pub fn server_organisation(&self) -> &'v str {
        self.server_half
            .map_or("", |half| half.opened.organisation.as_str())
    }

    /// The program's part on the client: `queue`, `resolver` …; empty if unknown.
    pub fn client_service(&self) -> &'v str {
        self.client_half
            .map_or("", |half| half.opened.service.as_str())
    }

    /// The listener's name on the server; empty if unknown.
    pub fn server_service(&self) -> &'v str {
        self.server_half
            .map_or("", |half| half.opened.service.as_str())
    }

    /// How the server serves.
    pub fn mode(&self) -> Mode {
        self.server_half.unwrap_or(self.main).opened.mode
    }

    /// The TLS session, if there is one.
    pub fn secured(&self) -> Option<&'v Secured> {
        self.main
            .secured()
            .or_else(|| self.halves().find_map(Half::secured))
    }

    /// TLS was in force before the first message.
    pub fn secured_from_start(&self) -> bool {
        self.secured().is_some() && self.messages.first().is_none_or(|first| first.secured)
    }

    /// How it stands. If the ends disagree, the worse news counts.
    pub fn ending(&self) -> Ending<'v> {
        let closings = self
            .halves()
            .flat_map(|half| &half.records)
            .filter_map(closing);
        closings.fold(Ending::Open, |worst, this| match worst {
            Ending::Broken { .. } => worst,
            _ => this,
        })
    }

    /// What led to the exchange as a whole, from both ends.
    pub fn causes(&self) -> impl Iterator<Item = Cause> + use<'v> {
        self.halves()
            .flat_map(|half| half.opened.causes.iter().copied())
    }

    /// What led to single messages, from both ends, each with the part that it concerns.
    pub fn message_causes(&self) -> impl Iterator<Item = (u32, Cause)> + '_ {
        self.halves().flat_map(move |half| {
            let role = half.opened.role;
            half.records
                .iter()
                .flat_map(move |record| match &record.body {
                    Body::Message { part, causes, .. } => {
                        let part = self.shown_part(role, *part);
                        causes.iter().map(|cause| (part, *cause)).collect()
                    }
                    _ => Vec::new(),
                })
        })
    }

    /// The part of the messages shown that corresponds to `part` as the end `role` counted it.
    pub fn shown_part(&self, role: Role, part: u32) -> u32 {
        if part == 0 || role == self.main.opened.role {
            return part;
        }
        let mut shown = self
            .messages
            .iter()
            .map(|message| message.part)
            .filter(|&part| part > 0);
        // Both ends count the same matters. Only where there is one is a difference repaired.
        match shown.next() {
            Some(only) if shown.all(|other| other == only) => only,
            _ => part,
        }
    }

    /// The ends that wrote something, the client first.
    pub fn halves(&self) -> impl Iterator<Item = &'v Half> + use<'v> {
        [self.client_half, self.server_half].into_iter().flatten()
    }

    fn read_notes(&self) -> Vec<Note<'v>> {
        let mut notes = Vec::new();
        for half in self.halves() {
            for record in &half.records {
                if let Body::Note { word, part, text } = &record.body {
                    let part = self.shown_part(half.opened.role, *part);
                    let time_us = half.time_us(record.at);
                    notes.push(Note {
                        time_us,
                        word: word.as_str(),
                        part,
                        text,
                    });
                }
            }
        }
        notes.sort_by_key(|note| note.time_us);
        notes
    }

    /// The messages decide; notes only where there is no message (a relay that never began).
    fn read_parts(&self) -> Vec<u32> {
        let of_messages = self.messages.iter().map(|message| message.part);
        let of_notes = self.notes.iter().map(|note| note.part);
        let of_notes = of_notes.filter(|_| self.messages.is_empty());
        let parts: BTreeSet<u32> = of_messages.chain(of_notes).collect();
        parts.into_iter().filter(|&part| part > 0).collect()
    }
}

fn is_message(record: &Record) -> bool {
    matches!(record.body, Body::Message { .. })
}

fn is_note(record: &Record) -> bool {
    matches!(record.body, Body::Note { .. })
}

fn closing(record: &Record) -> Option<Ending<'_>> {
    let Body::Closed { reason, text } = &record.body else {
        return None;
    };
    let reason = reason.as_str();
    Some(if reason == "done" {
        Ending::Done
    } else {
        Ending::Broken { reason, text }
    })
}

fn messages_of(half: &Half) -> Vec<Message<'_>> {
    let mut messages = Vec::new();
    let mut under_tls = false;
    for record in &half.records {
        match &record.body {
            Body::Secured(_) => under_tls = true,
            Body::Message {
                direction,
                verb,
                text,
                size,
                masked,
                part,
                before,
                after,
                bytes,
                ..
            } => messages.push(Message {
                number: messages.len() + 1,
                time_us: half.time_us(record.at),
                from: sender(&half.opened, *direction),
                verb: verb.as_str(),
                text,
                size: *size,
                masked: *masked,
                part: *part,
                secured: under_tls,
                before,
                after,
                bytes,
            }),
            _ => {}
        }
    }
    messages
}

fn sender(opened: &Opened, direction: Direction) -> Role {
    match direction {
        Direction::Sent => opened.role,
        Direction::Received => opened.role.other(),
    }
}

/// `[::1]:25` or `127.0.0.1:25`.
pub(crate) fn socket_text(address: SocketAddr) -> String {
    address.to_string()
}
