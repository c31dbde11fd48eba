//! Child processes whose failures say which command failed.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tree::Tree;

/// One command to run at the root of the working copy.
pub(crate) struct Process(Command);

impl Process {
    /// `program`, to be started at the root of the working copy with the caller's environment.
    pub(crate) fn new(tree: &Tree, program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(tree.join("")).env("CARGO_TARGET_DIR", tree.target(""));
        if let Some(home) = tree.own_cargo_home() {
            command.env("CARGO_HOME", home);
        }
        Self(command)
    }

    /// The cargo that runs this program.
    pub(crate) fn cargo(tree: &Tree) -> Self {
        Self::new(tree, cargo())
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    pub(crate) fn directory(mut self, dir: &Path) -> Self {
        self.0.current_dir(dir);
        self
    }

    /// Shows the command and runs it with the caller's input and output.
    pub(crate) fn run(mut self) -> Result<()> {
        eprintln!("$ {self}");
        let status = self.0.status().with_context(|| format!("cannot start `{self}`"))?;
        if !status.success() {
            bail!("`{self}` ended with {status}");
        }
        Ok(())
    }

    /// Shows the command and runs it with the caller's input and output; its exit code, or `None` where a signal ended
    /// it.
    pub(crate) fn code(mut self) -> Result<Option<i32>> {
        eprintln!("$ {self}");
        let status = self.0.status().with_context(|| format!("cannot start `{self}`"))?;
        Ok(status.code())
    }

    /// Runs the command with all that it says in the file at `path`; whether it succeeded.
    pub(crate) fn log(mut self, path: &Path) -> Result<bool> {
        let write = || File::create(path).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, err) = write().with_context(|| format!("cannot write {}", path.display()))?;
        self.0.stdin(Stdio::null()).stdout(out).stderr(err);
        let status = self.0.status().with_context(|| format!("cannot start `{self}`"))?;
        Ok(status.success())
    }

    /// Runs the command unseen; what it printed, or `None` where it could not be started or failed.
    pub(crate) fn probe(mut self) -> Option<String> {
        let output = self.0.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs the command; what it printed. What it says on standard error is the caller's to see.
    pub(crate) fn capture(mut self) -> Result<String> {
        self.0.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = self.0.output().with_context(|| format!("cannot start `{self}`"))?;
        if !output.status.success() {
            bail!("`{self}` ended with {}", output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs the command unseen, and gives all that it printed, however it ended.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.0.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{self}`"))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.get_program().to_string_lossy())?;
        self.0.get_args().try_for_each(|arg| write!(f, " {}", arg.to_string_lossy()))
    }
}

/// Where programs of these names would lie on the path, by name and then in the path's order, whether they do or not.
pub(crate) fn on_path(names: &[&str]) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).collect()
}

/// The cargo that runs this program, so that a toolchain chosen on the command line holds for the children too.
pub(crate) fn cargo() -> std::ffi::OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
