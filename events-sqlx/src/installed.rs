//! Which outbox `UnitOfWork::run` uses: one per database system and process.

use crate::{Backend, Outbox};
use events_core::Error;
use std::sync::{PoisonError, RwLock};

/// The place of the installed outbox of one database system.
#[derive(Debug)]
pub struct Installed<DB: Backend>(RwLock<Option<Outbox<DB>>>);

impl<DB: Backend> Installed<DB> {
    pub(crate) const fn none() -> Self {
        Self(RwLock::new(None))
    }

    pub(crate) fn get(&self) -> Result<Outbox<DB>, Error> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::NotInstalled { database: DB::SYSTEM })
    }

    /// Installs `outbox`, and returns the one it took the place of.
    pub(crate) fn set(&self, outbox: Outbox<DB>, replace: bool) -> Result<Option<Outbox<DB>>, Error> {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if place.is_some() && !replace {
            return Err(Error::AlreadyInstalled { database: DB::SYSTEM });
        }
        Ok(place.replace(outbox))
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Uninstalls `outbox` if it is the one.
    pub(crate) fn clear(&self, outbox: &Outbox<DB>) {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if place.as_ref().is_some_and(|installed| installed.is(outbox)) {
            *place = None;
        }
    }
}
