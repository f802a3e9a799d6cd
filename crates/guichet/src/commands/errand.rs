//! A person's program at work: the world it finds itself in, its own record of what it said and
//! heard, the numbered steps it tells, and its half of the trace for the lab.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use guichet_engine::Recorder;
use guichet_engine::recorder::{Beginning, Exchange};
use guichet_trace::render::list::{Detail, steps};
use guichet_trace::{Kind, Level, Mode, Record, Role, Transport, View};

use super::reach::{self, Way};
use crate::cli::Global;
use crate::clients::place::Place;
use crate::clients::{NO_AUTHORITY, World};
use crate::control::requests::{Done, Request};
use crate::control::{Client, LabContract, find};
use crate::output::{Failure, Message, Output};
use crate::recording::{Recording, Settings};
use crate::serve::handler::encode;

/// Bytes of records handed to the lab at once; a request may have a mebibyte, in base64.
const LUMP_MOST_BYTES: usize = 256 * 1024;

/// A certificate authority named the way other programs do it.
const AUTHORITY_VARIABLE: &str = "SSL_CERT_FILE";

/// One errand.
pub(super) struct Errand<'o> {
    /// Where it is done.
    pub(super) world: World,
    recorder: Recorder,
    recording: Arc<Recording>,
    output: &'o Output<'o>,
}

/// What a person may say about the way.
#[derive(Default)]
pub(super) struct Means<'a> {
    /// The name server to ask.
    pub(super) resolver: Option<&'a str>,
    /// Whose certificates to believe.
    pub(super) authority: Option<PathBuf>,
}

impl<'o> Errand<'o> {
    /// Sets out: in the lab if one runs, else in the world outside.
    pub(super) async fn begin(
        program: &str,
        means: Means<'_>,
        global: &Global,
        output: &'o Output<'o>,
    ) -> Result<Self, Failure> {
        let settings = Settings {
            folder: None,
            bytes_most: 0,
            keep: Duration::ZERO,
            level: Level::Full,
        };
        let (recorder, recording) = Recording::start(settings)
            .map_err(|error| Failure::failed(Message::new("error-runtime").with("why", &error)))?;
        let mut world = match running_lab(global).await? {
            Some(lab) => World::of_lab(&lab, recorder.clone(), program).map_err(Failure::failed)?,
            None => outside(recorder.clone(), program),
        };
        if let Some(authority) = means.authority {
            world.authority = Some(authority);
        }
        if let Some(resolver) = means.resolver {
            let place = Place::read(resolver, 53).map_err(Failure::wrong)?;
            world.resolver = place.find(&world).await.map_err(Failure::failed)?.0;
        }
        Ok(Self {
            world,
            recorder,
            recording,
            output,
        })
    }

    /// Begins to record an exchange whose bytes no session knows how to read.
    pub(super) fn record(&self, transport: Transport, local: SocketAddr, way: &Way) -> Exchange {
        self.recorder.begin(Beginning {
            protocol: match transport {
                Transport::Tcp => "tcp",
                Transport::Udp => "udp",
            },
            transport,
            role: Role::Client,
            local,
            remote: way.real,
            named: way.named(),
            organisation: "".into(),
            service: self.world.program.clone(),
            mode: Mode::Event,
            causes: way.causes.clone(),
        })
    }

    /// Waits before attempt `attempt` at somebody who is full (the first repetition is 1), and says
    /// so.
    pub(super) async fn wait_to_try_again(&self, attempt: u32) {
        self.wait_saying("clients-again", attempt).await;
    }

    /// As [`Self::wait_to_try_again`], saying why with the text `key`.
    pub(super) async fn wait_saying(&self, key: &str, attempt: u32) {
        let pause = reach::backoff(attempt);
        let seconds = format!("{:.1}", pause.as_secs_f64());
        let said = self.output.say(key, &[("seconds", seconds.as_str())]);
        self.output.note(&said);
        tokio::time::sleep(pause).await;
    }

    /// Comes back: tells the steps on standard error and hands the records to the lab.
    pub(super) async fn end(self) -> Account {
        let Self {
            world,
            recorder,
            recording,
            output,
        } = self;
        let lab = world.lab.clone();
        drop((world, recorder)); // the last who might record
        recording.close();
        let steps = recording.look(|view| told(view, output));
        for step in &steps {
            output.note(step);
        }
        if let Some(lab) = lab {
            hand_over(&recording, &lab).await;
        }
        Account { recording }
    }
}

/// What an errand leaves.
pub(super) struct Account {
    recording: Arc<Recording>,
}

impl Account {
    /// Looks at what was recorded.
    pub(super) fn look<R>(&self, look: impl FnOnce(&View) -> R) -> R {
        self.recording.look(look)
    }
}

/// The numbered steps. A walk from the root is several journeys, one a question; their steps count
/// on.
fn told(view: &View, output: &Output<'_>) -> Vec<String> {
    let picture = view.picture();
    let journeys = picture.journeys();
    let told = journeys.iter().flat_map(|journey| {
        let steps = steps(journey, Detail::Essential, output.texts);
        steps.into_iter().map(|step| (journey.kind, step))
    });
    let counted = told.enumerate().map(|(place, (kind, step))| {
        let text = step.line.strip_prefix(&step.number);
        match (kind, text) {
            (Kind::Name, Some(text)) => format!("{}{text}", place + 1),
            _ => step.line,
        }
    });
    counted.collect()
}

/// How a client's complaint ends its command: that nobody can be believed is for the person to
/// mend on the command line.
pub(super) fn failure(message: Message) -> Failure {
    match message.key() {
        NO_AUTHORITY | "clients-not-a-server" | "clients-not-a-name" => Failure::wrong(message),
        _ => Failure::failed(message),
    }
}

/// The lab this command line leads to, if it runs.
async fn running_lab(global: &Global) -> Result<Option<LabContract>, Failure> {
    // Clients speak to everybody, whichever organisation the other commands are about.
    let everybody = Global {
        org: None,
        ..global.clone()
    };
    let lab = match find(&everybody) {
        Ok(instances) => instances.lab,
        Err(Failure::Failed(_)) => None,
        Err(failure) => return Err(failure),
    };
    let Some(lab) = lab else {
        return Ok(None);
    };
    // What a lab that was killed leaves behind must not lead anybody astray.
    let answers = tokio::net::UnixStream::connect(&lab.control).await.is_ok();
    Ok(Some(lab).filter(|_| answers))
}

fn outside(recorder: Recorder, program: &str) -> World {
    let authority = std::env::var_os(AUTHORITY_VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    World::outside(system_resolver(), authority, recorder, program)
}

/// The name server this computer asks (resolv.conf(5)); its own where none is named.
fn system_resolver() -> SocketAddr {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver"))
            .then(|| words.next()?.parse::<IpAddr>().ok())
            .flatten()
    });
    SocketAddr::new(named.unwrap_or(Ipv4Addr::LOCALHOST.into()), 53)
}

/// That the lab does not take the records (it may be stopping) is no failure of the errand.
async fn hand_over(recording: &Recording, lab: &LabContract) {
    let (records, _) = recording.follow();
    let control = Client::new(&lab.control);
    let mut lump: Vec<&Record> = Vec::new();
    let mut size = 0;
    for (_, record) in &records {
        let bytes = match &record.body {
            guichet_trace::Body::Message { text, bytes, .. } => text.len() + bytes.len(),
            _ => 0,
        };
        if size + bytes > LUMP_MOST_BYTES && !lump.is_empty() {
            hand_in(&control, &lump).await;
            lump.clear();
            size = 0;
        }
        size += bytes + 200;
        lump.push(record);
    }
    hand_in(&control, &lump).await;
}

async fn hand_in(control: &Client, lump: &[&Record]) {
    let frames = encode(lump.iter().copied());
    let _: Result<Done, Message> = control.ask(&Request::TraceSubmit { frames }).await;
}
