//! Pages over HTTP and HTTPS.

use guichet_engine::{Answering, Arrival};
use guichet_proto::http::{Scheme, Server, Settings, refusal_when_full};
use guichet_services::pages::{Pages, PagesDialogue};

use crate::watch::unix_seconds;

pub(super) struct PagesEntry {
    pub(super) pages: Pages,
    pub(super) scheme: Scheme,
}

impl Answering for PagesEntry {
    type Session = Server;
    type Service = PagesDialogue;

    fn protocol(&self) -> &'static str {
        "http"
    }

    fn begin(&self, _: &Arrival) -> (Server, PagesDialogue) {
        (
            Server::new(Settings::new(self.scheme, unix_seconds)),
            self.pages.dialogue(),
        )
    }

    fn refusal(&self) -> Vec<u8> {
        refusal_when_full().to_vec()
    }
}
