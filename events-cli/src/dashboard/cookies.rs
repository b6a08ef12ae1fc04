//! Cookies: read and written.

use super::page::Visit;
use axum::http::header::{COOKIE, HeaderMap};

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// What sets a cookie for so many seconds; only this site's pages get it back, and no script.
pub(super) fn set(visit: &Visit, name: &str, value: &str, seconds: i64) -> String {
    let secure = if visit.is_https { "; Secure" } else { "" };
    format!("{name}={value}; Path={}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}", visit.home())
}
