//! `cargo xtask compare`: gaitd beside ONNX Runtime and LiteRT, rung by rung.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::Process;
use crate::python::Venv;
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The ladder to compare on [default: the shipped models/uci-har-cnn]
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Passed on to tools/compare/compare.py, for instance `-- --rounds 50 --json`
    #[arg(last = true)]
    args: Vec<String>,
}

/// Makes the Python environment and the release build where they are missing, and runs the comparison.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<()> {
    let venv = Venv::at(tree, "compare-venv");
    let models = match &args.models {
        Some(models) => std::path::absolute(models)?,
        None => tree.join("models/uci-har-cnn"),
    };
    let lock = tree.join("tools/compare/requirements.txt");
    venv.ensure(tree, &lock, "ONNX Runtime and LiteRT are about 70 MB to download, a minute")?;
    Process::cargo(tree).args(["build", "--release", "--locked", "-p", "gaitd"]).run()?;
    Process::new(tree, venv.python())
        .arg(tree.join("tools/compare/compare.py"))
        .arg("--gaitd")
        .arg(tree.gaitd("release"))
        .arg("--models")
        .arg(models)
        .args(&args.args)
        .run()
}
