//! Where the programs of a server are, and as whom they run.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, net::TcpListener};

/// Whether this process is the superuser, as whom PostgreSQL refuses to run.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The first of the `folders` that holds `program`.
pub(super) fn folder_of(program: &str, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.into_iter().find(|folder| folder.join(program).is_file())
}

/// The folders of `PATH`, and those where servers are on Debian.
pub(super) fn usual_folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/libexec"].map(PathBuf::from)).collect()
}

/// A program that `scripts/servers` gets: where the environment says, or in the user's cache.
///
/// # Panics
/// It is not there; the message says what would bring it.
pub(super) fn crate_program(variable: &str, name_and_version: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from);
    let path = std::env::var_os(variable).map_or_else(|| cache.join("events-brokers").join(name_and_version), PathBuf::from);
    assert!(path.is_file(), "{} is needed: `eval \"$(scripts/servers)\"` brings it, or {variable} says where it is", path.display());
    path
}

fn home() -> PathBuf {
    std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default()
}

/// Runs a program to its end.
///
/// # Panics
/// It failed; the message says what it said, and what the file `log` holds.
pub(super) fn run(command: &mut Command, log: &Path) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        fs::read_to_string(log).unwrap_or_default()
    );
}
