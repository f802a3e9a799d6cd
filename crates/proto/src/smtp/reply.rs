//! Replies: written by the server, read by the client (RFC 5321 4.2, RFC 2034).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use guichet_trace::Verb;

use super::ask::Refusal;
use super::limits::{REPLY_LINES_MOST, REPLY_TEXT_BYTES_MOST};
use crate::common::words::push_plain;
use crate::outbox::{About, Outbox};

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Enhanced status code (RFC 3463); empty for the greeting and the reply to EHLO.
    pub enhanced: String,
    /// At least one line.
    pub lines: Vec<String>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(code: u16, enhanced: &str, text: impl Into<String>) -> Self {
        Self {
            code,
            enhanced: enhanced.into(),
            lines: [text.into()].into(),
        }
    }

    /// Says it; its verb in the trace is its code.
    pub fn say<'a, Ask>(&self, out: &'a mut Outbox<Ask>) -> &'a mut About {
        let text = self.text();
        out.say(code_verb(self.code), text.as_bytes())
    }

    /// As on the wire, every line ended by CR LF.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            let is_last = index + 1 == self.lines.len();
            text.push_str(&format!("{:03}", self.code));
            text.push(if is_last { ' ' } else { '-' });
            if !self.enhanced.is_empty() {
                push_plain(&mut text, &self.enhanced, 20);
                text.push(' ');
            }
            push_plain(&mut text, line, REPLY_TEXT_BYTES_MOST);
            text.push_str("\r\n");
        }
        text
    }
}

/// A service's refusal; a code that is none becomes 550, so that nothing refused sounds accepted.
impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.code {
            400..=599 => refusal.code,
            _ => 550,
        };
        Self::new(code, &refusal.enhanced, refusal.text)
    }
}

/// A reply code as the trace's word for a message.
pub fn code_verb(code: u16) -> Verb {
    Verb::new(&format!("{code:03}"))
}

/// Puts the lines of a reply together.
#[derive(Debug, Default)]
pub struct Collector {
    code: u16,
    lines: Vec<String>,
}

/// What one more line made of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Collected {
    /// A line that is not the last.
    More,
    /// The reply is whole: its code and the words of each line.
    Whole(u16, Vec<String>),
    /// Not a reply: no three digits, another code than the line before, or too many lines.
    Wrong,
}

impl Collector {
    /// Takes a line without its ending.
    pub fn line(&mut self, line: &[u8]) -> Collected {
        let Some((code, is_last, text)) = reply_line(line) else {
            return Collected::Wrong;
        };
        let is_same = self.lines.is_empty() || self.code == code;
        if !is_same || self.lines.len() >= REPLY_LINES_MOST {
            return Collected::Wrong;
        }
        self.code = code;
        self.lines.push(text);
        match is_last {
            true => Collected::Whole(code, core::mem::take(&mut self.lines)),
            false => Collected::More,
        }
    }

    /// Whether a reply has begun and is not whole.
    pub fn is_within(&self) -> bool {
        !self.lines.is_empty()
    }
}

fn reply_line(line: &[u8]) -> Option<(u16, bool, String)> {
    let digits = line.get(..3)?;
    let is_code = matches!(digits, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']);
    let code = core::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_last = match line.get(3) {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    let text = String::from_utf8_lossy(line.get(4..).unwrap_or_default());
    is_code.then(|| (code, is_last, text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_reply_of_several_lines_is_written_and_read() {
        let reply = Reply {
            code: 250,
            enhanced: "2.0.0".into(),
            lines: ["one".to_string(), "two\r\n550 no".to_string()].into(),
        };
        let text = reply.text();
        assert_eq!(text, "250-2.0.0 one\r\n250 2.0.0 two  550 no\r\n");
        let mut collector = Collector::default();
        let mut lines = text.split("\r\n");
        assert_eq!(
            collector.line(lines.next().unwrap().as_bytes()),
            Collected::More
        );
        assert!(collector.is_within());
        let whole = collector.line(lines.next().unwrap().as_bytes());
        let words = ["2.0.0 one".to_string(), "2.0.0 two  550 no".to_string()];
        assert_eq!(whole, Collected::Whole(250, words.into()));
    }

    #[test]
    fn what_is_not_a_reply_is_said_so() {
        for wrong in [&b""[..], b"25", b"abc hello", b"250_x", b"650 x", b"25a x"] {
            assert_eq!(
                Collector::default().line(wrong),
                Collected::Wrong,
                "{wrong:?}"
            );
        }
        let mut changing = Collector::default();
        changing.line(b"250-a");
        assert_eq!(changing.line(b"550 b"), Collected::Wrong);
        assert_eq!(
            Collector::default().line(b"354"),
            Collected::Whole(354, ["".to_string()].into())
        );
    }

    #[test]
    fn a_refusal_never_sounds_like_yes() {
        assert_eq!(Reply::from(Refusal::new(250, "", "x")).code, 550);
        assert_eq!(Reply::from(Refusal::new(451, "", "x")).code, 451);
    }
}
