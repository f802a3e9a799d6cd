//! Delivery reports: what the sender of a letter that was given up receives (RFC 3461 section 6,
//! RFC 3462, RFC 3464; RFC 6533 where an address is not ASCII).
//!
//! Only failures are reported. The head of the letter is returned, never its body: the report may
//! go to somebody whose address was forged.

pub mod words;

use guichet_trace::WallTime;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

use super::date;
pub use words::{Language, Reason};

/// Longest part of the letter's head that is returned.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Longest account of what another server said.
const WORDS_MAX: usize = 900;

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The address as the sender gave it: where an alias leads is nobody else's affair.
    pub recipient: String,
    /// Enhanced status code (RFC 3463).
    pub status: String,
    /// Why.
    pub reason: Reason,
    /// In the other server's words, or ours.
    pub words: String,
    /// The host that said them.
    pub remote: Option<String>,
}

/// A report to be written.
#[derive(Debug)]
pub struct Report<'a> {
    /// This server's name.
    pub host: &'a str,
    /// Who signs it, and reads the answers.
    pub postmaster: &'a str,
    /// The language of the text.
    pub language: Language,
    /// Who gets it: the envelope's sender.
    pub to: &'a str,
    /// Our name for the letter.
    pub queue_id: &'a str,
    /// When the letter came.
    pub accepted: WallTime,
    /// Now.
    pub at: WallTime,
    /// What failed; at least one.
    pub failures: &'a [Failure],
    /// The head of the letter.
    pub head: &'a [u8],
    /// A random number, for the boundary and the Message-ID.
    pub chance: u64,
}

impl Report<'_> {
    /// The report's own Message-ID, with angle brackets.
    pub fn message_id(&self) -> String {
        format!("<{:016x}.{}@{}>", self.chance, self.queue_id, self.host)
    }

    /// The whole message.
    pub fn write(&self) -> Vec<u8> {
        let global = !self
            .failures
            .iter()
            .all(|failure| failure.recipient.is_ascii());
        let status_type = if global {
            "message/global-delivery-status"
        } else {
            "message/delivery-status"
        };
        let encoding = if global { "8bit" } else { "7bit" };
        let status = format!(
            "Content-Type: {status_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{}",
            self.status()
        );
        let content = ContentType::new("multipart/report")
            .attribute("report-type", "delivery-status")
            .attribute("boundary", format!("=_{:016x}", self.chance));
        let parts = vec![
            MimePart::new("text/plain", self.text()),
            MimePart::raw(status),
            MimePart::raw(BodyPart::Binary(self.returned_head().into())),
        ];
        let message_id = self.message_id();
        MessageBuilder::new()
            .header("Date", Raw::new(date::rfc5322(self.at)))
            .header("Message-ID", Raw::new(message_id))
            .from(Address::new_address(
                Some("Mail Delivery System"),
                self.postmaster,
            ))
            .to(Address::new_address(None::<&str>, self.to))
            .subject(words::subject(self.language))
            .header("Auto-Submitted", Raw::new("auto-replied")) // RFC 3834 section 5
            .header("MIME-Version", Raw::new("1.0"))
            .body(MimePart::new(content, parts))
            .write_to_vec()
            .unwrap_or_default()
    }

    fn text(&self) -> String {
        let failures = self.failures.iter().map(|failure| {
            let said = one_line(&failure.words);
            words::failure(
                self.language,
                &one_line(&failure.recipient),
                failure.reason,
                &said,
            )
        });
        let mut text = vec![words::opening(self.language, self.host, self.queue_id)];
        text.extend(failures);
        text.push(words::closing(self.language).to_owned());
        text.join("\n").replace('\n', "\r\n")
    }

    /// RFC 3464 section 2.
    fn status(&self) -> String {
        let mut status = format!(
            "Reporting-MTA: dns; {}\r\nArrival-Date: {}\r\n",
            self.host,
            date::rfc5322(self.accepted)
        );
        for failure in self.failures {
            let kind = if failure.recipient.is_ascii() {
                "rfc822"
            } else {
                "utf-8"
            };
            status.push_str(&format!(
                "\r\nFinal-Recipient: {kind}; {}\r\nAction: failed\r\nStatus: {}\r\n",
                one_line(&failure.recipient),
                one_line(&failure.status)
            ));
            if let Some(remote) = &failure.remote {
                status.push_str(&format!(
                    "Remote-MTA: dns; {}\r\n",
                    ascii(&one_line(remote))
                ));
            }
            let kind = if failure.remote.is_some() {
                "smtp"
            } else {
                "x-guichet"
            };
            status.push_str(&format!(
                "Diagnostic-Code: {kind}; {}\r\nLast-Attempt-Date: {}\r\n",
                ascii(&one_line(&failure.words)),
                date::rfc5322(self.at)
            ));
        }
        status
    }

    /// The third part. A head that is too long is cut at a line's end.
    fn returned_head(&self) -> Vec<u8> {
        let head = match self.head {
            long if long.len() > HEAD_BYTES_MAX => {
                let end = memchr::memrchr(b'\n', &long[..HEAD_BYTES_MAX]).map_or(0, |at| at + 1);
                &long[..end]
            }
            short => short,
        };
        let (kind, encoding) = match head.is_ascii() {
            true => ("text/rfc822-headers", "7bit"),
            false => ("message/global-headers", "8bit"),
        };
        let intro =
            format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
        [intro.as_bytes(), head].concat()
    }
}

/// Words without line ends or control characters, so that they can forge no field.
fn one_line(words: &str) -> String {
    let kept = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    kept.take(WORDS_MAX).collect()
}

fn ascii(words: &str) -> String {
    words
        .chars()
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::{MessageParser, MimeHeaders};

    fn failures() -> Vec<Failure> {
        vec![
            Failure {
                recipient: "nobody@sud.test".into(),
                status: "5.1.1".into(),
                reason: Reason::Refused,
                words: "550 5.1.1 no such user\r\nBcc: evil@x".into(),
                remote: Some("mail.sud.test".into()),
            },
            Failure {
                recipient: "late@sud.test".into(),
                status: "4.4.1".into(),
                reason: Reason::TooLate,
                words: "connection refused".into(),
                remote: None,
            },
        ]
    }

    fn report<'a>(failures: &'a [Failure], language: Language, head: &'a [u8]) -> Report<'a> {
        Report {
            host: "mail.nord.test",
            postmaster: "postmaster@nord.test",
            language,
            to: "alice@nord.test",
            queue_id: "abc",
            accepted: WallTime(0),
            at: WallTime(60_000_000),
            failures,
            head,
            chance: 7,
        }
    }

    #[test]
    fn a_report_reads_back() {
        let failures = failures();
        let bytes = report(&failures, Language::English, b"Subject: hi\r\n").write();
        let message = MessageParser::new().parse(&bytes).unwrap();
        let kind = message.content_type().unwrap();
        assert_eq!(
            (kind.ctype(), kind.subtype()),
            ("multipart", Some("report"))
        );
        assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
        assert_eq!(
            message.subject(),
            Some("Your message could not be delivered")
        );
        assert_eq!(
            message.message_id(),
            Some("0000000000000007.abc@mail.nord.test")
        );
        assert_eq!(message.parts.len(), 4);
        let text = message.body_text(0).unwrap();
        assert!(
            text.contains("nobody@sud.test\r\n  It was refused:\r\n  550 5.1.1 no such user"),
            "{text}"
        );
        let status = message.parts[2].contents();
        let status = String::from_utf8_lossy(status);
        assert!(status.contains("\r\nFinal-Recipient: rfc822; nobody@sud.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"), "{status}");
        assert!(
            !status.contains("\nBcc"),
            "the other server's words forge no field: {status}"
        );
        assert_eq!(
            message.parts[2].content_type().unwrap().subtype(),
            Some("delivery-status")
        );
        assert_eq!(message.parts[3].contents(), b"Subject: hi\r\n");
    }

    #[test]
    fn in_french_nothing_is_lost_on_the_way() {
        let failures = failures();
        let bytes = report(&failures, Language::French, b"Subject: \xc3\xa9\r\n").write();
        let text_part = &bytes[..bytes.len() - 200];
        assert!(!text_part.is_empty());
        let message = MessageParser::new().parse(&bytes).unwrap();
        assert_eq!(
            message.subject(),
            Some("Votre message n'a pas pu être remis")
        );
        assert!(message.body_text(0).unwrap().contains("Il a été refusé"));
        assert_eq!(
            message.parts[3].content_type().unwrap().subtype(),
            Some("global-headers")
        );
    }

    #[test]
    fn a_long_head_is_cut_at_a_line() {
        let head = b"X-Long: 0123456789\r\n".repeat(10_000);
        let failures = failures();
        let report = report(&failures, Language::English, &head);
        let returned = report.returned_head();
        assert!(returned.len() <= HEAD_BYTES_MAX + 200);
        assert!(returned.ends_with(b"0123456789\r\n"));
    }
}
