//! One connection, from its acceptance to its end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::future::{Either, select};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use super::guard::Peer;
use super::routes::answer;
use super::{Shared, stopped};
use crate::publish::metrics::Refused;

/// Headers of one request.
const HEADERS: usize = 64;
/// Their length together, and that of the request line, bytes.
const HEADER_BYTES: usize = 16 << 10;

/// The bytes of a connection.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Refuses the connection at once, without waiting for anything.
    pub(super) fn refuse(self) {
        const BODY: &str = r#"{"error":"there are too many connections; close some, or try again later"}"#;
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Retry-After: 5\r\nConnection: close\r\n\r\n{BODY}",
            BODY.len(),
        );
        let mut request = [0; 1024];
        // the other side may be gone already; unless its request is read, it may not see the answer
        let _ = match self {
            Self::Tcp(stream) => stream.try_write(answer.as_bytes()).and_then(|_| stream.try_read(&mut request)),
            Self::Unix(stream) => stream.try_write(answer.as_bytes()).and_then(|_| stream.try_read(&mut request)),
        };
    }
}

/// Serves a connection until it ends, or the daemon does.
pub(super) async fn serve(
    stream: Stream,
    peer: Peer,
    shared: Arc<Shared>,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let limits = shared.limits;
    let service = service_fn({
        let shared = Arc::clone(&shared);
        move |request: hyper::Request<Incoming>| {
            let answered = answer(router.clone(), Arc::clone(&shared), peer, request.map(Body::new));
            async { Ok::<_, std::convert::Infallible>(answered.await) }
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_headers(HEADERS)
        .max_header_size(HEADER_BYTES)
        .max_buf_size(2 * HEADER_BYTES)
        .serve_connection(TokioIo::new(StallGuard::new(stream, limits.stall)), service);
    let stop = std::pin::pin!(stopped(&mut stopping));
    let outcome = match select(&mut connection, stop).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let Err(error) = outcome else { return };
    if error.is_parse_too_large() {
        shared.refused(Refused::TooLarge, &format_args!("a header of {peer} is too large"));
    } else if error.is_parse() {
        shared.refused(Refused::Malformed, &format_args!("what {peer} sent is not HTTP"));
    } else if error.is_timeout() {
        let parts = connection.into_parts();
        // a connection without any request is no slow request
        if !parts.read_buf.is_empty() {
            shared.refused(Refused::TooSlow, &format_args!("a header of {peer} did not come to its end in time"));
            let mut stream = parts.io.into_inner();
            // the other side may be gone, or read nothing
            let _ = stream
                .write_all(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .await;
        }
    } else if is_stalled(&error) {
        shared.refused(Refused::Stalled, &format_args!("{peer} did not take what it had asked for"));
    }
    // every other error is a client that went away
}

/// Whether `error` comes from [`StallGuard`].
fn is_stalled(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        source = cause.source();
    }
    false
}

/// A stream whose other side has to read: once it reads nothing for too long, writing fails.
struct StallGuard {
    stream: Stream,
    longest: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl StallGuard {
    fn new(stream: Stream, longest: Duration) -> Self {
        Self { stream, longest, stalled: None }
    }

    fn watched<T>(&mut self, cx: &mut Context, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let until = || Box::pin(tokio::time::sleep_until(Instant::now() + self.longest));
        ready!(self.stalled.get_or_insert_with(until).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for StallGuard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        self.watched(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        let flushed = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        };
        self.watched(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        slices: &[io::IoSlice],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        };
        self.watched(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
