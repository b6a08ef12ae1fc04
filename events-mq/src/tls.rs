//! How a connection is made safe: rustls, with ring, whatever else the process uses. Client libraries would take the process's default, and
//! end in a panic where two of them brought one each.

#[cfg(any(feature = "nats", feature = "rabbitmq"))]
use crate::ConnectError;
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::path::PathBuf;
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
use std::{path::Path, sync::Arc};

/// Whom we trust, and who we are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    /// By TLS or not at all, whatever the scheme of the address.
    pub(crate) required: bool,
    /// PEM files, besides the certificates of the machine.
    pub(crate) root_certificates: Vec<PathBuf>,
    /// PEM files: the certificate and its key.
    pub(crate) client_certificate: Option<(PathBuf, PathBuf)>,
}

#[cfg(any(feature = "nats", feature = "rabbitmq"))]
impl Tls {
    /// With all files read.
    pub(crate) fn config(&self) -> Result<ClientConfig, ConnectError> {
        let mut roots = RootCertStore::empty();
        // A machine without certificates of its own is no error here: those of the files may be enough.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for file in &self.root_certificates {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| unusable("`root_certificates`", file, &error))?;
            }
        }
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| ConnectError::Topology(format!("TLS cannot be used: {error}")))?.with_root_certificates(roots);
        match &self.client_certificate {
            None => Ok(config.with_no_client_auth()),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("`client_certificate`", key, &error))?;
                config.with_client_auth_cert(chain, secret).map_err(|error| unusable("`client_certificate`", certificate, &error))
            }
        }
    }
}

#[cfg(any(feature = "nats", feature = "rabbitmq"))]
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(unusable("a file of certificates", file, &"it holds none")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable("a file of certificates", file, &error)),
    }
}

#[cfg(any(feature = "nats", feature = "rabbitmq"))]
fn unusable(option: &'static str, file: &Path, why: &dyn std::fmt::Display) -> ConnectError {
    ConnectError::InvalidOption { option, value: format!("{} ({why})", file.display()), rule: "it must be a PEM file that can be read" }
}
