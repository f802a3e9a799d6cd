//! The organisations' processes: started, watched, stopped; their traces merged into the lab's.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guichet_engine::clock;
use guichet_services::accounts::{Cost, password};
use guichet_store::{Change, Options, Store};
use guichet_trace::Source;
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::layout::Organisation;
use crate::control::Client;
use crate::control::client::Next;
use crate::control::requests::{Records, Request};
use crate::output::Message;
use crate::recording::Recording;
use crate::serve::handler::decode;

/// An instance that is not ready after so long has failed.
const READY_MOST: Duration = Duration::from_secs(20);
/// After SIGTERM an instance may take its drain time and a little more.
const STOP_MOST: Duration = Duration::from_secs(8);

/// One organisation's process, over its restarts.
pub struct Running {
    /// What it is.
    pub organisation: Organisation,
    pid: AtomicU32,
    source: Source,
    recording: Arc<Recording>,
    child: tokio::sync::Mutex<Option<Child>>,
    /// Held while it is being started.
    launching: tokio::sync::Mutex<()>,
    /// True while it runs.
    alive: watch::Sender<bool>,
    stopping: Mutex<bool>,
}

/// Makes the people's accounts where they are missing. All share one password, hence one hash.
pub fn make_accounts(organisation: &Organisation, hash: &str) -> Result<(), Message> {
    let failed = |why: String| {
        Message::new("lab-files")
            .with("path", organisation.folder.as_path())
            .with("why", why)
    };
    let dir = organisation.folder.join("store");
    let store = Store::open(Options::new(dir)).map_err(|error| failed(error.to_string()))?;
    let mut commits = Vec::new();
    for person in &organisation.people {
        let login = format!("{person}@{}", organisation.domain);
        let known = store
            .account(&login)
            .map_err(|error| failed(error.to_string()))?;
        let now = Change::at(clock::wall());
        match known {
            None => commits.push(store.add_account(now, &login, hash)),
            Some(_) => commits.push(store.set_password(now, &login, hash)),
        }
    }
    for commit in commits {
        commit.wait().map_err(|error| failed(error.to_string()))?;
    }
    store.close();
    Ok(())
}

/// The hash of the lab's password.
pub fn hash(password: &str) -> Result<String, Message> {
    password::hash(password, Cost::LIGHT)
        .map_err(|error| Message::new("serve-accounts").with("why", error.to_string()))
}

impl Running {
    /// Starts the process and waits until everything listens.
    pub async fn start(
        organisation: Organisation,
        source: Source,
        recording: Arc<Recording>,
    ) -> Result<Arc<Self>, Message> {
        let running = Arc::new(Self {
            organisation,
            pid: AtomicU32::new(0),
            source,
            recording,
            child: tokio::sync::Mutex::new(None),
            launching: tokio::sync::Mutex::new(()),
            alive: watch::channel(false).0,
            stopping: Mutex::new(false),
        });
        running.launch().await?;
        Ok(running)
    }

    /// The process id; 0 when it does not run.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Its control socket.
    pub fn control(&self) -> Client {
        let path = self.organisation.folder.join("control.sock");
        Client::of_organisation(path, &self.organisation.domain)
    }

    /// Starts it unless it runs, also after it has died or was stopped.
    pub async fn launch(self: &Arc<Self>) -> Result<(), Message> {
        let _one_at_a_time = self.launching.lock().await;
        if self.pid() != 0 {
            return Ok(());
        }
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner) = false;
        let folder = &self.organisation.folder;
        let failed = |why: String| {
            Message::new("lab-organisation-failed")
                .with("domain", self.organisation.domain.clone())
                .with("log", folder.join("log").as_path())
                .with("why", why)
        };
        let notify = folder.join("ready.sock");
        let _ = std::fs::remove_file(&notify); // of an earlier start
        let ready = UnixDatagram::bind(&notify).map_err(|error| failed(error.to_string()))?;
        let log =
            std::fs::File::create(folder.join("log")).map_err(|error| failed(error.to_string()))?;
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(self.organisation.config())
            .arg("--parent")
            .arg(std::process::id().to_string())
            .env("NOTIFY_SOCKET", &notify)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // If it is not ready, or whoever asked for it does not wait, it must not go on unseen.
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let wait = tokio::time::timeout(READY_MOST, wait_ready(&ready));
        tokio::select! {
            done = wait => match done {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(failed(error.to_string())),
                Err(_) => return Err(failed("it is not ready".to_owned())),
            },
            exited = child.wait() => {
                let why = exited.map_or_else(|error| error.to_string(), |code| code.to_string());
                return Err(failed(last_line(&folder.join("log")).unwrap_or(why)));
            }
        }
        self.pid.store(child.id().unwrap_or(0), Ordering::Relaxed);
        self.alive.send_replace(true);
        *self.child.lock().await = Some(child);
        tokio::spawn(self.clone().watch());
        tokio::spawn(self.clone().merge());
        Ok(())
    }

    /// Notices when it ends. An organisation that dies alone stays visible as dead.
    async fn watch(self: Arc<Self>) {
        let exited = match self.child.lock().await.as_mut() {
            Some(child) => child.wait().await,
            None => return,
        };
        self.pid.store(0, Ordering::Relaxed);
        self.alive.send_replace(false);
        if !*self.stopping.lock().unwrap_or_else(PoisonError::into_inner) {
            let how = exited.map_or_else(|error| error.to_string(), |code| code.to_string());
            tracing::error!(
                "{} has died ({how}). Its log: {}. Start it again: guichet lab start {}",
                self.organisation.domain,
                self.organisation.folder.join("log").display(),
                self.organisation.name
            );
        }
    }

    /// Adds its records to the lab's view for as long as it runs.
    async fn merge(self: Arc<Self>) {
        let request = Request::TraceRecords { follow: true };
        let Ok(mut items) = self.control().start(&request).await else {
            return;
        };
        while let Ok(Next::Item(item)) = items.next().await {
            let Ok(records) = serde_json::from_value::<Records>(item) else {
                return;
            };
            for record in decode(&records.frames).unwrap_or_default() {
                self.recording.add(self.source, record);
            }
        }
    }

    /// Stops it in its own words, or kills it when it takes too long.
    pub async fn stop(&self) {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let Some(pid) = rustix::process::Pid::from_raw(self.pid() as i32) else {
            return;
        };
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM); // gone already
        let mut alive = self.alive.subscribe();
        let ended = alive.wait_for(|alive| !alive);
        if tokio::time::timeout(STOP_MOST, ended).await.is_err() {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn wait_ready(socket: &UnixDatagram) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let told = String::from_utf8_lossy(&buffer[..length]);
        if told.lines().any(|line| line == "READY=1") {
            return Ok(());
        }
    }
}

fn last_line(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .map(str::to_owned)
}
