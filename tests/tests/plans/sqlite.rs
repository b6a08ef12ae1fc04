//! Invariant 18: what the scanner runs costs what it returns, however much waits; here with 1,000,000 rows.

use events_core::{LeaseToken, Outcome, RelayOptions};
use events_tests::events::note;
use events_tests::{OnSqlite, Scene};
use sqlx::{AssertSqlSafe, Row, SqlitePool};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A million deliveries: ten targets, half of them keyed and behind their key, some leased, some due, most waiting for their time.
async fn a_million_rows(scene: &Scene<OnSqlite>) -> SqlitePool {
    use events_tests::Harness;
    let pool = scene.harness.connect().await;
    let mut conn = pool.acquire().await.unwrap();
    let fill = "
        PRAGMA cache_size = -200000;
        BEGIN;
        WITH RECURSIVE row (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM row WHERE n < 1000000)
        INSERT INTO outbox (id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at,
          visible_at, lease_token)
        SELECT unhex(printf('%032x', n)), unhex(printf('%032x', n)), CASE n % 10 WHEN 0 THEN 'note' ELSE 'target_' || (n % 10) END,
          'test.noted', 1, CASE WHEN n % 2 THEN 'key_' || (n % 50000) END, CASE WHEN n % 2 THEN n END, CAST('{\"n\":1}' AS BLOB), 'application/json', '/',
          '{}', 0,
          CASE WHEN n % 2 AND n > 50000 THEN NULL WHEN n % 20 = 0 THEN n ELSE 99999999999999 + n END,
          CASE WHEN n % 7 = 0 THEN randomblob(16) END
        FROM row;
        INSERT INTO outbox_key (key, target, seq, pending)
        SELECT key, target, 1000000, count(*) FROM outbox WHERE key IS NOT NULL GROUP BY key, target;
        WITH RECURSIVE row (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM row WHERE n < 100000)
        INSERT INTO outbox_archive (id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, archived_at)
        SELECT unhex(printf('%032x', n)), unhex(printf('%032x', n)), 'note', 'test.noted', 1, x'7b7d', 'application/json', '/', '{}', 0, n
        FROM row;
        COMMIT;";
    sqlx::raw_sql(fill).execute(&mut *conn).await.unwrap();
    drop(conn);
    pool
}

async fn plan(pool: &SqlitePool, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(pool).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

fn is_full_scan(step: &str) -> bool {
    // `SCAN o`, `SCAN outbox USING INDEX ..`: every row of a table or of its index. Scans of JSON arrays and of common table
    // expressions walk over what the statement was given.
    step.strip_prefix("SCAN ").is_some_and(|what| {
        let table = what.split(' ').next().unwrap_or_default();
        ["o", "outbox", "earlier", "d", "k", "outbox_key", "outbox_dead", "outbox_archive", "inbox", "outbox_tx"].contains(&table)
    })
}

// Invariant 18.
#[tokio::test]
async fn at_a_million_rows_every_statement_of_the_relay_uses_its_index() {
    let scene = Scene::<OnSqlite>::new().await;
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).handler::<note>().start_idle().await.unwrap();
    let pool = a_million_rows(&scene).await;

    let by_id = "sqlite_autoindex_outbox_1 (id=?)";
    let of_line = "SEARCH k USING PRIMARY KEY (key=? AND target=?)";
    let uses = [
        // Every look of the scanner.
        ("due_targets", "outbox_due"),
        ("lease", "outbox_due"),
        ("lease", "SEARCH earlier USING COVERING INDEX outbox_of_key"),
        // The heartbeat and the settler.
        ("renew", by_id),
        ("lost", by_id),
        ("settle_delete", by_id),
        ("settle_archive", by_id),
        ("settle_retry", by_id),
        ("settle_hand_back", by_id),
        ("remember", by_id),
        ("settle_dead", by_id),
        ("lower_lines", "SEARCH outbox_key USING PRIMARY KEY (key=?"),
        ("free_heads", of_line),
        ("free_heads", "outbox_of_key (key=? AND target=?)"),
        // Every commit with events.
        ("append", ""),
        ("raise_lines", ""),
        ("lines", of_line),
        // Maintenance.
        ("lines_after", "SEARCH k USING PRIMARY KEY ((key,target)>(?,?))"),
        ("lines_after", "SEARCH o USING INDEX outbox_of_key (key=? AND target=?)"),
        ("purge_lines", "SEARCH outbox_key USING PRIMARY KEY (key=?"),
        ("recount_lines", "SEARCH o USING COVERING INDEX outbox_of_key (key=? AND target=?)"),
        ("purge_archive", "outbox_archive_age (archived_at<?)"),
        ("purge_inbox", "inbox_age (handled_at<?)"),
        ("purge_transactions", "outbox_tx_age (created_at<?)"),
        // Every commit with a two-phase transport, and every question of its broker.
        ("tx_claim", "SEARCH outbox_tx USING PRIMARY KEY (tx_id=?)"),
        ("tx_look", "SEARCH outbox_tx USING PRIMARY KEY (tx_id=?)"),
        ("tx_give_up", "SEARCH outbox_tx USING PRIMARY KEY (tx_id=?)"),
        // By hand, or when a handler was renamed.
        ("redrive_copy", "sqlite_autoindex_outbox_dead_1 (id=?)"),
        ("dead_lines", "sqlite_autoindex_outbox_dead_1 (id=?)"),
        ("dead_delete", "sqlite_autoindex_outbox_dead_1 (id=?)"),
        ("adopt", "outbox_due (target=?"),
        ("adopt_keyed", "outbox_of_key (key=? AND target=?)"),
        ("adopt_blocking", "outbox_dead_of_line (key=? AND target=?)"),
        ("adopt_dead", "outbox_dead_of_target (target=?)"),
    ];
    let statements = outbox.statements();
    let statement = |name: &str| statements.iter().find(|(known, _)| *known == name).map(|(_, sql)| sql.clone()).unwrap();
    // The choice must not depend on whether somebody has run ANALYZE.
    for analyze in ["SELECT 1", "ANALYZE"] {
        sqlx::raw_sql(analyze).execute(&pool).await.unwrap();
        for (name, index) in &uses {
            let plan = plan(&pool, &statement(name)).await;
            assert!(index.is_empty() || plan.iter().any(|step| step.contains(index)), "{name} does not use {index}: {plan:#?}");
            assert!(!plan.iter().any(|step| is_full_scan(step)), "{name} scans a table: {plan:#?}");
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{name} sorts: {plan:#?}");
            assert!(!plan.iter().any(|step| step.contains("AUTOMATIC")), "{name} makes an index for itself: {plan:#?}");
        }
    }

    // Maintenance hops from target to target, and does not walk over the backlog of those it knows; only an orphan is counted row by row.
    let plan = plan(&pool, &statement("orphans")).await;
    assert!(plan.iter().filter(|step| step.contains("outbox_due")).count() >= 2, "{plan:#?}");
    let begun_orphans = Instant::now();
    let known: Vec<Arc<str>> = (0..10).map(|n| if n == 0 { "note".into() } else { format!("target_{n}").into() }).collect();
    assert!(outbox.store().orphans(&known).await.unwrap().is_empty());
    assert!(begun_orphans.elapsed() < Duration::from_secs(1), "looking for orphans took {:?}", begun_orphans.elapsed());

    // And it is quick: what a bad plan would read a million rows for takes seconds, not milliseconds.
    let begun = Instant::now();
    let leased = Scene::<OnSqlite>::lease(&outbox, "note", 1_000, Duration::from_secs(30)).await;
    let settlements: Vec<_> = leased.iter().map(|delivery| Scene::<OnSqlite>::settlement(delivery, Outcome::Delivered)).collect();
    outbox.store().settle(&settlements).await.unwrap();
    let stale = events_core::Lease { token: LeaseToken::fresh(), ..leased[0].lease };
    assert_eq!(outbox.store().renew(&[stale], Duration::from_secs(30)).await.unwrap(), [stale.id]);
    assert_eq!(leased.len(), 1_000);
    assert!(begun.elapsed() < Duration::from_secs(2), "leasing and settling 1,000 of 1,000,000 took {:?}", begun.elapsed());
}
