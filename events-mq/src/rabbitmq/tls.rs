//! How a connection is made safe.

use crate::{ConnectError, tls::Tls};
use lapin::tcp::RustlsConnector;
use std::sync::Arc;

/// Reads the certificates, once; a file that cannot be read is found out before anybody connects.
pub(super) fn connector(tls: &Tls) -> Result<RustlsConnector, ConnectError> {
    Ok(Arc::new(tls.config()?).into())
}
