//! The stream of events.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use futures_util::stream;

use super::Shared;
use super::reply::{Fault, to_json, with_type};
use crate::publish::metrics::Refused;
use crate::publish::{Event, Subscription};

/// Server-sent events, until the client or the daemon ends.
pub(super) async fn events(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Fault> {
    const TYPE: &str = "text/event-stream";
    if request.method() == Method::HEAD {
        return Ok(with_type(StatusCode::OK, TYPE, ()));
    }
    let most = shared.limits.subscribers;
    if shared.board.subscribers() >= most {
        let sentence = format!("{most} clients listen to events already, which is all that there is room for");
        return Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, Refused::Subscribers, sentence));
    }
    let seen = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let mut subscription = shared.board.subscribe(seen);
    // a new subscriber does not wait for the next one
    subscription.append(Event::private("status", &to_json(&shared.operator.status())));
    let heartbeat = shared.limits.heartbeat;
    let frames = stream::unfold(subscription, move |mut subscription: Subscription| async move {
        let frame = match tokio::time::timeout(heartbeat, subscription.next()).await {
            Ok(Some(event)) => Bytes::from_owner(Frame(event)),
            Ok(None) => return None,
            Err(_) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok::<_, std::convert::Infallible>(frame), subscription))
    });
    let mut response = with_type(StatusCode::OK, TYPE, Body::from_stream(frames));
    // a reverse proxy that buffers answers would delay events
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Shares the bytes of an event among its subscribers.
struct Frame(Arc<Event>);

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self.0.frame()
    }
}
