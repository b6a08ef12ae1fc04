//! What an operator does, by the command and by the dashboard; what a stranger must not be able to do; and what happens when a relay dies.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod browser;
mod command;
mod daemon;
mod dashboard;
mod security;
mod shop;
mod size;
