//! What the daemon tells the service manager (the protocol of `sd_notify(3)`), and the heartbeat behind the watchdog.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// The longest status that is sent, in bytes: the service manager ignores messages of more than 4096.
const LONGEST_STATUS: usize = 1024;

/// Tells the service manager how the daemon is. Nothing happens where there is none (`$NOTIFY_SOCKET` is not set); a
/// manager that cannot be told is named in the log once, and the daemon goes on.
#[derive(Debug, Default)]
pub struct Notifier {
    failed: AtomicBool,
}

impl Notifier {
    /// The daemon is ready: it has started, or a reload is over, done or refused.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The configuration is being reloaded; [`Notifier::ready`] must follow.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => self.complain(&error),
        }
    }

    /// The daemon is about to end.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// How the daemon is, in one line that `systemctl status` shows. A line break in `text` would start another
    /// assignment of the protocol, and so control characters become spaces.
    pub fn status(&self, text: &str) {
        let text = &text[..text.floor_char_boundary(LONGEST_STATUS)];
        self.tell(&[NotifyState::Status(&text.replace(char::is_control, " "))]);
    }

    /// The daemon is alive; due every [`Notifier::watchdog_interval`].
    pub fn watchdog(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// How often the service manager wants to hear that the daemon is alive, if it does: half of the time after which
    /// it would end the daemon, as `sd_watchdog_enabled(3)` advises.
    #[must_use]
    pub fn watchdog_interval() -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|interval| !interval.is_zero())
    }

    fn tell(&self, states: &[NotifyState]) {
        if let Err(error) = sd_notify::notify(states) {
            self.complain(&error);
        }
    }

    fn complain(&self, error: &std::io::Error) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            log::warn!("the service manager cannot be told how gaitd is: {error}; it may take gaitd for dead");
        }
    }
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Output};

    use super::*;

    /// Set in the child process that plays the daemon.
    const ROLE: &str = "GAITD_TEST_NOTIFY";

    /// Runs the test `name` of this file once more in a child process: the environment decides, and no test may change
    /// its own.
    fn daemon(name: &str, environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", &format!("daemon::notify::tests::{name}")]).env(ROLE, "1");
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC");
        let output = command.envs(environment.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    }

    fn is_daemon() -> bool {
        std::env::var_os(ROLE).is_some()
    }

    #[test]
    fn the_service_manager_hears_what_the_daemon_tells() {
        if is_daemon() {
            let notifier = Notifier::default();
            notifier.ready();
            notifier.reloading();
            notifier.status("the sensor says:\nREADY=1\nSTOPPING=1\u{1b}[2J");
            notifier.status(&"ä".repeat(5000));
            notifier.watchdog();
            notifier.stopping();
            return;
        }
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        daemon("the_service_manager_hears_what_the_daemon_tells", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        // a child that has ended has sent all that it will ever send
        manager.set_nonblocking(true).unwrap();
        let heard: Vec<String> = std::iter::from_fn(|| {
            let mut buffer = [0; 8192];
            let length = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
        })
        .collect();
        assert_eq!(heard.len(), 6, "{heard:?}");
        assert_eq!(heard[0], "READY=1\n");
        let reloading: Vec<&str> = heard[1].lines().collect();
        assert_eq!(reloading[0], "RELOADING=1");
        let now: u64 = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(now > 0);
        assert_eq!(heard[2], "STATUS=the sensor says: READY=1 STOPPING=1 [2J\n");
        assert_eq!(heard[3], format!("STATUS={}\n", "ä".repeat(LONGEST_STATUS / 2)));
        assert_eq!(&heard[4..], ["WATCHDOG=1\n", "STOPPING=1\n"]);
    }

    #[test]
    fn a_service_manager_that_is_gone_does_no_harm() {
        if is_daemon() {
            let notifier = Notifier::default();
            for _ in 0..3 {
                notifier.watchdog();
            }
            println!("failed: {}", notifier.failed.load(Ordering::Relaxed));
            return;
        }
        let name = "a_service_manager_that_is_gone_does_no_harm";
        let told = |environment: &[(&str, &str)]| String::from_utf8(daemon(name, environment).stdout).unwrap();
        assert!(told(&[("NOTIFY_SOCKET", "/nowhere/to/be/found")]).contains("failed: true"));
        assert!(told(&[]).contains("failed: false"));
    }

    #[test]
    fn the_watchdog_is_fed_twice_as_often_as_it_bites() {
        if is_daemon() {
            println!("interval: {:?}", Notifier::watchdog_interval());
            return;
        }
        let name = "the_watchdog_is_fed_twice_as_often_as_it_bites";
        for (environment, expected) in [
            (&[("WATCHDOG_USEC", "30000000")][..], "interval: Some(15s)"),
            (&[("WATCHDOG_USEC", "0")], "interval: None"),
            (&[("WATCHDOG_USEC", "soon")], "interval: None"),
            // meant for another process
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")], "interval: None"),
            (&[], "interval: None"),
        ] {
            let told = String::from_utf8(daemon(name, environment).stdout).unwrap();
            assert!(told.contains(expected), "{environment:?}: {told}");
        }
    }

    #[test]
    fn a_heart_is_alive_while_its_last_beat_is_no_older_than_the_limit() {
        let seconds = Duration::from_secs;
        let heart = Heartbeat::new(seconds(10));
        let watched = heart.clone();
        assert_eq!(watched.age(seconds(12)), seconds(2));
        assert!(watched.is_alive(seconds(12), seconds(2)));
        assert!(!watched.is_alive(seconds(12) + Duration::from_nanos(1), seconds(2)));
        heart.beat(seconds(20));
        assert!(watched.is_alive(seconds(21), seconds(2)));
        // read before the beat, used after it
        assert_eq!(watched.age(seconds(19)), Duration::ZERO);
    }
}
