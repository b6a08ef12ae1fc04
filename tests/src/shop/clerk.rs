//! Enters what moved into the books, in the unit of work that settles the delivery.

use super::{Moved, Site, now, sale::advance};
use events_core::DeliveryError;
use events_sqlx::{Backend, UnitOfWork};

/// The state of the handler with a unit of work.
#[derive(Clone, Debug)]
pub struct Clerk {
    /// The number of this process.
    pub keeper: i64,
    /// How many keys there are.
    pub keys: i64,
}

impl Clerk {
    /// Writes the effect, and if the event echoes, one more fact with another key and its event.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enter<S: Site>(&self, event: Moved, uow: &mut UnitOfWork<S::Db>) -> Result<(), DeliveryError> {
        let (Moved { n, k, echoes }, keeper, at) = (event, self.keeper, now());
        let mut sql = format!("INSERT INTO effect (n, keeper, at_us) VALUES ({n}, {keeper}, {at})");
        if echoes {
            let other = (k + 1 + (n >> 8).rem_euclid(self.keys - 1)) % self.keys;
            let step = advance::<S>(uow.conn(), &[(other, 1)]).await?[0];
            sql += &format!("; INSERT INTO fact (n, k, step, keeper, at_us) VALUES ({}, {other}, {step}, {keeper}, {at})", n + 1);
            uow.publish(Moved { n: n + 1, k: other, echoes: false })?;
        }
        S::Db::execute(uow.conn(), sql).await?;
        Ok(())
    }
}
