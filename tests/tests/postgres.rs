//! PostgreSQL keeps the contract of every store.

use events_tests::OnPostgres;

events_tests::store_conformance!(OnPostgres);
