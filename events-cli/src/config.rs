//! The configuration file.

use crate::args::Global;
use anyhow::{Context, bail};
use events_core::{PayloadKey, PayloadKeys};
use serde::Deserialize;
use std::{collections::BTreeSet, env, fs, path::Path};

/// What the file may say. Unknown words are errors: a misspelt limit is no limit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The databases.
    #[serde(rename = "database")]
    pub(crate) databases: Vec<Database>,
    /// The broker that `outbox relay` relays to.
    pub(crate) broker: Option<Broker>,
    /// Limits of `outbox relay`.
    pub(crate) relay: Relay,
    /// The keys of encrypted payloads, the current one first: brokers get payloads in clear.
    #[serde(rename = "payload_key")]
    pub(crate) payload_keys: Vec<Key>,
}

/// A key of the file. The key itself is in the environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) id: String,
    /// The environment variable that has the key, as base64 of 32 bytes.
    pub(crate) key_env: String,
}

/// A database of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) name: Option<String>,
    pub(crate) url: Option<String>,
    /// The environment variable that has the URL, so that no password is in the file.
    pub(crate) url_env: Option<String>,
    pub(crate) schema: Option<String>,
}

/// A broker of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Broker {
    pub(crate) url: Option<String>,
    pub(crate) url_env: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) destination: Option<String>,
    /// The environment variable that has the secret of a webhook.
    pub(crate) secret_env: Option<String>,
}

/// Limits, as `30s` or `500ms`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Relay {
    pub(crate) lease: Option<String>,
    pub(crate) poll: Option<String>,
    pub(crate) batch: Option<usize>,
}

/// A database, by a name that no other one has.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) schema: Option<String>,
}

impl Config {
    /// Reads the file that the command line names, if it names one.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("`{}` is no configuration", path.display()))
    }

    /// The keys of encrypted payloads, if there are any.
    pub(crate) fn payload_keys(&self) -> anyhow::Result<Option<PayloadKeys>> {
        let mut keys: Option<PayloadKeys> = None;
        for Key { id, key_env } in &self.payload_keys {
            let text = env::var(key_env).with_context(|| format!("the payload key `{id}` is taken from `{key_env}`, which is not set"))?;
            let key = PayloadKey::from_base64(text.trim()).with_context(|| format!("the payload key `{id}` in `{key_env}`"))?;
            keys = Some(match keys {
                None => PayloadKeys::new(id.clone(), key),
                Some(keys) => keys.and_old(id.clone(), key),
            });
        }
        Ok(keys)
    }

    /// The databases of the command line or, if it names none, of the file.
    pub(crate) fn databases(&self, global: &Global) -> anyhow::Result<Vec<Named>> {
        let mut found = Vec::new();
        if global.database_url.is_empty() {
            for database in &self.databases {
                let url = secret(database.url.as_deref(), database.url_env.as_deref(), "a `[[database]]`")?;
                let schema = database.schema.clone().or_else(|| global.schema.clone());
                found.push((database.name.clone(), url, schema));
            }
        } else {
            for given in &global.database_url {
                let (name, url) = match given.split_once('=') {
                    // A `=` behind the scheme belongs to the URL.
                    Some((name, url)) if !name.contains(':') => (Some(name.to_owned()), url),
                    _ => (None, &**given),
                };
                found.push((name, url.to_owned(), global.schema.clone()));
            }
        }
        if found.is_empty() {
            bail!("no database was named; say `--database-url postgres://..`, set DATABASE_URL, or name one in the file of `--config`");
        }
        let mut taken = BTreeSet::new();
        let named = found.into_iter().map(|(name, url, schema)| {
            let plain = name.clone().unwrap_or_else(|| name_of(&url));
            if name.is_some() && taken.contains(&plain) {
                bail!("two databases have the name `{plain}`; give one another name");
            }
            let mut unique = plain.clone();
            for n in 2.. {
                if taken.insert(unique.clone()) {
                    break;
                }
                unique = format!("{plain}-{n}");
            }
            Ok(Named { name: unique, url, schema })
        });
        let named: Vec<Named> = named.collect::<anyhow::Result<_>>()?;
        if let Some(unknown) = global.only.iter().find(|only| !named.iter().any(|database| database.name == **only)) {
            let names: Vec<&str> = named.iter().map(|database| &*database.name).collect();
            bail!("there is no database `{unknown}`; there are {}", names.join(", "));
        }
        Ok(named.into_iter().filter(|database| global.only.is_empty() || global.only.contains(&database.name)).collect())
    }
}

/// A value that may be in the environment instead.
pub(crate) fn secret(value: Option<&str>, variable: Option<&str>, of: &str) -> anyhow::Result<String> {
    match (value, variable) {
        (Some(value), None) => Ok(value.to_owned()),
        (None, Some(variable)) => env::var(variable).with_context(|| format!("{of} takes its URL from `{variable}`, which is not set")),
        (None, None) => bail!("{of} needs `url` or `url_env`"),
        (Some(_), Some(_)) => bail!("{of} has `url` and `url_env`; leave out one of them"),
    }
}

/// The name of a database without one: that of its file or database, never anything of user and password.
fn name_of(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = match path.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path.split_once(':').map_or("", |(_, path)| path),
    };
    let name = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".db").or_else(|| name.strip_suffix(".sqlite")).unwrap_or(name);
    if name.is_empty() { "outbox".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(urls: &[&str]) -> Global {
        Global {
            database_url: urls.iter().map(ToString::to_string).collect(),
            schema: None,
            config: None,
            only: Vec::new(),
            json: false,
            actor: None,
        }
    }

    #[test]
    fn databases_have_names_without_their_passwords() {
        let names = |urls: &[&str]| -> Vec<String> {
            Config::default().databases(&global(urls)).unwrap().into_iter().map(|database| database.name).collect()
        };
        assert_eq!(names(&["postgres://li:s3cret@db/shop?sslmode=require", "postgres://other/shop"]), ["shop", "shop-2"]);
        assert_eq!(names(&["sqlite:data/tickets.db", "sqlite:///var/x.sqlite", "mysql://root:a%40b@h"]), ["tickets", "x", "outbox"]);
        assert_eq!(names(&["a=postgres://db/shop?options=x=y", "b=sqlite:b.db"]), ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_with_the_databases_is_said() {
        let said = |config: &str, global: &Global| {
            let config: Config = toml::from_str(config).unwrap();
            config.databases(global).map(|_| ()).unwrap_err().to_string()
        };
        assert!(said("", &global(&[])).contains("--database-url"));
        assert!(said("", &global(&["a=sqlite:a", "a=sqlite:b"])).contains("name `a`"));
        assert!(said("[[database]]\nname = \"a\"", &global(&[])).contains("url_env"));
        assert!(said("[[database]]\nurl_env = \"NOBODY_SET_THIS\"", &global(&[])).contains("NOBODY_SET_THIS"));
        let mut only = global(&["sqlite:a.db"]);
        only.only = vec!["b".into()];
        assert!(said("", &only).contains("there are a"));
        let unknown = toml::from_str::<Config>("[relay]\nleese = \"3s\"").unwrap_err().to_string();
        assert!(unknown.contains("leese") && unknown.contains("lease"), "{unknown}");
    }
}
