//! Records to bytes and back, for the segment files of the trace.
//!
//! A frame is the payload's length and its CRC-32 (both little-endian `u32`; the CRC covers the
//! length too), then the payload in postcard's encoding. A segment may be pre-zeroed and may end
//! in the middle of a frame: a reader gives every whole record before that point and says how the
//! rest looks. It does not open files and does not decide where a segment ends.

use alloc::vec::Vec;

use crate::record::Record;

/// What a segment file begins with; the digit is the version of the format.
pub const SEGMENT_HEADER: [u8; 8] = *b"gtrace1\n";

/// Largest payload of one frame in bytes. A message's kept bytes are cut far below this; a larger
/// length in a file can only be damage, and must not make a reader wait for the rest of it.
pub const PAYLOAD_MAX_BYTES: usize = 16 << 20;

const PREFIX_BYTES: usize = 8;

/// The record is larger than [`PAYLOAD_MAX_BYTES`]; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Appends one record as a frame to `out`.
///
/// # Errors
/// [`TooLarge`]; `out` is then as before.
pub fn append(out: &mut Vec<u8>, record: &Record) -> Result<(), TooLarge> {
    let payload = postcard::to_allocvec(record).map_err(|_| TooLarge)?;
    let length = u32::try_from(payload.len()).map_err(|_| TooLarge)?;
    if payload.len() > PAYLOAD_MAX_BYTES {
        return Err(TooLarge);
    }
    out.reserve(PREFIX_BYTES + payload.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(length, &payload).to_le_bytes());
    out.extend_from_slice(&payload);
    Ok(())
}

/// How the bytes behind the last whole record look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing, or only the zeros of a pre-zeroed segment.
    Clean,
    /// The beginning of a frame: a write that is under way or was cut off.
    Torn,
    /// A frame whose checksum or content is wrong.
    Damaged,
}

/// Reads frames from a slice. After it has ended, [`Reader::consumed`] and [`Reader::tail`] say
/// where and why; a follower may read on from there when more bytes have come.
#[derive(Clone, Debug)]
pub struct Reader<'b> {
    bytes: &'b [u8],
    consumed: usize,
    tail: Option<Tail>,
}

impl<'b> Reader<'b> {
    /// Reads frames from the start of `bytes`.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            consumed: 0,
            tail: None,
        }
    }

    /// Reads a whole segment; `None` if it does not begin with [`SEGMENT_HEADER`].
    pub fn of_segment(bytes: &'b [u8]) -> Option<Self> {
        let consumed = SEGMENT_HEADER.len();
        bytes.starts_with(&SEGMENT_HEADER).then_some(Self {
            bytes,
            consumed,
            tail: None,
        })
    }

    /// Length in bytes of the good prefix read so far.
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// Why reading ended; `None` while it has not.
    pub fn tail(&self) -> Option<Tail> {
        self.tail
    }

    fn next_frame(&self) -> Result<(Record, usize), Tail> {
        let rest = &self.bytes[self.consumed..];
        let Some((prefix, behind)) = rest.split_at_checked(PREFIX_BYTES) else {
            return Err(if rest.iter().all(|&byte| byte == 0) {
                Tail::Clean
            } else {
                Tail::Torn
            });
        };
        let length = word(&prefix[..4]);
        let length_bytes = length as usize;
        if length_bytes == 0 {
            // No record has an empty payload, so this is the pre-zeroed part.
            let zeros = prefix.iter().all(|&byte| byte == 0);
            return Err(if zeros { Tail::Clean } else { Tail::Damaged });
        }
        if length_bytes > PAYLOAD_MAX_BYTES {
            return Err(Tail::Damaged);
        }
        let payload = behind.get(..length_bytes).ok_or(Tail::Torn)?;
        if checksum(length, payload) != word(&prefix[4..]) {
            return Err(Tail::Damaged);
        }
        let record = postcard::from_bytes(payload).map_err(|_| Tail::Damaged)?;
        Ok((record, PREFIX_BYTES + length_bytes))
    }
}

impl Iterator for Reader<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.tail.is_some() {
            return None;
        }
        match self.next_frame() {
            Ok((record, length_bytes)) => {
                self.consumed += length_bytes;
                Some(record)
            }
            Err(tail) => {
                self.tail = Some(tail);
                None
            }
        }
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| (value << 8) | u32::from(byte))
}

fn checksum(length: u32, payload: &[u8]) -> u32 {
    let begun = crc32(!0, &length.to_le_bytes());
    !crc32(begun, payload)
}

/// CRC-32 (ISO-HDLC, reflected polynomial EDB88320), without the final inversion.
fn crc32(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |crc, &byte| {
        (crc >> 8) ^ CRC_TABLE[((crc ^ u32::from(byte)) & 0xff) as usize]
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0_u32; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                (value >> 1) ^ 0xedb8_8320
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use proptest::prelude::*;

    fn written(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            append(&mut bytes, record).unwrap();
        }
        bytes
    }

    fn letter() -> Vec<Record> {
        fixture::letter()
            .into_iter()
            .map(|(_, record)| record)
            .collect()
    }

    #[test]
    fn the_checksum_is_the_common_crc32() {
        assert_eq!(!crc32(!0, b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_was_written_reads_back() {
        let records = letter();
        let mut bytes = SEGMENT_HEADER.to_vec();
        bytes.extend_from_slice(&written(&records));
        let end = bytes.len();
        bytes.extend_from_slice(&[0; 4096]); // a pre-zeroed rest
        let mut reader = Reader::of_segment(&bytes).unwrap();
        assert_eq!(reader.by_ref().collect::<Vec<_>>(), records);
        assert_eq!((reader.consumed(), reader.tail()), (end, Some(Tail::Clean)));
        assert!(Reader::of_segment(&bytes[1..]).is_none());
    }

    #[test]
    fn a_torn_tail_gives_every_whole_record_before_it() {
        let records = letter();
        let bytes = written(&records[..3]);
        let whole = written(&records[..2]).len();
        for end in whole + 1..bytes.len() {
            let mut reader = Reader::new(&bytes[..end]);
            assert_eq!(reader.by_ref().count(), 2);
            // A cut within the length may look like zeros of a pre-zeroed segment.
            assert!(matches!(reader.tail(), Some(Tail::Torn | Tail::Clean)));
            assert_eq!(reader.consumed(), whole);
        }
    }

    #[test]
    fn one_flipped_bit_is_noticed_wherever_it_is() {
        let records = letter();
        let bytes = written(&records[..2]);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let read: Vec<_> = Reader::new(&damaged).collect();
            assert!(read.len() < 2 && read == records[..read.len()], "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_prefix_and_never_a_panic(
            noise in proptest::collection::vec(any::<u8>(), 0..300),
            keep in 0_usize..2000,
        ) {
            let mut bytes = written(&letter()[..4]);
            bytes.truncate(keep);
            bytes.extend_from_slice(&noise);
            let mut reader = Reader::new(&bytes);
            let read: Vec<_> = reader.by_ref().collect();
            prop_assert!(reader.consumed() <= bytes.len());
            prop_assert_eq!(written(&read), &bytes[..reader.consumed()]);
        }

        #[test]
        fn a_payload_of_any_bytes_never_panics(noise in proptest::collection::vec(any::<u8>(), 1..300)) {
            let length = noise.len() as u32;
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.extend_from_slice(&checksum(length, &noise).to_le_bytes());
            bytes.extend_from_slice(&noise);
            prop_assert!(Reader::new(&bytes).count() <= 1);
        }
    }
}
