//! Connections by TLS, with ring: the library would take whatever the process has chosen, and panic if it has not.

use crate::{ConnectError, options, tls::Tls};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// What makes connections safe, with all files read.
pub(super) fn connector(tls: &Tls) -> Result<TlsConnector, ConnectError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| options::invalid("TLS", error.to_string(), "it must be possible"))?
        .with_root_certificates(roots(tls)?);
    let config = match &tls.client_certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let rule = "it must be a PEM file with our private key";
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("`client_certificate`", key, &error, rule))?;
            let rule = "it must be a PEM file with our certificate, which belongs to the key";
            builder
                .with_client_auth_cert(certificates(certificate, "`client_certificate`")?, private)
                .map_err(|error| unusable("`client_certificate`", certificate, &error, rule))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(tls: &Tls) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    let machine = rustls_native_certs::load_native_certs();
    for error in &machine.errors {
        tracing::debug!(%error, "a certificate of this machine cannot be read");
    }
    // A certificate that rustls does not understand is one that it does not trust.
    roots.add_parsable_certificates(machine.certs);
    for file in &tls.root_certificates {
        for certificate in certificates(file, "`root_certificates`")? {
            let rule = "it must be a PEM file with certificates of authorities";
            roots.add(certificate).map_err(|error| unusable("`root_certificates`", file, &error, rule))?;
        }
    }
    Ok(roots)
}

fn certificates(file: &Path, option: &'static str) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let rule = "it must be a PEM file with certificates";
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unusable(option, file, &error, rule))?;
    if certificates.is_empty() {
        return Err(unusable(option, file, &"it holds none", rule));
    }
    Ok(certificates)
}

fn unusable(option: &'static str, file: &Path, error: &dyn std::fmt::Display, rule: &'static str) -> ConnectError {
    options::invalid(option, format!("{} ({error})", file.display()), rule)
}
