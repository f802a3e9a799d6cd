//! What a new organisation begins with: its configuration, zone and site as files for people to
//! change, its store with the first account, and the token that opens its watch address.
//!
//! It writes new files only; what is there already stays as it is and is an error.

mod first_account;

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use guichet_services::names::{parse_name, zone_file};

use crate::config::{FILE_NAME, Setting, list, write};
use crate::output::Message;
use crate::serve::token;
use crate::texts::Texts;

pub use first_account::{FirstAccount, Password};

/// A new organisation.
#[derive(Clone, Debug)]
pub struct Founding<'f> {
    /// Its folder; made if it is missing.
    pub dir: &'f Path,
    /// Its domain, lower case, without a final dot.
    pub domain: &'f str,
    /// The addresses that its names lead to.
    pub addresses: Vec<IpAddr>,
    /// What stands in its configuration besides the domain.
    pub settings: Vec<Setting>,
    /// The colour of its start page, as CSS writes it.
    pub colour: &'f str,
    /// The first person who can log in.
    pub account: &'f FirstAccount,
}

/// The files that were made.
#[derive(Clone, Debug)]
pub struct Founded {
    /// The configuration.
    pub config: PathBuf,
    /// The zone.
    pub zone: PathBuf,
    /// The site's folder.
    pub site: PathBuf,
    /// The store's folder, for this user alone.
    pub store: PathBuf,
    /// The file with the token of the watch address, for this user alone.
    pub token: PathBuf,
}

impl Founding<'_> {
    /// Writes everything.
    ///
    /// # Errors
    /// Something of it is there already (then nothing is written), or the disk refuses.
    pub fn found(self, texts: &Texts) -> Result<Founded, Message> {
        let founded = Founded {
            config: self.dir.join(FILE_NAME),
            zone: self.dir.join("zones").join(format!("{}.zone", self.domain)),
            site: self.dir.join("sites").join(format!("www.{}", self.domain)),
            store: self.dir.join("store"),
            token: self.dir.join("watch.token"),
        };
        founded.must_be_new()?;
        let zone = self.zone()?;
        folder(&founded.site, 0o755)?;
        folder(&self.dir.join("zones"), 0o755)?;
        folder(&founded.store, 0o700)?;
        file(&founded.zone, zone.as_bytes())?;
        for (name, content) in self.site(texts) {
            file(&founded.site.join(name), content.as_bytes())?;
        }
        self.account.found(&founded.store)?;
        token(&founded.token)?;
        // Last: where it stands, the rest stands, too.
        let mut settings = vec![("domains".to_owned(), list([self.domain]))];
        settings.extend(self.settings);
        file(&founded.config, write(texts, &settings).as_bytes())?;
        Ok(founded)
    }

    fn zone(&self) -> Result<String, Message> {
        let domain = parse_name(self.domain)
            .ok_or_else(|| Message::new("init-not-a-domain").with("domain", self.domain))?;
        Ok(zone_file::organisation(&zone_file::Organisation {
            domain,
            serial: todays_serial(),
            addresses: self.addresses.clone(),
            wildcard: false,
        }))
    }

    /// A page made of several files, so that fetching it shows several exchanges.
    fn site(&self, texts: &Texts) -> [(&'static str, String); 3] {
        let fill = |template: &str| {
            let said = |key| texts.say(key, &[("domain", self.domain)]);
            template
                .replace("{language}", texts.language().tag())
                .replace("{title}", &said("init-page-title"))
                .replace("{text}", &said("init-page-text"))
                .replace("{picture}", &said("init-page-picture"))
                .replace("{domain}", self.domain)
                .replace("{colour}", self.colour)
        };
        [
            ("index.html", fill(include_str!("index.html"))),
            ("style.css", fill(include_str!("style.css"))),
            ("picture.svg", fill(include_str!("picture.svg"))),
        ]
    }
}

impl Founded {
    fn must_be_new(&self) -> Result<(), Message> {
        let files = [&self.config, &self.zone, &self.site, &self.token];
        // A folder that waits for the store (a disk of its own, say) is welcome while it is empty.
        let filled = std::fs::read_dir(&self.store).is_ok_and(|mut found| found.next().is_some());
        let there = files.into_iter().find(|path| path.exists());
        match there.or(filled.then_some(&self.store)) {
            Some(path) => Err(Message::new("init-exists").with("path", path.as_path())),
            None => Ok(()),
        }
    }
}

/// The usual form of a serial number (RFC 1912 section 2.2): the day and a number of two digits.
fn todays_serial() -> u32 {
    // Fits into 32 bits until the year 4294.
    jiff::Timestamp::now()
        .strftime("%Y%m%d01")
        .to_string()
        .parse()
        .unwrap_or(1)
}

fn folder(path: &Path, mode: u32) -> Result<(), Message> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|error| failed(path, &error))
}

fn file(path: &Path, content: &[u8]) -> Result<(), Message> {
    let write = || -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)?
            .write_all(content)
    };
    write().map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> Message {
    Message::new("init-failed")
        .with("path", path)
        .with("why", error)
}
