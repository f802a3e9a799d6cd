//! What the control socket is asked for, done.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use guichet_engine::clock;
use guichet_store::{Change, Commit, QueueId, QueueState, QueuedMessage, StoreError};
use guichet_trace::render::json::timestamp;
use guichet_trace::{Record, Source, WallTime, codec};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::Instance;
use crate::config::Service;
use crate::control::requests::{
    Account, Alias, Domain, Done, Queued, QueuedRecipient, Records, Request, ServiceStatus, Status,
    Stopped, not_found,
};
use crate::control::server::{Answer, Handler, Stream};
use crate::output::Message;
use crate::recording::{News, Recording};

/// Programs of people that handed in their own records.
const SUBMITTED: Source = Source(u16::MAX);
/// Frames are sent in lumps of about so many bytes.
const LUMP_BYTES: usize = 64 * 1024;

impl Handler for Instance {
    fn handle<'a>(
        &'a self,
        request: Request,
        stream: &'a mut Stream,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(self.answer(request, stream))
    }
}

impl Instance {
    async fn answer(&self, request: Request, stream: &mut Stream) -> Answer {
        match request {
            Request::Status => value(&self.status()?),
            Request::Stop => {
                self.stop_asked.cancel();
                let mut stopped = self.stopped.subscribe();
                let report = stopped.wait_for(Option::is_some).await;
                let report = report.ok().and_then(|report| *report);
                let (finished, cut) = report.map_or((0, 0), |report| (report.finished, report.cut));
                value(&Stopped { finished, cut })
            }
            Request::Reload => value(&self.reload()?),
            Request::AccountAdd { .. }
            | Request::AccountList
            | Request::AccountShow { .. }
            | Request::AccountPasswd { .. }
            | Request::AccountSuspend { .. }
            | Request::AccountResume { .. }
            | Request::AccountRemove { .. } => self.accounts(request).await,
            Request::AliasAdd { address, targets } => {
                self.done(self.store.add_alias(now(), &address, &targets))
                    .await
            }
            Request::AliasList => {
                let aliases = self.store.aliases().map_err(|error| refusal(&error))?;
                let shown = aliases.into_iter().map(|alias| Alias {
                    address: alias.address,
                    targets: alias.targets,
                });
                value(&shown.collect::<Vec<_>>())
            }
            Request::AliasRemove { address } => {
                self.done(self.store.remove_alias(now(), &address)).await
            }
            Request::DomainList => {
                let domains = self.config.domains.iter().map(|name| self.domain(name));
                value(&domains.collect::<Result<Vec<_>, _>>()?)
            }
            Request::DomainShow { domain } => {
                let known = self.config.domains.iter().find(|name| **name == domain);
                value(&self.domain(known.ok_or_else(|| not_found(&domain))?)?)
            }
            Request::QueueList
            | Request::QueueShow { .. }
            | Request::QueueRetry { .. }
            | Request::QueueHold { .. }
            | Request::QueueRelease { .. }
            | Request::QueueRemove { .. } => self.queue(request).await,
            Request::TraceSubmit { frames } => {
                submit(&self.recording, &frames)?;
                value(&Done {})
            }
            Request::ServiceStop { service } => {
                let mut found = false;
                for status in self.server.listeners() {
                    if *status.settings.service == *service {
                        status.closing.cancel();
                        found = true;
                    }
                }
                if found {
                    value(&Done {})
                } else {
                    Err(not_found(&service))
                }
            }
            Request::TraceRecords { follow } => records(&self.recording, follow, stream).await,
            Request::Fault { .. } | Request::OrganisationStart { .. } => {
                Err(Message::new("serve-no-lab"))
            }
        }
    }

    fn status(&self) -> Result<Status, Message> {
        let mut services: BTreeMap<Service, ServiceStatus> = BTreeMap::new();
        let blank = |service: Service| ServiceStatus {
            service: service.name().to_owned(),
            addresses: Vec::new(),
            connections: 0,
            turned_away: 0,
            remark: None,
        };
        for &service in self.config.listen.keys() {
            services.insert(service, blank(service));
        }
        for listener in self.server.listeners() {
            let Some(service) = Service::named(&listener.settings.service) else {
                continue;
            };
            let shown = services.entry(service).or_insert_with(|| blank(service));
            if !listener.closing.is_cancelled() {
                shown.addresses.push(listener.local.to_string());
            }
            shown.connections += listener.open.load(Ordering::Relaxed) as u64;
            shown.turned_away += listener.refused.load(Ordering::Relaxed);
        }
        let remarks = self
            .remarks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (service, remark) in remarks.iter() {
            if let Some(shown) = services.get_mut(service) {
                shown.remark = Some(remark.clone());
            }
        }
        let mut warnings = Vec::new();
        if let Some(words) = self.store.health().failed {
            warnings.push(Message::new("serve-store-failed").with("why", words));
        }
        let queued = self.store.queue().map_err(|error| refusal(&error))?;
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: timestamp(self.since.0),
            domains: self.config.domains.clone(),
            services: services.into_values().collect(),
            queued: queued.iter().filter(|message| waits(message)).count() as u64,
            warnings,
            organisations: Vec::new(),
        })
    }

    async fn accounts(&self, request: Request) -> Answer {
        let accounts = &self.mail.accounts;
        let hash = async |password: &str| {
            accounts
                .hash(password)
                .await
                .map_err(|error| Message::new("serve-accounts").with("why", error.to_string()))
        };
        match request {
            Request::AccountAdd { login, password } => {
                let hash = hash(&password).await?;
                self.done(self.store.add_account(now(), &login, &hash))
                    .await
            }
            Request::AccountPasswd { login, password } => {
                let hash = hash(&password).await?;
                self.done(self.store.set_password(now(), &login, &hash))
                    .await
            }
            Request::AccountSuspend { login } => {
                self.done(self.store.set_suspended(now(), &login, true))
                    .await
            }
            Request::AccountResume { login } => {
                self.done(self.store.set_suspended(now(), &login, false))
                    .await
            }
            Request::AccountRemove { login } => {
                self.done(self.store.remove_account(now(), &login)).await
            }
            Request::AccountShow { login } => {
                let account = self
                    .store
                    .account(&login)
                    .map_err(|error| refusal(&error))?;
                value(&self.account(&account.ok_or_else(|| not_found(&login))?)?)
            }
            _ => {
                let all = self.store.accounts().map_err(|error| refusal(&error))?;
                let shown = all.iter().map(|account| self.account(account));
                value(&shown.collect::<Result<Vec<_>, _>>()?)
            }
        }
    }

    fn account(&self, account: &guichet_store::Account) -> Result<Account, Message> {
        let drop = self
            .store
            .maildrop(&account.login)
            .map_err(|error| refusal(&error))?;
        Ok(Account {
            login: account.login.clone(),
            suspended: account.suspended,
            created: timestamp(account.created.0),
            messages: drop.len() as u64,
            bytes: drop.iter().map(|entry| entry.size_octets).sum(),
        })
    }

    fn domain(&self, name: &str) -> Result<Domain, Message> {
        let suffix = format!("@{name}");
        let accounts = self.store.accounts().map_err(|error| refusal(&error))?;
        let aliases = self.store.aliases().map_err(|error| refusal(&error))?;
        let ours = |host: &String| host == name || host.ends_with(&format!(".{name}"));
        let sites = std::fs::read_dir(&self.config.pages_sites)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(ours)
            .collect();
        let zone_serial = guichet_services::names::parse_name(name)
            .and_then(|apex| self.names.zones().get(&apex).map(|zone| zone.serial()));
        Ok(Domain {
            domain: name.to_owned(),
            accounts: accounts
                .iter()
                .filter(|it| it.login.ends_with(&suffix))
                .count() as u64,
            aliases: aliases
                .iter()
                .filter(|it| it.address.ends_with(&suffix))
                .count() as u64,
            sites,
            zone_serial,
        })
    }

    async fn queue(&self, request: Request) -> Answer {
        let parse = |id: &str| id.parse::<QueueId>().map_err(|_| not_found(id));
        match request {
            Request::QueueShow { id } => {
                let found = self
                    .store
                    .queued(parse(&id)?)
                    .map_err(|error| refusal(&error))?;
                value(&self.queued(&found.ok_or_else(|| not_found(&id))?))
            }
            Request::QueueRetry { id: Some(id) } => {
                self.done(self.store.retry_now(now(), parse(&id)?)).await
            }
            Request::QueueRetry { id: None } => {
                let all = self.store.queue().map_err(|error| refusal(&error))?;
                for message in all.iter().filter(|message| waits(message)) {
                    self.done(self.store.retry_now(now(), message.queue_id))
                        .await?;
                }
                value(&Done {})
            }
            Request::QueueHold { id } => self.done(self.store.hold(now(), parse(&id)?)).await,
            Request::QueueRelease { id } => self.done(self.store.release(now(), parse(&id)?)).await,
            Request::QueueRemove { id } => {
                let words = "removed by the operator";
                self.done(self.store.remove_queued(now(), parse(&id)?, words))
                    .await
            }
            _ => {
                let all = self.store.queue().map_err(|error| refusal(&error))?;
                let waiting = all.iter().filter(|message| waits(message));
                value(
                    &waiting
                        .map(|message| self.queued(message))
                        .collect::<Vec<_>>(),
                )
            }
        }
    }

    fn queued(&self, message: &QueuedMessage) -> Queued {
        let bytes = self
            .store
            .body(message.body)
            .map_or(0, |body| body.size_bytes());
        let recipients = message.recipients.iter().map(|recipient| {
            let state = match recipient.state {
                QueueState::Waiting if recipient.held => "held",
                QueueState::Waiting => "waiting",
                QueueState::Delivered => "delivered",
                QueueState::Failed => "failed",
                QueueState::Removed => "removed",
            };
            QueuedRecipient {
                address: recipient.address.clone(),
                state: state.to_owned(),
                attempts: recipient.attempts,
                due: (state == "waiting").then(|| timestamp(recipient.due.0)),
                words: recipient.words.clone(),
            }
        });
        Queued {
            id: message.queue_id.to_string(),
            sender: message.sender.clone(),
            message_id: message.message_id.clone(),
            accepted: timestamp(message.accepted.0),
            bytes,
            recipients: recipients.collect(),
        }
    }

    async fn done<T>(&self, commit: Commit<T>) -> Answer {
        commit.await.map_err(|error| refusal(&error))?;
        value(&Done {})
    }
}

fn waits(message: &QueuedMessage) -> bool {
    message
        .recipients
        .iter()
        .any(|recipient| recipient.state == QueueState::Waiting)
}

fn now() -> Change {
    Change::at(WallTime(clock::wall().0))
}

pub(crate) fn value(result: &impl Serialize) -> Answer {
    serde_json::to_value(result)
        .map_err(|error| Message::new("serve-internal").with("why", error.to_string()))
}

fn refusal(error: &StoreError) -> Message {
    match error {
        StoreError::NoSuchAccount(name) | StoreError::NoSuchAlias(name) => not_found(name),
        StoreError::NoSuchQueueEntry(id) => not_found(&id.to_string()),
        StoreError::AccountExists(name) | StoreError::AliasExists(name) => {
            Message::new("serve-exists").with("name", name.clone())
        }
        error => Message::new("serve-store-refused").with("why", error.to_string()),
    }
}

/// Adds records that a program of the same user handed in.
pub(crate) fn submit(recording: &Arc<Recording>, frames: &str) -> Result<(), Message> {
    for record in decode(frames)? {
        recording.add(SUBMITTED, record);
    }
    Ok(())
}

/// The records of a lump.
pub(crate) fn decode(frames: &str) -> Result<Vec<Record>, Message> {
    let bytes = BASE64
        .decode(frames)
        .map_err(|error| Message::new("serve-internal").with("why", error.to_string()))?;
    Ok(codec::Reader::new(&bytes).collect())
}

/// A lump of records.
pub(crate) fn encode<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    let mut bytes = Vec::new();
    for record in records {
        let _ = codec::append(&mut bytes, record); // larger than any record that is kept: never
    }
    BASE64.encode(bytes)
}

/// Sends what has been recorded and, if asked, what follows. Who lags too far behind loses records,
/// as with any follower.
pub(crate) async fn records(
    recording: &Arc<Recording>,
    follow: bool,
    stream: &mut Stream,
) -> Answer {
    let gone = |_| Message::new("serve-internal").with("why", "the reader went away");
    recording.loaded().await;
    let (past, mut news) = recording.follow();
    let mut lump: Vec<&Record> = Vec::new();
    let mut size = 0;
    for (_, record) in &past {
        lump.push(record);
        size += 200;
        if let guichet_trace::Body::Message { bytes, .. } = &record.body {
            size += bytes.len();
        }
        if size > LUMP_BYTES {
            stream
                .item(&Records {
                    frames: encode(lump.drain(..)),
                })
                .await
                .map_err(gone)?;
            size = 0;
        }
    }
    stream
        .item(&Records {
            frames: encode(lump),
        })
        .await
        .map_err(gone)?;
    if !follow {
        return value(&Done {});
    }
    loop {
        match news.recv().await {
            Ok(News { record, .. }) => {
                let mut lump = vec![record];
                while let Ok(News { record, .. }) = news.try_recv() {
                    lump.push(record);
                    if lump.len() >= 256 {
                        break;
                    }
                }
                let frames = encode(lump.iter().map(AsRef::as_ref));
                stream.item(&Records { frames }).await.map_err(gone)?;
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => break,
        }
    }
    value(&Done {})
}
