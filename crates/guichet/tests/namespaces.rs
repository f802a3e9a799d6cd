//! Two organisations on two computers: a `guichet serve` in each of two network namespaces, joined
//! by nothing but a cable, on the standard ports. A letter goes from the one to the other, and its
//! journey is put together from both servers' traces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use guichet_engine::tls::Authority;
use guichet_services::names::parse_name;
use guichet_services::names::zone_file::{self, Delegation, Host};
use serde_json::Value;
use support::{DELIVERY_MOST, Signal, client, eventually, guichet, run, signal, skipped};

const NORD: &str = "10.77.0.1";
const SUD: &str = "10.77.0.2";
/// Where the forwarder takes mail for the south, when there is one.
const FORWARDER: &str = "10.77.0.3";
const PASSWORD: &str = "a word";

/// Two network namespaces with a cable between them; gone with this value.
struct Network {
    ip: PathBuf,
    names: [String; 2],
}

impl Network {
    /// None, with the skip noted, where it cannot be made.
    fn make(name: &str) -> Option<Self> {
        let ip = client("ip")?;
        let process = std::process::id();
        let network = Self {
            ip,
            names: ["nord", "sud"].map(|side| format!("guichet-{process}-{name}-{side}")),
        };
        for namespace in &network.names {
            let made = run(Command::new(&network.ip).args(["netns", "add", namespace]));
            if made.code != Some(0) {
                skipped("network-namespaces", "only root may make them here");
                return None;
            }
        }
        let [nord, sud] = &network.names;
        network.configure(&[
            "-n", nord, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns",
            sud,
        ]);
        let addresses = [(nord, NORD), (sud, SUD), (sud, FORWARDER)];
        for (namespace, address) in addresses {
            let address = format!("{address}/24");
            network.configure(&["-n", namespace, "addr", "add", &address, "dev", "cable"]);
        }
        for namespace in &network.names {
            network.configure(&["-n", namespace, "link", "set", "cable", "up"]);
            network.configure(&["-n", namespace, "link", "set", "lo", "up"]);
        }
        Some(network)
    }

    fn configure(&self, words: &[&str]) {
        run(Command::new(&self.ip).args(words)).well();
    }

    /// `command`, as it runs on this side.
    fn inside(&self, side: usize, command: &Command) -> Command {
        let mut inside = Command::new(&self.ip);
        inside
            .args(["netns", "exec", &self.names[side]])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            let command = Command::new(&self.ip).args(["netns", "del", name]).output();
            let _ = command; // it was not made
        }
    }
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        signal(self.0.id(), Signal::TERM);
        for _ in 0..500 {
            if let Ok(Some(_)) = self.0.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The two organisations. The field order is the order of the end.
struct World {
    servers: Vec<Running>,
    network: Network,
    authority: PathBuf,
    curl: PathBuf,
    home: tempfile::TempDir,
}

impl World {
    /// Both running, with one person each; none where the means are missing.
    fn start(name: &str, with_tls: bool, forwarded: bool) -> Option<Self> {
        let curl = client("curl")?;
        let network = Network::make(name)?;
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::new("the test's authority", &["test"]).unwrap();
        authority.write(home.path()).unwrap();
        let mut world = Self {
            servers: Vec::new(),
            network,
            authority: home.path().join("ca.pem"),
            curl,
            home,
        };
        for (side, domain) in ["nord.test", "sud.test"].into_iter().enumerate() {
            let folder = world.folder(side);
            fs::create_dir_all(folder.join("zones")).unwrap();
            if with_tls {
                let names = [domain.to_owned(), format!("*.{domain}")];
                authority.issue(&folder, &names, &[]).unwrap();
            }
            fs::write(
                folder.join("guichet.toml"),
                configuration(side, domain, with_tls, forwarded),
            )
            .unwrap();
        }
        world.write_zones();
        world.serve();
        Some(world)
    }

    fn folder(&self, side: usize) -> PathBuf {
        self.home.path().join(["nord", "sud"][side])
    }

    fn control(&self, side: usize) -> PathBuf {
        self.folder(side).join("control.sock")
    }

    /// The north also keeps the root and `test`: three zones, each handing on to the next.
    fn write_zones(&self) {
        let name = |text: &str| parse_name(text).expect("a name");
        let host = |text: &str, address: &str| Host {
            name: name(text),
            addresses: vec![address.parse().unwrap()],
        };
        let (root, tld) = (host("a.root", NORD), host("ns.nic.test", NORD));
        let delegation = |zone: &str, server: &Host| Delegation {
            zone: name(zone),
            servers: vec![server.clone()],
        };
        let write = |side: usize, zone: &str, text: String| {
            fs::write(self.folder(side).join("zones").join(zone), text).unwrap();
        };
        let to_test = [delegation("test", &tld)];
        write(
            0,
            "root.zone",
            zone_file::parent(&name("."), 1, &[root], &to_test),
        );
        let organisations = [
            delegation("nord.test", &host("ns1.nord.test", NORD)),
            delegation("sud.test", &host("ns1.sud.test", SUD)),
        ];
        write(
            0,
            "test.zone",
            zone_file::parent(&name("test"), 1, &[tld], &organisations),
        );
        for (side, domain, address) in [(0, "nord.test", NORD), (1, "sud.test", SUD)] {
            let zone = zone_file::Organisation {
                domain: name(domain),
                serial: 1,
                addresses: vec![address.parse::<IpAddr>().unwrap()],
                wildcard: false,
            };
            write(
                side,
                &format!("{domain}.zone"),
                zone_file::organisation(&zone),
            );
        }
    }

    fn serve(&mut self) {
        for (side, login) in ["alice@nord.test", "bob@sud.test"].into_iter().enumerate() {
            let mut command = guichet(self.home.path());
            command.arg("serve").arg("--config");
            command.arg(self.folder(side).join("guichet.toml"));
            let log = fs::File::create(self.folder(side).join("log")).unwrap();
            let mut inside = self.network.inside(side, &command);
            let child = inside
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log);
            self.servers.push(Running(child.spawn().unwrap()));
            eventually(Duration::from_secs(20), || {
                let ran = run(guichet(self.home.path())
                    .args(["status", "--control"])
                    .arg(self.control(side)));
                let log = fs::read_to_string(self.folder(side).join("log")).unwrap();
                (ran.code == Some(0))
                    .then_some(())
                    .ok_or(format!("{ran:?}\n{log}"))
            });
            let mut add = guichet(self.home.path());
            add.args(["account", "add", login, "--control"]);
            add.arg(self.control(side));
            let mut child = add
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
            drop(input);
            assert!(child.wait().unwrap().success());
        }
    }

    /// alice hands in a letter to bob, from a program in the north; its Message-ID.
    fn send(&self, with_tls: bool) -> String {
        let id = "over-the-cable@nord.test";
        let letter = self.home.path().join("letter");
        let text = format!(
            "From: alice@nord.test\r\nTo: bob@sud.test\r\nMessage-ID: <{id}>\r\n\
             Subject: Over the cable\r\n\r\nHello Bob.\r\n"
        );
        fs::write(&letter, text).unwrap();
        let mut command = self.curl("mail.nord.test:587", NORD, "alice@nord.test", with_tls);
        command
            .args([
                "--mail-from",
                "alice@nord.test",
                "--mail-rcpt",
                "bob@sud.test",
                "-T",
            ])
            .arg(&letter)
            .arg("smtp://mail.nord.test:587/alice.nord.test");
        run(&mut self.network.inside(0, &command)).well();
        id.to_owned()
    }

    /// bob collects in the south.
    fn collect(&self, with_tls: bool) -> String {
        eventually(DELIVERY_MOST, || {
            let mut command = self.curl("mail.sud.test:110", SUD, "bob@sud.test", with_tls);
            command.arg("pop3://mail.sud.test:110/1");
            let ran = run(&mut self.network.inside(1, &command));
            (ran.code == Some(0))
                .then_some(ran.out.clone())
                .ok_or_else(|| {
                    let queue = run(guichet(self.home.path())
                        .args(["queue", "list", "--control"])
                        .arg(self.control(0)));
                    format!("{ran:?}\n{}", queue.all())
                })
        })
    }

    fn curl(&self, host: &str, address: &str, login: &str, with_tls: bool) -> Command {
        let mut command = Command::new(&self.curl);
        command.args(["-s", "-u", &format!("{login}:{PASSWORD}")]);
        command.args(["--resolve", &format!("{host}:{address}")]);
        if with_tls {
            command
                .args(["--ssl-reqd", "--cacert"])
                .arg(&self.authority);
        }
        command
    }

    /// The letter's one journey, from both servers' traces, once it is complete.
    fn journey(&self, message_id: &str) -> Value {
        eventually(Duration::from_secs(10), || {
            let ran = run(guichet(self.home.path())
                .args(["trace", "show", "--message-id", message_id, "--json"])
                .arg("--control")
                .arg(self.control(0))
                .arg("--control")
                .arg(self.control(1)));
            if ran.code != Some(0) {
                return Err(ran.all());
            }
            let journey: Value = serde_json::from_str(&ran.out).unwrap();
            let whole = journey["collected"] == true;
            whole
                .then_some(journey.clone())
                .ok_or(format!("{journey:#}"))
        })
    }

    /// How many journeys both traces together know for the letter.
    fn journeys(&self, message_id: &str) -> usize {
        let ran = run(guichet(self.home.path())
            .args(["trace", "list", "--message-id", message_id, "--json"])
            .arg("--control")
            .arg(self.control(0))
            .arg("--control")
            .arg(self.control(1)))
        .well();
        ran.out.lines().count()
    }
}

fn configuration(side: usize, domain: &str, with_tls: bool, forwarded: bool) -> String {
    let address = [NORD, SUD][side];
    let mut text = format!(
        "domains = [\"{domain}\"]\nnames.roots = [\"{NORD}:53\"]\nmail.clear_logins = {}\n",
        !with_tls
    );
    let services = [
        ("dns", 53),
        ("smtp", 25),
        ("submission", 587),
        ("http", 80),
        ("pop3", 110),
    ];
    for (service, port) in services {
        text.push_str(&format!(
            "listen.{service}.addresses = [\"{address}:{port}\"]\n"
        ));
    }
    if with_tls {
        text.push_str("[[tls.certificates]]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n");
    }
    if forwarded && side == 0 {
        text.push_str(&format!("[dial.map]\n\"{SUD}:25\" = \"{FORWARDER}:25\"\n"));
    }
    text
}

/// The exchanges of a journey that lead to this server.
fn hops<'j>(journey: &'j Value, protocol: &str, server: &str) -> Vec<&'j Value> {
    let exchanges = journey["exchanges"].as_array().expect("exchanges");
    let is_it =
        |exchange: &&Value| exchange["protocol"] == protocol && exchange["server"] == server;
    exchanges.iter().filter(is_it).collect()
}

/// The one hop between the organisations, as both told it.
fn the_hop<'j>(journey: &'j Value, server: &str) -> &'j Value {
    let relayed = hops(journey, "smtp", server);
    assert_eq!(relayed.len(), 1, "{journey:#}");
    assert_eq!(relayed[0]["seen_by"], "both", "{journey:#}");
    assert_eq!(relayed[0]["organisation"], "sud.test");
    assert_eq!(relayed[0]["client_organisation"], "nord.test");
    relayed[0]
}

fn check_letter(world: &World, with_tls: bool) {
    let id = world.send(with_tls);
    let letter = world.collect(with_tls);
    assert!(letter.contains("Hello Bob."), "{letter}");
    let journey = world.journey(&id);
    assert_eq!(world.journeys(&id), 1);
    assert_eq!(journey["title"], "alice@nord.test → bob@sud.test");

    let relayed = the_hop(&journey, &format!("{SUD}:25"));
    assert_eq!(relayed["tls"], with_tls, "{relayed:#}");
    assert!(relayed["client"].as_str().unwrap().starts_with(NORD));
    let handed = hops(&journey, "smtp", &format!("{NORD}:587"));
    assert_eq!(
        (handed.len(), &handed[0]["seen_by"]),
        (1, &"server".into()),
        "{journey:#}"
    );
    // What the relay was caused by is the handing in.
    let causes = relayed["causes"].as_array().expect("causes");
    assert!(causes.contains(&handed[0]["id"]), "{journey:#}");
    assert!(!hops(&journey, "pop3", &format!("{SUD}:110")).is_empty());
    // The question that crossed the cable is joined as well: two addresses and the time.
    let asked = hops(&journey, "dns", &format!("{SUD}:53"));
    assert!(!asked.is_empty(), "{journey:#}");
    assert!(
        asked.iter().all(|question| question["seen_by"] == "both"),
        "{journey:#}"
    );
}

#[test]
fn through_tls_the_halves_are_joined() {
    if let Some(world) = World::start("tls", true, false) {
        check_letter(&world, true);
    }
}

#[test]
fn in_clear_the_halves_are_joined_by_addresses_and_time() {
    if let Some(world) = World::start("clear", false, false) {
        check_letter(&world, false);
    }
}

/// Passes bytes on: neither end sees the other's address.
const FORWARD: &str = r"
import socket, sys, threading
listener = socket.create_server((sys.argv[1], 25))
print('listening', flush=True)
def pass_on(source, target):
    while piece := source.recv(65536):
        target.sendall(piece)
    target.shutdown(socket.SHUT_WR)
while True:
    near = listener.accept()[0]
    far = socket.create_connection((sys.argv[2], 25))
    for ends in (near, far), (far, near):
        threading.Thread(target=pass_on, args=ends, daemon=True).start()
";

/// A forwarder stands between the two servers: their addresses and ports tell nothing about each
/// other. What both computed from the TLS session alone still does; in clear nothing may.
#[test]
fn through_a_forwarder_only_the_tls_session_tells_that_two_halves_are_one() {
    let Some(python) = client("python3") else {
        return;
    };
    for with_tls in [true, false] {
        let name = ["fwd", "fwd-tls"][usize::from(with_tls)];
        let Some(world) = World::start(name, with_tls, true) else {
            return;
        };
        let mut forwarder = Command::new(&python);
        forwarder.args(["-c", FORWARD, FORWARDER, SUD]);
        let mut forwarder = world.network.inside(1, &forwarder);
        let mut forwarder = Running(forwarder.stdout(Stdio::piped()).spawn().unwrap());
        // The queue tries again only after minutes: it must not be too early.
        let mut said = BufReader::new(forwarder.0.stdout.take().unwrap());
        said.read_line(&mut String::new()).unwrap();
        let id = world.send(with_tls);
        world.collect(with_tls);
        if with_tls {
            let journey = world.journey(&id);
            assert_eq!(world.journeys(&id), 1);
            let hops: Vec<_> = journey["exchanges"]
                .as_array()
                .expect("exchanges")
                .iter()
                .filter(|hop| hop["protocol"] == "smtp" && hop["seen_by"] == "both")
                .collect();
            assert_eq!(hops.len(), 1, "{journey:#}");
        } else {
            eventually(Duration::from_secs(10), || match world.journeys(&id) {
                2 => Ok(()),
                other => Err(format!("{other} journeys")),
            });
        }
    }
}
