//! Times in zone files: `$TTL 1h`, `2d12h`, as BIND, NSD and Knot take them and RFC 1035 does not.
//!
//! The scanner knows seconds only, so such times become seconds before it sees them, where a time
//! can stand: behind `$TTL`, before the type, and in the last four fields of an SOA. Lines stay
//! lines.

use std::ops::Range;

/// The text with times in seconds.
pub(super) fn in_seconds(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut copied = 0;
    let mut entry = Entry::default();
    let mut rewrite = |entry: &Entry| {
        for range in entry.times(text) {
            if let Some(seconds) = seconds(&text[range.clone()]) {
                result.push_str(&text[copied..range.start]);
                result.push_str(&seconds.to_string());
                copied = range.end;
            }
        }
    };
    for token in (Words {
        text,
        at: 0,
        depth: 0,
    }) {
        match token {
            Token::Word(range) => entry.words.push(range),
            Token::Blank if entry.words.is_empty() => entry.indented = true,
            Token::Blank => {}
            Token::End => {
                rewrite(&entry);
                entry = Entry::default();
            }
        }
    }
    rewrite(&entry);
    result.push_str(&text[copied..]);
    result
}

/// The words of one record or directive.
#[derive(Default)]
struct Entry {
    indented: bool,
    words: Vec<Range<usize>>,
}

impl Entry {
    /// The words that may be times.
    fn times(&self, text: &str) -> Vec<Range<usize>> {
        let word = |at: usize| self.words.get(at).map(|range| &text[range.clone()]);
        if word(0).is_some_and(|word| word.eq_ignore_ascii_case("$TTL")) {
            return self.words.iter().skip(1).take(1).cloned().collect();
        }
        let mut times = Vec::new();
        let mut at = usize::from(!self.indented);
        // TTL and class, in either order.
        for _ in 0..2 {
            match word(at) {
                Some(class) if class.eq_ignore_ascii_case("IN") => {}
                Some(time) if time.starts_with(|first: char| first.is_ascii_digit()) => {
                    times.extend(self.words.get(at).cloned());
                }
                _ => break,
            }
            at += 1;
        }
        if word(at).is_some_and(|rtype| rtype.eq_ignore_ascii_case("SOA")) {
            // Primary, contact and serial stand between.
            times.extend(self.words.iter().skip(at + 4).take(4).cloned());
        }
        times
    }
}

enum Token {
    Word(Range<usize>),
    Blank,
    End,
}

/// Cuts a zone file into words; quoted strings are words, comments and parentheses are nothing.
struct Words<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Iterator for Words<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let bytes = self.text.as_bytes();
        loop {
            let start = self.at;
            self.at += 1;
            match *bytes.get(start)? {
                b'\n' if self.depth == 0 => return Some(Token::End),
                b' ' | b'\t' | b'\r' | b'\n' => return Some(Token::Blank),
                b'(' => self.depth += 1,
                b')' => self.depth = self.depth.saturating_sub(1),
                b';' => self.skip(|byte| byte != b'\n'),
                b'"' => {
                    self.skip(|byte| byte != b'"');
                    self.at += 1;
                    return Some(Token::Word(start..self.at.min(bytes.len())));
                }
                first => {
                    self.at = start;
                    self.skip(|byte| !b" \t\r\n();\"".contains(&byte));
                    debug_assert!(self.at > start, "no progress at {first}");
                    return Some(Token::Word(start..self.at));
                }
            }
        }
    }
}

impl Words<'_> {
    /// Goes on while bytes are wanted; what a backslash stands before is always wanted.
    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at)
            && wanted(byte)
        {
            self.at += if byte == b'\\' { 2 } else { 1 };
        }
        self.at = self.at.min(bytes.len());
    }
}

/// Seconds of a time with units, such as `1h30m`; `None` for plain numbers and other words.
fn seconds(word: &str) -> Option<u32> {
    let mut total: u32 = 0;
    let mut number: Option<u32> = None;
    for byte in word.bytes() {
        let unit = match byte.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => {
                let tens = number.unwrap_or(0).checked_mul(10)?;
                number = Some(tens.checked_add(u32::from(digit - b'0'))?);
                continue;
            }
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    number.is_none().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_seconds_where_a_time_stands() {
        let cases = [
            ("$TTL 1h ; 2h\n", "$TTL 3600 ; 2h\n"),
            ("www 1d IN A 1.2.3.4", "www 86400 IN A 1.2.3.4"),
            ("www IN 1w2d A 1.2.3.4", "www IN 777600 A 1.2.3.4"),
            ("  5M A 1.2.3.4", "  300 A 1.2.3.4"),
            (
                "@ SOA 1h 2h 3 4h 5m ( ; 6d\n 7d\n 8S )\nx",
                "@ SOA 1h 2h 3 14400 300 ( ; 6d\n 604800\n 8 )\nx",
            ),
            // Names and texts that only look like times.
            ("1h A 1.2.3.4\n1h CNAME 2d\n", "1h A 1.2.3.4\n1h CNAME 2d\n"),
            ("x TXT 1h \"2h\" 3h", "x TXT 1h \"2h\" 3h"),
            (
                "x TXT \"a\\\" ; ( 1h\"\ny 1h A 1.2.3.4",
                "x TXT \"a\\\" ; ( 1h\"\ny 3600 A 1.2.3.4",
            ),
            ("x 300 A 1.2.3.4", "x 300 A 1.2.3.4"),
            ("x 1h2 A 1.2.3.4", "x 1h2 A 1.2.3.4"),
            ("x 9999w A 1.2.3.4", "x 9999w A 1.2.3.4"),
        ];
        for (text, expected) in cases {
            assert_eq!(in_seconds(text), expected);
        }
    }
}
