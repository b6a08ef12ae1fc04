//! What a process tells about itself: metrics, spans and traces, and the files that read them.
#![allow(clippy::unwrap_used)]

mod counts;
mod deploy;
mod names;
mod prometheus;
mod recorder;
mod spans;
mod traces;
