//! How much memory processes take.

use std::fs;

/// The proportional share (PSS) of these processes in KiB; none where the system does not say.
pub fn pss_kib(pids: &[u32]) -> Option<u64> {
    pids.iter().map(|pid| one(*pid)).sum()
}

fn one(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
