//! What Linux says about processes; nothing on other systems.

use std::time::Duration;

/// Ticks of `/proc/self/stat` per second; the same on every Linux platform that Rust supports.
const TICKS: f64 = 100.0;

/// A line of `/proc/<pid>/stat`.
pub(crate) struct Stat {
    pub(crate) name: String,
    pub(crate) parent: u32,
    /// Processor time of all threads.
    pub(crate) own: Duration,
    /// That of children that are gone.
    pub(crate) reaped: Duration,
}

impl Stat {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::read(&pid.to_string())
    }

    fn read(pid: &str) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold spaces; the state follows it, the parent, and much later four times.
        let (head, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let seconds = |first: usize| {
            let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
            Some(Duration::from_secs_f64((ticks(first)? + ticks(first + 1)?) / TICKS))
        };
        let name = head.split_once('(')?.1.to_owned();
        Some(Self { name, parent: fields.get(1)?.parse().ok()?, own: seconds(11)?, reaped: seconds(13)? })
    }
}

/// Processor time of all threads of this process so far.
pub(crate) fn cpu() -> Option<Duration> {
    Stat::read("self").map(|stat| stat.own)
}

/// The highest resident memory in MB since the last [`forget_peak`].
pub(crate) fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// Lets the kernel's record of the peak start again. Where that is not allowed the peak of the whole process remains.
pub(crate) fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
