//! A client that collects everything in a maildrop.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Within this time a maildrop is free again after its reader's QUIT.
const LEAVING_MOST: Duration = Duration::from_secs(2);

/// Every letter of `login`, as it was before the dots were stuffed.
pub fn collect(address: SocketAddr, login: &str, password: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut pop3 = Pop3::log_in(address, login, password)?;
    let count = pop3.ask("STAT")?;
    let count: usize = count
        .split(' ')
        .nth(1)
        .and_then(|count| count.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no count: {count}")))?;
    let mut letters = Vec::with_capacity(count);
    for number in 1..=count {
        pop3.ask(&format!("RETR {number}"))?;
        letters.push(pop3.block()?);
    }
    pop3.ask("QUIT")?;
    Ok(letters)
}

/// A connection, greeted.
pub struct Pop3 {
    stream: BufReader<TcpStream>,
}

impl Pop3 {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        let mut pop3 = Self {
            stream: BufReader::new(stream),
        };
        pop3.good()?;
        Ok(pop3)
    }

    /// Opens a maildrop. Whoever had it before may still be leaving: that ends soon.
    pub fn log_in(address: SocketAddr, login: &str, password: &str) -> io::Result<Self> {
        let begun = Instant::now();
        loop {
            let mut pop3 = Self::open(address)?;
            pop3.ask(&format!("USER {login}"))?;
            match pop3.ask(&format!("PASS {password}")) {
                Ok(_) => return Ok(pop3),
                Err(error) if begun.elapsed() > LEAVING_MOST => return Err(error),
                Err(error) if !error.to_string().contains("[IN-USE]") => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// One command and its positive reply.
    pub fn ask(&mut self, command: &str) -> io::Result<String> {
        self.say(&format!("{command}\r\n"))?;
        self.good()
    }

    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(text.as_bytes())
    }

    fn good(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.starts_with("+OK") {
            true => Ok(line.trim_end().to_owned()),
            false => Err(io::Error::other(format!("refused: {line:?}"))),
        }
    }

    /// What comes behind a positive reply, up to the lone dot.
    fn block(&mut self) -> io::Result<Vec<u8>> {
        let mut block = Vec::new();
        loop {
            let begin = block.len();
            if self.stream.read_until(b'\n', &mut block)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if &block[begin..] == b".\r\n" {
                block.truncate(begin);
                return Ok(block);
            }
            if block[begin] == b'.' {
                block.remove(begin);
            }
        }
    }
}
