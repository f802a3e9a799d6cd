//! A client of mail, one step at a time, so that a test knows what the server has promised.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server that says nothing for so long has stalled.
const SILENCE_MOST: Duration = Duration::from_secs(30);

/// A reply: its code, and its last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub text: String,
}

/// A connection, greeted.
pub struct Smtp {
    stream: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects, hears the greeting and says EHLO.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SILENCE_MOST))?;
        stream.set_write_timeout(Some(SILENCE_MOST))?;
        stream.set_nodelay(true)?;
        let mut smtp = Self {
            stream: BufReader::new(stream),
        };
        smtp.expect(220)?;
        smtp.say("EHLO client.test\r\n")?;
        smtp.expect(250)?;
        Ok(smtp)
    }

    /// MAIL, RCPT and DATA in one breath (RFC 2920); afterwards the server waits for the letter.
    pub fn envelope(&mut self, sender: &str, recipients: &[&str]) -> io::Result<()> {
        let mut lines = format!("MAIL FROM:<{sender}>\r\n");
        for recipient in recipients {
            lines.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        lines.push_str("DATA\r\n");
        self.say(&lines)?;
        for _ in 0..=recipients.len() {
            self.expect(250)?;
        }
        self.expect(354)
    }

    /// The letter without its end; its lines end with CR LF.
    pub fn body(&mut self, letter: &str) -> io::Result<()> {
        let stuffed = letter.replace("\r\n.", "\r\n..");
        self.say(&stuffed)
    }

    /// The end of the letter; the reply is the promise.
    pub fn end(&mut self) -> io::Result<Reply> {
        self.say(".\r\n")?;
        self.reply()
    }

    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(text.as_bytes())
    }

    /// One command and its reply.
    pub fn ask(&mut self, command: &str) -> io::Result<Reply> {
        self.say(&format!("{command}\r\n"))?;
        self.reply()
    }

    pub fn reply(&mut self) -> io::Result<Reply> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (code, text) = line
                .split_at_checked(3)
                .ok_or_else(|| io::Error::other(format!("no reply: {line:?}")))?;
            if text.starts_with('-') {
                continue;
            }
            let code = code
                .parse()
                .map_err(|_| io::Error::other(format!("no reply: {line:?}")))?;
            return Ok(Reply {
                code,
                text: text.trim().to_owned(),
            });
        }
    }

    fn expect(&mut self, code: u16) -> io::Result<()> {
        match self.reply()? {
            reply if reply.code == code => Ok(()),
            reply => Err(io::Error::other(format!("expected {code}, got {reply:?}"))),
        }
    }
}
