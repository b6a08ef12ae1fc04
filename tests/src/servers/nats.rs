//! A private NATS server with JetStream, to be killed.

use super::binaries::{folder_of, free_port, usual_folders};
use super::{identity::Identity, process::Process, warden::Warden};
use std::net::TcpStream;
use std::{fs, process::Command};

/// A NATS server on a port and in a folder of its own. Dropped, it is gone.
pub struct NatsServer {
    port: u16,
    process: Process,
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
        let settings = folder.join("settings");
        fs::write(&settings, all).unwrap();
        let command = move || {
            let mut command = Command::new(&binary);
            command.arg("--config").arg(&settings);
            command
        };
        let ready = move || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let process = Process::start("NATS", folder.join("output"), Some(folder.join("log")), command, ready);
        Self { port, process, _warden: warden }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it with SIGKILL.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Stops it in the middle of whatever it does; its connections stay.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// Starts it again after [`kill`](Self::kill), with what it had stored.
    ///
    /// # Panics
    /// It does not come back.
    pub fn start_again(&self) {
        self.process.start_again();
    }

    /// What it has written down, for the message of a failure.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.said()
    }
}
