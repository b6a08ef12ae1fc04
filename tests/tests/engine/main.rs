//! What no store decides: phases, supervision, start-up checks, bad input. Shown on SQLite.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod bad_rows;
mod commit_unknown;
mod full_disk;
mod phases;
mod plans;
mod start_up;
mod supervision;
