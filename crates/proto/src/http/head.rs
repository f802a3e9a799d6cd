//! Takes a request's head apart and refuses everything that two programs could read differently
//! (RFC 9112 sections 2 to 6, 11.2). A refusal ends the connection: behind a head that is not
//! understood nobody knows where the next one begins.

use alloc::borrow::ToOwned;
use alloc::string::String;

use super::ask::{Field, Fields, Method, Request, RequestBody, Scheme};
use super::limits::{FIELDS_MOST, TARGET_BYTES_MOST};

/// A request with what concerns the connection.
pub(super) struct Head {
    pub(super) request: Request,
    /// HTTP/1.`minor`.
    pub(super) minor: u8,
    /// The client wants the connection kept.
    pub(super) keeps: bool,
    /// The client waits for 100 before it sends the body.
    pub(super) continues: bool,
}

/// Why not, as it goes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) sentence: &'static str,
}

const fn refusal(status: u16, sentence: &'static str) -> Refusal {
    Refusal { status, sentence }
}

const fn bad(sentence: &'static str) -> Refusal {
    refusal(400, sentence)
}

/// `head` ends with its empty line.
pub(super) fn parse(head: &[u8], scheme: Scheme, part: u32) -> Result<Head, Refusal> {
    check_lines(head)?;
    let mut lines = [httparse::EMPTY_HEADER; FIELDS_MOST];
    let mut parsed = httparse::Request::new(&mut lines);
    parsed
        .parse(head)
        .map_err(|error| not_parsed(error, head))?;
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(bad("The request is not whole."));
    };
    let mut seen = Seen::default();
    for line in parsed.headers.iter() {
        seen.field(line.name, line.value)?;
    }
    if target.len() > TARGET_BYTES_MOST {
        return Err(refusal(414, "The address asked for is too long."));
    }
    let method = Method::parse(method).ok_or(refusal(
        501,
        "This server does not know the request method.",
    ))?;
    let body = seen.body(minor)?;
    let continues = seen.continues(minor)?;
    let keeps = match minor {
        0 => seen.keep_alive && !seen.close,
        _ => !seen.close,
    };
    let place = place(method, target, seen.host, minor, scheme)?;
    let request = Request {
        method,
        scheme,
        host: place.host,
        port: place.port,
        target: place.target,
        fields: seen.fields,
        body,
        part,
    };
    Ok(Head {
        request,
        minor,
        keeps,
        continues: continues && body != RequestBody::None,
    })
}

/// Line ends and control characters, over the whole head (RFC 9112 2.2, 5.2; RFC 9110 5.5).
pub(super) fn check_lines(head: &[u8]) -> Result<(), Refusal> {
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n');
    if head.iter().any(|&byte| is_control(byte) || byte == 0x7f) {
        return Err(bad("The head holds a control character."));
    }
    let mut line_ends = 0;
    for feed in memchr::memchr_iter(b'\n', head) {
        if feed == 0 || head[feed - 1] != b'\r' {
            return Err(bad(
                "A line of the head ends with a bare LF; CR LF is needed.",
            ));
        }
        if matches!(head.get(feed + 1), Some(b' ' | b'\t')) {
            return Err(bad("A line of the head is folded, which is obsolete."));
        }
        line_ends += 1;
    }
    if memchr::memchr_iter(b'\r', head).count() != line_ends {
        return Err(bad("The head holds a bare CR."));
    }
    Ok(())
}

fn not_parsed(error: httparse::Error, head: &[u8]) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => refusal(431, "The request has too many fields."),
        httparse::Error::Version if names_a_version(head) => {
            refusal(505, "This server speaks HTTP/1.1 and HTTP/1.0 here.")
        }
        httparse::Error::Version => bad("The request line does not end with an HTTP version."),
        httparse::Error::HeaderName => bad("A field name is malformed."),
        httparse::Error::HeaderValue => bad("A field value is malformed."),
        _ => bad("The request line is malformed."),
    }
}

/// The first line ends with `HTTP/` DIGIT `.` DIGIT.
fn names_a_version(head: &[u8]) -> bool {
    let line_end = memchr::memchr(b'\r', head).unwrap_or(head.len());
    let Some(start) = memchr::memrchr(b' ', &head[..line_end]) else {
        return false;
    };
    let word = &head[start + 1..line_end];
    matches!(word, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// What the fields say, gathered in one pass.
#[derive(Default)]
struct Seen<'a> {
    fields: Fields,
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    coding: Option<Coding>,
    close: bool,
    keep_alive: bool,
    expect: Option<&'a [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    /// Ends in chunked; what is before it we do not know.
    UnknownThenChunked,
    /// Does not end in chunked, or repeats it.
    Unframed,
    Unknown,
}

impl<'a> Seen<'a> {
    fn field(&mut self, name: &str, value: &'a [u8]) -> Result<(), Refusal> {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        if let Some(field) = Field::parse(name) {
            self.fields.add(field, value);
        } else if is("host") {
            if self.host.replace(value).is_some() {
                return Err(bad("The request has more than one Host field."));
            }
        } else if is("content-length") {
            if self.length.replace(value).is_some() {
                return Err(bad("The request has more than one Content-Length field."));
            }
        } else if is("transfer-encoding") {
            if self.coding.replace(coding(value)).is_some() {
                return Err(bad(
                    "The request has more than one Transfer-Encoding field.",
                ));
            }
        } else if is("connection") {
            self.close |= has_token(value, "close");
            self.keep_alive |= has_token(value, "keep-alive");
        } else if is("expect") {
            self.expect = Some(value);
        }
        Ok(())
    }

    /// RFC 9112 6.3, stricter: where two framings are named, none is believed.
    fn body(&self, minor: u8) -> Result<RequestBody, Refusal> {
        match (self.coding, self.length) {
            (Some(_), Some(_)) => Err(bad(
                "The request has both Content-Length and Transfer-Encoding.",
            )),
            (Some(_), None) if minor == 0 => Err(bad("HTTP/1.0 does not know Transfer-Encoding.")),
            (Some(Coding::Chunked), None) => Ok(RequestBody::Chunked),
            (Some(Coding::Unframed), None) => {
                Err(bad("The transfer codings do not end with one chunked."))
            }
            (Some(_), None) => Err(refusal(
                501,
                "This server knows no transfer coding but chunked.",
            )),
            (None, None) => Ok(RequestBody::None),
            (None, Some(digits)) => match length(digits) {
                Some(0) => Ok(RequestBody::None),
                Some(length) => Ok(RequestBody::Length(length)),
                None => Err(bad("Content-Length is not a number.")),
            },
        }
    }

    /// RFC 9110 10.1.1: HTTP/1.0 clients cannot expect anything.
    fn continues(&self, minor: u8) -> Result<bool, Refusal> {
        match self.expect {
            Some(value) if minor > 0 && value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
            Some(_) if minor > 0 => {
                Err(refusal(417, "This server knows only Expect: 100-continue."))
            }
            _ => Ok(false),
        }
    }
}

/// `1*DIGIT` and nothing else; no sign, no list.
pub(super) fn length(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(digits).ok()?;
    is_number.then(|| text.parse().ok()).flatten()
}

fn coding(value: &[u8]) -> Coding {
    let mut words = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let is_chunked = |word: &[u8]| word.eq_ignore_ascii_case(b"chunked");
    let last_is_chunked = words.next_back().is_some_and(is_chunked);
    let (mut before, mut chunked_before) = (0, false);
    for word in words {
        before += 1;
        chunked_before |= is_chunked(word);
    }
    match (last_is_chunked, before) {
        (_, _) if chunked_before => Coding::Unframed,
        (true, 0) => Coding::Chunked,
        (true, _) => Coding::UnknownThenChunked,
        (false, _) => Coding::Unknown,
    }
}

/// Whether a comma-separated list names a word.
pub(super) fn has_token(list: &[u8], word: &str) -> bool {
    list.split(|&byte| byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// A byte of a token (RFC 9110 5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

struct Place {
    host: String,
    port: Option<u16>,
    target: String,
}

/// Which host and which target are meant (RFC 9112 3.2).
fn place(
    method: Method,
    target: &str,
    host: Option<&[u8]>,
    minor: u8,
    scheme: Scheme,
) -> Result<Place, Refusal> {
    if !target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return Err(bad(
            "The address asked for holds a character that must be encoded.",
        ));
    }
    let named = match host {
        Some(value) => authority(value).ok_or(bad("The Host field is malformed."))?,
        None if minor == 0 => (String::new(), None),
        None => return Err(bad("The request has no Host field.")),
    };
    let is_bare = target.starts_with('/') || (target == "*" && method == Method::Options);
    let (named, target) = if is_bare {
        (named, target.to_owned())
    } else {
        // The target's own host counts, and Host is ignored (RFC 9112 3.2.2).
        absolute(method, target, scheme)?
    };
    let (host, port) = named;
    Ok(Place { host, port, target })
}

type Named = (String, Option<u16>);

fn absolute(method: Method, target: &str, scheme: Scheme) -> Result<(Named, String), Refusal> {
    let malformed = bad("The address asked for is neither a path nor a URL.");
    let (word, rest) = target.split_once("://").ok_or(malformed)?;
    if !word.eq_ignore_ascii_case(scheme.as_str()) {
        return Err(match word {
            "http" | "https" => refusal(421, "The URL belongs to another kind of connection."),
            _ => malformed,
        });
    }
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(authority_end);
    let named = authority(host.as_bytes()).ok_or(malformed)?;
    let path = match path {
        "" if method == Method::Options => "*".to_owned(),
        "" => "/".to_owned(),
        _ if path.starts_with('?') => alloc::format!("/{path}"),
        _ => path.to_owned(),
    };
    Ok((named, path))
}

/// `uri-host [ ":" port ]`, without user information.
fn authority(value: &[u8]) -> Option<Named> {
    let text = core::str::from_utf8(value).ok()?;
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    };
    let port = match port {
        None | Some("") => None, // an empty port is the default port (RFC 3986 3.2.3)
        Some(digits) if digits.len() <= 5 => Some(u16::try_from(length(digits.as_bytes())?).ok()?),
        Some(_) => return None,
    };
    let is_host = match host.strip_prefix('[') {
        Some(rest) => {
            let address = rest.strip_suffix(']')?;
            address.parse::<core::net::Ipv6Addr>().is_ok()
        }
        None => !host.is_empty() && host.len() <= 255 && host.bytes().all(is_host_byte),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    (is_host && !host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}

/// Of `reg-name` (RFC 3986 3.2.2) only what names of the Internet are made of.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}
