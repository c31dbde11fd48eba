//! Listeners: binding addresses and control sockets, again where that fails, and accepting connections.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use futures_util::future::{Either, select};
use rustix::fs::{FlockOperation, Mode};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket, UnixStream};
use tokio::sync::{Semaphore, watch};

use super::connection::{Stream, serve};
use super::guard::Peer;
use super::routes::router;
use super::{Limits, Shared, stopped};
use crate::interfaces::OnListening;
use crate::publish::metrics::Refused;
use gaitd_api::{ListenerState, ListenerView};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;
/// The control socket is for its owner and their group.
const SOCKET_MODE: u32 = 0o660;
/// Within this time a connection to the socket of a live daemon succeeds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// First and longest pause after a connection could not be accepted.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How the listeners are; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Arc<Mutex<Vec<ListenerView>>>);

impl Listeners {
    /// One entry per address or path.
    #[must_use]
    pub fn views(&self) -> Vec<ListenerView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes room for one more, to be set.
    fn add(&self) -> usize {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        views.push(ListenerView { address: String::new(), state: ListenerState::Retrying, detail: None });
        views.len() - 1
    }

    fn set(&self, index: usize, view: ListenerView) {
        if let Some(entry) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *entry = view;
        }
    }
}

/// Something to listen on.
pub(super) enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Place {
    async fn bind(&self) -> io::Result<Listening> {
        match self {
            Self::Tcp(address) => bind_tcp(*address),
            Self::Unix(path) => bind_unix(path).await,
        }
    }

    /// The address or path as asked for.
    fn name(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => path.display().to_string(),
        }
    }
}

/// A socket that takes connections.
pub(super) enum Listening {
    Tcp(TcpListener),
    /// With the file to remove at the end, if it is ours.
    Unix(UnixListener, #[expect(dead_code, reason = "it removes the file when it is dropped")] Option<SocketFile>),
}

impl Listening {
    /// A TCP socket that listens already.
    pub(super) fn activated_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)?))
    }

    /// A Unix socket that listens already; its file stays at the end.
    pub(super) fn activated_unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(listener)?, None))
    }

    fn name(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "TCP".to_owned(), |address| address.to_string())
            }
            Self::Unix(listener, _) => listener
                .local_addr()
                .ok()
                .and_then(|address| address.as_pathname().map(|path| path.display().to_string()))
                .unwrap_or_else(|| "a socket without a name".to_owned()),
        }
    }

    /// The next connection; one whose other side takes nothing for `vanished` milliseconds is closed.
    async fn accept(&self, vanished: u32) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                let local = stream.local_addr()?.ip();
                // events are sent at once, and not collected into larger packets
                let _ = stream.set_nodelay(true);
                // a peer that has vanished (no power, no radio) acknowledges nothing
                let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, vanished);
                Ok((Stream::Tcp(stream), Peer::Network { local, remote: remote.ip() }))
            }
            Self::Unix(listener, _) => Ok((Stream::Unix(listener.accept().await?.0), Peer::Local)),
        }
    }
}

/// The file of a socket that this process has made; goes with it.
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let lock = lock_folder(&self.path);
        // another daemon may have made its socket there by now
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            log::warn!("HTTP: cannot remove the control socket {}: {error}", self.path.display());
        }
        drop(lock);
    }
}

/// Keeps other daemons from making or removing a socket in the same folder meanwhile, where the file system can lock.
fn lock_folder(path: &Path) -> io::Result<Option<fs::File>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(folder) = fs::File::open(folder) else { return Ok(None) };
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(folder)),
        Err(Errno::WOULDBLOCK) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another daemon makes or removes a socket there just now"))
        }
        Err(_) => Ok(None),
    }
}

async fn bind_unix(path: &Path) -> io::Result<Listening> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let _lock = lock_folder(path)?;
    let listener = match open_unix(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path).await?;
            open_unix(path)?
        }
        outcome => outcome?,
    };
    let made = fs::symlink_metadata(path)?;
    Ok(Listening::Unix(listener, Some(SocketFile { path: path.to_owned(), device: made.dev(), inode: made.ino() })))
}

fn open_unix(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    // Linux makes the file with the mode of the socket less the umask, so that it never is more open than this ...
    rustix::fs::fchmod(socket.as_fd(), Mode::from_raw_mode(SOCKET_MODE))?;
    socket.bind(path)?;
    // ... and the group gets in even where the umask is against it
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)
}

/// Removes a socket that no process listens on.
async fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::other("there is a file of that name which is no socket; move it away"));
    }
    match tokio::time::timeout(PROBE_TIMEOUT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process listens there; stop it, or name another path",
        )),
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listening> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // lingering connections of an earlier daemon do not keep this one from binding
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(Listening::Tcp(socket.listen(BACKLOG)?))
}

/// A place, and the result of the latest attempt to listen there.
pub(super) struct Attempt {
    /// Nothing for a socket that was handed over: it listens, or nothing does.
    place: Option<Place>,
    /// Its number among the listeners that are shown.
    index: usize,
    outcome: io::Result<Listening>,
    on_listening: Option<OnListening>,
    retry: Duration,
    longest: Duration,
    /// The latest cause that was logged.
    logged: Option<String>,
}

/// Takes the sockets that listen already, and makes the first attempt at every place.
pub(super) async fn bind_all(
    activated: Vec<Listening>,
    places: Vec<Place>,
    on_listening: Option<OnListening>,
    listeners: &Listeners,
    limits: &Limits,
) -> Vec<Attempt> {
    let mut bound: Vec<_> = activated.into_iter().map(|listening| (None, Ok(listening))).collect();
    for place in places {
        let outcome = place.bind().await;
        bound.push((Some(place), outcome));
    }
    let attempt = |(place, outcome)| {
        let (retry, longest) = (limits.retry, limits.retry_longest);
        let index = listeners.add();
        let on_listening = on_listening.clone();
        let mut attempt = Attempt { place, index, outcome, on_listening, retry, longest, logged: None };
        attempt.show(listeners);
        attempt
    };
    bound.into_iter().map(attempt).collect()
}

impl Attempt {
    /// Logs and shows the result of the latest attempt.
    fn show(&mut self, listeners: &Listeners) {
        let view = match &self.outcome {
            Ok(listening) => {
                let address = listening.name();
                match listening {
                    Listening::Tcp(listener) => {
                        log::info!("HTTP: listening on http://{address}");
                        warn_if_not_loopback(listener);
                        if let (Some(tell), Ok(address)) = (&self.on_listening, listener.local_addr()) {
                            tell(address);
                        }
                    }
                    Listening::Unix(..) => log::info!("HTTP: listening on the control socket {address}"),
                }
                ListenerView { address, state: ListenerState::Listening, detail: None }
            }
            Err(error) => {
                let (cause, address) = (error.to_string(), self.place.as_ref().map_or_else(String::new, Place::name));
                if self.logged.as_ref() != Some(&cause) {
                    let what = if matches!(self.place, Some(Place::Unix(..))) { "control socket" } else { "HTTP" };
                    log::warn!("{what}: cannot listen on {address}, and go on trying: {cause}");
                }
                let detail = format!("{cause}; next attempt within {} s", self.retry.as_secs_f64());
                self.logged = Some(cause);
                ListenerView { address, state: ListenerState::Retrying, detail: Some(detail) }
            }
        };
        listeners.set(self.index, view);
    }

    /// Listens, as soon as that can be done, until the end.
    pub(super) async fn listen(
        mut self,
        connections: ConnectionLimits,
        listeners: Listeners,
        mut stopping: watch::Receiver<bool>,
    ) {
        loop {
            match (self.outcome, &self.place) {
                (Ok(listening), _) => return connections.accept_all(listening, stopping).await,
                (Err(_), None) => return,
                (Err(_), Some(place)) => {
                    if !pause(self.retry, &mut stopping).await {
                        return;
                    }
                    self.retry = (self.retry * 2).min(self.longest);
                    self.outcome = place.bind().await;
                }
            }
            self.show(&listeners);
        }
    }
}

/// Waits `long`; false if the server has to stop meanwhile.
async fn pause(long: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    matches!(select(pin!(tokio::time::sleep(long)), pin!(stopped(stopping))).await, Either::Left(_))
}

fn warn_if_not_loopback(listener: &TcpListener) {
    if let Ok(address) = listener.local_addr()
        && !address.ip().to_canonical().is_loopback()
    {
        log::warn!(
            "HTTP: anyone who can reach {address} can read the wearer's activities; listen on 127.0.0.1, or behind a \
             reverse proxy that knows its users, if that is not meant"
        );
    }
}

/// Accepts connections, up to a number per kind of listener.
#[derive(Clone)]
pub(super) struct ConnectionLimits {
    shared: Arc<Shared>,
    router: Router,
    tcp: Arc<Semaphore>,
    unix: Arc<Semaphore>,
}

impl ConnectionLimits {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let Limits { tcp_connections, unix_connections, .. } = shared.limits;
        Self {
            router: router(Arc::clone(&shared)),
            tcp: Arc::new(Semaphore::new(tcp_connections)),
            unix: Arc::new(Semaphore::new(unix_connections)),
            shared,
        }
    }

    /// Accepts connections until the end.
    async fn accept_all(self, listening: Listening, mut stopping: watch::Receiver<bool>) {
        let permits = match &listening {
            Listening::Tcp(_) => &self.tcp,
            Listening::Unix(..) => &self.unix,
        };
        let vanished = u32::try_from(self.shared.limits.stall.as_millis()).unwrap_or(u32::MAX);
        let (mut waiting, mut faults) = (PAUSE.0, 0_u64);
        loop {
            let accepted = match select(pin!(listening.accept(vanished)), pin!(stopped(&mut stopping))).await {
                Either::Left((accepted, _)) => accepted,
                Either::Right(_) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    waiting = PAUSE.0;
                    match Arc::clone(permits).try_acquire_owned() {
                        Ok(permit) => {
                            let served =
                                serve(stream, peer, Arc::clone(&self.shared), self.router.clone(), stopping.clone());
                            tokio::spawn(async move {
                                served.await;
                                drop(permit);
                            });
                        }
                        Err(_) => {
                            stream.refuse();
                            self.shared
                                .refused(Refused::Connections, &format_args!("{peer}: there are too many connections"));
                        }
                    }
                }
                // the other side was gone before it was accepted
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
                    ) => {}
                // such as too many open files, which does not pass at once
                Err(error) => {
                    faults += 1;
                    if faults.is_power_of_two() {
                        log::warn!("HTTP: cannot accept a connection ({faults} so far): {error}");
                    }
                    if !pause(waiting, &mut stopping).await {
                        return;
                    }
                    waiting = (waiting * 2).min(PAUSE.1);
                }
            }
        }
    }

    /// Returns when no connection is left.
    pub(super) async fn empty(&self) {
        let Limits { tcp_connections, unix_connections, .. } = self.shared.limits;
        for (permits, most) in [(&self.tcp, tcp_connections), (&self.unix, unix_connections)] {
            // an error says that the semaphore is closed, and so no connection is left
            let _ = permits.acquire_many(u32::try_from(most).unwrap_or(u32::MAX)).await;
        }
    }
}
