//! What a worker and its watcher tell each other: frames over a socket pair.
//!
//! A frame is one byte for its kind, four of length (little endian), and the content: words in
//! postcard's encoding, or bytes of a body as they are. Nothing in it says who the client is.

use std::io::{self, Read, Write};

use guichet_proto::SourceId;
use guichet_trace::Record;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A worker may have sent so much of a body before the watcher has taken it, and one piece more.
pub const WINDOW_BYTES: usize = 128 * 1024;
const FRAME_BYTES_MOST: usize = 1024 * 1024;
const WORDS: u8 = 1;
const BYTES: u8 = 2;

#[derive(Serialize, Deserialize)]
pub enum FromWorker<Ask> {
    Ask(Ask),
    Pull { source: SourceId, most: usize },
    Record(Record),
    Ended,
}

#[derive(Serialize, Deserialize)]
pub enum ToWorker<Answer> {
    Answer(Answer),
    /// So many bytes of the body have been taken.
    Taken(usize),
    /// A source has ended; true if it was whole. Its bytes travel as frames of their own.
    SourceEnd(bool),
    Stop,
}

pub enum Frame<Words> {
    Words(Words),
    Bytes(Vec<u8>),
}

pub fn write_words(channel: &mut impl Write, words: &impl Serialize) -> io::Result<()> {
    let content = postcard::to_allocvec(words).map_err(io::Error::other)?;
    write(channel, WORDS, &content)
}

pub fn write_bytes(channel: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write(channel, BYTES, bytes)
}

fn write(channel: &mut impl Write, kind: u8, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(5 + content.len());
    frame.push(kind);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(content);
    channel.write_all(&frame)
}

/// The next frame. `UnexpectedEof` is the end of the other process, `InvalidData` a frame that no
/// honest one sends.
pub fn read<Words: DeserializeOwned>(channel: &mut impl Read) -> io::Result<Frame<Words>> {
    let mut head = [0; 5];
    channel.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME_BYTES_MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut content = vec![0; length];
    channel.read_exact(&mut content)?;
    match kind {
        WORDS => postcard::from_bytes(&content)
            .map(Frame::Words)
            .map_err(|_| io::ErrorKind::InvalidData.into()),
        BYTES => Ok(Frame::Bytes(content)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
