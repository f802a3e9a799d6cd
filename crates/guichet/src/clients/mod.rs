//! The client side: ask a name, load a page, hand in a letter, collect mail, have an echo. Used by
//! the commands of these names and by the lab's two journeys; every step is recorded like a server's.

pub mod collect;
pub mod compose;
pub mod echo;
pub mod mail_server;
pub mod name;
pub mod page;
pub mod place;
pub mod submit;
pub mod turns;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use guichet_engine::tls::ClientTls;
use guichet_engine::{Call, Dial, DialError, Recorder, Target};
use guichet_trace::Cause;
use rustls_pki_types::ServerName;
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

    /// The world outside a lab: standard ports, and no authority but the one named.
    pub fn outside(
        resolver: SocketAddr,
        authority: Option<PathBuf>,
        recorder: Recorder,
        program: &str,
    ) -> Self {
        Self {
            dial: Dial::new(HashMap::new(), None, recorder, CancellationToken::new()),
            resolver,
            authority,
            lab: None,
            program: program.into(),
        }
    }

    /// The port an address of the lab stands for: 587 for 127.0.0.2:20587.
    pub(crate) fn usual_port(&self, address: SocketAddr) -> u16 {
        let text = address.to_string();
        let services = self.lab.iter().flat_map(|lab| &lab.organisations);
        services
            .flat_map(|organisation| &organisation.services)
            .find(|(_, real)| **real == text)
            .and_then(|(name, _)| crate::config::Service::named(name))
            .map_or(address.port(), crate::config::Service::port)
    }

    /// TLS towards a name or address, trusting the one authority this world believes.
    pub(crate) fn tls(&self, host: &str) -> Result<(ClientTls, ServerName<'static>), Message> {
        let failed = |why: String| {
            Message::new("clients-tls-setup")
                .with("host", host.to_owned())
                .with("why", why)
        };
        let authority = self
            .authority
            .as_deref()
            .ok_or_else(|| Message::new(NO_AUTHORITY).with("host", host.to_owned()))?;
        let tls = ClientTls::trusting(&[authority]).map_err(|error| failed(error.to_string()))?;
        let plain = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(plain).map_err(|error| failed(error.to_string()))?;
        Ok((tls, name))
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

/// TLS was needed, and nobody is known whose certificates could be believed.
pub(crate) const NO_AUTHORITY: &str = "clients-no-authority";

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Clear,
    /// By STARTTLS or STLS where the server offers it.
    IfOffered,
    /// By STARTTLS or STLS, or nothing is said.
    Upgrade,
    /// At once (RFC 8314).
    Implicit,
}

/// A mail server to speak to.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address and usual port.
    pub address: SocketAddr,
    /// Its name; empty if only the address is known.
    pub host: String,
    /// When TLS begins.
    pub security: Security,
    /// How it was found.
    pub causes: Vec<Cause>,
}

impl Server {
    /// Its name, else its address, for people.
    pub fn shown(&self) -> String {
        match self.host.is_empty() {
            true => self.address.to_string(),
            false => self.host.clone(),
        }
    }

    /// A call to it.
    fn call(&self, world: &World) -> Result<Call, Message> {
        let mut call = world.call(self.address, &self.host, self.causes.clone());
        if self.security != Security::Clear {
            let name = match self.host.is_empty() {
                true => self.address.ip().to_string(),
                false => self.host.clone(),
            };
            call.tls = Some(world.tls(&name)?);
            call.implicit_tls = self.security == Security::Implicit;
        }
        Ok(call)
    }
}

/// Why a client did not get what it wanted.
#[derive(Debug)]
pub struct Trouble {
    /// In words.
    pub message: Message,
    /// The other side is full for the moment: it may be tried again.
    pub again: bool,
}

impl From<Message> for Trouble {
    fn from(message: Message) -> Self {
        let again = false;
        Self { message, again }
    }
}

/// Where the lab's services really listen: from address and usual port.
pub fn port_map(lab: &LabContract) -> HashMap<String, SocketAddr> {
    let mut map = HashMap::new();
    let parents = [("root:53", &lab.root), ("ns.nic.test:53", &lab.tld)];
    for (name, address) in parents {
        if let Ok(real) = address.parse() {
            map.insert(name.to_owned(), real);
        }
    }
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
