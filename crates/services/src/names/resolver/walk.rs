//! One question on its way from the root to its answer.

use std::net::SocketAddr;
use std::time::Duration;

use guichet_proto::dns::{Class, Message, Name, Opcode, Rcode, Record, Rtype, query};
use guichet_trace::{Cause, Moment, Transport};

use super::cache::{Cache, Known, alias_target};
use super::reply::{Verdict, judge};
use super::servers::{Address, Servers};
use super::{Answer, Limits, Question, RootHint};

/// Name servers looked for in all, whatever their zones: the second fence behind
/// [`Limits::glueless_max`].
const GLUELESS_IN_ALL_MAX: u32 = 16;

/// Troubles remembered, to tell people.
const TROUBLES_MAX: usize = 20;

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send this, then tell [`Walk::heard`] or [`Walk::failed`].
    Ask(Ask),
    /// That is the end.
    Done(Answer),
}

/// A query to be sent. Over UDP from a port chosen afresh (RFC 5452 section 9.2); over TCP the
/// driver puts the length in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The message.
    pub bytes: Vec<u8>,
    /// To whom.
    pub server: SocketAddr,
    /// How.
    pub transport: Transport,
    /// How long to wait for an answer.
    pub patience: Duration,
    /// The server's name.
    pub host: Name,
    /// The zone for which it is asked: the root, `test`, `sud.test` …
    pub zone: Name,
    /// What the reply must repeat.
    pub id: u16,
    /// What it is asked; differs from the walk's question behind an alias or when a name server's
    /// address is looked for.
    pub question: Question,
}

impl Ask {
    /// Whether these bytes answer this query. Others (late, strange, forged) must not end the
    /// wait; [`Walk::heard`] would ignore them, too.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        expected(bytes, self.id, &self.question).is_ok()
    }
}

/// Whether the reply was the one waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Yes: go on with [`Walk::next`].
    Taken,
    /// No, it belongs to no question of ours: go on waiting. Why, for the trace.
    Ignored(&'static str),
}

/// Why there was no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing came in time.
    Timeout,
    /// The system or the network said so, or the connection ended.
    Unreachable,
}

/// A question on its way.
#[derive(Debug)]
pub struct Walk {
    question: Question,
    roots: Vec<RootHint>,
    limits: Limits,
    started: Option<Moment>,
    queries: u32,
    glueless: u32,
    /// The question itself at the bottom, above it searches for name servers' addresses.
    tasks: Vec<Task>,
    asked: Option<Asked>,
    done: Option<Answer>,
    causes: Vec<Cause>,
    troubles: Vec<String>,
}

/// The search for one name's records.
#[derive(Debug)]
struct Task {
    /// What to find now, behind the aliases passed so far.
    question: Question,
    aliases: Vec<Record>,
    servers: Option<Servers>,
    /// For which server of the task below it looks.
    seeker: usize,
}

/// The query in flight.
#[derive(Debug)]
struct Asked {
    id: u16,
    zone: Name,
    question: Question,
    server: usize,
    address: usize,
}

impl Walk {
    /// A question, to be walked from these root servers.
    pub fn new(question: Question, roots: Vec<RootHint>, limits: Limits) -> Self {
        let tasks = vec![Task::new(question.clone(), 0)];
        Self {
            question,
            roots,
            limits,
            started: None,
            queries: 0,
            glueless: 0,
            tasks,
            asked: None,
            done: None,
            causes: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Says what to do next. `random` must be unpredictable and new for each call: the query's id
    /// and the choice among servers come from it.
    pub fn next(&mut self, cache: &mut Cache, now: Moment, random: u64) -> Step {
        let started = *self.started.get_or_insert(now);
        self.asked = None;
        loop {
            if let Some(answer) = &self.done {
                return Step::Done(answer.clone());
            }
            if now.since(started) >= self.limits.walk_time {
                self.give_up("it took too long".to_owned());
            } else if let Some(ask) = self.advance(cache, now, random) {
                return Step::Ask(ask);
            }
        }
    }

    /// Takes what came from the server asked. `cause` is the exchange in which it came.
    pub fn heard(
        &mut self,
        cache: &mut Cache,
        bytes: &[u8],
        cause: Option<Cause>,
        now: Moment,
    ) -> Heard {
        let Some(asked) = self.asked.take() else {
            return Heard::Ignored("nothing was asked");
        };
        let message = match expected(bytes, asked.id, &asked.question) {
            Ok(message) => message,
            Err(why) => {
                self.asked = Some(asked);
                return Heard::Ignored(why);
            }
        };
        if message.flags.truncated {
            self.truncated(&asked);
            return Heard::Taken;
        }
        match judge(&asked.zone, &asked.question, &message, &self.limits) {
            Verdict::Facts(aliases, known) => {
                self.led_here(cause);
                self.learn_facts(cache, aliases, known, cause, now);
            }
            Verdict::Referral(delegation) => {
                self.led_here(cause);
                cache.store_delegation(delegation.clone(), cause, now);
                self.ask_servers(Servers::of(&delegation));
            }
            Verdict::NoEdns => self.without_edns(&asked, message.rcode),
            Verdict::Lame(why) => self.discard(&asked, &why),
        }
        Heard::Taken
    }

    /// There was no reply.
    pub fn failed(&mut self, failure: Failure) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        match failure {
            Failure::Timeout => self.trouble(&asked, "does not answer"),
            Failure::Unreachable => self.discard(&asked, "cannot be reached"),
        }
    }

    /// One step: from what is known, or by a query.
    fn advance(&mut self, cache: &Cache, now: Moment, random: u64) -> Option<Ask> {
        let Some(task) = self.tasks.last() else {
            self.give_up("nothing is left to do".to_owned());
            return None;
        };
        let Question { name, qtype } = &task.question;
        if let Some((known, cause)) = cache.find(name, *qtype, now) {
            self.led_here(cause);
            self.learn(known);
            return None;
        }
        if task.servers.is_none() {
            match cache.delegation(name, *qtype == Rtype::DS, now) {
                Some((delegation, cause)) => {
                    self.led_here(cause);
                    self.ask_servers(Servers::of(delegation));
                }
                None => self.ask_servers(Servers::of_root(&self.roots)),
            }
            return None;
        }
        if self.queries >= self.limits.queries_max {
            self.give_up(format!("{} queries have not found it", self.queries));
            return None;
        }
        let ask = self.choose(random);
        if ask.is_none() && !self.seek_server() {
            self.dead_end();
        }
        ask
    }

    /// The next query.
    fn choose(&mut self, random: u64) -> Option<Ask> {
        let task = self.tasks.last_mut()?;
        let question = task.question.clone();
        let servers = task.servers.as_mut()?;
        let zone = servers.zone.clone();
        let (server, at) = servers.pick(random >> 16, self.limits.tries_max)?;
        let host = servers.list.get(server)?.name.clone();
        let address = servers.address_mut(server, at)?;
        let patience = self.limits.patience * 2_u32.pow(address.tries.min(4));
        address.tries += 1;
        self.queries += 1;
        let id = random as u16;
        let ask = Ask {
            bytes: query(id, &question.name, question.qtype, false, address.edns),
            server: address.socket,
            transport: address.transport,
            patience,
            host,
            zone: zone.clone(),
            id,
            question: question.clone(),
        };
        self.asked = Some(Asked {
            id,
            zone,
            question,
            server,
            address: at,
        });
        Some(ask)
    }

    /// Begins to look for the address of a server that came without; false if there is none left
    /// that may be looked for.
    fn seek_server(&mut self) -> bool {
        if self.tasks.len() > self.limits.depth_max || self.glueless >= GLUELESS_IN_ALL_MAX {
            return false;
        }
        let Some((task, below)) = self.tasks.split_last_mut() else {
            return false;
        };
        let Some(servers) = task.servers.as_mut() else {
            return false;
        };
        let mut searched: Vec<&Name> = below.iter().map(|task| &task.question.name).collect();
        searched.push(&task.question.name);
        let found = servers.seek(&searched, self.limits.glueless_max);
        let Some((seeker, question)) = found else {
            return false;
        };
        self.glueless += 1;
        self.tasks.push(Task::new(question, seeker));
        true
    }

    fn ask_servers(&mut self, servers: Servers) {
        if let Some(task) = self.tasks.last_mut() {
            task.servers = Some(servers);
        }
    }

    /// Stores and learns what a reply said, as far as it concerns the task that asked.
    fn learn_facts(
        &mut self,
        cache: &mut Cache,
        aliases: Vec<Record>,
        known: Option<Known>,
        cause: Option<Cause>,
        now: Moment,
    ) {
        for alias in aliases {
            let known = Known::Alias(alias.clone());
            cache.store(&alias.owner, Rtype::CNAME, &known, cause, now);
            if !self.learn(known) {
                return;
            }
        }
        if let Some(known) = known
            && let Some(task) = self.tasks.last()
        {
            cache.store(&task.question.name, task.question.qtype, &known, cause, now);
            self.learn(known);
        }
    }

    /// Applies a fact to the top task; false when that ended it.
    fn learn(&mut self, known: Known) -> bool {
        match known {
            Known::Alias(alias) => return self.pass(alias),
            Known::Records(records) => self.finish(Rcode::NOERROR, records, Vec::new()),
            Known::NoData(soa) => self.finish(Rcode::NOERROR, Vec::new(), soa),
            Known::NoName(soa) => self.finish(Rcode::NXDOMAIN, Vec::new(), soa),
        }
        false
    }

    /// Goes on behind an alias; false when that ended the task.
    fn pass(&mut self, alias: Record) -> bool {
        let nested = self.tasks.len() > 1;
        let Some(task) = self.tasks.last_mut() else {
            return false;
        };
        let circle = task
            .aliases
            .iter()
            .any(|passed| passed.owner == alias.owner);
        let target = alias_target(&alias).filter(|_| !circle);
        // A name server must not be an alias (RFC 2181 section 10.3).
        match target.filter(|_| !nested && task.aliases.len() < self.limits.aliases_max) {
            Some(target) => {
                task.aliases.push(alias);
                task.question.name = target;
                task.servers = None;
                true
            }
            None => {
                let what = if nested {
                    "is a name server and an alias"
                } else {
                    "is an alias of an                      alias of an alias …, in a circle or too many"
                };
                self.note(format!("{} {what}", alias.owner));
                self.finish(Rcode::SERVFAIL, Vec::new(), Vec::new());
                false
            }
        }
    }

    /// The top task has its result: the answer, or addresses for the task below.
    fn finish(&mut self, rcode: Rcode, records: Vec<Record>, authority: Vec<Record>) {
        let Some(mut task) = self.tasks.pop() else {
            return;
        };
        let Some(below) = self.tasks.last_mut() else {
            task.aliases.extend(records);
            self.done = Some(self.result(rcode, task.aliases, authority));
            return;
        };
        let addresses: Vec<Address> = records
            .iter()
            .filter_map(super::address)
            .filter(|&address| self.limits.allows(address))
            .map(Address::at)
            .collect();
        let servers = below.servers.as_mut().map(|servers| &mut servers.list);
        if let Some(server) = servers.and_then(|list| list.get_mut(task.seeker)) {
            server.addresses = addresses;
        }
    }

    /// Nobody is left to ask for the top task.
    fn dead_end(&mut self) {
        if let Some(task) = self.tasks.last()
            && let Some(servers) = &task.servers
        {
            let text = format!("no server of {} could say {}", servers.zone, task.question);
            self.note(text);
        }
        self.finish(Rcode::SERVFAIL, Vec::new(), Vec::new());
    }

    fn give_up(&mut self, why: String) {
        self.note(why);
        let aliases = self
            .tasks
            .drain(..)
            .next()
            .map_or_else(Vec::new, |task| task.aliases);
        self.done = Some(self.result(Rcode::SERVFAIL, aliases, Vec::new()));
    }

    fn result(&mut self, rcode: Rcode, records: Vec<Record>, authority: Vec<Record>) -> Answer {
        Answer {
            question: self.question.clone(),
            rcode,
            records,
            authority,
            from_cache: self.queries == 0,
            causes: std::mem::take(&mut self.causes),
            troubles: std::mem::take(&mut self.troubles),
        }
    }

    fn truncated(&mut self, asked: &Asked) {
        let limit = self.limits.tries_max;
        let Some(address) = self.address_mut(asked) else {
            return;
        };
        match address.transport {
            Transport::Udp => {
                address.transport = Transport::Tcp;
                address.tries = address.tries.saturating_sub(1);
            }
            Transport::Tcp => address.tries = limit,
        }
    }

    fn without_edns(&mut self, asked: &Asked, rcode: Rcode) {
        match self.address_mut(asked) {
            Some(address) if address.edns => {
                address.edns = false;
                address.tries = address.tries.saturating_sub(1);
            }
            _ => self.discard(asked, &format!("answers {rcode}")),
        }
    }

    /// Asks this address no more.
    fn discard(&mut self, asked: &Asked, why: &str) {
        let limit = self.limits.tries_max;
        if let Some(address) = self.address_mut(asked) {
            address.tries = limit;
        }
        self.trouble(asked, why);
    }

    fn address_mut(&mut self, asked: &Asked) -> Option<&mut Address> {
        let servers = self.tasks.last_mut()?.servers.as_mut()?;
        servers.address_mut(asked.server, asked.address)
    }

    fn trouble(&mut self, asked: &Asked, why: &str) {
        let server = self.tasks.last().and_then(|task| task.servers.as_ref());
        let server = server.and_then(|servers| servers.list.get(asked.server));
        let Some(server) = server else { return };
        let Some(address) = server.addresses.get(asked.address) else {
            return;
        };
        let text = format!(
            "{} ({}), asked as a server of {}, {why}",
            server.name, address.socket, asked.zone
        );
        self.note(text);
    }

    fn note(&mut self, text: String) {
        if self.troubles.len() == TROUBLES_MAX {
            self.troubles.remove(0);
        }
        self.troubles.push(text);
    }

    fn led_here(&mut self, cause: Option<Cause>) {
        if let Some(cause) = cause
            && !self.causes.contains(&cause)
        {
            self.causes.push(cause);
        }
    }
}

impl Task {
    fn new(question: Question, seeker: usize) -> Self {
        Self {
            question,
            aliases: Vec::new(),
            servers: None,
            seeker,
        }
    }
}

/// The message, if it answers what was asked (RFC 5452 section 9.1).
fn expected(bytes: &[u8], id: u16, asked: &Question) -> Result<Message, &'static str> {
    let message = Message::read(bytes).map_err(|_| "not a readable DNS message")?;
    if !message.flags.response || message.opcode != Opcode::QUERY {
        return Err("not a response");
    }
    if message.id != id {
        return Err("another id");
    }
    match &message.question {
        Some(question)
            if question.name == asked.name
                && question.qtype == asked.qtype
                && question.qclass == Class::IN =>
        {
            Ok(message)
        }
        // A server that could not read the query cannot repeat its question.
        None if message.rcode == Rcode::FORMERR || message.rcode == Rcode::NOTIMP => Ok(message),
        _ => Err("another question"),
    }
}
