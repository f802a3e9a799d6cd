//! Small pages in memory. A page is compared with its file at most once a second, so a change shows
//! within a second; in between, a request costs no system call.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use guichet_proto::http::Request;

use super::page::{Codings, Content, LocatedFile, Page};

/// All pages in memory together, in bytes of content.
const TOTAL_BYTES_MOST: usize = 32 * 1024 * 1024;
/// However small they are: each has its fields and its key too.
const PAGES_MOST: usize = 8 * 1024;
/// One file has many URLs, as any letter may be percent-encoded; long ones are not kept.
const KEY_BYTES_MOST: usize = 512;
/// So long a page is served without a look at its file.
const FRESH_MOST: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    pages: HashMap<String, Entry>,
    /// Oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

struct Entry {
    page: Arc<Page>,
    checked_at: Instant,
}

/// Host and path as asked, and the codings the client takes. Neither part can hold a space.
pub(super) fn key(request: &Request, codings: Codings) -> String {
    let (host, path) = (request.host.as_str(), request.path());
    let mut key = String::with_capacity(host.len() + path.len() + 2);
    key.push(codings.letter());
    key.push_str(host);
    key.push(' ');
    key.push_str(path);
    key
}

impl Cache {
    /// A page that was compared with its file within the last second.
    pub(super) fn fresh(&self, key: &str) -> Option<Arc<Page>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.pages.get(key)?;
        (entry.checked_at.elapsed() < FRESH_MOST).then(|| entry.page.clone())
    }

    /// The page in memory, if its file is still this one.
    pub(super) fn known(&self, key: &str, located: &LocatedFile) -> Option<Page> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.pages.get(key)?;
        (entry.page.identity == located.identity).then(|| Page::clone(&entry.page))
    }

    /// Keeps a page that has just been compared with its file, if it is in memory.
    pub(super) fn keep(&self, key: String, page: &Arc<Page>) {
        let Content::Memory(bytes) = &page.content else {
            return;
        };
        if key.len() > KEY_BYTES_MOST {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry {
            page: page.clone(),
            checked_at: Instant::now(),
        };
        kept.bytes += bytes.len();
        match kept.pages.insert(key.clone(), entry) {
            Some(before) => kept.bytes -= size(&before),
            None => kept.order.push_back(key),
        }
        while kept.bytes > TOTAL_BYTES_MOST || kept.order.len() > PAGES_MOST {
            let Some(oldest) = kept.order.pop_front() else {
                break;
            };
            if let Some(dropped) = kept.pages.remove(&oldest) {
                kept.bytes -= size(&dropped);
            }
        }
    }
}

fn size(entry: &Entry) -> usize {
    match &entry.page.content {
        Content::Memory(bytes) => bytes.len(),
        Content::File(_) => 0,
    }
}
