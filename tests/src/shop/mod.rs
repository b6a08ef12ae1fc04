//! A shop for the fault tests: processes that sell and tell, and books that say afterwards whether everything was told.
//!
//! Every fact that is committed is a row of `fact`, written in the transaction that publishes its event. Every call of a handler is a
//! row of `told`, written outside any unit of work, so that what is told twice is seen. What a handler does in a unit of work of its own
//! is a row of `effect`. Facts with a key carry the number that a counter had, whose row stays locked until COMMIT: the order of commits.

mod books;
mod clerk;
mod duplicates;
mod events;
mod keeper;
mod on_mariadb;
mod on_postgres;
mod on_sqlite;
mod orders;
mod recovery;
mod sale;
mod site;
mod stall;
mod witness;

pub use books::Books;
pub use clerk::Clerk;
pub use duplicates::{Blow, Duplicates};
pub use events::{Moved, Sold, ring, track};
pub use keeper::{Heard, Keeper};
pub use on_mariadb::{MariadbSite, enter_on_mariadb};
pub use on_postgres::{PostgresSite, enter_on_postgres};
pub use on_sqlite::{SqliteSite, enter_on_sqlite};
pub use orders::{Habits, Orders};
pub use recovery::Recoveries;
pub use sale::{Sale, Verdict};
pub use site::{Row, ServerSite, Site};
pub use stall::{Closed, Stall};
pub use witness::{Target, Witness, now};
