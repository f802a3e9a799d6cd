//! A letter made ready for handing over: what it needs of the other server, and its head for a
//! report.

use std::sync::Arc;

use guichet_store::{Body, QueuedMessage, Store, StoreError};
use guichet_trace::Cause;

use crate::mail::head::{HeadRead, HeadReader};
use crate::mail::outside::{Letter, LetterBody};
use crate::mail::transaction::return_path;

/// Read at once.
const PIECE_BYTES: usize = 64 << 10;

/// Opens a letter for `recipients`. Reads it once from the disk, in the calling thread.
pub(super) fn open(
    store: &Store,
    message: &QueuedMessage,
    recipients: &[String],
    causes: Vec<Cause>,
) -> Result<Letter, StoreError> {
    let body = Arc::new(store.body(message.body)?);
    let own = return_path(&message.sender);
    let front = body.read(0, own.len())?;
    let skip_bytes = if front == own.as_bytes() {
        front.len() as u64
    } else {
        0
    };
    let body = LetterBody::new(body, skip_bytes);
    let (eight_bit, head_is_ascii) = look(&body)?;
    let addresses = recipients.iter().chain([&message.sender]);
    Ok(Letter {
        queue_id: message.queue_id.to_string(),
        sender: message.sender.clone(),
        recipients: recipients.to_vec(),
        body,
        eight_bit,
        utf8: !head_is_ascii || addresses.into_iter().any(|address| !address.is_ascii()),
        causes,
    })
}

/// Whether there are bytes above 127 anywhere, and whether there are none in the head.
fn look(body: &LetterBody) -> Result<(bool, bool), StoreError> {
    let (mut at, mut eight_bit, mut head_is_ascii) = (0, false, true);
    let mut reader = Some(HeadReader::default());
    loop {
        let piece = body.read(at, PIECE_BYTES)?;
        if piece.is_empty() {
            return Ok((eight_bit, head_is_ascii));
        }
        at += piece.len() as u64;
        eight_bit |= !piece.is_ascii();
        match reader.as_mut().map(|reader| reader.read(&piece)) {
            Some(HeadRead::Whole(head, _)) => {
                head_is_ascii = head.is_ascii();
                reader = None;
            }
            Some(HeadRead::TooLong) => reader = None,
            Some(HeadRead::More) | None => {}
        }
        if eight_bit && reader.is_none() {
            return Ok((eight_bit, head_is_ascii));
        }
    }
}

/// The letter's head, for a report; empty if it cannot be found.
pub(super) fn head(store: &Store, message: &QueuedMessage) -> Result<Vec<u8>, StoreError> {
    let body: Body = store.body(message.body)?;
    let (mut at, mut reader) = (0, HeadReader::default());
    loop {
        let piece = body.read(at, PIECE_BYTES)?;
        if piece.is_empty() {
            return Ok(reader.end().0.without(&["return-path"]));
        }
        at += piece.len() as u64;
        match reader.read(&piece) {
            HeadRead::More => {}
            HeadRead::Whole(head, _) => return Ok(head.without(&["return-path"])),
            HeadRead::TooLong => return Ok(Vec::new()),
        }
    }
}
