//! Plays transcripts against a session and a service, purely: no socket, a clock that jumps.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;

use guichet_trace::Moment;

use crate::dialogue::{Dialogue, Next};
use crate::service::{Reply, Service};
use crate::session::{NoTap, Session, Tap};
use crate::transcript::{Control, Step, Text, Transcript, escape};

/// Which side of the transcript the session plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ours {
    /// The session says the `C:` lines.
    Client,
    /// The session says the `S:` lines.
    Server,
}

/// A session being played, step by step.
pub struct Player<'a, S: Session, V> {
    dialogue: Dialogue<S>,
    service: V,
    tap: &'a mut dyn Tap,
    now: Moment,
    chunk_bytes: usize,
    heard: Vec<u8>,
    asked: Vec<String>,
    closed: bool,
    secures: bool,
}

/// Plays a transcript, what the other side says arriving in pieces of `chunk_bytes`. The error is
/// a sentence with the line.
pub fn play<S, V>(
    transcript: &Transcript,
    ours: Ours,
    session: S,
    service: V,
    chunk_bytes: usize,
) -> Result<V, String>
where
    S: Session,
    S::Ask: Debug,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    let mut tap = NoTap;
    let mut player = Player::new(session, service, chunk_bytes, &mut tap);
    for (line, step) in &transcript.steps {
        player
            .step(ours, step)
            .map_err(|what| format!("line {line}: {what}"))?;
    }
    player.finish()
}

/// Plays a transcript whole and in every chunk size from one byte up to its longest step, with a
/// fresh session and service each time.
pub fn play_in_all_chunks<S, V>(
    text: &str,
    ours: Ours,
    mut fresh: impl FnMut() -> (S, V),
) -> Result<(), String>
where
    S: Session,
    S::Ask: Debug,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    let transcript = Transcript::parse(text).map_err(|e| format!("line {}: {}", e.line, e.what))?;
    let longest = transcript.steps.iter().map(|(_, step)| match step {
        Step::Client(text) | Step::Server(text) => text.bytes().len(),
        _ => 0,
    });
    let longest = longest.max().unwrap_or(0).min(200);
    for chunk_bytes in (1..=longest).chain([usize::MAX]) {
        let (session, service) = fresh();
        play(&transcript, ours, session, service, chunk_bytes)
            .map_err(|what| format!("in pieces of {chunk_bytes}: {what}"))?;
    }
    Ok(())
}

impl<'a, S, V> Player<'a, S, V>
where
    S: Session,
    S::Ask: Debug,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    /// Opens the dialogue.
    pub fn new(session: S, service: V, chunk_bytes: usize, tap: &'a mut dyn Tap) -> Self {
        let now = Moment(0);
        let mut player = Self {
            dialogue: Dialogue::open(session, now),
            service,
            tap,
            now,
            chunk_bytes,
            heard: Vec::new(),
            asked: Vec::new(),
            closed: false,
            secures: false,
        };
        player.drive();
        player
    }

    /// Plays one step.
    pub fn step(&mut self, ours: Ours, step: &Step) -> Result<(), String> {
        match (step, ours) {
            (Step::Client(text), Ours::Server) | (Step::Server(text), Ours::Client) => {
                self.hear(&text.bytes());
                Ok(())
            }
            (Step::Client(text), Ours::Client) | (Step::Server(text), Ours::Server) => {
                self.expect(text)
            }
            (Step::Decision(start), _) => self.expect_asked(start),
            (Step::Time(time), _) => {
                self.now = self.now.after(*time);
                self.dialogue.tick(self.now);
                self.drive();
                Ok(())
            }
            (Step::Control(control), _) => self.control(*control),
        }
    }

    /// Feeds what the other side says.
    pub fn hear(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(self.chunk_bytes.max(1)) {
            self.dialogue.receive(chunk);
            self.drive();
        }
    }

    /// What was said and not yet expected.
    pub fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// The session, to look at.
    pub fn session(&self) -> &S {
        self.dialogue.session()
    }

    /// Whether the dialogue has closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The service.
    pub fn service(&mut self) -> &mut V {
        &mut self.service
    }

    /// The service, to look at.
    pub fn service_ref(&self) -> &V {
        &self.service
    }

    /// The transcript is over: nothing may be left unexpected.
    pub fn finish(self) -> Result<V, String> {
        match self.heard.is_empty() {
            true => Ok(self.service),
            false => Err(format!(
                "at the end this was also said: {}",
                escape(&self.heard)
            )),
        }
    }

    fn expect(&mut self, text: &Text) -> Result<(), String> {
        let taken = text.matches(&self.heard).ok_or_else(|| {
            format!(
                "expected {}, got {}",
                escape(&text.bytes()),
                escape(&self.heard)
            )
        })?;
        self.heard.drain(..taken);
        Ok(())
    }

    fn expect_asked(&mut self, start: &str) -> Result<(), String> {
        if self.asked.is_empty() {
            return Err(format!("expected the question {start}, nothing was asked"));
        }
        let asked = self.asked.remove(0);
        match asked.starts_with(start) {
            true => Ok(()),
            false => Err(format!("expected the question {start}, got {asked}")),
        }
    }

    fn control(&mut self, control: Control) -> Result<(), String> {
        match control {
            Control::Tls if !self.secures => Err("expected TLS to begin, it does not".to_string()),
            Control::Tls => {
                self.secures = false;
                self.dialogue.secured(self.now);
                self.drive();
                Ok(())
            }
            Control::HalfClose => {
                self.dialogue.input_ended();
                self.drive();
                Ok(())
            }
            Control::Stop => {
                self.dialogue.stop(self.now);
                self.drive();
                Ok(())
            }
            Control::Closed if self.closed => Ok(()),
            Control::Closed => Err("expected the dialogue to be closed, it is open".to_string()),
        }
    }

    fn drive(&mut self) {
        while !self.closed {
            match self.dialogue.next(self.now, self.tap) {
                Next::Flush => self.flush(),
                Next::Idle => {
                    self.flush();
                    return;
                }
                Next::Ask(ask) => {
                    self.asked.push(format!("{ask:?}"));
                    match self.service.ask(ask) {
                        Reply::Now(answer) => self.dialogue.answer(self.now, answer),
                        Reply::Later(_) => return, // a test that wants this drives by hand
                    }
                }
                Next::Piece => {
                    let _ = self.service.piece(self.dialogue.piece());
                    self.dialogue.piece_taken(self.now);
                }
                Next::Pull(source) => match self.service.pull(source, self.chunk_bytes) {
                    Reply::Now(pulled) => self.dialogue.pulled(pulled, self.tap),
                    Reply::Later(_) => return,
                },
                Next::Secure(_) => {
                    self.flush();
                    self.secures = true;
                    return;
                }
                Next::Channel(_) | Next::HalfClose => {}
                Next::Close(_) => {
                    self.flush();
                    self.closed = true;
                }
            }
        }
    }

    fn flush(&mut self) {
        loop {
            let output = self.dialogue.output();
            if output.is_empty() {
                return;
            }
            self.heard.extend_from_slice(output);
            let count = output.len();
            self.dialogue.sent(self.now, count);
        }
    }
}
