//! The HTTP interface: status, metrics, events and control, the same over TCP and over the local control socket.
//!
//! One thread serves it all. Nothing that a client does holds up anybody else: every connection, request, body and
//! subscriber has its limit, and the daemon only ever hands over values. Over TCP, changes need a token; on the socket
//! the file's mode is the guard.

mod assets;
mod connection;
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

pub use listen::Listeners;
pub use routes::{DOCUMENT, paths};

use crate::Operator;
use crate::publish::Board;
use crate::publish::metrics::{Metrics, Refused};
use assets::Assets;
use listen::{Listening, Place, Rooms};

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
    /// Connections at once over the control socket; they have room of their own so that nobody on the network can lock
    /// out who is on this host.
    pub unix_connections: usize,
    /// Subscribers to events at once.
    pub subscribers: usize,
    /// After such a silence a subscriber gets a comment, so that both sides notice when the other one is gone.
    pub heartbeat: Duration,
    /// How often the status is posted while somebody subscribes.
    pub status: Duration,
    /// Wait before the second attempt to bind an address; it doubles from there.
    pub retry: Duration,
    /// Longest wait between two attempts.
    pub retry_longest: Duration,
    /// What is under way when the server stops may take this long to end.
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
#[derive(Debug, Default)]
pub struct ServerOptions {
    /// Address and port to bind.
    pub tcp: Option<SocketAddr>,
    /// Path of the control socket to make.
    pub unix: Option<PathBuf>,
    /// Sockets that listen already (from systemd, say).
    pub activated_tcp: Vec<std::net::TcpListener>,
    /// Control sockets that listen already; their files are left in place at the end.
    pub activated_unix: Vec<std::os::unix::net::UnixListener>,
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
    /// Counts a refusal, and tells the first, second, fourth, eighth ... of its kind; `detail` must be escaped.
    fn refused(&self, cause: Refused, detail: &std::fmt::Arguments) {
        let count = self.metrics.refused(cause);
        if count.is_power_of_two() {
            // a client's slip is nothing to worry about; what may be an attack or a lack is
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
        let ServerOptions { tcp, unix, activated_tcp, activated_unix, limits, listeners } = options;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            // for reloads and other changes, which may take their time
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
        let rooms = Rooms::new(Arc::clone(&shared));
        // the first attempts are made here, so that whoever can listen does when this returns
        let bound = runtime.block_on(listen::bind_all(activated, places, &listeners, &limits));
        let (stop, stopping) = watch::channel(false);
        let thread = std::thread::Builder::new().name("gaitd-http".to_owned()).spawn({
            let listeners = listeners.clone();
            move || {
                runtime.block_on(serve(bound, rooms, shared, listeners, stopping));
                // whatever is still under way is not waited for
                runtime.shutdown_background();
            }
        })?;
        Ok(Self { board, listeners, stop, thread: Some(thread) })
    }

    /// How the listeners are; clones see what happens later as well.
    #[must_use]
    pub fn listeners(&self) -> Listeners {
        self.listeners.clone()
    }

    /// Says goodbye to subscribers, answers what is under way (for half a second at most), and ends the thread.
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

/// All that the thread does.
async fn serve(
    bound: Vec<listen::Attempt>,
    rooms: Rooms,
    shared: Arc<Shared>,
    listeners: Listeners,
    mut stopping: watch::Receiver<bool>,
) {
    let listening: Vec<_> = bound
        .into_iter()
        .map(|attempt| tokio::spawn(attempt.listen(rooms.clone(), listeners.clone(), stopping.clone())))
        .collect();
    tokio::spawn(post_status(Arc::clone(&shared)));
    stopped(&mut stopping).await;
    for task in listening {
        // an error says that it has panicked; the others go on
        let _ = task.await;
    }
    let _ = tokio::time::timeout(shared.limits.grace, rooms.empty()).await;
}

/// Returns once the server has to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // an error says that the server is gone, which is as good as stopped
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Posts the status time and again while somebody wants it.
async fn post_status(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.limits.status).await;
        if shared.board.subscribers() > 0 {
            shared.board.post("status", &reply::to_json(&shared.operator.status()));
        }
    }
}
