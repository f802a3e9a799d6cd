//! The server's end: binds the socket, takes one request a connection, writes the answer.

use std::fs::Permissions;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{Line, Request, is_ours};
use crate::output::Message;

/// The longest request; the longest real one is an alias with many targets.
const REQUEST_MAX_BYTES: u64 = 1 << 20;

/// A client that does not say what it wants is let go.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Commands at once; each `trace follow` is one.
const CLIENTS_MAX: usize = 64;

/// How long a server that ends waits for its last answers to be written.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

/// The result of a request, or why it was refused.
pub type Answer = Result<Value, Message>;

/// Who does what is asked.
pub trait Handler: Send + Sync + 'static {
    /// Does it. Results that come one by one go to `stream`; the returned value ends the answer.
    /// The future is dropped when the client goes away.
    fn handle<'a>(
        &'a self,
        request: Request,
        stream: &'a mut Stream,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
}

/// Where results go that come one by one.
#[derive(Debug)]
pub struct Stream {
    writer: OwnedWriteHalf,
}

impl Stream {
    /// Writes one result, and waits until the client has room for it.
    ///
    /// # Errors
    /// The client went away.
    pub async fn item(&mut self, item: &impl Serialize) -> io::Result<()> {
        self.line(&Line::Item(serde_json::to_value(item)?)).await
    }

    async fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.writer.write_all(&text).await
    }
}

/// The requests being answered.
#[derive(Clone, Debug, Default)]
pub struct Conversations(TaskTracker);

impl Conversations {
    /// Waits a moment until they are answered: whoever asked for the stop is to learn how it went.
    pub async fn end(&self) {
        self.0.close();
        // Who follows the trace does not end by itself, and knows from the broken connection.
        let _ = tokio::time::timeout(LAST_ANSWERS, self.0.wait()).await;
    }
}

/// A bound control socket; its file is removed with it.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Binds `path`, mode 0600. A socket that a dead process left there is replaced; call it only
    /// while holding what makes this the only server of its folder (the store's lock).
    ///
    /// # Errors
    /// Somebody answers there already, the path is too long for a socket, or its folder cannot be
    /// written.
    pub fn bind(path: &Path) -> Result<Self, Message> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(Message::new("control-taken").with("path", path));
        }
        let failed = |error: io::Error| {
            Message::new("control-bind")
                .with("path", path)
                .with("why", &error)
        };
        // Under another name until its mode is right: nobody may find it open.
        let nascent = path.with_extension("new");
        match std::fs::remove_file(&nascent) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&nascent).map_err(failed)?;
        std::fs::set_permissions(&nascent, Permissions::from_mode(0o600)).map_err(failed)?;
        std::fs::rename(&nascent, path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Serves until the future is dropped. Each request runs in a task of its own, one of
    /// `conversations`.
    pub async fn serve(self, handler: Arc<dyn Handler>, conversations: Conversations) {
        let room = Arc::new(Semaphore::new(CLIENTS_MAX));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return; // never: the semaphore is not closed
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let handler = Arc::clone(&handler);
                    conversations.0.spawn(async move {
                        // A client that goes away in the middle harms nobody.
                        let _ = converse(stream, &*handler).await;
                        drop(permit);
                    });
                }
                // Out of descriptors, as a rule: others will close some.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // If it is gone already, somebody else tidied up.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, handler: &dyn Handler) -> io::Result<()> {
    if !is_ours(&stream) {
        return Ok(());
    }
    let (reader, writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut stream = Stream { writer };
    let answer = match tokio::time::timeout(REQUEST_DEADLINE, request(&mut reader)).await {
        Ok(Ok(request)) => tokio::select! {
            answer = handler.handle(request, &mut stream) => answer,
            () = gone(&mut reader) => return Ok(()),
        },
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(Message::new("control-no-request")),
    };
    let last = answer.map_or_else(Line::Refused, Line::Done);
    stream.line(&last).await?;
    stream.writer.shutdown().await
}

async fn request(reader: &mut BufReader<OwnedReadHalf>) -> Result<Request, Message> {
    let mut line = Vec::new();
    let read = reader
        .take(REQUEST_MAX_BYTES)
        .read_until(b'\n', &mut line)
        .await;
    if read.is_err() || line.last() != Some(&b'\n') {
        return Err(Message::new("control-no-request"));
    }
    serde_json::from_slice(&line)
        .map_err(|error| Message::new("control-unknown").with("detail", error.to_string()))
}

/// Ends when the client closes; what it still says is not listened to.
async fn gone(reader: &mut BufReader<OwnedReadHalf>) {
    let mut ignored = [0; 256];
    while reader.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}
