//! The process of a server, to be killed, frozen and started again.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs::File, path::PathBuf};

/// How long it may take to start; after a crash it may have to recover what it stored.
const START: Duration = Duration::from_secs(120);

/// Something that runs a program, and does so again with the same arguments.
pub(super) struct Process {
    name: &'static str,
    /// Makes the command, without where it reads and writes.
    command: Box<dyn Fn() -> Command + Send + Sync>,
    /// Whether it can be talked to.
    ready: Box<dyn Fn() -> bool + Send + Sync>,
    /// Where its output goes, and where else it writes what it has to say.
    output: PathBuf,
    log: Option<PathBuf>,
    /// `None` while it is stopped.
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Starts it, and waits until it is ready.
    ///
    /// # Panics
    /// It ends, or is not ready within two minutes; the message says what it said.
    pub(super) fn start(
        name: &'static str,
        output: PathBuf,
        log: Option<PathBuf>,
        command: impl Fn() -> Command + Send + Sync + 'static,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let process = Self { name, command: Box::new(command), ready: Box::new(ready), output, log, child: Mutex::default() };
        process.start_again();
        process
    }

    /// Kills it with SIGKILL.
    pub(super) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it in the middle of whatever it does: its connections stay, and nobody answers. [`thaw`](Self::thaw) lets it go on.
    pub(super) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) {
        self.signal("CONT");
    }

    /// Starts it again after [`kill`](Self::kill).
    ///
    /// # Panics
    /// As [`start`](Self::start), or it was not killed.
    pub(super) fn start_again(&self) {
        let mut child = self.child();
        assert!(child.is_none(), "{} was not killed", self.name);
        let output = File::options().create(true).append(true).open(&self.output).expect("its output can be written");
        let errors = output.try_clone().expect("its output can be written");
        let mut command = (self.command)();
        // A group of its own: who interrupts the tests does not interrupt it first.
        command.process_group(0).stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut started = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let deadline = Instant::now() + START;
        while !(self.ready)() {
            let ended = started.try_wait().expect("its state can be read");
            if ended.is_some() || Instant::now() > deadline {
                let _ = started.kill();
                panic!("{} does not start ({ended:?}):\n{}", self.name, self.said());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        *child = Some(started);
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child().as_ref().expect("it runs").id()
    }

    /// What it has written down.
    pub(super) fn said(&self) -> String {
        let files = std::iter::once(&self.output).chain(&self.log);
        files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect()
    }

    fn signal(&self, signal: &str) {
        let child = self.child();
        let id = child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().expect("`kill` starts");
        assert!(sent.success(), "{} gets the signal {signal}", self.name);
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
