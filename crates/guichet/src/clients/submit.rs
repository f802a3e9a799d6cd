//! Handing a letter to the sender's own server (RFC 6409).

use std::convert::Infallible;

use guichet_engine::Ending;
use guichet_proto::common::sasl::Credentials;
use guichet_proto::service::Pulled;
use guichet_proto::session::SourceId;
use guichet_proto::smtp::{Client, Fate, Job, Letter, TlsPolicy};
use guichet_proto::{Reply, Service};
use guichet_trace::ExchangeId;

use super::compose::Draft;
use super::{Security, Server, Trouble, World, unreachable};
use crate::output::Message;

const LETTER: SourceId = SourceId(1);

/// What became of it.
#[derive(Debug)]
pub struct Submitted {
    /// The exchange in the trace.
    pub exchange: ExchangeId,
    /// The Message-ID with angle brackets.
    pub message_id: String,
    /// For each recipient, what the server said.
    pub fates: Vec<(String, Fate)>,
}

/// Where and as whom.
#[derive(Clone, Debug)]
pub struct Through {
    /// The submission server.
    pub server: Server,
    /// Who logs in; nobody where the server asks for none.
    pub login: Option<Credentials>,
}

/// Hands the letter in.
pub async fn submit(world: &World, through: &Through, draft: &Draft) -> Result<Submitted, Message> {
    let (message, message_id) = draft.compose()?;
    let handed = hand_in(world, through, draft, message).await;
    let (exchange, fates) = handed.map_err(|trouble| trouble.message)?;
    Ok(Submitted {
        exchange,
        message_id,
        fates: draft.to.iter().cloned().zip(fates).collect(),
    })
}

/// Hands in what has been composed; the fates are in the order of the draft's recipients.
pub async fn hand_in(
    world: &World,
    through: &Through,
    draft: &Draft,
    message: Vec<u8>,
) -> Result<(ExchangeId, Vec<Fate>), Trouble> {
    let call = through.server.call(world)?;
    let job = Job {
        client_name: "localhost".to_owned(),
        tls: match through.server.security {
            Security::Clear => TlsPolicy::Never,
            Security::IfOffered => TlsPolicy::IfOffered,
            Security::Upgrade => TlsPolicy::Required,
            Security::Implicit => TlsPolicy::Implicit,
        },
        login: through.login.clone(),
        letters: vec![Letter {
            sender: draft.from.clone(),
            recipients: draft.to.clone(),
            source: LETTER,
            size_bytes: message.len() as u64,
            utf8: !draft.from.is_ascii() || draft.to.iter().any(|address| !address.is_ascii()),
            eight_bit: !message.is_ascii(),
            causes: Vec::new(),
        }],
    };
    let finished = world
        .dial
        .run("smtp", call, |_| (Client::new(job), Held { message }))
        .await
        .map_err(|error| unreachable(&through.server.shown(), &error))?;
    let mut outcome = finished.session.outcome();
    let fates = outcome.letters.pop().unwrap_or_default();
    let broken = match finished.ending {
        Ending::Broken(error) | Ending::Tls(error) => Some(error.to_string()),
        Ending::Stalled | Ending::Done => None,
    };
    let delivered = fates
        .iter()
        .any(|fate| matches!(fate, Fate::Delivered { .. }));
    if let (Some(why), false) = (outcome.failed.or(broken), delivered) {
        // "Service not available" (RFC 5321 section 4.2.3): the one way to say "full".
        let again = why.starts_with("421");
        let message = Message::new("clients-submit-failed")
            .with("host", through.server.shown())
            .with("why", why);
        return Err(Trouble { message, again });
    }
    Ok((finished.exchange, fates))
}

/// The letter, in memory: a person wrote it.
struct Held {
    message: Vec<u8>,
}

impl Service for Held {
    type Ask = Infallible;
    type Answer = Infallible;

    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }

    fn pull(&mut self, _: SourceId, most: usize) -> Reply<Pulled> {
        if self.message.is_empty() {
            return Reply::Now(Pulled::End);
        }
        let rest = self.message.split_off(most.min(self.message.len()));
        Reply::Now(Pulled::Bytes(std::mem::replace(&mut self.message, rest)))
    }
}
