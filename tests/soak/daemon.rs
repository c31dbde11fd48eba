//! The daemon under test: its process, what the system says of it, and what it says itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use gaitd_tests::http::{Answer, Client};

/// Nothing takes so long. Who waits longer would wait for ever.
const HUNG: Duration = Duration::from_secs(60);

/// A running daemon with everything on, in a directory of its own.
pub struct Daemon {
    pub directory: TempDir,
    pub config: Value,
    child: Child,
    pub socket: Client,
    pub http: Client,
    steps: Arc<AtomicU64>,
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Footprint {
    pub resident: u64,
    pub anonymous: u64,
    pub threads: u64,
    pub files: u64,
}

impl Footprint {
    pub fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_ascii_whitespace().next().unwrap().parse().unwrap()
        };
        Self {
            resident: number("VmRSS:") << 10,
            anonymous: number("RssAnon:") << 10,
            threads: number("Threads:"),
            files: std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64,
        }
    }
}

/// Processor time of each thread of `pid` so far, by name.
pub fn processor_times(pid: u32) -> BTreeMap<String, Duration> {
    let mut times = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let task = task.unwrap().path();
        // a thread may end meanwhile
        let (Ok(name), Ok(times_ns)) =
            (std::fs::read_to_string(task.join("comm")), std::fs::read_to_string(task.join("schedstat")))
        else {
            continue;
        };
        let ns = times_ns.split_ascii_whitespace().next().unwrap().parse().unwrap();
        *times.entry(name.trim().to_owned()).or_default() += Duration::from_nanos(ns);
    }
    times
}

impl Daemon {
    /// Starts a daemon whose source is the pipe `samples` in its directory; `make` makes it beforehand.
    pub fn start(pace: &str, make: impl FnOnce(&Path)) -> Self {
        let directory = TempDir::new().unwrap();
        make(&directory.path().join("samples"));
        let config = json!({
            "source": {"kind": "file", "path": "samples", "pace": pace, "on_failure": "retry"},
            "outputs": [{"format": "ndjson", "path": "decisions-0.ndjson"}],
            "http": {"listen": "127.0.0.1:0"},
            "socket": "control.sock",
            "state": "state",
        });
        let file = directory.path().join("gaitd.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let child = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"))
            .args(["run", "--log-format", "text"])
            .arg(&file)
            .envs(unit_environment())
            .env("GAITD_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let socket = Client::unix(directory.path().join("control.sock"));
        let steps = Arc::new(AtomicU64::new(0));
        watch(child.id(), Arc::downgrade(&steps));
        let mut daemon = Self { directory, config, child, http: socket.clone(), socket, steps };
        daemon.until("the daemon answers", |daemon| daemon.socket.try_connect().is_ok());
        let listeners = daemon.status()["listeners"].clone();
        let address = listeners.as_array().unwrap().iter().find_map(|l| l["address"].as_str()?.parse().ok());
        daemon.http = Client::tcp(address.expect("a listener on TCP"));
        daemon
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    pub fn footprint(&self) -> Footprint {
        Footprint::of(self.pid())
    }

    pub fn status(&self) -> Value {
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.socket.get("/api/status").json()
    }

    /// The counters of the metrics, by series.
    pub fn counters(&self) -> BTreeMap<String, f64> {
        let answer = self.http.get("/metrics");
        let lines = answer.text().lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        series
            .filter(|(name, _)| name.split('{').next().unwrap().ends_with("_total"))
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    /// Waits until `so`, for as long as the daemon lives.
    pub fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> bool) {
        let hung = Instant::now() + HUNG;
        while !so(self) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the daemon ended ({status}) before {what}:\n{}", self.log());
            }
            assert!(Instant::now() < hung, "never: {what}\n{:#}\n{}", self.status(), self.log());
            // what is waited for comes from another process: let it have the processor
            std::thread::sleep(Duration::from_millis(1));
        }
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the configuration.
    pub fn configure(&self) {
        std::fs::write(self.path("gaitd.json"), self.config.to_string()).unwrap();
    }

    pub fn reload(&self) -> Answer {
        self.socket.post("/api/reload")
    }

    pub fn signal(&self, signal: &str) {
        let killed = Command::new("kill").arg(signal).arg(self.pid().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// Asks the daemon to end, and waits for it.
    pub fn stop(mut self) -> (ExitStatus, TempDir) {
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        let directory = std::mem::replace(&mut self.directory, TempDir::new().unwrap());
        (status, directory)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // after a failed assertion: nobody else would
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `configs/systemd/gaitd.service` puts into the daemon's environment.
fn unit_environment() -> Vec<(String, String)> {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/systemd/gaitd.service");
    let text = std::fs::read_to_string(unit).unwrap();
    let assignments = text.lines().filter_map(|line| line.strip_prefix("Environment=")).flat_map(str::split_whitespace);
    assignments
        .map(|assignment| assignment.split_once('=').unwrap())
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect()
}

/// Kills the process when nothing has happened for too long, so that a write to a daemon that is stuck ends with an
/// error and not never.
fn watch(pid: u32, steps: std::sync::Weak<AtomicU64>) {
    std::thread::spawn(move || {
        let mut seen = u64::MAX;
        while let Some(steps) = steps.upgrade() {
            let now = steps.load(Ordering::Relaxed);
            if now == seen {
                eprintln!("no progress in {HUNG:?}: killing the daemon");
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
                return;
            }
            seen = now;
            drop(steps);
            std::thread::sleep(2 * HUNG);
        }
    });
}
