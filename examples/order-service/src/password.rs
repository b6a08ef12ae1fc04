//! Passwords are kept as Argon2 hashes. Both directions are slow on purpose, and so on threads of their own.

use argon2::{
    Argon2,
    password_hash::{Error, PasswordHash, PasswordHasher, PasswordVerifier, SaltString, rand_core::OsRng},
};

/// A hash could not be made or read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PasswordError(String);

pub(crate) async fn hash(word: String) -> Result<String, PasswordError> {
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(word.as_bytes(), &SaltString::generate(&mut OsRng)).map(|hash| hash.to_string())
    });
    hashed.await.map_err(PasswordError::of)?.map_err(PasswordError::of)
}

pub(crate) async fn is_right(word: String, hash: String) -> Result<bool, PasswordError> {
    let checked =
        tokio::task::spawn_blocking(move || match Argon2::default().verify_password(word.as_bytes(), &PasswordHash::new(&hash)?) {
            Ok(()) => Ok(true),
            Err(Error::Password) => Ok(false),
            Err(error) => Err(error),
        });
    checked.await.map_err(PasswordError::of)?.map_err(PasswordError::of)
}

impl PasswordError {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}
