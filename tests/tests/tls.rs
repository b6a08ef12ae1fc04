//! Connections by TLS: the outbox uses them for everything, and a server that is not the right one is refused.

#![allow(clippy::unwrap_used)]

use events_core::{RelayOptions, test_kit::wait_until};
use events_sqlx::{Backend, Filter, Outbox};
use events_tests::Role;
use events_tests::events::{Noted, note};
use events_tests::servers::{Identity, MariadbServer, PostgresServer};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Connection, MySql, Pool, Postgres};
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;

const WRONG_SERVER: &str = "its certificate must be signed by the CA of the connection and name its host";
const NO_TLS: &str = "the server has to offer it";

/// Somebody who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// The file that clients trust.
    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server that says it is `localhost`. Who asks for 127.0.0.1 is at the wrong address.
    fn localhost(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn postgres(host: &str, server: &PostgresServer, ca: &Authority) -> PgConnectOptions {
    let url = format!("postgres://postgres@{host}:{}/postgres?sslmode=verify-full&sslrootcert={}", server.port(), ca.file().display());
    url.parse().unwrap()
}

fn mysql(host: &str, server: &MariadbServer, ca: &Authority) -> MySqlConnectOptions {
    let url = format!("mysql://root@{host}:{}/mysql?ssl-mode=VERIFY_IDENTITY&ssl-ca={}", server.port(), ca.file().display());
    url.parse().unwrap()
}

#[tokio::test]
async fn an_outbox_in_postgresql_uses_tls_for_everything_it_does() {
    let ca = Authority::named("ours");
    let server = PostgresServer::start_with_tls(&ca.localhost());
    let pool = PgPool::connect_with(postgres("localhost", &server, &ca)).await.unwrap();
    let _outbox = delivers_and_renews(&pool).await;
    let ours = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_port > 0 AND ssl = $1";
    let count = async |encrypted: bool| sqlx::query_scalar::<_, i64>(ours).bind(encrypted).fetch_one(&pool).await.unwrap();
    let (encrypted, plain) = (count(true).await, count(false).await);
    // One each for the business, the relay and the heartbeat, at least.
    assert!(encrypted >= 3 && plain == 0, "{encrypted} connections are encrypted, {plain} are not");
}

#[tokio::test]
async fn a_postgresql_that_is_not_the_right_one_is_refused_with_what_is_wrong() {
    let (ca, another_ca) = (Authority::named("ours"), Authority::named("theirs"));
    let server = PostgresServer::start_with_tls(&ca.localhost());
    let error = refusal::<Postgres>(postgres("localhost", &server, &another_ca)).await;
    assert!(error.contains(WRONG_SERVER) && error.ends_with("invalid peer certificate: UnknownIssuer"), "{error}");
    let error = refusal::<Postgres>(postgres("127.0.0.1", &server, &ca)).await;
    assert!(error.contains(WRONG_SERVER) && error.contains("certificate not valid for name \"127.0.0.1\""), "{error}");
    let error = refusal::<Postgres>(postgres("localhost", &PostgresServer::start(), &ca)).await;
    assert!(error.contains(NO_TLS) && error.ends_with("server does not support TLS"), "{error}");
    fs::remove_file(ca.file()).unwrap();
    let error = refusal::<Postgres>(postgres("localhost", &server, &ca)).await;
    assert!(error.contains("a file of the connection is missing: the CA"), "{error}");
}

#[tokio::test]
async fn an_outbox_in_mariadb_uses_tls_for_everything_it_does() {
    let ca = Authority::named("ours");
    let server = MariadbServer::start_with_tls(&ca.localhost());
    let pool = MySqlPool::connect_with(mysql("localhost", &server, &ca)).await.unwrap();
    // The server takes no connection without TLS: a pool that forgets it fails.
    sqlx::raw_sql("CREATE DATABASE shop").execute(&pool).await.unwrap();
    let shop = MySqlPool::connect_with(mysql("localhost", &server, &ca).database("shop")).await.unwrap();
    delivers_and_renews(&shop).await;
    let (_, cipher): (String, String) = sqlx::query_as("SHOW STATUS LIKE 'Ssl_cipher'").fetch_one(&pool).await.unwrap();
    assert!(cipher.starts_with("TLS_"), "the cipher is `{cipher}`");
}

#[tokio::test]
async fn a_mariadb_that_is_not_the_right_one_is_refused_with_what_is_wrong() {
    let (ca, another_ca) = (Authority::named("ours"), Authority::named("theirs"));
    let server = MariadbServer::start_with_tls(&ca.localhost());
    let error = refusal::<MySql>(mysql("localhost", &server, &another_ca)).await;
    assert!(error.contains(WRONG_SERVER) && error.ends_with("invalid peer certificate: UnknownIssuer"), "{error}");
    let error = refusal::<MySql>(mysql("127.0.0.1", &server, &ca)).await;
    assert!(error.contains(WRONG_SERVER) && error.contains("certificate not valid for name \"127.0.0.1\""), "{error}");
    let error = refusal::<MySql>(mysql("localhost", &MariadbServer::start(), &ca)).await;
    assert!(error.contains(NO_TLS) && error.ends_with("server does not support TLS"), "{error}");
}

/// Publishes, delivers slowly, and settles; the connections are those of the outbox that is returned. The server takes none without TLS:
/// a pool that forgets it fails.
async fn delivers_and_renews<DB: Backend>(pool: &Pool<DB>) -> Outbox<DB> {
    let role = Role::<Noted>::default();
    let quick = RelayOptions { lease: Duration::from_secs(6), poll: Duration::from_millis(25), ..RelayOptions::default() };
    let builder = Outbox::builder(pool.clone()).without_linked_handlers().state(role.clone()).handler::<note>().relay(quick);
    let outbox = builder.start().await.unwrap();
    role.gate.close();
    outbox.run(async |uow| uow.publish(Noted { n: 1 })).await.unwrap();
    role.begun.wait_for(1, Duration::from_secs(10)).await;
    let lease_ends = async || outbox.list_waiting(&Filter::all()).await.unwrap()[0].visible_at;
    let first = lease_ends().await;
    wait_until("the heartbeat has renewed the lease", async || lease_ends().await > first).await;
    role.gate.open();
    wait_until("the delivery is settled", async || outbox.waiting().await.unwrap() == 0).await;
    outbox.shutdown().await;
    let (stats, loops) = (outbox.stats(), outbox.health());
    assert_eq!((stats.delivered_from_memory, stats.lease_lost, stats.store_errors), (1, 0, 0), "{stats:?}");
    assert!(loops.iter().all(|one| one.failures == 0), "{loops:?}");
    outbox
}

/// What an outbox says that cannot be started.
async fn refusal<DB: Backend>(options: <DB::Connection as Connection>::Options) -> String {
    let pool = PoolOptions::<DB>::new().connect_lazy_with(options);
    Outbox::builder(pool).without_linked_handlers().start().await.unwrap_err().report()
}
