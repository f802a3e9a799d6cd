//! The one thread that changes anything. It takes everything that came while the previous group was
//! synced, applies each operation to the view (inside one transaction, a savepoint each), places the
//! frames, and then, in the order of [`crate::order`]: writes, syncs, shows the view, answers.
//!
//! There is no timer: alone, an operation waits for nobody; under load, groups grow by themselves.
//!
//! Where a full disk has no room for the view's change though the frames last, the group is answered
//! all the same, because the journal is what counts; the view catches up before anything else is
//! decided, as soon as there is room.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::answer::{Answer, Reply};
use crate::body::{Bodies, OwnedFile};
use crate::error::StoreError;
use crate::event::Entry;
use crate::health::Failure;
use crate::journal::frame::Content;
use crate::journal::recovery::Recovery;
use crate::journal::{Journal, Place};
use crate::lease::{Lease, Leases};
use crate::locked;
use crate::operation::{Operation, Request};
use crate::order::Order;
use crate::replay::catch_up;
use crate::types::Change;
use crate::view::Writer;
use crate::view::apply::apply;
use crate::view::choose::{Chosen, choose};

/// The most operations in a group: beyond it the sync no longer weighs, and the first one waits.
const GROUP: usize = 256;

/// Between two attempts to bring a view up to date that had no room.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(500);

/// Where requests wait.
#[derive(Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    requests: Vec<Request>,
    closed: bool,
}

impl Inbox {
    /// Adds a request; answers it at once if nobody will take it any more.
    pub fn push(&self, request: Request) {
        let mut waiting = locked(&self.waiting);
        if waiting.closed {
            drop(waiting);
            let _ = request.reply.send(Err(StoreError::Closed)); // nobody may be listening
            return;
        }
        waiting.requests.push(request);
        self.bell.notify_one();
    }

    /// No more requests; those that wait are still done.
    pub fn close(&self) {
        locked(&self.waiting).closed = true;
        self.bell.notify_one();
    }

    /// What waits, oldest first; nothing after `patience`, where there is one. `None` when closed
    /// and nothing is left.
    fn take(&self, patience: Option<Duration>) -> Option<Vec<Request>> {
        let mut waiting = locked(&self.waiting);
        while waiting.requests.is_empty() && !waiting.closed {
            let Some(patience) = patience else {
                waiting = self
                    .bell
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (back, timeout) = self
                .bell
                .wait_timeout(waiting, patience)
                .unwrap_or_else(PoisonError::into_inner);
            waiting = back;
            if timeout.timed_out() {
                break;
            }
        }
        if waiting.requests.is_empty() && waiting.closed {
            return None;
        }
        let count = waiting.requests.len().min(GROUP);
        Some(waiting.requests.drain(..count).collect())
    }
}

/// What the thread owns.
pub(crate) struct Committer {
    pub journal: Journal,
    pub view: Writer,
    pub bodies: Arc<Bodies>,
    pub segments: PathBuf,
    pub reserve_bytes: u64,
    pub leases: Arc<Leases>,
    pub failure: Arc<Failure>,
    pub sequence: Arc<AtomicU64>,
    /// Set while frames last that the view had no room for: the leases they end, held until then.
    pub behind: Option<Vec<Lease>>,
}

impl Committer {
    /// Starts the thread; it ends when the inbox is closed and empty.
    pub fn start<O: Order>(mut self, inbox: Arc<Inbox>) -> Result<JoinHandle<()>, StoreError> {
        let work = move || {
            let _closer = CloseOnEnd {
                inbox: &inbox,
                failure: Arc::clone(&self.failure),
            };
            while let Some(requests) = inbox.take(self.behind.is_some().then_some(CATCH_UP_PAUSE)) {
                self.run::<O>(requests);
            }
        };
        std::thread::Builder::new()
            .name("store-commit".into())
            .spawn(work)
            .map_err(|error| StoreError::Io(format!("starting a thread: {error}")))
    }

    /// One group, and whatever stands alone.
    fn run<O: Order>(&mut self, requests: Vec<Request>) {
        let mut together = Vec::with_capacity(requests.len());
        for request in requests {
            if matches!(request.operation, Operation::Rebuild) {
                self.group::<O>(std::mem::take(&mut together));
                let rebuilt = self.rebuild();
                let _ = request.reply.send(rebuilt.map(|()| Answer::Done));
            } else {
                together.push(request);
            }
        }
        self.group::<O>(together);
    }

    fn group<O: Order>(&mut self, requests: Vec<Request>) {
        if requests.is_empty() && self.behind.is_none() {
            return;
        }
        if let Some(words) = self.failure.words() {
            let error = StoreError::Failed(words.clone());
            return refuse_all(requests.into_iter().map(|request| request.reply), &error);
        }
        if let Err(error) = self.catch_up() {
            return refuse_all(requests.into_iter().map(|request| request.reply), &error);
        }
        if let Err(error) = self.view.begin() {
            let error = self.why(error.into());
            return refuse_all(requests.into_iter().map(|request| request.reply), &error);
        }
        self.journal.begin_group();
        let start = self.journal.mark();
        let full = self.is_full();
        let mut made = Made::default();
        for Request {
            change,
            operation,
            reply,
        } in requests
        {
            if full && operation.grows() {
                made.replies.push((reply, Err(StoreError::Full)));
                continue;
            }
            let result = match made.stopped.clone() {
                Some(error) => Err(error),
                None => self.operation(change, operation, &mut made),
            };
            made.replies.push((reply, result));
        }
        match made.stopped.clone() {
            Some(error) => {
                self.view.roll_back();
                self.journal.rewind(&start);
                refuse_all(made.replies.into_iter().map(|(reply, _)| reply), &error);
            }
            None => self.finish::<O>(made),
        }
        self.journal.end_group();
    }

    /// Applies one operation under a savepoint. A refusal leaves no trace; what stops the whole
    /// group is noted in `made.stopped`.
    fn operation(
        &mut self,
        change: Change,
        operation: Operation,
        made: &mut Made,
    ) -> Result<Answer, StoreError> {
        let mark = self.journal.mark();
        let applied = self
            .view
            .begin_operation()
            .map_err(StoreError::from)
            .and_then(|()| {
                let applied = self.apply(change, operation, made)?;
                self.view.end_operation()?;
                Ok(applied)
            });
        if let Err(error) = &applied {
            self.journal.rewind(&mark);
            let undone = self.view.undo_operation();
            // The disk filled up, or the view failed: SQLite may have dropped the transaction.
            if matches!(error, StoreError::Io(_) | StoreError::Failed(_)) {
                made.stopped = Some(self.why(error.clone()));
            } else if undone.is_err() {
                made.stopped = Some(error.clone());
            }
        }
        applied
    }

    fn apply(
        &mut self,
        change: Change,
        operation: Operation,
        made: &mut Made,
    ) -> Result<Answer, StoreError> {
        if let Some(key) = change.key
            && let Some(answer) = self.view.answer_of(key)?
        {
            return Answer::from_bytes(&answer);
        }
        let Some(Chosen {
            event,
            body,
            file,
            lease,
        }) = choose(self.view.connection(), change.at, operation)?
        else {
            return Ok(Answer::Done);
        };
        let entry = Entry {
            at: change.at,
            key: change.key,
            event,
        };
        let metadata = postcard::to_allocvec(&entry).map_err(|_| StoreError::TooLarge)?;
        let content = Content {
            kind: entry.event.kind(),
            metadata,
            body,
        };
        let place = self.journal.place(content)?;
        made.unused
            .extend(apply(self.view.connection(), &place, &entry)?);
        made.files.extend(file);
        made.leases.extend(lease);
        made.last = Some(place);
        Ok(Answer::of(&entry.event))
    }

    /// Makes the group last and answers it.
    fn finish<O: Order>(&mut self, made: Made) {
        let Made {
            replies,
            last,
            files,
            unused,
            leases,
            ..
        } = made;
        let Some(last) = last else {
            self.view.roll_back(); // nothing changed
            return answer_all(replies);
        };
        let mut group = Group {
            journal: &self.journal,
            view: &self.view,
            last,
            replies,
            leases,
            queue: &self.leases,
            sequence: &self.sequence,
            shown: false,
        };
        let result = group
            .view
            .set_position(last.end())
            .map_err(StoreError::from);
        let result = result.and_then(|()| O::run(&mut group));
        let Group {
            replies,
            leases,
            shown,
            ..
        } = group;
        // Even after a failure a frame on the disk may name these files; the next start will tell.
        files.into_iter().for_each(OwnedFile::keep);
        match result {
            Ok(()) if shown => {
                unused.iter().for_each(|name| self.bodies.remove(name));
            }
            Ok(()) => {
                // The bodies no longer used stay until the next start: the view still names them.
                self.view.roll_back();
                self.behind = Some(leases);
            }
            Err(error) => {
                self.view.roll_back();
                let error = self.failure.set(match error {
                    StoreError::Failed(words) => words,
                    other => other.to_string(),
                });
                refuse_all(replies.into_iter().map(|(reply, _)| reply), &error);
            }
        }
    }

    /// Brings the view up to date if it is behind the journal. While that has no room, nothing can
    /// be decided, hence nothing be changed.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        if self.behind.is_none() {
            return Ok(());
        }
        let mut report = Recovery::default(); // the same as opening the store would report
        let filled = self.view.begin().map_err(StoreError::from).and_then(|()| {
            let layer = &*self.bodies.layer;
            let recovered = catch_up(layer, &self.segments, &self.view, &mut report)?;
            self.view.commit()?;
            Ok(recovered)
        });
        match filled {
            Ok(recovered) => {
                self.sequence.store(recovered.sequence, Ordering::Release);
                self.behind = None; // the leases end
                self.leases.ring();
                Ok(())
            }
            Err(error) => {
                self.view.roll_back();
                Err(self.why(error))
            }
        }
    }

    /// A new view, from the first frame on, shown in one step.
    fn rebuild(&self) -> Result<(), StoreError> {
        if let Some(words) = self.failure.words() {
            return Err(StoreError::Failed(words.clone()));
        }
        self.view.begin()?;
        let filled = self.view.clear().map_err(StoreError::from).and_then(|()| {
            let mut report = Recovery::default(); // the same as opening the store would report
            catch_up(&*self.bodies.layer, &self.segments, &self.view, &mut report)
        });
        match filled.and_then(|_| Ok(self.view.commit()?)) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.view.roll_back();
                Err(error)
            }
        }
    }

    fn is_full(&self) -> bool {
        // Unknown is not full: the writes will tell.
        self.bodies
            .layer
            .free_bytes(&self.segments)
            .is_ok_and(|free_bytes| free_bytes < self.reserve_bytes)
    }

    /// A full disk passes; a view that fails otherwise is final.
    fn why(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Io(words) | StoreError::Failed(words) => self.failure.set(words),
            passing => passing,
        }
    }
}

/// What a group has come to so far.
#[derive(Default)]
struct Made {
    replies: Vec<(Reply, Result<Answer, StoreError>)>,
    last: Option<Place>,
    files: Vec<OwnedFile>,
    unused: Vec<String>,
    leases: Vec<Lease>,
    /// Why none of it can be.
    stopped: Option<StoreError>,
}

/// A group whose frames are placed and whose view is ready: the steps left to take.
pub(crate) struct Group<'a> {
    journal: &'a Journal,
    view: &'a Writer,
    last: Place,
    replies: Vec<(Reply, Result<Answer, StoreError>)>,
    leases: Vec<Lease>,
    queue: &'a Leases,
    sequence: &'a AtomicU64,
    /// Whether readers see the changes.
    shown: bool,
}

impl Group<'_> {
    /// Writes the frames.
    pub fn write(&mut self) -> Result<(), StoreError> {
        self.journal.write()
    }

    /// Makes them last. Once only: see [`crate::layer::File::sync_data`].
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.journal.sync()
    }

    /// Lets readers see the changes, and ends the leases they finish; later, where the disk has no
    /// room for that.
    pub fn show(&mut self) -> Result<(), StoreError> {
        match self.view.commit().map_err(StoreError::from) {
            Ok(()) => {}
            Err(StoreError::Full) => return Ok(()),
            Err(error) => {
                let sequence = self.last.sequence;
                return Err(StoreError::Failed(format!(
                    "the view could not follow to frame {sequence}: {error}"
                )));
            }
        }
        self.shown = true;
        self.sequence.store(self.last.sequence, Ordering::Release);
        self.leases.clear();
        self.queue.ring();
        Ok(())
    }

    /// Tells everybody.
    pub fn answer(&mut self) {
        answer_all(std::mem::take(&mut self.replies));
    }
}

fn answer_all(replies: Vec<(Reply, Result<Answer, StoreError>)>) {
    for (reply, result) in replies {
        let _ = reply.send(result); // whoever gave up hearing of it has not stopped it
    }
}

fn refuse_all(replies: impl Iterator<Item = Reply>, error: &StoreError) {
    for reply in replies {
        let _ = reply.send(Err(error.clone())); // as above
    }
}

/// However the thread ends, nobody waits for it for ever.
struct CloseOnEnd<'a> {
    inbox: &'a Inbox,
    failure: Arc<Failure>,
}

impl Drop for CloseOnEnd<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.failure
                .set("the committing thread panicked".to_owned());
        }
        self.inbox.close();
        let mut waiting = locked(&self.inbox.waiting);
        waiting.requests.clear(); // their replies end unanswered
    }
}
