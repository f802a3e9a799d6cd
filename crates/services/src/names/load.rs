//! All zones of a server: read from a folder, found by name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use guichet_proto::dns::Name;

use super::check::{Finding, Severity, check};
use super::zone::{Folded, Found, Key, Zone};
use super::{parse_name, zone::Node};

/// Largest zone file read, in bytes: a slip of the hand (a log, an image) should not fill memory.
const FILE_SIZE_MAX: u64 = 256 * 1024 * 1024;

/// An immutable image of all zones a server holds.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    zones: HashMap<Key, Arc<Zone>>,
    /// Labels of the longest apex, so that a long name costs no more look-ups than needed.
    apex_labels_max: usize,
}

/// What [`Zones::load`] brings.
#[derive(Debug)]
pub struct Loaded {
    /// The image.
    pub zones: Zones,
    /// What somebody should look at, with the file it is in. All are warnings.
    pub warnings: Vec<(PathBuf, Finding)>,
}

/// Why zones could not be loaded. The image in force is untouched.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder or a file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file's name is no domain name.
    #[error("{path}: expected the zone's name with .zone behind it (the root zone: root.zone)",
        path = path.display())]
    FileName {
        /// Which.
        path: PathBuf,
    },
    /// A zone may not be served.
    #[error("{path}: {finding}", path = path.display())]
    Zone {
        /// Which file.
        path: PathBuf,
        /// The first error in it.
        finding: Finding,
    },
    /// Two files hold the same zone.
    #[error("{path}: the zone {zone} is in another file of the folder too", path = path.display())]
    Twice {
        /// The second file.
        path: PathBuf,
        /// The zone.
        zone: Name,
    },
}

impl Zones {
    /// An image of these zones; of two with the same name the later one counts.
    pub fn new(zones: impl IntoIterator<Item = Zone>) -> Self {
        let mut image = Self::default();
        for zone in zones {
            image.insert(zone);
        }
        image
    }

    fn insert(&mut self, zone: Zone) -> bool {
        let folded = Folded::new(zone.apex().as_slice());
        self.apex_labels_max = self.apex_labels_max.max(folded.labels());
        self.zones
            .insert(folded.key().into(), Arc::new(zone))
            .is_none()
    }

    /// Reads every `*.zone` file of a folder. The file's name without `.zone` is the first
    /// `$ORIGIN` (`root.zone`: the root); the zone's name is the owner of its SOA.
    ///
    /// # Errors
    /// The first file that cannot be read or served, with the line.
    pub fn load(folder: &Path) -> Result<Loaded, LoadError> {
        let mut loaded = Loaded {
            zones: Self::default(),
            warnings: Vec::new(),
        };
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| LoadError::Io { path, source }
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io(folder))? {
            let path = entry.map_err(io(folder))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "zone")
            {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            load_file(&mut loaded, path)?;
        }
        Ok(loaded)
    }

    /// The zones, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.zones.values()
    }

    /// The zone with exactly this name.
    pub fn get(&self, apex: &Name) -> Option<&Arc<Zone>> {
        self.zones.get(Folded::new(apex.as_slice()).key())
    }

    /// The deepest zone that holds `name`, but none with more than `labels_max` labels.
    pub(super) fn enclosing(&self, name: &Folded, labels_max: usize) -> Option<&Zone> {
        let deepest = name.labels().min(self.apex_labels_max).min(labels_max);
        (1..=deepest)
            .rev()
            .find_map(|labels| self.zones.get(name.tail(labels)))
            .map(|zone| zone.as_ref())
    }

    /// The node that answers for exactly this name, in whichever zone holds it.
    pub(super) fn host(&self, name: &Folded) -> Option<&Node> {
        match self.enclosing(name, usize::MAX)?.find(name, false) {
            Found::Exact(node) => Some(node),
            _ => None,
        }
    }
}

fn load_file(loaded: &mut Loaded, path: PathBuf) -> Result<(), LoadError> {
    let origin = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("root") => Some(Name::root()),
        Some(stem) => parse_name(stem),
        None => None,
    };
    let Some(origin) = origin else {
        return Err(LoadError::FileName { path });
    };
    let text = match read(&path) {
        Ok(text) => text,
        Err(source) => return Err(LoadError::Io { path, source }),
    };
    let (zone, findings) = check(&origin, &text);
    let Some(zone) = zone else {
        let worst = findings
            .into_iter()
            .find(|finding| finding.severity == Severity::Error);
        return Err(match worst {
            Some(finding) => LoadError::Zone { path, finding },
            None => LoadError::FileName { path },
        });
    };
    loaded
        .warnings
        .extend(findings.into_iter().map(|finding| (path.clone(), finding)));
    let name = zone.apex().clone();
    match loaded.zones.insert(zone) {
        true => Ok(()),
        false => Err(LoadError::Twice { path, zone: name }),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let size = std::fs::metadata(path)?.len();
    if size > FILE_SIZE_MAX {
        let text = format!("{size} bytes; a zone file has at most {FILE_SIZE_MAX}");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, text));
    }
    std::fs::read_to_string(path)
}
