//! Names this process to people who ask who leads.

use std::{env, fs, process, sync::LazyLock};

/// Host and process id, such as `web-7:4711`. It decides nothing: tokens do.
pub(crate) static OWNER: LazyLock<String> = LazyLock::new(|| {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| env::var("HOSTNAME").ok());
    format!("{}:{}", host.as_deref().map_or("unknown", str::trim), process::id())
});
