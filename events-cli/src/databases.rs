//! The databases of a command, each with its console.

use crate::args::Global;
use crate::config::{Config, Named};
use anyhow::Context;
use events_sqlx::Console;

/// A database and what operates its outbox.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) console: Console,
}

impl Database {
    pub(crate) async fn connect(named: &Named) -> anyhow::Result<Self> {
        let console =
            Console::connect(&named.url, named.schema.as_deref()).await.with_context(|| format!("the database `{}`", named.name))?;
        Ok(Self { name: named.name.clone(), console })
    }
}

/// All databases that a command is about.
pub(crate) async fn connect(global: &Global) -> anyhow::Result<Vec<Database>> {
    let config = Config::read(global.config.as_deref())?;
    let mut databases = Vec::new();
    for named in &config.databases(global)? {
        databases.push(Database::connect(named).await?);
    }
    Ok(databases)
}

/// Who does it, as the audit will say: as given, or the user of this machine.
pub(crate) fn actor(global: &Global) -> String {
    let user = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".to_owned());
    global.actor.clone().unwrap_or_else(|| format!("{} (command line)", user()))
}
