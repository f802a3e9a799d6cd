//! Pages: a folder per site, served over HTTP.
//!
//! ```text
//! sites/www.nord.test/index.html     http://www.nord.test/
//! sites/www.nord.test/style.css      http://www.nord.test/style.css
//! ```
//! Given a request, [`Pages`] decides which file is meant, whether the client already has it, and
//! which part of it is wanted (RFC 9110 sections 12 to 14). Nothing outside a site's folder is ever
//! reached: the kernel resolves paths beneath it. Small files are kept in memory.
//!
//! Not here: the wire (`guichet_proto::http`), folder listings (there are none), programs that make
//! pages, uploads, compression on the fly (a `.br` or `.gz` beside a file is used).

mod beneath;
mod cache;
mod conditions;
mod kinds;
mod page;
mod target;
mod words;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use guichet_proto::http::{Answer, Ask, Body, HeaderBlock, Method, Request, Response};
use guichet_proto::{Pulled, Reply, Service, SourceId};

use beneath::Folder;
use cache::Cache;
use conditions::{Outcome, Part};
use page::{Content, Page};
use words::Words;

/// The sites beneath one folder. Cloning shares them.
#[derive(Clone)]
pub struct Pages {
    shared: Arc<Shared>,
}

struct Shared {
    sites: Folder,
    default_site: Option<String>,
    cache: Cache,
}

impl Pages {
    /// Serves the sites beneath `sites`: each folder in it, or link to another one in it, is named
    /// after its host in lower case. `default_site` names the folder for hosts that have none, for
    /// addresses and for HTTP/1.0 requests without host; without it the former get 404.
    ///
    /// Fails when the folder cannot be opened.
    pub fn new(sites: impl AsRef<Path>, default_site: Option<String>) -> io::Result<Self> {
        let shared = Shared {
            sites: Folder::open(sites.as_ref())?,
            default_site,
            cache: Cache::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The decisions for one connection.
    pub fn dialogue(&self) -> PagesDialogue {
        PagesDialogue {
            pages: self.clone(),
            sending: None,
            sources: 0,
        }
    }

    /// What a request gets, and the file whose bytes are to follow.
    fn decide(&self, request: &Request) -> (Response, Option<FilePart>) {
        let words = Words::for_request(request);
        match request.method {
            Method::Get | Method::Head => {}
            Method::Options => return (options(), None),
            _ => {
                let response = words.refusal(405, HeaderBlock::of([("Allow", ALLOWED)]));
                return (response, None);
            }
        }
        match self.find(request) {
            Found::Page(page) => reply(request, &page, &words),
            Found::Moved(place) => {
                let fields = HeaderBlock::of([("Location", place)]);
                (words.refusal(301, fields), None)
            }
            Found::NoSite => (words.no_site(), None),
            Found::Nothing(status) => (words.refusal(status, HeaderBlock::default()), None),
        }
    }

    fn find(&self, request: &Request) -> Found {
        let target = match target::parse(request.path()) {
            Ok(target) => target,
            Err(target::Wrong::Malformed) => return Found::Nothing(400),
            Err(target::Wrong::Hidden) => return Found::Nothing(404),
        };
        let codings = page::Codings::accepted(request);
        let key = cache::key(request, codings);
        if let Some(page) = self.shared.cache.fresh(&key) {
            return Found::Page(page);
        }
        let site = match self.site(&request.host) {
            Ok(site) => site,
            Err(error) if status(error) == 404 => return Found::NoSite,
            Err(error) => return Found::Nothing(status(error)),
        };
        match page::locate(&site, &target, codings) {
            Ok(page::Located::File(located)) => {
                let known = self.shared.cache.known(&key, &located);
                match known.map_or_else(|| located.load(), Ok) {
                    Ok(page) => {
                        let page = Arc::new(page);
                        self.shared.cache.keep(key, &page);
                        Found::Page(page)
                    }
                    Err(_) => Found::Nothing(503),
                }
            }
            Ok(page::Located::Folder) => Found::Moved(with_slash(request)),
            Err(error) => Found::Nothing(status(error)),
        }
    }

    /// The folder of a host.
    fn site(&self, host: &str) -> Result<Folder, rustix::io::Errno> {
        let is_name = !host.is_empty() && !host.starts_with('.') && !is_address(host);
        if is_name {
            match self.shared.sites.folder(host) {
                Ok(folder) => return Ok(folder),
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
                Err(error) => return Err(error),
            }
        }
        let default = self.shared.default_site.as_deref();
        self.shared
            .sites
            .folder(default.ok_or(rustix::io::Errno::NOENT)?)
    }
}

enum Found {
    Page(Arc<Page>),
    /// The path lacks its final slash.
    Moved(String),
    /// The host is none of ours.
    NoSite,
    /// A status that says why.
    Nothing(u16),
}

const ALLOWED: &str = "GET, HEAD, OPTIONS";

fn options() -> Response {
    Response::empty(204, HeaderBlock::of([("Allow", ALLOWED)]))
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

/// The path has passed `target::parse`, so it cannot begin with `//` and lead to another host.
fn with_slash(request: &Request) -> String {
    let path = request.path();
    match request.query() {
        Some(query) => format!("{path}/?{query}"),
        None => format!("{path}/"),
    }
}

/// What a client hears when a path cannot be opened. Links that lead out of the folder are, for the
/// client, not there.
fn status(error: rustix::io::Errno) -> u16 {
    use rustix::io::Errno;
    match error {
        Errno::ACCESS => 403,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN | Errno::IO => 503,
        _ => 404,
    }
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The reply for a page that is there.
fn reply(request: &Request, page: &Page, words: &Words) -> (Response, Option<FilePart>) {
    let now = unix_seconds();
    match conditions::evaluate(request, &page.etag, page.modified, now) {
        Outcome::Failed => (words.refusal(412, HeaderBlock::default()), None),
        Outcome::NotModified => (Response::empty(304, page.brief_fields.clone()), None),
        Outcome::Proceed => match conditions::part(request, page, now) {
            Part::Whole => body(200, page.fields.clone(), page, 0..page.length),
            Part::Range(range) => {
                let text = format!("bytes {}-{}/{}", range.start, range.end - 1, page.length);
                body(206, page.fields.and("Content-Range", &text), page, range)
            }
            Part::Unsatisfiable => {
                let text = format!("bytes */{}", page.length);
                let fields = HeaderBlock::of([("Content-Range", text)]);
                (words.refusal(416, fields), None)
            }
        },
    }
}

fn body(
    status: u16,
    fields: HeaderBlock,
    page: &Page,
    range: std::ops::Range<u64>,
) -> (Response, Option<FilePart>) {
    let length = range.end - range.start;
    let (body, part) = match &page.content {
        Content::Memory(bytes) if length == page.length => (Body::Bytes(bytes.clone()), None),
        Content::Memory(bytes) => {
            let part = &bytes[range.start as usize..range.end as usize];
            (Body::Bytes(part.into()), None)
        }
        Content::File(file) => {
            let part = FilePart {
                file: file.clone(),
                offset: range.start,
                left: length,
            };
            let source = SourceId(0); // numbered by the dialogue
            (Body::Source { source, length }, Some(part))
        }
    };
    let response = Response {
        status,
        fields,
        body,
    };
    (response, part)
}

/// What is left to send of a file.
struct FilePart {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

/// The service behind one connection.
pub struct PagesDialogue {
    pages: Pages,
    sending: Option<(SourceId, FilePart)>,
    sources: u64,
}

impl Service for PagesDialogue {
    type Ask = Ask;
    type Answer = Answer;

    fn ask(&mut self, ask: Ask) -> Reply<Answer> {
        self.sending = None;
        let Ask::Request(request) = ask else {
            // A body is never asked for.
            return Reply::Now(Answer::Response(Response::empty(
                500,
                HeaderBlock::default(),
            )));
        };
        let (mut response, part) = self.pages.decide(&request);
        if let (Some(part), Body::Source { source, .. }) = (part, &mut response.body) {
            self.sources += 1;
            *source = SourceId(self.sources);
            self.sending = Some((*source, part));
        }
        Reply::Now(Answer::Response(response))
    }

    fn pull(&mut self, source: SourceId, most: usize) -> Reply<Pulled> {
        match &mut self.sending {
            Some((known, part)) if *known == source => part.next(most),
            _ => Reply::Now(Pulled::Failed),
        }
    }
}

impl FilePart {
    /// The next bytes: at once when they are in memory, else off the event loop. A file that has
    /// become shorter than it was fails: its length is already promised.
    fn next(&mut self, most: usize) -> Reply<Pulled> {
        if self.left == 0 {
            return Reply::Now(Pulled::End);
        }
        let count = self.left.min(most.max(1) as u64);
        let offset = self.offset;
        self.offset += count;
        self.left -= count;
        let mut bytes = vec![0; count as usize];
        if beneath::read_without_waiting(&self.file, &mut bytes, offset) {
            return Reply::Now(Pulled::Bytes(bytes));
        }
        let file = self.file.clone();
        let read = move || match file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Pulled::Bytes(bytes),
            Err(_) => Pulled::Failed,
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let reading = runtime.spawn_blocking(read);
                Reply::later(async move { reading.await.unwrap_or(Pulled::Failed) })
            }
            Err(_) => Reply::Now(read()), // a serving mode that may block
        }
    }
}
