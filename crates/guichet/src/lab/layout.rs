//! Where everything of a lab is: addresses, ports, files. Decided and written before anything
//! starts, so that each organisation is an ordinary instance with an ordinary configuration.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use guichet_engine::tls::Authority;
use guichet_services::names::parse_name;
use guichet_services::names::zone_file::{self, Delegation, Host, Organisation as ZoneOf};

use crate::config::Service;
use crate::output::Message;

/// Port = base + usual number.
pub const BASE_PORT: u16 = 20_000;
/// Above it the system takes ports for its own outgoing connections (Linux's default range).
const PORT_MOST: u16 = 32_767;

/// The bases to try when none was named: whole thousands first, which are easy to add to.
fn bases() -> impl Iterator<Item = u16> {
    let thousands = || (0..12).map(|number| BASE_PORT + 1000 * number);
    let others = (1..10).flat_map(move |hundred| thousands().map(move |base| base + 100 * hundred));
    thousands()
        .chain(others)
        .filter(|base| base + Service::Pop3s.port() <= PORT_MOST)
}

/// The lab's own name servers, as the zones know them; they answer on other ports of 127.0.0.1.
const ROOT_SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
const TLD_SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);
/// Where they answer, from the base.
const ROOT_OFFSET: u16 = 54;
const TLD_OFFSET: u16 = 55;

/// The services of each organisation.
const SERVICES: [Service; 10] = Service::ALL;

/// An organisation of the lab.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// Its folder's name: `nord`.
    pub name: String,
    /// Its domain.
    pub domain: String,
    /// Its address.
    pub ip: IpAddr,
    /// Its port base.
    pub base: u16,
    /// Its folder.
    pub folder: PathBuf,
    /// Its people's local parts.
    pub people: Vec<String>,
}

impl Organisation {
    /// Where a service listens.
    pub fn address(&self, service: Service) -> SocketAddr {
        SocketAddr::new(self.ip, self.base + offset(service))
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("guichet.toml")
    }
}

/// The whole lab.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Its folder.
    pub dir: PathBuf,
    /// Its port base.
    pub base: u16,
    /// A port of [`BASE_PORT`] that was taken, if the lab had to move.
    pub moved: Option<SocketAddr>,
    /// The organisations.
    pub organisations: Vec<Organisation>,
}

fn offset(service: Service) -> u16 {
    if service == Service::Watch {
        0
    } else {
        service.port()
    }
}

impl Layout {
    /// Finds addresses and ports that are free. `wanted` is a base the user insists on; `claim`
    /// binds the watch address for good, so that of labs that start in the same moment only one
    /// takes the base.
    pub fn find<T>(
        dir: PathBuf,
        wanted: Option<u16>,
        claim: impl Fn(SocketAddr) -> io::Result<T>,
    ) -> Result<(Self, T), Message> {
        let separate = [2, 3]
            .iter()
            .all(|&last| TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), 0)).is_ok());
        let bases = wanted.map_or_else(|| bases().collect(), |base| vec![base]);
        let mut taken = None;
        for base in bases {
            if base > 64_000 {
                return Err(Message::new("lab-base-port").with_shown("base", base));
            }
            let mut layout = Self::at(dir.clone(), base, separate);
            let claimed = claim(layout.watch());
            match (claimed, layout.first_taken()) {
                (Ok(claimed), None) => {
                    layout.moved = taken;
                    return Ok((layout, claimed));
                }
                (Err(_), _) => taken = taken.or(Some(layout.watch())),
                (Ok(_), Some(address)) => taken = taken.or(Some(address)),
            }
        }
        let address = taken.map(|address| address.to_string()).unwrap_or_default();
        Err(Message::new("lab-ports-taken").with("address", address))
    }

    fn at(dir: PathBuf, base: u16, separate: bool) -> Self {
        let organisation = |index: u8, name: &str, people: [&str; 2]| {
            let last = if separate { 2 + index } else { 1 };
            let shift = if separate {
                0
            } else {
                1000 * (u16::from(index) + 1)
            };
            Organisation {
                name: name.to_owned(),
                domain: format!("{name}.test"),
                ip: Ipv4Addr::new(127, 0, 0, last).into(),
                base: base + shift,
                folder: dir.join(name),
                people: people.map(str::to_owned).to_vec(),
            }
        };
        let organisations = vec![
            organisation(0, "nord", ["alice", "adam"]),
            organisation(1, "sud", ["bob", "berthe"]),
        ];
        Self {
            dir,
            base,
            moved: None,
            organisations,
        }
    }

    /// The lab's own watch address.
    pub fn watch(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base).into()
    }

    /// The resolver.
    pub fn resolver(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base + Service::Dns.port()).into()
    }

    /// The root name server.
    pub fn root(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base + ROOT_OFFSET).into()
    }

    /// The name server of `test`.
    pub fn tld(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base + TLD_OFFSET).into()
    }

    /// The root as a walk finds it.
    pub fn root_hint(&self) -> SocketAddr {
        (ROOT_SERVER, 53).into()
    }

    /// Where outgoing connections really go: the standard ports' meaning on high ports.
    pub fn dial_map(&self) -> BTreeMap<String, SocketAddr> {
        let mut map = BTreeMap::from([
            (format!("{ROOT_SERVER}:53"), self.root()),
            (format!("{TLD_SERVER}:53"), self.tld()),
        ]);
        for organisation in &self.organisations {
            for service in SERVICES
                .into_iter()
                .filter(|&service| service != Service::Watch)
            {
                // Where both share one address, only the host's name tells them apart.
                for host in ["ns1", "mail", "www"] {
                    let host = format!("{host}.{}:{}", organisation.domain, service.port());
                    map.insert(host, organisation.address(service));
                }
                let address = SocketAddr::new(organisation.ip, service.port()).to_string();
                map.entry(address)
                    .or_insert_with(|| organisation.address(service));
            }
        }
        map
    }

    /// The first address that somebody else has, besides the watch address, which is claimed.
    fn first_taken(&self) -> Option<SocketAddr> {
        let own = [self.resolver(), self.root(), self.tld()];
        let theirs = self.organisations.iter().flat_map(|organisation| {
            SERVICES
                .into_iter()
                .map(|service| organisation.address(service))
        });
        own.into_iter().chain(theirs).find(|&address| {
            let busy = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
            TcpListener::bind(address).is_err_and(|error| busy(&error))
                || UdpSocket::bind(address).is_err_and(|error| busy(&error))
        })
    }

    /// Writes what is missing and what must be new: the authority and its certificates (30 days),
    /// and the configurations with this start's ports. Sites and zones people may have changed
    /// are left as they are.
    pub fn write(&self) -> Result<(), Message> {
        make_folder(&self.dir)?;
        let authority =
            Authority::new("Guichet lab", &["test"]).map_err(|e| failed(&self.dir, e))?;
        authority
            .write(&self.dir)
            .map_err(|error| failed(&self.dir, error))?;
        for organisation in &self.organisations {
            make_folder(&organisation.folder)?;
            let names = [
                organisation.domain.clone(),
                format!("*.{}", organisation.domain),
            ];
            authority
                .issue(&organisation.folder, &names, &[organisation.ip])
                .map_err(|error| failed(&organisation.folder, error))?;
            write(
                &organisation.config(),
                &self.configuration(organisation),
                0o600,
            )?;
            write_site(organisation)?;
            write_zone(organisation)?;
        }
        Ok(())
    }

    fn configuration(&self, organisation: &Organisation) -> String {
        use std::fmt::Write;
        let mut text = format!(
            "# {domain} in a Guichet lab. Written anew at each start of the lab.\n\
             domains = [\"{domain}\"]\nhostname = \"mail.{domain}\"\n\
             store.dir = \"store\"\nnames.zones = \"zones\"\nnames.roots = [\"{}\"]\n\
             pages.sites = \"sites\"\nmail.clear_logins = true\n\
             mail.queue.first_retry = \"2s\"\nmail.queue.retry_most = \"30s\"\n\
             mail.queue.expire = \"1h\"\ntrace.level = \"full\"\ntrace.bytes_most = \"64 MB\"\n\n",
            self.root_hint(),
            domain = organisation.domain,
        );
        for service in SERVICES {
            let _ = writeln!(
                text,
                "listen.{}.addresses = [\"{}\"]",
                service.name(),
                organisation.address(service)
            );
        }
        text.push_str("\n[[tls.certificates]]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n");
        text.push_str("\n[dial.map]\n");
        for (from, to) in self.dial_map() {
            let _ = writeln!(text, "\"{from}\" = \"{to}\"");
        }
        text
    }

    /// The zones of the lab's own name servers: the root, and `test` with its delegations.
    pub fn own_zones(&self) -> Vec<(&'static str, String)> {
        let host = |name: &str, ip: IpAddr| {
            parse_name(name).map(|name| Host {
                name,
                addresses: vec![ip],
            })
        };
        let root: Vec<Host> = host("a.root", ROOT_SERVER.into()).into_iter().collect();
        let tld: Vec<Host> = host("ns.nic.test", TLD_SERVER.into()).into_iter().collect();
        let delegation = |zone: &str, servers: Vec<Host>| {
            parse_name(zone).map(|zone| Delegation { zone, servers })
        };
        let to_tld: Vec<_> = delegation("test", tld.clone()).into_iter().collect();
        let to_organisations: Vec<_> = self
            .organisations
            .iter()
            .filter_map(|organisation| {
                let server = host(&format!("ns1.{}", organisation.domain), organisation.ip);
                delegation(&organisation.domain, server.into_iter().collect())
            })
            .collect();
        let zone = |name: &str, servers: &[Host], delegations: &[Delegation]| {
            parse_name(name).map(|apex| zone_file::parent(&apex, 1, servers, delegations))
        };
        let zones = [
            (".", zone(".", &root, &to_tld)),
            ("test", zone("test", &tld, &to_organisations)),
        ];
        zones
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect()
    }
}

fn write_zone(organisation: &Organisation) -> Result<(), Message> {
    let folder = organisation.folder.join("zones");
    make_folder(&folder)?;
    let file = folder.join(format!("{}.zone", organisation.domain));
    let Some(domain) = parse_name(&organisation.domain) else {
        return Ok(());
    };
    if file.exists() {
        return Ok(());
    }
    let addresses = vec![organisation.ip];
    let zone = ZoneOf {
        domain,
        serial: 1,
        addresses,
        wildcard: true,
    };
    write(&file, &zone_file::organisation(&zone), 0o644)
}

fn write_site(organisation: &Organisation) -> Result<(), Message> {
    let folder = organisation
        .folder
        .join("sites")
        .join(format!("www.{}", organisation.domain));
    if folder.exists() {
        return Ok(());
    }
    make_folder(&folder)?;
    let (html, picture) = match organisation.name.as_str() {
        "nord" => (
            include_str!("sites/nord.html"),
            include_str!("sites/nord.svg"),
        ),
        _ => (
            include_str!("sites/sud.html"),
            include_str!("sites/sud.svg"),
        ),
    };
    write(&folder.join("index.html"), html, 0o644)?;
    write(
        &folder.join("style.css"),
        include_str!("sites/style.css"),
        0o644,
    )?;
    write(&folder.join("picture.svg"), picture, 0o644)
}

fn make_folder(folder: &Path) -> Result<(), Message> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| failed(folder, error))
}

pub(super) fn write(file: &Path, text: &str, mode: u32) -> Result<(), Message> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| failed(file, error))
}

fn failed(path: &Path, why: impl std::fmt::Display) -> Message {
    Message::new("lab-files")
        .with("path", path)
        .with("why", why.to_string())
}
