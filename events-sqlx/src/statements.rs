//! The SQL of one outbox, loaded from its files once, with the schema's name put in where a file says `{schema}`.

use events_core::BuildError;
use sqlx::AssertSqlSafe;
use std::{fmt, sync::Arc};

/// The longest name that every database takes.
const MAX_NAME: usize = 63;

/// Where the tables are: a schema (PostgreSQL) or database (MySQL) of the same server; by default that of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema(Option<String>);

impl Schema {
    /// A schema by name. The name becomes part of the SQL, so it must be a plain identifier.
    pub(crate) fn named(name: &str) -> Result<Self, BuildError> {
        let plain = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
        let starts_well = name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase());
        if name.len() > MAX_NAME || !starts_well || !name.chars().all(plain) {
            return Err(BuildError::InvalidOption {
                option: "the schema's name",
                value: format!("`{name}`"),
                rule: "it must be at most 63 lower-case ASCII letters, digits or `_`, and start with no digit",
            });
        }
        Ok(Self(Some(name.to_owned())))
    }

    /// The schema's name, if it is not that of the connection.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// `sql` with the schema's name and a dot where it says `{schema}`; quoted, because the name may be a word of the language.
    pub(crate) fn applied_to(&self, sql: &str, quote: char) -> String {
        let qualifier = self.0.as_ref().map_or_else(String::new, |name| format!("{quote}{name}{quote}."));
        sql.replace("{schema}", &qualifier)
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("the connection's own schema"))
    }
}

/// How a database system writes SQL, where that differs.
#[derive(Debug)]
pub struct Dialect {
    /// What stands around a name.
    pub quote: char,
    /// How parameters are marked.
    pub marks: Marks,
    /// What `{now}` stands for: the parameter `:now` if a test moves the clock, else the database's own time.
    pub now: &'static str,
    /// What `{micros}` stands for: the same in microseconds after the Unix epoch.
    pub micros: &'static str,
}

/// How a database system marks parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// `$1`, `$2`; one that is named twice is given once.
    Dollar,
    /// `?1`, `?2`; one that is named twice is given once.
    NumberedQuestion,
    /// `?`; one that is named twice is given twice.
    Question,
}

/// One statement. It is made of a file of this crate and a validated identifier, of nothing else.
#[derive(Clone, Debug)]
pub struct Statement {
    sql: Arc<str>,
    parameters: Arc<[Box<str>]>,
}

impl Statement {
    /// The statement of a file. `:name` is a parameter, `:name.column` the column of one that is a list; comments are left out.
    pub(crate) fn new(sql: &str, schema: &Schema, dialect: &Dialect) -> Self {
        let lines = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code).trim_end()).filter(|line| !line.is_empty());
        let sql = lines.collect::<Vec<_>>().join("\n").replace("{micros}", dialect.micros).replace("{now}", dialect.now);
        let (sql, parameters) = marked(&schema.applied_to(&sql, dialect.quote), dialect.marks);
        Self { sql: Arc::from(sql), parameters: Arc::from(parameters) }
    }

    /// The statement of a text that says `?` for each value. Has no parameters with names; values are given in their order.
    pub(crate) fn positional(sql: &str, schema: &Schema, dialect: &Dialect) -> Self {
        let statement = Self::new(sql, schema, dialect);
        if dialect.marks != Marks::Dollar {
            return statement;
        }
        let parts = statement.sql.split('?').enumerate();
        let sql: String = parts.map(|(n, part)| if n == 0 { part.to_owned() } else { format!("${n}{part}") }).collect();
        Self { sql: Arc::from(sql), ..statement }
    }

    /// The statement as text.
    #[cfg(feature = "test-kit")]
    pub(crate) fn text(&self) -> &str {
        &self.sql
    }

    /// The statement as sqlx takes it.
    pub(crate) fn sql(&self) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(Arc::clone(&self.sql))
    }

    /// The names of its parameters, in the order in which they are given.
    pub(crate) fn parameters(&self) -> &[Box<str>] {
        &self.parameters
    }

    /// Whether there is nothing to do: another statement of this system does it.
    pub(crate) fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }
}

/// Replaces `:name` by the marks of a database system. `::` is a cast.
fn marked(sql: &str, marks: Marks) -> (String, Vec<Box<str>>) {
    let (mut out, mut parameters) = (String::with_capacity(sql.len()), Vec::<Box<str>>::new());
    let mut rest = sql;
    while let Some(colon) = rest.find(':') {
        let (before, after) = (&rest[..colon], &rest[colon + 1..]);
        out.push_str(before);
        let length = after.find(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == '.')).unwrap_or(after.len());
        if length == 0 {
            let cast = after.len() - after.trim_start_matches(':').len();
            out.push_str(&rest[colon..=colon + cast]);
            rest = &after[cast..];
            if cast > 0 {
                // The name of a type follows.
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                out.push_str(&rest[..length]);
                rest = &rest[length..];
            }
            continue;
        }
        let name = &after[..length];
        let known = parameters.iter().position(|parameter| **parameter == *name).filter(|_| marks != Marks::Question);
        let number = known.unwrap_or_else(|| {
            parameters.push(Box::from(name));
            parameters.len() - 1
        }) + 1;
        match marks {
            Marks::Dollar => out.push_str(&format!("${number}")),
            Marks::NumberedQuestion => out.push_str(&format!("?{number}")),
            Marks::Question => out.push('?'),
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    (out, parameters)
}

/// Hands the names of the statements that every database system has, one per file of `sql/<system>`, to a macro.
macro_rules! for_all_statements {
    ($do:ident!($($before:tt)*)) => {
        $do! { $($before)*
            adopt, adopt_blocking, adopt_dead, adopt_keyed, adopt_keys, archived, audit, audit_insert, behind, blocked, blocking, cancel,
            cancellable, cancellable_locked, check_in, check_out, clock, count_dead, count_waiting, dead, dead_by_target, dead_delete,
            dead_lines, dead_of_event, dead_pass, depth, first, free_heads, identity, inbox_insert, indexes, lead, lead_first, leads,
            lines_after, lock_lines, lost, lower_lines, meta_exists, oldest_of_key, orphans, page_dead, page_dead_newest, page_of_key, page_of_target,
            page_waiting, processes, purge_archive, purge_inbox, purge_lines, purge_processes, purge_transactions, raise_lines,
            recount_lines, redrive_copy, remember, renew, resign, schema_version, set_schema_version, settle_archive, settle_dead,
            settle_delete, settings, settle_hand_back, settle_retry, size, status, status_of_key, stuck, targets, tx_ask, tx_claim, tx_give_up,
            tx_look, tx_record, waiting
        }
    };
}
pub(crate) use for_all_statements;

macro_rules! declare {
    ($($name:ident),+) => {
        /// The texts of the files.
        #[derive(Debug)]
        pub struct Sources { $(pub(crate) $name: &'static str,)+ }

        /// The statements that every database system has.
        #[derive(Debug)]
        pub(crate) struct Statements { $(pub(crate) $name: Statement,)+ }

        impl Statements {
            /// All of them, with the names of their files.
            #[cfg(feature = "test-kit")]
            pub(crate) fn named(&self) -> Vec<(&'static str, &Statement)> {
                vec![$((stringify!($name), &self.$name),)+]
            }

            pub(crate) fn of(sources: &Sources, schema: &Schema, dialect: &Dialect) -> Self {
                Self { $($name: Statement::new(sources.$name, schema, dialect),)+ }
            }
        }
    };
}
for_all_statements!(declare!());

/// The texts of the files in `sql/<system>`.
macro_rules! sources {
    ($folder:literal $($name:ident),+) => {
        $crate::statements::Sources { $($name: include_str!(concat!("../../sql/", $folder, "/", stringify!($name), ".sql")),)+ }
    };
}
pub(crate) use sources;

/// One statement of a file that only this system has.
macro_rules! own_statement {
    ($path:literal, $schema:expr, $dialect:expr) => {
        $crate::statements::Statement::new(include_str!(concat!("../../sql/", $path, ".sql")), $schema, $dialect)
    };
}
pub(crate) use own_statement;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_part_of_sql() {
        for bad in ["", "a b", "Outbox", "1st", "a;drop table x", "a\"b", "é", &"x".repeat(64)] {
            assert!(Schema::named(bad).is_err(), "{bad}");
        }
        let schema = Schema::named("qmq_produce").unwrap();
        assert_eq!(schema.applied_to("SELECT 1 FROM {schema}outbox", '"'), "SELECT 1 FROM \"qmq_produce\".outbox");
        assert_eq!(Schema::default().applied_to("{schema}outbox", '`'), "outbox");
    }

    #[test]
    fn parameters_have_names_and_casts_stay() {
        let sql = "SELECT :a::text, x -> ':', :list.id::uuid[] FROM t WHERE b = :b AND a = :a";
        let names = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect::<Vec<Box<str>>>();
        let dollar = "SELECT $1::text, x -> ':', $2::uuid[] FROM t WHERE b = $3 AND a = $1";
        assert_eq!(marked(sql, Marks::Dollar), (dollar.into(), names(&["a", "list.id", "b"])));
        let question = "SELECT ?::text, x -> ':', ?::uuid[] FROM t WHERE b = ? AND a = ?";
        assert_eq!(marked(sql, Marks::Question), (question.into(), names(&["a", "list.id", "b", "a"])));
    }
}
