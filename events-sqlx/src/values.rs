//! What the named parameters of a statement stand for.

use crate::backend::Backend;
use crate::statements::Statement;
use events_core::{DeliveryId, Lease};
use sqlx::error::BoxDynError;
use sqlx::types::Uuid;
use std::borrow::Cow;
use time::OffsetDateTime;

/// One value, as a database system binds it.
#[derive(Debug)]
pub enum Value<'a> {
    Int(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Id(Option<Uuid>),
    Bytes(Cow<'a, [u8]>),
    /// A time by the publisher's clock.
    Published(OffsetDateTime),
    /// A whole list, for systems that take it as one JSON text.
    List(&'a List),
    /// One column of a list, for systems that have arrays.
    Column(&'a Column),
}

/// Rows, column by column.
#[derive(Debug, Default)]
pub struct List(Vec<(&'static str, Column)>);

/// One column of a list.
#[derive(Debug)]
pub enum Column {
    Ids(Vec<Option<Uuid>>),
    Texts(Vec<Option<String>>),
    Ints(Vec<Option<i64>>),
    Bytes(Vec<Vec<u8>>),
    Published(Vec<OffsetDateTime>),
}

impl List {
    pub(crate) fn ids(mut self, name: &'static str, ids: impl IntoIterator<Item = Uuid>) -> Self {
        self.0.push((name, Column::Ids(ids.into_iter().map(Some).collect())));
        self
    }

    pub(crate) fn texts(mut self, name: &'static str, texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.push((name, Column::Texts(texts.into_iter().map(|text| Some(text.into())).collect())));
        self
    }

    pub(crate) fn ints(mut self, name: &'static str, ints: impl IntoIterator<Item = i64>) -> Self {
        self.0.push((name, Column::Ints(ints.into_iter().map(Some).collect())));
        self
    }

    pub(crate) fn column(mut self, name: &'static str, column: Column) -> Self {
        self.0.push((name, column));
        self
    }

    /// Leases: their ids and tokens.
    pub(crate) fn leases<'a>(leases: impl IntoIterator<Item = &'a Lease, IntoIter: Clone>) -> Self {
        let leases = leases.into_iter();
        Self::default().ids("id", leases.clone().map(|lease| lease.id.0)).ids("token", leases.map(|lease| lease.token.0))
    }

    /// Deliveries by their ids.
    pub(crate) fn deliveries(ids: &[DeliveryId]) -> Self {
        Self::default().ids("id", ids.iter().map(|id| id.0))
    }

    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    fn rows(&self) -> usize {
        self.0.first().map_or(0, |(_, column)| column.len())
    }

    /// A JSON array with one array per row; ids are hexadecimal. Payloads and times never come in lists of this kind.
    #[cfg(feature = "mysql")]
    pub(crate) fn json(&self) -> String {
        let rows = (0..self.rows()).map(|row| self.0.iter().map(|(_, column)| column.json(row)).collect::<Vec<_>>());
        serde_json::Value::from_iter(rows).to_string()
    }

    /// As `json`; but a row of nothing but ids is one text, each id 32 digits long, which SQLite reads in half the time.
    #[cfg(feature = "sqlite")]
    pub(crate) fn json_with_ids_as_texts(&self) -> String {
        use serde_json::Value as Json;
        if !self.0.iter().all(|(_, column)| matches!(column, Column::Ids(_))) {
            let rows = (0..self.rows()).map(|row| self.0.iter().map(|(_, column)| column.json(row)).collect::<Vec<_>>());
            return Json::from_iter(rows).to_string();
        }
        let mut hex = [0; uuid::fmt::Simple::LENGTH];
        let mut json = String::with_capacity(self.rows() * (self.0.len() * hex.len() + 3) + 2);
        json.push('[');
        for row in 0..self.rows() {
            json.push_str(if row > 0 { ",\"" } else { "\"" });
            for (_, column) in &self.0 {
                if let Column::Ids(ids) = column {
                    json.push_str(ids[row].unwrap_or_default().simple().encode_lower(&mut hex));
                }
            }
            json.push('"');
        }
        json.push(']');
        json
    }
}

impl Column {
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    fn len(&self) -> usize {
        match self {
            Self::Ids(ids) => ids.len(),
            Self::Texts(texts) => texts.len(),
            Self::Ints(ints) => ints.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Published(times) => times.len(),
        }
    }

    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Ids(ids) => ids[row].map(|id| id.simple().to_string()).into(),
            Self::Texts(texts) => texts[row].clone().into(),
            Self::Ints(ints) => ints[row].into(),
            Self::Bytes(_) | Self::Published(_) => serde_json::Value::Null,
        }
    }
}

/// Names with their values.
#[derive(Debug, Default)]
pub(crate) struct Values<'a>(Vec<(&'static str, Given<'a>)>);

#[derive(Debug)]
enum Given<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Id(Option<Uuid>),
    List(&'a List),
}

impl<'a> Values<'a> {
    pub(crate) fn list(name: &'static str, list: &'a List) -> Self {
        Self(vec![(name, Given::List(list))])
    }

    pub(crate) fn int(mut self, name: &'static str, value: impl Into<Option<i64>>) -> Self {
        self.0.push((name, Given::Int(value.into())));
        self
    }

    pub(crate) fn text(mut self, name: &'static str, value: impl Into<Option<&'a str>>) -> Self {
        self.0.push((name, Given::Text(value.into())));
        self
    }

    pub(crate) fn id(mut self, name: &'static str, value: impl Into<Option<Uuid>>) -> Self {
        self.0.push((name, Given::Id(value.into())));
        self
    }

    pub(crate) fn and_list(mut self, name: &'static str, list: &'a List) -> Self {
        self.0.push((name, Given::List(list)));
        self
    }

    /// The arguments of `statement`, in the order in which it names them. `now` is what the statement should take for now.
    pub(crate) fn arguments<DB: Backend>(&self, statement: &Statement, now: Option<i64>) -> sqlx::Result<DB::Arguments> {
        let mut arguments = DB::Arguments::default();
        for parameter in statement.parameters() {
            let (name, column) = parameter.split_once('.').map_or((&**parameter, None), |(name, column)| (name, Some(column)));
            let value = match self.0.iter().find(|(given, _)| *given == name).map(|(_, value)| value) {
                Some(Given::Int(value)) => Some(Value::Int(*value)),
                Some(Given::Text(value)) => Some(Value::Text(value.map(Cow::Borrowed))),
                Some(Given::Id(value)) => Some(Value::Id(*value)),
                Some(Given::List(list)) => match column {
                    None => Some(Value::List(list)),
                    Some(column) => list.0.iter().find(|(name, _)| *name == column).map(|(_, column)| Value::Column(column)),
                },
                None if name == "now" => Some(Value::Int(now)),
                None => None,
            };
            let value = value.ok_or_else(|| sqlx::Error::Protocol(format!("nothing was given for `:{parameter}`")))?;
            bind::<DB>(&mut arguments, value)?;
        }
        Ok(arguments)
    }
}

/// Adds one value to the arguments of a statement.
pub(crate) fn bind<DB: Backend>(arguments: &mut DB::Arguments, value: Value<'_>) -> sqlx::Result<()> {
    DB::bind(arguments, value).map_err(|error: BoxDynError| sqlx::Error::Encode(error))
}
