//! A capture of what really goes over the loopback.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Signal, eventually, signal};

/// Where the datagrams go that mark beginning and end.
const NOBODY: &str = "127.0.0.99";

/// tshark, listening on the loopback.
pub struct Capture {
    child: Child,
    file: PathBuf,
}

impl Capture {
    /// Whatever passes `filter` (none: everything) goes into the file. None where the system does not
    /// let us listen.
    pub fn start(tshark: &Path, file: &Path, filter: &str) -> Option<Self> {
        let mut command = Command::new(tshark);
        command.args(["-i", "lo", "-q", "-w"]).arg(file);
        if !filter.is_empty() {
            command.args(["-f", &format!("host {NOBODY} or ({filter})")]);
        }
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut capture = Self {
            child: command.spawn().unwrap(),
            file: file.to_owned(),
        };
        let listening = eventually(Duration::from_secs(20), || {
            if capture.child.try_wait().unwrap().is_some() {
                return Ok(false);
            }
            capture.has_seen("guichet capture begins").map(|()| true)
        });
        listening.then_some(capture)
    }

    /// Ends when everything sent before has reached the file.
    pub fn stop(mut self) {
        eventually(Duration::from_secs(20), || {
            self.has_seen("guichet capture ends")
        });
        signal(self.child.id(), Signal::INT);
        let _ = self.child.wait();
    }

    /// Sends a datagram that nobody reads, and looks for an earlier one like it in the file.
    fn has_seen(&self, words: &str) -> Result<(), String> {
        let socket = UdpSocket::bind((NOBODY, 0)).unwrap();
        let nobody = UdpSocket::bind((NOBODY, 0)).unwrap();
        socket
            .send_to(words.as_bytes(), nobody.local_addr().unwrap())
            .unwrap();
        let bytes = fs::read(&self.file).unwrap_or_default();
        let there = bytes
            .windows(words.len())
            .any(|window| window == words.as_bytes());
        there
            .then_some(())
            .ok_or_else(|| format!("no {words:?} in the capture"))
    }
}
