//! The fakes: a site in a match, a reader that collects replies, and how two sides are joined.

use std::collections::VecDeque;

use guichet_proto::http::{
    Answer, Ask, Body, Client, ClientAnswer, ClientAsk, ClientRequest, ClientSettings, Failure,
    HeaderBlock, Method, Response, Scheme, Server, Settings,
};
use guichet_proto::{Dialogue, Moment, Next, Pulled, Reply, Service, Session, SourceId, Tap};

pub fn server() -> Server {
    // The moment of the examples in RFC 9110.
    Server::new(Settings::new(Scheme::Http, |_| 784_111_777))
}

/// A site in a match.
#[derive(Default)]
pub struct FakeSite {
    pub collected: Vec<u8>,
    left: usize,
    shrinks: bool,
}

pub fn page(kind: &str, body: &str) -> Response {
    Response::new(
        200,
        HeaderBlock::of([("Content-Type", kind)]),
        body.as_bytes(),
    )
}

impl FakeSite {
    fn respond(&mut self, path: &str) -> Response {
        let source = |length| Body::Source {
            source: SourceId(1),
            length,
        };
        let none = HeaderBlock::default();
        match path {
            "/" => page("text/html", "<p>home\n"),
            "/style.css" => page("text/css", "p{}"),
            "/forbidden" => Response::empty(403, none),
            "/same" => Response::empty(304, HeaderBlock::of([("ETag", "\"abc\"")])),
            "/part" => {
                let range = HeaderBlock::of([("Content-Range", "bytes 1-3/10")]);
                Response::new(206, range, &b"123"[..])
            }
            "/file" | "/shrinking" => {
                (self.left, self.shrinks) = (300, path == "/shrinking");
                Response {
                    status: 200,
                    fields: none,
                    body: source(300),
                }
            }
            "/events" => Response {
                status: 200,
                fields: HeaderBlock::of([("Content-Type", "text/event-stream")]),
                body: Body::Stream,
            },
            "/login" => page("text/plain", "in").with("Set-Cookie", "id=CANARY-set"),
            _ => Response::empty(404, none),
        }
    }
}

pub trait With {
    fn with(self, name: &str, value: &str) -> Self;
}

impl With for Response {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.fields = self.fields.and(name, value);
        self
    }
}

impl Service for FakeSite {
    type Ask = Ask;
    type Answer = Answer;

    fn ask(&mut self, ask: Ask) -> Reply<Answer> {
        Reply::Now(match ask {
            Ask::Request(request) if request.path() == "/upload" => {
                self.collected.clear();
                Answer::Accept {
                    bytes_most: 20,
                    secret: request.target.ends_with("?secret"),
                }
            }
            Ask::Request(request) => Answer::Response(self.respond(request.path())),
            Ask::Finish { bytes } => {
                assert_eq!(bytes, self.collected.len() as u64);
                let fields = HeaderBlock::of([("Content-Type", "text/plain")]);
                Answer::Response(Response::new(201, fields, &self.collected[..]))
            }
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        self.collected.extend_from_slice(piece);
        Reply::Now(())
    }

    fn pull(&mut self, _: SourceId, most: usize) -> Reply<Pulled> {
        let count = self.left.min(most).min(100);
        self.left -= count;
        Reply::Now(match count {
            _ if self.shrinks => Pulled::Failed,
            0 => Pulled::End,
            _ => Pulled::Bytes(vec![b'x'; count]),
        })
    }
}

/// Collects replies; asks for the style sheet once it has the page.
#[derive(Default)]
pub struct Reader {
    pub replies: Vec<(u16, Vec<u8>)>,
    pub failure: Option<Failure>,
    pub next: VecDeque<ClientRequest>,
}

impl Service for Reader {
    type Ask = ClientAsk;
    type Answer = ClientAnswer;

    fn ask(&mut self, ask: ClientAsk) -> Reply<ClientAnswer> {
        let mut next = Vec::new();
        match ask {
            ClientAsk::Begin { status, .. } => self.replies.push((status, Vec::new())),
            ClientAsk::End { bytes, .. } => {
                let got = self.replies.last().map(|(_, body)| body.len() as u64);
                assert_eq!(got, Some(bytes));
                next.extend(self.next.pop_front());
            }
            ClientAsk::Failed { failure, .. } => self.failure = Some(failure),
        }
        Reply::Now(ClientAnswer::Go { next })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        if let Some((_, body)) = self.replies.last_mut() {
            body.extend_from_slice(piece);
        }
        Reply::Now(())
    }
}

pub fn client(requests: Vec<ClientRequest>) -> Client {
    Client::new(ClientSettings::new(Scheme::Http), requests)
}

pub fn post(target: &str, body: &[u8]) -> ClientRequest {
    ClientRequest {
        method: Method::Post,
        body: body.to_vec(),
        ..ClientRequest::get("h", target)
    }
}

/// One turn of a dialogue with its service; what it says goes into `wire`.
pub fn turn<S, V>(
    dialogue: &mut Dialogue<S>,
    service: &mut V,
    tap: &mut dyn Tap,
    wire: &mut Vec<u8>,
) -> bool
where
    S: Session,
    V: Service<Ask = S::Ask, Answer = S::Answer>,
{
    let now = Moment(0);
    loop {
        let next = dialogue.next(now, tap);
        let output = dialogue.output();
        wire.extend_from_slice(output);
        let count = output.len();
        dialogue.sent(now, count);
        match next {
            Next::Ask(ask) => match service.ask(ask) {
                Reply::Now(answer) => dialogue.answer(now, answer),
                Reply::Later(_) => panic!("both fakes answer at once"),
            },
            Next::Piece => {
                service.piece(dialogue.piece());
                dialogue.piece_taken(now);
            }
            Next::Pull(source) => match service.pull(source, 70) {
                Reply::Now(pulled) => dialogue.pulled(pulled, tap),
                Reply::Later(_) => panic!("both fakes answer at once"),
            },
            Next::Idle => return false,
            Next::Close(_) | Next::HalfClose => return true,
            _ => {}
        }
    }
}

/// Joins a client and a server until one of them closes.
pub fn join(requests: Vec<ClientRequest>, reader: &mut Reader, taps: [&mut dyn Tap; 2]) {
    let [client_tap, server_tap] = taps;
    let mut near = Dialogue::open(client(requests), Moment(0));
    let mut far = Dialogue::open(server(), Moment(0));
    let mut site = FakeSite::default();
    for _ in 0..100 {
        let (mut out, mut back) = (Vec::new(), Vec::new());
        let near_ended = turn(&mut near, reader, client_tap, &mut out);
        far.receive(&out);
        if near_ended {
            far.input_ended();
        }
        let far_ended = turn(&mut far, &mut site, server_tap, &mut back);
        near.receive(&back);
        if far_ended {
            near.input_ended();
        }
        if near_ended {
            return;
        }
    }
    panic!("the two never come to an end");
}
