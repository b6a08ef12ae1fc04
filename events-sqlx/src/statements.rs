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

    /// `sql` with the schema's name and a dot where it says `{schema}`; quoted, because the name may be a word of the language.
    pub(crate) fn applied_to(&self, sql: &str) -> String {
        let qualifier = self.0.as_ref().map_or_else(String::new, |name| format!("\"{name}\"."));
        sql.replace("{schema}", &qualifier)
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("the connection's own schema"))
    }
}

/// One statement. It is made of a file of this crate and a validated identifier, of nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Statement(Arc<str>);

impl Statement {
    pub(crate) fn new(sql: &str, schema: &Schema) -> Self {
        Self(Arc::from(schema.applied_to(sql)))
    }

    /// The statement as sqlx takes it.
    pub(crate) fn sql(&self) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(Arc::clone(&self.0))
    }
}

/// Declares the statements of a database system: one field per file of `sql/<system>`, and in braces those made of several.
macro_rules! statements {
    ($folder:literal $({ $($made:ident: $type:ty),+ })?: $($name:ident),+ $(,)?) => {
        /// The statements of this database system.
        #[derive(Debug)]
        pub struct Statements {
            $(pub(crate) $name: $crate::statements::Statement,)+
            $($(pub(crate) $made: $type,)+)?
        }

        impl Statements {
            pub(crate) fn of(schema: &$crate::statements::Schema) -> Self {
                Self {
                    $($name: $crate::statements::Statement::new(
                        include_str!(concat!("../../sql/", $folder, "/", stringify!($name), ".sql")),
                        schema,
                    ),)+
                    $($($made: <$type>::of(schema),)+)?
                }
            }
        }
    };
}
pub(crate) use statements;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_part_of_sql() {
        for bad in ["", "a b", "Outbox", "1st", "a;drop table x", "a\"b", "é", &"x".repeat(64)] {
            assert!(Schema::named(bad).is_err(), "{bad}");
        }
        let schema = Schema::named("qmq_produce").unwrap();
        assert_eq!(schema.applied_to("SELECT 1 FROM {schema}outbox"), "SELECT 1 FROM \"qmq_produce\".outbox");
        assert_eq!(Schema::default().applied_to("{schema}outbox"), "outbox");
    }
}
