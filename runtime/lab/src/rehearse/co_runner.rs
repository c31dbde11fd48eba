//! A co-runner seen from the rehearsal: a child process, because gaitd takes its own share out of the CPU load that it
//! shows to the policies.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::load::{CoRunnerLoad, READY};

/// A co-runner that cannot be started, or did not last.
#[derive(Debug, thiserror::Error)]
pub enum CoRunnerError {
    /// The program cannot be started.
    #[error("cannot start a co-runner with {}: {error}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It was interrupted while it started, as a terminal does to it and to gaitd at once.
    #[error("the co-runner was interrupted while it started")]
    Interrupted,
    /// It ended before it was asked to.
    #[error("the co-runner ended by itself ({0}); what was measured beside it is worth nothing")]
    Ended(String),
}

/// A running co-runner; it ends when this is dropped, and also when this process ends in any other way.
pub(super) struct CoRunner {
    child: Child,
}

impl CoRunner {
    /// Starts `program` as a co-runner that takes `load`, and returns when it is at work.
    pub(super) fn start(program: &Path, load: &CoRunnerLoad) -> Result<Self, CoRunnerError> {
        let mut command = Command::new(program);
        command.args(["co-runner", "--kind", load.kind.name(), "--share", &load.share.to_string()]);
        command.args(["--seed", &load.seed.to_string()]);
        if let Some(cpu) = load.cpu {
            command.args(["--cpu", &cpu.to_string()]);
        }
        // its standard input is what it is held by: the system closes our end of the pipe when we end
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let child = child.map_err(|error| CoRunnerError::Start { program: program.to_path_buf(), error })?;
        let mut co_runner = Self { child };
        let mut answer = [0; READY.len()];
        let output = co_runner.child.stdout.as_mut();
        match output.map(|output| output.read_exact(&mut answer)) {
            Some(Ok(())) if answer == READY => Ok(co_runner),
            _ => Err(ended(co_runner.end())),
        }
    }

    /// Makes sure that it has been at work until now.
    pub(super) fn check(&mut self) -> Result<(), CoRunnerError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(ended(Ok(status))),
            Err(error) => Err(ended(Err(error))),
        }
    }

    /// Ends it, and says how it ended.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        // fails only if it has ended already
        let _ = self.child.kill();
        self.child.wait()
    }
}

fn ended(how: std::io::Result<ExitStatus>) -> CoRunnerError {
    match how {
        Ok(status) if status.signal() == Some(signal_hook::consts::SIGINT) => CoRunnerError::Interrupted,
        Ok(status) => CoRunnerError::Ended(status.to_string()),
        Err(error) => CoRunnerError::Ended(error.to_string()),
    }
}

impl Drop for CoRunner {
    fn drop(&mut self) {
        // it is gone in either case
        let _ = self.end();
    }
}
