//! The routes, and what answers them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::Shared;
use super::document::document;
use super::events::events;
use super::guard::{Peer, check_host, check_token, shown};
use super::reply::{Fault, json, with_type};
use crate::publish::metrics::Refused;
use crate::{Operator, Refusal};
use gaitd_api::Change;

type Shares = State<Arc<Shared>>;

/// Every path that has an answer of its own; the parts of the dashboard come beside them.
fn table() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    vec![
        ("/", get(asset)),
        ("/healthz", get(health)),
        ("/readyz", get(ready)),
        ("/metrics", get(metrics)),
        ("/api/status", get(|State(shared): Shares| async move { json(StatusCode::OK, &shared.operator.status()) })),
        (
            "/api/activities",
            get(|State(shared): Shares| async move { json(StatusCode::OK, &shared.operator.activities()) }),
        ),
        ("/api/config", get(|State(shared): Shares| async move { json(StatusCode::OK, &shared.operator.config()) })),
        ("/api/ladder", get(|State(shared): Shares| async move { json(StatusCode::OK, &shared.operator.ladder()) })),
        (
            "/api/control",
            get(|State(shared): Shares| async move { json(StatusCode::OK, &shared.operator.settings()) }).patch(change),
        ),
        ("/api/reload", post(reload)),
        ("/api/explain", get(explain)),
        ("/api/events", get(events)),
        ("/api/openapi.json", get(|| async { with_type(StatusCode::OK, "application/json", document()) })),
    ]
}

/// Every path that has an answer of its own, without the parts of the dashboard.
#[must_use]
pub fn paths() -> Vec<&'static str> {
    table().into_iter().map(|(path, _)| path).collect()
}

/// The routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    table()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .method_not_allowed_fallback(wrong_method)
        .fallback(asset)
        .with_state(shared)
}

/// Answers `request` from `peer`.
pub(super) async fn answer(router: Router, shared: Arc<Shared>, peer: Peer, mut request: Request) -> Response {
    use tower::ServiceExt;
    let (method, path) = (request.method().clone(), shown(request.uri().path()));
    let mut response = match check_host(&request, peer, || shared.operator.hosts()) {
        Ok(()) => {
            request.extensions_mut().insert(peer);
            let Ok(response) = router.oneshot(request).await;
            response
        }
        Err(fault) => fault.into_response(),
    };
    if let Some(Fault { status, cause, sentence }) = response.extensions_mut().remove::<Fault>() {
        let status = status.as_u16();
        shared.refused(cause, &format_args!("{method} {path} from {peer}: {status}, {}", shown(&sentence)));
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn health(State(shared): Shares) -> Response {
    let alive = shared.operator.alive();
    json(if alive.alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &alive)
}

async fn ready(State(shared): Shares) -> Response {
    let ready = shared.operator.ready();
    json(if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &ready)
}

async fn metrics(State(shared): Shares) -> Response {
    let text = shared.metrics.render(&shared.operator.status(), &shared.operator.activities(), shared.board.lost());
    with_type(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
}

async fn explain(State(shared): Shares) -> Result<Response, Fault> {
    let explanation = shared.operator.explain().ok_or_else(|| {
        let sentence = "no window has been decided yet; ask again when samples flow";
        Fault::new(StatusCode::NOT_FOUND, Refused::NotFound, sentence)
    })?;
    Ok(json(StatusCode::OK, &explanation))
}

async fn change(State(shared): Shares, request: Request) -> Result<Response, Fault> {
    authorise(&shared, &request)?;
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| {
        let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
    });
    if !is_json {
        let sentence = "a change has to be JSON, with the header \"Content-Type: application/json\"";
        return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Refused::NotJson, sentence));
    }
    let text = body(request.into_body(), shared.limits.body_bytes, shared.limits.body).await?;
    let change = Change::parse(&text)?;
    let settings = run_blocking(&shared, move |operator| operator.change(&change)).await?;
    Ok(json(StatusCode::OK, &settings))
}

async fn reload(State(shared): Shares, request: Request) -> Result<Response, Fault> {
    authorise(&shared, &request)?;
    let reloaded = run_blocking(&shared, |operator| operator.reload()).await?;
    Ok(json(StatusCode::OK, &reloaded))
}

/// A part of the dashboard, or nothing.
async fn asset(State(shared): Shares, request: Request) -> Result<Response, Fault> {
    let path = request.uri().path();
    let found = shared.assets.answer(path, request.headers());
    match (found, request.method()) {
        (Some(response), &(Method::GET | Method::HEAD)) => Ok(response),
        (Some(_), _) => {
            let allow = [(header::ALLOW, HeaderValue::from_static("GET,HEAD"))];
            Ok((allow, wrong_method(request).await).into_response())
        }
        (None, _) => {
            let sentence =
                format!("there is nothing at {}; GET /api/openapi.json describes what there is", shown(path));
            Err(Fault::new(StatusCode::NOT_FOUND, Refused::NotFound, sentence))
        }
    }
}

async fn wrong_method(request: Request) -> Fault {
    let (path, method) = (shown(request.uri().path()), shown(request.method().as_str()));
    let sentence = format!("{path} does not know the method {method}; the header Allow names those that it knows");
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, Refused::Method, sentence)
}

fn authorise(shared: &Shared, request: &Request) -> Result<(), Fault> {
    // every request has a peer; one without would not be trusted
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(NOWHERE);
    check_token(request.headers(), peer, || shared.operator.token())
}

const NOWHERE: Peer = Peer::Network {
    local: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
    remote: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
};

/// Reads a body of at most `most` bytes within the time `within`.
async fn body(body: Body, most: usize, within: Duration) -> Result<Bytes, Fault> {
    match tokio::time::timeout(within, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let sentence = format!("the body is longer than {most} bytes, the most that is taken");
            Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, Refused::TooLarge, sentence))
        }
        Ok(Err(_)) => {
            let sentence = "the body broke off or is not what its header says";
            Err(Fault::new(StatusCode::BAD_REQUEST, Refused::Malformed, sentence))
        }
        Err(_) => {
            let sentence = format!("the body did not come within {} s", within.as_secs_f64());
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, Refused::TooSlow, sentence))
        }
    }
}

/// Runs `question`, which may take seconds, off the thread that serves all connections.
async fn run_blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    question: impl FnOnce(&dyn Operator) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Fault> {
    let operator = Arc::clone(&shared.operator);
    match tokio::task::spawn_blocking(move || question(&*operator)).await {
        Ok(answer) => Ok(answer?),
        Err(error) => {
            log::error!("HTTP: {error}");
            let sentence = "gaitd has failed while doing this; its log says more";
            Err(Fault::new(StatusCode::INTERNAL_SERVER_ERROR, Refused::Internal, sentence))
        }
    }
}
