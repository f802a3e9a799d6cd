//! A server process with a folder and ports of its own, that can be killed and started again.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use guichet_services::accounts::{Cost, password};
use guichet_store::{Change, Options, Store};
use guichet_trace::WallTime;

use super::chance::Chance;

/// The password of every account.
pub const PASSWORD: &str = "lab";
/// An instance that does not answer after so long has failed.
const READY_MOST: Duration = Duration::from_secs(30);

/// A free port, TCP and UDP, below those that the system gives to clients: nobody takes it while
/// the server is dead for a moment.
pub fn free_port() -> SocketAddr {
    let mut chance = Chance::new(Chance::seed("") ^ (u64::from(std::process::id()) << 32));
    loop {
        let port = u16::try_from(chance.between(10_000, 32_000)).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// A server process.
pub struct Instance {
    /// Where its files are.
    pub folder: PathBuf,
    /// How it is started, without its end.
    command: fn(config: &Path) -> Command,
    child: Option<Child>,
}

/// `guichet serve` as people run it.
pub fn real(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
    command
        .args(["serve", "--parent", &std::process::id().to_string()])
        .arg("--config")
        .arg(config);
    command
}

impl Instance {
    /// Writes the folder: a configuration and zone files (name, text).
    pub fn found(
        folder: PathBuf,
        config: &str,
        zones: &[(&str, &str)],
        command: fn(&Path) -> Command,
    ) -> Self {
        fs::create_dir_all(folder.join("zones")).unwrap();
        fs::write(folder.join("guichet.toml"), config).unwrap();
        for (name, text) in zones {
            fs::write(folder.join("zones").join(name), text).unwrap();
        }
        Self {
            folder,
            command,
            child: None,
        }
    }

    /// People and aliases; before the first start.
    pub fn people(&self, logins: &[&str], aliases: &[(&str, &str)]) {
        let hash = password::hash(PASSWORD, Cost::LIGHT).unwrap();
        let store = Store::open(Options::new(self.folder.join("store"))).unwrap();
        let now = Change::at(WallTime(1));
        for login in logins {
            store.add_account(now, login, &hash).wait().unwrap();
        }
        for (alias, target) in aliases {
            let targets = [(*target).to_owned()];
            store.add_alias(now, alias, &targets).wait().unwrap();
        }
        store.close();
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("guichet.toml")
    }

    /// Starts it. What it says goes behind what it said before.
    pub fn start(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        let child = (self.command)(&self.config())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Waits until `probe` succeeds.
    ///
    /// # Panics
    /// The process has ended, or it takes too long.
    pub fn wait_for<T>(&mut self, mut probe: impl FnMut() -> io::Result<T>) -> T {
        let begun = Instant::now();
        loop {
            match probe() {
                Ok(value) => return value,
                Err(error) if begun.elapsed() > READY_MOST => {
                    panic!("no answer: {error}\n{}", self.log())
                }
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                panic!("it has ended ({status}):\n{}", self.log());
            }
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it by a command with `--json`; its answer.
    pub fn ask(&self, arguments: &[&str]) -> io::Result<serde_json::Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_guichet"))
            .args(arguments)
            .arg("--json")
            .arg("--config")
            .arg(self.config())
            .output()?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| io::Error::other(String::from_utf8_lossy(&output.stderr)))
    }

    /// The end of what it said.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}
