#![allow(clippy::unwrap_used, reason = "a test may stop here")]
//! A sink that keeps records, and listeners on ports the system chooses.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use guichet_engine::tls::{Authority, Identity, ServerTls};
use guichet_engine::{BoundListener, ListenerSettings, RecordSink, Recorder};
use guichet_proto::{Reply, Service};
use guichet_trace::{Body, Level, Record};

#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<Record>>>);

impl RecordSink for Kept {
    fn record(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
}

#[allow(dead_code, reason = "not every test file looks at the records")]
impl Kept {
    pub fn recorder(&self) -> Recorder {
        Recorder::new(Level::Full, 7, Box::new(self.clone()))
    }

    pub fn records(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }

    /// How the exchanges of one side ended.
    pub fn endings(&self) -> Vec<String> {
        self.records()
            .iter()
            .filter_map(|record| match &record.body {
                Body::Closed { reason, .. } => Some(reason.to_string()),
                _ => None,
            })
            .collect()
    }
}

pub fn listener(service: &str, most: usize, implicit_tls: bool) -> (BoundListener, SocketAddr) {
    let bound = BoundListener::bind(ListenerSettings {
        service: service.into(),
        organisation: "nord.test".into(),
        address: ([127, 0, 0, 1], 0).into(),
        backlog: 64,
        most,
        implicit_tls,
    })
    .unwrap();
    let address = bound.local().unwrap();
    (bound, address)
}

/// A service that is never asked.
#[allow(dead_code, reason = "not every test file needs it")]
pub struct Nothing;

impl Service for Nothing {
    type Ask = Infallible;
    type Answer = Infallible;
    fn ask(&mut self, ask: Infallible) -> Reply<Infallible> {
        match ask {}
    }
}

/// An identity for nord.test, and the folder with `ca.pem` that vouches for it.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn identity() -> (ServerTls, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("test authority", &["test"]).unwrap();
    authority.write(folder.path()).unwrap();
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    authority
        .issue(folder.path(), &["nord.test".to_owned()], &[loopback])
        .unwrap();
    let identity = Identity::from_files(
        &folder.path().join("cert.pem"),
        &folder.path().join("key.pem"),
    )
    .unwrap();
    (ServerTls::new(vec![identity]).unwrap(), folder)
}
