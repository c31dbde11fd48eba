//! The time that everything bears which is packed, so that the same is packed whenever that is.

use std::env;
use std::ffi::OsString;

use anyhow::{Context, Result, ensure};

use crate::process::Process;
use crate::tree::Tree;

/// The variable by which build tools agree on it.
pub(crate) const NAME: &str = "SOURCE_DATE_EPOCH";

/// The last commit's time, or what `SOURCE_DATE_EPOCH` says.
pub(crate) fn find(tree: &Tree) -> Result<String> {
    let named = env::var_os(NAME).map(OsString::into_string).transpose();
    let named = named.map_err(|value| anyhow::anyhow!("{NAME} is {value:?}, not seconds since 1970"))?;
    let epoch = named
        .or_else(|| Process::new(tree, "git").args(["log", "-1", "--format=%ct"]).probe())
        .with_context(|| format!("git does not know the last commit's time; set {NAME}"))?;
    ensure!(epoch.parse::<u64>().is_ok(), "{NAME} is {epoch:?}, not seconds since 1970");
    Ok(epoch)
}

/// That time as `date` writes it by `form`.
pub(crate) fn date(tree: &Tree, epoch: &str, form: &str) -> Result<String> {
    let seconds = format!("--date=@{epoch}");
    Process::new(tree, "date").env("LC_ALL", "C").args(["--utc", &seconds, form]).capture()
}
