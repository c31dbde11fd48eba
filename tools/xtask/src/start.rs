//! `cargo xtask start`: the CPU time that the daemon takes until it is ready.

use std::env;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::files;
use crate::process::Process;
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Starts of each kind
    #[arg(long, default_value_t = 9, value_name = "N")]
    runs: usize,
    /// Measure this gaitd instead of building one
    #[arg(long, value_name = "FILE")]
    gaitd: Option<PathBuf>,
}

/// The most CPU time that a start may take.
const LIMIT: Duration = Duration::from_secs(1);
/// When a start is given up; it waits for nothing, so this is for a machine that stands still.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the release daemon on the shipped ladder, with HTTP, again and again, and prints the CPU time of all its
/// threads until it told its service manager that it is ready: where no profile is kept, so that it measures the ladder,
/// and where one is.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<ExitCode> {
    let gaitd = match &args.gaitd {
        Some(gaitd) => std::path::absolute(gaitd)?,
        None => {
            Process::cargo(tree).args(["build", "--release", "--locked", "-p", "gaitd"]).run()?;
            tree.gaitd("release")
        }
    };
    let folder = tree.target("start");
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..args.runs.max(1) {
        files::remove(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        first.push(start(&gaitd, &folder)?);
        again.push(start(&gaitd, &folder)?);
    }
    println!(
        "CPU time until ready, ms: lowest, median, highest of {} starts; limit {}",
        first.len(),
        LIMIT.as_millis()
    );
    let mut good = true;
    for (label, times) in [("first start", &mut first), ("with a kept profile", &mut again)] {
        times.sort_unstable();
        let [lowest, median, highest] =
            [0, times.len() / 2, times.len() - 1].map(|index| 1e3 * times[index].as_secs_f64());
        println!("{label:<20} {lowest:>7.1} {median:>7.1} {highest:>7.1}");
        good &= times[times.len() / 2] <= LIMIT;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts the daemon `gaitd` once, with its state and socket in `folder`.
fn start(gaitd: &Path, folder: &Path) -> Result<Duration> {
    let socket = folder.join("notify");
    let manager = UnixDatagram::bind(&socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
    manager.set_read_timeout(Some(PATIENCE)).context("cannot limit how long to wait")?;
    let mut command = Command::new(gaitd);
    command.args(["run", "--format", "none", "--http", "127.0.0.1:0", "--seconds", "3600"]);
    command.env("NOTIFY_SOCKET", &socket).env("STATE_DIRECTORY", folder.join("state")).env_remove("WATCHDOG_USEC");
    let daemon = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut daemon = daemon.with_context(|| format!("cannot start {}", gaitd.display()))?;
    let time = until_ready(&manager, &daemon);
    // it may have ended by itself, which is no other failure than that it was never ready
    let _ = daemon.kill();
    daemon.wait().context("the daemon cannot be waited for")?;
    fs::remove_file(&socket).with_context(|| format!("cannot remove {}", socket.display()))?;
    time
}

fn until_ready(manager: &UnixDatagram, daemon: &Child) -> Result<Duration> {
    let mut message = [0; 4096];
    loop {
        let length = manager.recv(&mut message).context("the daemon did not say that it is ready")?;
        if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
            return processor_time(daemon.id());
        }
    }
}

/// CPU time of all threads that `process` has; Linux only.
fn processor_time(process: u32) -> Result<Duration> {
    ensure!(env::consts::OS == "linux", "CPU times are read from /proc, which only Linux has");
    let folder = format!("/proc/{process}/task");
    let mut nanoseconds = 0;
    for task in fs::read_dir(&folder).with_context(|| folder.clone())? {
        let path = task?.path().join("schedstat");
        // a thread may end meanwhile
        let Ok(times) = fs::read_to_string(&path) else { continue };
        let time = times.split(' ').next().and_then(|time| time.parse::<u64>().ok());
        nanoseconds += time.with_context(|| format!("{}: {times}", path.display()))?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
