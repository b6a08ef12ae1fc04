//! Where the two databases are, and by which name the pair of banks is known.

use crate::{database::Database, role::Role};
use anyhow::{Context, bail, ensure};
use rand::{Rng, distr::Alphanumeric};
use sqlx::{MySql, Pool, Postgres, Sqlite, mysql::MySqlConnectOptions, postgres::PgConnectOptions};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The databases of both banks on one system.
pub(crate) struct Site<D: Database> {
    server: D::Server,
    /// What the names of the databases begin with; empty where they have a folder of their own.
    prefix: String,
    /// The name by which this pair is known at a broker that it may share with others.
    pub(crate) name: String,
    /// For people.
    pub(crate) place: String,
    /// Whether they were made for this run only.
    pub(crate) is_temporary: bool,
}

/// The site that `--database` names.
pub(crate) enum AnySite {
    Sqlite(Site<Sqlite>),
    Postgres(Site<Postgres>),
    MySql(Site<MySql>),
}

impl<D: Database> Site<D> {
    /// A pool on the database of `bank`.
    pub(crate) async fn open(&self, bank: &str) -> anyhow::Result<Pool<D>> {
        D::open(&self.server, &format!("{}{bank}", self.prefix)).await
    }

    /// Removes the databases of both banks, if they were made for this run only.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        for bank in Role::BOTH.map(Role::as_str) {
            if self.is_temporary {
                D::remove(&self.server, &format!("{}{bank}", self.prefix)).await?;
            }
        }
        Ok(())
    }

    fn on_server(server: D::Server, system: &str, database: Option<&str>) -> anyhow::Result<Self> {
        let name = database.map_or_else(new_name, str::to_owned);
        let is_plain = name.len() <= 40 && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_');
        ensure!(is_plain, "`{name}` cannot begin the names of two databases; use at most 40 lowercase letters, digits and `_`");
        let place = format!("{name}_bank1 and {name}_bank2 on {system}");
        Ok(Self { server, prefix: format!("{name}_"), name, place, is_temporary: database.is_none() })
    }
}

impl AnySite {
    /// What a user has written, such as `sqlite`, `sqlite:/tmp/banks`, or `postgres://shop@db/banks`.
    pub(crate) fn of(database: &str) -> anyhow::Result<Self> {
        // Only the scheme is repeated in errors: what follows may hold a password.
        Ok(match database.split_once(':') {
            None if database == "sqlite" => {
                let folder = tempfile::Builder::new().prefix("bank-transfer-").tempdir().context("creating a temporary folder")?;
                Self::Sqlite(in_folder(folder.keep(), true)?)
            }
            Some(("sqlite", folder)) if !folder.is_empty() => {
                fs::create_dir_all(folder).with_context(|| format!("creating the folder `{folder}` of `--database`"))?;
                Self::Sqlite(in_folder(folder.into(), false)?)
            }
            Some(("postgres" | "postgresql", _)) => {
                let options: PgConnectOptions = database.parse().context("`--database` is no URL of PostgreSQL")?;
                let named = options.get_database().map(str::to_owned);
                Self::Postgres(Site::on_server(options, "PostgreSQL", named.as_deref())?)
            }
            Some(("mysql" | "mariadb", _)) => {
                let options: MySqlConnectOptions = database.parse().context("`--database` is no URL of MySQL")?;
                let named = options.get_database().map(str::to_owned);
                Self::MySql(Site::on_server(options, "MySQL", named.as_deref())?)
            }
            _ => bail!("`--database` takes `sqlite`, `sqlite:FOLDER`, or a URL that begins with `postgres://` or `mysql://`"),
        })
    }
}

fn in_folder(folder: PathBuf, is_temporary: bool) -> anyhow::Result<Site<Sqlite>> {
    let name = name_of(&folder).with_context(|| format!("naming the banks in `{}`", folder.display()))?;
    Ok(Site { place: format!("bank1.db and bank2.db in {}", folder.display()), server: folder, prefix: String::new(), name, is_temporary })
}

/// The name in the file `name`. Of two processes that make it at once, one wins, and both read the same.
fn name_of(folder: &Path) -> io::Result<String> {
    let (file, draft) = (folder.join("name"), tempfile::NamedTempFile::new_in(folder)?);
    if !file.exists() {
        fs::write(draft.path(), new_name())?;
        match draft.persist_noclobber(&file) {
            Err(lost) if lost.error.kind() != io::ErrorKind::AlreadyExists => return Err(lost.error),
            _ => {}
        }
    }
    fs::read_to_string(file)
}

fn new_name() -> String {
    let random = rand::rng().sample_iter(Alphanumeric).take(10).map(|byte| char::from(byte).to_ascii_lowercase());
    "bank_transfer_".chars().chain(random).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(database: &str) -> String {
        AnySite::of(database).err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn what_is_no_database_is_refused_without_its_password() {
        for database in ["oracle://bank:s3cret@a", "", "sqlite:", "bank:s3cret@a"] {
            let said = refused(database);
            assert!(said.contains("`sqlite:FOLDER`") && !said.contains("s3cret"), "{database}: {said}");
        }
        assert!(refused("postgres://bank:s3cret@a/b-c").contains("`b-c` cannot begin"), "{}", refused("postgres://bank:s3cret@a/b-c"));
    }

    #[test]
    fn a_folder_keeps_its_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = name_of(folder.path()).expect("a name");
        assert_eq!(first, name_of(folder.path()).expect("a name"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "the draft is gone");
    }
}
