//! Finds what is secret in a head, so that the trace never holds it.

use alloc::vec::Vec;
use core::ops::Range;

use memchr::memchr;

/// Fields whose values let somebody in.
const SECRET_FIELDS: [&str; 7] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
];
/// Fields whose values can hold a URL with a query.
const URL_FIELDS: [&str; 3] = ["referer", "location", "content-location"];
/// Query parameters that hold secrets, by a part of their name.
const SECRET_PARAMETERS: [&str; 4] = ["token", "password", "secret", "key"];
/// The parameter by which the watch address lets in.
const WATCH_TOKEN: &[u8] = b"t";

/// The secret ranges of a well-formed head, or of header lines.
pub(super) fn secrets(head: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < head.len() {
        let end = memchr(b'\n', &head[start..]).map_or(head.len(), |feed| start + feed + 1);
        in_line(head, start..end, start == 0, &mut found);
        start = end;
    }
    found
}

/// The same for a head that follows no rules: its first line is read as one, the rest is hidden.
pub(super) fn secrets_in_disorder(head: &[u8]) -> Vec<Range<usize>> {
    let line_end = head.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let first = line_end.unwrap_or(head.len());
    let mut found = Vec::new();
    in_query(head, 0..first, &mut found);
    in_line(head, 0..first, false, &mut found);
    if first < head.len() {
        found.push(first..head.len());
    }
    found
}

fn in_line(head: &[u8], line: Range<usize>, is_first: bool, found: &mut Vec<Range<usize>>) {
    let bytes = &head[line.clone()];
    if let Some(colon) = memchr(b':', bytes) {
        let name = bytes[..colon].trim_ascii();
        let value = line.start + colon + 1..line.start + bytes.trim_ascii_end().len();
        let is_one_of = |names: &[&str]| {
            names
                .iter()
                .any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        };
        if value.is_empty() {
        } else if is_one_of(&SECRET_FIELDS) {
            let spaces = head[value.clone()].len() - head[value.clone()].trim_ascii_start().len();
            found.push(value.start + spaces..value.end);
        } else if is_one_of(&URL_FIELDS) {
            in_query(head, value, found);
        }
    }
    if is_first {
        in_query(head, line, found);
    }
}

/// Values of secret parameters behind the first `?` of a range.
fn in_query(head: &[u8], range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let Some(mark) = memchr(b'?', &head[range.clone()]) else {
        return;
    };
    let mut start = range.start + mark + 1;
    while start < range.end {
        let rest = &head[start..range.end];
        let stop = rest
            .iter()
            .position(|byte| matches!(byte, b'&' | b';' | b' ' | b'\r' | b'\n' | b'#'));
        let end = start + stop.unwrap_or(rest.len());
        if let Some(equals) = memchr(b'=', &head[start..end]) {
            let name = head[start..start + equals].to_ascii_lowercase();
            let holds = |part: &&str| memchr::memmem::find(&name, part.as_bytes()).is_some();
            let is_secret = name == WATCH_TOKEN || SECRET_PARAMETERS.iter().any(holds);
            if is_secret && start + equals + 1 < end {
                found.push(start + equals + 1..end);
            }
        }
        start = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn shown(head: &str, ranges: &[Range<usize>]) -> String {
        let mut bytes = head.as_bytes().to_vec();
        for range in ranges {
            bytes[range.clone()].fill(b'#');
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn only_the_values_of_secrets_are_hidden() {
        let head = "GET /a?x=1&access_token=abc HTTP/1.1\r\nHost: h\r\nCOOKIE:  k=v\r\n\
                    Referer: http://h/?password=p&y=2\r\n\r\n";
        let expected = "GET /a?x=1&access_token=### HTTP/1.1\r\nHost: h\r\nCOOKIE:  ###\r\n\
                        Referer: http://h/?password=#&y=2\r\n\r\n";
        assert_eq!(shown(head, &secrets(head.as_bytes())), expected);
    }

    #[test]
    fn in_disorder_everything_behind_the_first_line_is_hidden() {
        let head = "GET /?token=abc\rCookie : a\n b";
        let expected = "GET /?token=###";
        let shown = shown(head, &secrets_in_disorder(head.as_bytes()));
        assert!(shown.starts_with(expected), "{shown}");
        assert!(shown[expected.len()..].bytes().all(|byte| byte == b'#'));
    }
}
