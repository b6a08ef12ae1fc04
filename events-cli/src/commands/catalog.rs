//! `outbox catalog` and `outbox schema`.

use crate::args::{CatalogFormat, Schema};
use crate::exit::Exit;

pub(crate) fn print(_format: CatalogFormat, _title: &str, _json: bool) -> anyhow::Result<Exit> {
    Ok(Exit::Ok)
}

pub(crate) fn schema(_action: &Schema, _json: bool) -> anyhow::Result<Exit> {
    Ok(Exit::Ok)
}
