//! Echo (RFC 862): whatever arrives goes back, until the client has finished.
//!
//! Over UDP a datagram goes back as it is; that needs no session.

use core::convert::Infallible;
use core::time::Duration;

use guichet_trace::{Moment, Verb};

use crate::outbox::Outbox;
use crate::session::{Expect, Input, Session};

/// A client that is silent for so long is let go. RFC 862 sets no limit; an idle echo helps nobody.
pub const IDLE_MOST: Duration = Duration::from_secs(5 * 60);

const DATA: Verb = Verb::new("DATA");

/// The server's side.
#[derive(Debug, Default)]
pub struct Server {
    finishing: bool,
}

impl Session for Server {
    type Ask = Infallible;
    type Answer = Infallible;

    fn protocol(&self) -> &'static str {
        "echo"
    }

    fn expects(&self) -> Expect {
        if self.finishing {
            Expect::Nothing
        } else {
            Expect::Raw
        }
    }

    fn on(&mut self, _: Moment, input: Input<'_, Infallible>, out: &mut Outbox<Infallible>) {
        match input {
            Input::Opened => out.patience(IDLE_MOST),
            Input::Message(message) => {
                out.received(DATA).text("");
                out.say(DATA, message.bytes).text("");
            }
            Input::HalfClosed | Input::Stopping | Input::Deadline => {
                self.finishing = true;
                out.close();
            }
            Input::Answer(never) | Input::Event(never) => match never {},
            _ => {}
        }
    }

    fn state(&self) -> &'static str {
        if self.finishing {
            "finishing"
        } else {
            "echoing"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::player::{Ours, play_in_all_chunks};
    use crate::service::{Reply, Service};

    struct Nothing;

    impl Service for Nothing {
        type Ask = Infallible;
        type Answer = Infallible;
        fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
            match ask {}
        }
    }

    #[test]
    fn transcripts() {
        for text in [
            include_str!("../../../../transcripts/echo/back.dialogue"),
            include_str!("../../../../transcripts/echo/silent.dialogue"),
            include_str!("../../../../transcripts/echo/stopping.dialogue"),
        ] {
            play_in_all_chunks(text, Ours::Server, || (Server::default(), Nothing)).unwrap();
        }
    }
}
