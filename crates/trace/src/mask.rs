//! Masking: what a session knows to be secret is overwritten before a record leaves it.

use core::ops::Range;

/// Replaces every byte within `ranges` by `*`. The length stays, so that sizes and positions in the
/// trace remain true; what lies outside `bytes` is ignored. Returns whether anything was masked.
pub fn mask(bytes: &mut [u8], ranges: &[Range<usize>]) -> bool {
    let mut masked = false;
    for range in ranges {
        let end = range.end.min(bytes.len());
        if let Some(secret) = bytes.get_mut(range.start..end) {
            masked |= !secret.is_empty();
            secret.fill(b'*');
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_gone_and_the_length_stays() {
        let mut line = *b"PASS canary-7f3a\r\n";
        assert!(mask(&mut line, core::slice::from_ref(&(5..16))));
        assert_eq!(&line, b"PASS ***********\r\n");
    }

    #[test]
    fn ranges_beyond_the_end_or_reversed_do_no_harm() {
        let mut line = *b"abc";
        let reversed = Range { start: 2, end: 1 };
        assert!(mask(&mut line, &[reversed, 2..9, 7..9]));
        assert_eq!(&line, b"ab*");
        assert!(!mask(&mut line, core::slice::from_ref(&(3..3))));
    }
}
