//! Reads the frames of one segment, and finds where they go on behind bytes that are none.

use std::io;

use super::Place;
use super::frame::{ALIGN_BYTES, HEADER_BYTES, Header, MAGIC, VERSION};
use super::segment::Segment;
use crate::error::StoreError;

const WINDOW_BYTES: usize = 64 << 10;
const ZEROS: &[u8] = &[0; WINDOW_BYTES];

/// A frame as read, verified.
pub(crate) struct Frame {
    pub header: Header,
    pub metadata: Vec<u8>,
    pub place: Place,
    pub offset_bytes: u64,
}

/// What lies next in a segment.
pub(crate) enum Found {
    /// A frame.
    Frame(Box<Frame>),
    /// No frame, but one follows at `to`.
    Gap { from: u64, to: u64 },
    /// No frame and none behind; bytes up to `to` are not zero (`from == to`: a clean end).
    End { from: u64, to: u64 },
}

/// Goes through one segment.
pub(crate) struct Scan<'a> {
    segment: &'a Segment,
    at: u64,
    /// Frames up to this sequence number are old and not taken again.
    after: u64,
}

impl<'a> Scan<'a> {
    /// From offset `at` on, for frames whose number is above `after`.
    pub fn new(segment: &'a Segment, at: u64, after: u64) -> Self {
        Self { segment, at, after }
    }

    /// What lies next. After an [`Found::End`] there is nothing more to ask.
    pub fn next(&mut self) -> Result<Found, StoreError> {
        if let Some(frame) = self.frame_at(self.at)? {
            self.at = frame.place.end_bytes;
            self.after = frame.header.sequence;
            return Ok(Found::Frame(Box::new(frame)));
        }
        let from = self.at;
        let mut last_used = from;
        let mut window = vec![0; WINDOW_BYTES];
        let mut offset = from;
        while offset < self.segment.len_bytes {
            let count = self.read(&mut window, offset)?;
            if count == 0 {
                break;
            }
            let bytes = &window[..count];
            if bytes != &ZEROS[..count] {
                if let Some(to) = self.frame_in(bytes, offset, from)? {
                    self.at = to;
                    return Ok(Found::Gap { from, to });
                }
                if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
                    last_used = offset + last as u64 + 1;
                }
            }
            offset += count as u64;
        }
        Ok(Found::End {
            from,
            to: last_used,
        })
    }

    /// The first valid frame that begins in this window, beyond `beyond`.
    fn frame_in(&self, bytes: &[u8], offset: u64, beyond: u64) -> Result<Option<u64>, StoreError> {
        for (index, start) in bytes.chunks(ALIGN_BYTES).enumerate() {
            let at = offset + (index * ALIGN_BYTES) as u64;
            if start.starts_with(&MAGIC) && at > beyond && self.frame_at(at)?.is_some() {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn frame_at(&self, at: u64) -> Result<Option<Frame>, StoreError> {
        let mut head = [0; HEADER_BYTES];
        if self.read(&mut head, at)? < HEADER_BYTES {
            return Ok(None);
        }
        let Some(header) = Header::parse(&head) else {
            return Ok(None);
        };
        let end_bytes = at + header.frame_bytes();
        if header.sequence <= self.after || end_bytes > self.segment.len_bytes {
            return Ok(None);
        }
        let mut content = vec![0; header.content_bytes() as usize];
        let complete = self.read(&mut content, at + HEADER_BYTES as u64)? == content.len();
        if !complete || !header.matches(&self.segment.salt, &content) {
            return Ok(None);
        }
        if header.version > VERSION {
            return Err(StoreError::NewerFormat {
                file: self.segment.path.clone(),
                found: u32::from(header.version),
                known: u32::from(VERSION),
            });
        }
        content.truncate(header.metadata_bytes as usize); // the body stays on the disk
        let place = Place {
            sequence: header.sequence,
            segment: self.segment.number,
            body_offset_bytes: at + HEADER_BYTES as u64 + u64::from(header.metadata_bytes),
            end_bytes,
        };
        Ok(Some(Frame {
            header,
            metadata: content,
            place,
            offset_bytes: at,
        }))
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<usize, StoreError> {
        let failed = |error: io::Error| StoreError::io("reading", &self.segment.path, &error);
        self.segment.file.read_at(buffer, offset).map_err(failed)
    }
}
