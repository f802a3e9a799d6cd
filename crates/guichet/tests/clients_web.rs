//! The pages of the lab as `curl` gets them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop here"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Lab, client, run};

const SITE: &str = "www.nord.test";

/// curl, quiet, taking the site's names to where the lab serves them.
fn curl(lab: &Lab) -> Option<Command> {
    let mut command = Command::new(client("curl")?);
    command.args([
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--cacert",
        &lab.authority(),
    ]);
    for (port, service) in [(80, "http"), (443, "https")] {
        let address = lab.service("nord.test", service);
        command.args(["--connect-to", &format!("{SITE}:{port}:{address}")]);
    }
    Some(command)
}

fn url(path: &str) -> String {
    format!("http://{SITE}{path}")
}

fn folder(lab: &Lab) -> PathBuf {
    lab.dir().join("nord/sites").join(SITE)
}

/// The value of a field of the head, whatever its case.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_start_page_and_all_its_files_arrive_whole() {
    let lab = Lab::start(&[]);
    let Some(mut page) = curl(&lab) else { return };
    let ran = run(page.args(["--include", &url("/")])).well();
    let (head, body) = ran.out.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        field(head, "content-type")
            .unwrap()
            .starts_with("text/html"),
        "{head}"
    );
    assert_eq!(
        body,
        fs::read_to_string(folder(&lab).join("index.html")).unwrap()
    );

    let mut all = Vec::new();
    files(&folder(&lab), &mut all);
    assert!(all.len() >= 3, "a page, a style, a picture: {all:?}");
    for file in all {
        let path = file
            .strip_prefix(folder(&lab))
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let got = lab.scratch("got").join("file");
        let Some(mut get) = curl(&lab) else { return };
        run(get
            .args(["--fail", "--output"])
            .arg(&got)
            .arg(url(&format!("/{path}"))))
        .well();
        assert_eq!(fs::read(&got).unwrap(), fs::read(&file).unwrap(), "{path}");
    }
}

#[test]
fn the_same_page_arrives_under_tls() {
    let lab = Lab::shared();
    let Some(mut get) = curl(&lab) else { return };
    let ran = run(get.args(["--fail", &format!("https://{SITE}/")])).well();
    assert_eq!(
        ran.out,
        fs::read_to_string(folder(&lab).join("index.html")).unwrap()
    );
    // The authority's certificate is what makes it trusted: without it curl refuses.
    let Some(curl) = client("curl") else { return };
    let address = lab.service("nord.test", "https");
    let strict = run(Command::new(curl).args([
        "--silent",
        "--connect-to",
        &format!("{SITE}:443:{address}"),
        &format!("https://{SITE}/"),
    ]));
    assert_eq!(strict.code, Some(60), "{strict:#?}");
}

#[test]
fn an_unchanged_page_is_not_sent_again() {
    let lab = Lab::shared();
    let Some(mut first) = curl(&lab) else { return };
    let head = run(first.args(["--head", &url("/")])).well().out;
    let etag = field(&head, "etag").expect("an ETag").to_owned();
    let modified = field(&head, "last-modified")
        .expect("Last-Modified")
        .to_owned();
    let conditions = [
        (format!("If-None-Match: {etag}"), "304"),
        (format!("If-None-Match: \"other\", {etag}"), "304"),
        ("If-None-Match: \"other\"".to_owned(), "200"),
        (format!("If-Modified-Since: {modified}"), "304"),
        (
            "If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT".to_owned(),
            "200",
        ),
        ("If-Match: \"other\"".to_owned(), "412"),
    ];
    for (condition, expected) in conditions {
        let Some(mut again) = curl(&lab) else { return };
        let ran = run(again.args(["--include", "--header", &condition, &url("/")])).well();
        let (head, body) = ran.out.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            head.split(' ').nth(1),
            Some(expected),
            "{condition}: {head}"
        );
        assert!(expected != "304" || body.is_empty(), "{condition}: {body}");
    }
}

#[test]
fn one_range_is_a_part_and_one_beyond_the_end_is_refused() {
    let lab = Lab::shared();
    let whole = fs::read_to_string(folder(&lab).join("index.html")).unwrap();
    let size = whole.len();
    let last = format!("{}-{}", size - 5, size - 1);
    let ranges = [
        ("0-9", &whole[..10], format!("bytes 0-9/{size}")),
        ("-5", &whole[size - 5..], format!("bytes {last}/{size}")),
    ];
    for (range, part, content_range) in ranges {
        let Some(mut get) = curl(&lab) else { return };
        let ran = run(get.args(["--include", "--range", range, &url("/")])).well();
        let (head, body) = ran.out.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 206"), "{head}");
        assert_eq!(field(head, "content-range"), Some(content_range.as_str()));
        assert_eq!(body, part);
    }
    let beyond = format!("{}-", size + 1);
    let Some(mut get) = curl(&lab) else { return };
    let ran = run(get.args(["--include", "--range", &beyond, &url("/")]));
    let (head, _) = ran.out.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 416"), "{head}");
    assert_eq!(
        field(head, "content-range"),
        Some(format!("bytes */{size}").as_str())
    );
}

#[test]
fn head_says_what_get_would_and_sends_nothing() {
    let lab = Lab::shared();
    let Some(mut head) = curl(&lab) else { return };
    let head = run(head.args(["--head", &url("/")])).well().out;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let size = fs::metadata(folder(&lab).join("index.html")).unwrap().len();
    assert_eq!(
        field(&head, "content-length"),
        Some(size.to_string().as_str())
    );
}

#[test]
fn there_is_no_way_out_of_the_folder() {
    let lab = Lab::start(&[]);
    let secret = lab.scratch("outside").join("secret.txt");
    fs::write(&secret, "not for everybody").unwrap();
    std::os::unix::fs::symlink(&secret, folder(&lab).join("link.txt")).unwrap();
    std::os::unix::fs::symlink(secret.parent().unwrap(), folder(&lab).join("door")).unwrap();
    let tries = [
        ("/link.txt", &["404"][..]),
        ("/door/secret.txt", &["404"]),
        ("/no-such-page.html", &["404"]),
        ("/../../guichet.toml", &["400", "404"]),
        ("/%2e%2e/%2e%2e/guichet.toml", &["400", "404"]),
        ("/..%2f..%2fguichet.toml", &["400", "404"]),
        ("/index.html%00.txt", &["400", "404"]),
    ];
    for (path, expected) in tries {
        let Some(mut get) = curl(&lab) else { return };
        let ran = run(get.args(["--path-as-is", "--include", &url(path)])).well();
        let status = ran.out.split(' ').nth(1).unwrap_or_default();
        assert!(expected.contains(&status), "{path}: {ran:#?}");
        ran.does_not_say("not for everybody").does_not_say("[");
    }
}

#[test]
fn one_connection_serves_several_requests() {
    let lab = Lab::shared();
    let Some(mut get) = curl(&lab) else { return };
    let out = lab.scratch("kept");
    let (one, two) = (out.join("one"), out.join("two"));
    let ran = run(get
        .args(["--write-out", "%{http_code} %{num_connects}\\n", "--output"])
        .arg(&one)
        .arg("--output")
        .arg(&two)
        .args([url("/"), url("/no-such-page.html")]))
    .well();
    assert_eq!(ran.out, "200 1\n404 0\n");
}
