//! `outbox list`.

use super::{announce, title};
use crate::args::{Filter, Global, Page, State};
use crate::databases::Database;
use crate::exit::Exit;
use crate::output::{self, Table, moment, short};
use crate::view::Row;
use anyhow::bail;

pub(crate) async fn run(
    databases: &[Database],
    filter: &Filter,
    state: Option<State>,
    page: &Page,
    global: &Global,
) -> anyhow::Result<Exit> {
    if databases.len() > 1 && page.after.is_some() {
        bail!("`--after` goes on in one database; name it with `--only`");
    }
    let filter = filter.filter().limit(page.limit);
    let filter = state.map_or(filter.clone(), |state| filter.state(state.into()));
    for database in databases {
        let mut found = database.console.waiting(&filter, page.after).await?;
        // A filter that takes little finds nothing in many a page.
        while let (true, Some(next)) = (found.rows.is_empty(), found.next) {
            found = database.console.waiting(&filter, Some(next)).await?;
        }
        if global.json {
            for row in &found.rows {
                output::json_row(&Row { database: title(databases, database), ..Row::waiting(row) })?;
            }
        } else {
            announce(databases, database)?;
            let mut table = Table::new(&["delivery", "target", "topic", "key", "published", "state", "until", "failed", "last error"]);
            for row in found.rows.iter().map(Row::waiting) {
                table.row([
                    row.id.clone(),
                    row.target.clone(),
                    row.topic.clone().unwrap_or_else(|| "?".into()),
                    row.key.clone().unwrap_or_else(|| "-".into()),
                    row.published_at.map_or_else(|| "?".into(), moment),
                    row.state.to_owned(),
                    row.at.map_or_else(|| "-".into(), moment),
                    row.attempts.to_string(),
                    short(row.last_error(), 60),
                ]);
            }
            table.print_or("nothing waits that is meant")?;
            if let Some(next) = found.next {
                output::line(format!("\nthere may be more: add `--after {next}`"))?;
            }
        }
    }
    Ok(Exit::Ok)
}
