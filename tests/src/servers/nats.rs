//! A private NATS server with JetStream, to be killed.

use super::binaries::{folder_of, free_port, usual_folders};
use super::{identity::Identity, warden::Warden};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::{net::TcpStream, os::unix::process::CommandExt, time::Duration, time::Instant};

/// How long it may take to start; after a crash it has to recover its streams.
const START: Duration = Duration::from_secs(30);

/// A NATS server on a port and in a folder of its own. Dropped, it is gone.
pub struct NatsServer {
    binary: PathBuf,
    folder: PathBuf,
    port: u16,
    /// `None` while it is stopped.
    process: Mutex<Option<Child>>,
    _warden: Warden,
}

impl NatsServer {
    /// Makes one that lets everybody in, and starts it.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// As [`start`](Self::start), with more settings in the server's own language, such as `authorization { .. }`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(settings: &str) -> Self {
        Self::make(settings, None)
    }

    /// As [`start`](Self::start), but it proves who it is, and takes nobody who does not speak TLS.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_tls(identity: &Identity) -> Self {
        Self::make("", Some(identity))
    }

    fn make(settings: &str, identity: Option<&Identity>) -> Self {
        let needed = "the NATS server is needed (`nats-server`; on Debian: `apt-get install nats-server`), in PATH or /usr/sbin";
        let binary = folder_of("nats-server", usual_folders()).expect(needed).join("nats-server");
        let folder = tempfile::Builder::new().prefix("events-nats-").tempdir().unwrap().keep();
        let warden = Warden::over(&folder, &folder.join("pid"));
        let port = free_port();
        let tls = identity.map(|identity| {
            let (certificate, key) = identity.write_to(&folder, "root");
            format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\n")
        });
        let all = format!(
            "listen: \"127.0.0.1:{port}\"\npid_file: {:?}\nlog_file: {:?}\njetstream {{ store_dir: {:?} }}\n{}{settings}\n",
            folder.join("pid"),
            folder.join("log"),
            folder.join("data"),
            tls.unwrap_or_default(),
        );
        fs::write(folder.join("settings"), all).unwrap();
        let process = Mutex::new(Some(spawn(&binary, &folder, port)));
        Self { binary, folder, port, process, _warden: warden }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it with SIGKILL.
    pub fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again after [`kill`](Self::kill), with what it had stored.
    ///
    /// # Panics
    /// It does not come back.
    pub fn start_again(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(process.is_none(), "it was not killed");
        *process = Some(spawn(&self.binary, &self.folder, self.port));
    }

    /// What it has written down, for the message of a failure.
    #[must_use]
    pub fn log(&self) -> String {
        log(&self.folder)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(binary: &Path, folder: &Path, port: u16) -> Child {
    let output = File::options().create(true).append(true).open(folder.join("output")).unwrap();
    let mut command = Command::new(binary);
    command.arg("--config").arg(folder.join("settings")).process_group(0);
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn().expect("`nats-server` starts");
    let deadline = Instant::now() + START;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = process.try_wait().unwrap();
        assert!(ended.is_none() && Instant::now() < deadline, "NATS does not start ({ended:?}):\n{}", log(folder));
        std::thread::sleep(Duration::from_millis(5));
    }
    process
}

fn log(folder: &Path) -> String {
    ["output", "log"].map(|file| fs::read_to_string(folder.join(file)).unwrap_or_default()).concat()
}
