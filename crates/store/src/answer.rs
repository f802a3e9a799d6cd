//! What an operation gives back, and the future in which it comes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::event::{Event, Message};
use crate::types::{Accepted, Delivered};

/// What an operation gives back. It follows from the event alone, so that a repeated operation gets
/// the same answer after a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Accepted(Accepted),
    Count(u64),
}

impl Answer {
    pub fn of(event: &Event) -> Self {
        match event {
            Event::Accepted(message) => Self::Accepted(accepted(message)),
            Event::Deleted { uids, .. } => Self::Count(uids.len() as u64),
            _ => Self::Done,
        }
    }

    /// As stored beside its key.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).unwrap_or_default() // plain data into memory cannot fail
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        postcard::from_bytes(bytes)
            .map_err(|error| StoreError::Damaged(format!("the answer to a key: {error}")))
    }
}

fn accepted(message: &Message) -> Accepted {
    let delivered = message
        .local
        .iter()
        .map(|local| Delivered {
            account: local.account.clone(),
            uid: local.uid,
        })
        .collect();
    Accepted {
        queue_id: message.queue_id,
        delivered,
    }
}

/// Where the committer sends an answer.
pub(crate) type Reply = oneshot::Sender<Result<Answer, StoreError>>;

/// How an answer becomes what the caller was promised.
pub(crate) type Reading<T> = fn(Answer) -> Option<T>;

/// A change under way. It resolves when the change lasts, or had no effect. Dropping it does not
/// stop the change: it only gives up hearing of it.
#[derive(Debug)]
#[must_use = "the change is made all the same, but only the answer says that it lasts"]
pub struct Commit<T> {
    answer: oneshot::Receiver<Result<Answer, StoreError>>,
    reading: Reading<T>,
}

impl<T> Commit<T> {
    /// The two ends of a change.
    pub(crate) fn new(reading: Reading<T>) -> (Reply, Self) {
        let (reply, answer) = oneshot::channel();
        (reply, Self { answer, reading })
    }

    /// A change that was refused before it began.
    pub(crate) fn refused(reading: Reading<T>, error: StoreError) -> Self {
        let (reply, commit) = Self::new(reading);
        let _ = reply.send(Err(error)); // the receiver is in `commit`
        commit
    }

    /// Blocks until the change lasts. Not from inside an asynchronous task: await it there.
    pub fn wait(self) -> Result<T, StoreError> {
        let reading = self.reading;
        read(self.answer.blocking_recv(), reading)
    }
}

impl<T> Future for Commit<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reading = self.reading;
        Pin::new(&mut self.answer)
            .poll(context)
            .map(|answer| read(answer, reading))
    }
}

fn read<T>(
    answer: Result<Result<Answer, StoreError>, oneshot::error::RecvError>,
    reading: Reading<T>,
) -> Result<T, StoreError> {
    match answer {
        Ok(Ok(answer)) => reading(answer).ok_or(StoreError::KeyReused),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(StoreError::Closed),
    }
}
