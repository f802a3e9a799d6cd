//! One frame: a header that describes it, metadata (postcard), and the raw bytes of a body.
//!
//! ```text
//! bytes  0.. 4 magic        4.. 6 version   6.. 8 kind       8..12 metadata length
//!       12..16 body length 16..24 sequence 24..32 group     32..36 CRC32C   36..40 zero
//! ```
//!
//! Numbers are little-endian. The checksum covers the header before it, the salt of the segment (so
//! that a frame copied from elsewhere, or written by a hostile sender into a mail, is never taken
//! for ours), metadata and body. `group` is the sequence of the first frame of the group that was
//! synced together. A frame ends at a multiple of eight bytes. The body is kept as it came, so
//! `grep` finds it.

/// What a frame begins with: not text, not zero.
pub(crate) const MAGIC: [u8; 4] = *b"\x8fGF\n";
/// The newest frame format written and understood here.
pub(crate) const VERSION: u16 = 1;
/// Length of the header.
pub(crate) const HEADER_BYTES: usize = 40;
/// Frames begin at multiples of this.
pub(crate) const ALIGN_BYTES: usize = 8;

/// The fields of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub version: u16,
    pub kind: u16,
    pub metadata_bytes: u32,
    pub body_bytes: u32,
    pub sequence: u64,
    pub group: u64,
    crc: u32,
}

impl Header {
    /// Reads the fields; `None` if these bytes begin no frame. Nothing is verified yet.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (metadata, rest) = rest.split_first_chunk()?;
        let (body, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (group, rest) = rest.split_first_chunk()?;
        let (crc, _) = rest.split_first_chunk()?;
        (*magic == MAGIC).then_some(Self {
            version: u16::from_le_bytes(*version),
            kind: u16::from_le_bytes(*kind),
            metadata_bytes: u32::from_le_bytes(*metadata),
            body_bytes: u32::from_le_bytes(*body),
            sequence: u64::from_le_bytes(*sequence),
            group: u64::from_le_bytes(*group),
            crc: u32::from_le_bytes(*crc),
        })
    }

    /// Whether `content` (metadata and body) is what was written behind this header.
    pub fn matches(&self, salt: &[u8; 16], content: &[u8]) -> bool {
        let head = self.bytes_before_crc();
        crc(&head, salt, &[content]) == self.crc
    }

    /// Length of metadata and body.
    pub fn content_bytes(&self) -> u64 {
        u64::from(self.metadata_bytes) + u64::from(self.body_bytes)
    }

    /// Length of the whole frame, up to the next frame's place.
    pub fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES as u64 + self.content_bytes()).next_multiple_of(ALIGN_BYTES as u64)
    }

    fn bytes_before_crc(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&self.version.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.kind.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.metadata_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.group.to_le_bytes());
        bytes
    }
}

fn crc(head: &[u8], salt: &[u8; 16], content: &[&[u8]]) -> u32 {
    let start = crc32c::crc32c_append(crc32c::crc32c(head), salt);
    content
        .iter()
        .fold(start, |crc, piece| crc32c::crc32c_append(crc, piece))
}

/// A frame ready to be written.
#[derive(Debug)]
pub(crate) struct Encoded {
    head: [u8; HEADER_BYTES],
    metadata: Vec<u8>,
    body: Vec<u8>,
    padding_bytes: usize,
}

/// What a frame carries.
pub(crate) struct Content {
    pub kind: u16,
    pub metadata: Vec<u8>,
    pub body: Vec<u8>,
}

impl Content {
    /// Length of the frame it will make; `None` if a length does not fit its field.
    pub fn frame_bytes(&self) -> Option<u64> {
        u32::try_from(self.metadata.len()).ok()?;
        u32::try_from(self.body.len()).ok()?;
        let bytes = HEADER_BYTES + self.metadata.len() + self.body.len();
        Some((bytes as u64).next_multiple_of(ALIGN_BYTES as u64))
    }

    /// Makes the frame. The lengths were checked by [`Content::frame_bytes`].
    pub fn encode(self, salt: &[u8; 16], sequence: u64, group: u64) -> Encoded {
        let mut header = Header {
            version: VERSION,
            kind: self.kind,
            metadata_bytes: self.metadata.len() as u32,
            body_bytes: self.body.len() as u32,
            sequence,
            group,
            crc: 0,
        };
        let before = header.bytes_before_crc();
        header.crc = crc(&before, salt, &[&self.metadata, &self.body]);
        let mut head = [0; HEADER_BYTES];
        head[..32].copy_from_slice(&before);
        head[32..36].copy_from_slice(&header.crc.to_le_bytes());
        let padding_bytes =
            (header.frame_bytes() - HEADER_BYTES as u64 - header.content_bytes()) as usize;
        Encoded {
            head,
            metadata: self.metadata,
            body: self.body,
            padding_bytes,
        }
    }
}

impl Encoded {
    /// The pieces in the order they are written.
    pub fn pieces(&self) -> [&[u8]; 4] {
        [
            &self.head,
            &self.metadata,
            &self.body,
            &[0; ALIGN_BYTES][..self.padding_bytes],
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_frame_reads_back_and_a_changed_bit_does_not(
            metadata: Vec<u8>, body: Vec<u8>, sequence: u64, group: u64, kind: u16, bit: usize,
        ) {
            let salt = [7; 16];
            let content = Content { kind, metadata: metadata.clone(), body: body.clone() };
            let frame = content.encode(&salt, sequence, group);
            let mut bytes = frame.pieces().concat();
            prop_assert_eq!(bytes.len() % ALIGN_BYTES, 0);
            let read = |bytes: &[u8], salt: &[u8; 16]| {
                let header = Header::parse(bytes.first_chunk()?)?;
                let end = HEADER_BYTES.checked_add(usize::try_from(header.content_bytes()).ok()?)?;
                header.matches(salt, bytes.get(HEADER_BYTES..end)?).then_some(header)
            };
            let header = read(&bytes, &salt).unwrap();
            prop_assert_eq!((header.sequence, header.group, header.kind), (sequence, group, kind));
            prop_assert!(read(&bytes, &[8; 16]).is_none(), "another segment's salt");
            let covered = 36 * 8; // the four bytes behind the checksum and the padding say nothing
            let content_bits = (metadata.len() + body.len()) * 8;
            let bit = bit % (covered + content_bits);
            let bit = if bit < covered { bit } else { bit + 4 * 8 };
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(read(&bytes, &salt).is_none(), "bit {} changed", bit);
        }
    }
}
