//! Dot-stuffing, the writing side (RFC 5321 4.5.2, RFC 1939 3). The reading side is the cutter.

use alloc::vec::Vec;

use memchr::memchr_iter;

/// Writes a body so that no line of it ends the body, whatever pieces it comes in.
#[derive(Debug)]
pub struct Stuffer {
    line_start: bool,
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
    /// Appends `piece` to `out` with dots doubled at line starts. A bare LF starts a line too: some
    /// readers take it for one, and a doubled dot there cannot end anything.
    pub fn stuff(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Some(&last) = piece.last() else { return };
        if self.line_start && piece[0] == b'.' {
            out.push(b'.');
        }
        let mut from = 0;
        for feed in memchr_iter(b'\n', piece) {
            if piece.get(feed + 1) == Some(&b'.') {
                out.extend_from_slice(&piece[from..=feed]);
                out.push(b'.');
                from = feed + 1;
            }
        }
        out.extend_from_slice(&piece[from..]);
        self.line_start = last == b'\n';
        self.after_cr = last == b'\r';
    }

    /// Ends the body, closing an unfinished last line first.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let closing: &[u8] = match (self.line_start, self.after_cr) {
            (true, _) => b".\r\n",
            (false, true) => b"\n.\r\n",
            (false, false) => b"\r\n.\r\n",
        };
        out.extend_from_slice(closing);
    }
}
