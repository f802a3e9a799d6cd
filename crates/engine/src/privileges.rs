//! Giving up what only binding needed.

use std::io;

use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

/// A process that was started as root to bind low ports goes on without any capability, and can
/// never get one back. Does nothing for other users.
///
/// Capabilities belong to threads: call it before any other thread starts. Files of other users
/// can no longer be read afterwards, even by root.
///
/// # Errors
/// The system refused; the process still has what it had.
pub fn drop_all() -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let none = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?;
    set_no_new_privs(true)?;
    Ok(())
}
