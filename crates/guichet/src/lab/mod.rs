//! The lab: two organisations and their name servers on loopback, by one command.
//!
//! Each organisation is a `guichet serve` process with its own configuration, store and trace. The
//! lab's own process runs the root and `test` name servers, the resolver and the watch address, and
//! merges the traces, so that a letter is one journey across both.

mod handler;
mod layout;
pub mod once;
mod organisation;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use guichet_engine::{BoundListener, Dial, ListenerSettings, Recorder, Server, clock, datagram};
use guichet_services::names::{Names, Zone, Zones, parse_name};
use guichet_trace::{Level, Source, WallTime};
use tokio_util::sync::CancellationToken;

use crate::clients::World;
use crate::config::Service;
use crate::control::find::{LAB_FILE_NAME, LabAccount, LabContract, LabOrganisation};
use crate::control::server::{Conversations, Listener as ControlListener};
use crate::output::Message;
use crate::recording::{self, Recording};
use crate::serve::{
    Resolver, ResolverDatagrams, ResolverEntry, ZoneDatagrams, ZoneEntry, root_hints, token,
};
use crate::watch::{Guard, Watch, WatchEntry};
pub use layout::BASE_PORT;
use layout::Layout;
use organisation::Running;

/// On loopback one password is enough, and everybody knows it.
const PASSWORD: &str = "lab";
/// The lab's name servers and the watch address serve at most so many connections each.
const CONNECTIONS_MOST: usize = 4096;
const BACKLOG: u32 = 1024;

/// What a lab is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its folder.
    pub dir: PathBuf,
    /// The port base the user insists on.
    pub base_port: Option<u16>,
}

/// A running lab.
pub struct Lab {
    /// Where everything is.
    pub contract: LabContract,
    /// A port that was taken, so that the lab took another base.
    pub moved: Option<(std::net::SocketAddr, u16)>,
    pub(crate) recording: Arc<Recording>,
    recorder: Recorder,
    server: Server,
    running: Vec<Arc<Running>>,
    /// When it was started.
    since: WallTime,
    stop_asked: CancellationToken,
    stopped: tokio::sync::watch::Sender<bool>,
    conversations: Conversations,
    /// Held as long as the lab runs: a second lab in the same folder is refused.
    _lock: File,
}

impl Lab {
    /// Starts everything and returns when everything listens.
    pub async fn start(options: Options) -> Result<Arc<Self>, Message> {
        let since = clock::wall();
        let dir = std::path::absolute(&options.dir).unwrap_or(options.dir);
        let lock = lock(&dir)?;
        let (layout, watch) =
            Layout::find(dir, options.base_port, |address| listen("watch", address))?;
        layout.write()?;
        let settings = recording::Settings {
            folder: Some(layout.dir.join("trace")),
            bytes_most: 64 << 20,
            keep: std::time::Duration::from_secs(14 * 24 * 3600),
            level: Level::Full,
        };
        let (recorder, recording) = Recording::start(settings).map_err(|error| {
            Message::new("serve-trace")
                .with("folder", layout.dir.as_path())
                .with("why", &error)
        })?;
        let server = Server::new(recorder.clone());
        let watch_token = token(&layout.dir.join("watch.token"))?;
        serve_names(&layout, &server, &recorder)?;
        serve_watch(watch, &server, &recording, watch_token.clone())?;
        let running = start_organisations(&layout, &recording).await?;
        let contract = contract(&layout, &running, &watch_token);
        write_contract(&contract)?;
        let lab = Arc::new(Self {
            moved: layout.moved.map(|address| (address, layout.base)),
            contract,
            recording,
            recorder,
            server,
            running,
            since,
            stop_asked: CancellationToken::new(),
            stopped: tokio::sync::watch::channel(false).0,
            conversations: Conversations::default(),
            _lock: lock,
        });
        let control = ControlListener::bind(&lab.contract.control)?;
        tokio::spawn(control.serve(lab.clone(), lab.conversations.clone()));
        Ok(lab)
    }

    /// Writes `lab.json` anew: an organisation has another process now.
    pub(crate) fn tell_where(&self) -> Result<(), Message> {
        let mut contract = self.contract.clone();
        for organisation in &mut contract.organisations {
            let of_it =
                |running: &&Arc<Running>| running.organisation.domain == organisation.domain;
            organisation.pid = self
                .running
                .iter()
                .find(of_it)
                .map_or(0, |running| running.pid());
        }
        write_contract(&contract)
    }

    /// Our clients inside the lab's own process.
    pub fn world(&self, program: &str) -> Result<World, Message> {
        World::of_lab(&self.contract, self.recorder.clone(), program)
    }

    /// Waits until somebody asks for the stop over the control socket.
    pub async fn stop_asked(&self) {
        self.stop_asked.cancelled().await;
    }

    /// Does a fault: `stop=sud` or `stop=sud.smtp`.
    pub async fn fault(&self, spec: &str) -> Result<(), Message> {
        let wrong = || Message::new("lab-fault-unknown").with("spec", spec.to_owned());
        let target = spec.strip_prefix("stop=").ok_or_else(wrong)?;
        let (name, service) = match target.split_once('.') {
            Some((name, service)) => (name, Some(service)),
            None => (target, None),
        };
        let named = |running: &&Arc<Running>| running.organisation.name == name;
        let running = self.running.iter().find(named).ok_or_else(wrong)?;
        match service {
            None => running.stop().await,
            Some(service) => {
                Service::named(service).ok_or_else(wrong)?;
                let service = service.to_owned();
                let request = crate::control::Request::ServiceStop { service };
                let _: crate::control::requests::Done = running.control().ask(&request).await?;
            }
        }
        Ok(())
    }

    /// Stops the organisations, then the lab's own services.
    pub async fn stop(&self) {
        let stopping: Vec<_> = self
            .running
            .iter()
            .map(|running| {
                let running = running.clone();
                tokio::spawn(async move { running.stop().await })
            })
            .collect();
        for stopping in stopping {
            let _ = stopping.await; // a panic there has been reported by itself
        }
        self.server.stop(crate::serve::MOMENT).await;
        let recording = self.recording.clone();
        let _ = tokio::task::spawn_blocking(move || recording.close()).await;
        let _ = std::fs::remove_file(self.contract.dir.join(LAB_FILE_NAME));
        self.stopped.send_replace(true);
        self.conversations.end().await;
    }
}

fn lock(dir: &Path) -> Result<File, Message> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let failed = |error: &std::io::Error| {
        Message::new("lab-files")
            .with("path", dir)
            .with("why", error)
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| failed(&error))?;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join("lab.lock"))
        .map_err(|error| failed(&error))?;
    rustix::fs::flock(
        file.as_fd(),
        rustix::fs::FlockOperation::NonBlockingLockExclusive,
    )
    .map_err(|_| Message::new("lab-running").with("dir", dir))?;
    Ok(file)
}

/// The root, `test`, and the resolver, over datagrams and streams.
fn serve_names(layout: &Layout, server: &Server, recorder: &Recorder) -> Result<(), Message> {
    let places = [("root", layout.root()), ("tld", layout.tld())];
    for ((apex, text), (service, address)) in layout.own_zones().into_iter().zip(places) {
        let wrong = |why: String| Message::new("lab-zone").with("zone", apex).with("why", why);
        let name = parse_name(apex).ok_or_else(|| wrong(String::new()))?;
        let zone = Zone::parse(&name, &text).map_err(|findings| wrong(format!("{findings:?}")))?;
        let names = Arc::new(Names::new(Zones::new([zone])));
        serve_datagrams(server, service, address, ZoneDatagrams(names.clone()))?;
        serve_connections(server, service, address, ZoneEntry(names))?;
    }
    let map = layout.dial_map().into_iter().collect();
    let dial = Dial::new(map, None, recorder.clone(), server.stopping());
    let hints = root_hints(&[layout.root_hint()]);
    let resolver = Arc::new(Resolver::new(dial, hints, true, "".into()));
    serve_datagrams(
        server,
        "resolver",
        layout.resolver(),
        ResolverDatagrams(resolver.clone()),
    )?;
    serve_connections(
        server,
        "resolver",
        layout.resolver(),
        ResolverEntry(resolver),
    )
}

fn serve_watch(
    bound: BoundListener,
    server: &Server,
    recording: &Arc<Recording>,
    token: String,
) -> Result<(), Message> {
    let guard = Guard::new(token, Vec::new());
    let watch = Arc::new(Watch::new(recording.clone(), guard, "Guichet".to_owned()));
    server
        .serve(bound, Arc::new(WatchEntry(watch)), None)
        .map(|_| ())
        .map_err(|error| Message::io(&error))
}

fn serve_datagrams<D: guichet_engine::Datagrams>(
    server: &Server,
    service: &str,
    address: std::net::SocketAddr,
    datagrams: D,
) -> Result<(), Message> {
    let failed = |error: std::io::Error| cannot_bind(service, address, &error);
    let socket = datagram::bind(address).map_err(failed)?;
    server
        .serve_datagrams(socket, Arc::new(datagrams), "".into(), service.into())
        .map_err(failed)
}

fn serve_connections<A: guichet_engine::Answering>(
    server: &Server,
    service: &str,
    address: std::net::SocketAddr,
    answering: A,
) -> Result<(), Message> {
    let failed = |error: std::io::Error| cannot_bind(service, address, &error);
    let bound = listen(service, address).map_err(failed)?;
    server
        .serve(bound, Arc::new(answering), None)
        .map(|_| ())
        .map_err(failed)
}

fn listen(service: &str, address: std::net::SocketAddr) -> std::io::Result<BoundListener> {
    BoundListener::bind(ListenerSettings {
        service: service.into(),
        organisation: "".into(),
        address,
        backlog: BACKLOG,
        most: CONNECTIONS_MOST,
        implicit_tls: false,
    })
}

fn cannot_bind(service: &str, address: std::net::SocketAddr, error: &std::io::Error) -> Message {
    Message::new("serve-bind")
        .with("service", service.to_owned())
        .with_shown("address", address)
        .with("why", error)
}

/// Makes the accounts and starts the processes, both organisations at the same time.
async fn start_organisations(
    layout: &Layout,
    recording: &Arc<Recording>,
) -> Result<Vec<Arc<Running>>, Message> {
    let hash: Arc<str> = organisation::hash(PASSWORD)?.into();
    let mut starting = Vec::new();
    for (number, organisation) in (1..).zip(&layout.organisations) {
        let (organisation, hash) = (organisation.clone(), hash.clone());
        let recording = recording.clone();
        starting.push(tokio::spawn(async move {
            let made = organisation.clone();
            let accounts =
                tokio::task::spawn_blocking(move || organisation::make_accounts(&made, &hash));
            accounts.await.map_err(|error| internal(&error))??;
            Running::start(organisation, Source(number), recording).await
        }));
    }
    let mut running = Vec::new();
    for starting in starting {
        running.push(starting.await.map_err(|error| internal(&error))??);
    }
    Ok(running)
}

fn internal(error: &tokio::task::JoinError) -> Message {
    Message::new("serve-internal").with("why", error.to_string())
}

fn contract(layout: &Layout, running: &[Arc<Running>], token: &str) -> LabContract {
    let organisation = |running: &Arc<Running>| {
        let organisation = &running.organisation;
        let address = |service: Service| {
            let address = organisation.address(service);
            let text = match service {
                Service::Watch => format!("http://{address}/"),
                _ => address.to_string(),
            };
            let name = if service == Service::Watch {
                "web"
            } else {
                service.name()
            };
            (name.to_owned(), text)
        };
        let account = |person: &String| LabAccount {
            login: format!("{person}@{}", organisation.domain),
            password: PASSWORD.to_owned(),
        };
        LabOrganisation {
            domain: organisation.domain.clone(),
            config: organisation.config(),
            pid: running.pid(),
            accounts: organisation.people.iter().map(account).collect(),
            services: Service::ALL
                .into_iter()
                .map(address)
                .collect::<BTreeMap<_, _>>(),
        }
    };
    LabContract {
        watch: format!("http://{}/?t={token}", layout.watch()),
        resolver: layout.resolver().to_string(),
        root: layout.root().to_string(),
        tld: layout.tld().to_string(),
        control: layout.dir.join("control.sock"),
        ca: layout.dir.join("ca.pem"),
        dir: layout.dir.clone(),
        organisations: running.iter().map(organisation).collect(),
    }
}

fn write_contract(contract: &LabContract) -> Result<(), Message> {
    let text = serde_json::to_string(contract)
        .map_err(|error| Message::new("serve-internal").with("why", error.to_string()))?;
    layout::write(&contract.dir.join(LAB_FILE_NAME), &text, 0o600)
}

/// The variables that `lab -- COMMAND` sets.
pub fn variables(contract: &LabContract) -> Vec<(String, String)> {
    let mut variables = vec![
        (
            "GUICHET_LAB".to_owned(),
            contract.dir.join(LAB_FILE_NAME).display().to_string(),
        ),
        ("GUICHET_RESOLVER".to_owned(), contract.resolver.clone()),
    ];
    for organisation in &contract.organisations {
        let name = organisation
            .domain
            .split('.')
            .next()
            .unwrap_or_default()
            .to_uppercase();
        for (service, address) in &organisation.services {
            variables.push((
                format!("GUICHET_{name}_{}", service.to_uppercase()),
                address.clone(),
            ));
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::port_map;

    #[test]
    fn the_port_map_leads_from_usual_ports_to_real_ones() {
        let contract = LabContract {
            watch: String::new(),
            resolver: "127.0.0.1:20053".to_owned(),
            root: String::new(),
            tld: String::new(),
            control: PathBuf::new(),
            ca: PathBuf::new(),
            dir: PathBuf::from("/lab"),
            organisations: vec![LabOrganisation {
                domain: "nord.test".to_owned(),
                config: PathBuf::new(),
                pid: 1,
                accounts: Vec::new(),
                services: BTreeMap::from([
                    ("smtp".to_owned(), "127.0.0.2:20025".to_owned()),
                    ("web".to_owned(), "http://127.0.0.2:20000/".to_owned()),
                ]),
            }],
        };
        let map = port_map(&contract);
        assert_eq!(map["127.0.0.2:25"].port(), 20025);
        assert_eq!(map["mail.nord.test:25"].port(), 20025);
        let variables = variables(&contract);
        assert!(variables.contains(&("GUICHET_NORD_SMTP".into(), "127.0.0.2:20025".into())));
    }
}
