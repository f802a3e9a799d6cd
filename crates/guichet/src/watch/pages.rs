//! The pages: complete without script, refreshed by the browser itself.

use std::fmt::Write;

use guichet_trace::JourneyId;
use guichet_trace::render::diagram::{Style, diagram};
use guichet_trace::render::json;
use guichet_trace::render::list::{Detail, steps};
use guichet_trace::render::story::story;

use crate::recording::Recording;
use crate::texts::Texts;

/// Journeys shown in the table, newest first.
const ROWS_MAX: usize = 200;
const REFRESH_S: u32 = 2;
/// Columns of the drawing; a browser scrolls.
const DIAGRAM_COLUMNS: usize = 140;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;\
padding:0 1rem;color-scheme:light dark}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884}\
td.number{text-align:right}pre{overflow-x:auto;line-height:1.25}";

pub(super) fn table(recording: &Recording, title: &str, texts: &Texts) -> String {
    let mut page = head(title, texts, Some(REFRESH_S));
    let say = |key: &str| escaped(&texts.say(key, &[]));
    let _ = write!(
        page,
        "<h1>{}</h1>\n<p>{}</p>\n",
        escaped(title),
        say("watch-intro")
    );
    recording.look(|view| {
        let picture = view.picture();
        let journeys = picture.journeys();
        if journeys.is_empty() {
            let _ = writeln!(page, "<p>{}</p>", say("watch-empty"));
            return;
        }
        let _ = writeln!(
            page,
            "<table><thead><tr><th>{}</th><th>{}</th><th>{}</th><th>{}</th><th>{}</th></tr></thead><tbody>",
            say("watch-when"),
            say("watch-what"),
            say("watch-kind"),
            say("watch-state"),
            say("watch-duration"),
        );
        for journey in journeys.iter().rev().take(ROWS_MAX) {
            let start = json::timestamp(journey.start_us);
            let time = start.get(11..23).unwrap_or(&start);
            let _ = writeln!(
                page,
                "<tr><td><time datetime=\"{start}\">{time}</time></td>\
                 <td><a href=\"/journeys/{}\">{}</a></td><td>{}</td><td>{}</td>\
                 <td class=\"number\">{:.1} ms</td></tr>",
                journey.id,
                escaped(&journey.title),
                escaped(journey.kind_word()),
                escaped(&journey.state.word()),
                journey.duration_us as f64 / 1000.0,
            );
        }
        page.push_str("</tbody></table>\n");
    });
    page.push_str("</body></html>\n");
    page
}

pub(super) fn journey(recording: &Recording, id: &str, texts: &Texts) -> Option<String> {
    let id: JourneyId = id.parse().ok()?;
    recording.look(|view| {
        let picture = view.picture();
        let journey = picture.journey(id)?;
        let mut page = head(&journey.title, texts, None);
        let _ = write!(
            page,
            "<p><a href=\"/\">{}</a></p>\n<h1>{}</h1>\n",
            escaped(&texts.say("watch-all", &[])),
            escaped(&journey.title)
        );
        for sentence in story(&journey, texts) {
            let _ = writeln!(page, "<p>{}</p>", escaped(&sentence));
        }
        let style = Style {
            width: DIAGRAM_COLUMNS,
            unicode: true,
            detail: Detail::Every,
        };
        page.push_str("<pre>");
        for line in diagram(&journey, style, texts).lines() {
            let _ = writeln!(page, "{}", escaped(line));
        }
        page.push_str("</pre>\n<ul>\n");
        for step in steps(&journey, Detail::Every, texts) {
            let _ = writeln!(page, "<li>{}</li>", escaped(&step.line));
        }
        page.push_str("</ul>\n</body></html>\n");
        Some(page)
    })
}

pub(super) fn journey_json(recording: &Recording, id: &str, texts: &Texts) -> Option<String> {
    let id: JourneyId = id.parse().ok()?;
    recording.look(|view| {
        let picture = view.picture();
        let journey = picture.journey(id)?;
        Some(json::shown(&picture, &journey, texts))
    })
}

pub(super) fn not_found(texts: &Texts) -> String {
    let mut page = head("404", texts, None);
    let _ = writeln!(
        page,
        "<p>{}</p>\n<p><a href=\"/\">{}</a></p>\n</body></html>",
        escaped(&texts.say("watch-not-found", &[])),
        escaped(&texts.say("watch-all", &[]))
    );
    page
}

fn head(title: &str, texts: &Texts, refresh_s: Option<u32>) -> String {
    let refresh = refresh_s
        .map(|seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">"))
        .unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">{refresh}\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>\
         <style>{STYLE}</style></head><body>\n",
        texts.language().tag(),
        escaped(title)
    )
}

/// A line of text for an HTML page: what a peer sent stays text.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in guichet_trace::visible(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(character),
        }
    }
    out
}
