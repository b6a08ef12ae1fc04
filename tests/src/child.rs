//! A child process of a test: it says lines, and is killed or dismissed. Knows nothing of what the lines mean.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::{fs::File, path::PathBuf};

/// A child process. Dropped, it is killed.
pub(crate) struct Child {
    name: String,
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    listener: Option<JoinHandle<()>>,
    log: PathBuf,
}

impl Child {
    /// Starts a program. `hear` gets every line it says; what it logs goes to a file of its `name` in `logs`.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub(crate) fn start(
        name: String,
        command: &mut Command,
        logs: &tempfile::TempDir,
        mut hear: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        let log = logs.path().join(&name);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take().expect("it is piped"));
        let listener = std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout);
            let mut line = String::new();
            // What has no end of line was cut short by the kill.
            while lines.read_line(&mut line).is_ok() && line.ends_with('\n') {
                hear(line.trim_end_matches('\n'));
                line.clear();
            }
        });
        Self { name, process, stdin, listener: Some(listener), log }
    }

    /// Writes a line to its standard input. One that has gone needs to know nothing.
    pub(crate) fn tell(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(format!("{line}\n").as_bytes());
        }
    }

    /// Kills it with SIGKILL.
    ///
    /// # Panics
    /// It had ended by itself.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{} ended by itself ({status}):\n{}", self.name, self.log());
    }

    /// Ends its standard input, and waits until it has ended by itself.
    ///
    /// # Panics
    /// It failed.
    pub(crate) fn dismiss(&mut self) {
        drop(self.stdin.take());
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{} failed ({status}):\n{}", self.name, self.log());
    }

    /// Returns when all is heard that it said before it ended.
    pub(crate) fn hear_out(&mut self) {
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }

    /// The end of what it logged.
    #[must_use]
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
