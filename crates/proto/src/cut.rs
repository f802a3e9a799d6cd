//! Cuts a byte stream into the messages a session expects, and bodies into pieces.
//!
//! Everything here remembers how far it has looked, so that no byte is scanned twice however small
//! the pieces arrive, and gives the same result for every way of chopping the stream.

use core::ops::Range;

use memchr::{memchr, memchr2};

use crate::session::{BodyForm, Expect, LineEnd, LineEnds};

/// Where a message lies in the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Whole: its content, how it ended, and how many bytes it takes off the buffer.
    Whole {
        content: Range<usize>,
        ending: LineEnd,
        taken: usize,
    },
    /// Not yet whole.
    More,
    /// Longer than allowed.
    TooLong,
}

/// Looks for the next message in `buffer`. `scanned` is how far an earlier look for the same
/// message came; it is the caller's to keep and to reset after a whole one.
pub(crate) fn message(expect: Expect, buffer: &[u8], scanned: &mut usize) -> Cut {
    match expect {
        Expect::Nothing | Expect::Body { .. } => Cut::More,
        Expect::Line { most } => line(buffer, most, scanned),
        Expect::Head { most } => head(buffer, most, scanned),
        Expect::Counted => counted(buffer),
        Expect::Block { bytes } if buffer.len() < bytes => Cut::More,
        Expect::Block { bytes } => whole(0..bytes, LineEnd::None, bytes),
        Expect::Raw if buffer.is_empty() => Cut::More,
        Expect::Raw => whole(0..buffer.len(), LineEnd::None, buffer.len()),
    }
}

fn whole(content: Range<usize>, ending: LineEnd, taken: usize) -> Cut {
    Cut::Whole {
        content,
        ending,
        taken,
    }
}

fn line(buffer: &[u8], most: usize, scanned: &mut usize) -> Cut {
    let from = (*scanned).min(buffer.len());
    match memchr(b'\n', &buffer[from..]) {
        Some(found) if from + found < most => {
            let feed = from + found;
            if feed > 0 && buffer[feed - 1] == b'\r' {
                whole(0..feed - 1, LineEnd::CrLf, feed + 1)
            } else {
                whole(0..feed, LineEnd::Lf, feed + 1)
            }
        }
        Some(_) => Cut::TooLong,
        None if buffer.len() >= most => Cut::TooLong,
        None => {
            *scanned = buffer.len();
            Cut::More
        }
    }
}

/// A head ends with an empty line. Bare LF ends a line here too (RFC 9112 2.2 lets a recipient
/// recognise it): where it is refused, the session refuses it, seeing the whole head.
fn head(buffer: &[u8], most: usize, scanned: &mut usize) -> Cut {
    let mut from = (*scanned).min(buffer.len());
    while let Some(found) = memchr(b'\n', &buffer[from..]) {
        let feed = from + found;
        let line_before = match feed {
            0 => Some(0),
            _ if buffer[feed - 1] == b'\n' => Some(feed),
            1 if buffer[0] == b'\r' => Some(0),
            _ if buffer[feed - 1] == b'\r' && feed >= 2 && buffer[feed - 2] == b'\n' => {
                Some(feed - 1)
            }
            _ => None,
        };
        if feed >= most {
            return Cut::TooLong;
        }
        if line_before.is_some() {
            return whole(0..feed + 1, LineEnd::None, feed + 1);
        }
        from = feed + 1;
    }
    *scanned = buffer.len();
    if buffer.len() >= most {
        Cut::TooLong
    } else {
        Cut::More
    }
}

fn counted(buffer: &[u8]) -> Cut {
    let [high, low, rest @ ..] = buffer else {
        return Cut::More;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if rest.len() < length {
        Cut::More
    } else {
        whole(2..2 + length, LineEnd::None, 2 + length)
    }
}

/// One step through a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// These bytes of the buffer are content; all before the range's end is used up.
    Piece(Range<usize>),
    /// The content goes on with CR LF; the buffer is used up as far as the number says.
    LineEnd(usize),
    /// The body has ended; the buffer is used up as far as the number says.
    End(usize),
    /// More is needed; the buffer is used up as far as the number says.
    More(usize),
}

/// Takes a body apart.
#[derive(Debug)]
pub(crate) enum Decoder {
    Dot {
        ends: LineEnds,
        at: DotState,
        bare: bool,
    },
    Length {
        left: u64,
    },
    ToClose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DotState {
    /// Behind a true CR LF, or at the very start.
    LineStart,
    Middle,
    /// A CR is used up and not yet content.
    Cr,
    /// A dot at the start of a line is used up.
    Dot,
    /// As `Dot`, then a CR.
    DotCr,
}

impl Decoder {
    pub(crate) fn new(form: BodyForm) -> Self {
        match form {
            BodyForm::Dot(ends) => Self::Dot {
                ends,
                at: DotState::LineStart,
                bare: false,
            },
            BodyForm::Length(left) => Self::Length { left },
            BodyForm::ToClose => Self::ToClose,
        }
    }

    /// A bare CR or LF was met and is refused.
    pub(crate) fn has_refused_line_end(&self) -> bool {
        matches!(
            self,
            Self::Dot {
                ends: LineEnds::Refuse,
                bare: true,
                ..
            }
        )
    }

    /// Goes on in `buffer`, which begins where the last step left off.
    pub(crate) fn step(&mut self, buffer: &[u8]) -> Step {
        match self {
            Self::Length { left: 0 } => Step::End(0),
            Self::Length { .. } | Self::ToClose if buffer.is_empty() => Step::More(0),
            Self::Length { left } => {
                let taken = buffer
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                Step::Piece(0..taken)
            }
            Self::ToClose => Step::Piece(0..buffer.len()),
            Self::Dot { at, bare, .. } => dot_step(at, bare, buffer),
        }
    }
}

fn dot_step(at: &mut DotState, bare: &mut bool, buffer: &[u8]) -> Step {
    let mut used = 0; // swallowed before any content
    loop {
        let Some(&byte) = buffer.get(used) else {
            return Step::More(used);
        };
        match (*at, byte) {
            (DotState::LineStart, b'.') => {
                *at = DotState::Dot;
                used += 1;
            }
            (DotState::Dot, b'\r') => {
                *at = DotState::DotCr;
                used += 1;
            }
            (DotState::DotCr, b'\n') => return Step::End(used + 1),
            (DotState::DotCr, _) => {
                // The dot was stuffing, or content of a line that does not end the body; its CR
                // stands alone.
                *bare = true;
                *at = DotState::Middle;
                return Step::LineEnd(used);
            }
            (DotState::Cr, b'\n') => {
                *at = DotState::LineStart;
                return Step::LineEnd(used + 1);
            }
            (DotState::Cr, _) => {
                *bare = true;
                *at = DotState::Middle;
                return Step::LineEnd(used);
            }
            (DotState::LineStart | DotState::Middle | DotState::Dot, _) => {
                *at = DotState::Middle;
                return content(at, bare, buffer, used);
            }
        }
    }
}

/// The longest run of content from `start`, without a stuffed dot or a stray line end in it.
fn content(at: &mut DotState, bare: &mut bool, buffer: &[u8], start: usize) -> Step {
    let mut from = start;
    loop {
        let Some(found) = memchr2(b'\r', b'\n', &buffer[from..]) else {
            return Step::Piece(start..buffer.len());
        };
        let end = from + found;
        match (buffer[end], buffer.get(end + 1), buffer.get(end + 2)) {
            (b'\r', Some(b'\n'), Some(b'.') | None) => {
                *at = DotState::LineStart;
                return Step::Piece(start..end + 2);
            }
            (b'\r', Some(b'\n'), Some(_)) => from = end + 2,
            // A stray end: content first, then the end by itself on the next step.
            _ if end > start => return Step::Piece(start..end),
            (b'\r', _, _) => {
                *at = DotState::Cr;
                return Step::More(end + 1);
            }
            _ => {
                *bare = true;
                return Step::LineEnd(end + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn decode(chunks: &[&[u8]], ends: LineEnds) -> (Vec<u8>, bool, Option<Vec<u8>>) {
        let mut decoder = Decoder::new(BodyForm::Dot(ends));
        let (mut content, mut buffer) = (Vec::new(), Vec::new());
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            loop {
                let used = match decoder.step(&buffer) {
                    Step::Piece(range) => {
                        content.extend_from_slice(&buffer[range.clone()]);
                        range.end
                    }
                    Step::LineEnd(used) => {
                        content.extend_from_slice(b"\r\n");
                        used
                    }
                    Step::More(used) => {
                        buffer.drain(..used);
                        if used == 0 {
                            break;
                        }
                        continue;
                    }
                    Step::End(used) => {
                        buffer.drain(..used);
                        let Decoder::Dot { bare, .. } = decoder else {
                            unreachable!()
                        };
                        return (content, bare, Some(buffer));
                    }
                };
                buffer.drain(..used);
            }
        }
        let Decoder::Dot { bare, .. } = decoder else {
            unreachable!()
        };
        (content, bare, None)
    }

    #[test]
    fn a_body_ends_at_crlf_dot_crlf_and_nowhere_else() {
        let whole = |text: &'static [u8]| decode(&[text], LineEnds::Normalise);
        assert_eq!(
            whole(b".\r\nQUIT"),
            (b"".to_vec(), false, Some(b"QUIT".to_vec()))
        );
        assert_eq!(
            whole(b"a\r\n.\r\n"),
            (b"a\r\n".to_vec(), false, Some(b"".to_vec()))
        );
        assert_eq!(whole(b"..a\r\n.\r\n").0, b".a\r\n");
        for smuggled in [
            &b"a\n.\nX"[..],
            b"a\n.\r\nX",
            b"a\r\n.\nX",
            b"a\r.\rX",
            b"a\r\n.\r\rX",
            b"a\r\n.\rX",
            b"a\r\n\0.\r\nX",
            b"a\r\n.\r\0\nX",
        ] {
            let (_, _, end) = decode(&[smuggled], LineEnds::Refuse);
            assert_eq!(end, None, "{smuggled:?}");
        }
        let (_, bare, _) = whole(b"a\nb");
        assert!(bare);
    }

    #[test]
    fn heads_end_with_an_empty_line() {
        let cut = |text: &[u8]| message(Expect::Head { most: 100 }, text, &mut 0);
        let taken = |text: &[u8]| match cut(text) {
            Cut::Whole { taken, .. } => Some(taken),
            _ => None,
        };
        assert_eq!(taken(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"), Some(27));
        assert_eq!(taken(b"A\n\nrest"), Some(3));
        assert_eq!(taken(b"\r\nrest"), Some(2));
        assert_eq!(taken(b"GET / HTTP/1.1\r\nHost: a\r\n"), None);
        assert_eq!(cut(&[b'a'; 100]), Cut::TooLong);
    }

    #[test]
    fn a_line_is_allowed_at_n_and_refused_at_n_plus_1() {
        let cut = |text: &[u8]| message(Expect::Line { most: 6 }, text, &mut 0);
        assert_eq!(cut(b"NOOP\r\n"), whole(0..4, LineEnd::CrLf, 6));
        assert_eq!(cut(b"NOOP1\r\n"), Cut::TooLong);
        assert_eq!(cut(b"NOOP1"), Cut::More);
        assert_eq!(cut(b"NOOP12"), Cut::TooLong);
    }

    proptest! {
        #[test]
        fn chopping_changes_nothing(
            text in proptest::collection::vec(prop::sample::select(&b"a.\r\n"[..]), 0..40),
            size in 1_usize..8,
        ) {
            let whole = decode(&[&text], LineEnds::Normalise);
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            prop_assert_eq!(&decode(&chunks, LineEnds::Normalise).0, &whole.0);
            prop_assert_eq!(decode(&chunks, LineEnds::Normalise).1, whole.1);
        }

        #[test]
        fn what_was_stuffed_comes_back(
            text in proptest::collection::vec(prop::sample::select(&b"ab.\r\n"[..]), 0..60),
        ) {
            let mut lines = Vec::new();
            for line in text.split(|&byte| byte == b'\n' || byte == b'\r') {
                lines.extend_from_slice(line);
                lines.extend_from_slice(b"\r\n");
            }
            let mut stuffed = Vec::new();
            let mut stuffer = crate::common::dot::Stuffer::default();
            stuffer.stuff(&lines, &mut stuffed);
            stuffer.end(&mut stuffed);
            let (content, bare, rest) = decode(&[&stuffed], LineEnds::Refuse);
            prop_assert_eq!(content, lines);
            prop_assert!(!bare);
            prop_assert_eq!(rest, Some(Vec::new()));
        }
    }
}
