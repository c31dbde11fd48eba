//! Runs gaitd under qemu with the plugin that counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::core::{CORES, Core};
use super::table::Row;
use super::workload::Job;
use crate::arm::toolchain::Toolchain;
use crate::process::Process;
use crate::tree::Tree;

/// The plugin's source.
const SOURCE: &str = "tools/instructions/count.c";

/// What counts: an emulator, its plugin, and the program.
pub(super) struct Counter<'a> {
    tree: &'a Tree,
    toolchain: &'a Toolchain,
    program: PathBuf,
    plugin: PathBuf,
    /// Where runs leave their counts and what they say.
    folder: PathBuf,
    /// By core's name.
    roots: BTreeMap<&'static str, PathBuf>,
}

impl<'a> Counter<'a> {
    /// Compiles the plugin for the emulator at hand, and makes the cores, in `folder`; `program` is what will be counted.
    pub(super) fn build(tree: &'a Tree, toolchain: &'a Toolchain, folder: &Path, program: PathBuf) -> Result<Self> {
        let version = toolchain.emulator(tree, None)?.arg("--version").probe();
        let interface = version.as_deref().and_then(interface).context(
            "the emulator does not say that it is qemu; instructions can be counted with qemu's user emulation only",
        )?;
        let plugin = folder.join("libcount.so");
        Process::new(tree, std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
            .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-shared"])
            .arg(format!("-DINTERFACE={interface}"))
            .arg(tree.join(SOURCE))
            .arg("-o")
            .arg(&plugin)
            .run()?;
        let libraries = toolchain.libraries();
        let roots = CORES.iter().filter(|core| core.target == toolchain.target());
        let roots = roots.map(|core| Ok((core.name, core.system_root(folder, libraries.as_deref())?)));
        let roots = roots.collect::<Result<_>>()?;
        Ok(Self { tree, toolchain, program, plugin, folder: folder.to_path_buf(), roots })
    }

    /// Makes all counts, as many at a time as there are processors; each takes as many instructions beside others as
    /// alone.
    pub(super) fn count(&self, jobs: &[Job<'_>]) -> Result<Vec<Row>> {
        let left = Mutex::new(jobs.iter().enumerate());
        let work = || -> Result<Vec<(usize, Row)>> {
            let next = || left.lock().ok()?.next();
            std::iter::from_fn(next).map(|(number, job)| Ok((number, self.row(number, job)?))).collect()
        };
        let mut rows = Vec::new();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..thread::available_parallelism()?.get()).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                rows.extend(worker.join().map_err(|_| anyhow::anyhow!("a thread that counts has panicked"))??);
            }
            anyhow::Ok(())
        })?;
        rows.sort_by_key(|(number, _)| *number);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn row(&self, number: usize, job: &Job<'_>) -> Result<Row> {
        let (fewer, more) = job.windows();
        let few = self.run(number, job, fewer)?;
        let many = self.run(number, job, more)?;
        ensure!(many > few, "{} windows took {many} instructions, and {fewer} took {few}", more);
        let row = Row {
            core: job.core.name.to_owned(),
            work: job.work.name().to_owned(),
            configuration: job.configuration().to_owned(),
            macs: job.macs(),
            instructions: (many - few).div_ceil(more - fewer),
            kernels: self.kernels(number, job)?,
        };
        eprintln!("{} {} {}: {} instructions", row.core, row.work, row.configuration, row.instructions);
        Ok(row)
    }

    /// The instructions of one whole run over `windows` windows.
    fn run(&self, number: usize, job: &Job<'_>, windows: u64) -> Result<u64> {
        let count = self.folder.join(format!("{number}.count"));
        let plugin = format!("{},out={}", self.plugin.display(), count.display());
        let process = self.emulator(job.core, &["-plugin", &plugin])?.args(job.arguments(windows));
        self.finish(process, number)?;
        let text = fs::read_to_string(&count).context(
            "the emulator wrote no count; instructions can be counted with a qemu that loads plugins (Debian's \
             qemu-user-static does not, its qemu-user does)",
        )?;
        fs::remove_file(&count)?;
        text.trim().parse().with_context(|| format!("{}: {text:?} is no count", count.display()))
    }

    /// The matrix kernels that gaitd says it uses on the job's core.
    fn kernels(&self, number: usize, job: &Job<'_>) -> Result<Vec<String>> {
        let state = self.folder.join("state");
        let process = self.emulator(job.core, &[])?.args(["ladder", "--json", "--models"]).arg(job.models());
        let output = self.finish(process.arg("--state").arg(state), number)?;
        let report: Value = serde_json::from_str(&output).context("gaitd ladder --json")?;
        let configurations = report["configurations"].as_array().map_or(&[][..], Vec::as_slice);
        let mine = configurations.iter().find(|entry| entry["id"] == job.answers());
        let kernels = mine.and_then(|entry| entry["kernels"].as_array()).context("gaitd ladder --json: no kernels")?;
        Ok(kernels.iter().filter_map(|kernel| kernel.as_str().map(str::to_owned)).collect())
    }

    /// The program on `core`, to be given its arguments.
    fn emulator(&self, core: &Core, options: &[&str]) -> Result<Process> {
        let emulator = self.toolchain.emulator(self.tree, Some(core.emulated))?;
        // the last -L counts
        Ok(emulator.arg("-L").arg(&self.roots[core.name]).args(options).arg(&self.program))
    }

    /// Runs `process`, and gives what it printed.
    fn finish(&self, process: Process, number: usize) -> Result<String> {
        let log = self.folder.join(format!("{number}.log"));
        let command = process.to_string();
        let succeeded = process.log(&log)?;
        let output = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        fs::remove_file(&log)?;
        if !succeeded {
            bail!("`{command}` failed: {}", output.trim());
        }
        Ok(output)
    }
}

/// The plugin interface to ask of the qemu that calls itself `version`.
fn interface(version: &str) -> Option<u32> {
    let number = version.lines().next()?.split_once("version ")?.1;
    let major: u32 = number.split('.').next()?.parse().ok()?;
    Some(if major < 9 { 1 } else { 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_qemu_is_asked_for_an_interface_that_it_has() {
        assert_eq!(interface("qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright"), Some(1));
        assert_eq!(interface("qemu-aarch64 version 8.2.0"), Some(1));
        assert_eq!(interface("qemu-aarch64 version 10.0.2 (Debian 1:10.0.2+ds-2)"), Some(2));
        assert_eq!(interface("box64 v0.3"), None);
    }
}
