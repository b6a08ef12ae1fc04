//! Stops a server and removes its files however the test ends, even by SIGKILL.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A shell that waits until the test is gone. Dropped, it has done its work.
pub(super) struct Warden(Child);

impl Warden {
    /// Watches over the server whose process id will be on the first line of `pid_file`, and over its `folder`.
    pub(super) fn over(folder: &Path, pid_file: &Path) -> Self {
        // Its standard input ends with the test. A server that was killed may have left children behind; they end by themselves.
        let script = r#"cat >/dev/null; pid=$(head -n 1 "$1" 2>/dev/null) && kill -9 "$pid" 2>/dev/null; sleep 0.1; rm -rf "$0"; sleep 0.5; rm -rf "$0""#;
        let mut command = Command::new("sh");
        command.args(["-c", script]).args([folder, pid_file]);
        // A group of its own: whoever kills the test's group does not get it.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().expect("`sh` starts"))
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
