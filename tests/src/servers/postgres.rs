//! A private PostgreSQL, to be killed.

use super::binaries::{folder_of, free_port, is_root, run, usual_folders};
use super::{identity::Identity, warden::Warden};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A PostgreSQL on a port and in a folder of its own, as durable as by default. Dropped, it is gone.
pub struct PostgresServer {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    _warden: Warden,
}

impl PostgresServer {
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
        let binaries = binaries().expect(
            "PostgreSQL's own programs are needed (`initdb`, `pg_ctl`; on Debian: `apt-get install postgresql`), in PATH or /usr/lib/postgresql/*/bin",
        );
        let folder = tempfile::Builder::new().prefix("events-postgres-").tempdir().unwrap().keep();
        let warden = Warden::over(&folder, &folder.join("data/postmaster.pid"));
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder), Path::new(""));
        }
        let server = Self { binaries, port: free_port(), _warden: warden, folder };
        // Only the making of it may be quick and careless.
        let made = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"];
        run(server.program("initdb").args(made).arg("--pgdata").arg(server.folder.join("data")), Path::new(""));
        let settings = format!(
            "port = {}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 300\nlog_line_prefix = '%m [%p] %a '\n",
            server.port
        );
        let mut file = OpenOptions::new().append(true).open(server.folder.join("data/postgresql.conf")).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
        if let Some(identity) = identity {
            let (certificate, key) = identity.write_to(&server.folder, "postgres");
            writeln!(file, "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'", certificate.display(), key.display()).unwrap();
            fs::write(server.folder.join("data/pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
        }
        server.control(["start"]);
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it without a checkpoint, as a crash would, and starts it again.
    ///
    /// # Panics
    /// It does not come back.
    pub fn restart_immediately(&self) {
        self.control(["restart", "-m", "immediate"]);
    }

    /// What it has written down, for the message of a failure.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn control<const N: usize>(&self, action: [&str; N]) {
        let log = self.folder.join("log");
        run(
            self.program("pg_ctl")
                .args(action)
                .args(["--wait", "--silent"])
                .arg("--log")
                .arg(&log)
                .arg("--pgdata")
                .arg(self.folder.join("data")),
            &log,
        );
    }

    fn program(&self, name: &str) -> Command {
        let program = self.binaries.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"].map(OsStr::new)).arg(program);
            command
        } else {
            Command::new(program)
        };
        // The user it becomes may not be allowed to be where the test is.
        command.current_dir("/");
        command
    }
}

fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|version| version.path().join("bin")).collect();
    versions.sort();
    folder_of("initdb", versions.into_iter().rev().chain(usual_folders()))
}
