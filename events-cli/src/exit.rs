//! How the command ends, for scripts and monitors.

use std::process::ExitCode;

/// What an exit code means. The first four are those that monitors know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done; `doctor` found nothing.
    Ok = 0,
    /// It failed; `doctor` found something to look at.
    Failed = 1,
    /// The command line is wrong; `doctor` found something critical.
    Usage = 2,
    /// A database did not answer, so `doctor` knows nothing.
    Unknown = 3,
    /// There is no such event, dead letter or key.
    NotFound = 4,
    /// Nothing was done: nobody confirmed it.
    NotConfirmed = 5,
}

/// As `--help` says it.
pub(crate) const HELP: &str = "\
Exit codes:
  0  it was done; `doctor`: all is well
  1  it failed, and the message says why; `doctor`: somebody should look; `schema check`: a breaking change
  2  the command line is wrong; `doctor`: critical
  3  `doctor`: a database or broker did not answer
  4  there is no such event, dead letter or key
  5  nothing was done, because nobody confirmed it";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
