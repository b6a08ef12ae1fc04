//! A private pgbouncer in transaction mode.

use super::binaries::{folder_of, is_root, usual_folders};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::fs::{self, File, Permissions};
use std::os::unix::{fs::PermissionsExt, net::UnixStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The only name of a socket that pgbouncer makes of its default port.
const SOCKET: &str = ".s.PGSQL.6432";

/// A pooler before all databases of one PostgreSQL server, which knows no prepared statements, like all before 1.21. It listens on a
/// socket in a folder of its own, so it needs no free port; dropped, it ends.
pub struct Pgbouncer {
    folder: TempDir,
    process: Child,
}

impl Pgbouncer {
    /// Starts one before `server`, with so many connections to each of its databases.
    ///
    /// # Panics
    /// It is not installed, or does not start.
    #[must_use]
    pub fn before(server: &PgConnectOptions, connections: u32) -> Self {
        Self::before_and_ignoring(server, connections, "extra_float_digits")
    }

    /// As [`before`](Self::before); it drops other settings that clients give when they connect than it would by default.
    ///
    /// # Panics
    /// As [`before`](Self::before).
    #[must_use]
    pub fn before_and_ignoring(server: &PgConnectOptions, connections: u32, ignored: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // It refuses to run as root, and so becomes another user, who has to make the socket here.
        let become_user = if is_root() { "user = postgres" } else { "" };
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let needed = "pgbouncer is needed (on Debian: `apt-get install pgbouncer`), in PATH or /usr/sbin";
        let program = folder_of("pgbouncer", usual_folders()).expect(needed).join("pgbouncer");
        let password = server.to_url_lossy().password().map_or_else(String::new, |password| format!("password='{password}'"));
        let settings = format!(
            "[databases]\n\
             * = host={host} port={port} user={user} {password}\n\
             [pgbouncer]\n\
             pool_mode = transaction\n\
             default_pool_size = {connections}\n\
             max_client_conn = 1000\n\
             auth_type = any\n\
             listen_addr =\n\
             unix_socket_dir = {socket}\n\
             {become_user}\n\
             {forgetful}\n\
             server_reset_query = DEALLOCATE ALL\n\
             server_reset_query_always = 1\n\
             ignore_startup_parameters = {ignored}\n",
            host = server.get_host(),
            port = server.get_port(),
            user = server.get_username(),
            socket = folder.path().display(),
            forgetful = if knows_prepared_statements(&program) { "max_prepared_statements = 0" } else { "" },
        );
        let (file, log) = (folder.path().join("pgbouncer.ini"), folder.path().join("log"));
        fs::write(&file, settings).unwrap();
        let mut process = Command::new(program).arg(&file).stderr(File::create(&log).unwrap()).spawn().expect("`pgbouncer` starts");
        let deadline = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(folder.path().join(SOCKET)).is_err() {
            let ended = process.try_wait().unwrap().is_some();
            assert!(!ended && Instant::now() < deadline, "pgbouncer does not start:\n{}", fs::read_to_string(log).unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { folder, process }
    }

    /// The way to a database through it.
    #[must_use]
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new().socket(self.folder.path()).port(6432).database(database).statement_cache_capacity(0)
    }
}

/// Whether it has a setting to forget them.
fn knows_prepared_statements(program: &Path) -> bool {
    let said = Command::new(program).arg("--version").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let minor = said.strip_prefix("PgBouncer 1.").and_then(|rest| rest.split(['.', '\n']).next()?.parse::<u32>().ok());
    minor.unwrap_or_else(|| panic!("what version is `{said}`?")) >= 21
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
