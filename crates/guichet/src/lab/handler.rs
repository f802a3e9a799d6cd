//! What the lab's own control socket is asked for.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use guichet_trace::render::json::timestamp;

use super::{Lab, Running};
use crate::control::requests::{Done, OrganisationStatus, Request, ServiceStatus, Status, Stopped};
use crate::control::server::{Answer, Handler, Stream};
use crate::output::Message;
use crate::serve::handler::{records, submit, value};

/// An organisation that hangs must not keep the lab from answering.
const STATUS_MOST: Duration = Duration::from_secs(1);

impl Handler for Lab {
    fn handle<'a>(
        &'a self,
        request: Request,
        stream: &'a mut Stream,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(self.answer(request, stream))
    }
}

impl Lab {
    async fn answer(&self, request: Request, stream: &mut Stream) -> Answer {
        match request {
            Request::Status => self.status().await,
            Request::Stop => {
                self.stop_asked.cancel();
                let mut stopped = self.stopped.subscribe();
                let _ = stopped.wait_for(|stopped| *stopped).await; // the lab ends with its sender
                value(&Stopped {
                    finished: 0,
                    cut: 0,
                })
            }
            Request::TraceSubmit { frames } => {
                submit(&self.recording, &frames)?;
                value(&Done {})
            }
            Request::TraceRecords { follow } => records(&self.recording, follow, stream).await,
            Request::Fault { spec } => {
                self.fault(&spec).await?;
                value(&Done {})
            }
            Request::OrganisationStart { name } => {
                let named = |running: &&std::sync::Arc<Running>| {
                    running.organisation.name == name || running.organisation.domain == name
                };
                let running = self
                    .running
                    .iter()
                    .find(named)
                    .ok_or_else(|| crate::control::requests::not_found(&name))?;
                running.launch().await?;
                self.tell_where()?;
                value(&Done {})
            }
            _ => Err(Message::new("lab-not-here")),
        }
    }

    /// The lab's own state, and what each organisation says of itself.
    async fn status(&self) -> Answer {
        let mut organisations = Vec::new();
        for running in &self.running {
            organisations.push(status_of(running).await);
        }
        let own = organisations.iter().filter_map(|it| it.status.as_ref());
        let queued = own.map(|status| status.queued).sum();
        value(&Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: timestamp(self.since.0),
            domains: Vec::new(),
            services: self.services(),
            queued,
            warnings: Vec::new(),
            organisations,
        })
    }

    /// The lab's own name servers and the watch address.
    fn services(&self) -> Vec<ServiceStatus> {
        let listeners = self.server.listeners();
        let services = listeners.iter().map(|listener| ServiceStatus {
            service: listener.settings.service.to_string(),
            addresses: vec![listener.local.to_string()],
            connections: listener.open.load(Ordering::Relaxed) as u64,
            turned_away: listener.refused.load(Ordering::Relaxed),
            remark: None,
        });
        services.collect()
    }
}

async fn status_of(running: &Running) -> OrganisationStatus {
    let pid = Some(running.pid()).filter(|&pid| pid != 0);
    let control = running.control();
    let asked = tokio::time::timeout(STATUS_MOST, control.ask(&Request::Status));
    let status = match pid {
        Some(_) => asked.await.ok().and_then(Result::ok),
        None => None,
    };
    OrganisationStatus {
        domain: running.organisation.domain.clone(),
        pid,
        status,
    }
}
