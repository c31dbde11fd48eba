//! Answers in JSON, and the one form that all errors have.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::Refusal;
use crate::publish::metrics::Refused;
use gaitd_api::{ChangeError, ErrorView};

/// `value` as JSON; plain values of numbers and texts always have such a form.
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| {
        log::error!("HTTP: an answer has no form in JSON: {error}");
        b"null".to_vec()
    })
}

/// An answer that is JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    with_type(status, "application/json", to_json(value))
}

/// An answer of that type, not to be cached.
pub(super) fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    pub(super) cause: Refused,
    /// What is wrong and what to do.
    pub(super) sentence: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, cause: Refused, sentence: impl Into<String>) -> Self {
        Self { status, cause, sentence: sentence.into() }
    }
}

impl From<ChangeError> for Fault {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Syntax { .. } | ChangeError::Empty => {
                Self::new(StatusCode::BAD_REQUEST, Refused::NotJson, error.to_string())
            }
            ChangeError::OutOfRange(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, Refused::Invalid, error.to_string())
            }
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(sentence) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, Refused::Invalid, sentence),
            Refusal::Busy(sentence) => Self::new(StatusCode::CONFLICT, Refused::Busy, sentence),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &ErrorView { error: self.sentence.clone() });
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"gaitd\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        // the sender of the response counts it
        response.extensions_mut().insert(self);
        response
    }
}
