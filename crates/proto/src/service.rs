//! The contract between a dialogue and the domain logic behind it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::session::SourceId;

/// The decisions for one dialogue. One value per connection: it knows who is connected and, after
/// its own authentication, who it speaks for. Dropping it discards whatever was not finished.
pub trait Service: Send {
    /// What a session asks.
    type Ask;
    /// What it gets.
    type Answer;

    /// Decides. A later answer must survive being dropped: what was begun is finished.
    fn ask(&mut self, ask: Self::Ask) -> Reply<Self::Answer>;

    /// Takes a piece of the body being received. `Later` holds the peer back. What goes wrong is
    /// remembered and told when the session asks what became of the body.
    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        let _ = piece;
        Reply::Now(())
    }

    /// Gives the next bytes of a source, at most about `most` of them.
    fn pull(&mut self, source: SourceId, most: usize) -> Reply<Pulled> {
        let _ = (source, most);
        Reply::Now(Pulled::Failed)
    }

    /// Something to tell without being asked.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Self::Answer> {
        let _ = context;
        Poll::Pending
    }
}

/// An answer now (a function call) or later.
pub enum Reply<T> {
    /// Here it is.
    Now(T),
    /// When this is ready.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Reply<T> {
    /// Boxes the future.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }
}

/// What a source gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// More may follow.
    Bytes(Vec<u8>),
    /// That was all.
    End,
    /// It cannot be read on; the peer must not take what it has for the whole.
    Failed,
}
