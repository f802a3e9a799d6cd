//! The real clients the tests use: which are there, and how the missing ones are installed.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::run;

/// A program the tests start, and the Debian package that has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Client {
    /// As typed.
    pub program: &'static str,
    /// As `apt-get install` knows it.
    pub package: &'static str,
}

const fn client(program: &'static str, package: &'static str) -> Client {
    Client { program, package }
}

/// Every client some test starts. One that is here but used by no test would be installed in vain.
pub const CLIENTS: &[Client] = &[
    client("dig", "dnsutils"),
    client("curl", "curl"),
    client("swaks", "swaks"),
    client("fetchmail", "fetchmail"),
    client("python3", "python3"),
    client("tshark", "tshark"),
    client("ip", "iproute2"),
    client("setpriv", "util-linux"),
];

/// Installs what is missing where that is possible: as root, with `apt-get`.
///
/// What stays missing is skipped by the tests that need it, each naming the client.
pub fn install_missing() {
    let missing = missing(|program| run::which(program).is_some());
    if missing.is_empty() {
        return;
    }
    let names: Vec<&str> = missing.iter().map(|client| client.program).collect();
    let names = names.join(", ");
    if !is_root() {
        println!("Not installed: {names} (only root may install them; their tests are skipped).");
        return;
    }
    if run::which("apt-get").is_none() {
        println!("Not installed: {names} (no apt-get here; their tests are skipped).");
        return;
    }
    println!("Installing {names} …");
    apt_get(&["update"]);
    // One at a time: one package this system does not have must not keep the others away.
    for client in missing {
        let installed = apt_get(&[
            "install",
            "--yes",
            "--no-install-recommends",
            client.package,
        ]);
        if !installed {
            println!(
                "{} could not be installed: see {}.",
                client.package,
                log().display()
            );
        }
    }
}

fn missing(there: impl Fn(&str) -> bool) -> Vec<&'static Client> {
    CLIENTS
        .iter()
        .filter(|client| !there(client.program))
        .collect()
}

fn is_root() -> bool {
    let said = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    said.is_ok_and(|said| said.stdout.trim_ascii() == b"0")
}

fn log() -> std::path::PathBuf {
    run::target().join("apt-get.log")
}

fn apt_get(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command
        .args(["--quiet", "-o", "Dpkg::Use-Pty=0"])
        .args(arguments)
        // Packages such as tshark ask questions otherwise.
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    if let Ok(log) = File::options().create(true).append(true).open(log())
        && let Ok(same) = log.try_clone()
    {
        command.stdout(log).stderr(same);
    }
    run::succeeds(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_missing() {
        assert_eq!(missing(|_| true), Vec::<&Client>::new());
        let found = missing(|program| program != "dig");
        assert_eq!(found, [&client("dig", "dnsutils")]);
    }
}
