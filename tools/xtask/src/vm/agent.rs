//! Commands in the guest, run by QEMU's guest agent: JSON lines over a virtio serial port.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// How long anything in the guest may take before it counts as failed. An emulated processor is some twenty times slower
/// than the host's, and the host may be busy; a command that is done never takes so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// How often the agent, or what is awaited in the guest, is asked again.
const INTERVAL: Duration = Duration::from_millis(150);

/// Lines of a command's output that the transcript has.
const LONGEST: usize = 100;

/// The environment of commands: that of a root shell on a terminal without a user.
const ENVIRONMENT: [&str; 4] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LC_ALL=C.UTF-8",
    "DEBIAN_FRONTEND=noninteractive",
];

/// The guest's shell.
pub(super) struct Agent {
    requests: UnixStream,
    answers: BufReader<UnixStream>,
    transcript: File,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// What it returned; 128 and the signal's number where a signal ended it, as a shell has it.
    pub(super) code: i64,
    pub(super) out: String,
    pub(super) err: String,
}

impl Agent {
    /// Waits until the guest's agent answers on `port`. All commands and their output go to `transcript`.
    pub(super) fn greet(port: UnixStream, transcript: &Path) -> Result<Self> {
        port.set_read_timeout(Some(PATIENCE))?;
        let transcript = File::create(transcript).with_context(|| format!("cannot write {}", transcript.display()))?;
        let mut agent = Self { requests: port.try_clone()?, answers: BufReader::new(port), transcript };
        // what was sent before the agent listened waits in the port
        agent.call("guest-sync", &json!({ "id": std::process::id() }))?;
        Ok(agent)
    }

    fn call(&mut self, name: &str, arguments: &Value) -> Result<Value> {
        let gone = "the guest's agent does not answer: see the console's log";
        let mut request = serde_json::to_vec(&json!({ "execute": name, "arguments": arguments }))?;
        request.push(b'\n');
        self.requests.write_all(&request).context(gone)?;
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line).context(gone)? > 0, gone);
        let mut answer: Value = serde_json::from_str(&line).with_context(|| format!("the agent said {line:?}"))?;
        match answer.get_mut("return") {
            Some(result) => Ok(result.take()),
            None => bail!("{name} was refused by the guest's agent: {line}"),
        }
    }

    /// Runs `script` in the guest's `/bin/sh`, and gives how it ended.
    pub(super) fn run(&mut self, script: &str) -> Result<Ended> {
        let start = Instant::now();
        let ended = self.execute(script)?;
        self.note(script, &ended, start.elapsed())?;
        Ok(ended)
    }

    fn execute(&mut self, script: &str) -> Result<Ended> {
        let start = Instant::now();
        let arguments = json!({ "path": "/bin/sh", "arg": ["-c", script], "env": ENVIRONMENT, "capture-output": true });
        let started = self.call("guest-exec", &arguments)?;
        loop {
            let status = self.call("guest-exec-status", &json!({ "pid": started["pid"] }))?;
            if status["exited"] == true {
                return Ended::read(&status);
            }
            ensure!(start.elapsed() < PATIENCE, "still running after {} s in the guest: {script}", PATIENCE.as_secs());
            sleep(INTERVAL);
        }
    }

    /// Runs a `script` that must succeed, and gives what it printed.
    pub(super) fn sh(&mut self, script: &str) -> Result<String> {
        let ended = self.run(script)?;
        ensure!(ended.code == 0, "`{script}` ended with {} in the guest: {}", ended.code, ended.said());
        Ok(ended.out.trim().to_owned())
    }

    /// Repeats `script` until it succeeds, and gives what it printed then.
    pub(super) fn until(&mut self, state: &str, script: &str) -> Result<String> {
        let start = Instant::now();
        loop {
            let ended = self.execute(script)?;
            if ended.code == 0 || start.elapsed() >= PATIENCE {
                // not each of the attempts
                self.note(script, &ended, start.elapsed())?;
            }
            if ended.code == 0 {
                return Ok(ended.out.trim().to_owned());
            }
            ensure!(start.elapsed() < PATIENCE, "{state}: not after {} s; {}", PATIENCE.as_secs(), ended.said());
            sleep(INTERVAL);
        }
    }

    fn note(&mut self, script: &str, ended: &Ended, time: Duration) -> Result<()> {
        let mut text = format!("# {}\n", script.replace('\n', "\n  "));
        let lines = || ended.out.lines().chain(ended.err.lines());
        for line in lines().take(LONGEST) {
            text += &format!("{line}\n");
        }
        if let Some(more) = lines().count().checked_sub(LONGEST).filter(|more| *more > 0) {
            text += &format!("... and {more} lines more\n");
        }
        writeln!(self.transcript, "{text}--- {}, {:.1} s", ended.code, time.as_secs_f64()).context("the transcript")
    }
}

impl Ended {
    fn read(status: &Value) -> Result<Self> {
        let text = |name: &str| -> Result<String> {
            let bytes = BASE64.decode(status[name].as_str().unwrap_or_default()).context("the agent's output")?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let code = status["exitcode"].as_i64().or_else(|| status["signal"].as_i64().map(|signal| 128 + signal));
        let code = code.with_context(|| format!("the agent reports neither an exit code nor a signal: {status}"))?;
        Ok(Self { code, out: text("out-data")?, err: text("err-data")? })
    }

    /// All that it printed, in one line.
    pub(super) fn said(&self) -> String {
        let lines = self.out.lines().chain(self.err.lines()).map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(" / ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_command_ended_is_read_from_the_agents_answer() {
        let ended = Ended::read(&json!({ "exited": true, "exitcode": 3, "out-data": "YQpiCg==", "err-data": "Yw==" }));
        let ended = ended.unwrap();
        assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (3, "a\nb\n", "c"));
        assert_eq!(ended.said(), "a / b / c");
        let ended = Ended::read(&json!({ "exited": true, "signal": 9 })).unwrap();
        assert_eq!((ended.code, ended.said().as_str()), (137, ""));
        assert!(Ended::read(&json!({ "exited": true })).is_err());
    }
}
