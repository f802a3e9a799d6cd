//! Workers that have been taken over: they write frames by hand.

use std::os::unix::net::UnixStream;

use guichet_proto::SourceId;
use guichet_proto::smtp::ask::{Answer, Ask};
use guichet_trace::{Body, ExchangeId, Moment, Record, Verb, WallTime};

use super::channel::{self, Frame, FromWorker, ToWorker};

/// What each of them does in the name of a client that did not ask for it.
pub fn live(name: &str, mut channel: UnixStream) {
    match name {
        "rogue-finish" => {
            begin_letter(&mut channel);
            ask(&mut channel, Ask::Finish { bytes: 0 });
        }
        "rogue-length" => {
            begin_letter(&mut channel);
            ask(&mut channel, Ask::Body);
            channel::write_bytes(&mut channel, b"half a let").unwrap();
            ask(&mut channel, Ask::Finish { bytes: 1000 });
        }
        "rogue-piece" => {
            begin_letter(&mut channel);
            channel::write_bytes(&mut channel, b"text").unwrap();
        }
        "rogue-pull" => {
            let source = SourceId(7);
            say(&mut channel, FromWorker::Pull { source, most: 1 });
        }
        "rogue-frame" => channel::write_bytes(&mut channel, &[0; 2 << 20]).unwrap(),
        "rogue-record" => {
            let word = Verb::new("forged");
            let (part, text) = (0, String::new());
            say(
                &mut channel,
                FromWorker::Record(Record {
                    exchange: ExchangeId(1),
                    at: Moment(0),
                    wall: WallTime(0),
                    body: Body::Note { word, part, text },
                }),
            );
        }
        unknown => panic!("no worker is called {unknown}"),
    }
    say(&mut channel, FromWorker::Ended);
}

fn begin_letter(channel: &mut UnixStream) {
    let mail = Ask::Mail {
        sender: "alice@nord.test".into(),
        client_name: "nord.test".into(),
        size_bytes: None,
        utf8: false,
        eight_bit: false,
        part: 1,
    };
    ask(channel, mail);
    let address = "bob@sud.test".into();
    ask(channel, Ask::Recipient { address });
}

fn say(channel: &mut UnixStream, words: FromWorker<Ask>) {
    channel::write_words(channel, &words).unwrap();
}

fn ask(channel: &mut UnixStream, ask: Ask) {
    say(channel, FromWorker::Ask(ask));
    loop {
        match channel::read::<ToWorker<Answer>>(channel).unwrap() {
            Frame::Words(ToWorker::Answer(_)) => return,
            _ => continue,
        }
    }
}
