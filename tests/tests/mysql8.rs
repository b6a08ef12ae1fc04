//! The tests run on MariaDB. This keeps words and constructs out of the statements that MySQL 8 refuses, or takes in another sense.
//! `scripts/check-mysql8` asks MySQL's own grammar.
#![allow(clippy::unwrap_used)]

use events_tests::{OnMySql, Scene, events::note};

const MIGRATION: &str = include_str!("../../events-sqlx/migrations/mysql/0001_outbox.sql");

/// What must not be in a statement, in capitals and with single spaces, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("RETURNING", "MySQL returns nothing from a change; read before, under a lock"),
    ("SEQUENCE", "MySQL has no sequences"),
    ("NEXTVAL", "MySQL has no sequences"),
    ("NEXT VALUE FOR", "MySQL has no sequences"),
    ("ADD COLUMN IF NOT EXISTS", "MySQL knows no condition on a column"),
    ("DROP COLUMN IF EXISTS", "MySQL knows no condition on a column"),
    ("INDEX IF NOT EXISTS", "MySQL knows no condition on an index"),
    ("INDEX IF EXISTS", "MySQL knows no condition on an index"),
    ("OR REPLACE TABLE", "MySQL replaces views only"),
    ("VALUES", "as a function it is deprecated in MySQL 8; name the column of what is inserted"),
    ("VALUE (", "MySQL knows only VALUES"),
    ("WAIT", "MySQL waits as long as innodb_lock_wait_timeout says; use NOWAIT or SKIP LOCKED"),
    ("ROWS EXAMINED", "MySQL limits rows that are returned, not rows that are read"),
    ("SET STATEMENT", "MySQL sets variables for a session or by the hint SET_VAR"),
    ("UUID", "MySQL has no type of this name; use BINARY(16)"),
    ("INET6", "MySQL has no type of this name"),
    ("NOW", "the session's time zone decides; use UTC_TIMESTAMP(6)"),
    ("CURRENT_TIMESTAMP", "the session's time zone decides; use UTC_TIMESTAMP(6)"),
    ("UNIX_TIMESTAMP", "the session's time zone decides; use TIMESTAMPDIFF from 1970"),
    ("FULL OUTER", "neither has it"),
    ("MINUS", "MySQL has no MINUS; use NOT EXISTS"),
    ("EXECUTE IMMEDIATE", "MySQL prepares by name"),
    ("SYSTEM VERSIONING", "MySQL has none"),
    ("COMPRESSED", "MySQL compresses tables, not columns"),
    ("JSON_DETAILED", "MySQL calls it JSON_PRETTY"),
    ("JSON_EXISTS", "MySQL calls it JSON_CONTAINS_PATH"),
    ("ENGINE = ARIA", "MySQL has no such engine"),
];

/// Names that MySQL 8 reserves and MariaDB does not: in backticks or not at all.
const RESERVED: &[&str] = &[
    "KEY",
    "CUBE",
    "CUME_DIST",
    "DENSE_RANK",
    "EMPTY",
    "FIRST_VALUE",
    "FUNCTION",
    "GROUPING",
    "GROUPS",
    "INTERSECT",
    "LAG",
    "LAST_VALUE",
    "LATERAL",
    "LEAD",
    "MANUAL",
    "NTH_VALUE",
    "NTILE",
    "OF",
    "OVER",
    "PARALLEL",
    "PERCENT_RANK",
    "QUALIFY",
    "RANK",
    "ROW",
    "ROWS",
    "ROW_NUMBER",
    "SYSTEM",
    "TABLESAMPLE",
    "WINDOW",
];

/// Where one of them is a word of the language.
const LANGUAGE: &[&str] = &["PRIMARY KEY", "DUPLICATE KEY"];

/// A statement in capitals, words apart, without comments, quoted names and texts.
fn words(sql: &str) -> Vec<String> {
    let sql: Vec<_> = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect();
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in sql.join("\n").to_uppercase().chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '`' || c == '"' => {
                quote = Some(c);
                words.push("QUOTED".into());
                words.push(String::new());
            }
            None if c.is_alphanumeric() || c == '_' => words.last_mut().unwrap().push(c),
            None => {
                if !c.is_whitespace() {
                    words.push(c.to_string());
                }
                words.push(String::new());
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What MySQL 8 would not take of a statement.
fn complaints(sql: &str) -> Vec<String> {
    let words = words(sql);
    let text = format!(" {} ", words.join(" "));
    let has = |what: &str| text.contains(&format!(" {what} "));
    // In an INSERT, VALUES may begin the rows.
    let values = words.iter().position(|word| word == "VALUES");
    let begins_rows =
        values.is_some_and(|at| words[0] == "INSERT" && words[at - 1] == ")" && !words[..at].iter().any(|word| word == "DUPLICATE"));
    let rows = words.iter().filter(|word| *word == "VALUES").count();
    let mut found: Vec<_> = FORBIDDEN
        .iter()
        .filter(|(what, _)| has(what) && !(*what == "VALUES" && begins_rows && rows == 1))
        .map(|(what, why)| format!("{what}: {why}"))
        .collect();
    let language = LANGUAGE.iter().fold(text.clone(), |text, known| text.replace(known, "WORD"));
    found.extend(RESERVED.iter().filter(|name| language.contains(&format!(" {name} "))).map(|name| format!("{name}: reserved in MySQL 8")));
    // `DELETE FROM t` and `UPDATE t` change one table; all else is a join, which takes no LIMIT and no ORDER BY.
    let joins = (words[0] == "DELETE" && words[1] != "FROM") || (words[0] == "UPDATE" && words.iter().any(|word| word.ends_with("JOIN")));
    let mut depth = 0;
    for word in &words {
        depth += i32::from(word == "(") - i32::from(word == ")");
        if joins && depth == 0 && (word == "LIMIT" || word == "ORDER") {
            found.push(format!("{word}: MySQL takes none in a change of joined tables"));
        }
    }
    found
}

#[tokio::test]
async fn no_statement_for_mysql_has_what_mysql_8_refuses() {
    let scene = Scene::<OnMySql>::new().await;
    let outbox = scene.process().await.handler::<note>().start_idle().await.unwrap();
    let mut statements: Vec<_> = outbox.statements().into_iter().map(|(name, sql)| (name.to_owned(), sql)).collect();
    assert!(statements.len() > 30);
    let migration: Vec<_> = MIGRATION.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect();
    let parts = migration.join("\n").replace("{schema}", "");
    statements.extend(parts.split(';').filter(|part| !part.trim().is_empty()).map(|part| ("the migration".to_owned(), part.to_owned())));
    let refused: Vec<_> = statements
        .iter()
        .flat_map(|(name, sql)| complaints(sql).into_iter().map(move |complaint| format!("{name}: {complaint}")))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn what_mysql_8_refuses_is_found() {
    for bad in [
        "INSERT INTO t (a) VALUES (?) RETURNING a",
        "DELETE FROM t WHERE a = 1 RETURNING a",
        "CREATE SEQUENCE s",
        "SELECT NEXTVAL(s)",
        "SELECT key FROM t",
        "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)",
        "INSERT INTO t (a) SELECT 1 ON DUPLICATE KEY UPDATE a = VALUES (a)",
        "DELETE d FROM t AS d LIMIT 1",
        "UPDATE t AS a STRAIGHT_JOIN u AS b ON a.x = b.x SET a.y = 1 ORDER BY a.x",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT",
        "SELECT a FROM t FOR UPDATE WAIT 5",
        "SELECT a AS rank FROM t",
    ] {
        assert!(!complaints(bad).is_empty(), "{bad}");
    }
    for good in [
        "INSERT INTO t (`key`) VALUES (?, 'RETURNING') -- RETURNING",
        "DELETE a FROM (SELECT id FROM t ORDER BY id LIMIT 1) AS c STRAIGHT_JOIN t AS a ON a.id = c.id",
        "DELETE FROM t ORDER BY a LIMIT 1",
        "SELECT a FROM t FOR UPDATE SKIP LOCKED",
    ] {
        assert_eq!(complaints(good), Vec::<String>::new(), "{good}");
    }
}
