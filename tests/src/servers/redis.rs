//! A private Redis server, to be killed.

use super::binaries::{folder_of, free_port, usual_folders};
use super::{identity::Identity, process::Process, warden::Warden};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use std::{fs, process::Command};

/// A Redis server on a port and in a folder of its own, which keeps what it confirmed. Dropped, it is gone.
pub struct RedisServer {
    port: u16,
    process: Process,
    _warden: Warden,
}

impl RedisServer {
    /// Makes one that lets everybody in, and starts it.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// As [`start`](Self::start), with more lines of the server's own configuration, such as `user ..`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(settings: &str) -> Self {
        Self::make(settings, None)
    }

    /// As [`start_with`](Self::start_with), but it proves who it is, and takes nobody who does not speak TLS. Who shows the same certificate
    /// has proven to be a client.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_tls(identity: &Identity, settings: &str) -> Self {
        Self::make(settings, Some(identity))
    }

    fn make(settings: &str, identity: Option<&Identity>) -> Self {
        let needed = "the Redis server is needed (`redis-server`; on Debian: `apt-get install redis-server`), in PATH or /usr/bin";
        let binary = folder_of("redis-server", usual_folders()).expect(needed).join("redis-server");
        let folder = tempfile::Builder::new().prefix("events-redis-").tempdir().unwrap().keep();
        let warden = Warden::over(&folder, &folder.join("pid"));
        let port = free_port();
        let listen = match identity {
            None => format!("port {port}\n"),
            Some(identity) => {
                let (certificate, key) = identity.write_to(&folder, "root");
                format!(
                    "port 0\ntls-port {port}\ntls-auth-clients optional\ntls-cert-file {0}\ntls-key-file {1}\ntls-ca-cert-file {0}\n",
                    certificate.display(),
                    key.display()
                )
            }
        };
        let all = format!(
            "{listen}bind 127.0.0.1\ndir {0}\npidfile {0}/pid\nlogfile {0}/log\ndaemonize no\nsave \"\"\nappendonly yes\nappendfsync always\n\
             {settings}\n",
            folder.display(),
        );
        let file = folder.join("settings");
        fs::write(&file, all).unwrap();
        let command = move || {
            let mut command = Command::new(&binary);
            command.arg(&file);
            command
        };
        let tls = identity.is_some();
        let ready = move || if tls { TcpStream::connect(("127.0.0.1", port)).is_ok() } else { answers(port) };
        let process = Process::start("Redis", folder.join("output"), Some(folder.join("log")), command, ready);
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

/// Whether it has read what it stored, and answers; also that it wants a password is an answer.
fn answers(port: u16) -> bool {
    let asked = || -> std::io::Result<Vec<u8>> {
        let mut line = TcpStream::connect(("127.0.0.1", port))?;
        line.set_read_timeout(Some(Duration::from_secs(1)))?;
        line.write_all(b"PING\r\n")?;
        let mut said = vec![0; 16];
        let length = line.read(&mut said)?;
        said.truncate(length);
        Ok(said)
    };
    asked().is_ok_and(|said| !said.is_empty() && !said.starts_with(b"-LOADING"))
}
