//! What a 250 promises, shown over a file layer whose disk can be slow, full or broken.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use guichet_proto::smtp::ask::{Answer, Ask};
use guichet_proto::{Reply, Service};
use guichet_store::layer::{Access, File, FileLayer, RealLayer};
use guichet_store::testing::{CommitOrder, open_with};
use guichet_store::{Options, Store};
use tempfile::TempDir;
use tokio::time::timeout;

use super::world::{
    Scripted, World, Zones, all, ask, code, delivered, mail_from, pieces, quick, rcpt, send,
};
use crate::mail::Limits;

const LETTER: &str = "Subject: hi\r\n\r\nHello\r\n";

/// A disk with faults.
#[derive(Debug, Default)]
struct Disk {
    syncs_wait: Mutex<bool>,
    syncs_go: Condvar,
    syncs_fail: AtomicBool,
    full: AtomicBool,
    spool_full: AtomicBool,
}

impl Disk {
    fn hold_syncs(&self, hold: bool) {
        *self.syncs_wait.lock().unwrap() = hold;
        self.syncs_go.notify_all();
    }

    fn sync(&self) -> io::Result<()> {
        let held = self.syncs_wait.lock().unwrap();
        let _free = self.syncs_go.wait_while(held, |held| *held).unwrap();
        match self.syncs_fail.load(Ordering::SeqCst) {
            true => Err(io::Error::other("the disk is broken")),
            false => Ok(()),
        }
    }
}

#[derive(Debug)]
struct FaultyLayer(Arc<Disk>);

impl FileLayer for FaultyLayer {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealLayer.create_dir(dir)
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let file = RealLayer.open(path, access)?;
        let body = path
            .extension()
            .is_some_and(|extension| extension == "part");
        Ok(Arc::new(FaultyFile {
            file,
            disk: Arc::clone(&self.0),
            body,
        }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealLayer.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        RealLayer.unlink(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealLayer.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealLayer.sync_dir(dir)
    }
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        match self.0.full.load(Ordering::SeqCst) {
            true => Ok(0),
            false => RealLayer.free_bytes(dir),
        }
    }
}

struct FaultyFile {
    file: Arc<dyn File>,
    disk: Arc<Disk>,
    body: bool,
}

impl File for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset_bytes: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset_bytes)
    }
    fn write_at(&self, pieces: &[&[u8]], offset_bytes: u64) -> io::Result<()> {
        if self.body && self.disk.spool_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(pieces, offset_bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync()?;
        self.file.sync_data()
    }
    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }
}

async fn sud_on(disk: &Arc<Disk>, order: CommitOrder, limits: Limits) -> World {
    let dir = TempDir::new().unwrap();
    let layer = Arc::new(FaultyLayer(Arc::clone(disk)));
    let options = Options {
        layer,
        reserve_bytes: 1,
        ..Options::new(dir.path().join("store"))
    };
    let store: Store = open_with(options, order).unwrap();
    World::over(dir, store, "sud.test", &["bob"], limits).await
}

/// Whether a letter is answered for while its sync has not come back.
async fn answers_before_the_sync(order: CommitOrder) -> bool {
    let disk = Arc::new(Disk::default());
    let sud = sud_on(&disk, order, Limits::default()).await;
    sud.mail.store.flush().await.unwrap(); // the mutant says so before the account can be seen
    let mut service = sud.reception();
    for next in [mail_from("eve@far.test"), rcpt("bob@sud.test"), Ask::Body] {
        assert_eq!(ask(&mut service, next).await, Answer::Accepted);
    }
    pieces(&mut service, LETTER.as_bytes(), 10).await;
    disk.hold_syncs(true);
    let Reply::Later(mut answer) = service.ask(Ask::Finish {
        bytes: LETTER.len() as u64,
    }) else {
        return true;
    };
    let early = timeout(Duration::from_millis(300), &mut answer)
        .await
        .is_ok();
    disk.hold_syncs(false);
    if !early {
        assert_eq!(code(&answer.await), "queued");
    }
    early
}

#[tokio::test]
async fn no_250_before_the_letter_is_on_the_disk() {
    assert!(!answers_before_the_sync(CommitOrder::Durable).await);
    assert!(
        answers_before_the_sync(CommitOrder::AnswerBeforeSync).await,
        "the check must see a committer that answers too early"
    );
}

#[tokio::test]
async fn a_slow_disk_means_a_451_in_time_though_the_letter_may_be_kept() {
    let disk = Arc::new(Disk::default());
    let limits = Limits {
        answer_patience: Duration::from_millis(50),
        ..Limits::default()
    };
    let sud = sud_on(&disk, CommitOrder::Durable, limits).await;
    disk.hold_syncs(true);
    let answer = send(
        &mut sud.reception(),
        "eve@far.test",
        &["bob@sud.test"],
        LETTER,
    )
    .await;
    assert_eq!(code(&answer), "451 4.3.0");
    disk.hold_syncs(false);
    super::world::wait_until(|| !sud.facts.all().is_empty()).await;
    assert_eq!(
        sud.messages("bob@sud.test").await.len(),
        1,
        "a duplicate at worst, never a loss"
    );
}

#[tokio::test]
async fn a_full_disk_is_said_in_the_dialogue_and_passes() {
    let disk = Arc::new(Disk::default());
    let sud = sud_on(&disk, CommitOrder::Durable, Limits::default()).await;
    let large = format!("Subject: large\r\n\r\n{}", "0123456\r\n".repeat(200_000));
    let mut service = sud.reception();
    disk.spool_full.store(true, Ordering::SeqCst);
    let answer = send(&mut service, "", &["bob@sud.test"], &large).await;
    assert_eq!(code(&answer), "452 4.3.1", "while the body comes");
    disk.spool_full.store(false, Ordering::SeqCst);
    disk.full.store(true, Ordering::SeqCst);
    for body in [LETTER, large.as_str()] {
        let answer = send(&mut service, "", &["bob@sud.test"], body).await;
        assert_eq!(code(&answer), "452 4.3.1", "when it is to be kept");
    }
    disk.full.store(false, Ordering::SeqCst);
    for body in [LETTER, large.as_str()] {
        assert_eq!(
            code(&send(&mut service, "", &["bob@sud.test"], body).await),
            "queued"
        );
    }
    assert_eq!(
        sud.messages("bob@sud.test").await.len(),
        2,
        "and nothing of the others"
    );
}

#[tokio::test]
async fn a_failed_sync_ends_acceptance_and_the_queue_rests() {
    let disk = Arc::new(Disk::default());
    let sud = sud_on(&disk, CommitOrder::Durable, Limits::default()).await;
    sud.alias("away@sud.test", &["x@far.test"]).await;
    let to = ["away@sud.test"];
    assert_eq!(
        code(&send(&mut sud.reception(), "", &to, LETTER).await),
        "queued"
    );
    disk.syncs_fail.store(true, Ordering::SeqCst);
    assert_eq!(
        code(&send(&mut sud.reception(), "", &to, LETTER).await),
        "451 4.3.0"
    );
    disk.syncs_fail.store(false, Ordering::SeqCst);
    assert_eq!(
        code(&send(&mut sud.reception(), "", &to, LETTER).await),
        "451 4.3.0",
        "for good"
    );
    let relay = Scripted::new(|_, letter, _| all(letter, &delivered()));
    let zones = Zones::with("far.test", &[(1, "mail.far.test", 4)]);
    let begun = std::time::Instant::now();
    let waited = || begun.elapsed() > Duration::from_millis(200);
    sud.run_queue(zones, relay.clone(), quick(), waited).await;
    assert_eq!(
        relay.count(),
        0,
        "what cannot be recorded is not sent again and again"
    );
}

#[tokio::test]
async fn an_attempt_that_cannot_be_recorded_is_not_repeated_at_once() {
    let disk = Arc::new(Disk::default());
    let sud = sud_on(&disk, CommitOrder::Durable, Limits::default()).await;
    sud.alias("away@sud.test", &["x@far.test"]).await;
    send(&mut sud.reception(), "", &["away@sud.test"], LETTER).await;
    let breaking = Arc::clone(&disk);
    let relay = Scripted::new(move |_, letter, _| {
        breaking.syncs_fail.store(true, Ordering::SeqCst);
        all(letter, &delivered())
    });
    let zones = Zones::with("far.test", &[(1, "mail.far.test", 4)]);
    let begun = std::time::Instant::now();
    let waited = || begun.elapsed() > Duration::from_millis(300);
    sud.run_queue(zones, relay.clone(), quick(), waited).await;
    assert_eq!(relay.count(), 1);
}
