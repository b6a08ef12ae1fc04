//! The bank where transfers begin: hears what became of them.

use crate::{
    account,
    database::Database,
    events::{TransferCompleted, TransferRejected},
    transfer::{self, State, Transfer},
};
use events_core::DeliveryError;
use events_sqlx::UnitOfWork;
use wire::Faults;

/// Ends a transfer that bank2 has taken.
async fn completed<D: Database>(event: TransferCompleted, faults: &Faults, uow: &mut UnitOfWork<D>) -> Result<(), DeliveryError> {
    end(event.transfer_id, State::Completed, uow).await?;
    Ok(faults.strike()?)
}

/// Compensates a transfer that bank2 could not take: the money goes back to where it came from, as our own books say.
async fn rejected<D: Database>(event: TransferRejected, faults: &Faults, uow: &mut UnitOfWork<D>) -> Result<(), DeliveryError> {
    let Transfer { transfer_id, from_account, amount_cents, .. } = end(event.transfer_id, State::Rejected, uow).await?;
    if let Err(unusable) = account::credit::<D>(uow.conn(), transfer_id, from_account, amount_cents).await? {
        let why = unusable.as_str();
        return Err(DeliveryError::terminal(format!(
            "the money of transfer {transfer_id} cannot go back to account {from_account}: {why}"
        )));
    }
    Ok(faults.strike()?)
}

async fn end<D: Database>(transfer_id: i64, state: State, uow: &mut UnitOfWork<D>) -> Result<Transfer, DeliveryError> {
    transfer::end::<D>(uow.conn(), transfer_id, state)
        .await?
        // The inbox lets no event through twice, so this is an answer that nobody waits for. Somebody must look at it.
        .ok_or_else(|| DeliveryError::terminal(format!("transfer {transfer_id} waits for no answer, but one came: {}", state.as_str())))
}

/// The handlers name the unit of work of their database system. They are `manual`, because the other bank lives in this program too.
macro_rules! handlers {
    ($($database:ident)+) => {
        $(pub(crate) mod $database {
            use crate::{
                events::{TransferCompleted, TransferRejected},
            };
            use events_core::{DeliveryError, State, subscribe};
            use events_sqlx::$database::UnitOfWork;
            use wire::Faults;

            #[subscribe(group = "bank1", manual)]
            pub(crate) async fn complete(
                event: TransferCompleted,
                State(faults): State<Faults>,
                uow: &mut UnitOfWork,
            ) -> Result<(), DeliveryError> {
                super::completed(event, &faults, uow).await
            }

            #[subscribe(group = "bank1", manual)]
            pub(crate) async fn give_back(
                event: TransferRejected,
                State(faults): State<Faults>,
                uow: &mut UnitOfWork,
            ) -> Result<(), DeliveryError> {
                super::rejected(event, &faults, uow).await
            }
        })+
    };
}

handlers!(mysql postgres sqlite);
