//! `cargo xtask compare`: gaitd beside ONNX Runtime and LiteRT, rung by rung.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::dist;
use crate::process::Process;
use crate::python::Venv;
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The ladders to compare on [default: all that are shipped]
    #[arg(long, value_delimiter = ',', value_name = "DIR,...")]
    models: Vec<PathBuf>,
    /// What executes gaitd's: supernet, or tract, which takes a quarter of an hour to build [default: supernet]
    #[arg(long, value_name = "BACKEND")]
    backend: Option<String>,
    /// Kernels that gaitd alone is held to, for instance avx2 [default: the processor's best, and avx2 beside them]
    #[arg(long, value_name = "KERNELS")]
    isa: Option<String>,
    /// Fail unless all that a release has to reach was measured and is reached
    #[arg(long)]
    gates: bool,
    /// Passed on to tools/compare/compare.py, for instance `-- --rounds 50 --json`
    #[arg(last = true)]
    args: Vec<String>,
}

/// Makes the Python environment and gaitd's module for it where they are missing, and runs the comparison.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<()> {
    let venv = Venv::at(tree, "compare-venv");
    let models = match args.models.as_slice() {
        [] => tree.ladders()?,
        models => models.iter().map(std::path::absolute).collect::<Result<_, _>>()?,
    };
    let lock = tree.join("tools/compare/requirements.txt");
    venv.ensure(tree, &lock, "ONNX Runtime and LiteRT are about 70 MB to download, a minute")?;
    let modules = module(tree, args.backend.as_deref() == Some("tract"))?;
    let value = |name: &'static str, value: &Option<String>| value.clone().map(|value| [name.to_owned(), value]);
    let given = [value("--backend", &args.backend), value("--isa", &args.isa)];
    Process::new(tree, venv.python())
        .arg(tree.join("tools/compare/compare.py"))
        .args(given.into_iter().flatten().flatten())
        .args(args.gates.then_some("--gates"))
        .args(&args.args)
        .args(models)
        .env("PYTHONPATH", modules)
        .run()
}

/// Builds gaitd's engine as it is shipped into a module of Python; the folder that it lies in.
fn module(tree: &Tree, tract: bool) -> Result<PathBuf> {
    let features: &[&str] = if tract { &["--features", "tract"] } else { &[] };
    Process::cargo(tree)
        .args(["build", "--locked", "--profile", dist::PROFILE, "-p", "compare"])
        .args(features)
        .run()?;
    let library = tree.target(dist::PROFILE).join(format!("{DLL_PREFIX}gaitd_engine{DLL_SUFFIX}"));
    let folder = tree.target("compare-module");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    copy(&library, &folder.join(if cfg!(windows) { "gaitd_engine.pyd" } else { "gaitd_engine.so" }))?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}
