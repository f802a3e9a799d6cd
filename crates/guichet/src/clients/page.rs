//! Loading a page: its address by DNS, then its files over HTTP, put together.

use std::fmt;
use std::net::SocketAddr;

use guichet_engine::{Ending, Finished};
use guichet_proto::http::{
    Client, ClientAnswer, ClientAsk, ClientRequest, ClientSettings, Failure, Scheme,
};
use guichet_proto::{Cause, Reply, Service};

use super::{World, name, unreachable};
use crate::output::Message;

/// Files fetched for one page at most.
const FILES_MAX: usize = 50;

/// A page as it arrived.
#[derive(Debug)]
pub struct Loaded {
    /// The request for the page itself.
    pub page: Cause,
    /// The files in the order in which they came; the first is the one asked for.
    pub files: Vec<File>,
}

/// One file of a page.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path on the server.
    pub target: String,
    /// The status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The content.
    pub body: Vec<u8>,
}

/// An address as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Under TLS or not.
    pub scheme: Scheme,
    /// Name or address.
    pub host: String,
    /// The port, as meant.
    pub port: u16,
    /// Whether the port stood there.
    pub port_given: bool,
    /// Path and query.
    pub target: String,
}

impl Url {
    /// Reads `http://host[:port]/path`; without scheme it is HTTP.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(_) => return None,
            None => (Scheme::Http, text),
        };
        let split = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        let path = path.split('#').next().unwrap_or_default();
        let usual = if scheme == Scheme::Http { 80 } else { 443 };
        let bracketed_end = authority.rfind(']').unwrap_or(0);
        let (host, port) = match authority[bracketed_end..].rfind(':') {
            Some(colon) => {
                let at = bracketed_end + colon;
                (&authority[..at], Some(authority[at + 1..].parse().ok()?))
            }
            None => (authority, None),
        };
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || host.contains('@') || !plain(host) || !plain(path) {
            return None;
        }
        let target = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Some(Self {
            scheme,
            host: host.to_lowercase(),
            port: port.unwrap_or(usual),
            port_given: port.is_some(),
            target,
        })
    }

    /// The address that a `Location` leads to from here (RFC 3986 section 5, without the rarer
    /// forms); `None` if no page can be loaded there.
    pub fn join(&self, location: &str) -> Option<Self> {
        if location.contains("://") {
            return Self::parse(location);
        }
        let scheme = scheme_word(self.scheme);
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let target = match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{path}{location}"),
            _ => {
                let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
                format!("{folder}{}", location.trim_start_matches("./"))
            }
        };
        Self::parse(&format!("{scheme}://{}{target}", self.authority()))
    }

    fn authority(&self) -> String {
        match self.port_given {
            true => format!("{}:{}", self.host, self.port),
            false => self.host.clone(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = scheme_word(self.scheme);
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

fn scheme_word(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    }
}

/// Loads the page and, if it is HTML, the styles, scripts and pictures it names on its own server.
pub async fn load(world: &World, url: &Url) -> Result<Loaded, Message> {
    load_because(world, url, None).await
}

/// As [`load`]; the reply in `because` led here.
pub async fn load_because(
    world: &World,
    url: &Url,
    because: Option<Cause>,
) -> Result<Loaded, Message> {
    let (ip, cause) = name::address(world, &url.host).await?;
    let address = SocketAddr::new(ip, url.port);
    let host = if cause.is_some() {
        url.host.as_str()
    } else {
        ""
    };
    let mut call = world.call(address, host, cause.into_iter().chain(because).collect());
    if url.scheme == Scheme::Https {
        call.tls = Some(world.tls(&url.host)?);
        call.implicit_tls = true;
    }
    let first = ClientRequest::get(url.authority(), url.target.clone());
    let (authority, target) = (url.authority(), url.target.clone());
    let settings = ClientSettings::new(url.scheme);
    let finished: Finished<Client, Collector> = world
        .dial
        .run("http", call, |exchange| {
            let page = Cause { exchange, part: 1 };
            let collector = Collector::new(authority, target, page);
            (Client::new(settings, vec![first]), collector)
        })
        .await
        .map_err(|error| unreachable(&url.host, &error))?;
    let collector = finished.service;
    if let Some(why) = collector.failed {
        return Err(Message::new("clients-page-failed")
            .with("host", url.host.clone())
            .with("why", why));
    }
    if let Ending::Broken(error) | Ending::Tls(error) = finished.ending
        && collector.files.is_empty()
    {
        return Err(Message::new("clients-page-failed")
            .with("host", url.host.clone())
            .with("why", error.to_string()));
    }
    Ok(Loaded {
        page: collector.page,
        files: collector.files,
    })
}

/// Takes the files of a page as they come and asks for those it names.
struct Collector {
    authority: String,
    /// The request for the page itself: it leads to those for its files.
    page: Cause,
    files: Vec<File>,
    wanted: Vec<String>,
    failed: Option<Message>,
}

fn why(failure: Failure) -> Message {
    match failure {
        Failure::Malformed(rule) => Message::new("clients-page-malformed").with("rule", rule),
        Failure::TooLarge => Message::new("clients-page-too-large"),
        Failure::Cut => Message::new("clients-page-cut"),
        Failure::ClosedBefore => Message::new("error-io-reset"),
        Failure::TimedOut => Message::new("error-io-timed-out"),
        Failure::Unsendable => Message::new("clients-page-unsendable"),
    }
}

impl Service for Collector {
    type Ask = ClientAsk;
    type Answer = ClientAnswer;

    fn ask(&mut self, ask: ClientAsk) -> Reply<ClientAnswer> {
        let next = match ask {
            ClientAsk::Begin {
                part,
                status,
                fields,
                ..
            } => {
                self.files.push(File {
                    target: self
                        .wanted
                        .get(part as usize - 1)
                        .cloned()
                        .unwrap_or_default(),
                    status,
                    content_type: fields.get("content-type").unwrap_or_default().to_owned(),
                    location: fields.get("location").map(str::to_owned),
                    body: Vec::new(),
                });
                Vec::new()
            }
            ClientAsk::End { part, .. } => self.parts_of_page(part),
            ClientAsk::Failed { failure, .. } => {
                self.failed = Some(why(failure));
                return Reply::Now(ClientAnswer::Stop);
            }
        };
        Reply::Now(ClientAnswer::Go { next })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        if let Some(file) = self.files.last_mut() {
            file.body.extend_from_slice(piece);
        }
        Reply::Now(())
    }
}

impl Collector {
    fn new(authority: String, target: String, page: Cause) -> Self {
        Self {
            authority,
            page,
            files: Vec::new(),
            wanted: vec![target],
            failed: None,
        }
    }

    /// Only the page itself names further files, each fetched once.
    fn parts_of_page(&mut self, part: u32) -> Vec<ClientRequest> {
        let Some(page) = self.files.first() else {
            return Vec::new();
        };
        if part != 1 || page.status != 200 || !page.content_type.starts_with("text/html") {
            return Vec::new();
        }
        let html = String::from_utf8_lossy(&page.body).into_owned();
        let base = page.target.clone();
        let mut next = Vec::new();
        for target in named_files(&html, &base) {
            if !self.wanted.contains(&target) && self.wanted.len() < FILES_MAX {
                let causes = vec![self.page];
                let request = ClientRequest::get(self.authority.clone(), target.clone());
                next.push(ClientRequest { causes, ..request });
                self.wanted.push(target);
            }
        }
        next
    }
}

/// The files an HTML page needs that lie on its own server: `src` of pictures and scripts, `href`
/// of style sheets. A reader of well-formed start pages, not a browser.
fn named_files(html: &str, base: &str) -> Vec<String> {
    let mut files = Vec::new();
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let lower = tag.to_ascii_lowercase();
        let attribute = match lower.split_whitespace().next() {
            Some("img" | "script") => "src",
            Some("link") if lower.contains("stylesheet") || lower.contains("icon") => "href",
            _ => continue,
        };
        if let Some(target) = value_of(tag, &lower, attribute).and_then(|value| below(base, value))
        {
            files.push(target);
        }
    }
    files
}

fn value_of<'a>(tag: &'a str, lower: &str, attribute: &str) -> Option<&'a str> {
    let start = lower.find(&format!(" {attribute}="))? + attribute.len() + 2;
    let rest = tag.get(start..)?;
    match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next(),
        _ => rest.split_whitespace().next(),
    }
}

/// The target on the same server that a reference leads to; `None` if it leads elsewhere.
fn below(base: &str, reference: &str) -> Option<String> {
    let plain = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain || reference.contains(':') || reference.starts_with("//") || reference.contains("..")
    {
        return None;
    }
    let reference = reference.split('#').next().unwrap_or_default();
    if reference.starts_with('/') {
        return Some(reference.to_owned());
    }
    let folder = base.rfind('/').map_or("/", |slash| &base[..=slash]);
    Some(format!("{folder}{}", reference.trim_start_matches("./")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_people_write_them() {
        let url = Url::parse("http://WWW.sud.test:8080/a?b#c").unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, url.target.as_str()),
            ("www.sud.test", 8080, "/a?b")
        );
        assert_eq!(Url::parse("www.sud.test").unwrap().target, "/");
        assert_eq!(Url::parse("https://[::1]/").unwrap().port, 443);
        assert_eq!(Url::parse("https://[::1]:4/").unwrap().host, "[::1]");
        for wrong in [
            "ftp://a/",
            "http:///a",
            "http://a b/",
            "http://a:port/",
            "http://u@a/",
        ] {
            assert_eq!(Url::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_redirect_leads_from_where_it_stands() {
        let url = Url::parse("http://a.test:81/x/y?q").unwrap();
        let to = |location: &str| url.join(location).unwrap().to_string();
        assert_eq!(to("https://b.test/z"), "https://b.test/z");
        assert_eq!(to("//b.test/z"), "http://b.test/z");
        assert_eq!(to("/z"), "http://a.test:81/z");
        assert_eq!(to("z"), "http://a.test:81/x/z");
        assert_eq!(to("./z?r"), "http://a.test:81/x/z?r");
        assert_eq!(to("?r"), "http://a.test:81/x/y?r");
        assert_eq!(url.join("ftp://b.test/"), None);
    }

    #[test]
    fn a_page_names_its_files_and_nobody_elses() {
        let html = r#"<link rel="stylesheet" href="style.css"><img alt="" src='/a/b.svg'>
            <img src="http://elsewhere.test/x.png"><a href="other.html"><img src=../up.png>"#;
        assert_eq!(
            named_files(html, "/x/index.html"),
            ["/x/style.css", "/a/b.svg"]
        );
    }
}
