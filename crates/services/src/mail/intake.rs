//! A message on its way in: head inspected, body passed to the store piece by piece.
//!
//! At most the head, and about half a megabyte of the body, is in memory. What goes wrong is
//! remembered and told at the end, because until then the client does not listen.

use std::sync::{Arc, Mutex, PoisonError};

use guichet_proto::Reply;
use guichet_proto::smtp::ask::Refusal;
use guichet_store::{NewBody, Spool, Store};
use tokio::task;

use super::head::{Head, HeadRead, HeadReader};

/// Collected before the spool is bothered.
const PENDING_BYTES: usize = 128 << 10;

/// Turns the head that came into the bytes to be kept before the empty line, or refuses the message.
pub(super) type Dress = Box<dyn FnOnce(&Head) -> Result<Dressed, Refusal> + Send>;

/// A head ready to be kept.
pub(super) struct Dressed {
    pub bytes: Vec<u8>,
    /// With angle brackets; empty if there is none.
    pub message_id: String,
}

/// A message that is coming.
pub(super) struct Intake {
    store: Store,
    head: Option<(HeadReader, Dress)>,
    message_id: String,
    pending: Vec<u8>,
    spool: Arc<Mutex<Spooled>>,
    bytes: u64,
    bytes_max: u64,
    after_cr: bool,
    refusal: Option<Refusal>,
}

/// The part of the body that has left memory, shared with the thread that writes it.
#[derive(Default)]
struct Spooled {
    spool: Option<Spool>,
    refusal: Option<Refusal>,
}

/// A message that has come.
pub(super) struct Taken {
    pub body: NewBody,
    pub message_id: String,
}

impl Intake {
    pub fn new(store: Store, bytes_max: u64, dress: Dress) -> Self {
        Self {
            store,
            head: Some((HeadReader::default(), dress)),
            message_id: String::new(),
            pending: Vec::new(),
            spool: Arc::default(),
            bytes: 0,
            bytes_max,
            after_cr: false,
            refusal: None,
        }
    }

    /// Takes a piece; `Later` while the disk is busy with what came before.
    pub fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        if self.refusal.is_some() {
            return Reply::Now(());
        }
        self.bytes += piece.len() as u64;
        if self.bytes > self.bytes_max {
            return self.refuse(too_large(self.bytes_max));
        }
        if stray_line_end(piece, &mut self.after_cr) {
            return self.refuse(stray());
        }
        match &mut self.head {
            None => self.pending.extend_from_slice(piece),
            Some((reader, _)) => match reader.read(piece) {
                HeadRead::More => {}
                HeadRead::TooLong => {
                    let words = "The head of the message is longer than 256 KiB";
                    return self.refuse(Refusal::new(552, "5.3.4", words));
                }
                HeadRead::Whole(head, body) => self.dress(&head, &body),
            },
        }
        if self.pending.len() < PENDING_BYTES {
            return Reply::Now(());
        }
        let (pending, spool) = (std::mem::take(&mut self.pending), Arc::clone(&self.spool));
        let store = self.store.clone();
        Reply::later(async move {
            // A writing thread that panics leaves nothing written, and `finish` sees that.
            let _ = task::spawn_blocking(move || write(&store, &spool, &pending)).await;
        })
    }

    /// Whether all of it is still in memory, so that [`Intake::finish`] does not touch the disk.
    pub fn in_memory(&self) -> bool {
        let spooled = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        spooled.spool.is_none() && spooled.refusal.is_none()
    }

    /// The message is whole. Blocks while a large one is written out.
    pub fn finish(mut self) -> Result<Taken, Refusal> {
        if let Some((reader, dress)) = self.head.take().filter(|_| self.refusal.is_none()) {
            let (head, body) = reader.end();
            self.head = Some((HeadReader::default(), dress));
            self.dress(&head, &body);
        }
        if self.after_cr {
            self.refusal.get_or_insert_with(stray);
        }
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if self.in_memory() {
            let body = NewBody::Bytes(self.pending);
            return Ok(Taken {
                body,
                message_id: self.message_id,
            });
        }
        write(&self.store, &self.spool, &self.pending);
        let mut spooled = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        match (spooled.spool.take(), spooled.refusal.take()) {
            (Some(spool), None) => {
                let body = spool.seal().map_err(|error| super::unavailable(&error))?;
                Ok(Taken {
                    body: NewBody::Sealed(body),
                    message_id: self.message_id,
                })
            }
            (_, refusal) => Err(refusal.unwrap_or_else(|| {
                Refusal::new(
                    451,
                    "4.3.0",
                    "The message cannot be kept now; try again later",
                )
            })),
        }
    }

    /// The head is whole: puts the dressed one, the empty line and the beginning of the body in
    /// front of what follows.
    fn dress(&mut self, head: &Head, body: &[u8]) {
        let Some((_, dress)) = self.head.take() else {
            return;
        };
        match dress(head) {
            Ok(Dressed { bytes, message_id }) => {
                self.message_id = message_id;
                self.pending = [bytes.as_slice(), b"\r\n", body].concat();
            }
            Err(refusal) => self.refusal = Some(refusal),
        }
    }

    /// Remembers why, and forgets what came.
    fn refuse(&mut self, refusal: Refusal) -> Reply<()> {
        self.refusal = Some(refusal);
        self.head = None;
        self.pending = Vec::new();
        self.spool = Arc::default();
        Reply::Now(())
    }
}

fn write(store: &Store, spooled: &Mutex<Spooled>, bytes: &[u8]) {
    let mut spooled = spooled.lock().unwrap_or_else(PoisonError::into_inner);
    if spooled.refusal.is_some() {
        return;
    }
    let spool = spooled.spool.get_or_insert_with(|| store.spool());
    if let Err(error) = spool.write(bytes) {
        spooled.refusal = Some(super::unavailable(&error));
        spooled.spool = None;
    }
}

/// Whether `piece` holds a CR or an LF that is not part of a CR LF. DATA is checked where it is cut;
/// a BDAT chunk is not, and what we keep must be safe to send with DATA (RFC 5321 section 2.3.8).
fn stray_line_end(piece: &[u8], after_cr: &mut bool) -> bool {
    let mut last = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', piece) {
        let follows_cr = *after_cr && at == last;
        if *after_cr && at != last || (piece[at] == b'\n') != follows_cr {
            return true;
        }
        *after_cr = piece[at] == b'\r';
        last = at + 1;
    }
    *after_cr && last != piece.len()
}

fn stray() -> Refusal {
    let words = "The message holds a CR or LF that stands alone; end every line with CR LF";
    Refusal::new(554, "5.6.0", words)
}

/// The refusal for a message of more than `bytes_max` bytes.
pub(super) fn too_large(bytes_max: u64) -> Refusal {
    let words = format!("The message is too large; at most {bytes_max} bytes are taken here");
    Refusal::new(552, "5.3.4", words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stray_line_ends_are_seen_across_pieces(text in "[a\r\n]{0,12}", size in 1_usize..6) {
            let bare = text.replace("\r\n", "");
            let expected = bare.contains(['\r', '\n']);
            let mut after_cr = false;
            let seen = text.as_bytes().chunks(size).any(|piece| stray_line_end(piece, &mut after_cr));
            prop_assert_eq!(seen || after_cr, expected, "{:?}", text);
        }
    }
}
