//! Rules for options that every broker has.

use crate::ConnectError;
use std::time::Duration;

/// A transport's name.
pub(crate) fn name(name: &str) -> Result<(), ConnectError> {
    if name.is_empty() {
        return Err(invalid("`name`", "empty", "a transport needs one"));
    }
    Ok(())
}

/// Time limits.
pub(crate) fn timeouts(timeouts: &[(&'static str, Duration)]) -> Result<(), ConnectError> {
    match timeouts.iter().find(|(_, timeout)| timeout.is_zero()) {
        Some((option, _)) => Err(invalid(option, "0", "nothing can be done in no time")),
        None => Ok(()),
    }
}

/// An option that cannot have that value.
pub(crate) fn invalid(option: &'static str, value: impl Into<String>, rule: &'static str) -> ConnectError {
    ConnectError::InvalidOption { option, value: value.into(), rule }
}
