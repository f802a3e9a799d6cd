//! The head of a message (RFC 5322 section 2.1), found while its pieces come.
//!
//! Only what is needed to carry a message: which fields there are and where. What they mean is the
//! reader's affair.

use guichet_trace::{Secured, WallTime};

/// Longest head we take. Nobody's is longer; without a limit it would have to be held in memory.
pub const HEAD_BYTES_MAX: usize = 256 << 10;

/// One field with its folded lines (RFC 5322 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    /// In lower case.
    name: String,
    start: usize,
    value: usize,
    end: usize,
}

/// A whole head: fields only, without the empty line behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

impl Head {
    /// How many fields have this name (in lower case).
    pub fn count(&self, name: &str) -> usize {
        self.fields
            .iter()
            .filter(|field| field.name == name)
            .count()
    }

    /// The first value under this name (in lower case), unfolded and trimmed; what is not UTF-8 is
    /// replaced.
    pub fn value(&self, name: &str) -> Option<String> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        let text = String::from_utf8_lossy(&self.bytes[field.value..field.end]);
        Some(text.replace(['\r', '\n'], "").trim().to_owned())
    }

    /// The Message-ID with its angle brackets; empty if there is none that looks like one, or if it
    /// holds what could disturb whoever prints it.
    pub fn message_id(&self) -> String {
        let value = self.value("message-id").unwrap_or_default();
        let good = value.len() <= 995
            && value.starts_with('<')
            && value.ends_with('>')
            && value.chars().all(|c| c.is_ascii_graphic());
        if good { value } else { String::new() }
    }

    /// Whether it holds UTF-8 as RFC 6532 allows.
    pub fn is_ascii(&self) -> bool {
        self.bytes.is_ascii()
    }

    /// The fields as they came, all but those of these names (in lower case).
    pub fn without(&self, names: &[&str]) -> Vec<u8> {
        let kept = self
            .fields
            .iter()
            .filter(|field| !names.contains(&field.name.as_str()));
        kept.flat_map(|field| &self.bytes[field.start..field.end])
            .copied()
            .collect()
    }
}

/// Cuts the head off a message that comes in pieces.
#[derive(Debug, Default)]
pub struct HeadReader {
    head: Head,
    line_start: usize,
}

/// What a further piece led to.
#[derive(Debug, PartialEq, Eq)]
pub enum HeadRead {
    /// The head goes on.
    More,
    /// It is longer than [`HEAD_BYTES_MAX`].
    TooLong,
    /// It is whole; behind it comes the body, of which this is the beginning.
    Whole(Head, Vec<u8>),
}

impl HeadReader {
    /// Takes the next piece. Not to be called again once the head is whole or too long.
    ///
    /// The head ends at an empty line, or before the first line that is neither a field nor the
    /// continuation of one: a person who types a message by hand may begin with its text.
    pub fn read(&mut self, piece: &[u8]) -> HeadRead {
        let mut from = self.head.bytes.len();
        self.head.bytes.extend_from_slice(piece);
        while let Some(at) = memchr::memchr(b'\n', &self.head.bytes[from..]) {
            let end = from + at + 1;
            let start = self.line_start;
            match kind_of(&self.head.bytes[start..end], !self.head.fields.is_empty()) {
                Line::Empty => return self.whole(start, end),
                Line::Text => return self.whole(start, start),
                Line::Continued => {
                    if let Some(field) = self.head.fields.last_mut() {
                        field.end = end;
                    }
                }
                Line::Field { name, value } => {
                    let value = start + value;
                    self.head.fields.push(Field {
                        name,
                        start,
                        value,
                        end,
                    });
                }
            }
            self.line_start = end;
            from = end;
        }
        if self.head.bytes.len() > HEAD_BYTES_MAX {
            HeadRead::TooLong
        } else {
            HeadRead::More
        }
    }

    /// The message has ended inside its head: gives the head and what there is of a body.
    pub fn end(mut self) -> (Head, Vec<u8>) {
        if self.line_start == self.head.bytes.len() {
            return (self.head, Vec::new());
        }
        match self.read(b"\r\n") {
            HeadRead::Whole(head, body) => (head, body),
            HeadRead::More | HeadRead::TooLong => (self.head, Vec::new()),
        }
    }

    fn whole(&mut self, head_end: usize, body_start: usize) -> HeadRead {
        if head_end > HEAD_BYTES_MAX {
            return HeadRead::TooLong;
        }
        let mut head = std::mem::take(&mut self.head);
        let body = head.bytes.split_off(body_start);
        head.bytes.truncate(head_end);
        HeadRead::Whole(head, body)
    }
}

enum Line {
    Empty,
    Continued,
    Field { name: String, value: usize },
    Text,
}

fn kind_of(line: &[u8], after_field: bool) -> Line {
    match line {
        b"\r\n" | b"\n" => return Line::Empty,
        [b' ' | b'\t', ..] if after_field => return Line::Continued,
        _ => {}
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Line::Text;
    };
    let name = line[..colon].trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return Line::Text;
    }
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    Line::Field {
        name,
        value: colon + 1,
    }
}

/// Where and how a message came in, for its Received field.
#[derive(Clone, Debug)]
pub struct Stamp<'a> {
    /// What the client called itself.
    pub client_name: &'a str,
    /// Its address.
    pub client: std::net::IpAddr,
    /// This server's name.
    pub host: &'a str,
    /// What TLS gave, if it is in force.
    pub tls: Option<&'a Secured>,
    /// The client has logged in.
    pub authenticated: bool,
    /// The client asked for SMTPUTF8.
    pub utf8: bool,
    /// Our name for the transaction.
    pub id: &'a str,
    /// The recipient, if there is only one: several must not learn of each other.
    pub recipient: Option<&'a str>,
    /// When.
    pub at: WallTime,
}

impl Stamp<'_> {
    /// The trace field of RFC 5321 section 4.4, with its line ending. What the client said of
    /// itself is reduced to characters that can end neither a comment nor a line.
    pub fn received(&self) -> String {
        let name: String = self
            .client_name
            .chars()
            .take(255)
            .filter(|c| is_name(*c))
            .collect();
        let name = if name.is_empty() { "unknown" } else { &name };
        let client = match self.client.to_canonical() {
            std::net::IpAddr::V4(address) => format!("[{address}]"),
            std::net::IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        let tls = match self.tls {
            None => String::new(),
            Some(Secured {
                version, cipher, ..
            }) => format!("\r\n\t({version}, {cipher})"),
        };
        let recipient = match self.recipient {
            Some(address) if self.may_show(address) => {
                format!("\r\n\tfor <{address}>")
            }
            _ => String::new(),
        };
        format!(
            "Received: from {name} ({client})\r\n\tby {} with {}{tls}\r\n\tid {}{recipient};\r\n\t{}\r\n",
            self.host,
            self.protocol(),
            self.id,
            super::date::rfc5322(self.at),
        )
    }

    /// An address that is not ASCII belongs in a message only where that was agreed (RFC 6531).
    fn may_show(&self, address: &str) -> bool {
        let plain = address.chars().all(|c| !c.is_control() && c != '>');
        plain && (self.utf8 || address.is_ascii())
    }

    /// The word of RFC 3848, or of RFC 6531 section 4.3.
    fn protocol(&self) -> String {
        let base = if self.utf8 { "UTF8SMTP" } else { "ESMTP" };
        let secured = if self.tls.is_some() { "S" } else { "" };
        let authenticated = if self.authenticated { "A" } else { "" };
        format!("{base}{secured}{authenticated}")
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(message: &[u8], piece_bytes: usize) -> (Head, Vec<u8>) {
        let mut reader = HeadReader::default();
        let mut pieces = message.chunks(piece_bytes);
        while let Some(piece) = pieces.next() {
            match reader.read(piece) {
                HeadRead::More => {}
                HeadRead::TooLong => panic!("too long"),
                HeadRead::Whole(head, mut body) => {
                    pieces.for_each(|rest| body.extend_from_slice(rest));
                    return (head, body);
                }
            }
        }
        reader.end()
    }

    #[test]
    fn fields_are_found_in_every_chunk_size() {
        let message =
            b"Subject: a\r\n b\r\nBCC : x@y\r\n\tz@y\r\nMessage-ID: <1@a>\r\n\r\nText: no\r\n";
        for size in 1..=message.len() {
            let (head, body) = whole(message, size);
            assert_eq!(
                head.value("subject").as_deref(),
                Some("a b"),
                "pieces of {size}"
            );
            assert_eq!(head.message_id(), "<1@a>");
            assert_eq!(head.count("text"), 0);
            assert_eq!(
                head.without(&["bcc"]),
                b"Subject: a\r\n b\r\nMessage-ID: <1@a>\r\n"
            );
            assert_eq!(body, b"Text: no\r\n");
        }
    }

    #[test]
    fn a_message_may_have_no_head_or_no_body() {
        let (head, body) = whole(b"Hello Bob\r\nTime: now\r\n", 3);
        assert_eq!(
            (head.without(&[]).as_slice(), body.as_slice()),
            (&b""[..], &b"Hello Bob\r\nTime: now\r\n"[..])
        );
        let (head, body) = whole(b"\r\nbody\r\n", 3);
        assert_eq!(
            (head.without(&[]).as_slice(), body.as_slice()),
            (&b""[..], &b"body\r\n"[..])
        );
        let (head, body) = whole(b"A: b\r\nC: d", 3);
        assert_eq!(
            (head.without(&[]).as_slice(), body.as_slice()),
            (&b"A: b\r\nC: d\r\n"[..], &b""[..])
        );
        assert_eq!(whole(b"", 1), (Head::default(), Vec::new()));
    }

    #[test]
    fn a_head_without_end_is_too_long() {
        let mut reader = HeadReader::default();
        let piece = [b"X: ".as_slice(), &[b'a'; 60], b"\r\n"].concat();
        let reads = (0..).take(10_000).map(|_| reader.read(&piece));
        let pieces = reads.take_while(|read| *read == HeadRead::More).count();
        assert_eq!(pieces, HEAD_BYTES_MAX / piece.len());
    }

    #[test]
    fn a_message_id_that_could_disturb_is_none() {
        for (field, id) in [
            ("<a@b>", "<a@b>"),
            ("<a\x1b[2J@b>", ""),
            ("a@b", ""),
            ("", ""),
            ("<a b>", ""),
            ("<a>\r\n <b>", ""),
        ] {
            let (head, _) = whole(format!("Message-ID: {field}\r\n\r\n").as_bytes(), 7);
            assert_eq!(head.message_id(), id);
        }
    }

    fn stamp<'a>() -> Stamp<'a> {
        Stamp {
            client_name: "pc",
            client: [127, 0, 0, 1].into(),
            host: "mail.sud.test",
            tls: None,
            authenticated: false,
            utf8: false,
            id: "1",
            recipient: None,
            at: WallTime(0),
        }
    }

    #[test]
    fn received_says_how_it_came() {
        assert_eq!(
            stamp().received(),
            "Received: from pc ([127.0.0.1])\r\n\tby mail.sud.test with ESMTP\r\n\tid 1;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n"
        );
        let six = Stamp {
            client: std::net::Ipv6Addr::LOCALHOST.into(),
            recipient: Some("b@c"),
            ..stamp()
        };
        assert!(six.received().contains("from pc ([IPv6:::1])"));
        assert!(six.received().contains("\r\n\tfor <b@c>;\r\n"));
        let words = |tls, authenticated, utf8| {
            Stamp {
                tls,
                authenticated,
                utf8,
                ..stamp()
            }
            .protocol()
        };
        let secured = Secured {
            version: "TLSv1.3".into(),
            cipher: "TLS_AES_128_GCM_SHA256".into(),
            server_name: String::new(),
            key: [0; 16],
        };
        assert_eq!(words(Some(&secured), false, false), "ESMTPS");
        assert_eq!(words(Some(&secured), true, false), "ESMTPSA");
        assert_eq!(words(None, true, true), "UTF8SMTPA");
        let tls = Stamp {
            tls: Some(&secured),
            ..stamp()
        }
        .received();
        assert!(
            tls.contains("with ESMTPS\r\n\t(TLSv1.3, TLS_AES_128_GCM_SHA256)\r\n\tid"),
            "{tls}"
        );
    }

    #[test]
    fn a_client_cannot_write_its_own_fields_into_received() {
        let name = "x\r\nBcc: evil@a\r\n (";
        let received = Stamp {
            client_name: name,
            ..stamp()
        }
        .received();
        assert_eq!(received.matches("\r\n").count(), 4, "{received}");
        assert!(
            received.starts_with("Received: from xBcc:evila (["),
            "{received}"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_the_cut(message in "([A-Za-z]{1,3}: [a-z]{0,4}\r\n){0,4}(\r\n)?[a-z :\r\n]{0,20}", size in 1_usize..9) {
            let (head, body) = whole(message.as_bytes(), size);
            let fields = head.without(&[]);
            prop_assert_eq!(&fields, &head.bytes);
            prop_assert!(message.as_bytes().starts_with(&fields) || fields.starts_with(message.as_bytes()));
            prop_assert!(message.len() <= fields.len() + body.len() + 2);
        }
    }
}
