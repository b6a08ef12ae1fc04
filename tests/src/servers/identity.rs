//! What a server shows to prove who it is.

use super::binaries::{is_root, run};
use std::path::{Path, PathBuf};
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

/// A certificate and its key, as PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Identity {
    /// Writes both into `folder`, for nobody's eyes but those of `user`.
    pub(super) fn write_to(&self, folder: &Path, user: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        fs::write(&certificate, &self.certificate).unwrap();
        fs::write(&key, &self.key).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        if is_root() {
            run(Command::new("chown").arg(user).args([&certificate, &key]), Path::new(""));
        }
        (certificate, key)
    }
}
