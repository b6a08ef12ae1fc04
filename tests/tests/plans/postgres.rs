//! The statements on PostgreSQL, prepared as the program prepares them, with the plan for these parameters and with that for any.

use crate::backlog::{BATCH, KEYS, SHORT, fill, idle, long, statement, targets};
use crate::pace::Pace;
use events_sqlx::postgres::Outbox;
use events_tests::{Harness, OnPostgres, Scene};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use std::sync::Arc;
use std::time::{Duration, Instant};

const FILL: &str = include_str!("fill/postgres.sql");
/// Statistics are made when the test says so, and a lost database costs a test nothing.
const BEFORE: &str = "ALTER TABLE outbox SET (autovacuum_enabled = off); ALTER TABLE outbox_key SET (autovacuum_enabled = off);
    ALTER TABLE outbox_dead SET (autovacuum_enabled = off); ALTER TABLE outbox_archive SET (autovacuum_enabled = off);
    SET synchronous_commit = off;";
/// A statement may look at so many rows for each that it was given, and at so many pages, all indexes included.
const ROWS: u64 = 4;
const PAGES: u64 = 40;

/// A type and a literal of it.
struct Argument(&'static str, String);

fn int(value: i64) -> Argument {
    Argument("bigint", value.to_string())
}

fn text(value: &str) -> Argument {
    Argument("text", format!("'{value}'"))
}

fn none() -> Argument {
    Argument("bigint", "NULL".into())
}

fn list(kind: &'static str, values: impl IntoIterator<Item = impl ToString>) -> Argument {
    let values: Vec<_> = values.into_iter().map(|value| format!("'{}'", value.to_string())).collect();
    Argument(kind, format!("ARRAY[{}]::{kind}", values.join(",")))
}

fn all(kind: &'static str, value: &str) -> Argument {
    list(kind, vec![value; BATCH])
}

/// One statement put to the test.
struct Case {
    name: &'static str,
    /// Indexes of which it must use all.
    uses: &'static [&'static str],
    arguments: Vec<Argument>,
    /// How many rows it may look at.
    rows: u64,
    /// What is done before it in the same transaction.
    before: String,
}

fn case(name: &'static str, uses: &'static [&'static str], arguments: Vec<Argument>) -> Case {
    Case { name, uses, arguments, rows: ROWS * BATCH as u64, before: String::new() }
}

/// What was found in the database to work on.
struct Found {
    ids: Vec<String>,
    tokens: Vec<String>,
    keys: Vec<String>,
    targets: Vec<String>,
    letters: Vec<String>,
}

impl Found {
    async fn of(pool: &PgPool) -> Self {
        let strings = async |sql: &'static str| sqlx::query_scalar::<_, String>(sql).fetch_all(pool).await.unwrap();
        let held = "FROM outbox WHERE lease_token IS NOT NULL AND visible_at > now() ORDER BY id LIMIT 100) AS held";
        let lines = "FROM ((SELECT key, target FROM outbox_key WHERE key LIKE 'key\\_%' ORDER BY key LIMIT 98) \
                     UNION ALL SELECT 'long', 'note' UNION ALL SELECT 'long and blocked', 'note') AS line ORDER BY key, target";
        let letters = "SELECT id::text FROM outbox_dead ORDER BY id LIMIT 100";
        let query = |what: &str, from: &str| -> &'static str { Box::leak(format!("SELECT {what} {from}").into_boxed_str()) };
        Self {
            ids: strings(query("id::text FROM (SELECT *", held)).await,
            tokens: strings(query("lease_token::text FROM (SELECT *", held)).await,
            keys: strings(query("key", lines)).await,
            targets: strings(query("target", lines)).await,
            letters: strings(letters).await,
        }
    }

    fn leases(&self) -> Vec<Argument> {
        vec![list("uuid[]", &self.ids), list("uuid[]", &self.tokens)]
    }

    /// Leases and what else is said of each.
    fn leases_and(&self, more: impl IntoIterator<Item = Argument>) -> Vec<Argument> {
        self.leases().into_iter().chain(more).collect()
    }

    /// The lines; with a number for each, if given.
    fn lines(&self, events: Option<i64>) -> Vec<Argument> {
        let mut lines = vec![list("text[]", &self.keys), list("text[]", &self.targets)];
        lines.extend(events.map(|events| list("bigint[]", vec![events; self.keys.len()])));
        lines
    }
}

fn with(mut first: Vec<Argument>, more: impl IntoIterator<Item = Argument>) -> Vec<Argument> {
    first.extend(more);
    first
}

/// Every statement of the scanner, the heartbeat, the settler, a commit and maintenance. Arguments are in the order in which the
/// statement names them first; types are those that the program sends.
fn cases(found: &Found, rows: u64) -> Vec<Case> {
    let by_id: &[&str] = &["outbox_pkey"];
    let of_lines: &[&str] = &["outbox_key_pkey"];
    let letters: &[&str] = &["outbox_dead_pkey"];
    let fresh = || list("uuid[]", (0..BATCH).map(|_| uuid::Uuid::now_v7()));
    let letter = || vec![list("uuid[]", &found.letters)];
    let wanted = |targets: &[String], within: &str| {
        let within = Argument("bigint[]", format!("ARRAY[{}]::bigint[]", vec![within; targets.len()].join(",")));
        vec![list("text[]", targets), list("bigint[]", vec![BATCH / 10; targets.len()]), within]
    };
    let token = || Argument("uuid", format!("'{}'", uuid::Uuid::now_v7()));
    let leased = |targets: &[String], within| with(wanted(targets, within), [none(), token(), int(30_000)]);
    let unkeyed = || {
        let same = |value| all("text[]", value);
        let own =
            [same("note"), same("test.noted"), all("bigint[]", "1"), all("bytea[]", "{}"), same("{}"), all("timestamptz[]", "2026-01-01")];
        with(with(vec![fresh(), fresh()], own), [all("bigint[]", "1000")])
    };
    let one = || {
        let key = [Argument("text", "NULL".into()), none(), Argument("bytea", "'{}'".into())];
        let rest = [text("application/json"), text("/"), text("{}"), Argument("timestamptz", "now()".into())];
        let times = [none(), int(30_000), none(), none(), token()];
        let first = with(vec![token(), token(), text("note"), text("test.noted"), int(1)], key);
        with(with(first, rest), times)
    };
    let row = |also: &dyn Fn(&str) -> Option<Argument>| {
        let columns = [
            "id",
            "event_id",
            "target",
            "topic",
            "version",
            "key",
            "behind",
            "events",
            "payload",
            "content_type",
            "source",
            "headers",
            "occurred_at",
            "visible_in",
            "delay",
            "lease_token",
        ];
        let column = |column: &str| match column {
            "id" | "event_id" | "lease_token" => Some(fresh()),
            "version" | "visible_in" | "delay" => Some(all("bigint[]", "1000")),
            "payload" => Some(all("bytea[]", "{}")),
            "occurred_at" => Some(all("timestamptz[]", "2026-01-01")),
            "key" | "behind" | "events" => also(column),
            "target" => also(column).or_else(|| Some(all("text[]", "note"))),
            _ => Some(all("text[]", "{}")),
        };
        columns.into_iter().filter_map(column).collect::<Vec<_>>()
    };
    let keyed = |column: &str| match column {
        "key" => Some(list("text[]", &found.keys)),
        "target" => Some(list("text[]", &found.targets)),
        "behind" => Some(list("bigint[]", vec![0; found.keys.len()])),
        "events" => Some(list("bigint[]", vec![1; found.keys.len()])),
        _ => None,
    };
    let few = |column: &[String]| list("text[]", &column[column.len() - 5..]);
    let heads = "DELETE FROM outbox WHERE id IN (SELECT (SELECT id FROM outbox AS o WHERE o.key = k.key AND o.target = k.target ORDER BY \
                 key_seq LIMIT 1) FROM outbox_key AS k WHERE k.key IN (SELECT key FROM outbox_key WHERE key LIKE 'key\\_%' ORDER BY key \
                 LIMIT 98) OR k.key = 'long')";
    let after = |key: &str| vec![none(), int(600_000), text(key), text("note"), int(BATCH as i64)];
    vec![
        // Every look of the scanner, with something due and without.
        case("lease", &["outbox_due", "outbox_of_key"], leased(&targets(), "NULL")),
        case("lease", &["outbox_due", "outbox_of_key"], leased(&targets(), "2000")),
        case("lease", &["outbox_due", "outbox_of_key"], leased(&["target_2".into(), "nobody".into()], "NULL")),
        // The heartbeat and the settler.
        case("renew", by_id, with(vec![none(), int(30_000)], found.leases())),
        case("lost", by_id, found.leases()),
        case("settle_delete", by_id, found.leases()),
        case("settle_archive", by_id, with(vec![none()], found.leases())),
        case(
            "settle_retry",
            by_id,
            with(vec![none()], found.leases_and([all("bigint[]", "1000"), all("text[]", "x"), all("text[]", "[]")])),
        ),
        case("remember", by_id, found.leases_and([all("text[]", "x"), all("text[]", "[]")])),
        case("settle_hand_back", by_id, with(vec![none()], found.leases_and([all("bigint[]", "1000")]))),
        case(
            "settle_dead",
            by_id,
            with(
                vec![none()],
                found.leases_and([all("text[]", "terminal"), all("bigint[]", "0"), all("text[]", "x"), all("text[]", "[]")]),
            ),
        ),
        case("lock_lines", of_lines, found.lines(None)),
        Case {
            before: heads.into(),
            ..case(
                "free_heads",
                &["outbox_key_pkey", "outbox_of_key", "outbox_pkey", "outbox_dead_of_line"],
                with(found.lines(Some(1)), [none()]),
            )
        },
        // Every commit with events.
        case("append_one", &[], one()),
        case("append", &[], with(vec![text("application/json"), text("/"), none(), int(30_000), token()], unkeyed())),
        case("append_keyed", &[], with(vec![none()], with(found.lines(Some(1)), row(&keyed)))),
        case("raise_lines", &[], with(vec![none()], found.lines(Some(1)))),
        // Maintenance; the second look comes by the long lines.
        case("lines_after", &["outbox_key_pkey", "outbox_of_key", "outbox_dead_of_line"], after("key_1")),
        case("lines_after", &["outbox_key_pkey", "outbox_of_key", "outbox_dead_of_line"], after("key_9998")),
        case("purge_lines", of_lines, with(found.lines(None), [none(), int(600_000)])),
        Case {
            rows: 5 * (1 + 3 * (rows / KEYS + 1)),
            ..case("recount_lines", &["outbox_key_pkey", "outbox_of_key"], vec![few(&found.keys[..98]), few(&found.targets[..98])])
        },
        case("purge_archive", &["outbox_archive_age", "outbox_archive_pkey"], vec![none(), int(3_600_000), int(BATCH as i64)]),
        case("purge_inbox", &["inbox_age"], vec![none(), int(3_600_000), int(BATCH as i64)]),
        case("purge_transactions", &["outbox_tx_age"], vec![none(), int(3_600_000), int(BATCH as i64)]),
        // Every commit with a two-phase transport, and every question of its broker.
        case("tx_claim", &["outbox_tx_pkey"], vec![none(), token()]),
        case("tx_look", &["outbox_tx_pkey"], vec![none(), int(30_000), token()]),
        case("tx_give_up", &["outbox_tx_pkey"], vec![none(), token()]),
        case("orphans", &["outbox_due"], vec![list("text[]", targets())]),
        // By hand, or when a handler was renamed.
        case("redrive_copy", letters, with(vec![none()], letter())),
        case("dead_lines", letters, letter()),
        case("dead_delete", letters, letter()),
        case("adopt_keys", &["outbox_due"], vec![text("target_1"), int(BATCH as i64)]),
        case("adopt_keyed", &["outbox_of_key"], vec![text("note"), text("renamed"), list("text[]", &found.keys[..98])]),
        case("adopt_blocking", &[], vec![text("note"), text("renamed"), list("text[]", &found.keys)]),
        case("adopt", &["outbox_due"], vec![text("note"), text("renamed")]),
        case("adopt_dead", &["outbox_dead_of_target"], vec![text("note"), text("renamed")]),
    ]
}

/// What a plan did.
#[derive(Debug, Default)]
struct Done {
    indexes: Vec<String>,
    scanned: Vec<String>,
    rows: u64,
}

impl Done {
    fn add(&mut self, node: &Json) {
        let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
        let string = |name: &str| node[name].as_str().unwrap_or_default().to_owned();
        // What was planned and never done costs nothing, such as counting orphans where there are none.
        if string("Node Type") == "Seq Scan" && number("Actual Loops") > 0.0 {
            self.scanned.push(string("Relation Name"));
        }
        if node["Index Name"].is_string() {
            self.indexes.push(string("Index Name"));
        }
        if node["Relation Name"].is_string() && string("Node Type").ends_with("Scan") {
            let each = number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
            self.rows += (each * number("Actual Loops")) as u64;
        }
        node["Plans"].as_array().into_iter().flatten().for_each(|child| self.add(child));
    }
}

async fn check(conn: &mut PgConnection, outbox: &Outbox, case: &Case, mode: &str) {
    let Case { name, uses, arguments, rows, before } = case;
    let (types, literals): (Vec<_>, Vec<_>) = arguments.iter().map(|Argument(kind, literal)| (*kind, literal.clone())).unzip();
    let (types, literals) = (types.join(", "), literals.join(", "));
    let prepare =
        format!("SET jit = off; SET plan_cache_mode = {mode}; PREPARE tested ({types}) AS {}; BEGIN; {before}", statement(outbox, name));
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *conn).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE tested ({literals})");
    let explained = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut *conn).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let plan: Json = sqlx::Row::try_get_unchecked::<String, _>(&explained, 0).unwrap().parse().unwrap();
    sqlx::raw_sql("ROLLBACK; DEALLOCATE tested").execute(&mut *conn).await.unwrap();

    let plan = &plan[0]["Plan"];
    let mut done = Done::default();
    done.add(plan);
    let pages = plan["Shared Hit Blocks"].as_u64().unwrap() + plan["Shared Read Blocks"].as_u64().unwrap();
    let report = format!("{name}, {mode}: {pages} pages, {done:?}");
    println!("{report}");
    assert!(done.scanned.is_empty(), "{report}\nreads a whole table: {plan:#}");
    assert!(uses.iter().all(|index| done.indexes.iter().any(|used| used == index)), "{report}\ndoes not use {uses:?}: {plan:#}");
    assert!(done.rows <= *rows, "{report}\nlooks at more than {rows} rows: {plan:#}");
    assert!(pages <= PAGES * BATCH as u64, "{report}\ntouches too many pages: {plan:#}");
}

// Invariant 18.
#[tokio::test]
async fn on_postgres_every_statement_of_the_relay_uses_its_index_however_much_waits() {
    let rows = long();
    let scene = Scene::<OnPostgres>::new().await;
    let outbox = idle(&scene).await;
    fill(&scene, BEFORE, FILL, rows).await;
    let pool = scene.harness.connect().await;
    let found = Found::of(&pool).await;
    let mut conn = pool.acquire().await.unwrap();
    // The choice must depend neither on whether somebody has run ANALYZE, nor on the server's idea of the parameters.
    for analyze in ["SELECT 1", "ANALYZE"] {
        sqlx::raw_sql(analyze).execute(&mut *conn).await.unwrap();
        for mode in ["force_custom_plan", "force_generic_plan"] {
            // Renaming what has no key takes all of it at once; for a name of which nothing is known, with ten million rows, PostgreSQL
            // prefers to read the table.
            let is_tested = |case: &Case| case.name != "adopt" || mode == "force_custom_plan";
            for case in cases(&found, rows).into_iter().filter(is_tested) {
                check(&mut conn, &outbox, &case, mode).await;
            }
        }
    }

    // However high the planner guesses the costs, nothing is compiled for what then takes a microsecond.
    let known: Vec<Arc<str>> = targets().into_iter().map(Arc::from).collect();
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        outbox.store().orphans(&known).await.unwrap();
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < Duration::from_millis(50), "looking for orphans took {quickest:?}");

    let short = Scene::<OnPostgres>::new().await;
    let short_outbox = idle(&short).await;
    fill(&short, BEFORE, FILL, SHORT).await;
    Pace::of::<OnPostgres>(&outbox).await.must_be_near(Pace::of::<OnPostgres>(&short_outbox).await, rows, "PostgreSQL");
}
