//! Dot-stuffing, the writing side (RFC 5321 4.5.2, RFC 1939 3). The reading side is the cutter.

use alloc::vec::Vec;

use memchr::memchr2;

/// Writes a body so that no line of it ends the body, whatever pieces it comes in and whatever the
/// reader takes for the end of a line: a CR or LF that stands alone becomes CR LF (RFC 5321 2.3.8
/// forbids to send one, and readers that disagree about it can be made to see two letters).
#[derive(Debug)]
pub struct Stuffer {
    line_start: bool,
    /// A CR is held back until it is known whether LF follows.
    after_cr: bool,
}

impl Default for Stuffer {
    fn default() -> Self {
        Self {
            line_start: true,
            after_cr: false,
        }
    }
}

impl Stuffer {
    /// Appends `piece` to `out` with dots doubled at line starts.
    pub fn stuff(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        if rest.is_empty() {
            return;
        }
        if core::mem::take(&mut self.after_cr) {
            out.extend_from_slice(b"\r\n");
            self.line_start = true;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while !rest.is_empty() {
            rest = self.line(rest, out);
        }
    }

    /// Appends what stands before the next line end, and that; gives what is left.
    fn line<'a>(&mut self, text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        if self.line_start && text[0] == b'.' {
            out.push(b'.');
        }
        let Some(end) = memchr2(b'\r', b'\n', text) else {
            self.line_start = false;
            out.extend_from_slice(text);
            return &[];
        };
        let behind = match &text[end..] {
            [b'\r'] => {
                out.extend_from_slice(&text[..end]);
                self.after_cr = true;
                return &[];
            }
            [b'\r', b'\n', ..] => end + 2,
            _ => end + 1,
        };
        out.extend_from_slice(&text[..end]);
        out.extend_from_slice(b"\r\n");
        self.line_start = true;
        &text[behind..]
    }

    /// Ends the body, closing an unfinished last line first.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let is_closed = self.line_start && !self.after_cr;
        let closing: &[u8] = if is_closed { b".\r\n" } else { b"\r\n.\r\n" };
        out.extend_from_slice(closing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    fn stuffed(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut stuffer, mut out) = (Stuffer::default(), Vec::new());
        for piece in pieces {
            stuffer.stuff(piece, &mut out);
        }
        stuffer.end(&mut out);
        out
    }

    #[test]
    fn every_line_end_becomes_cr_lf_and_every_dot_behind_it_two() {
        for (text, expected) in [
            (&b""[..], &b".\r\n"[..]),
            (b".", b"..\r\n.\r\n"),
            (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"),
            (b"a\n.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r", b"a\r\n.\r\n"),
            (b"a\r\r\n", b"a\r\n\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(&[text]), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn only_the_end_looks_like_an_end_to_anyone(text in "[a.\r\n]{0,30}", size in 1_usize..6) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let out = String::from_utf8(stuffed(&pieces)).unwrap();
            prop_assert_eq!(out.as_bytes(), stuffed(&[text.as_bytes()]));
            let body = out.strip_suffix(".\r\n").unwrap();
            prop_assert!(!body.replace("\r\n", "").contains(['\r', '\n']));
            prop_assert!(body.split("\r\n").all(|line| line != "."));
        }
    }
}
