//! A private RabbitMQ server, to be killed.

use super::binaries::{folder_of, free_port};
use super::{identity::Identity, process::Process, warden::Warden};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, process::Command};

/// Where the scripts are that anybody may run; those in PATH insist on users of their own.
const SCRIPTS: [&str; 3] = ["/usr/lib/rabbitmq/bin", "/usr/local/lib/rabbitmq/bin", "/opt/rabbitmq/sbin"];

/// A RabbitMQ server on ports and in a folder of its own, with the user `shop` and their password `s3cret`. Dropped, it is gone.
pub struct RabbitMqServer {
    port: u16,
    /// Where it has its quorum queues.
    quorum: PathBuf,
    // In this order: it is gone before the program that maps its name to a port.
    process: Process,
    _mapper: Process,
    _wardens: [Warden; 2],
}

impl RabbitMqServer {
    /// Makes one, and starts it.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// As [`start`](Self::start), with more settings in the server's own language, such as `max_message_size = 1000`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(settings: &str) -> Self {
        Self::make(settings, None, None)
    }

    /// As [`start`](Self::start), but with what the `definitions` say, in the server's own JSON, instead of the user.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_definitions(definitions: &str) -> Self {
        Self::make("", Some(definitions), None)
    }

    /// As [`start`](Self::start), but it proves who it is, and takes nobody who does not speak TLS.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_tls(identity: &Identity) -> Self {
        Self::make("", None, Some(identity))
    }

    fn make(settings: &str, definitions: Option<&str>, identity: Option<&Identity>) -> Self {
        let needed = "the RabbitMQ server is needed (on Debian: `apt-get install rabbitmq-server`), in /usr/lib/rabbitmq/bin";
        let binary = folder_of("rabbitmq-server", SCRIPTS.map(PathBuf::from)).expect(needed).join("rabbitmq-server");
        let folder = tempfile::Builder::new().prefix("events-rabbitmq-").tempdir().unwrap().keep();
        let [pid, mapper_pid] = ["pid", "mapper-pid"].map(|name| folder.join(name));
        let wardens = [Warden::over(&folder, &pid), Warden::over(&folder, &mapper_pid)];
        let [port, distribution, names] = [quiet_port(), quiet_port(), quiet_port()];
        let mut all = match identity {
            None => format!("listeners.tcp.1 = 127.0.0.1:{port}\n"),
            Some(identity) => {
                let (certificate, key) = identity.write_to(&folder, "root");
                let [certificate, key] = [certificate.display(), key.display()];
                format!(
                    "listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\n\
                     ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\n"
                )
            }
        };
        match definitions {
            None => all.push_str("default_user = shop\ndefault_pass = s3cret\nloopback_users = none\n"),
            Some(definitions) => {
                let file = folder.join("definitions.json");
                fs::write(&file, definitions).unwrap();
                all.push_str(&format!("load_definitions = {}\n", file.display()));
            }
        }
        fs::write(folder.join("rabbitmq.conf"), format!("{all}{settings}\n")).unwrap();
        fs::write(folder.join("plugins"), "[].\n").unwrap();

        // One of its own: a server starts one that stays if there is none.
        let mapping = move || {
            let mut command = Command::new("epmd");
            command.args(["-address", "127.0.0.1", "-port", &names.to_string()]);
            command
        };
        let listening = |port| move || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let mapper = Process::start("Erlang's port mapper", folder.join("mapper"), None, mapping, listening(names));
        fs::write(mapper_pid, mapper.id().to_string()).unwrap();

        let log = folder.join("log").join(format!("{}.log", node(port)));
        let output = folder.join("output");
        let quorum = folder.join("data").join(node(port)).join("quorum").join(node(port));
        let command = move || server(&binary, &folder, port, distribution, names);
        let process = Process::start("RabbitMQ", output, Some(log), command, listening(port));
        Self { port, quorum, process, _mapper: mapper, _wardens: wardens }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it with SIGKILL, once it has written down which queues it has. It does so up to half a second after it made one, and if it is
    /// killed before that, it forgets the queue and all that the queue had confirmed.
    ///
    /// # Panics
    /// It does not write them down within ten seconds.
    pub fn kill(&self) {
        self.until_written_down();
        self.process.kill();
    }

    /// Waits until it remembers all its quorum queues.
    pub fn until_written_down(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Some(queue) = self.not_written_down() {
            assert!(Instant::now() < deadline, "it has not written down that it has {queue}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A quorum queue that it would forget if it were killed.
    fn not_written_down(&self) -> Option<String> {
        let names = fs::read(self.quorum.join("names.dets")).unwrap_or_default();
        let files = fs::read_dir(&self.quorum).into_iter().flatten().flatten();
        let mut queues = files.filter(|file| file.path().is_dir()).map(|file| file.file_name().to_string_lossy().into_owned());
        queues.find(|queue| !names.windows(queue.len()).any(|bytes| bytes == queue.as_bytes()))
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

/// A free port that the system does not give to connections which only need some port: this one is free again for seconds while the server
/// starts, or is dead.
fn quiet_port() -> u16 {
    loop {
        let port = 10_000 + free_port() % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn node(port: u16) -> String {
    format!("events-{port}@localhost")
}

fn server(binary: &Path, folder: &Path, port: u16, distribution: u16, names: u16) -> Command {
    let mut command = Command::new(binary);
    let mut set = |variable: &str, value: String| {
        command.env(variable, value);
    };
    let in_folder = |name: &str| folder.join(name).display().to_string();
    set("HOME", folder.display().to_string());
    set("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned());
    set("RABBITMQ_CONFIG_FILE", in_folder("rabbitmq.conf"));
    set("RABBITMQ_ENABLED_PLUGINS_FILE", in_folder("plugins"));
    set("RABBITMQ_LOG_BASE", in_folder("log"));
    set("RABBITMQ_MNESIA_BASE", in_folder("data"));
    set("RABBITMQ_PID_FILE", in_folder("pid"));
    set("RABBITMQ_NODENAME", node(port));
    set("RABBITMQ_DIST_PORT", distribution.to_string());
    set("ERL_EPMD_PORT", names.to_string());
    set("ERL_CRASH_DUMP", in_folder("crash"));
    // The script becomes the server, instead of waiting for it: so it is the server that is killed and frozen.
    set("RABBITMQ_ALLOW_INPUT", "1".to_owned());
    set("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-noinput -start_epmd false +S 2:2 +sbwt none".to_owned());
    command
}
