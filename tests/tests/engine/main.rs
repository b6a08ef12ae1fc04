//! What no store decides: phases, supervision, start-up checks, bad input. Shown on SQLite.
#![allow(clippy::unwrap_used)]

mod at_most_once;
mod bad_input;
mod bad_rows;
mod commit_unknown;
mod dead_letters;
mod full_disk;
mod leads;
mod overflow;
mod phases;
mod receipts;
mod start_up;
mod supervision;
mod two_phase;
