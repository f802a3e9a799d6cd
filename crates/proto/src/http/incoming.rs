//! A body being received: by length, in chunks (RFC 9112 7.1), or until the peer closes. The same
//! for requests and replies.

use crate::session::{BodyEnd, BodyFault, BodyForm, Expect, LineEnd, Message};

use super::head::is_token_byte;
use super::limits::{CHUNK_EXTENSION_BYTES_MOST, CHUNK_LINE_BYTES_MOST, TRAILER_BYTES_MOST};

/// What is known of a body so far.
#[derive(Debug)]
pub(super) struct Incoming {
    at: At,
    /// Content bytes lent.
    bytes: u64,
    /// Content bytes allowed.
    most: u64,
    extension_bytes: usize,
    trailer_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// By length or to the close.
    Plain(BodyForm),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
}

/// What came of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More follows.
    More,
    /// The body was so long and is whole.
    Whole(u64),
    /// It is not.
    Broken(Fault),
}

/// Why a body is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLong,
    Cut,
    /// Against the grammar, in words.
    Malformed(&'static str),
}

impl Incoming {
    pub(super) fn length(length: u64) -> Self {
        Self::new(At::Plain(BodyForm::Length(length)), length)
    }

    pub(super) fn chunked(most: u64) -> Self {
        Self::new(At::ChunkSize, most)
    }

    pub(super) fn to_close(most: u64) -> Self {
        Self::new(At::Plain(BodyForm::ToClose), most)
    }

    fn new(at: At, most: u64) -> Self {
        Self {
            at,
            bytes: 0,
            most,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }

    pub(super) fn expects(&self) -> Expect {
        match self.at {
            At::Plain(form) => Expect::Body {
                form,
                most: self.most,
            },
            At::ChunkData(length) => Expect::Body {
                form: BodyForm::Length(length),
                most: length,
            },
            At::ChunkSize => Expect::Line {
                most: CHUNK_LINE_BYTES_MOST,
            },
            At::ChunkEnd => Expect::Line { most: 2 },
            At::Trailer => Expect::Line {
                most: TRAILER_BYTES_MOST,
            },
        }
    }

    /// What the trace calls the line that is expected.
    pub(super) fn line_name(&self) -> &'static str {
        match self.at {
            At::Trailer => "trailer",
            _ => "chunk",
        }
    }

    pub(super) fn message(&mut self, message: Message<'_>) -> Progress {
        if message.ending != LineEnd::CrLf || memchr::memchr(b'\r', message.bytes).is_some() {
            return malformed("A line between the chunks of the body does not end with CR LF.");
        }
        match self.at {
            At::ChunkSize => self.chunk_size(message.bytes),
            At::ChunkEnd if message.bytes.is_empty() => self.go_on(At::ChunkSize),
            At::ChunkEnd => malformed("A chunk of the body is longer than its size says."),
            At::Trailer if message.bytes.is_empty() => Progress::Whole(self.bytes),
            At::Trailer => self.trailer(message.bytes),
            At::Plain(_) | At::ChunkData(_) => Progress::More, // lines are not expected here
        }
    }

    pub(super) fn body_end(&mut self, end: BodyEnd) -> Progress {
        self.bytes = self.bytes.saturating_add(end.bytes);
        match (end.fault, self.at) {
            (Some(BodyFault::TooLong), _) => Progress::Broken(Fault::TooLong),
            (Some(_), _) => Progress::Broken(Fault::Cut),
            (None, At::ChunkData(_)) => self.go_on(At::ChunkEnd),
            (None, _) => Progress::Whole(self.bytes),
        }
    }

    fn go_on(&mut self, at: At) -> Progress {
        self.at = at;
        Progress::More
    }

    /// `1*HEXDIG [ chunk-ext ]`, nothing else: `0x10`, ` 10`, `+10` and `10 ` have all been read
    /// differently by different programs.
    fn chunk_size(&mut self, line: &[u8]) -> Progress {
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let (size, extension) = line.split_at(digits);
        let is_size = (1..=15).contains(&digits);
        let size = core::str::from_utf8(size).ok();
        let size = size.and_then(|size| u64::from_str_radix(size, 16).ok());
        let (true, Some(size)) = (is_size, size) else {
            return malformed("A chunk size is not a hexadecimal number.");
        };
        let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        if !extension.is_empty() && (extension[0] != b';' || !extension.iter().all(is_text)) {
            return malformed("A chunk size is followed by something that is no extension.");
        }
        self.extension_bytes += extension.len();
        if self.extension_bytes > CHUNK_EXTENSION_BYTES_MOST {
            return malformed("The chunk extensions are too long.");
        }
        if size == 0 {
            return self.go_on(At::Trailer);
        }
        // Known before a byte of it has come.
        if size > self.most - self.bytes.min(self.most) {
            return Progress::Broken(Fault::TooLong);
        }
        self.go_on(At::ChunkData(size))
    }

    fn trailer(&mut self, line: &[u8]) -> Progress {
        self.trailer_bytes += line.len() + 2;
        let is_field = memchr::memchr(b':', line)
            .is_some_and(|colon| colon > 0 && line[..colon].iter().copied().all(is_token_byte));
        if !is_field {
            return malformed("A trailer field is malformed.");
        }
        if self.trailer_bytes > TRAILER_BYTES_MOST {
            return malformed("The trailer section is too long.");
        }
        Progress::More
    }
}

fn malformed(sentence: &'static str) -> Progress {
    Progress::Broken(Fault::Malformed(sentence))
}
