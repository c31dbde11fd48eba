//! A daemon to operate: its configuration, its process, its samples, and what it writes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use gaitd_tests::http::Client;
use gaitd_tests::{CSV_HEADER, ModelCopy, csv_line};

/// What the token file of [`Setup`] says.
pub const TOKEN: &str = "0123456789abcdef-of-the-test";

/// Nothing takes this long; who waits for more would wait forever.
const HUNG: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + HUNG;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        // only so that the others get the processor
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A directory with a configuration file in it.
pub struct Setup {
    directory: Arc<TempDir>,
    pub config: Value,
}

impl Setup {
    /// Samples from standard input, each window waited for; everything that can be asked is open.
    pub fn new() -> Self {
        let directory = Arc::new(TempDir::new().unwrap());
        std::fs::write(directory.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let config = json!({
            "source": {"kind": "stdin", "pace": "fast"},
            "outputs": [{"format": "ndjson"}],
            "http": {"listen": "127.0.0.1:0", "token_file": "token"},
            "socket": "control.sock",
            "state": "state",
        });
        let setup = Self { directory, config };
        setup.write();
        setup
    }

    pub fn with(change: impl FnOnce(&mut Value)) -> Self {
        let mut setup = Self::new();
        setup.edit(change);
        setup
    }

    /// A file beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        self.write();
    }

    fn write(&self) {
        std::fs::write(self.path("config.json"), self.config.to_string()).unwrap();
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
        command.arg("run").arg(self.path("config.json"));
        command
    }

    /// A daemon that has opened its interfaces.
    pub fn start(&self) -> Daemon {
        self.start_by(self.command())
    }

    pub fn start_by(&self, mut command: Command) -> Daemon {
        let mut child = command
            .env("GAITD_LOG", "info")
            .env_remove("STATE_DIRECTORY")
            .env_remove("RUNTIME_DIRECTORY")
            .env_remove("CREDENTIALS_DIRECTORY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let written = Lines::of(child.stdout.take().unwrap());
        let told = Lines::of(child.stderr.take().unwrap());
        let mut daemon = Daemon {
            feed: child.stdin.take().map(Feed::new),
            child,
            written,
            told,
            address: None,
            socket: self.path("control.sock"),
            _directory: Arc::clone(&self.directory),
        };
        daemon.find_address();
        daemon
    }
}

/// A running daemon; it is killed when it is dropped.
pub struct Daemon {
    child: Child,
    /// Its standard output.
    pub written: Lines,
    /// Its log.
    pub told: Lines,
    pub feed: Option<Feed<ChildStdin>>,
    address: Option<SocketAddr>,
    pub socket: PathBuf,
    /// Stays for as long as the daemon runs.
    _directory: Arc<TempDir>,
}

impl Daemon {
    fn find_address(&mut self) {
        // the socket is opened after the port
        let http = self.told.wait("the interfaces are open or cannot be", |lines| {
            lines.iter().position(|line| line.contains("control socket") || line.contains(".sock"))?;
            Some(lines.iter().find_map(|line| line.split_once("listening on http://")).map(|(_, at)| at.to_owned()))
        });
        self.address = http.map(|address| address.parse().unwrap());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> SocketAddr {
        self.address.unwrap()
    }

    pub fn tcp(&self) -> Client {
        Client::tcp(self.address())
    }

    pub fn unix(&self) -> Client {
        Client::unix(&self.socket)
    }

    pub fn status(&self) -> Value {
        self.unix().get("/api/status").json()
    }

    /// Waits until the status is as `condition` wants it.
    pub fn status_until(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let unix = self.unix();
        until(what, || Some(unix.get("/api/status").json()).filter(&condition))
    }

    /// The next `windows` windows; returns when they have been decided and written.
    pub fn decide(&mut self, windows: usize) -> Vec<Value> {
        let before = self.decisions().len();
        self.feed.as_mut().unwrap().windows(windows as u64);
        self.decisions_until(before + windows).split_off(before)
    }

    /// All decisions on standard output so far.
    pub fn decisions(&self) -> Vec<Value> {
        decisions(&self.written.all())
    }

    /// All decisions, when there are so many.
    pub fn decisions_until(&self, count: usize) -> Vec<Value> {
        self.written.wait("decisions", |lines| {
            let decisions = decisions(lines);
            (decisions.len() >= count).then_some(decisions)
        })
    }

    /// `gaitd ctl` with the daemon's socket.
    pub fn ctl(&self, arguments: &[&str]) -> Told {
        ctl(&self.socket, arguments)
    }

    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), pid]).status().unwrap().success());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the end of the daemon", || child.try_wait().unwrap())
    }

    /// Asks it to stop and waits for its end, which has to be a good one.
    pub fn stop(mut self) -> Vec<String> {
        self.signal("TERM");
        let status = self.end();
        assert!(status.success(), "{status}: {:#?}", self.told.all());
        self.written.whole()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command told.
#[derive(Debug)]
pub struct Told {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Told {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It went well.
    pub fn done(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self.stdout
    }

    /// It was refused with this exit code, for the reason that stands on standard error.
    pub fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        self.stderr
    }
}

pub fn ctl(socket: &Path, arguments: &[&str]) -> Told {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
    command.arg("ctl").arg("--socket").arg(socket).args(arguments).env_remove("GAITD_LOG");
    Told::of(command.output().unwrap())
}

/// The decisions among lines.
pub fn decisions(lines: &[String]) -> Vec<Value> {
    objects(lines).into_iter().filter(|line| line["class"] == "decision").collect()
}

/// Lines of NDJSON.
pub fn objects(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The numbers of the windows of `decisions`.
pub fn windows(decisions: &[Value]) -> Vec<u64> {
    decisions.iter().map(|decision| decision["window"].as_u64().unwrap()).collect()
}

/// Checks that no window is missing among `decisions`, none is twice, and they are in order.
pub fn assert_consecutive(decisions: &[Value]) {
    let windows = windows(decisions);
    let expected: Vec<u64> = (windows[0]..).take(windows.len()).collect();
    assert_eq!(windows, expected);
}

/// The lines that a process writes.
#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    state: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::new(Shared { state: Mutex::default(), more: Condvar::new() }));
        let shared = Arc::clone(&lines.0);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                shared.state.lock().unwrap().0.push(line);
                shared.more.notify_all();
            }
            shared.state.lock().unwrap().1 = true;
            shared.more.notify_all();
        });
        lines
    }

    pub fn all(&self) -> Vec<String> {
        self.0.state.lock().unwrap().0.clone()
    }

    /// All of them, when no more can come.
    pub fn whole(&self) -> Vec<String> {
        let state = self.0.state.lock().unwrap();
        let (state, late) = self.0.more.wait_timeout_while(state, HUNG, |(_, over)| !*over).unwrap();
        assert!(!late.timed_out(), "the stream does not end");
        state.0.clone()
    }

    /// Waits until `condition` finds something in the lines so far.
    pub fn wait<T>(&self, what: &str, condition: impl Fn(&[String]) -> Option<T>) -> T {
        let mut state = self.0.state.lock().unwrap();
        let deadline = Instant::now() + HUNG;
        loop {
            if let Some(found) = condition(&state.0) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!state.1 && !left.is_zero(), "waited in vain for {what}: {:#?}", state.0);
            state = self.0.more.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for a line that contains `part`.
    pub fn line(&self, part: &str) -> String {
        self.wait(part, |lines| lines.iter().find(|line| line.contains(part)).cloned())
    }
}

/// Writes samples.
pub struct Feed<W: Write> {
    to: W,
    sent: u64,
}

impl<W: Write> Feed<W> {
    pub fn new(to: W) -> Self {
        Self { to, sent: 0 }
    }

    /// So many samples more; false when nobody reads them any longer.
    pub fn samples(&mut self, count: u64) -> bool {
        let mut text = String::new();
        if self.sent == 0 {
            text += CSV_HEADER;
        }
        text.extend((self.sent..self.sent + count).map(csv_line));
        self.sent += count;
        self.to.write_all(text.as_bytes()).is_ok()
    }

    /// Other text; false when nobody reads it any longer.
    pub fn text(&mut self, text: &str) -> bool {
        self.to.write_all(text.as_bytes()).is_ok()
    }

    /// So many windows more; false when nobody reads them any longer.
    pub fn windows(&mut self, count: u64) -> bool {
        // conditioning holds one sample back
        let first = if self.sent == 0 { 1 + 128 - 64 } else { 0 };
        self.samples(first + 64 * count)
    }

    pub fn sent(&self) -> u64 {
        self.sent
    }
}

/// The shipped ladder with only every third configuration, and their names.
pub fn smaller_ladder() -> (ModelCopy, Vec<String>) {
    let model = ModelCopy::new();
    let mut kept = Vec::new();
    model.edit(|manifest| {
        manifest["cascades"] = serde_json::json!([]);
        let configurations = manifest["configurations"].as_array_mut().unwrap();
        let mut place = 0;
        configurations.retain(|configuration| {
            place += 1;
            let keep = place % 3 == 1;
            if keep {
                kept.push(configuration["id"].as_str().unwrap().to_owned());
            } else {
                std::fs::remove_file(model.path().join(configuration["file"].as_str().unwrap())).unwrap();
            }
            keep
        });
    });
    (model, kept)
}

/// Makes a FIFO.
pub fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Opens a FIFO to write to it; returns when somebody reads from it.
pub fn writer(path: &Path) -> Feed<File> {
    Feed::new(File::options().write(true).open(path).unwrap())
}
