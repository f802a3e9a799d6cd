//! What a session says: the list of effects of one input.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use guichet_trace::{Cause, Moment, Verb};

use crate::session::{ChannelOrder, SourceForm, SourceId, TlsSide};

/// What the trace shall know of one message.
#[derive(Clone, Debug)]
pub struct About {
    /// The protocol's word for it.
    pub verb: Verb,
    /// Byte ranges of the message that are secret.
    pub masks: Vec<Range<usize>>,
    /// Words for people, free of secrets and, because they are kept at level `envelope`, of
    /// content. `None`: the first line of the message itself, masked.
    pub text: Option<String>,
    /// What led to this message.
    pub causes: Vec<Cause>,
}

impl About {
    /// Nothing but a verb.
    pub const fn new(verb: Verb) -> Self {
        Self {
            verb,
            masks: Vec::new(),
            text: None,
            causes: Vec::new(),
        }
    }

    /// Hides a range of the message's bytes.
    pub fn mask(&mut self, range: Range<usize>) -> &mut Self {
        self.masks.push(range);
        self
    }

    /// Replaces the words shown.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.text = Some(text.into());
        self
    }

    /// Links to what led to it.
    pub fn cause(&mut self, cause: Cause) -> &mut Self {
        self.causes.push(cause);
        self
    }
}

/// Where a session puts what is to be done, in order.
pub struct Outbox<Ask> {
    /// Everything said and not yet sent.
    pub(crate) bytes: Vec<u8>,
    pub(crate) actions: VecDeque<Action<Ask>>,
    /// About the message being handled.
    pub(crate) received: About,
    pub(crate) part: u32,
    pub(crate) patience: Option<Duration>,
    pub(crate) wake_at: Option<Moment>,
    /// Bytes that wait behind what is being handled.
    pub(crate) unread_bytes: usize,
}

pub(crate) enum Action<Ask> {
    Say {
        about: About,
        part: u32,
        range: Range<usize>,
    },
    Source {
        about: About,
        part: u32,
        source: SourceId,
        form: SourceForm,
    },
    Note {
        part: u32,
        word: Verb,
        text: String,
    },
    Ask(Ask),
    Secure(TlsSide),
    Channel(ChannelOrder),
    HalfClose,
    Close,
}

const UNNAMED: Verb = Verb::new("?");

impl<Ask> Default for Outbox<Ask> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            actions: VecDeque::new(),
            received: About::new(UNNAMED),
            part: 0,
            patience: None,
            wake_at: None,
            unread_bytes: 0,
        }
    }
}

impl<Ask> Outbox<Ask> {
    /// Names the message being handled (or the body that just ended) for the trace.
    pub fn received(&mut self, verb: Verb) -> &mut About {
        self.received.verb = verb;
        &mut self.received
    }

    /// Sends one message.
    pub fn say(&mut self, verb: Verb, bytes: &[u8]) -> &mut About {
        self.say_with(verb, |buffer| buffer.extend_from_slice(bytes))
    }

    /// Sends one message that `write` appends to the output buffer.
    pub fn say_with(&mut self, verb: Verb, write: impl FnOnce(&mut Vec<u8>)) -> &mut About {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let range = start..self.bytes.len();
        self.actions.push_back(Action::Say {
            about: About::new(verb),
            part: self.part,
            range,
        });
        self.last_about()
    }

    /// Sends what the service holds under `source`, piece by piece. Input is not cut meanwhile;
    /// [`crate::Input::SourceEnd`] follows.
    pub fn send(&mut self, verb: Verb, source: SourceId, form: SourceForm) -> &mut About {
        let about = About::new(verb);
        self.actions.push_back(Action::Source {
            about,
            part: self.part,
            source,
            form,
        });
        self.last_about()
    }

    /// Asks the service. At most one Ask is open; `expects` should be `Nothing` meanwhile.
    pub fn ask(&mut self, ask: Ask) {
        self.actions.push_back(Action::Ask(ask));
    }

    /// Goes over to TLS once everything said has been sent. What the peer sent behind the last
    /// message in clear is discarded (RFC 3207 section 6, CVE-2011-0411).
    pub fn secure(&mut self, side: TlsSide) {
        self.actions.push_back(Action::Secure(side));
    }

    /// A second channel.
    pub fn channel(&mut self, order: ChannelOrder) {
        self.actions.push_back(Action::Channel(order));
    }

    /// From here on messages belong to this matter of the exchange; 0 is the exchange as a whole.
    /// The message being handled takes the part in force when its handling ends.
    pub fn part(&mut self, part: u32) {
        self.part = part;
    }

    /// Tells the trace a fact that is not on the wire.
    pub fn note(&mut self, word: Verb, text: impl Into<String>) {
        self.actions.push_back(Action::Note {
            part: self.part,
            word,
            text: text.into(),
        });
    }

    /// When nothing moves for so long, [`crate::Input::Deadline`] comes. Stays in force; what
    /// counts as moving is a whole message, a piece of a body, or sent output.
    pub fn patience(&mut self, patience: Duration) {
        self.patience = Some(patience);
    }

    /// [`crate::Input::Deadline`] comes at this moment whatever moves; once.
    pub fn wake_at(&mut self, moment: Option<Moment>) {
        self.wake_at = moment;
    }

    /// How many bytes had already arrived behind what is being handled: what a peer said
    /// without waiting for the reply (RFC 2920 3.1). Zero proves nothing, the rest may be under
    /// way; so use it to refuse, never to trust.
    pub fn unread_bytes(&self) -> usize {
        self.unread_bytes
    }

    /// Nothing more will be sent, but still received.
    pub fn half_close(&mut self) {
        self.actions.push_back(Action::HalfClose);
    }

    /// Ends the dialogue once everything said has been sent.
    pub fn close(&mut self) {
        self.actions.push_back(Action::Close);
    }

    fn last_about(&mut self) -> &mut About {
        match self.actions.back_mut() {
            Some(Action::Say { about, .. } | Action::Source { about, .. }) => about,
            _ => &mut self.received, // never: callers have just pushed one of the two
        }
    }
}
