//! Both ends over a real socket.

use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::client::Next;
use super::requests::{Account, Stopped, not_found};
use super::*;

#[derive(Default)]
struct Fake {
    let_go: AtomicBool,
}

struct Noted<'a>(&'a AtomicBool);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Handler for Fake {
    fn handle<'a>(
        &'a self,
        request: Request,
        stream: &'a mut Stream,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            match request {
                Request::Stop => Ok(json!({ "finished": 2, "cut": 1 })),
                Request::AccountShow { login } => Err(not_found(&login)),
                Request::TraceRecords { follow } => {
                    let _noted = Noted(&self.let_go);
                    for n in 0..3 {
                        let _ = stream.item(&json!({ "frames": n.to_string() })).await;
                    }
                    if follow {
                        std::future::pending::<()>().await;
                    }
                    Ok(json!({}))
                }
                _ => Ok(json!("unexpected")),
            }
        })
    }
}

fn serve(path: &Path) -> Arc<Fake> {
    let fake = Arc::new(Fake::default());
    let listener = Listener::bind(path).unwrap();
    tokio::spawn(listener.serve(fake.clone(), Conversations::default()));
    fake
}

#[tokio::test]
async fn a_request_gets_its_answer_or_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _fake = serve(&path);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let client = Client::new(&path);
    let stopped: Stopped = client.ask(&Request::Stop).await.unwrap();
    assert_eq!(
        stopped,
        Stopped {
            finished: 2,
            cut: 1
        }
    );

    let request = Request::AccountShow {
        login: "x@y.test".to_owned(),
    };
    let refused = client.ask::<Account>(&request).await.unwrap_err();
    assert!(requests::is_not_found(&refused));

    let garbled = client.ask::<Account>(&Request::Status).await.unwrap_err();
    assert_eq!(garbled.key(), "control-garbled");
}

#[tokio::test]
async fn results_come_one_by_one_and_the_server_learns_that_nobody_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let fake = serve(&path);
    let client = Client::new(&path);

    let mut items = client
        .start(&Request::TraceRecords { follow: false })
        .await
        .unwrap();
    for _ in 0..3 {
        assert!(matches!(items.next().await.unwrap(), Next::Item(_)));
    }
    assert!(matches!(items.next().await.unwrap(), Next::Done(_)));

    fake.let_go.store(false, Ordering::SeqCst);
    let mut items = client
        .start(&Request::TraceRecords { follow: true })
        .await
        .unwrap();
    assert!(matches!(items.next().await.unwrap(), Next::Item(_)));
    assert!(!fake.let_go.load(Ordering::SeqCst));
    drop(items);
    for _ in 0..200 {
        if fake.let_go.load(Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the handler still waits for a client that is gone");
}

#[tokio::test]
async fn a_dead_servers_socket_is_replaced_and_a_living_ones_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let nobody = Client::new(&path)
        .ask::<Stopped>(&Request::Stop)
        .await
        .unwrap_err();
    assert_eq!(nobody.key(), "control-nobody");

    let _fake = serve(&path);
    assert!(
        Client::new(&path)
            .ask::<Stopped>(&Request::Stop)
            .await
            .is_ok()
    );
    assert_eq!(Listener::bind(&path).unwrap_err().key(), "control-taken");
    assert!(
        Client::new(&path)
            .ask::<Stopped>(&Request::Stop)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_words() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _fake = serve(&path);
    for (sent, key) in [
        ("{\"command\":\"fly\"}\n", "control-unknown"),
        ("\n", "control-unknown"),
        ("{\"command\":\"stop\"", "control-no-request"),
    ] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(key), "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 64];
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"{\"item\":1}\n")
            .await
            .unwrap();
    });
    let broken = Client::new(&path)
        .ask::<Stopped>(&Request::Stop)
        .await
        .unwrap_err();
    assert_eq!(broken.key(), "control-broken");
}
