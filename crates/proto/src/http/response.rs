//! Writes the head of a reply.

use alloc::vec::Vec;

use super::ask::HeaderBlock;

/// How the end of a reply's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The status has no body (RFC 9112 6.3).
    None,
    Length(u64),
    Chunked,
    ToClose,
}

/// What is said of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    /// HTTP/1.1 keeps it without a word.
    Kept,
    /// HTTP/1.0 has to be told.
    KeptOnWish,
    Closed,
}

pub(super) fn write_head(
    buffer: &mut Vec<u8>,
    status: u16,
    date: &[u8; 29],
    fields: &HeaderBlock,
    framing: Framing,
    persistence: Persistence,
) {
    buffer.extend_from_slice(b"HTTP/1.1 ");
    write_number(buffer, u64::from(status));
    buffer.push(b' ');
    buffer.extend_from_slice(reason(status).as_bytes());
    buffer.extend_from_slice(b"\r\nDate: ");
    buffer.extend_from_slice(date);
    buffer.extend_from_slice(b"\r\n");
    buffer.extend_from_slice(fields.as_str().as_bytes());
    match framing {
        Framing::None | Framing::ToClose => {}
        Framing::Chunked => buffer.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::Length(length) => {
            buffer.extend_from_slice(b"Content-Length: ");
            write_number(buffer, length);
            buffer.extend_from_slice(b"\r\n");
        }
    }
    match persistence {
        Persistence::Kept => {}
        Persistence::KeptOnWish => buffer.extend_from_slice(b"Connection: keep-alive\r\n"),
        Persistence::Closed => buffer.extend_from_slice(b"Connection: close\r\n"),
    }
    buffer.extend_from_slice(b"\r\n");
}

/// One chunk (RFC 9112 7.1); an empty one would end the body and is not written.
pub(super) fn write_chunk(buffer: &mut Vec<u8>, piece: &[u8]) {
    if piece.is_empty() {
        return;
    }
    buffer.extend_from_slice(alloc::format!("{:x}\r\n", piece.len()).as_bytes());
    buffer.extend_from_slice(piece);
    buffer.extend_from_slice(b"\r\n");
}

pub(super) fn write_number(buffer: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    buffer.extend_from_slice(&digits[start..]);
}

/// What a server says to a connection it has no room for; it then closes it. The client is to come
/// again in a moment (RFC 9110 10.2.3, 15.6.4).
pub fn refusal_when_full() -> &'static [u8] {
    b"HTTP/1.1 503 Service Unavailable\r\n\
      Content-Type: text/plain; charset=utf-8\r\n\
      Content-Length: 52\r\n\
      Retry-After: 5\r\n\
      Connection: close\r\n\
      \r\n\
      This server is busy. Please try again in a moment.\r\n"
}

/// The words behind a status code (RFC 9110 15).
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_a_full_server_has_the_length_it_says() {
        let text = core::str::from_utf8(refusal_when_full()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&alloc::format!("Content-Length: {}\r\n", body.len())));
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 9, 10, 1234, u64::MAX] {
            let mut buffer = Vec::new();
            write_number(&mut buffer, number);
            assert_eq!(buffer, alloc::format!("{number}").into_bytes());
        }
    }
}
