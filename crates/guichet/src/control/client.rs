//! The command's end: one request, and what comes back.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::requests::Stopped;
use super::{Line, Request, is_ours};
use crate::output::Message;

/// Once everything is closed, a process ends within this, or something is wrong with it.
const END_WITHIN: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// An organisation of a lab does not run.
const ORGANISATION_DOWN: &str = "control-organisation-down";

/// A server's control socket.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
    /// The organisation of a lab whose server it is: its domain.
    organisation: Option<String>,
}

/// The results of a request as they come.
#[derive(Debug)]
pub struct Items {
    path: PathBuf,
    lines: Lines<BufReader<OwnedReadHalf>>,
    /// Kept open: that it closes tells the server that nobody waits any more.
    writer: OwnedWriteHalf,
}

/// What came next.
#[derive(Debug)]
pub enum Next {
    /// One of several results.
    Item(Value),
    /// The last.
    Done(Value),
}

impl Client {
    /// Speaks to the server with its control socket at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            organisation: None,
        }
    }

    /// Speaks to the server of an organisation of a lab, which can start it again.
    pub fn of_organisation(path: impl Into<PathBuf>, domain: &str) -> Self {
        Self {
            path: path.into(),
            organisation: Some(domain.to_owned()),
        }
    }

    /// Where it speaks to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks for something that has one answer.
    ///
    /// # Errors
    /// Nobody answers, the server refused, or the answer is not what the request names.
    pub async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Message> {
        let mut items = self.start(request).await?;
        loop {
            if let Next::Done(value) = items.next().await? {
                return self.understand(value);
            }
        }
    }

    /// Asks for the stop, and returns when the process has ended: only then are its ports, its store
    /// and its socket free for the next one.
    ///
    /// # Errors
    /// Nobody answers, or the answer is not one.
    pub async fn stop(&self) -> Result<Stopped, Message> {
        let mut items = self.start(&Request::Stop).await?;
        let process = items.process();
        loop {
            if let Next::Done(value) = items.next().await? {
                drop(items); // a conversation that is open would hold the process up
                if let Some(process) = process {
                    let _ = tokio::task::spawn_blocking(move || end_of(&process)).await;
                }
                return self.understand(value);
            }
        }
    }

    /// Asks for something whose results come one by one.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn start(&self, request: &Request) -> Result<Items, Message> {
        let stream = UnixStream::connect(&self.path)
            .await
            .map_err(|error| self.nobody(&error))?;
        if !is_ours(&stream) {
            return Err(Message::new("control-foreign").with("path", self.path.as_path()));
        }
        let (reader, mut writer) = stream.into_split();
        let broken = |error: io::Error| self.nobody(&error);
        let mut line = serde_json::to_vec(request).map_err(|error| broken(error.into()))?;
        line.push(b'\n');
        writer.write_all(&line).await.map_err(broken)?;
        let lines = BufReader::new(reader).lines();
        Ok(Items {
            path: self.path.clone(),
            lines,
            writer,
        })
    }

    /// Reads a result as what the request names.
    ///
    /// # Errors
    /// It is something else: the other end is of another version.
    pub fn understand<T: DeserializeOwned>(&self, value: Value) -> Result<T, Message> {
        serde_json::from_value(value).map_err(|error| garbled(&self.path, &error))
    }

    fn nobody(&self, error: &io::Error) -> Message {
        let key = match (error.kind(), &self.organisation) {
            (io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused, Some(domain)) => {
                let name = domain.split('.').next().unwrap_or_default();
                return Message::new(ORGANISATION_DOWN)
                    .with("domain", domain.as_str())
                    .with("name", name);
            }
            (io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused, None) => "control-nobody",
            _ => "control-broken",
        };
        Message::new(key)
            .with("path", self.path.as_path())
            .with("why", error)
    }
}

impl Items {
    /// The process at the other end. `None` where the system cannot tell: it may live in another
    /// name space.
    fn process(&self) -> Option<OwnedFd> {
        let stream: &UnixStream = self.writer.as_ref();
        let pid = Pid::from_raw(stream.peer_cred().ok()?.pid()?)?;
        pidfd_open(pid, PidfdFlags::empty()).ok()
    }

    /// The next result.
    ///
    /// # Errors
    /// The server refused, or the connection broke off before the end of the answer.
    pub async fn next(&mut self) -> Result<Next, Message> {
        let broken = |error: &io::Error| {
            Message::new("control-broken")
                .with("path", self.path.as_path())
                .with("why", error)
        };
        let line = self
            .lines
            .next_line()
            .await
            .map_err(|error| broken(&error))?;
        let line = line.ok_or_else(|| broken(&io::ErrorKind::UnexpectedEof.into()))?;
        match serde_json::from_str(&line).map_err(|error| garbled(&self.path, &error))? {
            Line::Item(value) => Ok(Next::Item(value)),
            Line::Done(value) => Ok(Next::Done(value)),
            Line::Refused(message) => Err(message),
        }
    }
}

/// Waits for the end of a process.
fn end_of(process: &OwnedFd) {
    let _ = poll(
        &mut [PollFd::new(process, PollFlags::IN)],
        Some(&END_WITHIN),
    ); // without it, the next start may have to be tried twice
}

fn garbled(path: &Path, error: &serde_json::Error) -> Message {
    Message::new("control-garbled")
        .with("path", path)
        .with("detail", error.to_string())
}
