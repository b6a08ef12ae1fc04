//! The bank where transfers end: takes the money, or says why not.

use crate::{
    account,
    database::Database,
    events::{TransferCompleted, TransferRejected, TransferRequested},
};
use events_core::{DeliveryError, publish};
use events_sqlx::UnitOfWork;
use wire::Faults;

/// Puts the money into its account. The answer, whichever it is, is published in the same transaction: bank1 hears of it if and only if it
/// is true.
async fn requested<D: Database>(event: TransferRequested, faults: &Faults, uow: &mut UnitOfWork<D>) -> Result<(), DeliveryError> {
    let TransferRequested { transfer_id, from_account, to_account, amount_cents } = event;
    match account::credit::<D>(uow.conn(), transfer_id, to_account, amount_cents).await? {
        Ok(()) => publish(TransferCompleted { transfer_id, from_account })?,
        Err(unusable) => publish(TransferRejected { transfer_id, from_account, reason: unusable.as_str().to_owned() })?,
    };
    Ok(faults.strike()?)
}

/// The handlers name the unit of work of their database system. They are `manual`, because the other bank lives in this program too.
macro_rules! handlers {
    ($($database:ident)+) => {
        $(pub(crate) mod $database {
            use crate::events::TransferRequested;
            use events_core::{DeliveryError, State, subscribe};
            use events_sqlx::$database::UnitOfWork;
            use wire::Faults;

            #[subscribe(group = "bank2", manual)]
            pub(crate) async fn credit(
                event: TransferRequested,
                State(faults): State<Faults>,
                uow: &mut UnitOfWork,
            ) -> Result<(), DeliveryError> {
                super::requested(event, &faults, uow).await
            }
        })+
    };
}

handlers!(mysql postgres sqlite);
