//! What happened, in sentences.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::delivery::{self, Stand};
use crate::exchange::{Ending, Message};
use crate::facts;
use crate::journey::{Journey, Kind};
use crate::lanes::{Lane, lanes};
use crate::purpose;
use crate::record::Role;
use crate::render::{line, reason, reason_words, said};
use crate::shown::Shown;
use crate::text::visible;
use crate::words::{Words, port};

/// The story of a journey, one sentence or two an entry, fit for a terminal.
pub fn story(journey: &Journey<'_, '_>, words: &dyn Words) -> Vec<String> {
    let mut teller = Teller {
        journey,
        words,
        told: Vec::new(),
        failures: Vec::new(),
    };
    match journey.kind {
        Kind::Letter => teller.letter(),
        Kind::Page => teller.page(),
        Kind::Name => teller.name(),
        Kind::Collection => teller.collection(journey.root()),
        Kind::Dialogue | Kind::Other => teller.dialogue(journey.root()),
    }
    teller.broken();
    teller.told
}

struct Teller<'t, 'p, 'v> {
    journey: &'t Journey<'p, 'v>,
    words: &'t dyn Words,
    told: Vec<String>,
    /// Attempts that failed, each way of failing once.
    failures: Vec<Failure>,
}

/// What was tried in vain, perhaps several times.
struct Failure {
    ends: (String, String),
    sentence: String,
    attempts: u32,
    /// Where it is told that it was tried again.
    again: Option<usize>,
}

impl<'t, 'p, 'v> Teller<'t, 'p, 'v> {
    fn say(&mut self, key: &str, args: &[(&str, &str)]) {
        self.told.push(self.words.say(key, args));
    }

    /// A failed attempt of `ends`; a later one that failed in the same way is told as such, and
    /// counted.
    fn failed(&mut self, ends: (&str, &str), key: &str, args: &[(&str, &str)]) {
        let sentence = self.words.say(key, args);
        let same = |failure: &&mut Failure| {
            failure.ends.0 == ends.0 && failure.ends.1 == ends.1 && failure.sentence == sentence
        };
        let Some(failure) = self.failures.iter_mut().find(same) else {
            self.told.push(sentence.clone());
            self.failures.push(Failure {
                ends: (ends.0.to_string(), ends.1.to_string()),
                sentence,
                attempts: 1,
                again: None,
            });
            return;
        };
        failure.attempts = failure.attempts.saturating_add(1);
        let count = failure.attempts.to_string();
        let args = [("client", ends.0), ("server", ends.1), ("count", &count)];
        let said = self.words.say("trace-story-again", &args);
        match failure.again {
            Some(place) => self.told[place] = said,
            None => {
                failure.again = Some(self.told.len());
                self.told.push(said);
            }
        }
    }

    fn exchanges(&self) -> &'t [Shown<'p, 'v>] {
        &self.journey.selection.exchanges
    }

    fn labels(&self, shown: &Shown<'p, 'v>) -> (String, String) {
        let (client, server) = self.lanes(shown);
        (client.label(self.words), server.label(self.words))
    }

    fn lanes(&self, shown: &Shown<'p, 'v>) -> (Lane, Lane) {
        lanes(&self.journey.selection, Some(self.journey), shown)
    }

    fn letter(&mut self) {
        self.handing_in();
        self.names();
        for (place, shown) in self.exchanges().iter().enumerate() {
            if place != self.journey.root && shown.exchange.protocol() == "smtp" {
                self.relay(shown);
            }
        }
        self.outcome();
        for shown in self.exchanges() {
            if matches!(shown.exchange.protocol(), "pop3" | "imap") {
                self.fetching(shown);
            }
        }
    }

    fn handing_in(&mut self) {
        let root = self.journey.root();
        let (client, server) = self.labels(root);
        let from = match facts::sender(self.journey) {
            Some(from) if !from.is_empty() => visible(from),
            _ => client,
        };
        let to = visible(&facts::recipients(self.journey).join(", "));
        let port = port(self.words, root.exchange);
        if facts::accepts_letter(facts::root_messages(self.journey)) {
            let tls = root.exchange.secured().is_some();
            let key = if tls {
                "trace-story-handed-tls"
            } else {
                "trace-story-handed"
            };
            self.say(
                key,
                &[
                    ("from", &from),
                    ("to", &to),
                    ("server", &server),
                    ("port", &port),
                ],
            );
        } else if let Some(reason) = refusal(facts::root_messages(self.journey)) {
            self.say(
                "trace-story-refused",
                &[("server", &server), ("reason", &reason)],
            );
        }
    }

    /// Who asked which names, and which servers were asked on the way.
    fn names(&mut self) {
        let all = self.journey.selection.in_told_order();
        let names: Vec<_> = all
            .into_iter()
            .filter(|shown| shown.exchange.protocol() == "dns")
            .filter(|shown| purpose::collection(&self.journey.selection, shown).is_none())
            .collect();
        let mut askers: Vec<Lane> = Vec::new();
        let mut walk: Vec<String> = Vec::new();
        for shown in &names {
            let (asker, server) = self.lanes(shown);
            if shown.exchange.client_service() == "resolver" && !shown.remembered {
                add_once(&mut walk, server.label(self.words));
            }
            if asker != Lane::Resolver && !askers.contains(&asker) {
                askers.push(asker);
            }
        }
        for asker in &askers {
            self.questions(asker, &names, true);
            self.questions(asker, &names, false);
        }
        if !walk.is_empty() {
            self.say("trace-story-walk", &[("servers", &walk.join(", "))]);
        }
        let own = names
            .iter()
            .filter(|shown| askers.contains(&self.lanes(shown).0));
        // The last that brought something: a host's second kind of address is often not there.
        let of = |shown: &&'t Shown<'p, 'v>| {
            let shown = *shown;
            shown
                .messages
                .iter()
                .filter(answers)
                .map(move |it| (shown, it))
        };
        let answers: Vec<_> = own.flat_map(of).collect();
        let brought = answers
            .iter()
            .rfind(|(_, answer)| !answer.text.ends_with("no such record"));
        if let Some((shown, answer)) = brought.or(answers.last()) {
            let answer = sentence_part(&said(shown.exchange, answer, self.words));
            self.say("trace-story-answer", &[("answer", &answer)]);
        }
    }

    fn questions(&mut self, asker: &Lane, names: &[&Shown<'p, 'v>], remembered: bool) {
        let mut questions = Vec::new();
        for shown in names {
            if shown.remembered == remembered && self.lanes(shown).0 == *asker {
                for question in shown.messages.iter().filter(asks) {
                    add_once(&mut questions, line(question).replace('?', ""));
                }
            }
        }
        if !questions.is_empty() {
            let key = if remembered {
                "trace-story-names-remembered"
            } else {
                "trace-story-names"
            };
            let client = asker.label(self.words);
            self.say(
                key,
                &[("client", &client), ("questions", &questions.join(", "))],
            );
        }
    }

    fn relay(&mut self, shown: &Shown<'p, 'v>) {
        let (client, server) = self.labels(shown);
        let port = port(self.words, shown.exchange);
        let args = [("client", &*client), ("server", &*server), ("port", &*port)];
        let own = || shown.messages.iter().filter(|message| message.part > 0);
        if facts::accepts_letter(own()) {
            let tls = shown.exchange.secured().is_some();
            self.say(
                if tls {
                    "trace-story-relayed-tls"
                } else {
                    "trace-story-relayed"
                },
                &args,
            );
        } else if let Some(reason) = refusal(shown.messages.iter()) {
            let [from, to, port] = args;
            let args = [from, to, port, ("reason", &*reason)];
            self.failed((&client, &server), "trace-story-relay-refused", &args);
        }
    }

    fn outcome(&mut self) {
        let stands = delivery::stands(self.journey);
        for (wanted, key) in [
            (Stand::Deferred, "trace-story-deferred"),
            (Stand::Failed, "trace-story-failed"),
        ] {
            for (_, words) in stands.values().filter(|(stand, _)| *stand == wanted) {
                let why = sentence_part(&reason(words, self.words));
                self.say(key, &[("reason", &why)]);
            }
        }
        let failed = stands.values().any(|(stand, _)| *stand == Stand::Failed);
        let sender = facts::sender(self.journey);
        let delivered = stands
            .iter()
            .filter(|(_, (stand, _))| *stand == Stand::Delivered);
        // What reaches the sender of a letter that failed is the report about it.
        let is_report = |address: &&str| failed && sender == Some(*address);
        let (reports, letters): (Vec<&str>, Vec<&str>) =
            delivered.map(|(address, _)| *address).partition(is_report);
        for (to, key) in [
            (letters, "trace-story-delivered"),
            (reports, "trace-story-report"),
        ] {
            if !to.is_empty() {
                self.say(key, &[("to", &visible(&to.join(", ")))]);
            }
        }
    }

    fn fetching(&mut self, shown: &Shown<'p, 'v>) {
        let (person, server) = self.labels(shown);
        let prepares = |other: &&Shown<'p, 'v>| {
            purpose::collection(&self.journey.selection, other)
                .is_some_and(|prepared| core::ptr::eq(prepared.exchange, shown.exchange))
        };
        let names: Vec<_> = self.exchanges().iter().filter(prepares).collect();
        let asker = self.lanes(shown).0;
        self.questions(&asker, &names, true);
        self.questions(&asker, &names, false);
        let fetched = facts::fetched(shown) > 0;
        let key = if fetched {
            "trace-story-collected"
        } else {
            "trace-story-seen"
        };
        self.say(key, &[("person", &person), ("server", &server)]);
    }

    fn collection(&mut self, shown: &Shown<'p, 'v>) {
        let (person, server) = self.labels(shown);
        let args = [("person", &*person), ("server", &*server)];
        match self.journey.state.word().as_str() {
            "collected" => self.say("trace-story-fetched", &args),
            "empty" => self.say("trace-story-none", &args),
            _ => self.dialogue(shown),
        }
    }

    fn page(&mut self) {
        self.names();
        let root = self.journey.root();
        let (client, server) = self.labels(root);
        let port = port(self.words, root.exchange);
        let page = visible(&self.journey.title);
        let args = [
            ("client", &*client),
            ("server", &*server),
            ("port", &*port),
            ("page", &*page),
        ];
        self.say("trace-story-page", &args);
        let reply = facts::root_messages(self.journey).find(answers);
        let reply = reply.map(|reply| said(root.exchange, reply, self.words));
        match reply {
            Some(status) => self.say("trace-story-page-reply", &[("status", &status)]),
            None => self.say("trace-story-no-reply", &[]),
        }
        let http = self
            .exchanges()
            .iter()
            .filter(|shown| shown.exchange.protocol() == "http");
        let sent = http.flat_map(|shown| shown.messages.iter()).filter(answers);
        let (count, bytes) = sent.fold((0, 0_u64), |(count, bytes), message| {
            (
                count + u32::from(is_final_reply(message)),
                bytes.saturating_add(message.size),
            )
        });
        if count > 1 {
            let (count, bytes) = (count.to_string(), bytes.to_string());
            self.say(
                "trace-story-page-parts",
                &[("count", &count), ("bytes", &bytes)],
            );
        }
    }

    fn name(&mut self) {
        let root = self.journey.root();
        let (client, server) = self.labels(root);
        let question = root
            .messages
            .iter()
            .find(asks)
            .map(line)
            .unwrap_or_default();
        let args = [
            ("client", &*client),
            ("server", &*server),
            ("question", &*question),
        ];
        self.say("trace-story-question", &args);
        let mut walk = Vec::new();
        for (place, shown) in self.exchanges().iter().enumerate() {
            if place != self.journey.root {
                add_once(&mut walk, self.lanes(shown).1.label(self.words));
            }
        }
        if !walk.is_empty() {
            self.say("trace-story-walk", &[("servers", &walk.join(", "))]);
        }
        let answer = root.messages.iter().find(answers);
        match answer.map(|answer| said(root.exchange, answer, self.words)) {
            Some(answer) => self.say("trace-story-answer", &[("answer", &answer)]),
            None => self.say("trace-story-no-reply", &[]),
        }
    }

    fn dialogue(&mut self, shown: &Shown<'p, 'v>) {
        let (client, server) = self.labels(shown);
        let port = port(self.words, shown.exchange);
        let count = shown.messages.len().to_string();
        let protocol = visible(shown.exchange.protocol());
        let args = [
            ("client", &*client),
            ("server", &*server),
            ("port", &*port),
            ("protocol", &*protocol),
            ("count", &*count),
        ];
        self.say("trace-story-dialogue", &args);
    }

    /// Connections that broke, or that are still open.
    fn broken(&mut self) {
        for shown in self.exchanges() {
            let (client, server) = self.labels(shown);
            match shown.exchange.ending() {
                Ending::Broken { reason, text } => {
                    let reason = sentence_part(&reason_words(reason, text, self.words));
                    let args = [("server", &*server), ("reason", &*reason)];
                    self.failed((&client, &server), "trace-story-broken", &args);
                }
                Ending::Open if shown.exchange.transport() == crate::record::Transport::Tcp => {
                    self.say("trace-story-open", &[("server", &server)]);
                }
                Ending::Open | Ending::Done => {}
            }
        }
    }
}

fn asks(message: &&Message<'_>) -> bool {
    message.from == Role::Client
}

fn answers(message: &&Message<'_>) -> bool {
    message.from == Role::Server
}

/// A reply's head with a final status (RFC 9110 section 15), not a piece of its content.
fn is_final_reply(message: &Message<'_>) -> bool {
    message.verb.len() == 3 && message.verb.starts_with(['2', '3', '4', '5'])
}

/// The first negative reply, without its final stop.
fn refusal<'m, 'v: 'm>(mut messages: impl Iterator<Item = &'m Message<'v>>) -> Option<String> {
    messages
        .find(|message| facts::is_refusal(message))
        .map(|reply| sentence_part(&line(reply)))
}

/// Without the final stop that the sentence around it brings.
fn sentence_part(text: &str) -> String {
    text.trim_end().trim_end_matches('.').to_string()
}

fn add_once(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
}
