//! What the lab's own control socket is asked for.

use std::future::Future;
use std::pin::Pin;

use guichet_trace::render::json::timestamp;

use super::Lab;
use crate::control::requests::{Done, OrganisationStatus, Request, Status, Stopped};
use crate::control::server::{Answer, Handler, Stream};
use crate::output::Message;
use crate::serve::handler::{records, submit, value};

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
                let named = |running: &&std::sync::Arc<super::Running>| {
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

    /// The lab's own state; the organisations answer for themselves.
    async fn status(&self) -> Answer {
        let organisations = self.running.iter().map(|running| OrganisationStatus {
            domain: running.organisation.domain.clone(),
            pid: Some(running.pid()).filter(|&pid| pid != 0),
        });
        value(&Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: timestamp(self.since.0),
            domains: Vec::new(),
            services: Vec::new(),
            queued: 0,
            warnings: Vec::new(),
            organisations: organisations.collect(),
        })
    }
}
