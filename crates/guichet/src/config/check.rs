//! Values become the plain structs of [`super::Config`]; what no single value shows (something
//! missing, two that contradict each other) is found here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::declare::{self, Declaration};
use super::kind::Value;
use super::read::Read;
use super::{Certificate, Config, Finding, Listen, Mail, Names, Queue, Service, Trace, TraceLevel};
use crate::output::Message;
use crate::texts::Language;

/// Makes a configuration of what was read from `file`.
pub(super) fn check(file: &Path, read: Read) -> Result<Config, Vec<Finding>> {
    let mut values = Values {
        folder: file.parent().unwrap_or(Path::new("/")),
        read,
    };
    values.look_for_contradictions();
    if !values.read.findings.is_empty() {
        return Err(values.read.findings);
    }
    Ok(values.config(file))
}

struct Values<'f> {
    folder: &'f Path,
    read: Read,
}

impl Values<'_> {
    fn look_for_contradictions(&mut self) {
        if self.texts(&declare::DOMAINS).is_empty() {
            let line = self.line(&declare::DOMAINS);
            // A list that is itself wrong has been complained about already.
            if line != 0 || self.read.findings.is_empty() {
                self.refuse(line, Message::new("config-no-domains"));
            }
        }
        if self.duration(&declare::QUEUE_FIRST) > self.duration(&declare::QUEUE_MOST) {
            let line = self
                .line(&declare::QUEUE_FIRST)
                .max(self.line(&declare::QUEUE_MOST));
            self.refuse(line, Message::new("config-retry-order"));
        }
        if self.duration(&declare::QUEUE_MOST) > self.duration(&declare::QUEUE_EXPIRE) {
            let line = self
                .line(&declare::QUEUE_MOST)
                .max(self.line(&declare::QUEUE_EXPIRE));
            self.refuse(line, Message::new("config-expire-order"));
        }
        self.look_for_shared_addresses();
    }

    /// Two services cannot listen on one address; port 0 leaves the choice to the system.
    fn look_for_shared_addresses(&mut self) {
        let mut taken: BTreeMap<SocketAddr, String> = BTreeMap::new();
        let mut names = declare::LISTEN_ADDRESSES.names();
        names.push(declare::NAMES_RESOLVER_LISTEN.path.to_owned());
        for name in names {
            let Some((line, Value::Addresses(addresses))) = self.read.values.get(&name).cloned()
            else {
                continue;
            };
            for address in addresses.into_iter().filter(|address| address.port() != 0) {
                if let Some(other) = taken.insert(address, name.clone()) {
                    let message = Message::new("config-address-twice")
                        .with_shown("address", address)
                        .with("key", name.as_str())
                        .with("other", other);
                    self.refuse(line, message);
                }
            }
        }
    }

    fn config(&self, file: &Path) -> Config {
        let domains = self.texts(&declare::DOMAINS);
        let first = domains.first().cloned().unwrap_or_default();
        Config {
            file: file.to_owned(),
            hostname: self
                .text(&declare::HOSTNAME)
                .unwrap_or_else(|| format!("mail.{first}")),
            domains,
            language: self
                .text(&declare::LANGUAGE)
                .and_then(|tag| Language::from_tag(&tag)),
            user: self.text(&declare::USER),
            control: self.path(&declare::CONTROL),
            store_dir: self.path(&declare::STORE_DIR),
            names: Names {
                zones: self.path(&declare::NAMES_ZONES),
                roots: self.addresses(declare::NAMES_ROOTS.path),
                resolver_listen: self.addresses(declare::NAMES_RESOLVER_LISTEN.path),
            },
            pages_sites: self.path(&declare::PAGES_SITES),
            listen: Service::ALL
                .into_iter()
                .filter_map(|s| Some((s, self.listen(s)?)))
                .collect(),
            certificates: self.certificates(),
            mail: Mail {
                size_bytes_most: self.count(&declare::MAIL_SIZE, declare::MAIL_SIZE.path),
                clear_logins: self.switch(&declare::MAIL_CLEAR_LOGINS),
                queue: Queue {
                    first_retry: self.duration(&declare::QUEUE_FIRST),
                    retry_most: self.duration(&declare::QUEUE_MOST),
                    expire: self.duration(&declare::QUEUE_EXPIRE),
                },
            },
            dial_map: self.dial_map(),
            trace: self.trace(),
            stop_drain: self.duration(&declare::STOP_DRAIN),
            watch_token_file: self.path(&declare::WATCH_TOKEN),
        }
    }

    fn listen(&self, service: Service) -> Option<Listen> {
        let name = |declaration: &Declaration| declaration.path.replace('*', service.name());
        let addresses = self.addresses(&name(&declare::LISTEN_ADDRESSES));
        let count = |declaration| {
            // The declared bounds are far below what a u32 holds.
            u32::try_from(self.count(declaration, &name(declaration))).unwrap_or(u32::MAX)
        };
        (!addresses.is_empty()).then(|| Listen {
            addresses,
            backlog: count(&declare::LISTEN_BACKLOG),
            connections_most: count(&declare::LISTEN_MOST),
        })
    }

    fn certificates(&self) -> Vec<Certificate> {
        let Some(Value::Certificates(raw)) = self.value(&declare::TLS_CERTIFICATES) else {
            return Vec::new();
        };
        raw.into_iter()
            .map(|raw| Certificate {
                names: raw.names,
                certificate: self.folder.join(raw.certificate),
                key: self.folder.join(raw.key),
            })
            .collect()
    }

    fn trace(&self) -> Trace {
        let days = self.count(&declare::TRACE_DAYS, declare::TRACE_DAYS.path);
        Trace {
            level: match self.text(&declare::TRACE_LEVEL).as_deref() {
                Some("off") => TraceLevel::Off,
                Some("full") => TraceLevel::Full,
                _ => TraceLevel::Envelope,
            },
            keep: Duration::from_secs(days * 86_400),
            bytes_most: self.count(&declare::TRACE_BYTES, declare::TRACE_BYTES.path),
        }
    }

    fn dial_map(&self) -> BTreeMap<(String, u16), SocketAddr> {
        match self.value(&declare::DIAL_MAP) {
            Some(Value::DialMap(map)) => map,
            _ => BTreeMap::new(),
        }
    }

    fn text(&self, declaration: &Declaration) -> Option<String> {
        match self.value(declaration) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn texts(&self, declaration: &Declaration) -> Vec<String> {
        match self.value(declaration) {
            Some(Value::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }

    fn path(&self, declaration: &Declaration) -> PathBuf {
        match self.value(declaration) {
            Some(Value::Path(path)) => self.folder.join(path),
            _ => self.folder.to_owned(),
        }
    }

    fn switch(&self, declaration: &Declaration) -> bool {
        matches!(self.value(declaration), Some(Value::Switch(true)))
    }

    fn count(&self, declaration: &Declaration, name: &str) -> u64 {
        match self.named(declaration, name) {
            Some(Value::Count(count)) => count,
            _ => 0,
        }
    }

    fn duration(&self, declaration: &Declaration) -> Duration {
        match self.value(declaration) {
            Some(Value::Duration(time)) => time,
            _ => Duration::ZERO,
        }
    }

    fn addresses(&self, name: &str) -> Vec<SocketAddr> {
        match self.read.values.get(name) {
            Some((_, Value::Addresses(addresses))) => addresses.clone(),
            _ => Vec::new(),
        }
    }

    fn value(&self, declaration: &Declaration) -> Option<Value> {
        self.named(declaration, declaration.path)
    }

    fn named(&self, declaration: &Declaration, name: &str) -> Option<Value> {
        match self.read.values.get(name) {
            Some((_, value)) => Some(value.clone()),
            None => default(declaration),
        }
    }

    /// The line of a key; 0 where the file does not have it.
    fn line(&self, declaration: &Declaration) -> usize {
        self.read
            .values
            .get(declaration.path)
            .map_or(0, |(line, _)| *line)
    }

    fn refuse(&mut self, line: usize, what: Message) {
        self.read.findings.push(Finding { line, what });
    }
}

/// The declared default, read as a file's value would be.
pub(super) fn default(declaration: &Declaration) -> Option<Value> {
    let value = DeValue::parse(declaration.default).ok()?;
    declaration.kind.read(&value).ok()
}
