//! Invariant 18: what the relay runs costs what it returns, however much waits; here with 1,000,000 rows, or `PLAN_ROWS`.
#![allow(clippy::unwrap_used)]

mod backlog;
mod mysql;
mod pace;
mod postgres;
mod snapshot;
mod sqlite;
