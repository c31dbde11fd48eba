//! Notifications of the service manager (the protocol of `sd_notify(3)`), and the heartbeat behind the watchdog.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// The longest status that is sent, in bytes: the service manager ignores messages of more than 4096.
const LONGEST_STATUS: usize = 1024;

/// Notifies the service manager of how the daemon is. Nothing happens where there is none (`$NOTIFY_SOCKET` is not set); a
/// manager that cannot be notified is named in the log once, and the daemon goes on.
#[derive(Debug, Default)]
pub struct Notifier {
    failed: AtomicBool,
}

impl Notifier {
    /// The daemon is ready: it has started, or a reload is over, done or refused.
    pub fn ready(&self) {
        self.notify(&[NotifyState::Ready]);
    }

    /// The configuration is being reloaded; [`Notifier::ready`] must follow.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.notify(&[NotifyState::Reloading, now]),
            Err(error) => self.complain(&error),
        }
    }

    /// The daemon is about to end.
    pub fn stopping(&self) {
        self.notify(&[NotifyState::Stopping]);
    }

    /// How the daemon is, in one line that `systemctl status` shows. A line break in `text` would start another
    /// assignment of the protocol, and so control characters become spaces.
    pub fn status(&self, text: &str) {
        let text = &text[..text.floor_char_boundary(LONGEST_STATUS)];
        self.notify(&[NotifyState::Status(&text.replace(char::is_control, " "))]);
    }

    /// The daemon is alive; due every [`Notifier::watchdog_interval`].
    pub fn watchdog(&self) {
        self.notify(&[NotifyState::Watchdog]);
    }

    /// How often the service manager wants to hear that the daemon is alive, if it does: half of the time after which
    /// it would end the daemon, as `sd_watchdog_enabled(3)` advises.
    #[must_use]
    pub fn watchdog_interval() -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|interval| !interval.is_zero())
    }

    fn notify(&self, states: &[NotifyState]) {
        let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
        if let Err(error) = send(&socket, states) {
            self.complain(&error);
        }
    }

    fn complain(&self, error: &io::Error) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            log::warn!("the service manager cannot be notified of how gaitd is: {error}; it may take gaitd for dead");
        }
    }
}

/// Sends `states` in one message. `sd_notify::notify` knows sockets in the file system only.
fn send(socket: &OsStr, states: &[NotifyState]) -> io::Result<()> {
    let mut message = String::new();
    for state in states {
        // writing to a String cannot fail
        let _ = writeln!(message, "{state}");
    }
    let datagram = UnixDatagram::unbound()?;
    // a manager that takes nothing must not hold up the run
    datagram.set_nonblocking(true)?;
    datagram.send_to_addr(message.as_bytes(), &address(socket)?).map(drop)
}

/// Where `$NOTIFY_SOCKET` is: a path, or, after an `@`, a name in the abstract namespace.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt as _;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(socket)
}

/// A sign of life that one thread gives and others read. Clones share it.
#[derive(Clone, Debug)]
pub struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// A heartbeat whose first beat is `now`.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        let heartbeat = Self(Arc::default());
        heartbeat.beat(now);
        heartbeat
    }

    /// The thread is alive at `now`, by the daemon's clock.
    pub fn beat(&self, now: Duration) {
        // enough nanoseconds for 584 years; nothing else is published with this value
        self.0.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The time since the last beat; zero where that came after `now` was read.
    #[must_use]
    pub fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
    }

    /// Whether the last beat is no older than `limit`.
    #[must_use]
    pub fn is_alive(&self, now: Duration, limit: Duration) -> bool {
        self.age(now) <= limit
    }
}
