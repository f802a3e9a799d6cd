//! New journeys as server-sent events.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use guichet_trace::render::json;
use tokio::sync::broadcast::error::RecvError;

use super::KEEP_ALIVE;
use crate::recording::Recording;

/// What happens within this time is told together.
const GATHER: Duration = Duration::from_millis(100);

/// Tells each journey when it begins and whenever what is said of it changes.
pub(super) struct Events {
    next: Pin<Box<dyn Future<Output = (Vec<u8>, Watcher)> + Send>>,
}

struct Watcher {
    recording: Arc<Recording>,
    news: tokio::sync::broadcast::Receiver<crate::recording::News>,
    told: HashMap<String, String>,
}

impl Events {
    pub(super) fn new(recording: Arc<Recording>) -> Self {
        let news = recording.subscribe();
        let watcher = Watcher {
            recording,
            news,
            told: HashMap::new(),
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
            tokio::time::sleep(GATHER).await;
            self.news = self.news.resubscribe();
            let piece = self.changes();
            if !piece.is_empty() {
                return (piece, self);
            }
        }
    }

    fn changes(&mut self) -> Vec<u8> {
        let told = &mut self.told;
        self.recording.look(|view| {
            let mut piece = Vec::new();
            for journey in view.picture().journeys() {
                let line = json::listed(&journey);
                let id = journey.id.to_string();
                if told.get(&id) != Some(&line) {
                    piece.extend(format!("event: journey\ndata: {line}\n\n").into_bytes());
                    told.insert(id, line);
                }
            }
            piece
        })
    }
}
