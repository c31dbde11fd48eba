//! The addresses on which the interface is: having them, trying again where they cannot be had, and accepting.

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
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket, UnixStream};
use tokio::sync::{Semaphore, watch};

use super::super::api::{ListenerState, ListenerView};
use super::super::metrics::Refused;
use super::connection::{Wire, serve};
use super::guard::Peer;
use super::routes::router;
use super::{Limits, Shared, stopped};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;
/// The control socket is for its owner and their group.
const SOCKET_MODE: u32 = 0o660;
/// Within this time a live daemon's socket lets someone in.
const KNOCK: Duration = Duration::from_secs(1);
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

    fn add(&self, view: ListenerView) -> usize {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        views.push(view);
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
    /// It listens already.
    Activated(Listening),
}

impl Place {
    pub(super) fn activated_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Activated(Listening::Tcp(TcpListener::from_std(listener)?)))
    }

    pub(super) fn activated_unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Activated(Listening::Unix(UnixListener::from_std(listener)?, None)))
    }

    /// The address or path as asked for.
    fn name(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => path.display().to_string(),
            Self::Activated(listening) => listening.name(),
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

    async fn accept(&self) -> io::Result<(Wire, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                let local = stream.local_addr()?.ip();
                // an event that waits for others is late
                let _ = stream.set_nodelay(true);
                Ok((Wire::Tcp(stream), Peer::Network { local, remote: remote.ip() }))
            }
            Self::Unix(listener, _) => Ok((Wire::Unix(listener.accept().await?.0), Peer::Local)),
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
        // somebody else's socket may stand there by now
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            log::warn!("HTTP: cannot remove the control socket {}: {error}", self.path.display());
        }
        drop(lock);
    }
}

/// Keeps other daemons from making or removing a socket in the same folder meanwhile.
fn lock_folder(path: &Path) -> io::Result<fs::File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::File::open(folder)?;
    rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
    Ok(folder)
}

async fn bind_unix(path: &Path) -> io::Result<Listening> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let _lock = lock_folder(path)
        .map_err(|error| io::Error::new(error.kind(), format!("the folder of the socket cannot be locked: {error}")))?;
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

/// Removes a socket that nobody answers.
async fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::other("there is a file of that name which is no socket; move it away"));
    }
    match tokio::time::timeout(KNOCK, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process listens there; stop it, or name another path",
        )),
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listening> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // connections of a predecessor that linger must not keep its successor out
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(Listening::Tcp(socket.listen(BACKLOG)?))
}

/// A place, and what came of the first attempt to listen there.
pub(super) struct Attempt {
    place: Place,
    index: usize,
    outcome: io::Result<Listening>,
    retry: Duration,
    longest: Duration,
    /// The latest cause that was logged.
    told: Option<String>,
}

/// Makes the first attempt at every place.
pub(super) async fn bind_all(places: Vec<Place>, listeners: &Listeners, limits: &Limits) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for place in places {
        let view = ListenerView { address: place.name(), state: ListenerState::Retrying, detail: None };
        let index = listeners.add(view);
        let (place, outcome) = match place {
            Place::Tcp(address) => (Place::Tcp(address), bind_tcp(address)),
            Place::Unix(path) => {
                let outcome = bind_unix(&path).await;
                (Place::Unix(path), outcome)
            }
            // what listens already has no other place to go to
            Place::Activated(listening) => (Place::Unix(PathBuf::new()), Ok(listening)),
        };
        let mut attempt =
            Attempt { place, index, outcome, retry: limits.retry, longest: limits.retry_longest, told: None };
        attempt.show(listeners);
        attempts.push(attempt);
    }
    attempts
}

impl Attempt {
    /// Tells what came of the latest attempt.
    fn show(&mut self, listeners: &Listeners) {
        let view = match &self.outcome {
            Ok(listening) => {
                let address = listening.name();
                match listening {
                    Listening::Tcp(listener) => {
                        log::info!("HTTP: listening on http://{address}");
                        warn_of_strangers(listener);
                    }
                    Listening::Unix(..) => log::info!("HTTP: listening on the control socket {address}"),
                }
                ListenerView { address, state: ListenerState::Listening, detail: None }
            }
            Err(error) => {
                let (cause, address) = (error.to_string(), self.place.name());
                if self.told.as_ref() != Some(&cause) {
                    log::warn!("HTTP: cannot listen on {address}, and go on trying: {cause}");
                }
                let detail = format!("{cause}; next attempt within {} s", self.retry.as_secs_f64());
                self.told = Some(cause);
                ListenerView { address, state: ListenerState::Retrying, detail: Some(detail) }
            }
        };
        listeners.set(self.index, view);
    }

    /// Listens, as soon as that can be done, until the end.
    pub(super) async fn listen(mut self, rooms: Rooms, listeners: Listeners, mut stopping: watch::Receiver<bool>) {
        loop {
            match self.outcome {
                Ok(listening) => return rooms.accept_all(listening, stopping).await,
                Err(error) => self.outcome = Err(error),
            }
            let pause = pin!(tokio::time::sleep(self.retry));
            if let Either::Right(_) = select(pause, pin!(stopped(&mut stopping))).await {
                return;
            }
            self.retry = (self.retry * 2).min(self.longest);
            self.outcome = match &self.place {
                Place::Tcp(address) => bind_tcp(*address),
                Place::Unix(path) => bind_unix(path).await,
                Place::Activated(_) => return,
            };
            self.show(&listeners);
        }
    }
}

fn warn_of_strangers(listener: &TcpListener) {
    if let Ok(address) = listener.local_addr()
        && !address.ip().to_canonical().is_loopback()
    {
        log::warn!(
            "HTTP: anyone who can reach {address} can read the wearer's activities; listen on 127.0.0.1, or behind a \
             reverse proxy that knows its users, if that is not meant"
        );
    }
}

/// Room for connections.
#[derive(Clone)]
pub(super) struct Rooms {
    shared: Arc<Shared>,
    router: Router,
    tcp: Arc<Semaphore>,
    unix: Arc<Semaphore>,
}

impl Rooms {
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
        let room = match &listening {
            Listening::Tcp(_) => &self.tcp,
            Listening::Unix(..) => &self.unix,
        };
        let (mut pause, mut faults) = (PAUSE.0, 0_u64);
        loop {
            let accepted = match select(pin!(listening.accept()), pin!(stopped(&mut stopping))).await {
                Either::Left((accepted, _)) => accepted,
                Either::Right(_) => return,
            };
            match accepted {
                Ok((wire, peer)) => {
                    pause = PAUSE.0;
                    match Arc::clone(room).try_acquire_owned() {
                        Ok(place) => {
                            let served =
                                serve(wire, peer, Arc::clone(&self.shared), self.router.clone(), stopping.clone());
                            tokio::spawn(async move {
                                served.await;
                                drop(place);
                            });
                        }
                        Err(_) => {
                            wire.turn_away();
                            self.shared
                                .refused(Refused::Connections, &format_args!("{peer}: there are too many connections"));
                        }
                    }
                }
                // the other side was gone before it was let in
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
                    ) => {}
                // no more files may be open, say: that does not pass at once
                Err(error) => {
                    faults += 1;
                    if faults.is_power_of_two() {
                        log::warn!("HTTP: cannot accept a connection ({faults} so far): {error}");
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    /// Returns when no connection is left.
    pub(super) async fn empty(&self) {
        let Limits { tcp_connections, unix_connections, .. } = self.shared.limits;
        for (room, places) in [(&self.tcp, tcp_connections), (&self.unix, unix_connections)] {
            // an error says that the room is closed, and so empty
            let _ = room.acquire_many(u32::try_from(places).unwrap_or(u32::MAX)).await;
        }
    }
}
