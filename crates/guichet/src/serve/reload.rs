//! `guichet reload`: what a running instance takes over from its files, and what it cannot.

use std::sync::Arc;

use guichet_services::names::{Zone, Zones};

use super::{Instance, identities, level, zones};
use crate::config::Config;
use crate::control::requests::Reloaded;
use crate::output::Message;

impl Instance {
    /// Reads zones, certificates and configuration again, and says what is different. What is wrong
    /// changes nothing.
    pub(super) fn reload(&self) -> Result<Reloaded, Message> {
        let config = Config::load(&self.config.file).map_err(|failure| failure.into_message())?;
        let zones = zones(&config.names.zones)?;
        let identities = identities(&config)?;
        let mut changed = Vec::new();
        if !same_zones(&self.names.zones(), &zones) {
            changed.push("zones".to_owned());
        }
        self.names.replace(zones);
        if let Some(tls) = &self.tls
            && !identities.is_empty()
            && tls.replace(identities)
        {
            changed.push("certificates".to_owned());
        }
        let level = level(config.trace.level);
        if self.recorder.level() != level {
            self.recorder.set_level(level);
            changed.push("trace.level".to_owned());
        }
        Ok(Reloaded {
            changed,
            needs_restart: needs_restart(&self.config, &config),
        })
    }
}

/// Whether two images hold the same zones with the same records.
fn same_zones(old: &Zones, new: &Zones) -> bool {
    let same = |zone: &Arc<Zone>| {
        let other = new.get(zone.apex());
        other.is_some_and(|other| other.records() == zone.records())
    };
    old.iter().count() == new.iter().count() && old.iter().all(same)
}

/// What differs between two configurations and takes effect only at the next start.
fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let differs = [
        ("domains", old.domains != new.domains),
        ("hostname", old.hostname != new.hostname),
        ("language", old.language != new.language),
        ("user", old.user != new.user),
        ("control", old.control != new.control),
        ("store.dir", old.store_dir != new.store_dir),
        ("names.roots", old.names.roots != new.names.roots),
        (
            "names.resolver_listen",
            old.names.resolver_listen != new.names.resolver_listen,
        ),
        ("pages.sites", old.pages_sites != new.pages_sites),
        ("listen", old.listen != new.listen),
        (
            // Where there was none, no listener knows TLS.
            "tls.certificates",
            old.certificates.is_empty() != new.certificates.is_empty(),
        ),
        ("mail", old.mail != new.mail),
        ("dial.map", old.dial_map != new.dial_map),
        ("trace.days", old.trace.keep != new.trace.keep),
        (
            "trace.bytes_most",
            old.trace.bytes_most != new.trace.bytes_most,
        ),
        ("stop.drain_s", old.stop_drain != new.stop_drain),
        (
            "watch.token_file",
            old.watch_token_file != new.watch_token_file,
        ),
    ];
    differs
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(key, _)| key.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Change, TABLE};

    /// Two values of each key.
    const VALUES: &[(&str, &str, &str)] = &[
        ("domains", r#"["a.test"]"#, r#"["b.test"]"#),
        ("hostname", r#""x.a.test""#, r#""y.a.test""#),
        ("language", r#""en""#, r#""fr""#),
        ("user", r#""one""#, r#""two""#),
        ("control", r#""one.sock""#, r#""two.sock""#),
        ("store.dir", r#""one""#, r#""two""#),
        ("names.zones", r#""one""#, r#""two""#),
        ("names.roots", r#"["192.0.2.1:53"]"#, r#"["192.0.2.2:53"]"#),
        (
            "names.resolver_listen",
            r#"["127.0.0.1:5301"]"#,
            r#"["127.0.0.1:5302"]"#,
        ),
        ("pages.sites", r#""one""#, r#""two""#),
        (
            "listen.*.addresses",
            r#"["127.0.0.1:1024"]"#,
            r#"["127.0.0.1:1025"]"#,
        ),
        ("listen.*.backlog", "1", "2"),
        ("listen.*.most", "1", "2"),
        (
            "tls.certificates",
            r#"[{ certificate = "a", key = "b" }]"#,
            r#"[{ certificate = "c", key = "d" }]"#,
        ),
        ("mail.size_bytes_most", r#""1 MB""#, r#""2 MB""#),
        ("mail.clear_logins", "false", "true"),
        ("mail.queue.first_retry", r#""1m""#, r#""2m""#),
        ("mail.queue.retry_most", r#""1h""#, r#""2h""#),
        ("mail.queue.expire", r#""1d""#, r#""2d""#),
        (
            "dial.map",
            r#"{ "a.test:25" = "127.0.0.1:1" }"#,
            r#"{ "a.test:25" = "127.0.0.1:2" }"#,
        ),
        ("trace.level", r#""off""#, r#""full""#),
        ("trace.days", "1", "2"),
        ("trace.bytes_most", r#""1 GB""#, r#""2 GB""#),
        ("stop.drain_s", "1", "2"),
        ("watch.token_file", r#""one""#, r#""two""#),
    ];

    fn with(key: &str, value: &str) -> Config {
        let mut lines = format!("{} = {value}\n", key.replace('*', "smtp"));
        if key != "domains" {
            lines.push_str("domains = [\"a.test\"]\n");
        }
        if key.starts_with("listen.") && !key.ends_with("addresses") {
            lines.push_str("listen.smtp.addresses = [\"127.0.0.1:1024\"]\n");
        }
        Config::parse(Path::new("/x/guichet.toml"), &lines)
            .unwrap_or_else(|failure| panic!("{key}: {failure:?}"))
    }

    /// The declaration is what `explain` and the documentation tell people.
    #[test]
    fn a_key_needs_the_restart_that_its_declaration_says() {
        for declaration in TABLE {
            let &(key, one, two) = VALUES
                .iter()
                .find(|(key, ..)| *key == declaration.path)
                .unwrap_or_else(|| panic!("two values of {} are missing", declaration.path));
            let needed = needs_restart(&with(key, one), &with(key, two));
            match declaration.change {
                Change::Restart => assert!(!needed.is_empty(), "{key} is forgotten"),
                Change::Reload => assert_eq!(needed, Vec::<String>::new(), "{key}"),
            }
        }
    }
}
