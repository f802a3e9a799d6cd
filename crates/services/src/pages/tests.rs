//! Pages over real folders.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use guichet_proto::http::{Field, Fields, RequestBody, Scheme, Server, Settings, date};
use guichet_proto::player::Player;
use guichet_proto::session::NoTap;
use tempfile::TempDir;

use super::page::{Codings, MEMORY_BYTES_MOST};
use super::*;

struct Site {
    place: TempDir,
    pages: Pages,
}

const HOST: &str = "www.nord.test";

/// `sites/www.nord.test/` with these files, and `sites/other.test/secret`.
fn site(files: &[(&str, &[u8])]) -> Site {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("sites");
    fs::create_dir_all(root.join("other.test")).unwrap();
    fs::write(root.join("other.test/secret"), "s").unwrap();
    fs::write(place.path().join("outside"), "o").unwrap();
    for (name, content) in files {
        let path = root.join(HOST).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let pages = Pages::new(&root, None).unwrap();
    Site { place, pages }
}

impl Site {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.place.path().join("sites").join(HOST).join(name)
    }

    fn get(&self, target: &str) -> Response {
        self.ask(Method::Get, HOST, target, &[])
    }

    fn get_with(&self, target: &str, fields: &[(Field, &str)]) -> Response {
        self.ask(Method::Get, HOST, target, fields)
    }

    fn ask(&self, method: Method, host: &str, target: &str, fields: &[(Field, &str)]) -> Response {
        self.pages.decide(&request(method, host, target, fields)).0
    }
}

fn request(method: Method, host: &str, target: &str, values: &[(Field, &str)]) -> Request {
    let mut fields = Fields::default();
    for (field, value) in values {
        fields.add(*field, value.as_bytes());
    }
    Request {
        method,
        scheme: Scheme::Http,
        host: host.to_owned(),
        port: None,
        target: target.to_owned(),
        fields,
        body: RequestBody::None,
        part: 1,
    }
}

fn text(response: &Response) -> String {
    match &response.body {
        Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

fn field(response: &Response, name: &str) -> String {
    response.fields.get(name).unwrap_or("").to_owned()
}

#[test]
fn a_folder_is_its_index_and_a_path_is_a_file() {
    let site = site(&[
        ("index.html", b"<p>home"),
        ("a b/index.html", b"sub"),
        ("style.css", b"p{}"),
    ]);
    let home = site.get("/");
    assert_eq!((home.status, text(&home).as_str()), (200, "<p>home"));
    assert_eq!(field(&home, "Content-Type"), "text/html; charset=utf-8");
    assert_eq!(text(&site.get("/style.css?v=1")), "p{}");
    let moved = site.get("/a%20b?x");
    assert_eq!(
        (moved.status, field(&moved, "Location").as_str()),
        (301, "/a%20b/?x")
    );
    assert_eq!(text(&site.get("/a%20b/")), "sub");
    assert_eq!(site.get("/style.css/").status, 404);
    assert_eq!(site.get("/none").status, 404);
}

#[test]
fn there_are_no_listings_and_hidden_files_stay_hidden() {
    let site = site(&[
        ("x/y", b"y"),
        (".git/config", b"c"),
        (".well-known/security.txt", b"w"),
    ]);
    assert_eq!(site.get("/x/").status, 404);
    assert_eq!(site.get("/").status, 404);
    assert_eq!(site.get("/.git/config").status, 404);
    assert_eq!(text(&site.get("/.well-known/security.txt")), "w");
}

#[test]
fn a_host_has_its_own_folder_or_the_default_one() {
    let mut site = site(&[("p", b"nord")]);
    let ask = |site: &Site, host: &str| site.ask(Method::Get, host, "/p", &[]).status;
    for host in [
        "other.test",
        "nobody.test",
        "127.0.0.1",
        "",
        "[::1]",
        "..",
        ".",
        "a..b",
    ] {
        assert_eq!(ask(&site, host), 404, "{host}");
    }
    assert_eq!(ask(&site, HOST), 200);
    site.pages = Pages::new(site.place.path().join("sites"), Some(HOST.to_owned())).unwrap();
    for host in ["nobody.test", "127.0.0.1", "", "[::1]"] {
        assert_eq!(ask(&site, host), 200, "{host}");
    }
    assert_eq!(ask(&site, "other.test"), 404);
}

#[test]
fn no_link_leads_out_of_the_folder() {
    let site = site(&[("a/page", b"p")]);
    symlink("a/page", site.path("inside")).unwrap();
    symlink("../../outside", site.path("up")).unwrap();
    symlink("../other.test/secret", site.path("sideways")).unwrap();
    symlink("/etc/passwd", site.path("absolute")).unwrap();
    symlink("..", site.path("a/parent")).unwrap();
    symlink("../..", site.path("a/grandparent")).unwrap();
    symlink("/proc/self/cwd", site.path("magic")).unwrap();
    symlink("loop", site.path("loop")).unwrap();
    assert_eq!(text(&site.get("/inside")), "p");
    assert_eq!(text(&site.get("/a/parent/a/page")), "p");
    // The links are good: whoever just opens the path gets what lies outside.
    assert_eq!(fs::read(site.path("up")).unwrap(), b"o");
    assert_eq!(fs::read(site.path("sideways")).unwrap(), b"s");
    for out in [
        "/up",
        "/sideways",
        "/absolute",
        "/a/grandparent/other.test/secret",
        "/magic/",
        "/loop",
    ] {
        assert_eq!(site.get(out).status, 404, "{out}");
    }
}

/// A folder becomes a link while it is being looked at: there is no moment between check and use.
#[test]
fn a_race_leads_nowhere_either() {
    let site = site(&[("inner/outside", b"inside")]);
    let (folder, aside, link) = (site.path("inner"), site.path("aside"), site.path("link"));
    symlink("../..", &link).unwrap();
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (from, to) in [
                    (&folder, &aside),
                    (&link, &folder),
                    (&folder, &link),
                    (&aside, &folder),
                ] {
                    let _ = fs::rename(from, to);
                }
            }
        });
        let seen = look_while_it_changes(&site);
        done.store(true, Ordering::Relaxed);
        seen
    });
    assert_eq!(seen.outside, 0);
    assert!(seen.inside > 0 && seen.nothing > 0, "{seen:?}");
}

#[derive(Debug, Default)]
struct Seen {
    inside: u32,
    outside: u32,
    nothing: u32,
}

/// Past the cache; until both have been met often, whoever gets the processor when.
fn look_while_it_changes(site: &Site) -> Seen {
    let mut seen = Seen::default();
    let target = target::parse("/inner/outside").unwrap();
    let began = Instant::now();
    while seen.inside.min(seen.nothing) < 500 && began.elapsed() < Duration::from_secs(10) {
        let folder = site.pages.site(HOST).unwrap();
        match page::locate(&folder, &target, Codings::default()) {
            Ok(page::Located::File(located)) => match located.load().map(|page| page.content) {
                Ok(Content::Memory(bytes)) if &*bytes == b"inside" => seen.inside += 1,
                _ => seen.outside += 1,
            },
            _ => seen.nothing += 1,
        }
    }
    seen
}

#[test]
fn what_is_no_file_is_not_opened() {
    let site = site(&[("p", b"p")]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        site.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(site.get("/pipe").status, 404);
}

#[test]
fn conditions_are_weighed_in_their_order() {
    let site = site(&[("p.html", b"page")]);
    let first = site.get("/p.html");
    let etag = field(&first, "ETag");
    let modified = field(&first, "Last-Modified");
    let seconds = date::parse(&modified, unix_seconds()).unwrap();
    let earlier_bytes = date::format(seconds - 1);
    let earlier = date::text(&earlier_bytes);
    let weak = format!("W/{etag}");
    use Field::{IfMatch, IfModifiedSince, IfNoneMatch, IfUnmodifiedSince};
    let cases: [(&[(Field, &str)], u16); 14] = [
        (&[(IfNoneMatch, &etag)], 304),
        (&[(IfNoneMatch, &weak)], 304),
        (&[(IfNoneMatch, "\"x\""), (IfNoneMatch, &etag)], 304),
        (&[(IfNoneMatch, "*")], 304),
        (&[(IfNoneMatch, "\"x\"")], 200),
        // If-None-Match speaks, If-Modified-Since is then not heard.
        (&[(IfNoneMatch, "\"x\""), (IfModifiedSince, &modified)], 200),
        (&[(IfModifiedSince, &modified)], 304),
        (&[(IfModifiedSince, earlier)], 200),
        (&[(IfModifiedSince, "yesterday")], 200),
        (&[(IfMatch, &etag)], 200),
        (&[(IfMatch, &weak)], 412),
        // If-Match speaks, If-Unmodified-Since is then not heard.
        (&[(IfMatch, &etag), (IfUnmodifiedSince, earlier)], 200),
        (&[(IfUnmodifiedSince, earlier)], 412),
        (&[(IfMatch, "\"x\""), (IfNoneMatch, &etag)], 412),
    ];
    for (fields, status) in cases {
        assert_eq!(
            site.get_with("/p.html", fields).status,
            status,
            "{fields:?}"
        );
    }
    let not_modified = site.get_with("/p.html", &[(IfNoneMatch, &etag)]);
    assert_eq!(field(&not_modified, "ETag"), etag);
    assert_eq!(not_modified.body, Body::Empty);
}

#[test]
fn one_range_is_sent_if_the_page_is_still_the_same() {
    let site = site(&[("p", b"0123456789")]);
    let etag = field(&site.get("/p"), "ETag");
    let part = site.get_with("/p", &[(Field::Range, "bytes=2-4")]);
    assert_eq!((part.status, text(&part).as_str()), (206, "234"));
    assert_eq!(field(&part, "Content-Range"), "bytes 2-4/10");
    let same = site.get_with(
        "/p",
        &[(Field::Range, "bytes=2-4"), (Field::IfRange, &etag)],
    );
    assert_eq!(same.status, 206);
    let changed = site.get_with(
        "/p",
        &[(Field::Range, "bytes=2-4"), (Field::IfRange, "\"x\"")],
    );
    assert_eq!(
        (changed.status, text(&changed).as_str()),
        (200, "0123456789")
    );
    let behind = site.get_with("/p", &[(Field::Range, "bytes=10-")]);
    assert_eq!(
        (behind.status, field(&behind, "Content-Range").as_str()),
        (416, "bytes */10")
    );
    let head = site.ask(Method::Head, HOST, "/p", &[(Field::Range, "bytes=2-4")]);
    assert_eq!(head.status, 200);
}

#[test]
fn a_compressed_copy_is_used_where_the_client_takes_it() {
    let site = site(&[
        ("p.css", b"plain"),
        ("p.css.br", b"brotli"),
        ("p.css.gz", b"gzip"),
    ]);
    let get = |accepted: &str| {
        let response = site.get_with("/p.css", &[(Field::AcceptEncoding, accepted)]);
        assert_eq!(field(&response, "Vary"), "Accept-Encoding");
        assert_eq!(field(&response, "Content-Type"), "text/css; charset=utf-8");
        (text(&response), field(&response, "Content-Encoding"))
    };
    assert_eq!(get("gzip, br"), ("brotli".into(), "br".into()));
    assert_eq!(get("gzip, br;q=0"), ("gzip".into(), "gzip".into()));
    assert_eq!(get("identity"), ("plain".into(), String::new()));
    let now = SystemTime::now();
    let copy = File::options()
        .write(true)
        .open(site.path("p.css.br"))
        .unwrap();
    copy.set_modified(now - Duration::from_secs(60)).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(get("gzip, br").0, "gzip", "an old copy is not used");
}

#[test]
fn a_changed_page_shows_within_a_second() {
    let site = site(&[("p.html", b"old")]);
    let old = site.get("/p.html");
    fs::write(site.path("p.html"), "new").unwrap();
    assert_eq!(
        text(&site.get("/p.html")),
        "old",
        "from memory, without a look at the file"
    );
    std::thread::sleep(Duration::from_millis(1100));
    let new = site.get("/p.html");
    assert_eq!(text(&new), "new");
    assert_ne!(field(&old, "ETag"), field(&new, "ETag"));
    fs::remove_file(site.path("p.html")).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(site.get("/p.html").status, 404);
}

fn pull(dialogue: &mut PagesDialogue, source: SourceId) -> Pulled {
    match dialogue.pull(source, 64 * 1024) {
        Reply::Now(pulled) => pulled,
        Reply::Later(_) => panic!("without a runtime nothing is put off"),
    }
}

fn open_source(site: &Site, fields: &[(Field, &str)]) -> (PagesDialogue, SourceId, u64) {
    let mut dialogue = site.pages.dialogue();
    let ask = Ask::Request(request(Method::Get, HOST, "/big", fields));
    let Reply::Now(Answer::Response(response)) = dialogue.ask(ask) else {
        panic!("a page is decided at once");
    };
    let Body::Source { source, length } = response.body else {
        panic!("expected a source, got {:?}", response.body);
    };
    (dialogue, source, length)
}

#[test]
fn a_large_file_comes_in_pieces_and_whole() {
    let content: Vec<u8> = (0..MEMORY_BYTES_MOST * 3 + 7)
        .map(|n| (n % 251) as u8)
        .collect();
    let site = site(&[("big", &content)]);
    for (fields, range) in [
        (&[][..], 0..content.len()),
        (&[(Field::Range, "bytes=70000-150000")][..], 70_000..150_001),
    ] {
        let (mut dialogue, source, length) = open_source(&site, fields);
        assert_eq!(length, range.len() as u64);
        let mut got = Vec::new();
        while let Pulled::Bytes(bytes) = pull(&mut dialogue, source) {
            got.extend(bytes);
        }
        assert!(got == content[range]);
        assert_eq!(pull(&mut dialogue, source), Pulled::End);
        assert_eq!(pull(&mut dialogue, SourceId(99)), Pulled::Failed);
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_fails() {
    let site = site(&[("big", &vec![7; 200_000])]);
    let (mut dialogue, source, _) = open_source(&site, &[]);
    assert!(matches!(pull(&mut dialogue, source), Pulled::Bytes(_)));
    let file = File::options().write(true).open(site.path("big")).unwrap();
    file.set_len(100_000).unwrap();
    assert_eq!(pull(&mut dialogue, source), Pulled::Failed);
}

#[test]
fn a_refusal_speaks_the_readers_language() {
    let site = site(&[("p", b"p")]);
    let get = |accepted: &str| {
        let response = site.get_with("/none", &[(Field::AcceptLanguage, accepted)]);
        (field(&response, "Content-Language"), text(&response))
    };
    assert_eq!(get("fr-FR,fr;q=0.9,en;q=0.8").0, "fr");
    assert!(get("fr").1.contains("Cette page n’existe pas"));
    assert_eq!(get("fr;q=0.4, en;q=0.5").0, "en");
    assert_eq!(get("de").0, "en");
}

#[test]
fn an_unknown_host_is_told_so() {
    let site = site(&[("p", b"p")]);
    let response = site.ask(Method::Get, "nobody.test", "/p", &[]);
    assert!(text(&response).contains("There is no such site here"));
}

#[test]
fn a_browser_gets_small_and_large_pages_over_one_connection() {
    let big = vec![b'x'; 200_000];
    let site = site(&[("index.html", b"<p>home"), ("big", &big)]);
    let session = Server::new(Settings::new(Scheme::Http, |_| 784_111_777));
    let mut tap = NoTap;
    let mut player = Player::new(session, site.pages.dialogue(), 30_000, &mut tap);
    for target in ["/", "/big", "/none"] {
        player.hear(format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes());
    }
    let heard = String::from_utf8_lossy(player.heard()).into_owned();
    assert_eq!(heard.matches("HTTP/1.1 200 OK\r\n").count(), 2);
    assert!(heard.contains("Content-Length: 7\r\n\r\n<p>homeHTTP/1.1"));
    assert!(heard.contains(&"x".repeat(200_000)));
    assert!(heard.contains("HTTP/1.1 404 Not Found\r\n"));
}

#[test]
fn only_reading_is_allowed() {
    let site = site(&[("p", b"p")]);
    for method in [
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Patch,
        Method::Trace,
    ] {
        let response = site.ask(method, HOST, "/p", &[]);
        assert_eq!(response.status, 405);
        assert_eq!(field(&response, "Allow"), "GET, HEAD, OPTIONS");
    }
    assert_eq!(site.ask(Method::Options, HOST, "*", &[]).status, 204);
}
