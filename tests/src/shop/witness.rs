//! Writes down every call of a handler, in a transaction that has nothing to do with any other.

use super::Site;
use events_core::{BoxFuture, DeliveryError};
use events_sqlx::Backend;
use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::Pool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Who was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The handler of events without a key.
    Ring = 1,
    /// The handler of events with a key.
    Track = 2,
    /// The handler of events with a key that takes a unit of work.
    Enter = 3,
}

/// The state of the handlers. Clones are one witness.
#[derive(Clone)]
pub struct Witness {
    keeper: i64,
    write: Arc<dyn Fn(String) -> BoxFuture<'static, sqlx::Result<()>> + Send + Sync>,
    luck: Arc<Mutex<StdRng>>,
    failures: f64,
}

impl Witness {
    /// One for the process `keeper`, in whose handlers a share of `failures` fails before anything is written down.
    #[must_use]
    pub fn of<S: Site>(pool: Pool<S::Db>, keeper: i64, failures: f64, seed: u64) -> Self {
        let write = move |sql| -> BoxFuture<'static, sqlx::Result<()>> {
            let pool = pool.clone();
            Box::pin(async move { S::Db::execute(&mut *pool.acquire().await?, sql).await })
        };
        Self { keeper, write: Arc::new(write), luck: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))), failures }
    }

    /// Writes down that `target` was told of the fact `n`, and does not rest until it is written.
    ///
    /// # Errors
    /// Bad luck.
    pub async fn tell(&self, target: Target, n: i64, attempt: u32) -> Result<(), DeliveryError> {
        let (unlucky, call) = {
            let mut luck = self.luck.lock().unwrap_or_else(PoisonError::into_inner);
            (luck.random_bool(self.failures), luck.random_range(1..i64::MAX))
        };
        if unlucky {
            return Err("bad luck".into());
        }
        let sql = format!(
            "INSERT INTO told (call_id, n, target, keeper, attempt, at_us) VALUES ({call}, {n}, {}, {}, {attempt}, {})",
            target as i64,
            self.keeper,
            now()
        );
        loop {
            match (self.write)(sql.clone()).await {
                Ok(()) => return Ok(()),
                // The answer to an earlier try was lost.
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => return Ok(()),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// Microseconds since 1970 by the clock of this machine, which all processes of a test share.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before 294441")
}
