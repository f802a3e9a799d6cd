//! The client side: ask a name, load a page, hand in a letter, collect mail. Used by the commands
//! of the same names and by the lab's two journeys; every step is recorded like a server's.

pub mod collect;
pub mod compose;
pub mod name;
pub mod page;
pub mod submit;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use guichet_engine::{Call, Dial, DialError, Recorder, Target};
use guichet_trace::Cause;
use tokio_util::sync::CancellationToken;

use crate::control::LabContract;
use crate::output::Message;

/// What a client needs to know of the world.
#[derive(Clone)]
pub struct World {
    /// The way out.
    pub dial: Dial,
    /// The name server that finds out for us.
    pub resolver: SocketAddr,
    /// Whose certificates are believed, besides nobody's.
    pub authority: Option<PathBuf>,
    /// The lab, if there is one.
    pub lab: Option<LabContract>,
    /// Who is calling: `guichet get` …
    pub program: Arc<str>,
}

impl World {
    /// The world of a lab: its resolver, its authority, and its ports in place of the usual ones.
    pub fn of_lab(lab: &LabContract, recorder: Recorder, program: &str) -> Result<Self, Message> {
        let resolver = lab
            .resolver
            .parse()
            .map_err(|_| Message::new("clients-lab-unreadable").with("dir", lab.dir.as_path()))?;
        Ok(Self {
            dial: Dial::new(port_map(lab), None, recorder, CancellationToken::new()),
            resolver,
            authority: Some(lab.ca.clone()),
            lab: Some(lab.clone()),
            program: program.into(),
        })
    }

    pub(crate) fn call(&self, address: SocketAddr, host: &str, causes: Vec<Cause>) -> Call {
        Call {
            target: Target {
                address,
                host: host.to_owned(),
            },
            organisation: "".into(),
            service: self.program.clone(),
            causes,
            tls: None,
            implicit_tls: false,
        }
    }

    /// The organisation of the lab that an address or host name belongs to.
    pub(crate) fn organisation(
        &self,
        name: &str,
    ) -> Option<&crate::control::find::LabOrganisation> {
        let domain = name.rsplit('@').next().unwrap_or(name).to_lowercase();
        let within = |known: &str| domain == known || domain.ends_with(&format!(".{known}"));
        self.lab
            .as_ref()?
            .organisations
            .iter()
            .find(|organisation| within(&organisation.domain))
    }
}

/// Where the lab's services really listen: from address and usual port.
pub fn port_map(lab: &LabContract) -> HashMap<String, SocketAddr> {
    let mut map = HashMap::new();
    for organisation in &lab.organisations {
        for (service, address) in &organisation.services {
            let Some(service) = crate::config::Service::named(service) else {
                continue;
            };
            let Ok(real) = address.parse::<SocketAddr>() else {
                continue;
            };
            map.insert(SocketAddr::new(real.ip(), service.port()).to_string(), real);
            map.insert(
                format!("mail.{}:{}", organisation.domain, service.port()),
                real,
            );
            map.insert(
                format!("www.{}:{}", organisation.domain, service.port()),
                real,
            );
        }
    }
    map
}

/// A failed call as people read it.
pub(crate) fn unreachable(host: &str, error: &DialError) -> Message {
    match error {
        DialError::Connect { address, error, .. } => Message::new("clients-unreachable")
            .with("host", host.to_owned())
            .with_shown("address", address)
            .with("why", error),
        DialError::Tls { address, error, .. } => Message::new("clients-tls")
            .with("host", host.to_owned())
            .with_shown("address", address)
            .with("why", error.to_string()),
    }
}
