//! Which running server a command speaks to: options beat variables, variables beat the
//! `guichet.toml` of the current folder, that beats the lab this user runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Client;
use crate::cli::Global;
use crate::config::{Config, FILE_NAME};
use crate::output::{Failure, Message};

/// The file in a lab's folder that says where everything is: what `guichet lab --json` prints.
pub const LAB_FILE_NAME: &str = "lab.json";

/// What `guichet lab --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabContract {
    /// The watch address with its token.
    pub watch: String,
    /// The resolver's socket address.
    pub resolver: String,
    /// The root name server's socket address.
    pub root: String,
    /// The socket address of the name server of `test`.
    pub tld: String,
    /// The lab's control socket.
    pub control: PathBuf,
    /// The lab's certificate authority.
    pub ca: PathBuf,
    /// The lab's folder.
    pub dir: PathBuf,
    /// The organisations.
    pub organisations: Vec<LabOrganisation>,
}

/// One organisation of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabOrganisation {
    /// Its domain.
    pub domain: String,
    /// Its configuration.
    pub config: PathBuf,
    /// Its process.
    pub pid: u32,
    /// Its people.
    pub accounts: Vec<LabAccount>,
    /// Socket addresses (or URLs) by name of the service.
    pub services: BTreeMap<String, String>,
}

/// One person of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabAccount {
    /// The full address.
    pub login: String,
    /// The password.
    pub password: String,
}

impl LabContract {
    /// Reads the file of the lab in `dir`; `None` if there is none that can be read.
    pub fn read(dir: &Path) -> Option<Self> {
        Self::read_file(&dir.join(LAB_FILE_NAME))
    }

    fn read_file(file: &Path) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
    }
}

/// A running server.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The first of its domains; its socket's path where only that is known.
    pub name: String,
    /// Its control socket.
    pub control: Client,
    /// Its folder of zone files, where its configuration is known.
    pub zones: Option<PathBuf>,
}

/// The servers a command speaks to.
#[derive(Clone, Debug)]
pub struct Instances {
    /// The lab they belong to.
    pub lab: Option<LabContract>,
    /// At least one.
    pub servers: Vec<Instance>,
}

impl Instances {
    /// The lab's own control socket if there is one, else the server's: for what concerns the whole.
    pub fn whole(&self) -> Vec<Client> {
        match &self.lab {
            Some(lab) => vec![Client::new(&lab.control)],
            None => self
                .servers
                .iter()
                .map(|server| server.control.clone())
                .collect(),
        }
    }

    /// The servers to ask about `address` (a log-in, an alias) or a domain: in a lab the one of its
    /// domain, if there is such a one.
    pub fn concerned(&self, address: &str) -> Vec<&Instance> {
        let domain = address.rsplit('@').next().unwrap_or_default();
        let own = self
            .servers
            .iter()
            .filter(|server| server.name.eq_ignore_ascii_case(domain));
        let own: Vec<_> = own.collect();
        if own.is_empty() {
            self.servers.iter().collect()
        } else {
            own
        }
    }
}

/// Finds the servers for a command line in this environment.
///
/// # Errors
/// [`Failure::Wrong`] if the options lead to no server, [`Failure::Failed`] if none runs.
pub fn find(global: &Global) -> Result<Instances, Failure> {
    let mut found = Finder {
        environment: &|name| std::env::var_os(name),
    }
    .find(global)?;
    let Some(domain) = &global.org else {
        return Ok(found);
    };
    found.lab = None;
    found
        .servers
        .retain(|server| server.name.eq_ignore_ascii_case(domain));
    if found.servers.is_empty() {
        let message = Message::new("control-no-such-organisation").with("org", domain.as_str());
        return Err(Failure::wrong(message));
    }
    Ok(found)
}

/// The folder of this user's lab where none is named: `guichet/lab` in the state folder (XDG Base
/// Directory Specification).
pub fn lab_dir(environment: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| {
        environment(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let state = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = || set("HOME").unwrap_or_default().join(".local/state");
    state.unwrap_or_else(home).join("guichet/lab")
}

struct Finder<'e> {
    environment: &'e dyn Fn(&str) -> Option<OsString>,
}

impl Finder<'_> {
    fn find(&self, global: &Global) -> Result<Instances, Failure> {
        if !global.control.is_empty() {
            return Ok(sockets(&global.control));
        }
        if let Some(file) = &global.config {
            return configured(file);
        }
        if let Some(dir) = &global.dir {
            return in_folder(dir);
        }
        if let Some(path) = self.path("GUICHET_CONTROL") {
            return Ok(sockets(&[path]));
        }
        if let Some(dir) = self.path("GUICHET_DIR") {
            return in_folder(&dir);
        }
        if let Some(lab) = self
            .path("GUICHET_LAB")
            .and_then(|file| LabContract::read_file(&file))
        {
            return of_lab(lab);
        }
        if Path::new(FILE_NAME).exists() {
            return configured(Path::new(FILE_NAME));
        }
        match LabContract::read(&lab_dir(self.environment)) {
            Some(lab) => of_lab(lab),
            None => Err(Failure::failed(Message::new("control-none"))),
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.environment)(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }
}

fn sockets(paths: &[PathBuf]) -> Instances {
    let instance = |path: &PathBuf| Instance {
        name: path.display().to_string(),
        control: Client::new(path),
        zones: None,
    };
    Instances {
        lab: None,
        servers: paths.iter().map(instance).collect(),
    }
}

fn configured(file: &Path) -> Result<Instances, Failure> {
    Ok(Instances {
        lab: None,
        servers: vec![instance(file)?],
    })
}

fn instance(file: &Path) -> Result<Instance, Failure> {
    let config = Config::load(file)?;
    Ok(Instance {
        name: config.domains.into_iter().next().unwrap_or_default(),
        control: Client::new(config.control),
        zones: Some(config.names.zones),
    })
}

fn in_folder(dir: &Path) -> Result<Instances, Failure> {
    match LabContract::read(dir) {
        Some(lab) => of_lab(lab),
        None => configured(&dir.join(FILE_NAME)),
    }
}

fn of_lab(lab: LabContract) -> Result<Instances, Failure> {
    let servers = lab.organisations.iter().map(|organisation| {
        let mut found = instance(&organisation.config)?;
        found.control = Client::of_organisation(found.control.path(), &organisation.domain);
        Ok(found)
    });
    let servers = servers.collect::<Result<_, Failure>>()?;
    Ok(Instances {
        lab: Some(lab),
        servers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(folder: &Path, domain: &str) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        let file = folder.join(FILE_NAME);
        std::fs::write(&file, format!("domains = [\"{domain}\"]")).unwrap();
        file
    }

    fn lab(dir: &Path) {
        let organisations = ["nord.test", "sud.test"]
            .map(|domain| LabOrganisation {
                domain: domain.to_owned(),
                config: server(&dir.join(domain), domain),
                pid: 1,
                accounts: Vec::new(),
                services: BTreeMap::new(),
            })
            .to_vec();
        let contract = LabContract {
            watch: String::new(),
            resolver: String::new(),
            root: String::new(),
            tld: String::new(),
            control: dir.join("control.sock"),
            ca: dir.join("ca.pem"),
            dir: dir.to_owned(),
            organisations,
        };
        let text = serde_json::to_string(&contract).unwrap();
        std::fs::write(dir.join(LAB_FILE_NAME), text).unwrap();
    }

    fn names(found: &Instances) -> Vec<&str> {
        found
            .servers
            .iter()
            .map(|server| server.name.as_str())
            .collect()
    }

    #[test]
    fn options_beat_variables_and_these_the_lab() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let lab_folder = state.join("guichet/lab");
        std::fs::create_dir_all(&lab_folder).unwrap();
        lab(&lab_folder);
        let other = folder.path().join("other");
        let file = server(&other, "other.test");

        let environment = |name: &str| match name {
            "XDG_STATE_HOME" => Some(state.clone().into_os_string()),
            _ => None,
        };
        let finder = Finder {
            environment: &environment,
        };
        let found = finder.find(&Global::default()).unwrap();
        assert_eq!(names(&found), ["nord.test", "sud.test"]);
        assert_eq!(found.whole()[0].path(), lab_folder.join("control.sock"));
        assert_eq!(found.concerned("bob@sud.test").len(), 1);
        assert_eq!(found.concerned("0123456789").len(), 2);

        let variable = |name: &str| match name {
            "GUICHET_DIR" => Some(other.clone().into_os_string()),
            _ => environment(name),
        };
        let finder = Finder {
            environment: &variable,
        };
        assert_eq!(
            names(&finder.find(&Global::default()).unwrap()),
            ["other.test"]
        );

        let option = Global {
            config: Some(file),
            ..Global::default()
        };
        assert_eq!(names(&finder.find(&option).unwrap()), ["other.test"]);
        let option = Global {
            dir: Some(lab_folder),
            ..Global::default()
        };
        assert_eq!(
            names(&finder.find(&option).unwrap()),
            ["nord.test", "sud.test"]
        );
        let option = Global {
            control: vec!["/x".into()],
            ..Global::default()
        };
        assert_eq!(
            finder.find(&option).unwrap().servers[0].control.path(),
            Path::new("/x")
        );
    }

    #[test]
    fn without_anything_running_it_says_so() {
        let finder = Finder {
            environment: &|_| None,
        };
        assert!(matches!(
            finder.find(&Global::default()),
            Err(Failure::Failed(_))
        ));
    }
}
