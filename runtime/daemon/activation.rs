//! Sockets that the service manager opened for the daemon (socket activation, the protocol of `sd_listen_fds(3)`).

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

/// More sockets than anybody would hand over: a number beyond it is a mistake, not a reason to allocate a table of it.
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
    /// file is told in the log and left alone: a unit file with a line too many must not keep the daemon down.
    ///
    /// Call it first thing in the process: until then the descriptors are nobody's, and the environment is changed (so
    /// that child processes do not take the sockets for theirs), which must not happen while another thread reads it.
    /// A second call finds nothing.
    ///
    /// The sockets are close-on-exec from here on. They block or do not block as whoever handed them over left them
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

/// Not every system tells; there, the first attempt to accept a connection will.
#[cfg(not(target_os = "linux"))]
fn listens(_socket: &impl std::os::fd::AsFd) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::process::{Command, Stdio};

    use super::*;

    /// Set in the child process that is handed the sockets.
    const ROLE: &str = "GAITD_TEST_ACTIVATION";

    fn this_test(name: &str) -> [String; 3] {
        ["--exact".to_owned(), "--nocapture".to_owned(), format!("daemon::activation::tests::{name}")]
    }

    fn described(activated: &Activated) -> String {
        format!("taken: {} TCP, {} Unix.", activated.tcp.len(), activated.unix.len())
    }

    #[test]
    fn sockets_are_sorted_by_kind_and_all_else_is_left_alone() {
        if std::env::var_os(ROLE).is_some() {
            println!("{} then {}", described(&Activated::take()), described(&Activated::take()));
            return;
        }
        let directory = tempfile::TempDir::new().unwrap();
        // standard input is the one descriptor that a child can be given in safe code
        let taken = |file: OwnedFd, count: &str| {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(this_test("sockets_are_sorted_by_kind_and_all_else_is_left_alone"))
                .env(ROLE, "1")
                .env("LISTEN_FDS", count)
                .env("LISTEN_FDS_FIRST_FD", "0")
                .env_remove("LISTEN_PID")
                .stdin(Stdio::from(file))
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(directory.path().join("listener")).unwrap();
        let listener = tcp();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let nothing = "taken: 0 TCP, 0 Unix. then taken: 0 TCP, 0 Unix.";
        for (file, expected) in [
            (OwnedFd::from(tcp()), "taken: 1 TCP, 0 Unix. then taken: 0 TCP, 0 Unix."),
            (TcpListener::bind("[::1]:0").unwrap_or_else(|_| tcp()).into(), "taken: 1 TCP, 0 Unix. then"),
            (unix.into(), "taken: 0 TCP, 1 Unix. then taken: 0 TCP, 0 Unix."),
            (connection.into(), nothing),
            (UnixStream::pair().unwrap().0.into(), nothing),
            (UdpSocket::bind("127.0.0.1:0").unwrap().into(), nothing),
            (UnixDatagram::unbound().unwrap().into(), nothing),
            (tempfile::tempfile().unwrap().into(), nothing),
        ] {
            let told = taken(file, "1");
            assert!(told.contains(expected), "{expected} in {told}");
        }
        for absurd in ["4000000000", "65", "-1", "many", ""] {
            assert!(taken(tcp().into(), absurd).contains(nothing), "{absurd}");
        }
    }

    #[test]
    fn sockets_that_were_opened_beforehand_are_served() {
        if std::env::var_os(ROLE).is_some() {
            let activated = Activated::take();
            let (mut connection, _) = activated.unix[0].accept().unwrap();
            write!(connection, "{}", described(&activated)).unwrap();
            return;
        }
        const PROGRAM: &str = "systemd-socket-activate";
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("control.sock");
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let started = Command::new(PROGRAM)
            .arg("--listen")
            .arg(&path)
            .arg("--listen")
            .arg(address.to_string())
            .args(["--setenv", &format!("{ROLE}=1")])
            .arg(std::env::current_exe().unwrap())
            .args(this_test("sockets_that_were_opened_beforehand_are_served"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut manager = match started {
            Ok(manager) => manager,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("SKIPPED sockets_that_were_opened_beforehand_are_served: there is no {PROGRAM} here");
                return;
            }
            Err(error) => panic!("{PROGRAM}: {error}"),
        };
        // it says so when it listens, for each socket
        let mut told = io::BufRead::lines(io::BufReader::new(manager.stderr.take().unwrap()));
        for _ in 0..2 {
            let line = told.next().unwrap().unwrap();
            assert!(line.starts_with("Listening on"), "{line}");
        }
        let mut answer = String::new();
        UnixStream::connect(&path).unwrap().read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "taken: 1 TCP, 1 Unix.");
        assert!(manager.wait().unwrap().success());
    }
}
