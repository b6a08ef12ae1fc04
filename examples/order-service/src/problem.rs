//! Refusals as HTTP sees them: a status code and the reason as JSON.

use crate::{orders::OrderError, users::UserError};
use axum::{
    Json,
    extract::rejection::JsonRejection,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An answer that is not the one hoped for.
#[derive(Debug)]
pub(crate) struct Problem {
    code: StatusCode,
    reason: String,
}

impl Problem {
    pub(crate) fn new(code: StatusCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.code, Json(json!({ "error": self.reason }))).into_response()
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let code = match &error {
            OrderError::NotFound(_) => StatusCode::NOT_FOUND,
            OrderError::Conflict { .. } | OrderError::AlreadyPlaced(_) | OrderError::Credit(_) => StatusCode::CONFLICT,
            OrderError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            OrderError::Declined(_) => StatusCode::PAYMENT_REQUIRED,
            OrderError::Database(_) | OrderError::Outbox(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        let code = match &error {
            UserError::NotFound(_) => StatusCode::NOT_FOUND,
            UserError::Taken(_) => StatusCode::CONFLICT,
            UserError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            UserError::WrongPassword { .. } => StatusCode::UNAUTHORIZED,
            UserError::WrongCode | UserError::NotActivated(_) => StatusCode::FORBIDDEN,
            UserError::Locked(_) => StatusCode::LOCKED,
            UserError::Password(_) | UserError::Database(_) | UserError::Outbox(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<events_core::Error> for Problem {
    fn from(error: events_core::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl Problem {
    /// The details are for the log, not for strangers.
    fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on our side; the request may be repeated")
    }
}
