//! What clients know: which letters they have sent whole, and which of them the server has promised
//! to keep. A file that is only appended to, so that it says the same when the test itself dies.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file while it is written.
pub struct Ledger {
    path: PathBuf,
    file: File,
}

/// A letter.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Of the letter as it was sent.
    pub hash: u64,
    /// The addresses it was sent to.
    pub recipients: Vec<String>,
    /// How often it was sent whole. Only the first time without need: later ones because no answer
    /// came.
    pub sent: usize,
    /// Whether the server has answered 250.
    pub acked: bool,
}

impl Ledger {
    pub fn begin(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: File::create(path).unwrap(),
        }
    }

    /// To be called before the final dot leaves.
    pub fn sent(&self, id: &str, letter: &str, recipients: &[&str]) {
        let hash = hash(letter.as_bytes());
        let recipients = recipients.join(",");
        self.line(&format!("sent {id} {hash} {recipients}\n"));
    }

    /// To be called when 250 has come.
    pub fn acked(&self, id: &str) {
        self.line(&format!("acked {id}\n"));
    }

    fn line(&self, line: &str) {
        // One write a line: those of several threads do not mix.
        (&self.file).write_all(line.as_bytes()).unwrap();
    }

    /// Everything, by Message-ID.
    pub fn read(&self) -> BTreeMap<String, Entry> {
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for line in fs::read_to_string(&self.path).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let entry = entries.entry(words[1].to_owned()).or_default();
            match words[..] {
                ["sent", _, hash, recipients] => {
                    entry.hash = hash.parse().unwrap();
                    entry.recipients = recipients.split(',').map(str::to_owned).collect();
                    entry.sent += 1;
                }
                _ => entry.acked = true,
            }
        }
        entries
    }
}

/// Tells letters apart; nobody here wants to deceive.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
