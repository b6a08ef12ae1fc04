//! What Linux says about this process; nothing on other systems.

use std::time::Duration;

/// Ticks of `/proc/self/stat` per second; the same on every Linux platform that Rust supports.
const TICKS: f64 = 100.0;

/// Processor time of all threads so far.
pub(crate) fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th fields after it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some(Duration::from_secs_f64((ticks()? + ticks()?) / TICKS))
}

/// Resident memory in MB.
pub(crate) fn resident_mb() -> Option<f64> {
    status_mb("VmRSS:")
}

/// The highest resident memory in MB since the last [`forget_peak`].
pub(crate) fn peak_mb() -> Option<f64> {
    status_mb("VmHWM:")
}

/// Lets the kernel's record of the peak start again. Where that is not allowed the peak of the whole process remains.
pub(crate) fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn status_mb(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
