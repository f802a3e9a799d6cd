//! Takes a reply's head apart (RFC 9112 4, 6.3), as strictly as a request's: a reply that two
//! programs could cut differently is used to slip a second one in.

use alloc::string::String;

use super::ask::{HeaderBlock, Method};
use super::head::{check_lines, has_token, length};
use super::limits::FIELDS_MOST;

/// A reply's head.
pub(super) struct ReplyHead {
    pub(super) status: u16,
    pub(super) fields: HeaderBlock,
    pub(super) framing: ReplyFraming,
    /// The server keeps the connection.
    pub(super) keeps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyFraming {
    None,
    Length(u64),
    Chunked,
    ToClose,
}

/// `method` is that of the request. The error is a sentence.
pub(super) fn parse(head: &[u8], method: Method) -> Result<ReplyHead, &'static str> {
    check_lines(head).map_err(|refusal| refusal.sentence)?;
    let mut lines = [httparse::EMPTY_HEADER; FIELDS_MOST];
    let mut parsed = httparse::Response::new(&mut lines);
    parsed.parse(head).map_err(|error| match error {
        httparse::Error::TooManyHeaders => "The reply has too many fields.",
        httparse::Error::Version => "The reply is not HTTP/1.1 or HTTP/1.0.",
        _ => "The head of the reply is malformed.",
    })?;
    let (Some(status), Some(minor)) = (parsed.code, parsed.version) else {
        return Err("The head of the reply is not whole.");
    };
    if !(100..600).contains(&status) {
        return Err("The reply has an impossible status code.");
    }
    let (mut content_length, mut chunked) = (None, false);
    let (mut close, mut keep_alive) = (false, false);
    for line in parsed.headers.iter() {
        let is = |known: &str| known.eq_ignore_ascii_case(line.name);
        if is("content-length") {
            let number = length(line.value).ok_or("Content-Length is not a number.")?;
            if content_length.replace(number).is_some() {
                return Err("The reply has more than one Content-Length field.");
            }
        } else if is("transfer-encoding") {
            if chunked || !line.value.eq_ignore_ascii_case(b"chunked") {
                return Err("The reply has a transfer coding other than one chunked.");
            }
            chunked = true;
        } else if is("connection") {
            close |= has_token(line.value, "close");
            keep_alive |= has_token(line.value, "keep-alive");
        }
    }
    let bodiless = method == Method::Head || status < 200 || matches!(status, 204 | 304);
    let framing = match (chunked, content_length) {
        (true, Some(_)) => return Err("The reply has both Content-Length and Transfer-Encoding."),
        (true, None) if minor == 0 => return Err("HTTP/1.0 does not know Transfer-Encoding."),
        _ if bodiless => ReplyFraming::None,
        (true, None) => ReplyFraming::Chunked,
        (false, Some(number)) => ReplyFraming::Length(number),
        (false, None) => ReplyFraming::ToClose,
    };
    let keeps = !close && (minor > 0 || keep_alive) && framing != ReplyFraming::ToClose;
    let fields = parsed
        .headers
        .iter()
        .map(|line| (line.name, String::from_utf8_lossy(line.value)));
    Ok(ReplyHead {
        status,
        fields: HeaderBlock::of(fields),
        framing,
        keeps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(text: &str, method: Method) -> Result<ReplyFraming, &'static str> {
        parse(text.as_bytes(), method).map(|head| head.framing)
    }

    #[test]
    fn where_a_reply_ends_is_never_guessed() {
        let get = |text: &str| framing(text, Method::Get);
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(get(length), Ok(ReplyFraming::Length(5)));
        assert_eq!(framing(length, Method::Head), Ok(ReplyFraming::None));
        assert_eq!(get("HTTP/1.1 200 OK\r\n\r\n"), Ok(ReplyFraming::ToClose));
        assert_eq!(get("HTTP/1.1 304 \r\n\r\n"), Ok(ReplyFraming::None));
        for wrong in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
            "HTTP/1.1 999 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "hello\r\n\r\n",
        ] {
            assert!(get(wrong).is_err(), "{wrong:?}");
        }
    }
}
