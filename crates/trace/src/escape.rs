//! Bytes as printable text and back, as `.dialogue` files write them: printable ASCII and whole
//! UTF-8 characters stand for themselves; `\\`, `\r`, `\n`, `\t`, `\xNN` for the rest.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// Bytes to text without control characters.
pub fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                _ if crate::text::is_hidden(character) => {
                    let mut utf8 = [0; 4];
                    escape_bytes(&mut out, character.encode_utf8(&mut utf8).as_bytes());
                }
                _ => out.push(character),
            }
        }
        escape_bytes(&mut out, chunk.invalid());
    }
    out
}

fn escape_bytes(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// Text to bytes; `None` at an escape that [`escaped`] never writes.
pub fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&kind, behind) = rest.split_first()?;
        rest = behind;
        out.push(match kind {
            b'\\' => b'\\',
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'x' => {
                let digits = rest.get(..2)?;
                rest = &rest[2..];
                u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn readable_text_stays_readable() {
        assert_eq!(escaped("é \\ \0\r\n".as_bytes()), "é \\\\ \\x00\\r\\n");
        assert_eq!(escaped(b"\xff\xe2\x80\xae"), "\\xff\\xe2\\x80\\xae");
        assert_eq!(unescaped("\\q"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = escaped(&bytes);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(unescaped(&text), Some(bytes));
        }
    }
}
