//! Asking one running server, or both of a lab.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::control::requests::{Done, is_not_found};
use crate::control::{Instances, Request, find};
use crate::output::{Failure, Message, Outcome, Output};

/// The servers a command asks, and where it says what they answer.
pub(super) struct Asking<'o> {
    instances: Instances,
    output: &'o Output<'o>,
}

/// One server's answer to what all were asked.
pub(super) struct From<T> {
    /// Who answers.
    pub(super) server: String,
    /// What.
    pub(super) answer: T,
}

impl<'o> Asking<'o> {
    /// Finds the servers.
    pub(super) fn new(global: &Global, output: &'o Output<'o>) -> Result<Self, Failure> {
        Ok(Self {
            instances: find(global)?,
            output,
        })
    }

    /// Asks the server that has `name` (a log-in, a domain, a queue id): in a lab the one of its
    /// domain, else one after the other.
    pub(super) async fn owner<T: DeserializeOwned>(
        &self,
        name: &str,
        request: &Request,
    ) -> Result<T, Failure> {
        let mut refusal = None;
        for server in self.instances.concerned(name) {
            match server.control.ask(request).await {
                Ok(answer) => return Ok(answer),
                // Another one may have it; that one is not running is worth more than that it is
                // not there.
                Err(message) if is_not_found(&message) => {
                    refusal.get_or_insert(message);
                }
                Err(message) => refusal = Some(message),
            }
        }
        match refusal {
            Some(message) => Err(Failure::Failed(self.no_lab().unwrap_or(message))),
            None => Err(Failure::Told),
        }
    }

    /// Has the owner of `name` do something, and says with `key` that it is done.
    pub(super) async fn act(&self, name: &str, request: &Request, key: &str) -> Outcome {
        let _: Done = self.owner(name, request).await?;
        self.done(name, key)
    }

    /// Has every server do something, and says with `key` that it is done.
    pub(super) async fn act_all(&self, request: &Request, key: &str) -> Outcome {
        let answers: Vec<From<Done>> = self.every(request).await?;
        match answers.is_empty() {
            true => Err(Failure::Told),
            false => self.done("", key),
        }
    }

    fn done(&self, name: &str, key: &str) -> Outcome {
        if self.output.json {
            return self.output.json(&json!({}));
        }
        let name = guichet_trace::visible(name);
        self.output.line(&self.output.say(key, &[("name", &name)]))
    }

    /// Asks every server. One that does not answer is complained about; none at all is a failure.
    pub(super) async fn every<T: DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<Vec<From<T>>, Failure> {
        let mut answers = Vec::new();
        let mut refusals = Vec::new();
        for server in &self.instances.servers {
            match server.control.ask(request).await {
                Ok(answer) => answers.push(From {
                    server: server.name.clone(),
                    answer,
                }),
                Err(message) => refusals.push(message),
            }
        }
        match (answers.is_empty(), refusals.pop()) {
            (true, Some(last)) => {
                if let Some(message) = self.no_lab() {
                    return Err(Failure::Failed(message));
                }
                refusals.iter().for_each(|other| self.output.warn(other));
                Err(Failure::Failed(last))
            }
            (_, last) => {
                refusals
                    .iter()
                    .chain(&last)
                    .for_each(|message| self.output.warn(message));
                Ok(answers)
            }
        }
    }

    /// That not only its organisations but the lab itself is gone: killed, it left its file behind.
    fn no_lab(&self) -> Option<Message> {
        let lab = self.instances.lab.as_ref()?;
        match std::os::unix::net::UnixStream::connect(&lab.control) {
            Ok(_) => None,
            Err(_) => Some(Message::new("lab-none").with("dir", lab.dir.as_path())),
        }
    }

    /// A list of every server as one JSON document; in a lab each entry says whose it is.
    pub(super) fn json_list<T: Serialize>(&self, answers: &[From<Vec<T>>]) -> Outcome {
        let mut list = Vec::new();
        for from in answers {
            for entry in &from.answer {
                let mut entry = serde_json::to_value(entry).unwrap_or_default();
                if let (Value::Object(object), true) = (&mut entry, self.are_several()) {
                    object.insert("organisation".to_owned(), from.server.as_str().into());
                }
                list.push(entry);
            }
        }
        self.output.json(&list)
    }

    /// Whether it must be said whose an answer is.
    pub(super) fn are_several(&self) -> bool {
        self.instances.servers.len() > 1
    }

    /// Those to ask about the whole.
    pub(super) fn whole(&self) -> Vec<crate::control::Client> {
        self.instances.whole()
    }
}
