//! Bytes as printable text, with the escapes of `.dialogue` files: `\\ \r \n \t \* \xHH`.

use alloc::string::String;
use core::fmt::Write;

/// Bytes to printable ASCII. A `*` is escaped, because a transcript's `*` stands for anything.
pub fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'*' => out.push_str("\\*"),
            _ => push_escaped(&mut out, byte),
        }
    }
    out
}

/// The same with `*` as it is: where secrets were masked, a transcript should match any.
pub(crate) fn escaped_with_stars(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    bytes.iter().for_each(|&byte| push_escaped(&mut out, byte));
    out
}

fn push_escaped(out: &mut String, byte: u8) {
    match byte {
        b'\\' => out.push_str("\\\\"),
        b'\r' => out.push_str("\\r"),
        b'\n' => out.push_str("\\n"),
        b'\t' => out.push_str("\\t"),
        b' '..=b'~' => out.push(char::from(byte)),
        _ => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// What a reader of transcripts makes of it.
    pub(crate) fn unescaped(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            out.push(match (byte, byte == b'\\') {
                (_, false) => byte,
                _ => match bytes.next().unwrap() {
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'x' => {
                        let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                        u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    plain => plain,
                },
            });
        }
        out
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = escaped(&bytes);
            prop_assert!(text.is_ascii() && !text.chars().any(char::is_control));
            prop_assert_eq!(unescaped(&text), bytes);
        }
    }
}
