//! New journeys as server-sent events.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use guichet_trace::JourneyId;
use guichet_trace::render::json;
use tokio::sync::broadcast::error::RecvError;

use super::KEEP_ALIVE;
use crate::recording::Recording;

/// What happens within this time is told together.
const GATHER: Duration = Duration::from_millis(100);

/// Looking is a pass over everything held; at most this part of the time goes into it.
const LOOKING_PART: u32 = 10;

/// Tells each journey when it begins and whenever what is said of it changes.
pub(super) struct Events {
    next: Pin<Box<dyn Future<Output = (Vec<u8>, Watcher)> + Send>>,
}

struct Watcher {
    recording: Arc<Recording>,
    news: tokio::sync::broadcast::Receiver<crate::recording::News>,
    told: Told,
    /// How long the last look took.
    took: Duration,
}

/// What was said of each journey, by its hash: a browser may stay for weeks.
#[derive(Default)]
struct Told(HashMap<JourneyId, u64>);

impl Events {
    pub(super) fn new(recording: Arc<Recording>) -> Self {
        let news = recording.subscribe();
        let watcher = Watcher {
            recording,
            news,
            told: Told::default(),
            took: Duration::ZERO,
        };
        Self {
            next: Box::pin(watcher.first()),
        }
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Vec<u8>> {
        let (piece, watcher) = std::task::ready!(self.next.as_mut().poll(context));
        self.next = Box::pin(watcher.next());
        Poll::Ready(piece)
    }
}

impl Watcher {
    /// What is there already.
    async fn first(mut self) -> (Vec<u8>, Self) {
        let mut piece = b": journeys\n\n".to_vec();
        piece.extend(self.changes());
        (piece, self)
    }

    async fn next(mut self) -> (Vec<u8>, Self) {
        loop {
            match tokio::time::timeout(KEEP_ALIVE, self.news.recv()).await {
                Err(_) | Ok(Err(RecvError::Closed)) => return (b": still here\n\n".to_vec(), self),
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
            }
            tokio::time::sleep(GATHER.max(self.took * LOOKING_PART)).await;
            self.news = self.news.resubscribe();
            let piece = self.changes();
            if !piece.is_empty() {
                return (piece, self);
            }
        }
    }

    fn changes(&mut self) -> Vec<u8> {
        let begun = Instant::now();
        let told = &mut self.told;
        let piece = self.recording.look(|view| {
            let picture = view.picture();
            let journeys = picture.journeys();
            told.tell(
                journeys
                    .iter()
                    .map(|journey| (journey.id, json::listed(journey))),
            )
        });
        self.took = begun.elapsed();
        piece
    }
}

impl Told {
    /// The lines that are new or have changed. Journeys that are no longer there are forgotten.
    fn tell(&mut self, journeys: impl Iterator<Item = (JourneyId, String)>) -> Vec<u8> {
        let mut piece = Vec::new();
        let mut told = HashMap::with_capacity(self.0.len());
        for (id, line) in journeys {
            let mut hasher = DefaultHasher::new();
            line.hash(&mut hasher);
            let hash = hasher.finish();
            if self.0.get(&id) != Some(&hash) {
                piece.extend(format!("event: journey\ndata: {line}\n\n").into_bytes());
            }
            told.insert(id, hash);
        }
        self.0 = told;
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_told_and_what_is_gone_is_forgotten() {
        let id = |number| JourneyId {
            exchange: guichet_trace::ExchangeId(number),
            part: 1,
        };
        let (one, two) = (id(1), id(2));
        let mut told = Told::default();
        let mut tell = |lines: &[(JourneyId, &str)]| {
            let lines = lines.iter().map(|(id, line)| (*id, (*line).to_owned()));
            let piece = told.tell(lines);
            (String::from_utf8(piece).unwrap(), told.0.len())
        };
        let both = [(one, "a"), (two, "b")];
        assert_eq!(tell(&both).0.matches("event: journey").count(), 2);
        assert_eq!(tell(&both), (String::new(), 2));
        let changed = "event: journey\ndata: c\n\n".to_owned();
        assert_eq!(tell(&[(two, "c")]), (changed, 1));
    }
}
