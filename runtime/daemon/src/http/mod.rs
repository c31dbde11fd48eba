//! The HTTP interface: status, metrics, events and control, the same over TCP and over the local control socket.
//!
//! One thread serves all connections. No client holds up another: connections, requests, bodies and subscribers are
//! limited. Over TCP, changes need a token; the control socket is guarded by the mode of its file.

mod assets;
mod connection;
mod document;
mod events;
mod guard;
mod listen;
mod reply;
mod routes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

pub use document::{derive_document, document};
pub use listen::Listeners;
pub use routes::paths;

use crate::Operator;
use crate::publish::Board;
use crate::publish::metrics::{Metrics, Refused};
use assets::Assets;
use listen::{ConnectionLimits, Listening, Place};

/// What keeps one client from harming the others, or the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Within this time a whole header has to be there; a connection without a request is closed after it.
    pub header: Duration,
    /// Within this time a whole body has to be there.
    pub body: Duration,
    /// Longest body, bytes.
    pub body_bytes: usize,
    /// A connection whose other side takes nothing for this long is closed.
    pub stall: Duration,
    /// Connections at once over TCP.
    pub tcp_connections: usize,
    /// Connections at once over the control socket; they are counted apart, so that clients on the
    /// network cannot lock out those on this host.
    pub unix_connections: usize,
    /// Subscribers to events at once.
    pub subscribers: usize,
    /// After such a silence a subscriber gets a comment, so that both sides notice when the other one is gone.
    pub heartbeat: Duration,
    /// How often the status is posted while there are subscribers.
    pub status: Duration,
    /// Wait before the second attempt to bind an address; it doubles from there.
    pub retry: Duration,
    /// Longest wait between two attempts.
    pub retry_longest: Duration,
    /// How long requests under way may take to end when the server stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(5),
            body: Duration::from_secs(5),
            body_bytes: 16 << 10,
            stall: Duration::from_secs(30),
            tcp_connections: 128,
            unix_connections: 32,
            subscribers: 16,
            heartbeat: Duration::from_secs(15),
            status: Duration::from_secs(2),
            retry: Duration::from_secs(1),
            retry_longest: Duration::from_secs(60),
            grace: Duration::from_millis(500),
        }
    }
}

/// Where a [`Server`] listens, and its limits.
#[derive(Default)]
pub struct ServerOptions {
    /// Address and port to bind.
    pub tcp: Option<SocketAddr>,
    /// Path of the control socket to make.
    pub unix: Option<PathBuf>,
    /// Sockets that listen already (from systemd, say).
    pub activated_tcp: Vec<std::net::TcpListener>,
    /// Control sockets that listen already; their files are left in place at the end.
    pub activated_unix: Vec<std::os::unix::net::UnixListener>,
    /// Is told the address of each TCP port, once the server listens on it.
    pub on_listening: Option<Arc<dyn Fn(SocketAddr) + Send + Sync>>,
    /// The limits.
    pub limits: Limits,
    /// Where the server shows how its listeners are; keep a clone to see it.
    pub listeners: Listeners,
}

/// What every connection needs.
struct Shared {
    operator: Arc<dyn Operator>,
    board: Board,
    metrics: Arc<Metrics>,
    limits: Limits,
    assets: Assets,
}

impl Shared {
    /// Counts a refusal, and logs the first, second, fourth, eighth ... of its kind; `detail` must be escaped.
    fn refused(&self, cause: Refused, detail: &std::fmt::Arguments) {
        let count = self.metrics.refused(cause);
        if count.is_power_of_two() {
            // a mistake of a client is logged quietly; what may be an attack or a shortage is not
            let level = match cause {
                Refused::NotFound | Refused::Method | Refused::NotJson | Refused::Invalid | Refused::Busy => {
                    log::Level::Debug
                }
                _ => log::Level::Warn,
            };
            log::log!(level, "HTTP: refused ({}, {count} so far): {detail}", cause.name());
        }
    }
}

/// A running HTTP interface.
pub struct Server {
    board: Board,
    listeners: Listeners,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the thread `gaitd-http`. Addresses that cannot be bound now are tried again; [`Server::listeners`] shows
    /// it.
    ///
    /// # Errors
    /// When the system gives no thread or event queue, or a socket that was handed over cannot be used.
    pub fn start(
        options: ServerOptions,
        operator: Arc<dyn Operator>,
        board: Board,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let ServerOptions { tcp, unix, activated_tcp, activated_unix, on_listening, limits, listeners } = options;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            // for reloads and changes, which may take seconds
            .max_blocking_threads(2)
            .thread_name("gaitd-http-ask")
            .build()?;
        let entered = runtime.enter();
        let mut activated: Vec<_> =
            activated_tcp.into_iter().map(Listening::activated_tcp).collect::<std::io::Result<_>>()?;
        for listener in activated_unix {
            activated.push(Listening::activated_unix(listener)?);
        }
        let places = tcp.map(Place::Tcp).into_iter().chain(unix.map(Place::Unix)).collect();
        drop(entered);

        let shared = Arc::new(Shared { operator, board: board.clone(), metrics, limits, assets: Assets::new() });
        let connections = ConnectionLimits::new(Arc::clone(&shared));
        // the first attempts are made here, so that the server listens when this returns, where it can
        let bound = runtime.block_on(listen::bind_all(activated, places, on_listening, &listeners, &limits));
        let (stop, stopping) = watch::channel(false);
        let thread = std::thread::Builder::new().name("gaitd-http".to_owned()).spawn({
            let listeners = listeners.clone();
            move || {
                runtime.block_on(serve(bound, connections, shared, listeners, stopping));
                // requests that are still under way are abandoned
                runtime.shutdown_background();
            }
        })?;
        Ok(Self { board, listeners, stop, thread: Some(thread) })
    }

    /// How the listeners are; a clone shows later changes too.
    #[must_use]
    pub fn listeners(&self) -> Listeners {
        self.listeners.clone()
    }

    /// Posts `bye`, answers what is under way (for half a second at most), and ends the thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.board.post("bye", &reply::to_json(&gaitd_api::Bye::default()));
        self.stop.send_replace(true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("HTTP: the thread has panicked");
        }
    }
}

/// The thread `gaitd-http`.
async fn serve(
    bound: Vec<listen::Attempt>,
    connections: ConnectionLimits,
    shared: Arc<Shared>,
    listeners: Listeners,
    mut stopping: watch::Receiver<bool>,
) {
    let listening: Vec<_> = bound
        .into_iter()
        .map(|attempt| tokio::spawn(attempt.listen(connections.clone(), listeners.clone(), stopping.clone())))
        .collect();
    tokio::spawn(post_status(Arc::clone(&shared)));
    stopped(&mut stopping).await;
    for task in listening {
        // an error says that the task has panicked; the others go on
        let _ = task.await;
    }
    let _ = tokio::time::timeout(shared.limits.grace, connections.empty()).await;
}

/// Returns once the server has to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // an error says that the server is gone, and so has stopped
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Posts the status at intervals while there are subscribers.
async fn post_status(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.limits.status).await;
        if shared.board.subscribers() > 0 {
            shared.board.post("status", &reply::to_json(&shared.operator.status()));
        }
    }
}
