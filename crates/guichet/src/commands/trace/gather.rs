//! The records of the servers a command speaks to, in one view.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guichet_trace::codec::Reader;
use guichet_trace::{Source, View};
use tokio::sync::mpsc;

use super::since::time_us;
use crate::cli::Global;
use crate::commands::asking::Asking;
use crate::control::client::Next;
use crate::control::requests::{Records, Status};
use crate::control::{Client, Request};
use crate::output::{Failure, Message, Output};

/// Lumps of records that may wait to be looked at.
const LUMPS_WAITING: usize = 16;

/// The servers, and what they have said so far.
pub(super) struct Gathering<'o> {
    clients: Vec<Client>,
    output: &'o Output<'o>,
    view: View,
    news: Option<mpsc::Receiver<News>>,
}

/// What came from one of the servers.
type News = (Source, Result<Records, Message>);

impl<'o> Gathering<'o> {
    /// Finds the servers.
    pub(super) fn new(global: &Global, output: &'o Output<'o>) -> Result<Self, Failure> {
        let clients = Asking::new(global, output)?.whole();
        Ok(Self {
            clients,
            output,
            view: View::new(),
            news: None,
        })
    }

    /// When the first of the servers began to run, in microseconds since 1970; 0 if none says so.
    /// Those that do not answer are complained about where their records are asked for.
    pub(super) async fn begun_us(&self) -> u64 {
        let mut begun = Vec::new();
        for client in &self.clients {
            if let Ok(status) = client.ask::<Status>(&Request::Status).await {
                begun.extend(time_us(&status.since));
            }
        }
        begun.into_iter().min().unwrap_or(0)
    }

    /// Everything recorded so far. A server that does not answer is complained about; that none
    /// does is a failure.
    pub(super) async fn past(&mut self) -> Result<&View, Failure> {
        let mut refusals = Vec::new();
        for (client, source) in self.clients.iter().zip(0..) {
            if let Err(message) = read(client, Source(source), &mut self.view).await {
                refusals.push(message);
            }
        }
        if refusals.len() == self.clients.len()
            && let Some(last) = refusals.pop()
        {
            refusals
                .iter()
                .for_each(|message| self.output.warn(message));
            return Err(Failure::Failed(last));
        }
        refusals
            .iter()
            .for_each(|message| self.output.warn(message));
        Ok(&self.view)
    }

    /// The view after the next records have come, or after `patience` without any; whether some
    /// came stands beside it.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<(&View, bool), Failure> {
        let news = self.news.get_or_insert_with(|| start(&self.clients));
        let came = tokio::time::timeout(patience, news.recv()).await;
        let Ok(first) = came else {
            return Ok((&self.view, false));
        };
        let mut next = first;
        loop {
            match next {
                Some((source, Ok(records))) => add(&records, source, &mut self.view),
                Some((_, Err(message))) if news.is_closed() && news.is_empty() => {
                    return Err(Failure::Failed(message));
                }
                Some((_, Err(message))) => self.output.warn(&message),
                None => return Err(Failure::Told),
            }
            match news.try_recv() {
                Ok(more) => next = Some(more),
                Err(_) => return Ok((&self.view, true)),
            }
        }
    }
}

/// Follows every server, each in a task of its own.
fn start(clients: &[Client]) -> mpsc::Receiver<News> {
    let (sender, receiver) = mpsc::channel(LUMPS_WAITING);
    for (client, source) in clients.iter().cloned().zip(0..) {
        let sender = sender.clone();
        tokio::spawn(async move {
            let source = Source(source);
            if let Err(message) = follow(&client, source, &sender).await {
                // Nobody listens any more: then it needs no telling either.
                let _ = sender.send((source, Err(message))).await;
            }
        });
    }
    receiver
}

async fn follow(
    client: &Client,
    source: Source,
    sender: &mpsc::Sender<News>,
) -> Result<(), Message> {
    let mut items = client
        .start(&Request::TraceRecords { follow: true })
        .await?;
    while let Next::Item(item) = items.next().await? {
        let records = client.understand(item)?;
        if sender.send((source, Ok(records))).await.is_err() {
            return Ok(());
        }
    }
    // The server ends its answer when it stops.
    Err(Message::new("journey-server-stopped").with("path", client.path()))
}

async fn read(client: &Client, source: Source, view: &mut View) -> Result<(), Message> {
    let mut items = client
        .start(&Request::TraceRecords { follow: false })
        .await?;
    while let Next::Item(item) = items.next().await? {
        add(&client.understand(item)?, source, view);
    }
    Ok(())
}

/// What cannot be read is left out: it comes from a server of another version.
fn add(records: &Records, source: Source, view: &mut View) {
    let frames = STANDARD.decode(&records.frames).unwrap_or_default();
    Reader::new(&frames).for_each(|record| view.add(source, record));
}
