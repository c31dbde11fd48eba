//! Sockets that the service manager opened for the daemon (socket activation, the protocol of `sd_listen_fds(3)`).

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

/// More sockets than a service manager hands over: a number beyond it is a mistake, not a reason to allocate a table of it.
const MOST: u32 = 64;

/// Listening sockets that came with the process, by kind, in the order in which they were handed over.
#[derive(Debug, Default)]
pub struct Activated {
    /// For HTTP.
    pub tcp: Vec<TcpListener>,
    /// For control.
    pub unix: Vec<UnixListener>,
}

impl Activated {
    /// Takes the sockets that `$LISTEN_FDS` announces for this process; none where it announces none. Another kind of
    /// file is logged and left alone: a unit file with a line too many must not keep the daemon down.
    ///
    /// Call it first thing in the process: until then no code uses the descriptors, and the environment is changed (so
    /// that child processes do not take the sockets for theirs), which must not happen while another thread reads it.
    /// A second call finds nothing.
    ///
    /// The sockets are close-on-exec from here on. They block or do not block as the service manager left them
    /// (systemd: `NonBlocking=`, off unless the unit says otherwise), so set what you need. Do not remove the file of
    /// a Unix socket from here: it belongs to the service manager, which hands it to the next daemon, too.
    #[must_use]
    pub fn take() -> Self {
        let mut activated = Self::default();
        let announced = std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<u32>().ok());
        if let Some(count) = announced
            && count > MOST
        {
            log::warn!("LISTEN_FDS announces {count} sockets, and {MOST} are the most; none of them is used");
            return activated;
        }
        let mut files = ListenFd::from_env();
        for place in 0..files.len() {
            if let Err(error) = activated.sort(&mut files, place) {
                log::warn!(
                    "socket {} of those that the service manager handed over is not used: {error}; \
                     listening TCP and Unix stream sockets are",
                    place + 1
                );
            }
        }
        activated
    }

    /// Whether no socket was handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.unix.is_empty()
    }

    fn sort(&mut self, files: &mut ListenFd, place: usize) -> io::Result<()> {
        // a file of the wrong kind is left where it is, and so may be asked for as another kind
        if let Ok(Some(listener)) = files.take_tcp_listener(place) {
            if !listens(&listener)? {
                return Err(io::Error::other("it is a TCP connection"));
            }
            self.tcp.push(listener);
        } else if let Some(listener) = files.take_unix_listener(place)? {
            if !listens(&listener)? {
                return Err(io::Error::other("it is a Unix connection"));
            }
            self.unix.push(listener);
        }
        Ok(())
    }
}

/// Whether `socket` is one that listens, rather than a connection (a socket unit with `Accept=yes` hands over those).
#[cfg(target_os = "linux")]
fn listens(socket: &impl std::os::fd::AsFd) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_acceptconn(socket)?)
}

/// Not every system reports it; there, the first attempt to accept a connection will.
#[cfg(not(target_os = "linux"))]
fn listens(_socket: &impl std::os::fd::AsFd) -> io::Result<bool> {
    Ok(true)
}
