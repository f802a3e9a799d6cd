//! Every key of the configuration, declared once. From this table come the reading of a file,
//! `guichet explain`, the file that `guichet init` writes, and `docs/configuration.md`; the words
//! are in the catalogue: `config-mail-queue-expire` says what a key means, and its `.why` the
//! reason for the default.

use super::Service;
use super::kind::Kind;

/// What is needed for a changed value to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `guichet reload` is enough.
    Reload,
    /// The server must be started again.
    Restart,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// Its dotted name; `*` stands for the name of a service.
    pub path: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// What holds where it is missing, in TOML; empty: nothing.
    pub default: &'static str,
    /// What a change of it needs.
    pub change: Change,
}

impl Declaration {
    /// The key of the text that says what it means.
    pub fn text_key(&self) -> String {
        let words: Vec<_> = self
            .path
            .split(['.', '_'])
            .filter(|word| *word != "*")
            .collect();
        format!("config-{}", words.join("-"))
    }

    /// Its names in a file: itself, or one for each service.
    pub fn names(&self) -> Vec<String> {
        if !self.path.contains('*') {
            return vec![self.path.to_owned()];
        }
        Service::ALL
            .iter()
            .map(|service| self.path.replace('*', service.name()))
            .collect()
    }

    fn matches(&self, name: &str) -> bool {
        self.path == name || self.names().iter().any(|known| known == name)
    }
}

macro_rules! declare {
    ($($id:ident: $path:literal, $kind:expr, $default:literal, $change:ident;)*) => {
        $(pub(super) const $id: Declaration = Declaration {
            path: $path,
            kind: $kind,
            default: $default,
            change: Change::$change,
        };)*
        /// Every key, in the order of a configuration file.
        pub const TABLE: &[Declaration] = &[$($id),*];
    };
}

declare! {
    DOMAINS: "domains", Kind::Domains, "", Restart;
    HOSTNAME: "hostname", Kind::Domain, "", Restart;
    LANGUAGE: "language", Kind::Choice(&["en", "fr"]), "", Restart;
    USER: "user", Kind::Text, "", Restart;
    CONTROL: "control", Kind::Path, r#""control.sock""#, Restart;
    STORE_DIR: "store.dir", Kind::Path, r#""store""#, Restart;
    NAMES_ZONES: "names.zones", Kind::Path, r#""zones""#, Reload;
    NAMES_ROOTS: "names.roots", Kind::Addresses, "[]", Restart;
    NAMES_RESOLVER_LISTEN: "names.resolver_listen", Kind::LoopbackAddresses, "[]", Restart;
    PAGES_SITES: "pages.sites", Kind::Path, r#""sites""#, Restart;
    LISTEN_ADDRESSES: "listen.*.addresses", Kind::Addresses, "[]", Restart;
    LISTEN_BACKLOG: "listen.*.backlog", Kind::Count { least: 1, most: 65_535 }, "1024", Restart;
    LISTEN_MOST: "listen.*.most", Kind::Count { least: 1, most: 1_000_000 }, "10000", Restart;
    TLS_CERTIFICATES: "tls.certificates", Kind::Certificates, "[]", Reload;
    MAIL_SIZE: "mail.size_bytes_most", Kind::Bytes { least: 65_536, most: 1 << 40 }, r#""50 MB""#, Restart;
    MAIL_CLEAR_LOGINS: "mail.clear_logins", Kind::Switch, "false", Restart;
    QUEUE_FIRST: "mail.queue.first_retry", Kind::Duration { least_s: 1, most_s: 86_400 }, r#""5m""#, Restart;
    QUEUE_MOST: "mail.queue.retry_most", Kind::Duration { least_s: 1, most_s: 604_800 }, r#""4h""#, Restart;
    QUEUE_EXPIRE: "mail.queue.expire", Kind::Duration { least_s: 1, most_s: 2_592_000 }, r#""5d""#, Restart;
    DIAL_MAP: "dial.map", Kind::DialMap, "{}", Restart;
    TRACE_LEVEL: "trace.level", Kind::Choice(&["off", "envelope", "full"]), r#""envelope""#, Reload;
    TRACE_DAYS: "trace.days", Kind::Count { least: 1, most: 3_650 }, "14", Restart;
    TRACE_BYTES: "trace.bytes_most", Kind::Bytes { least: 1 << 20, most: 1 << 44 }, r#""1 GB""#, Restart;
    STOP_DRAIN: "stop.drain_s", Kind::Seconds { most_s: 3_600 }, "3", Restart;
    WATCH_TOKEN: "watch.token_file", Kind::Path, r#""watch.token""#, Restart;
}

/// The declaration a name in a file stands for.
pub(super) fn declaration(name: &str) -> Option<&'static Declaration> {
    TABLE.iter().find(|declaration| declaration.matches(name))
}

/// Whether `name` is a table that holds declared keys.
pub(super) fn is_table(name: &str) -> bool {
    let inside = |known: &str| {
        known
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    TABLE
        .iter()
        .flat_map(Declaration::names)
        .any(|known| inside(&known))
}

/// The texts of the catalogue that belong to the declarations: those that no line of source names.
pub fn text_keys() -> Vec<String> {
    let keys = TABLE.iter().map(Declaration::text_key);
    keys.flat_map(|key| [format!("{key}.why"), key]).collect()
}
