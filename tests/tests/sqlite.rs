//! SQLite keeps the contract of every store.

use events_tests::OnSqlite;

events_tests::store_conformance!(OnSqlite);
