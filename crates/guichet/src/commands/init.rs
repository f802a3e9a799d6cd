//! `guichet init DOMAIN`: the files, the store and the first account a new domain begins with, and
//! what to tell the registrar.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;

use guichet_trace::visible;
use serde_json::json;

use super::password;
use crate::cli::{Global, Init as Args};
use crate::config::{Service, Setting, domain, list};
use crate::founding::{FirstAccount, Founded, Founding, Password};
use crate::output::{Failure, Message, Outcome, Output};

/// Writes the files; what is there already stays.
pub(super) fn run(args: &Args, global: &Global, output: &Output<'_>) -> Outcome {
    let domain = domain(&args.domain)
        .filter(|name| name.contains('.'))
        .ok_or_else(|| {
            Failure::wrong(Message::new("init-not-a-domain").with("domain", args.domain.as_str()))
        })?;
    let addresses = match args.address.is_empty() {
        true => own_addresses(),
        false => args.address.clone(),
    };
    if addresses.is_empty() {
        return Err(Failure::wrong(Message::new("init-no-address")));
    }
    let login = login(args, &domain)?;
    let password = match password::first(output, &login)? {
        Some(chosen) => Password::Chosen(chosen),
        None => Password::draw().map_err(Failure::Failed)?,
    };
    let account = FirstAccount::new(login, &password).map_err(Failure::Failed)?;
    let founding = Founding {
        dir: global.dir.as_deref().unwrap_or(Path::new(".")),
        domain: &domain,
        addresses: addresses.clone(),
        settings: listeners(),
        colour: "#2a6f97",
        account: &account,
    };
    let founded = founding.found(output.texts).map_err(Failure::Failed)?;
    let told = Told {
        domain: &domain,
        addresses: &addresses,
        login: &account.login,
        aliases: account.aliases(),
        password: &password,
    };
    told.tell(&founded, output)
}

/// The first account's full address: the postmaster's, who must be there (RFC 5321 section 4.5.1),
/// unless another one of the domain is named.
fn login(args: &Args, of: &str) -> Result<String, Failure> {
    let Some(asked) = &args.account else {
        return Ok(format!("postmaster@{of}"));
    };
    let fits = |local: &str, of_login: &str| {
        let unusual = |c: char| c.is_whitespace() || c.is_control() || "@,;:<>()[]\\\"".contains(c);
        !local.is_empty() && !local.contains(unusual) && domain(of_login).as_deref() == Some(of)
    };
    match asked.rsplit_once('@') {
        Some((local, of_login)) if fits(local, of_login) => Ok(asked.to_lowercase()),
        _ => Err(Failure::wrong(
            Message::new("init-not-an-account")
                .with("account", asked.as_str())
                .with("domain", of),
        )),
    }
}

/// Every service listens on every address, except those that are off unless somebody asks.
fn listeners() -> Vec<Setting> {
    let address = |service: Service| match service {
        Service::Echo => None,
        Service::Watch => Some(list([format!("127.0.0.1:{}", service.port())])),
        _ => {
            let port = service.port();
            Some(list([format!("0.0.0.0:{port}"), format!("[::]:{port}")]))
        }
    };
    let setting = |service: Service| {
        Some((
            format!("listen.{}.addresses", service.name()),
            address(service)?,
        ))
    };
    Service::ALL.into_iter().filter_map(setting).collect()
}

/// The addresses from which this computer speaks to the Internet. Nothing is sent: a datagram
/// socket that is only connected makes the system choose its own address.
fn own_addresses() -> Vec<IpAddr> {
    let speak = |own: &str, far: &str| -> std::io::Result<SocketAddr> {
        let socket = UdpSocket::bind(own)?;
        socket.connect(far)?;
        socket.local_addr()
    };
    // Documentation addresses (RFC 5737, RFC 3849): routed like any other until somebody answers.
    [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")]
        .iter()
        .filter_map(|(own, far)| speak(own, far).ok())
        .map(|address| address.ip())
        .collect()
}

/// Whether others on the Internet cannot reach the address (RFC 1918, RFC 4193, RFC 3927, 4291).
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// What whoever founds is told.
struct Told<'t> {
    domain: &'t str,
    addresses: &'t [IpAddr],
    login: &'t str,
    aliases: Vec<String>,
    password: &'t Password,
}

impl Told<'_> {
    fn tell(&self, founded: &Founded, output: &Output<'_>) -> Outcome {
        if output.json {
            return self.tell_program(founded, output);
        }
        let shown = |path: &Path| visible(&path.display().to_string());
        let addresses: Vec<_> = self.addresses.iter().map(IpAddr::to_string).collect();
        let words = [
            ("domain", self.domain),
            ("addresses", &addresses.join(", ")),
            ("config", &shown(&founded.config)),
            ("zone", &shown(&founded.zone)),
            ("site", &shown(&founded.site)),
            ("store", &shown(&founded.store)),
            ("token", &shown(&founded.token)),
            ("login", &visible(self.login)),
            ("aliases", &visible(&self.aliases.join(", "))),
        ];
        output.line(&output.say("init-done", &words))?;
        if let Password::Drawn(password) = self.password {
            let words = [("login", &*visible(self.login)), ("password", password)];
            output.line(&format!("\n{}", output.say("init-password", &words)))?;
        }
        if self.addresses.iter().any(is_private) {
            output.line(&format!("\n{}", output.say("init-private", &words)))?;
        }
        output.line(&format!("\n{}", output.say("init-next", &words)))
    }

    fn tell_program(&self, founded: &Founded, output: &Output<'_>) -> Outcome {
        let mut object = json!({
            "domain": self.domain,
            "addresses": self.addresses,
            "config": founded.config,
            "zone": founded.zone,
            "site": founded.site,
            "store": founded.store,
            "token": founded.token,
            "account": self.login,
            "aliases": self.aliases,
        });
        if let Password::Drawn(password) = self.password {
            object["password"] = password.as_str().into();
        }
        output.json(&object)
    }
}
