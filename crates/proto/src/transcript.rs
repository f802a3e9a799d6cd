//! Transcripts (`.dialogue` files): a dialogue as text, to be played as a test and read as a
//! document. The trace exports the same syntax.
//!
//! ```text
//! # title: relaying is refused         header, `# key: value`
//! C: EHLO client.test                  the client says this line, CR LF behind it
//! S: 250-mail.nord.test *              the server says it; `*` stands for anything in the line
//! C: half a line\                      a backslash at the end: no CR LF
//! D: Recipient                         the service was asked something that reads so (its start)
//! T: +5m                               time passes: ms, s, m, h
//! ! tls                                a control: tls, half-close, closed, stop
//! ```
//! Escapes: `\\ \r \n \t \0 \* \xHH`.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// A parsed transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// `# key: value` lines, in order.
    pub header: Vec<(String, String)>,
    /// The rest, each with its line number (from 1).
    pub steps: Vec<(usize, Step)>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What the client says.
    Client(Text),
    /// What the server says.
    Server(Text),
    /// What the service is asked.
    Decision(String),
    /// Time passes.
    Time(Duration),
    /// Something besides words.
    Control(Control),
}

/// What is said: bytes and, between them, `*` for anything (without a line end).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    parts: Vec<Vec<u8>>,
}

/// Something besides words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The TLS handshake happens here.
    Tls,
    /// The other side ends its sending direction.
    HalfClose,
    /// Our side has closed.
    Closed,
    /// Our side is told to stop.
    Stop,
}

/// What is wrong with a transcript, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptError {
    /// Line number, from 1.
    pub line: usize,
    /// What was expected.
    pub what: String,
}

impl Transcript {
    /// Reads a transcript.
    pub fn parse(text: &str) -> Result<Self, TranscriptError> {
        let mut transcript = Self::default();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let at = |what: &str| TranscriptError {
                line: number,
                what: what.to_owned(),
            };
            if line.trim().is_empty() {
                continue;
            }
            if let Some(comment) = line.strip_prefix('#') {
                if let Some((key, value)) = comment.split_once(':') {
                    transcript
                        .header
                        .push((key.trim().to_string(), value.trim().to_string()));
                }
                continue;
            }
            transcript
                .steps
                .push((number, step(line).map_err(|what| at(&what))?));
        }
        Ok(transcript)
    }

    /// The value of a header line.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.header
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

fn step(line: &str) -> Result<Step, String> {
    let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    match mark {
        "C:" => Text::parse(rest).map(Step::Client),
        "S:" => Text::parse(rest).map(Step::Server),
        "D:" => Ok(Step::Decision(rest.to_owned())),
        "T:" => duration(rest).map(Step::Time),
        "! " | "!" => match rest {
            "tls" => Ok(Step::Control(Control::Tls)),
            "half-close" => Ok(Step::Control(Control::HalfClose)),
            "closed" => Ok(Step::Control(Control::Closed)),
            "stop" => Ok(Step::Control(Control::Stop)),
            other => Err(format!(
                "expected tls, half-close, closed or stop, got {other}"
            )),
        },
        _ => Err(format!(
            "expected a line with C: S: D: T: ! or #, got {line}"
        )),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time such as +5m, got {text}");
    let text_plain = text.strip_prefix('+').ok_or_else(wrong)?;
    let digits = text_plain.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text_plain[..digits].parse().map_err(|_| wrong())?;
    match &text_plain[digits..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        _ => Err(wrong()),
    }
}

impl Text {
    fn parse(line: &str) -> Result<Self, String> {
        let mut parts = alloc::vec![Vec::new()];
        let mut bytes = line.bytes();
        while let Some(byte) = bytes.next() {
            let last = parts.len() - 1;
            match byte {
                b'*' => parts.push(Vec::new()),
                b'\\' => match bytes.next() {
                    None => return Ok(Self { parts }), // no line end
                    Some(b'r') => parts[last].push(b'\r'),
                    Some(b'n') => parts[last].push(b'\n'),
                    Some(b't') => parts[last].push(b'\t'),
                    Some(b'0') => parts[last].push(0),
                    Some(plain @ (b'\\' | b'*')) => parts[last].push(plain),
                    Some(b'x') => {
                        let digit = |byte: Option<u8>| (byte? as char).to_digit(16);
                        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next()))
                        else {
                            return Err("expected two hexadecimal digits behind \\x".to_owned());
                        };
                        parts[last].push((high * 16 + low) as u8);
                    }
                    Some(other) => return Err(format!("unknown escape \\{}", other as char)),
                },
                _ => parts[last].push(byte),
            }
        }
        let last = parts.len() - 1;
        parts[last].extend_from_slice(b"\r\n");
        Ok(Self { parts })
    }

    /// The bytes, where nothing is left open by `*` (which then stands for itself).
    pub fn bytes(&self) -> Vec<u8> {
        self.parts.join(&b"*"[..])
    }

    /// How many bytes of `heard` this takes, if `heard` begins with it.
    pub fn matches(&self, heard: &[u8]) -> Option<usize> {
        let (first, rest) = self.parts.split_first()?;
        let mut at = heard.starts_with(first).then_some(first.len())?;
        for part in rest {
            let line_end = memchr::memchr(b'\n', &heard[at..]).map_or(heard.len(), |n| at + n + 1);
            let found = memchr::memmem::find(&heard[at..line_end], part)?;
            at += found + part.len();
        }
        Some(at)
    }
}

/// Writes bytes as the text behind `C: ` or `S: `.
pub fn escape(bytes: &[u8]) -> String {
    let (body, closing) = match bytes.strip_suffix(b"\r\n") {
        Some(body) => (body, ""),
        None => (bytes, "\\"),
    };
    let mut text = String::new();
    for &byte in body {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'*' => text.push_str("\\*"),
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b' '..=b'~' => text.push(byte as char),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push_str(closing);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stays_inside_its_line() {
        let text = Text::parse("250 2.0.0 queued as *").unwrap();
        assert_eq!(text.matches(b"250 2.0.0 queued as abc\r\n221"), Some(25));
        assert_eq!(text.matches(b"250 2.0.0 queued as abc"), None);
        assert_eq!(text.matches(b"550 no\r\n250 2.0.0 queued as abc\r\n"), None);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let error = Transcript::parse("# a: b\nC: x\nX: y").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(Transcript::parse("T: 5").is_err());
        assert!(Transcript::parse("C: \\q").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_written_and_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            prop_assert_eq!(Text::parse(&escape(&bytes)).unwrap().bytes(), bytes);
        }
    }
}
