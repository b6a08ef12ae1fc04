//! How a connection by https is made safe: by rustls with ring, whatever else the process has.

use crate::{ConnectError, options};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use std::{path::PathBuf, sync::Arc};

/// Trusts the certificates of the machine, and those of the PEM files.
pub(super) fn config(root_certificates: &[PathBuf], is_needed: bool) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for file in root_certificates {
        let unfit = |reason: String| {
            options::invalid("`root_certificates`", format!("{file:?} ({reason})"), "it must be a PEM file with at least one certificate")
        };
        let read = CertificateDer::pem_file_iter(file).map_err(|error| unfit(error.to_string()))?;
        let mut count = 0;
        for certificate in read {
            let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
            roots.add(certificate).map_err(|error| unfit(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(unfit("there is none".to_owned()));
        }
    }
    if roots.is_empty() && is_needed {
        return Err(options::invalid(
            "the list of trusted certificates",
            "empty",
            "the machine must have some, or name `root_certificates`",
        ));
    }
    let unusable = |error: rustls::Error| ConnectError::Topology(format!("TLS cannot be set up: {error}"));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    Ok(config.map_err(unusable)?.with_root_certificates(roots).with_no_client_auth())
}
