//! The style and the script: parts of this program, never of somebody else's server.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};

const CSS: &str = include_str!("../../assets/outbox.css");
const JS: &str = include_str!("../../assets/outbox.js");

type Asset = ([(HeaderName, &'static str); 2], &'static str);

pub(super) async fn css() -> Asset {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], CSS)
}

pub(super) async fn js() -> Asset {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], JS)
}
