//! The course's two journeys, played by our own clients and told as they really happened.

use std::time::Duration;

use guichet_engine::clock;
use guichet_proto::common::sasl::Credentials;
use guichet_trace::exchange::{Ending, Exchange};
use guichet_trace::render::diagram::{Style, diagram};
use guichet_trace::render::list::{Detail, Step, steps};
use guichet_trace::render::reason;
use guichet_trace::render::story::story;
use guichet_trace::{Body, Journey, Kind, Record, State};

use super::Lab;
use crate::clients::compose::Draft;
use crate::clients::page::Url;
use crate::clients::{Security, Server, World, collect, page, submit};
use crate::config::Service;
use crate::output::{Look, Message};
use crate::texts::Texts;

/// A letter that has not arrived after so long has failed: on loopback it takes milliseconds.
const ARRIVAL_MOST: Duration = Duration::from_secs(15);
/// The other halves of the exchanges come from other processes; they are waited for so long.
const HALVES_MOST: Duration = Duration::from_secs(5);
/// The trace's time line and the wall clock agree better than this.
const CLOCKS_DIFFER_US: u64 = 200_000;
const GLANCE: Duration = Duration::from_millis(20);

/// A journey as it is told: title, numbered steps, drawing.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it is about.
    pub title: String,
    /// The numbered steps.
    pub steps: Vec<Step>,
    /// The sequence diagram.
    pub diagram: String,
    /// Sentences.
    pub story: Vec<String>,
}

/// What was played, and what failed.
#[derive(Debug, Default)]
pub struct Played {
    /// The journeys, in order.
    pub told: Vec<Told>,
    /// Why it counts as failed: the step and the reason.
    pub failure: Option<Message>,
}

/// In which words and how it is told.
struct Manner<'t> {
    texts: &'t Texts,
    look: Look,
}

/// Plays the letter, then the page, and checks each.
pub async fn play(lab: &Lab, texts: &Texts, look: Look) -> Played {
    let manner = &Manner { texts, look };
    let mut played = Played::default();
    if let Err(failure) = letter(lab, manner, &mut played).await {
        played.failure = Some(failure);
        return played;
    }
    if let Err(failure) = the_page(lab, manner, &mut played).await {
        played.failure = Some(failure);
    }
    played
}

async fn letter(lab: &Lab, manner: &Manner<'_>, played: &mut Played) -> Result<(), Message> {
    let world = lab.world("lab --once")?;
    let (alice, bob) = ("alice@nord.test", "bob@sud.test");
    // 3a, for once with the answer that there is nothing new: bob looks before anything is sent.
    let before = collect::collect(&world, &maildrop(&world, bob, false)?).await;
    let before = before.map_err(|why| failed_at("3a", why))?;
    tell(lab, manner, played, |journey| {
        journey.kind == Kind::Collection && has(journey, before.exchange)
    })
    .await;
    let draft = Draft {
        from: alice.to_owned(),
        to: vec![bob.to_owned()],
        subject: manner.texts.say("lab-letter-subject", &[]),
        text: manner.texts.say("lab-letter-text", &[]),
    };
    let submitted = submit::submit(&world, &submission(&world, alice)?, &draft)
        .await
        .map_err(|why| failed_at("1", why))?;
    let arrived = arrival(lab, manner, &submitted.message_id).await;
    if let Err(why) = arrived {
        tell(lab, manner, played, |journey| {
            journey.message_id == Some(&submitted.message_id)
        })
        .await;
        return Err(failed_at("2", why));
    }
    let mail = collect::collect(&world, &maildrop(&world, bob, true)?)
        .await
        .map_err(|why| failed_at("3a", why))?;
    let id = submitted.message_id.as_bytes();
    let ours = |message: &&Vec<u8>| message.windows(id.len()).any(|window| window == id);
    let found = mail.messages.iter().find(ours);
    let complete = |journey: &Journey<'_, '_>| {
        journey.message_id == Some(&submitted.message_id) && journey.collected
    };
    tell(lab, manner, played, complete).await;
    let message = found.ok_or_else(|| failed_at("3b", Message::new("lab-letter-missing")))?;
    let text = String::from_utf8_lossy(message);
    // The text may have been encoded for the way; its first word never is.
    if !text.contains(draft.text.split_whitespace().next().unwrap_or_default()) {
        return Err(failed_at("3b", Message::new("lab-letter-changed")));
    }
    check_numbers(played, &["1", "2", "3a", "3b"])
}

async fn the_page(lab: &Lab, manner: &Manner<'_>, played: &mut Played) -> Result<(), Message> {
    let world = lab.world("lab --once")?;
    let begun_us = clock::wall().0.saturating_sub(CLOCKS_DIFFER_US);
    let address = "http://www.sud.test/";
    let url = Url::parse(address).ok_or_else(|| failed_at("1a", Message::new("lab-page-wrong")))?;
    let loaded = page::load(&world, &url).await.map_err(|why| {
        let step = if why.key() == "clients-page-failed" {
            "2b"
        } else {
            "1b"
        };
        failed_at(
            if why.key() == "clients-unreachable" {
                "2a"
            } else {
                step
            },
            why,
        )
    });
    tell(lab, manner, played, |journey| {
        is_page(journey, (address, &url.host), begun_us)
    })
    .await;
    let loaded = loaded?;
    let whole = |kind: &str| {
        loaded.files.iter().any(|file| {
            file.status == 200 && file.content_type.starts_with(kind) && !file.body.is_empty()
        })
    };
    if !["text/html", "text/css", "image/"]
        .iter()
        .all(|kind| whole(kind))
    {
        return Err(failed_at("2b", Message::new("lab-page-wrong")));
    }
    check_numbers(played, &["1a", "1b", "2a", "2b"])?;
    // Root, test, sud.test: the way the name service went.
    let hops = ["ns.nic.test", "ns1.sud.test"];
    let told = played
        .told
        .last()
        .map(|told| &told.steps[..])
        .unwrap_or_default();
    match hops
        .iter()
        .find(|hop| !told.iter().any(|step| step.line.contains(**hop)))
    {
        None => Ok(()),
        Some(hop) => {
            let missing = Message::new("lab-hop-missing").with("hop", (*hop).to_owned());
            Err(failed_at("1b", missing))
        }
    }
}

/// Waits for the journey, with the halves that come from the other processes, and tells it.
async fn tell(
    lab: &Lab,
    manner: &Manner<'_>,
    played: &mut Played,
    is_it: impl Fn(&Journey<'_, '_>) -> bool,
) {
    let deadline = tokio::time::Instant::now() + HALVES_MOST;
    loop {
        let complete = lab.recording.look(|view| {
            view.picture()
                .journeys()
                .iter()
                .rev()
                .any(|journey| is_it(journey) && is_whole(journey))
        });
        if complete || tokio::time::Instant::now() > deadline {
            break;
        }
        tokio::time::sleep(GLANCE).await;
    }
    let told = lab.recording.look(|view| {
        let picture = view.picture();
        let journeys = picture.journeys();
        let journey = journeys.iter().rev().find(|journey| is_it(journey))?;
        let style = Style {
            width: manner.look.width,
            unicode: manner.look.unicode,
            detail: Detail::Essential,
        };
        Some(Told {
            title: journey.title.clone(),
            steps: steps(journey, Detail::Essential, manner.texts),
            diagram: diagram(journey, style, manner.texts),
            story: story(journey, manner.texts),
        })
    });
    played.told.extend(told);
}

/// The page as it was loaded since then: the lab's folder may still hold it as somebody loaded it
/// before. A page that was never asked for goes by its server's name.
fn is_page(journey: &Journey<'_, '_>, (address, host): (&str, &str), begun_us: u64) -> bool {
    journey.kind == Kind::Page
        && journey.start_us >= begun_us
        && (journey.title == address || journey.title == host)
}

/// Both ends of every exchange have told how it ended.
fn is_whole(journey: &Journey<'_, '_>) -> bool {
    journey.selection.exchanges.iter().all(|shown| {
        let mut halves = shown.exchange.halves();
        let all_ended = halves.all(|half| half.records.iter().any(is_end));
        let is_one_sided = shown.exchange.server_half.is_none() && is_unheard(shown.exchange);
        all_ended && (shown.exchange.halves().count() == 2 || is_one_sided)
    })
}

fn is_end(record: &Record) -> bool {
    matches!(record.body, Body::Closed { .. })
}

/// Nobody was there, so that the server's half will not come.
fn is_unheard(exchange: &Exchange<'_>) -> bool {
    match exchange.ending() {
        Ending::Broken { reason, .. } => {
            matches!(reason, "unreachable" | "timeout" | "silent" | "refused")
        }
        Ending::Open | Ending::Done => false,
    }
}

fn has(journey: &Journey<'_, '_>, exchange: guichet_trace::ExchangeId) -> bool {
    journey
        .selection
        .exchanges
        .iter()
        .any(|shown| shown.exchange.halves().any(|half| half.id == exchange))
}

/// Waits until the letter lies in the mailbox; the first failed attempt ends the waiting.
async fn arrival(lab: &Lab, manner: &Manner<'_>, message_id: &str) -> Result<(), Message> {
    let deadline = tokio::time::Instant::now() + ARRIVAL_MOST;
    loop {
        let stand = lab.recording.look(|view| {
            let picture = view.picture();
            let journeys = picture.journeys();
            let journey = journeys
                .iter()
                .find(|it| it.message_id == Some(message_id))?;
            Some((journey.state.word(), why(journey)))
        });
        match stand {
            Some((state, _)) if state == State::Delivered.word() => return Ok(()),
            Some((state, why)) if let Some(key) = stopped(&state) => {
                return Err(Message::new("lab-letter-stopped")
                    .with("state", Message::new(key))
                    .with("why", reason(&why, manner.texts)));
            }
            _ if tokio::time::Instant::now() > deadline => {
                return Err(Message::new("lab-letter-late"));
            }
            _ => tokio::time::sleep(GLANCE).await,
        }
    }
}

/// What a state is called in which a letter does not move on by itself.
fn stopped(state: &str) -> Option<&'static str> {
    let keys = [
        (State::Deferred, "trace-state-deferred"),
        (State::Failed, "trace-state-failed"),
        (State::Refused, "trace-state-refused"),
    ];
    let found = keys.into_iter().find(|(bad, _)| bad.word() == state);
    found.map(|(_, key)| key)
}

/// Why a letter stands where it stands: the last such fact noted.
fn why(journey: &Journey<'_, '_>) -> String {
    let notes = journey
        .selection
        .exchanges
        .iter()
        .flat_map(|shown| shown.exchange.halves());
    notes
        .flat_map(|half| &half.records)
        .filter_map(|record| match &record.body {
            Body::Note { word, text, .. } if matches!(word.as_str(), "deferred" | "failed") => {
                Some((record.wall, text.clone()))
            }
            _ => None,
        })
        .max_by_key(|(at, _)| *at)
        .map(|(_, text)| text)
        .unwrap_or_default()
}

fn check_numbers(played: &Played, numbers: &[&str]) -> Result<(), Message> {
    let told = played
        .told
        .last()
        .map(|told| &told.steps[..])
        .unwrap_or_default();
    match numbers
        .iter()
        .find(|number| !told.iter().any(|step| step.number == **number))
    {
        None => Ok(()),
        Some(number) => Err(failed_at(number, Message::new("lab-step-missing"))),
    }
}

fn failed_at(step: &str, why: Message) -> Message {
    Message::new("lab-step-failed")
        .with("step", step.to_owned())
        .with("why", why)
}

fn credentials(world: &World, login: &str) -> Result<Credentials, Message> {
    let account = world
        .organisation(login)
        .and_then(|organisation| organisation.accounts.iter().find(|it| it.login == login))
        .ok_or_else(|| Message::new("control-not-found").with("name", login.to_owned()))?;
    Ok(Credentials {
        login: account.login.clone(),
        password: account.password.clone(),
    })
}

/// The submission server of a person in the lab.
pub fn submission(world: &World, login: &str) -> Result<submit::Through, Message> {
    let (host, ip) = mail_host(world, login)?;
    let address = (ip, Service::Submission.port()).into();
    Ok(submit::Through {
        server: upgraded(address, host),
        login: Some(credentials(world, login)?),
    })
}

/// The maildrop of a person in the lab.
pub fn maildrop(world: &World, login: &str, delete: bool) -> Result<collect::From, Message> {
    let (host, ip) = mail_host(world, login)?;
    let address = (ip, Service::Pop3.port()).into();
    Ok(collect::From {
        server: upgraded(address, host),
        login: credentials(world, login)?,
        delete,
    })
}

fn upgraded(address: std::net::SocketAddr, host: String) -> Server {
    Server {
        address,
        host,
        security: Security::Upgrade,
        causes: Vec::new(),
    }
}

fn mail_host(world: &World, login: &str) -> Result<(String, std::net::IpAddr), Message> {
    let unknown = || Message::new("control-not-found").with("name", login.to_owned());
    let organisation = world.organisation(login).ok_or_else(unknown)?;
    let address = organisation
        .services
        .get(Service::Smtp.name())
        .ok_or_else(unknown)?;
    let address: std::net::SocketAddr = address.parse().map_err(|_| unknown())?;
    Ok((format!("mail.{}", organisation.domain), address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use guichet_trace::{
        Direction, ExchangeId, Mode, Moment, Opened, Role, Source, Transport, Verb, View, WallTime,
    };

    const SECOND_US: u64 = 1_000_000;

    /// One end's account of a page asked for at a time in seconds, and how it ended.
    fn tell_half(view: &mut View, role: Role, asked_s: u64, ended: Option<&str>) {
        let sockets = ["127.0.0.1:40000", "127.0.0.3:20080"].map(|it| it.parse().unwrap());
        let (local, remote, sent) = match role {
            Role::Client => (sockets[0], sockets[1], Direction::Sent),
            Role::Server => (sockets[1], sockets[0], Direction::Received),
        };
        let opened = Body::Opened(Opened {
            protocol: "http".into(),
            transport: Transport::Tcp,
            role,
            local,
            remote,
            named: "www.sud.test port 80".into(),
            organisation: String::new(),
            service: String::new(),
            mode: Mode::Event,
            causes: Vec::new(),
        });
        let request = Body::Message {
            direction: sent,
            verb: Verb::new("GET"),
            text: "GET http://www.sud.test/".into(),
            size: 40,
            masked: false,
            part: 1,
            before: String::new(),
            after: String::new(),
            causes: Vec::new(),
            bytes: Vec::new(),
        };
        let closed = ended.map(|reason| Body::Closed {
            reason: Verb::new(reason),
            text: String::new(),
        });
        let reached = (ended != Some("unreachable")).then_some(request);
        for body in [Some(opened), reached, closed].into_iter().flatten() {
            let record = Record {
                exchange: ExchangeId(asked_s * 2 + u64::from(role == Role::Server)),
                at: Moment(asked_s * SECOND_US * 1_000),
                wall: WallTime(asked_s * SECOND_US),
                body,
            };
            view.add(Source(0), record);
        }
    }

    fn found(view: &View, begun_us: u64) -> Vec<bool> {
        let picture = view.picture();
        let journeys = picture.journeys();
        let names = ("http://www.sud.test/", "www.sud.test");
        let found = journeys.iter().filter(|it| is_page(it, names, begun_us));
        found.map(is_whole).collect()
    }

    #[test]
    fn a_page_of_an_earlier_run_is_not_this_runs_page() {
        let mut view = View::new();
        tell_half(&mut view, Role::Client, 100, Some("done"));
        tell_half(&mut view, Role::Server, 100, Some("done"));
        assert_eq!(found(&view, 0), [true]);
        assert!(found(&view, 150 * SECOND_US).is_empty());
        tell_half(&mut view, Role::Client, 200, Some("done"));
        tell_half(&mut view, Role::Server, 200, None);
        assert_eq!(found(&view, 150 * SECOND_US), [false], "it has not ended");
    }

    #[test]
    fn a_half_is_waited_for_unless_nobody_was_there() {
        for (ended, is_whole) in [("done", false), ("reset", false), ("unreachable", true)] {
            let mut view = View::new();
            tell_half(&mut view, Role::Client, 100, Some(ended));
            assert_eq!(found(&view, 0), [is_whole], "{ended}");
        }
    }
}
