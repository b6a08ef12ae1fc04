//! The relay daemon: moves deliveries from the outboxes of one or many databases to a broker.

pub(crate) mod broker;
mod daemon;
mod members;
mod shared;

pub(crate) use daemon::run;
