//! Letters of 50 MB pass in pieces, at the pace of whoever takes them, and never lie in memory.

use std::future::pending;

use guichet_proto::dialogue::{INPUT_BYTES_MOST, OUTPUT_BYTES_HIGH, PULL_BYTES};
use guichet_proto::session::NoTap;
use guichet_proto::smtp::Kind;
use guichet_proto::{Dialogue, Moment, Next, Pulled, Reply, Service, SourceId, pop3, smtp};

const NOW: Moment = Moment(0);
const READ_BYTES: usize = 16 * 1024;
/// More than the input buffer holds.
const WAIT_READS: usize = 20;
const LETTER_BYTES: usize = 50_000_000;

/// A mail service that needs time for every third piece, and a maildrop with one large message.
#[derive(Default)]
struct Slow {
    bytes: u64,
    pieces: u64,
    sum: u64,
    pulled_bytes: usize,
}

impl Service for Slow {
    type Ask = smtp::Ask;
    type Answer = smtp::Answer;

    fn ask(&mut self, ask: smtp::Ask) -> Reply<smtp::Answer> {
        Reply::Now(match ask {
            smtp::Ask::Finish { bytes } => {
                assert_eq!(bytes, self.bytes);
                smtp::Answer::Queued {
                    id: "q1".into(),
                    message_id: String::new(),
                }
            }
            _ => smtp::Answer::Accepted,
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Reply<()> {
        self.pieces += 1;
        self.bytes += piece.len() as u64;
        self.sum = piece.iter().fold(self.sum, |sum, &byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        match self.pieces.is_multiple_of(3) {
            true => Reply::Later(Box::pin(pending())), // the driver below decides when it is ready
            false => Reply::Now(()),
        }
    }
}

/// What was held at most, and what was said.
struct Passed {
    held_bytes_most: usize,
    replies: Vec<u8>,
    service: Slow,
}

/// Sends `parts` to a server, as the engine does: it reads while the dialogue wants input (or,
/// badly, always), and a piece that needs time is taken only so many reads later.
fn pass(parts: &[Vec<u8>], reads_always: bool) -> Passed {
    let settings = smtp::Settings::new("mail.nord.test", Kind::Reception);
    let mut dialogue = Dialogue::open(smtp::Server::new(settings), NOW);
    let mut passed = Passed {
        held_bytes_most: 0,
        replies: Vec::new(),
        service: Slow::default(),
    };
    let mut waits_reads = 0;
    let mut reads = parts.iter().flat_map(|part| part.chunks(READ_BYTES));
    let mut next = reads.next();
    loop {
        if waits_reads == 0 {
            match step(&mut dialogue, &mut passed) {
                Step::Waits => waits_reads = WAIT_READS,
                Step::Done => return passed,
                Step::Goes if next.is_none() && dialogue.output().is_empty() => {
                    // One more look, then there is nothing left to do.
                    match step(&mut dialogue, &mut passed) {
                        Step::Waits => waits_reads = WAIT_READS,
                        _ => return passed,
                    }
                }
                Step::Goes => {}
            }
        } else {
            waits_reads -= 1;
            if waits_reads == 0 {
                dialogue.piece_taken(NOW);
            }
        }
        if (reads_always || dialogue.wants_input())
            && let Some(bytes) = next
        {
            dialogue.receive(bytes);
            next = reads.next();
        }
        passed.held_bytes_most = passed.held_bytes_most.max(dialogue.input_buffer().len());
    }
}

enum Step {
    Goes,
    Waits,
    Done,
}

/// Goes on until it needs input or the service needs time.
fn step(dialogue: &mut Dialogue<smtp::Server>, passed: &mut Passed) -> Step {
    loop {
        let next = dialogue.next(NOW, &mut NoTap);
        passed.replies.extend_from_slice(dialogue.output());
        let count = dialogue.output().len();
        dialogue.sent(NOW, count);
        match next {
            Next::Ask(ask) => match passed.service.ask(ask) {
                Reply::Now(answer) => dialogue.answer(NOW, answer),
                Reply::Later(_) => panic!("the service answers at once"),
            },
            Next::Piece => match passed.service.piece(dialogue.piece()) {
                Reply::Now(()) => dialogue.piece_taken(NOW),
                Reply::Later(_) => return Step::Waits,
            },
            Next::Idle => return Step::Goes,
            Next::Close(_) => return Step::Done,
            _ => {}
        }
    }
}

/// Lines of 80 bytes, some beginning with a dot.
fn letter_text() -> Vec<u8> {
    let mut text = Vec::with_capacity(LETTER_BYTES);
    for line in 0..LETTER_BYTES / 80 {
        let dot = if line % 7 == 0 { '.' } else { 'x' };
        text.extend_from_slice(format!("{dot}{line:077}\r\n").as_bytes());
    }
    text
}

fn sum(text: &[u8]) -> u64 {
    text.iter().fold(0_u64, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    })
}

fn envelope() -> Vec<Vec<u8>> {
    let commands = ["HELO x\r\n", "MAIL FROM:<>\r\nRCPT TO:<a@nord.test>\r\n"];
    commands.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// What is used up is dropped when it is as much as may wait.
const HELD_BYTES_MOST: usize = 2 * INPUT_BYTES_MOST + 2 * READ_BYTES;

fn assert_passed(passed: &Passed, text: &[u8]) {
    assert_eq!(passed.service.bytes, text.len() as u64);
    assert_eq!(passed.service.sum, sum(text));
    let replies = String::from_utf8_lossy(&passed.replies);
    assert!(replies.contains("250 2.0.0 queued as q1"), "{replies}");
    let held = passed.held_bytes_most;
    assert!(held <= HELD_BYTES_MOST, "{held} bytes held at once");
}

#[test]
fn a_chunk_of_50_mb_passes_in_pieces() {
    let text = letter_text();
    let command = format!("BDAT {} LAST\r\n", text.len()).into_bytes();
    let mut parts = envelope();
    parts.extend([command, text.clone(), b"QUIT\r\n".to_vec()]);
    assert_passed(&pass(&parts, false), &text);

    // Without back-pressure the same check fails: it can.
    assert!(pass(&parts, true).held_bytes_most > HELD_BYTES_MOST);
}

#[test]
fn many_chunks_are_one_letter() {
    let text = letter_text();
    let mut parts = envelope();
    for chunk in text.chunks(1_000_003) {
        parts.push(format!("BDAT {}\r\n", chunk.len()).into_bytes());
        parts.push(chunk.to_vec());
    }
    parts.push(b"BDAT 0 LAST\r\nQUIT\r\n".to_vec());
    assert_passed(&pass(&parts, false), &text);
}

#[test]
fn a_letter_of_50_mb_passes_in_pieces() {
    let text = letter_text();
    let stuffed = String::from_utf8(text.clone())
        .unwrap()
        .replace("\n.", "\n..");
    let mut parts = envelope();
    parts.extend([
        b"DATA\r\n".to_vec(),
        format!(".{stuffed}.\r\nQUIT\r\n").into_bytes(),
    ]);
    assert_passed(&pass(&parts, false), &text);
}

/// One message of 50 MB, given in pieces as large as asked for.
impl Slow {
    fn pull_more(&mut self, most: usize) -> Pulled {
        let count = most.min(LETTER_BYTES - self.pulled_bytes);
        self.pulled_bytes += count;
        match count {
            0 => Pulled::End,
            _ => Pulled::Bytes(vec![b'x'; count]),
        }
    }
}

#[test]
fn a_slow_reader_of_50_mb_holds_the_store_back() {
    let mut settings = pop3::Settings::new("mail.nord.test");
    settings.secured = true;
    let mut dialogue = Dialogue::open(pop3::Server::new(settings), NOW);
    dialogue.receive(b"USER bob@nord.test\r\nPASS x\r\nRETR 1\r\nQUIT\r\n");
    let (mut store, mut taken, mut held) = (Slow::default(), 0, 0);
    loop {
        match dialogue.next(NOW, &mut NoTap) {
            Next::Ask(pop3::Ask::Open { .. }) => {
                let entry = pop3::Entry {
                    octets: LETTER_BYTES as u64,
                    unique_id: "u1".into(),
                };
                dialogue.answer(NOW, pop3::Answer::Opened(vec![entry]));
            }
            Next::Ask(_) => {
                let source = SourceId(1);
                dialogue.answer(
                    NOW,
                    pop3::Answer::Ready {
                        source,
                        cause: None,
                    },
                );
            }
            Next::Pull(_) => {
                let pulled = store.pull_more(PULL_BYTES);
                dialogue.pulled(pulled, &mut NoTap);
            }
            Next::Close(_) => break,
            _ => {
                // The reader takes 10 kB at a time.
                let count = dialogue.output().len().min(10_000);
                taken += count;
                dialogue.sent(NOW, count);
            }
        }
        held = held.max(dialogue.output().len());
    }
    assert!(taken > LETTER_BYTES, "{taken}");
    assert!(
        held <= OUTPUT_BYTES_HIGH + PULL_BYTES,
        "{held} bytes held at once"
    );
}
