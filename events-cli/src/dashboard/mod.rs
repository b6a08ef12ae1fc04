//! The dashboard.
use crate::args::{Global, Serve};
use crate::exit::Exit;
pub(crate) async fn serve(_global: &Global, _serve: &Serve) -> anyhow::Result<Exit> {
    Ok(Exit::Ok)
}
