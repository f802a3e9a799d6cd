//! A running instance: the services of one configuration, wired together.
//!
//! [`Sockets::bind`] takes the addresses while the process still may (before privileges are
//! dropped and before the runtime starts); [`Instance::start`] puts store, services and listeners
//! together by the table in [`wiring`].

mod echo;
pub(crate) mod handler;
mod mail;
mod names;
mod pages;
mod reload;
mod resolver;
mod wiring;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guichet_engine::tls::{ClientTls, Identity, ServerTls};
use guichet_engine::{Dial, Recorder, Server, StopReport, clock};
use guichet_services::accounts::{Accounts, Cost, Directory, Domain};
use guichet_services::mail::queue::{Ourselves, Queue, Schedule, Settings as QueueSettings};
use guichet_services::mail::{Limits, Mail};
use guichet_services::names::{Names, Zones};
use guichet_services::pages::Pages;
use guichet_store::{Options, Store, StoreError};
use guichet_trace::{Level, WallTime};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Service, TraceLevel};
use crate::control::server::{Conversations, Listener as ControlListener};
use crate::output::Message;
use crate::recording::{self, Recording};
use crate::texts::Language;
use crate::watch::{Guard, Watch};
pub(crate) use names::{ResolverDatagrams, ResolverEntry, ZoneDatagrams, ZoneEntry};
pub(crate) use resolver::{Resolver, root_hints};
pub use wiring::Sockets;

/// Password hashes computed at a time: each takes some 20 MB.
const HASHES_AT_ONCE: usize = 2;

/// Everything that runs for one configuration.
pub struct Instance {
    pub(crate) config: Config,
    pub(crate) organisation: Arc<str>,
    pub(crate) server: Server,
    pub(crate) recorder: Recorder,
    pub(crate) recording: Arc<Recording>,
    pub(crate) store: Store,
    pub(crate) names: Arc<Names>,
    pub(crate) pages: Pages,
    pub(crate) mail: Arc<Mail>,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) since: WallTime,
    /// Why a configured service does not listen.
    pub(crate) remarks: Mutex<Vec<(Service, Message)>>,
    /// Cancelled when somebody asks for the stop over the control socket.
    pub(crate) stop_asked: CancellationToken,
    pub(crate) stopped: tokio::sync::watch::Sender<Option<StopReport>>,
    conversations: Conversations,
}

impl Instance {
    /// Opens the store by `open` ([`Store::open`], unless it is to be shown that a worse one is
    /// found out), reads zones and certificates, and begins to serve on the bound sockets.
    pub async fn start(
        config: Config,
        sockets: Sockets,
        open: impl FnOnce(Options) -> Result<Store, StoreError> + Send + 'static,
    ) -> Result<Arc<Self>, Message> {
        let organisation: Arc<str> = config.domains.first().map_or("", String::as_str).into();
        let folder = config.store_dir.clone();
        // The store's recovery and SQLite block; the rest goes on meanwhile.
        let opening = tokio::task::spawn_blocking(move || open(Options::new(folder)));
        let (recorder, recording) = start_recording(&config)?;
        let tls = server_tls(&config)?;
        let names = Arc::new(Names::new(zones(&config.names.zones)?));
        let pages = pages(&config)?;
        let server = Server::new(recorder.clone());
        let resolver = Arc::new(resolver(&config, &recorder, &server, organisation.clone()));
        let store = match opening.await {
            Ok(opened) => opened.map_err(|error| {
                Message::new("serve-store")
                    .with("folder", config.store_dir.as_path())
                    .with("why", error.to_string())
            })?,
            Err(error) => {
                return Err(Message::new("serve-store")
                    .with("folder", config.store_dir.as_path())
                    .with("why", error.to_string()));
            }
        };
        let mail = Arc::new(mail(&config, &store, &recorder)?);
        let instance = Arc::new(Self {
            organisation,
            server,
            recorder,
            recording,
            store,
            names,
            pages,
            mail,
            resolver,
            tls,
            since: clock::wall(),
            remarks: Mutex::default(),
            stop_asked: CancellationToken::new(),
            stopped: tokio::sync::watch::channel(None).0,
            conversations: Conversations::default(),
            config,
        });
        wiring::wire(&instance, sockets)?;
        instance.run_queue()?;
        instance.serve_control()?;
        Ok(instance)
    }

    /// Waits until somebody asks for the stop over the control socket.
    pub async fn stop_asked(&self) {
        self.stop_asked.cancelled().await;
    }

    /// Stops everything in order: dialogues, then the store, then the trace.
    pub async fn stop(&self) -> StopReport {
        let report = self.server.stop(self.config.stop_drain).await;
        let (store, recording) = (self.store.clone(), self.recording.clone());
        let closed = tokio::task::spawn_blocking(move || {
            store.close();
            recording.close();
        });
        let _ = closed.await; // a panic there has been reported by itself
        self.stopped.send_replace(Some(report));
        self.conversations.end().await;
        report
    }

    /// What is under way is cut: a stop that waits for it goes on at once.
    pub fn cut(&self) {
        self.server.cut();
    }

    /// Why configured services do not listen.
    pub fn remarks(&self) -> Vec<(Service, Message)> {
        self.remarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The watch address, if the instance serves one.
    pub(crate) fn watch(&self) -> Result<Watch, Message> {
        let guard = Guard::new(
            token(&self.config.watch_token_file)?,
            self.config.domains.clone(),
        );
        Ok(Watch::new(
            self.recording.clone(),
            guard,
            self.organisation.to_string(),
        ))
    }

    pub(crate) fn remark(&self, service: Service, message: Message) {
        self.remarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((service, message));
    }

    fn run_queue(self: &Arc<Self>) -> Result<(), Message> {
        let relay = mail::RelayByDial {
            dial: self.dial(),
            host_name: self.config.hostname.clone(),
            organisation: self.organisation.clone(),
            tls: ClientTls::opportunistic().map_err(|error| tls_message(&error))?,
        };
        let configured = &self.config.mail.queue;
        let settings = QueueSettings {
            schedule: Schedule {
                first_wait: configured.first_retry,
                longest_wait: configured.retry_most,
                lifetime: configured.expire,
                ..Schedule::default()
            },
            ourselves: Ourselves {
                names: vec![self.config.hostname.clone()],
                addresses: own_addresses(&self.config),
            },
            ..QueueSettings::default()
        };
        let names = Arc::new(mail::MailNames(self.resolver.clone()));
        let queue = Queue::new(self.mail.clone(), names, Arc::new(relay), settings);
        let stopping = self.server.stopping();
        tokio::spawn(queue.run(async move { stopping.cancelled().await }));
        Ok(())
    }

    fn serve_control(self: &Arc<Self>) -> Result<(), Message> {
        let listener = ControlListener::bind(&self.config.control)?;
        tokio::spawn(listener.serve(self.clone(), self.conversations.clone()));
        Ok(())
    }

    fn dial(&self) -> Dial {
        dial(&self.config, &self.recorder, &self.server)
    }
}

/// The addresses by which mail would come back to this server. One that the map also leads to
/// another server's port says nothing: there only the host's name tells the two apart.
fn own_addresses(config: &Config) -> Vec<IpAddr> {
    let own = config
        .listen
        .get(&Service::Smtp)
        .map_or(&[][..], |listen| &listen.addresses);
    let shared = |ip: IpAddr| {
        let mut mapped = config.dial_map.iter();
        mapped.any(|((_, port), to)| {
            *port == Service::Smtp.port() && to.ip() == ip && !own.contains(to)
        })
    };
    own.iter()
        .map(SocketAddr::ip)
        .filter(|&ip| !ip.is_unspecified() && !shared(ip))
        .collect()
}

fn start_recording(config: &Config) -> Result<(Recorder, Arc<Recording>), Message> {
    let folder = config.store_dir.with_file_name("trace");
    let settings = recording::Settings {
        folder: Some(folder.clone()),
        bytes_most: config.trace.bytes_most,
        keep: config.trace.keep,
        level: level(config.trace.level),
    };
    Recording::start(settings).map_err(|error| {
        Message::new("serve-trace")
            .with("folder", folder.as_path())
            .with("why", &error)
    })
}

fn level(configured: TraceLevel) -> Level {
    match configured {
        TraceLevel::Off => Level::Off,
        TraceLevel::Envelope => Level::Envelope,
        TraceLevel::Full => Level::Full,
    }
}

fn server_tls(config: &Config) -> Result<Option<ServerTls>, Message> {
    if config.certificates.is_empty() {
        return Ok(None);
    }
    identities(config).and_then(|identities| {
        ServerTls::new(identities)
            .map(Some)
            .map_err(|error| tls_message(&error))
    })
}

/// The certificates of the configuration, read afresh.
pub(crate) fn identities(config: &Config) -> Result<Vec<Identity>, Message> {
    let read = config.certificates.iter().map(|certificate| {
        Identity::from_files(&certificate.certificate, &certificate.key)
            .map_err(|error| tls_message(&error))
    });
    read.collect()
}

fn tls_message(error: &guichet_engine::tls::TlsError) -> Message {
    Message::new("serve-certificate").with("why", error.to_string())
}

/// The zones in the folder, read afresh.
pub(crate) fn zones(folder: &Path) -> Result<Zones, Message> {
    if !folder.exists() {
        return Ok(Zones::new([]));
    }
    let loaded = Zones::load(folder).map_err(|error| {
        Message::new("serve-zones")
            .with("folder", folder)
            .with("why", error.to_string())
    })?;
    for (file, finding) in &loaded.warnings {
        tracing::warn!("{}: {finding}", file.display());
    }
    Ok(loaded.zones)
}

fn pages(config: &Config) -> Result<Pages, Message> {
    let failed = |error: &std::io::Error| {
        Message::new("serve-sites")
            .with("folder", config.pages_sites.as_path())
            .with("why", error)
    };
    std::fs::create_dir_all(&config.pages_sites).map_err(|error| failed(&error))?;
    let default_site = config.domains.first().map(|domain| format!("www.{domain}"));
    Pages::new(&config.pages_sites, default_site).map_err(|error| failed(&error))
}

fn dial(config: &Config, recorder: &Recorder, server: &Server) -> Dial {
    let map: HashMap<String, SocketAddr> = config
        .dial_map
        .iter()
        .map(|((host, port), address)| {
            let key = match host.parse::<IpAddr>() {
                Ok(ip) => SocketAddr::new(ip, *port).to_string(),
                Err(_) => format!("{host}:{port}"),
            };
            (key, *address)
        })
        .collect();
    // Others check that mail comes from the address they would answer to.
    let source = config
        .listen
        .get(&Service::Smtp)
        .and_then(|listen| listen.addresses.first())
        .map(SocketAddr::ip)
        .filter(|ip| !ip.is_unspecified());
    Dial::new(map, source, recorder.clone(), server.stopping())
}

fn resolver(
    config: &Config,
    recorder: &Recorder,
    server: &Server,
    organisation: Arc<str>,
) -> Resolver {
    let hints = root_hints(&config.names.roots);
    let local = config
        .names
        .roots
        .iter()
        .any(|root| root.ip().is_loopback());
    Resolver::new(dial(config, recorder, server), hints, local, organisation)
}

fn mail(config: &Config, store: &Store, recorder: &Recorder) -> Result<Mail, Message> {
    let accounts = Accounts::new(store.clone(), Cost::default(), HASHES_AT_ONCE)
        .map_err(|error| Message::new("serve-accounts").with("why", error.to_string()))?;
    let language = match config.language.unwrap_or_default() {
        Language::English => guichet_services::mail::report::Language::English,
        Language::French => guichet_services::mail::report::Language::French,
    };
    let domains = config
        .domains
        .iter()
        .map(|name| Domain {
            name: name.clone(),
            catch_all: None,
            language,
        })
        .collect();
    Ok(Mail {
        store: store.clone(),
        accounts: Arc::new(accounts),
        directory: Arc::new(Directory::new(store.clone(), domains)),
        clock: Arc::new(guichet_services::mail::outside::SystemClock),
        facts: Arc::new(mail::FactsInTrace(recorder.clone())),
        limits: Limits {
            message_bytes_max: config.mail.size_bytes_most,
            ..Limits::default()
        },
        host: config.hostname.clone(),
    })
}

/// The token that opens the watch address; drawn and written (0600) where there is none yet.
pub(crate) fn token(file: &Path) -> Result<String, Message> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let failed = |error: &std::io::Error| {
        Message::new("serve-token")
            .with("file", file)
            .with("why", error)
    };
    match std::fs::read_to_string(file) {
        Ok(text) if text.trim().len() >= 16 => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| failed(&std::io::Error::other(error)))?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| file.write_all(token.as_bytes()));
    written.map_err(|error| failed(&error))?;
    Ok(token)
}

/// A moment for things that end by themselves at a stop.
pub(crate) const MOMENT: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_two_servers_share_is_nobodys_own() {
        let addresses = |map: &str| {
            let text = format!(
                "domains = [\"nord.test\"]\nlisten.smtp.addresses = [\"127.0.0.1:21025\"]\n\
                 [dial.map]\n{map}\n"
            );
            own_addresses(&Config::parse(Path::new("guichet.toml"), &text).unwrap())
        };
        let own = r#""127.0.0.1:25" = "127.0.0.1:21025""#;
        assert_eq!(addresses(own), [IpAddr::from([127, 0, 0, 1])]);
        let other = format!("{own}\n\"mail.sud.test:25\" = \"127.0.0.1:22025\"");
        assert_eq!(addresses(&other), [] as [IpAddr; 0]);
    }
}
