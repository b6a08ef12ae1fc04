//! A private RocketMQ: a name server and a broker, to be killed.

use super::binaries::{crate_program, free_port};
use super::{process::Process, warden::Warden};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::{fs, process::Command, time::Duration};

/// What the servers need to let anybody in without TLS.
const PROFILE: &str = "development-insecure-loopback";

/// A name server and a broker on ports and in a folder of their own. Dropped, they are gone.
pub struct RocketMqServer {
    name_server_port: u16,
    broker_port: u16,
    broker: Process,
    _name_server: Process,
    _wardens: [Warden; 2],
}

impl RocketMqServer {
    /// Makes one that lets everybody in, and starts it.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// As [`start`](Self::start), but it lets only those in who are named there, in YAML as the broker has it.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(accounts: &str) -> Self {
        let name_server = crate_program("ROCKETMQ_NAMESRV", "rocketmq-namesrv-rust-1.0.0");
        let broker = crate_program("ROCKETMQ_BROKER", "rocketmq-broker-rust-1.0.0");
        let folder = tempfile::Builder::new().prefix("events-rocketmq-").tempdir_in(folders()).unwrap().keep();
        let (name_server_port, [broker_port, replica_port]) = (free_port(), free_pair());
        let pids = [folder.join("name-server.pid"), folder.join("broker.pid")];
        let wardens = pids.each_ref().map(|pid| Warden::over(&folder, pid));
        fs::write(folder.join("accounts.yml"), accounts).unwrap();
        fs::write(folder.join("broker.toml"), settings(&folder, name_server_port, broker_port, replica_port, !accounts.is_empty()))
            .unwrap();

        let program = move |program: &Path, home: &Path, pid: &Path| {
            // The shell writes down who it is, and becomes the server.
            let mut command = Command::new("sh");
            command.args(["-c", r#"echo $$ >"$0"; exec "$@""#]).arg(pid).arg(program);
            command.env("ROCKETMQ_HOME", home).env("ROCKETMQ_SECURITY_PROFILE", PROFILE).current_dir(home);
            command
        };
        let listens = |port: u16| move || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let (home, [name_server_pid, broker_pid]) = (folder.clone(), pids);
        let of_name_server = move || {
            let mut command = program(&name_server, &home, &name_server_pid);
            command.arg("--rocketmqHome").arg(&home).arg("--kvConfigPath").arg(home.join("kv.json"));
            command.args(["--bindAddress", "127.0.0.1", "--listenPort", &name_server_port.to_string()]);
            command
        };
        let output = folder.join("name-server.log");
        let _name_server = Process::start("the name server of RocketMQ", output, None, of_name_server, listens(name_server_port));
        let home = folder.clone();
        let of_broker = move || {
            let mut command = program(&broker, &home, &broker_pid);
            command.arg("-c").arg(home.join("broker.toml")).args(["-n", &format!("127.0.0.1:{name_server_port}")]);
            command
        };
        let ready = move || TcpStream::connect(("127.0.0.1", broker_port)).is_ok() && is_registered(name_server_port, broker_port);
        let broker = Process::start("the broker of RocketMQ", folder.join("broker.log"), None, of_broker, ready);
        Self { name_server_port, broker_port, broker, _name_server, _wardens: wardens }
    }

    /// Where the name server listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.name_server_port
    }

    /// Where the broker listens.
    #[must_use]
    pub fn broker_port(&self) -> u16 {
        self.broker_port
    }

    /// Kills the broker with SIGKILL; the name server stays, and learns of it.
    pub fn kill(&self) {
        self.broker.kill();
    }

    /// Stops the broker in the middle of whatever it does; its connections stay.
    pub fn freeze(&self) {
        self.broker.freeze();
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.broker.thaw();
    }

    /// Starts the broker again after [`kill`](Self::kill), with what it had stored.
    ///
    /// # Panics
    /// It does not come back.
    pub fn start_again(&self) {
        self.broker.start_again();
    }

    /// What the broker has written down, for the message of a failure.
    #[must_use]
    pub fn log(&self) -> String {
        self.broker.said()
    }
}

/// In memory where that can be: a broker ends when the disk of its folder is full to 85 percent, whoever filled it.
fn folders() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// Small files, because every test has its own; and no topic is made by itself.
fn settings(folder: &Path, name_server: u16, port: u16, replica_port: u16, asks_for_credentials: bool) -> String {
    let store = folder.join("store");
    let credentials = if asks_for_credentials {
        format!(
            "authenticationEnabled = true\nauthorizationEnabled = true\nauthConfigPath = {:?}\naclFile = {:?}\n",
            folder.join("auth"),
            folder.join("accounts.yml")
        )
    } else {
        String::new()
    };
    format!(
        "[broker]\nnamesrvAddr = \"127.0.0.1:{name_server}\"\nbrokerIp1 = \"127.0.0.1\"\nregisterNameServerPeriod = 10000\ntransactionTimeout = 2000\ntransactionOpBatchInterval = 500\ntransactionCheckInterval = 1000\ntransactionCheckMax = 200\nlistenPort = {port}\n\
         storePathRootDir = {store:?}\nautoCreateTopicEnable = false\n{credentials}\
         [broker.brokerServerConfig]\nbindAddress = \"127.0.0.1\"\n\
         [broker.brokerIdentity]\nbrokerName = \"broker-a\"\nbrokerClusterName = \"DefaultCluster\"\nbrokerId = 0\n\
         [store]\nstoreType = \"LocalFile\"\nbrokerRole = \"ASYNC_MASTER\"\nstorePathRootDir = {store:?}\n\
         haListenAddress = \"127.0.0.1\"\nhaListenPort = {replica_port}\n\
         mappedFileSizeCommitLog = 16777216\nmaxHashSlotNum = 1000\nmaxIndexNum = 4000\n"
    )
}

/// Whether the name server knows of the broker: before that nobody finds it.
fn is_registered(name_server: u16, broker: u16) -> bool {
    let brokers = || -> std::io::Result<String> {
        let mut line = TcpStream::connect(("127.0.0.1", name_server))?;
        line.set_read_timeout(Some(Duration::from_secs(1)))?;
        let header = br#"{"code":106,"language":"JAVA","version":475,"opaque":1,"flag":0,"serializeTypeCurrentRPC":"JSON"}"#;
        let length = u32::try_from(header.len()).expect("it is short");
        line.write_all(&[&(length + 4).to_be_bytes()[..], &length.to_be_bytes(), header].concat())?;
        let mut size = [0; 4];
        line.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        line.read_exact(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    brokers().is_ok_and(|brokers| brokers.contains(&format!("127.0.0.1:{broker}\"")))
}

/// Two ports that were free a moment ago.
fn free_pair() -> [u16; 2] {
    let both = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    both.map(|listener| listener.local_addr().unwrap().port())
}
