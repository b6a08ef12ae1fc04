//! The statements on MariaDB: which indexes they say they use, and how many rows they then read.

use crate::backlog::{BATCH, KEYS, SHORT, fill, idle, long, statement, targets};
use crate::pace::Pace;
use events_sqlx::mysql::Outbox;
use events_tests::{Harness, OnMySql, Scene};
use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::{Arguments, AssertSqlSafe, MySqlPool, Row};

const FILL: &str = include_str!("fill/mysql.sql");
/// Statistics are made when the test says so.
const BEFORE: &str = "ALTER TABLE outbox STATS_AUTO_RECALC = 0; ALTER TABLE outbox_key STATS_AUTO_RECALC = 0;
    ALTER TABLE outbox_dead STATS_AUTO_RECALC = 0; ALTER TABLE outbox_archive STATS_AUTO_RECALC = 0;
    SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; SET unique_checks = 0;";
/// A statement may read so many rows for each that it was given, those of its JSON and of temporary tables included.
const ROWS: u64 = 12;
/// What our tables are called in the statements. Other names are those of JSON and of derived tables.
const TABLES: [&str; 11] = ["o", "k", "d", "n", "a", "old", "head", "outbox", "outbox_key", "outbox_dead", "outbox_archive"];

#[derive(Clone)]
enum Argument {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Null,
}
use Argument::{Bytes, Int, Null, Text};

fn text(text: &str) -> Argument {
    Text(text.into())
}

/// One statement put to the test.
struct Case {
    name: &'static str,
    /// Which table must be read by which index.
    uses: &'static [(&'static str, &'static str)],
    arguments: Vec<Argument>,
    /// How many rows it may read.
    rows: u64,
    /// What is done before it in the same transaction.
    before: String,
}

fn case(name: &'static str, uses: &'static [(&'static str, &'static str)], arguments: Vec<Argument>) -> Case {
    Case { name, uses, arguments, rows: ROWS * BATCH as u64 + 100, before: "DO 0".into() }
}

/// What was found in the database to work on.
struct Found {
    leases: Vec<(String, String)>,
    lines: Vec<(String, String)>,
    letters: Vec<String>,
}

impl Found {
    async fn of(pool: &MySqlPool) -> Self {
        let leases = "SELECT LOWER(HEX(id)), LOWER(HEX(lease_token)) FROM outbox \
                      WHERE lease_token IS NOT NULL AND visible_at > UTC_TIMESTAMP() ORDER BY id LIMIT 100";
        let lines = "SELECT CONVERT(`key` USING utf8mb4), CONVERT(target USING utf8mb4) FROM outbox_key \
                     WHERE `key` LIKE 'key\\_%' ORDER BY `key` LIMIT 98";
        let letters = "SELECT LOWER(HEX(id)) FROM outbox_dead ORDER BY id LIMIT 100";
        let mut lines: Vec<(String, String)> = sqlx::query_as(lines).fetch_all(pool).await.unwrap();
        lines.extend(["long", "long and blocked"].map(|key| (key.to_owned(), "note".to_owned())));
        Self {
            leases: sqlx::query_as(leases).fetch_all(pool).await.unwrap(),
            lines,
            letters: sqlx::query_scalar(letters).fetch_all(pool).await.unwrap(),
        }
    }

    /// Leases, and what else is said of each.
    fn leases(&self, more: &serde_json::Value) -> Argument {
        let more = more.as_array().unwrap();
        let row = |(id, token): &(String, String)| [&[id.as_str().into(), token.as_str().into()], more.as_slice()].concat();
        Text(serde_json::Value::from_iter(self.leases.iter().map(row)).to_string())
    }

    /// The lines, each with one event.
    fn lines(&self) -> Argument {
        Self::some_lines(&self.lines)
    }

    fn some_lines(lines: &[(String, String)]) -> Argument {
        Text(serde_json::json!(lines.iter().map(|(key, target)| (key, target, 1)).collect::<Vec<_>>()).to_string())
    }

    /// Deletes the first of each line with a short name; its id is the number in its key.
    fn heads(&self) -> String {
        let numbers = self.lines.iter().filter_map(|(key, _)| key.strip_prefix("key_"));
        let ids: Vec<_> = numbers.map(|n| format!("UNHEX(LPAD(HEX({n}), 32, '0'))")).collect();
        format!("DELETE FROM outbox WHERE id IN ({})", ids.join(","))
    }
}

/// Every statement of the scanner, the heartbeat, the settler, a commit and maintenance. A parameter that is named twice is given twice,
/// and every mention of the time is one.
fn cases(found: &Found, rows: u64) -> Vec<Case> {
    use serde_json::json;
    let token = || Bytes(uuid::Uuid::now_v7().into_bytes().to_vec());
    let letters = || Text(json!(found.letters.iter().map(|id| [id]).collect::<Vec<_>>()).to_string());
    let held = || found.leases(&json!([]));
    let picked = json!(found.leases.iter().map(|(id, _)| (id, 0)).collect::<Vec<_>>()).to_string();
    let ids = || Text(json!(found.leases.iter().map(|(id, _)| [id]).collect::<Vec<_>>()).to_string());
    let due: &[_] = &[("o", "outbox_due"), ("head", "outbox_of_key")];
    let by_id: &[_] = &[("o", "PRIMARY")];
    let of_lines: &[_] = &[("k", "PRIMARY")];
    let of_letters: &[_] = &[("d", "PRIMARY")];
    let after = |key: &str| vec![Null, Int(600_000), text(key), text(key), text("note"), Int(BATCH as i64)];
    let row = vec![
        token(),
        token(),
        text("note"),
        text("test.noted"),
        Int(1),
        Null,
        Null,
        text("{}"),
        text("application/json"),
        text("/"),
        text("{}"),
        text("2026-01-01"),
        Null,
        Int(0),
        Null,
        Null,
        token(),
    ];
    let known = || json!(targets().iter().map(|name| [name]).collect::<Vec<_>>()).to_string();
    let keys = || Text(json!(found.lines[..98].iter().map(|(key, _)| [key]).collect::<Vec<_>>()).to_string());
    vec![
        // Every look of the scanner, with something due and without.
        case("due_target", &[("o", "outbox_due")], vec![text("note"), text("note"), Null, Null]),
        case("due_target", &[("o", "outbox_due")], vec![text("target_2"), text("target_2"), Null, Int(2_000)]),
        case("lease_find", due, vec![text("note"), Null, Null, Int(BATCH as i64)]),
        case("lease_find", due, vec![text("target_1"), Null, Int(2_000), Int(BATCH as i64)]),
        case("lease_find", due, vec![text("target_2"), Null, Null, Int(BATCH as i64)]),
        case("lease_lock", &[("o", "PRIMARY"), ("head", "outbox_of_key")], vec![ids(), text("note"), Null]),
        case("lease_pick", due, vec![text("note"), Null, Null, Int(BATCH as i64)]),
        case("lease_pick", due, vec![text("target_1"), Null, Int(2_000), Int(BATCH as i64)]),
        case("lease_pick", due, vec![text("target_2"), Null, Null, Int(BATCH as i64)]),
        case("lease_take", by_id, vec![Text(picked), token(), Null, Int(30_000)]),
        // The heartbeat and the settler.
        case("renew", by_id, vec![held(), Null, Int(30_000)]),
        case("lost", by_id, vec![held()]),
        case("settle_delete", by_id, vec![held()]),
        case("settle_archive", by_id, vec![Null, held()]),
        case("settle_retry", by_id, vec![found.leases(&json!([1_000, "x", "[]"])), Null]),
        case("remember", by_id, vec![found.leases(&json!(["x", "[]"]))]),
        case("settle_hand_back", by_id, vec![found.leases(&json!([1_000])), Null]),
        case("settle_dead", by_id, vec![Null, found.leases(&json!(["terminal", 0, "x", "[]"]))]),
        case("lock_lines", of_lines, vec![found.lines()]),
        case("lower_lines", of_lines, vec![found.lines()]),
        Case {
            before: found.heads(),
            ..case("free_heads", &[("n", "outbox_of_key"), ("d", "outbox_dead_of_line"), ("o", "PRIMARY")], vec![found.lines(), Null, Null])
        },
        // Every commit with events.
        case("append", &[], row),
        case("raise_lines", &[], vec![Null, found.lines(), Null]),
        case("lines", of_lines, vec![found.lines()]),
        // Maintenance; the second look comes by the long lines.
        case("lines_after", &[("k", "PRIMARY"), ("o", "outbox_of_key"), ("d", "outbox_dead_of_line")], after("key_1")),
        case("lines_after", &[("k", "PRIMARY"), ("o", "outbox_of_key"), ("d", "outbox_dead_of_line")], after("key_9998")),
        case("purge_lines", of_lines, vec![found.lines(), Null, Int(600_000)]),
        Case {
            rows: 5 * (20 + 3 * (rows / KEYS + 1)),
            ..case("recount_lines", &[("k", "PRIMARY"), ("o", "outbox_of_key")], vec![Found::some_lines(&found.lines[..5])])
        },
        case("purge_archive", &[("old", "outbox_archive_age"), ("a", "PRIMARY")], vec![Null, Int(3_600_000), Int(BATCH as i64)]),
        case("purge_transactions", &[("old", "outbox_tx_age"), ("t", "PRIMARY")], vec![Null, Int(3_600_000), Int(BATCH as i64)]),
        // Every commit with a two-phase transport, and every question of its broker.
        case("tx_claim", &[("outbox_tx", "PRIMARY")], vec![Null, token()]),
        case("tx_give_up", &[("outbox_tx", "PRIMARY")], vec![Null, token()]),
        case("purge_inbox", &[("old", "inbox_age"), ("i", "PRIMARY")], vec![Null, Int(3_600_000), Int(BATCH as i64)]),
        case("orphans", &[("outbox", "outbox_due"), ("o", "outbox_due")], vec![Text(known())]),
        // By hand, or when a handler was renamed.
        case("redrive_copy", of_letters, vec![Null, letters()]),
        case("dead_lines", of_letters, vec![letters()]),
        case("dead_delete", of_letters, vec![letters()]),
        case("adopt_keys", &[("outbox", "outbox_due")], vec![text("renamed"), Int(BATCH as i64), text("renamed"), Int(BATCH as i64)]),
        case("adopt_keyed", &[("o", "outbox_of_key")], vec![keys(), text("renamed"), text("note")]),
        case("adopt_blocking", &[("d", "outbox_dead_of_line")], vec![keys(), text("renamed"), text("note")]),
        case("adopt", &[("outbox", "outbox_due")], vec![text("note"), text("renamed")]),
        case("adopt_dead", &[("outbox_dead", "outbox_dead_of_target")], vec![text("note"), text("renamed")]),
    ]
}

/// How many rows this session has read so far, by any way.
async fn read(conn: &mut MySqlConnection) -> u64 {
    let rows = sqlx::raw_sql("SHOW SESSION STATUS LIKE 'Handler_read_%'").fetch_all(conn).await.unwrap();
    rows.iter().map(|row| row.try_get_unchecked::<String, _>(1).unwrap().parse::<u64>().unwrap()).sum()
}

async fn check(conn: &mut MySqlConnection, outbox: &Outbox, case: &Case) {
    let Case { name, uses, arguments, rows, before } = case;
    let sql = statement(outbox, name);
    let bound = || {
        let mut bound = MySqlArguments::default();
        for argument in arguments.iter().cloned() {
            match argument {
                Int(int) => bound.add(int),
                Text(text) => bound.add(text),
                Bytes(bytes) => bound.add(bytes),
                Null => bound.add(None::<i64>),
            }
            .unwrap();
        }
        bound
    };
    sqlx::raw_sql("BEGIN").execute(&mut *conn).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(before.clone())).execute(&mut *conn).await.unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN {sql}"));
    // MariaDB explains a statement that it has prepared before as if there were no tables.
    let explained = sqlx::query_with(explain, bound()).persistent(false);
    let steps = explained.fetch_all(&mut *conn).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let field = |row: &sqlx::mysql::MySqlRow, name: &str| row.try_get_unchecked::<Option<String>, _>(name).unwrap().unwrap_or_default();
    let steps: Vec<_> = steps.iter().map(|row| (field(row, "table"), field(row, "type"), field(row, "key"))).collect();

    // Asking costs reads as well; how many is seen by asking twice.
    let (first, second) = (read(conn).await, read(conn).await);
    sqlx::query_with(AssertSqlSafe(sql), bound()).fetch_all(&mut *conn).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let reads = read(conn).await - second - (second - first);
    sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await.unwrap();

    let report = format!("{name}: {reads} rows read, {steps:?}");
    println!("{report}");
    let is_ours = |table: &str| TABLES.contains(&table);
    let whole = steps.iter().find(|(table, kind, _)| is_ours(table) && ["ALL", "index"].contains(&kind.as_str()));
    // An INSERT of plain rows names its table and has no way to read it.
    assert!(whole.is_none() || reads == 0, "{report}\nreads a whole table or index");
    for (table, index) in *uses {
        assert!(steps.iter().any(|(t, _, key)| t == table && key == index), "{report}\ndoes not read {table} by {index}");
    }
    assert!(reads <= *rows, "{report}\nreads more than {rows} rows");
}

// Invariant 18.
#[tokio::test]
async fn on_mariadb_every_statement_of_the_relay_uses_its_index_however_much_waits() {
    let rows = long();
    let scene = Scene::<OnMySql>::new().await;
    let outbox = idle(&scene).await;
    fill(&scene, BEFORE, FILL, rows).await;
    let pool = scene.harness.connect().await;
    let found = Found::of(&pool).await;
    let mut conn = pool.acquire().await.unwrap();
    sqlx::raw_sql("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").execute(&mut *conn).await.unwrap();
    // The choice must not depend on whether somebody has run ANALYZE.
    for analyze in ["DO 0", "ANALYZE TABLE outbox, outbox_key, outbox_dead, outbox_archive"] {
        sqlx::raw_sql(analyze).fetch_all(&mut *conn).await.unwrap();
        for case in cases(&found, rows) {
            check(&mut conn, &outbox, &case).await;
        }
    }

    let short = Scene::<OnMySql>::new().await;
    let short_outbox = idle(&short).await;
    fill(&short, BEFORE, FILL, SHORT).await;
    Pace::of::<OnMySql>(&outbox).await.must_be_near(Pace::of::<OnMySql>(&short_outbox).await, rows, "MariaDB");
}
