//! `guichet get URL`: a page, with the files it is made of.

use std::io::IsTerminal;
use std::path::Path;

use guichet_trace::{Cause, visible};
use serde_json::json;

use super::errand::{Errand, Means, failure};
use crate::cli::{Get as Args, Global};
use crate::clients::page::{self, File, Loaded, Url};
use crate::output::{Failure, Message, Outcome, Output};

/// Redirects followed at most (RFC 9110 section 15.4 wants loops to end).
const REDIRECTS_MOST: usize = 10;

/// Loads it.
pub(super) async fn run(args: &Args, global: &Global, output: &Output<'_>) -> Outcome {
    let url = Url::parse(&args.url).ok_or_else(|| wrong_url(&args.url))?;
    let means = Means {
        resolver: args.resolver.as_deref(),
        authority: args.ca.clone(),
    };
    let errand = Errand::begin("guichet get", means, global, output).await?;
    let loaded = follow(&errand, url, args.retries).await;
    errand.end().await;
    let (url, loaded) = loaded?;
    let page = loaded
        .files
        .first()
        .ok_or_else(|| nothing_came(&url.host))?;
    deliver(args, &url, page, &loaded, output)?;
    if page.status < 400 {
        return Ok(());
    }
    let message = Message::new("clients-page-status")
        .with("url", url.to_string())
        .with_shown("status", page.status);
    Err(Failure::failed(message))
}

/// Loads the page, and what it says it has moved to.
async fn follow(errand: &Errand<'_>, mut url: Url, retries: u32) -> Result<(Url, Loaded), Failure> {
    let mut because: Option<Cause> = None;
    for _ in 0..=REDIRECTS_MOST {
        let loaded = patiently(errand, &url, because, retries).await?;
        let moved = loaded.files.first().filter(|page| is_redirect(page.status));
        let Some(location) = moved.and_then(|page| page.location.clone()) else {
            return Ok((url, loaded));
        };
        let next = url.join(&location).ok_or_else(|| wrong_url(&location))?;
        because = Some(loaded.page);
        url = next;
    }
    let message = Message::new("clients-page-round").with_shown("most", REDIRECTS_MOST);
    Err(Failure::failed(message))
}

/// A server that is full says so with 503 (RFC 9110 section 15.6.4) and is asked again.
async fn patiently(
    errand: &Errand<'_>,
    url: &Url,
    because: Option<Cause>,
    retries: u32,
) -> Result<Loaded, Failure> {
    let mut attempt = 0;
    loop {
        let loaded = page::load_because(&errand.world, url, because).await;
        let loaded = loaded.map_err(failure)?;
        let full = loaded.files.first().is_some_and(|page| page.status == 503);
        if !full || attempt >= retries {
            return Ok(loaded);
        }
        attempt += 1;
        errand.wait_to_try_again(attempt).await;
    }
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn deliver(args: &Args, url: &Url, page: &File, loaded: &Loaded, output: &Output<'_>) -> Outcome {
    if let Some(file) = &args.output {
        std::fs::write(file, &page.body).map_err(|error| unwritable(file, &error))?;
    }
    if output.json {
        let files = loaded.files.iter().map(|file| {
            json!({
                "target": file.target, "status": file.status,
                "content_type": file.content_type, "bytes": file.body.len(),
            })
        });
        let files: Vec<_> = files.collect();
        let mut object = json!({ "url": url.to_string(), "status": page.status, "files": files });
        if let (None, Ok(text)) = (&args.output, std::str::from_utf8(&page.body)) {
            object["text"] = text.into();
        }
        return output.json(&object);
    }
    if let Some(file) = &args.output {
        output.note(&output.say(
            "clients-page-written",
            &[
                ("file", &visible(&file.display().to_string())),
                ("bytes", &page.body.len().to_string()),
            ],
        ));
        return Ok(());
    }
    match std::io::stdout().is_terminal() {
        true => on_terminal(&page.body, output),
        false => output.bytes(&page.body),
    }
}

/// What a server sent must not drive the terminal.
pub(super) fn on_terminal(content: &[u8], output: &Output<'_>) -> Outcome {
    let text = String::from_utf8_lossy(content);
    text.lines()
        .try_for_each(|line| output.line(&visible(line)))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    let message = Message::new("error-write").with("file", file);
    Failure::failed(message.with("why", error))
}

fn wrong_url(text: &str) -> Failure {
    Failure::wrong(Message::new("clients-not-a-url").with("url", text))
}

fn nothing_came(host: &str) -> Failure {
    let why = Message::new("error-io-ended");
    let message = Message::new("clients-page-failed").with("host", host);
    Failure::failed(message.with("why", why))
}
