//! The client's side: joined to the server, and against broken replies.

use guichet_proto::http::{ClientRequest, Failure, Method};
use guichet_proto::session::NoTap;
use guichet_proto::{Dialogue, Moment};

use crate::peers::{Reader, client, join, post, turn};

#[test]
fn the_client_gets_a_page_and_then_its_parts_over_one_connection() {
    let mut reader = Reader {
        next: [ClientRequest::get("h", "/style.css")].into(),
        ..Reader::default()
    };
    let requests = vec![
        ClientRequest::get("h", "/"),
        ClientRequest {
            method: Method::Head,
            ..ClientRequest::get("h", "/file")
        },
        ClientRequest::get("h", "/file"),
        post("/upload", b"hello"),
        ClientRequest::get("h", "/same"),
    ];
    join(requests, &mut reader, [&mut NoTap, &mut NoTap]);
    let expected: [(u16, &[u8]); 6] = [
        (200, b"<p>home\n"),
        (200, b""),
        (200, &[b'x'; 300]),
        (201, b"hello"),
        (304, b""),
        (200, b"p{}"),
    ];
    assert_eq!(reader.failure, None);
    let got: Vec<_> = reader
        .replies
        .iter()
        .map(|(s, b)| (*s, b.as_slice()))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn a_file_that_breaks_off_is_not_taken_for_the_whole() {
    let mut reader = Reader::default();
    join(
        vec![ClientRequest::get("h", "/shrinking")],
        &mut reader,
        [&mut NoTap, &mut NoTap],
    );
    assert_eq!(reader.failure, Some(Failure::Cut));
}

/// What the client makes of a reply, and whether it gave up.
pub fn read(reply: &[u8], then_closes: bool) -> (Vec<(u16, Vec<u8>)>, Option<Failure>) {
    let mut reader = Reader::default();
    let requests = vec![ClientRequest::get("h", "/"), ClientRequest::get("h", "/2")];
    let mut dialogue = Dialogue::open(client(requests), Moment(0));
    let mut wire = Vec::new();
    turn(&mut dialogue, &mut reader, &mut NoTap, &mut wire);
    dialogue.receive(reply);
    turn(&mut dialogue, &mut reader, &mut NoTap, &mut wire);
    if then_closes {
        dialogue.input_ended();
        turn(&mut dialogue, &mut reader, &mut NoTap, &mut wire);
    }
    (reader.replies, reader.failure)
}

#[test]
fn the_client_takes_every_legal_framing() {
    for (reply, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\nh\r\n1\r\ni\r\n0\r\nT: x\r\n\r\n",
            "hi",
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            "",
        ),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ""),
    ] {
        let (replies, failure) = read(reply.as_bytes(), false);
        assert_eq!(failure, None, "{reply}");
        assert_eq!(replies[0].1, expected.as_bytes(), "{reply}");
    }
    let (replies, failure) = read(b"HTTP/1.1 200 OK\r\n\r\nto the end", true);
    assert_eq!(replies[0].1, b"to the end");
    assert_eq!(
        failure,
        Some(Failure::ClosedBefore),
        "the second request needs another connection"
    );
}

#[test]
fn the_client_sees_through_broken_and_split_replies() {
    let cut = Some(Failure::Cut);
    assert_eq!(
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", true).1,
        cut
    );
    assert_eq!(
        read(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi",
            true
        )
        .1,
        cut
    );
    assert_eq!(
        read(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            true
        )
        .1,
        cut
    );
    assert_eq!(read(b"HTTP/1.1 100 Continue\r\n\r\n", true).1, cut);
    assert_eq!(read(b"", true).1, Some(Failure::ClosedBefore));
    let huge = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2_u64 << 30);
    assert_eq!(read(huge.as_bytes(), false).1, Some(Failure::TooLarge));
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(40_000));
    assert_eq!(read(long.as_bytes(), false).1, Some(Failure::TooLarge));
    for malformed in [
        // A second reply slipped into a value by bare line ends.
        "HTTP/1.1 200 OK\r\nX: a\n\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\rContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        "220 mail.nord.test ESMTP\r\n\r\n",
    ] {
        let failure = read(malformed.as_bytes(), false).1;
        assert!(
            matches!(failure, Some(Failure::Malformed(_))),
            "{malformed:?}: {failure:?}"
        );
    }
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(20);
    assert!(matches!(
        read(interim.as_bytes(), false).1,
        Some(Failure::Malformed(_))
    ));
}

#[test]
fn a_request_that_would_split_is_not_sent() {
    for target in ["/a b", "/a\r\nX: y", ""] {
        let mut reader = Reader::default();
        let mut dialogue = Dialogue::open(client(vec![ClientRequest::get("h", target)]), Moment(0));
        let mut wire = Vec::new();
        turn(&mut dialogue, &mut reader, &mut NoTap, &mut wire);
        assert!(wire.is_empty());
        assert_eq!(reader.failure, Some(Failure::Unsendable));
    }
}
