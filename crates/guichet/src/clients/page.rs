//! Loading a page: its address by DNS, then its files over HTTP, put together.

use std::net::SocketAddr;

use guichet_engine::tls::ClientTls;
use guichet_engine::{Ending, Finished};
use guichet_proto::http::{Client, ClientAnswer, ClientAsk, ClientRequest, ClientSettings, Scheme};
use guichet_proto::{Cause, Reply, Service};
use rustls_pki_types::ServerName;

use super::{World, name, unreachable};
use crate::output::Message;

/// Files fetched for one page at most.
const FILES_MAX: usize = 50;

/// A page as it arrived.
#[derive(Debug)]
pub struct Loaded {
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

    fn authority(&self) -> String {
        match self.port_given {
            true => format!("{}:{}", self.host, self.port),
            false => self.host.clone(),
        }
    }
}

/// Loads the page and, if it is HTML, the styles, scripts and pictures it names on its own server.
pub async fn load(world: &World, url: &Url) -> Result<Loaded, Message> {
    let (ip, cause) = name::address(world, &url.host).await?;
    let address = SocketAddr::new(ip, url.port);
    let host = if cause.is_some() {
        url.host.as_str()
    } else {
        ""
    };
    let mut call = world.call(address, host, cause.into_iter().collect());
    if url.scheme == Scheme::Https {
        call.tls = Some(client_tls(world, &url.host)?);
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
        files: collector.files,
    })
}

/// TLS towards a host, trusting the lab's authority.
pub(super) fn client_tls(
    world: &World,
    host: &str,
) -> Result<(ClientTls, ServerName<'static>), Message> {
    let failed = |why: String| {
        Message::new("clients-tls-setup")
            .with("host", host.to_owned())
            .with("why", why)
    };
    let authorities: Vec<_> = world
        .authority
        .iter()
        .map(std::path::PathBuf::as_path)
        .collect();
    let tls = ClientTls::trusting(&authorities).map_err(|error| failed(error.to_string()))?;
    let plain = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(plain).map_err(|error| failed(error.to_string()))?;
    Ok((tls, name))
}

/// Takes the files of a page as they come and asks for those it names.
struct Collector {
    authority: String,
    /// The request for the page itself: it leads to those for its files.
    page: Cause,
    files: Vec<File>,
    wanted: Vec<String>,
    failed: Option<String>,
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
                self.failed = Some(format!("{failure:?}"));
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
    fn a_page_names_its_files_and_nobody_elses() {
        let html = r#"<link rel="stylesheet" href="style.css"><img alt="" src='/a/b.svg'>
            <img src="http://elsewhere.test/x.png"><a href="other.html"><img src=../up.png>"#;
        assert_eq!(
            named_files(html, "/x/index.html"),
            ["/x/style.css", "/a/b.svg"]
        );
    }
}
