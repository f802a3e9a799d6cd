//! Limits of the process.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit on open descriptors to the hard one and returns it. A server holds one
/// descriptor a connection; the usual soft limit of 1,024 is a relic of `select`.
pub fn raise_descriptors() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit); // stays as it was, and is reported as such
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
