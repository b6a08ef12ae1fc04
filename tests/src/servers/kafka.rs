//! A private broker that speaks Kafka's protocol, to be killed: tansu, which stores what it gets in a file of SQLite.

use super::binaries::{crate_program, free_port, run};
use super::{process::Process, warden::Warden};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A broker on a port and in a folder of its own. Dropped, it is gone.
pub struct KafkaServer {
    port: u16,
    process: Process,
    _warden: Warden,
}

impl KafkaServer {
    /// Makes one that lets everybody in, and starts it.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        let port = free_port();
        Self::make(port, port, None)
    }

    /// As [`start`](Self::start), but it takes nobody but this user with this password, proven by SCRAM-SHA-256.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_user(user: &str, password: &str) -> Self {
        let port = free_port();
        Self::make(port, port, Some((user, password)))
    }

    /// As [`start`](Self::start), but it tells its clients that it is to be found at another port: at that of somebody between them.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_behind(advertised: u16) -> Self {
        Self::make(free_port(), advertised, None)
    }

    fn make(port: u16, advertised: u16, user: Option<(&str, &str)>) -> Self {
        let binary = crate_program("TANSU", "tansu-0.6.0");
        let folder = tempfile::Builder::new().prefix("events-kafka-").tempdir().unwrap().keep();
        let warden = Warden::over(&folder, &folder.join("pid"));
        let asks_for_a_password = Arc::new(AtomicBool::new(false));
        let command = {
            let (binary, folder, asks) = (binary.clone(), folder.clone(), Arc::clone(&asks_for_a_password));
            move || start_command(&binary, &folder, port, advertised, asks.load(Relaxed))
        };
        let ready = move || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let process = Process::start("tansu", folder.join("output"), None, command, ready);
        index_headers(&folder.join("tansu.db"));
        if let Some((user, password)) = user {
            // Who asks for a password lets nobody in who would make the first user.
            let broker = format!("tcp://127.0.0.1:{port}");
            let make = ["user", "create", "--broker", &broker, "--mechanism", "scram256", user, password];
            run(Command::new(&binary).args(make), &folder.join("output"));
            process.kill();
            asks_for_a_password.store(true, Relaxed);
            process.start_again();
        }
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

/// For each record it looks through all headers of all records, so that ten thousand records are read in minutes. An index helps.
fn index_headers(file: &Path) {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(30));
    let index = async move {
        let mut connection = options.connect().await.expect("its file can be opened");
        let create = "CREATE INDEX IF NOT EXISTS header_of_record ON header (topition, offset_id)";
        sqlx::query(create).execute(&mut connection).await.expect("its headers get an index");
    };
    // Whoever starts a server may be inside a runtime, where nothing can be waited for.
    let waiting = std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(index));
    waiting.join().unwrap();
}

fn start_command(binary: &Path, folder: &Path, port: u16, advertised: u16, asks_for_a_password: bool) -> Command {
    // It writes no file with its process id.
    let mut command = Command::new("sh");
    command.args(["-c", r#"echo $$ >pid; exec "$0" "$@""#]).arg(binary).arg("broker").current_dir(folder);
    command.args(["--listener-url", &format!("tcp://127.0.0.1:{port}")]);
    // Somebody between it and its clients proves who they are, which is done for a name.
    let host = if port == advertised { "127.0.0.1" } else { "localhost" };
    command.args(["--advertised-listener-url", &format!("tcp://{host}:{advertised}")]);
    // A path of SQLite's is relative to the working folder.
    command.args(["--storage-engine", "sqlite://tansu.db", "--cluster-id", "events", "--silent"]);
    if asks_for_a_password {
        command.arg("--authentication");
    }
    command
}
