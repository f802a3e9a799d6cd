//! What a key takes: how a TOML value becomes a value of the program, and what is said when it
//! cannot.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use crate::output::Message;

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any text that is not empty.
    Text,
    /// A domain name.
    Domain,
    /// Several domain names.
    Domains,
    /// A file or folder.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Count { least: u64, most: u64 },
    /// A number of bytes, or a text with a unit.
    Bytes { least: u64, most: u64 },
    /// A text with a unit.
    Duration { least_s: u64, most_s: u64 },
    /// A number of seconds, or a text with a unit.
    Seconds { most_s: u64 },
    /// Socket addresses: `"192.0.2.1:25"`, `"[::]:25"`.
    Addresses,
    /// Socket addresses of this computer alone.
    LoopbackAddresses,
    /// Tables with `certificate`, `key` and perhaps `names`.
    Certificates,
    /// A table from `"host:port"` to socket addresses.
    DialMap,
}

/// A value that has passed its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Texts(Vec<String>),
    Path(PathBuf),
    Switch(bool),
    Count(u64),
    Duration(Duration),
    Addresses(Vec<SocketAddr>),
    Certificates(Vec<RawCertificate>),
    DialMap(BTreeMap<(String, u16), SocketAddr>),
}

/// An entry of `tls.certificates`; its paths are still relative to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawCertificate {
    pub(crate) names: Vec<String>,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What is wrong, and at which byte of the file.
pub(crate) type Fault = (usize, Message);

type Found<'v> = &'v Spanned<DeValue<'v>>;

impl Kind {
    /// The text that says what is expected.
    pub(crate) fn expected(self) -> Message {
        match self {
            Self::Text => Message::new("config-kind-text"),
            Self::Domain => Message::new("config-kind-domain"),
            Self::Domains => Message::new("config-kind-domains"),
            Self::Path => Message::new("config-kind-path"),
            Self::Choice(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                Message::new("config-kind-choice").with("words", quoted.join(", "))
            }
            Self::Switch => Message::new("config-kind-switch"),
            Self::Count { least, most } => Message::new("config-kind-count")
                .with_shown("least", least)
                .with_shown("most", most),
            Self::Bytes { least, most } => Message::new("config-kind-bytes")
                .with("least", shown_bytes(least))
                .with("most", shown_bytes(most)),
            Self::Duration { least_s, most_s } => Message::new("config-kind-duration")
                .with("least", shown_duration(Duration::from_secs(least_s)))
                .with("most", shown_duration(Duration::from_secs(most_s))),
            Self::Seconds { most_s } => Message::new("config-kind-seconds")
                .with("most", shown_duration(Duration::from_secs(most_s))),
            Self::Addresses => Message::new("config-kind-addresses"),
            Self::LoopbackAddresses => Message::new("config-kind-loopback"),
            Self::Certificates => Message::new("config-kind-certificates"),
            Self::DialMap => Message::new("config-kind-dial-map"),
        }
    }

    /// Reads a value.
    pub(crate) fn read(self, found: Found<'_>) -> Result<Value, Fault> {
        let value = found.get_ref();
        let read = match self {
            Self::Text => text(value).map(Value::Text),
            Self::Domain => text(value).and_then(|text| domain(&text)).map(Value::Text),
            Self::Domains => return self.list(found, domain).map(Value::Texts),
            Self::Path => text(value).map(|text| Value::Path(PathBuf::from(text))),
            Self::Choice(words) => text(value)
                .filter(|text| words.contains(&text.as_str()))
                .map(Value::Text),
            Self::Switch => value.as_bool().map(Value::Switch),
            Self::Count { least, most } => integer(value)
                .filter(|count| (least..=most).contains(count))
                .map(Value::Count),
            Self::Bytes { least, most } => integer(value)
                .or_else(|| parse_bytes(value.as_str()?))
                .filter(|bytes| (least..=most).contains(bytes))
                .map(Value::Count),
            Self::Duration { least_s, most_s } => value
                .as_str()
                .and_then(parse_duration)
                .filter(|time| within(*time, least_s, most_s))
                .map(Value::Duration),
            Self::Seconds { most_s } => integer(value)
                .map(Duration::from_secs)
                .or_else(|| parse_duration(value.as_str()?))
                .filter(|time| within(*time, 0, most_s))
                .map(Value::Duration),
            Self::Addresses => return self.list(found, address).map(Value::Addresses),
            Self::LoopbackAddresses => {
                let loopback = |text: &str| address(text).filter(|a| a.ip().is_loopback());
                return self.list(found, loopback).map(Value::Addresses);
            }
            Self::Certificates => return self.certificates(found),
            Self::DialMap => return self.dial_map(found),
        };
        read.ok_or_else(|| self.refuse(found))
    }

    fn refuse(self, found: Found<'_>) -> Fault {
        let message = Message::new("config-wrong-value")
            .with("expected", self.expected())
            .with("found", shown_value(found.get_ref()));
        (found.span().start, message)
    }

    fn list<T>(self, found: Found<'_>, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Fault> {
        let items = found
            .get_ref()
            .as_array()
            .ok_or_else(|| self.refuse(found))?;
        items
            .iter()
            .map(|item| {
                item.get_ref()
                    .as_str()
                    .and_then(&read)
                    .ok_or_else(|| self.refuse(item))
            })
            .collect()
    }

    fn certificates(self, found: Found<'_>) -> Result<Value, Fault> {
        let items = found
            .get_ref()
            .as_array()
            .ok_or_else(|| self.refuse(found))?;
        let read = |item| self.certificate(item);
        items
            .iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Value::Certificates)
    }

    fn certificate(self, found: Found<'_>) -> Result<RawCertificate, Fault> {
        const KEYS: [&str; 3] = ["names", "certificate", "key"];
        let table = found
            .get_ref()
            .as_table()
            .ok_or_else(|| self.refuse(found))?;
        if let Some((key, _)) = table
            .iter()
            .find(|(key, _)| !KEYS.contains(&key.get_ref().as_ref()))
        {
            let name = key.get_ref().as_ref();
            return Err((key.span().start, unknown(name, nearest(name, KEYS))));
        }
        let file = |key: &'static str| match table.get(key) {
            Some(value) => text(value.get_ref())
                .map(PathBuf::from)
                .ok_or_else(|| Self::Path.refuse(value)),
            None => {
                let message = Message::new("config-missing-in-entry").with("key", key);
                Err((found.span().start, message))
            }
        };
        Ok(RawCertificate {
            names: match table.get("names") {
                Some(names) => Self::Domains.list(names, certificate_name)?,
                None => Vec::new(),
            },
            certificate: file("certificate")?,
            key: file("key")?,
        })
    }

    fn dial_map(self, found: Found<'_>) -> Result<Value, Fault> {
        let table: &DeTable<'_> = found
            .get_ref()
            .as_table()
            .ok_or_else(|| self.refuse(found))?;
        let mut map = BTreeMap::new();
        for (key, value) in table {
            let from = host_and_port(key.get_ref()).ok_or_else(|| {
                let message = Message::new("config-wrong-value")
                    .with("expected", self.expected())
                    .with("found", format!("\"{}\"", key.get_ref()));
                (key.span().start, message)
            })?;
            let to = value.get_ref().as_str().and_then(address);
            map.insert(from, to.ok_or_else(|| self.refuse(value))?);
        }
        Ok(Value::DialMap(map))
    }
}

/// The finding about a key that no declaration knows.
pub(crate) fn unknown(key: &str, nearest: Option<String>) -> Message {
    match nearest {
        Some(nearest) => Message::new("config-unknown-nearest")
            .with("key", key)
            .with("nearest", nearest),
        None => Message::new("config-unknown").with("key", key),
    }
}

/// A value as it might stand in a file, in one line, cut where it is long.
fn shown_value(value: &DeValue<'_>) -> Message {
    let text = match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => return Message::new("config-found-list"),
        DeValue::Table(_) => return Message::new("config-found-table"),
    };
    let cut: String = text.chars().take(60).collect();
    Message::new("config-found").with("text", if cut == text { cut } else { cut + "…" })
}

fn text(value: &DeValue<'_>) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

/// Reads a domain name (RFC 1035 section 2.3.1, RFC 1123 section 2.1): lower case, without a final
/// dot. `None` if it is none.
pub fn domain(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(good)).then_some(name)
}

/// A domain name, perhaps with `*` as its first label (RFC 6125 section 6.4.3).
fn certificate_name(text: &str) -> Option<String> {
    match text.strip_prefix("*.") {
        Some(rest) => domain(rest).map(|rest| format!("*.{rest}")),
        None => domain(text),
    }
}

/// `host:port`; the host is a name or an address, IPv6 in brackets.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address: std::net::Ipv6Addr = address.parse().ok()?;
        return Some((address.to_string(), port));
    }
    domain(host).map(|host| (host, port))
}

/// Units of time, longest first, in milliseconds.
const TIMES_MS: [(&str, u64); 7] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of size, largest first.
const SIZES: [(&str, u64); 9] = [
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads `5m`, `1 h 30 min`, `250ms`; each number needs its unit. `None` if it is anything else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (amount, behind) = unit(rest, &TIMES_MS)?;
        total_ms = total_ms.checked_add(amount)?;
        rest = behind;
    }
    (!text.trim().is_empty()).then(|| Duration::from_millis(total_ms))
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (amount, rest) = unit(text.trim(), &SIZES)?;
    rest.is_empty().then_some(amount)
}

/// One number with its unit, and what follows it.
fn unit<'t>(text: &'t str, units: &[(&str, u64)]) -> Option<(u64, &'t str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    let (_, factor) = units.iter().find(|(known, _)| *known == word)?;
    let amount = number.parse::<u64>().ok()?.checked_mul(*factor)?;
    Some((amount, behind.trim_start()))
}

fn within(time: Duration, least_s: u64, most_s: u64) -> bool {
    (Duration::from_secs(least_s)..=Duration::from_secs(most_s)).contains(&time)
}

/// In the largest unit that divides it: `5m`, `90s`.
pub(crate) fn shown_duration(time: Duration) -> String {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let whole = TIMES_MS.iter().find(|(name, unit)| {
        *name != "w" && *name != "min" && ms.is_multiple_of(*unit) && ms >= *unit
    });
    match whole {
        Some((name, unit)) => format!("{}{name}", ms / unit),
        None => "0s".to_owned(),
    }
}

/// In the largest unit that divides it: `50 MB`, `64 KiB`.
fn shown_bytes(bytes: u64) -> String {
    let whole = SIZES
        .iter()
        .find(|(_, unit)| bytes.is_multiple_of(*unit) && bytes >= *unit);
    match whole {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => "0 B".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_their_unit() {
        let parsed = |text| parse_duration(text).map(|time| time.as_millis());
        assert_eq!(parsed("5m"), Some(300_000));
        assert_eq!(parsed("1 h 30 min"), Some(5_400_000));
        assert_eq!(parsed("250ms"), Some(250));
        assert_eq!(parsed("0s"), Some(0));
        for text in [
            "",
            "5",
            "m",
            "5 years",
            "-5m",
            "1.5h",
            "99999999999999999999s",
            "9999999999999999w",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_decimal_or_binary_as_written() {
        assert_eq!(parse_bytes("10 MB"), Some(10_000_000));
        assert_eq!(parse_bytes("64KiB"), Some(65_536));
        for text in ["10", "10 mb", "10 MB 5 kB", "MB", "99999999999 GB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        for seconds in [0, 1, 90, 300, 86_400, 604_800] {
            let time = Duration::from_secs(seconds);
            assert_eq!(parse_duration(&shown_duration(time)), Some(time));
        }
        for bytes in [1, 65_536, 50_000_000, 1 << 40] {
            assert_eq!(parse_bytes(&shown_bytes(bytes)), Some(bytes));
        }
    }

    #[test]
    fn hosts_and_ports() {
        assert_eq!(
            host_and_port("Mail.Sud.test:25"),
            Some(("mail.sud.test".to_owned(), 25))
        );
        assert_eq!(
            host_and_port("127.0.0.3:25"),
            Some(("127.0.0.3".to_owned(), 25))
        );
        assert_eq!(host_and_port("[::1]:25"), Some(("::1".to_owned(), 25)));
        for text in ["127.0.0.3", "::1:25", "a_b:1", "host:", "host:65536", ":25"] {
            assert_eq!(host_and_port(text), None, "{text}");
        }
    }
}
