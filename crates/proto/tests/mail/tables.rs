//! Every command at every stage: what the table forbids is refused, what it allows is not.

use guichet_proto::smtp::Kind;
use guichet_proto::{pop3, smtp};

use crate::fakes::{Mail, Maildrop, PASSWORD};
use crate::joined::End;

#[test]
fn smtp_commands_at_every_stage() {
    use smtp::table::{Command, Stage, TABLE};
    for stage in Stage::ALL {
        for row in &TABLE {
            let reply = smtp_reply(stage, smtp_line(row.command));
            let is_refused = reply.starts_with("503 5.5.1 ") && reply.contains(row.otherwise);
            let is_legal = row.command.is_legal_in(stage);
            assert_eq!(!is_refused, is_legal, "{} at {stage:?}: {reply}", row.word);
            let may_fail = matches!(
                row.command,
                Command::Expn | Command::StartTls | Command::Auth
            );
            if is_legal && !may_fail {
                assert!(
                    reply.starts_with(['2', '3']),
                    "{} at {stage:?}: {reply}",
                    row.word
                );
            }
        }
    }
}

fn smtp_line(command: smtp::table::Command) -> &'static str {
    use smtp::table::Command;
    match command {
        Command::Ehlo => "EHLO x\r\n",
        Command::Helo => "HELO x\r\n",
        Command::StartTls => "STARTTLS\r\n",
        Command::Auth => "AUTH PLAIN\r\n",
        Command::Mail => "MAIL FROM:<>\r\n",
        Command::Rcpt => "RCPT TO:<a@nord.test>\r\n",
        Command::Data => "DATA\r\n",
        Command::Bdat => "BDAT 1\r\nx",
        Command::Rset => "RSET\r\n",
        Command::Noop => "NOOP\r\n",
        Command::Vrfy => "VRFY a\r\n",
        Command::Expn => "EXPN a\r\n",
        Command::Help => "HELP\r\n",
        Command::Quit => "QUIT\r\n",
    }
}

/// What a server at this stage says to this line.
fn smtp_reply(stage: smtp::table::Stage, line: &str) -> String {
    use smtp::table::Stage;
    let settings = smtp::Settings::new("mail.nord.test", Kind::Reception);
    let mut end = End::new(smtp::Server::new(settings), Mail::default());
    let lines = [
        "HELO x\r\n",
        "MAIL FROM:<>\r\n",
        "RCPT TO:<a@nord.test>\r\n",
        "BDAT 1\r\nx",
    ];
    let too_large = "BDAT 60000000\r\n";
    let count = match stage {
        Stage::Connected => 0,
        Stage::Ready => 1,
        Stage::Sender => 2,
        Stage::Recipients | Stage::Broken => 3,
        Stage::Chunks => 4,
    };
    end.drive();
    for line in &lines[..count] {
        end.dialogue.receive(line.as_bytes());
        end.drive();
    }
    if stage == Stage::Broken {
        end.dialogue.receive(too_large.as_bytes());
        for _ in 0..6000 {
            end.dialogue.receive(&[b'x'; 10_000]);
            end.drive();
        }
    }
    assert_eq!(
        guichet_proto::Session::state(end.dialogue.session()),
        stage.name()
    );
    end.dialogue.receive(line.as_bytes());
    String::from_utf8(end.drive()).unwrap()
}

#[test]
fn pop3_commands_at_every_stage() {
    use pop3::table::{Stage, TABLE};
    for stage in [Stage::Authorization, Stage::Transaction] {
        for row in &TABLE {
            let reply = pop3_reply(stage, pop3_line(row.command));
            match row.refusal_at(stage) {
                Some(words) => assert_eq!(reply, format!("-ERR {words}\r\n"), "{}", row.word),
                None => assert!(reply.starts_with('+'), "{} at {stage:?}: {reply}", row.word),
            }
        }
    }
}

fn pop3_line(command: pop3::table::Command) -> &'static str {
    use pop3::table::Command;
    match command {
        Command::Capa => "CAPA\r\n",
        Command::Stls => "STLS\r\n",
        Command::Auth => "AUTH PLAIN\r\n",
        Command::User => "USER bob@nord.test\r\n",
        Command::Pass => "PASS kanarienvogel\r\n",
        Command::Stat => "STAT\r\n",
        Command::List => "LIST\r\n",
        Command::Uidl => "UIDL 1\r\n",
        Command::Retr => "RETR 1\r\n",
        Command::Top => "TOP 1 0\r\n",
        Command::Dele => "DELE 1\r\n",
        Command::Rset => "RSET\r\n",
        Command::Noop => "NOOP\r\n",
        Command::Quit => "QUIT\r\n",
    }
}

fn pop3_reply(stage: pop3::table::Stage, line: &str) -> String {
    let mut settings = pop3::Settings::new("mail.nord.test");
    (settings.tls_offered, settings.auth_in_clear) = (true, true);
    let mut end = End::new(pop3::Server::new(settings), Maildrop::new(&["one\r\n"]));
    end.drive();
    end.dialogue.receive(b"USER bob@nord.test\r\n");
    end.drive();
    if stage == pop3::table::Stage::Transaction {
        end.dialogue
            .receive(format!("PASS {PASSWORD}\r\n").as_bytes());
        end.drive();
    }
    assert_eq!(
        guichet_proto::Session::state(end.dialogue.session()),
        stage.name()
    );
    end.dialogue.receive(line.as_bytes());
    String::from_utf8(end.drive()).unwrap()
}
