//! A private MariaDB, to be killed.

use super::binaries::{folder_of, free_port, is_root, run, usual_folders};
use super::{identity::Identity, warden::Warden};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::{net::TcpStream, os::unix::process::CommandExt, time::Duration, time::Instant};

/// How long it may take to start; after a crash it has to recover.
const START: Duration = Duration::from_secs(60);

/// A MariaDB on a port and in a folder of its own, as durable as by default; user `root`, no password. Dropped, it is gone.
pub struct MariadbServer {
    binary: PathBuf,
    folder: PathBuf,
    port: u16,
    process: Mutex<Child>,
    _warden: Warden,
}

impl MariadbServer {
    /// Makes one and starts it.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_as(None)
    }

    /// As [`start`](Self::start), but it proves who it is, and takes nobody who does not ask for TLS.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_tls(identity: &Identity) -> Self {
        Self::start_as(Some(identity))
    }

    fn start_as(identity: Option<&Identity>) -> Self {
        let needed = "MariaDB's own programs are needed (`mariadb-install-db`, `mariadbd`; on Debian: `apt-get install mariadb-server`), in PATH or /usr/sbin";
        let binary = folder_of("mariadbd", usual_folders()).expect(needed).join("mariadbd");
        let installer = folder_of("mariadb-install-db", usual_folders()).expect(needed).join("mariadb-install-db");
        let folder = tempfile::Builder::new().prefix("events-mariadb-").tempdir().unwrap().keep();
        let warden = Warden::over(&folder, &folder.join("pid"));
        let mut install = program(&installer, &folder);
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        run(install.args(as_user()).arg(assignment("datadir", &folder.join("data"))), Path::new(""));
        if let Some(identity) = identity {
            let (certificate, key) = identity.write_to(&folder, "root");
            let settings =
                format!("[mariadbd]\nssl_cert = {}\nssl_key = {}\nrequire_secure_transport = on\n", certificate.display(), key.display());
            fs::write(folder.join("settings"), settings).unwrap();
        } else {
            fs::write(folder.join("settings"), "").unwrap();
        }
        let port = free_port();
        let process = Mutex::new(spawn(&binary, &folder, port));
        Self { binary, folder, port, process, _warden: warden }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it with SIGKILL and starts it again.
    ///
    /// # Panics
    /// It does not come back.
    pub fn restart_immediately(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.kill().unwrap();
        process.wait().unwrap();
        *process = spawn(&self.binary, &self.folder, self.port);
    }

    /// What it has written down, for the message of a failure.
    #[must_use]
    pub fn log(&self) -> String {
        log(&self.folder)
    }
}

impl Drop for MariadbServer {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn spawn(binary: &Path, folder: &Path, port: u16) -> Child {
    let log_file = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = program(binary, folder);
    command.arg(assignment("defaults-file", &folder.join("settings")));
    command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--max-connections=300"]).args(as_user());
    for (name, file) in [("datadir", "data"), ("socket", "socket"), ("pid-file", "pid")] {
        command.arg(assignment(name, &folder.join(file)));
    }
    command.arg(format!("--port={port}")).process_group(0);
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file).spawn().expect("`mariadbd` starts");
    let deadline = Instant::now() + START;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = process.try_wait().unwrap();
        assert!(ended.is_none() && Instant::now() < deadline, "MariaDB does not start ({ended:?}):\n{}", log(folder));
        std::thread::sleep(Duration::from_millis(10));
    }
    process
}

/// When it starts, it removes the temporary tables of every server that shares its folder for them.
fn program(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env("TMPDIR", folder).current_dir("/");
    command
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

fn as_user() -> Option<&'static str> {
    is_root().then_some("--user=root")
}

fn assignment(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
