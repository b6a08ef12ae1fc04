//! What the server says when it refuses, and what is to be done about it.

use super::NAME;
use crate::{failure::Failure, receiving::one_line};
use ::redis::{ServerError, Value};

/// How these begin who will go on by themselves, or once somebody has attended to the whole server: no event is to blame.
const PASSING_BY_THE_SERVER: [&str; 10] =
    ["OOM", "READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "NOREPLICAS", "MISCONF", "TRYAGAIN", "BUSY", "NOAUTH"];

/// What a refusal means for `what` was to be done at `address`.
pub(super) fn meaning(address: &str, what: &str, error: &ServerError) -> Failure {
    let said = words(error);
    match error.code() {
        code if PASSING_BY_THE_SERVER.contains(&code) => Failure::away(format!("{NAME} at {address} does nothing for now: {said}")),
        "NOPERM" => Failure::hopeless(format!("{NAME} at {address} does not let this user do what is needed: {what}: {said}; grant it")),
        "WRONGTYPE" => Failure::hopeless(format!(
            "{what} cannot be done at {NAME} at {address}, because the key holds something else than a stream: {said}; choose another name, or \
             delete it"
        )),
        "MOVED" | "ASK" | "CROSSSLOT" => Failure::hopeless(format!(
            "{NAME} at {address} is a cluster, which is not supported: {what}: {said}; connect to a single server"
        )),
        _ if said.contains("unknown command") || said.contains("syntax error") => {
            Failure::hopeless(format!("{what} cannot be done at {NAME} at {address}: {said}; {NAME} 7.0 or later is needed"))
        }
        _ => Failure::passing(format!("{what} is refused by {NAME} at {address}: {said}")),
    }
}

/// The server's own words.
pub(super) fn words(error: &ServerError) -> String {
    one_line(&format!("{} {}", error.code(), error.details().unwrap_or_default()))
}

/// The reply, or what its refusal means.
pub(super) fn granted(address: &str, what: &str, reply: Value) -> Result<Value, Failure> {
    match reply {
        Value::ServerError(error) => Err(meaning(address, what, &error)),
        reply => Ok(reply),
    }
}

/// Text of a reply.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Okay => Some("OK"),
        _ => None,
    }
}

/// A number of a reply.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        value => text(value)?.parse().ok(),
    }
}

/// The elements of a list; nothing is an empty one.
pub(super) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    }
}

/// What stands after `name` in a list of names and values.
pub(super) fn property<'a>(list: &'a [Value], name: &str) -> Option<&'a Value> {
    list.chunks_exact(2).find(|pair| text(&pair[0]) == Some(name)).map(|pair| &pair[1])
}
