//! The watch address: journeys as a plain HTML table that refreshes itself, one journey as story
//! and drawing, the same as JSON, and new ones as server-sent events.
//!
//! Who can read the trace can read people's lives, so every request must show the token (once in
//! the address, then as a cookie), name a host that is really this one (against DNS rebinding), and
//! not come from another origin's page. No CORS header is ever sent.

mod events;
mod guard;
mod pages;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use guichet_engine::{Answering, Arrival, clock};
use guichet_proto::http::{
    Answer, Ask, Body, Field, HeaderBlock, Method, Request, Response, Scheme, Server, Settings,
    refusal_when_full,
};
use guichet_proto::{Moment, Reply, Service};
use guichet_trace::Level;
use guichet_trace::render::json;

use crate::recording::Recording;
use crate::texts::{Language, Texts};
use events::Events;
pub use guard::Guard;

/// Serves the watch address of one instance or of a lab.
pub struct Watch {
    recording: Arc<Recording>,
    guard: Guard,
    title: String,
}

impl Watch {
    /// Shows `recording` to whoever `guard` lets in.
    pub fn new(recording: Arc<Recording>, guard: Guard, title: String) -> Self {
        Self {
            recording,
            guard,
            title,
        }
    }
}

/// The other side of [`Watch`] for one connection.
pub struct WatchDialogue {
    watch: Arc<Watch>,
    events: Option<Events>,
}

/// Wall time for the Date field.
pub(crate) fn unix_seconds(_: Moment) -> u64 {
    clock::wall().0 / 1_000_000
}

impl Answering for WatchEntry {
    type Session = Server;
    type Service = WatchDialogue;

    /// Kept apart from the pages people serve: looking at the trace is not part of it.
    fn protocol(&self) -> &'static str {
        "watch"
    }

    fn begin(&self, _: &Arrival) -> (Server, WatchDialogue) {
        let settings = Settings::new(Scheme::Http, unix_seconds);
        (
            Server::new(settings),
            WatchDialogue {
                watch: self.0.clone(),
                events: None,
            },
        )
    }

    fn refusal(&self) -> Vec<u8> {
        refusal_when_full().to_vec()
    }

    /// A page that refreshes itself would soon be all there is to see.
    fn level_most(&self) -> Level {
        Level::Off
    }
}

/// What the listener is given.
pub struct WatchEntry(pub Arc<Watch>);

impl Service for WatchDialogue {
    type Ask = Ask;
    type Answer = Answer;

    fn ask(&mut self, ask: Ask) -> Reply<Answer> {
        let response = match ask {
            Ask::Request(request) => self.answer(&request),
            Ask::Finish { .. } => plain(405, "Only GET is answered here."),
        };
        Reply::Now(Answer::Response(response))
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Answer> {
        match &mut self.events {
            Some(events) => events.poll_next(context).map(Answer::Piece),
            None => Poll::Pending,
        }
    }
}

impl WatchDialogue {
    fn answer(&mut self, request: &Request) -> Response {
        if !matches!(request.method, Method::Get | Method::Head) {
            return plain(405, "Only GET is answered here.");
        }
        match self.watch.guard.judge(request) {
            guard::Verdict::Welcome => {}
            guard::Verdict::FirstTime { cookie } => {
                let fields = HeaderBlock::of([
                    ("Location", request.path()),
                    ("Set-Cookie", cookie.as_str()),
                    ("Cache-Control", "no-store"),
                    ("Referrer-Policy", "no-referrer"),
                ]);
                return Response::empty(303, fields);
            }
            guard::Verdict::Refused(why) => return plain(403, why),
        }
        let recording = &self.watch.recording;
        let texts = Texts::new(language(request));
        let path = request.path();
        if path == "/" {
            return html(200, pages::table(recording, &self.watch.title, &texts));
        }
        if path == "/api/journeys" {
            let lines = recording.look(|view| {
                let picture = view.picture();
                picture
                    .journeys()
                    .iter()
                    .map(json::listed)
                    .collect::<Vec<_>>()
                    .join(",")
            });
            return json_response(200, format!("[{lines}]"));
        }
        if path == "/api/events" && request.method == Method::Get {
            self.events = Some(Events::new(recording.clone()));
            let fields = HeaderBlock::of([
                ("Content-Type", "text/event-stream"),
                ("Cache-Control", "no-store"),
            ]);
            return Response {
                status: 200,
                fields,
                body: Body::Stream,
            };
        }
        if let Some(id) = path.strip_prefix("/api/journeys/") {
            return match pages::journey_json(recording, id, &texts) {
                Some(text) => json_response(200, text),
                None => json_response(404, r#"{"error":"no such journey"}"#.to_owned()),
            };
        }
        if let Some(id) = path.strip_prefix("/journeys/") {
            return match pages::journey(recording, id, &texts) {
                Some(page) => html(200, page),
                None => html(404, pages::not_found(&texts)),
            };
        }
        html(404, pages::not_found(&texts))
    }
}

fn language(request: &Request) -> Language {
    request
        .fields
        .all(Field::AcceptLanguage)
        .flat_map(|list| list.split(','))
        .find_map(|tag| Language::from_tag(tag.split(';').next().unwrap_or_default().trim()))
        .unwrap_or(Language::English)
}

fn html(status: u16, page: String) -> Response {
    let fields = HeaderBlock::of([
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        // The table refreshes itself without script; nothing else may run or load.
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ]);
    Response::new(status, fields, page.into_bytes())
}

fn json_response(status: u16, text: String) -> Response {
    let fields = HeaderBlock::of([
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]);
    Response::new(status, fields, text.into_bytes())
}

fn plain(status: u16, text: &str) -> Response {
    let fields = HeaderBlock::of([("Content-Type", "text/plain; charset=utf-8")]);
    Response::new(status, fields, format!("{text}\n").into_bytes())
}

/// A comment is sent after so long without news, so that a closed connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
