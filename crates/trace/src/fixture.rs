//! Record sets built by hand, as the instances of a lab would write them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::record::{
    Body, Cause, Direction, ExchangeId, Mode, Moment, Opened, Record, Role, Secured, Transport,
    Verb, WallTime,
};
use crate::view::{Source, View};

pub(crate) const LAB: Source = Source(0);
pub(crate) const NORD: Source = Source(1);
pub(crate) const SUD: Source = Source(2);
pub(crate) const PERSON: Source = Source(3);

/// 2026-01-01T10:00:00Z.
const START_US: u64 = 1_767_261_600_000_000;
const BOOTED_US: u64 = 5_000_000;

/// Who keeps an account of one end: the instance, its organisation, its part.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub source: Source,
    pub organisation: &'static str,
    pub service: &'static str,
    pub address: &'static str,
}

/// One exchange on the tape: the ids under which each end writes.
#[derive(Clone, Copy)]
pub(crate) struct Hop {
    pub protocol: &'static str,
    pub client: Option<(Source, ExchangeId)>,
    pub server: Option<(Source, ExchangeId)>,
}

impl Hop {
    pub fn by_client(&self, part: u32) -> Cause {
        Cause {
            exchange: self.client.unwrap().1,
            part,
        }
    }

    pub fn by_server(&self, part: u32) -> Cause {
        Cause {
            exchange: self.server.unwrap().1,
            part,
        }
    }
}

/// What the instances wrote, in order; the clock moves on by itself.
pub(crate) struct Tape {
    pub records: Vec<(Source, Record)>,
    now_us: u64,
    count: u64,
}

impl Tape {
    pub fn new() -> Self {
        Self {
            records: Vec::new(),
            now_us: 0,
            count: 0,
        }
    }

    pub fn wait_us(&mut self, us: u64) {
        self.now_us += us;
    }

    pub fn open(
        &mut self,
        protocol: (&'static str, Transport),
        client: Option<End>,
        server: Option<End>,
        named: &str,
        causes: &[Cause],
    ) -> Hop {
        self.now_us += 200;
        let addresses = [client, server].map(|end| end.map(|end| end.address.parse().unwrap()));
        let stranger: SocketAddr = "127.0.0.9:49999".parse().unwrap();
        let [local, remote] = addresses.map(|address| address.unwrap_or(stranger));
        let mut half = |end: Option<End>, role, local, remote, named: &str, causes: &[Cause]| {
            let end = end?;
            self.count += 1;
            let id = ExchangeId((u64::from(end.source.0) + 1) << 40 | self.count);
            let opened = Opened {
                protocol: protocol.0.into(),
                transport: protocol.1,
                role,
                local,
                remote,
                named: named.into(),
                organisation: end.organisation.into(),
                service: end.service.into(),
                mode: Mode::Event,
                causes: causes.to_vec(),
            };
            self.write((end.source, id), Body::Opened(opened));
            Some((end.source, id))
        };
        let client = half(client, Role::Client, local, remote, named, causes);
        let server = half(server, Role::Server, remote, local, "", &[]);
        Hop {
            protocol: protocol.0,
            client,
            server,
        }
    }

    pub fn say(&mut self, hop: Hop, from: Role, part: u32, text: &str) {
        self.say_because(hop, from, part, text, &[]);
    }

    /// Both ends write the message; the sender's account names the causes, as it knows them. For
    /// what a client asks, the server does: it knows whose letter is fetched.
    pub fn say_because(&mut self, hop: Hop, from: Role, part: u32, text: &str, causes: &[Cause]) {
        self.now_us += 300;
        let verb = text.split([' ', '-']).next().unwrap();
        let verb = if text.starts_with('-') { "-ERR" } else { verb };
        let bytes = on_wire(hop.protocol, from, text);
        for (half, role) in [(hop.client, Role::Client), (hop.server, Role::Server)] {
            let Some(half) = half else { continue };
            let sent = if from == role {
                Direction::Sent
            } else {
                Direction::Received
            };
            let message = Body::Message {
                direction: sent,
                verb: Verb::new(verb),
                text: text.to_string(),
                size: bytes.len() as u64,
                masked: text.contains("***"),
                part,
                before: String::new(),
                after: String::new(),
                causes: causes.to_vec(),
                bytes: bytes.clone(),
            };
            self.write(half, message);
        }
    }

    pub fn dialogue(&mut self, hop: Hop, part: u32, lines: &[&str]) {
        for line in lines {
            let (from, text) = line.split_once(": ").unwrap();
            let from = if from == "C" {
                Role::Client
            } else {
                Role::Server
            };
            self.say(hop, from, part, text);
        }
    }

    pub fn tls(&mut self, hop: Hop) {
        self.now_us += 900;
        self.count += 1;
        let key = [self.count as u8; 16];
        for half in [hop.client, hop.server].into_iter().flatten() {
            let secured = Secured {
                version: "TLSv1.3".into(),
                cipher: "TLS13_AES_128_GCM_SHA256".into(),
                server_name: String::new(),
                key,
            };
            self.write(half, Body::Secured(secured));
        }
    }

    pub fn note(&mut self, half: Option<(Source, ExchangeId)>, part: u32, word: &str, text: &str) {
        self.now_us += 50;
        self.write(
            half.unwrap(),
            Body::Note {
                word: Verb::new(word),
                part,
                text: text.into(),
            },
        );
    }

    pub fn close(&mut self, hop: Hop) {
        self.close_as(hop, "done", "");
    }

    pub fn close_as(&mut self, hop: Hop, reason: &str, text: &str) {
        self.now_us += 100;
        for half in [hop.client, hop.server].into_iter().flatten() {
            self.write(
                half,
                Body::Closed {
                    reason: Verb::new(reason),
                    text: text.into(),
                },
            );
        }
    }

    pub fn view(&self) -> View {
        let mut view = View::new();
        for (source, record) in &self.records {
            view.add(*source, record.clone());
        }
        view
    }

    fn write(&mut self, (source, exchange): (Source, ExchangeId), body: Body) {
        self.now_us += 10;
        let at = Moment((BOOTED_US + self.now_us) * 1_000);
        let wall = WallTime(START_US + self.now_us);
        self.records.push((
            source,
            Record {
                exchange,
                at,
                wall,
                body,
            },
        ));
    }

    fn ask(&mut self, client: Option<End>, server: End, question: &str, because: &[Cause]) -> Hop {
        let hop = self.open(("dns", Transport::Udp), client, Some(server), "", because);
        self.say(hop, Role::Client, 0, question);
        hop
    }

    fn answer(&mut self, hop: Hop, text: &str) {
        self.say(hop, Role::Server, 0, text);
        self.close(hop);
    }

    /// A question to the lab's resolver, which walks from the root.
    pub fn resolve(
        &mut self,
        client: Option<End>,
        question: &str,
        answer: &str,
        why: &[Cause],
    ) -> Hop {
        let stub = self.ask(client, RESOLVER, question, why);
        let asked = [stub.by_server(0)];
        for (server, referral) in [
            (ROOT, "NOERROR referral to test"),
            (TLD, "NOERROR referral to sud.test"),
            (SUD_NAMES, answer),
        ] {
            let hop = self.ask(Some(WALKER), server, question, &asked);
            self.answer(hop, referral);
        }
        self.answer(stub, answer);
        stub
    }

    /// The same from the resolver's memory.
    pub fn remembered(
        &mut self,
        client: Option<End>,
        question: &str,
        answer: &str,
        first: Hop,
        why: &[Cause],
    ) -> Hop {
        let stub = self.ask(client, RESOLVER, question, why);
        let memory = [first.by_server(0)];
        self.say_because(stub, Role::Server, 0, answer, &memory);
        self.close(stub);
        stub
    }
}

const fn end(
    source: Source,
    organisation: &'static str,
    service: &'static str,
    address: &'static str,
) -> End {
    End {
        source,
        organisation,
        service,
        address,
    }
}

const RESOLVER: End = end(LAB, "", "resolver", "127.0.0.1:20053");
const WALKER: End = end(LAB, "", "resolver", "127.0.0.1:40001");
const ROOT: End = end(LAB, "", "root", "127.0.0.1:20153");
const TLD: End = end(LAB, "test", "names", "127.0.0.1:20253");
const SUD_NAMES: End = end(SUD, "sud.test", "names", "127.0.0.3:20053");
const NORD_QUEUE: End = end(NORD, "nord.test", "queue", "127.0.0.2:41822");
const SUD_SMTP: End = end(SUD, "sud.test", "smtp", "127.0.0.3:20025");
const SUD_POP3: End = end(SUD, "sud.test", "pop3", "127.0.0.3:20110");
const SUD_WEB: End = end(SUD, "sud.test", "web", "127.0.0.3:20080");

const TCP: Transport = Transport::Tcp;

/// Alice's program connects to her server.
pub(crate) fn submission(tape: &mut Tape) -> Hop {
    let alice = end(PERSON, "", "guichet send", "127.0.0.1:50001");
    let server = end(NORD, "nord.test", "submission", "127.0.0.2:20587");
    tape.open(
        ("smtp", TCP),
        Some(alice),
        Some(server),
        "mail.nord.test port 587",
        &[],
    )
}

/// A person's program and a server, whatever they speak.
pub(crate) fn one_to_one(tape: &mut Tape, protocol: (&'static str, Transport)) -> Hop {
    let client = end(PERSON, "", "guichet", "127.0.0.1:50009");
    tape.open(protocol, Some(client), Some(SUD_WEB), "", &[])
}

/// Alice's program hands in a letter, the dialogue's part 1.
pub(crate) fn submit(tape: &mut Tape) -> Hop {
    let hop = submission(tape);
    tape.dialogue(
        hop,
        0,
        &[
            "S: 220 mail.nord.test ready",
            "C: EHLO alice",
            "S: 250 STARTTLS",
            "C: STARTTLS",
            "S: 220 go ahead",
        ],
    );
    tape.tls(hop);
    tape.dialogue(
        hop,
        0,
        &[
            "C: EHLO alice",
            "S: 250 AUTH PLAIN",
            "C: AUTH PLAIN ********",
            "S: 235 welcome",
        ],
    );
    tape.dialogue(
        hop,
        1,
        &[
            "C: MAIL FROM:<alice@nord.test> SIZE=42",
            "S: 250 ok",
            "C: RCPT TO:<bob@sud.test>",
            "S: 250 ok",
            "C: DATA",
            "S: 354 go on",
            "C: . 42 bytes",
            "S: 250 accepted as Q1",
        ],
    );
    tape.note(hop.server, 1, "message-id", "<m1@nord.test>");
    tape.note(hop.server, 1, "queued", "Q1");
    tape.dialogue(hop, 0, &["C: QUIT", "S: 221 bye"]);
    tape.close(hop);
    hop
}

/// The queue of nord.test asks for names and passes the letter on.
pub(crate) fn relay(tape: &mut Tape, submitted: Hop) -> Hop {
    let names = ask_for_the_exchanger(tape, submitted);
    relay_knowing(tape, submitted, names)
}

/// The queue of nord.test asks who takes mail for sud.test.
pub(crate) fn ask_for_the_exchanger(tape: &mut Tape, submitted: Hop) -> Hop {
    let asker = end(NORD, "nord.test", "queue", "127.0.0.2:41001");
    tape.resolve(
        Some(asker),
        "sud.test MX?",
        "NOERROR 10 mail.sud.test",
        &[submitted.by_server(1)],
    )
}

/// The queue of nord.test passes the letter on to where the names say, which it may have asked for
/// an earlier letter.
pub(crate) fn relay_knowing(tape: &mut Tape, submitted: Hop, names: Hop) -> Hop {
    let causes = [submitted.by_server(1), names.by_client(0)];
    let hop = tape.open(
        ("smtp", TCP),
        Some(NORD_QUEUE),
        Some(SUD_SMTP),
        "mail.sud.test port 25",
        &causes,
    );
    tape.dialogue(
        hop,
        0,
        &[
            "S: 220 mail.sud.test ready",
            "C: EHLO mail.nord.test",
            "S: 250 STARTTLS",
            "C: STARTTLS",
            "S: 220 go ahead",
        ],
    );
    tape.tls(hop);
    tape.dialogue(
        hop,
        1,
        &[
            "C: MAIL FROM:<alice@nord.test> SIZE=42",
            "S: 250 ok",
            "C: RCPT TO:<bob@sud.test>",
            "S: 250 ok",
            "C: DATA",
            "S: 354 go on",
            "C: . 42 bytes",
        ],
    );
    tape.note(hop.server, 1, "delivered", "bob@sud.test");
    tape.dialogue(hop, 1, &["S: 250 delivered"]);
    hop
}

/// Bob's program asks where his mail lies.
pub(crate) fn ask_for_the_maildrop(tape: &mut Tape) -> Hop {
    let bob = end(PERSON, "", "guichet fetch", "127.0.0.1:50001");
    let answer = "NOERROR mail.sud.test A 127.0.0.3";
    tape.resolve(Some(bob), "mail.sud.test A?", answer, &[])
}

/// Bob's program opens his maildrop.
pub(crate) fn open_maildrop(tape: &mut Tape) -> Hop {
    open_maildrop_because(tape, &[])
}

/// The same, led there by what the name service said.
pub(crate) fn open_maildrop_because(tape: &mut Tape, causes: &[Cause]) -> Hop {
    let bob = end(PERSON, "", "guichet fetch", "127.0.0.1:50002");
    let hop = tape.open(
        ("pop3", TCP),
        Some(bob),
        Some(SUD_POP3),
        "mail.sud.test port 110",
        causes,
    );
    tape.dialogue(
        hop,
        0,
        &[
            "S: +OK ready",
            "C: USER bob@sud.test",
            "S: +OK",
            "C: PASS ***",
            "S: +OK",
            "C: LIST",
        ],
    );
    hop
}

/// Fetches one letter as `part`, delivered by `because`.
pub(crate) fn retrieve(tape: &mut Tape, hop: Hop, part: u32, because: &[Cause]) {
    tape.say_because(
        hop,
        Role::Client,
        part,
        &alloc::format!("RETR {part}"),
        because,
    );
    tape.say(
        hop,
        Role::Server,
        part,
        &alloc::format!("+OK letter {part}"),
    );
}

pub(crate) fn leave_maildrop(tape: &mut Tape, hop: Hop) {
    tape.dialogue(hop, 0, &["C: QUIT", "S: +OK bye"]);
    tape.close(hop);
}

/// The course's letter between two organisations: submission with TLS, the names' walk, the relay,
/// the collection. Seven exchanges.
pub(crate) fn letter_tape() -> (Tape, Hop) {
    let mut tape = Tape::new();
    let submitted = submit(&mut tape);
    let relayed = relay(&mut tape, submitted);
    tape.dialogue(relayed, 0, &["C: QUIT", "S: 221 bye"]);
    tape.close(relayed);
    let maildrop = open_maildrop(&mut tape);
    tape.dialogue(maildrop, 0, &["S: +OK 1 letter"]);
    retrieve(&mut tape, maildrop, 1, &[relayed.by_server(1)]);
    leave_maildrop(&mut tape, maildrop);
    (tape, submitted)
}

pub(crate) fn letter() -> Vec<(Source, Record)> {
    letter_tape().0.records
}

fn browser(address: &'static str) -> Option<End> {
    Some(end(PERSON, "", "guichet get", address))
}

/// A page of three files over one connection, after its name was looked up as `names`.
pub(crate) fn load(tape: &mut Tape, names: Hop, address: &'static str) -> Hop {
    let because = [names.by_client(0)];
    let hop = tape.open(
        ("http", TCP),
        browser(address),
        Some(SUD_WEB),
        "www.sud.test port 80",
        &because,
    );
    let first = [hop.by_client(1)];
    for (part, file) in [(1, ""), (2, "style.css"), (3, "picture.png")] {
        let causes: &[Cause] = if part == 1 { &[] } else { &first };
        let request = alloc::format!("GET http://www.sud.test/{file}");
        tape.say_because(hop, Role::Client, part, &request, causes);
        tape.say(hop, Role::Server, part, "200 OK");
    }
    tape.close(hop);
    hop
}

/// Two page journeys: the second finds the name in the resolver's memory.
pub(crate) fn pages() -> Tape {
    let mut tape = Tape::new();
    let (question, answer) = ("www.sud.test A?", "NOERROR 127.0.0.3");
    let names = tape.resolve(browser("127.0.0.1:51001"), question, answer, &[]);
    load(&mut tape, names, "127.0.0.1:51002");
    tape.wait_us(3_000_000);
    let again = tape.remembered(browser("127.0.0.1:51003"), question, answer, names, &[]);
    load(&mut tape, again, "127.0.0.1:51004");
    tape
}

/// The bytes that such a message would have been.
fn on_wire(protocol: &str, from: Role, text: &str) -> Vec<u8> {
    match (protocol, from) {
        ("dns", _) => dns_message(from, text),
        ("http", Role::Client) => {
            let path = text.rsplit('/').next().unwrap();
            alloc::format!("GET /{path} HTTP/1.1\r\nHost: www.sud.test\r\n\r\n").into_bytes()
        }
        ("http", Role::Server) => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody".to_vec(),
        ("smtp", Role::Client) if text.starts_with('.') => {
            b"Subject: greetings\r\n\r\n.a line with a dot\r\n".to_vec()
        }
        _ => [text.as_bytes(), b"\r\n"].concat(),
    }
}

/// A DNS header and, in a query, its question (RFC 1035 section 4.1).
fn dns_message(from: Role, text: &str) -> Vec<u8> {
    let (flags, questions) = if from == Role::Client {
        (0x0100_u16, 1_u16)
    } else {
        (0x8180, 0)
    };
    let mut bytes = alloc::vec![0, 7];
    for field in [flags, questions, 0, 0, 0] {
        bytes.extend_from_slice(&field.to_be_bytes());
    }
    if let (Role::Client, Some((name, rtype))) = (from, text.split_once(' ')) {
        for label in name.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.extend_from_slice(&[0, 0, if rtype == "MX?" { 15 } else { 1 }, 0, 1]);
    }
    bytes
}

/// The queue of nord.test finds nobody at mail.sud.test.
pub(crate) fn refused_relay(tape: &mut Tape, submitted: Hop) -> Hop {
    let causes = [submitted.by_server(1)];
    let named = "mail.sud.test port 25";
    let hop = tape.open(("smtp", TCP), Some(NORD_QUEUE), None, named, &causes);
    tape.close_as(hop, "refused", "nobody listens there");
    hop
}
