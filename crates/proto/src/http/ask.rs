//! What an HTTP server session needs decided, and the decision.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::session::SourceId;

/// A question of the server session.
#[derive(Clone, Serialize, Deserialize)]
pub enum Ask {
    /// A request's head has come. Answered by [`Answer::Response`], or by [`Answer::Accept`] to
    /// have the body first. Whatever an earlier request left unfinished (a half-collected body, an
    /// unsent source) is to be forgotten.
    Request(Request),
    /// The body has been lent whole, piece by piece. Answered by [`Answer::Response`].
    Finish {
        /// Its length, without chunk framing.
        bytes: u64,
    },
}

impl fmt::Debug for Ask {
    /// Without query and fields: what is asked may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => write!(f, "Request {} {}", request.method.as_str(), request),
            Self::Finish { bytes } => write!(f, "Finish {bytes}"),
        }
    }
}

/// A request method (RFC 9110 9, RFC 5789).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
    Trace,
}

impl Method {
    const ALL: [Self; 8] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Delete,
        Self::Options,
        Self::Patch,
        Self::Trace,
    ];

    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Trace => "TRACE",
        }
    }

    /// Methods are case-sensitive. `None`: not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }
}

/// Whether the connection is under TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Under TLS.
    Https,
}

impl Scheme {
    /// As in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A request whose head has passed every check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// In clear or under TLS.
    pub scheme: Scheme,
    /// The host asked for: lower case, without port or final dot; an IPv6 address in brackets;
    /// empty where an HTTP/1.0 request named none.
    pub host: String,
    /// The port asked for, where one was named.
    pub port: Option<u16>,
    /// Path and query as sent (`/a%20b?c`), or `*`.
    pub target: String,
    /// The fields a service can need.
    pub fields: Fields,
    /// The body that will follow.
    pub body: RequestBody,
    /// Which part of the exchange this request is, for cause links; counts from 1.
    pub part: u32,
}

impl Request {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// What follows `?`.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

impl fmt::Display for Request {
    /// The URL without its query, as level `envelope` shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.path())
    }
}

/// What follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestBody {
    /// Nothing.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks (RFC 9112 7.1).
    Chunked,
}

/// The request fields that are handed on; the others concern the connection or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Field {
    Accept,
    AcceptEncoding,
    AcceptLanguage,
    Authorization,
    ContentType,
    Cookie,
    IfMatch,
    IfModifiedSince,
    IfNoneMatch,
    IfRange,
    IfUnmodifiedSince,
    LastEventId,
    Origin,
    Range,
    Referer,
    SecFetchMode,
    SecFetchSite,
    UserAgent,
}

impl Field {
    const NAMES: [(&'static str, Self); 18] = [
        ("accept", Self::Accept),
        ("accept-encoding", Self::AcceptEncoding),
        ("accept-language", Self::AcceptLanguage),
        ("authorization", Self::Authorization),
        ("content-type", Self::ContentType),
        ("cookie", Self::Cookie),
        ("if-match", Self::IfMatch),
        ("if-modified-since", Self::IfModifiedSince),
        ("if-none-match", Self::IfNoneMatch),
        ("if-range", Self::IfRange),
        ("if-unmodified-since", Self::IfUnmodifiedSince),
        ("last-event-id", Self::LastEventId),
        ("origin", Self::Origin),
        ("range", Self::Range),
        ("referer", Self::Referer),
        ("sec-fetch-mode", Self::SecFetchMode),
        ("sec-fetch-site", Self::SecFetchSite),
        ("user-agent", Self::UserAgent),
    ];

    /// Names are not case-sensitive.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, field)| *field)
    }
}

/// Fields of a request, in the order sent. All values share one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields {
    text: String,
    /// Each field and where its value ends; it begins where the one before ends.
    ends: Vec<(Field, u32)>,
}

impl Fields {
    /// Adds one; bytes that are not UTF-8 are replaced.
    pub fn add(&mut self, field: Field, value: &[u8]) {
        self.text.push_str(&String::from_utf8_lossy(value));
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.ends.push((field, end));
    }

    /// The first value of a field.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.all(field).next()
    }

    /// Every value of a field: a list may come in several lines (RFC 9110 5.3).
    pub fn all(&self, field: Field) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().filter_map(move |&(known, end)| {
            let range = start..end as usize;
            start = end as usize;
            (known == field).then(|| self.text.get(range)).flatten()
        })
    }
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The body may come: it is lent to [`crate::Service::piece`], then [`Ask::Finish`] follows. A
    /// body that breaks off or is too long is answered by the session; `Finish` then never comes.
    Accept {
        /// The longest body that is of use; beyond it 413.
        bytes_most: u64,
        /// It holds a password or the like (a log-in form): the trace is not to show it.
        secret: bool,
    },
    /// The reply.
    Response(Response),
    /// More of a [`Body::Stream`]; pushed as an event.
    Piece(Vec<u8>),
    /// A [`Body::Stream`] is over; pushed as an event.
    End,
}

/// A reply (RFC 9110 15). To HEAD it is the same as to GET; the session leaves the body out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// Everything but what the session adds itself.
    pub fields: HeaderBlock,
    /// What follows.
    pub body: Body,
}

impl Response {
    /// A reply with its body in memory.
    pub fn new(status: u16, fields: HeaderBlock, body: impl Into<Arc<[u8]>>) -> Self {
        Self {
            status,
            fields,
            body: Body::Bytes(body.into()),
        }
    }

    /// A reply without body.
    pub fn empty(status: u16, fields: HeaderBlock) -> Self {
        Self {
            status,
            fields,
            body: Body::Empty,
        }
    }
}

/// The body of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// None.
    Empty,
    /// In memory; goes out in one write with its head.
    Bytes(Arc<[u8]>),
    /// Held by the service and pulled from it. One that gives another number of bytes costs the
    /// connection, so that the client cannot take the part for the whole.
    Source {
        /// Its name.
        source: SourceId,
        /// Its length in bytes.
        length: u64,
    },
    /// Of unknown length, such as server-sent events: follows as [`Answer::Piece`] events until
    /// [`Answer::End`]. Sent in chunks; to HTTP/1.0, until the connection closes.
    Stream,
}

/// Header lines, ready to be sent: a service that gives the same reply often builds them once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderBlock(Arc<str>);

/// Framing and time are the session's own.
const NOT_THE_SERVICES: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

impl HeaderBlock {
    /// Builds the lines. Control characters in a value become spaces, so that no value can begin a
    /// line of its own; Connection, Content-Length, Date and Transfer-Encoding are left out.
    pub fn of<N: AsRef<str>, V: AsRef<str>>(fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut text = String::new();
        for (name, value) in fields {
            push_line(&mut text, name.as_ref(), value.as_ref());
        }
        Self(text.into())
    }

    /// The same with one line more.
    pub fn and(&self, name: &str, value: &str) -> Self {
        let mut text = (*self.0).to_owned();
        push_line(&mut text, name, value);
        Self(text.into())
    }

    /// As on the wire: every line with its CR LF.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names and values.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .split_terminator("\r\n")
            .filter_map(|line| line.split_once(": "))
    }

    /// The first value under a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

fn push_line(text: &mut String, name: &str, value: &str) {
    let is_name = !name.is_empty() && name.bytes().all(super::head::is_token_byte);
    if !is_name
        || NOT_THE_SERVICES
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    {
        return;
    }
    text.push_str(name);
    text.push_str(": ");
    let plain = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    text.extend(value.trim().chars().map(plain));
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_begin_a_line_of_its_own() {
        let block = HeaderBlock::of([
            ("Location", "/a\r\nSet-Cookie: x=1"),
            ("Content-Length", "5"),
            ("X Y", "z"),
        ]);
        assert_eq!(block.as_str(), "Location: /a  Set-Cookie: x=1\r\n");
    }

    #[test]
    fn fields_of_one_name_keep_their_order() {
        let mut fields = Fields::default();
        fields.add(Field::IfNoneMatch, b"\"a\"");
        fields.add(Field::Cookie, b"k=\xff");
        fields.add(Field::IfNoneMatch, b"\"b\"");
        let all: Vec<_> = fields.all(Field::IfNoneMatch).collect();
        assert_eq!(all, ["\"a\"", "\"b\""]);
        assert_eq!(fields.get(Field::Cookie), Some("k=\u{fffd}"));
        assert_eq!(fields.get(Field::Range), None);
    }
}
