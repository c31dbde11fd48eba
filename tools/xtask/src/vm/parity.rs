//! A recorded stream, and what gaitd decides on it here, to be compared with what it decides in the guest.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::decision::Decision;
use crate::process::Process;
use crate::tree::Tree;

/// The stream and this host's decisions.
pub(super) struct Parity {
    /// What was recorded, for people.
    pub(super) about: String,
    /// A line per sample: an object of channels.
    pub(super) samples: Arc<Vec<String>>,
    /// The decisions of the smallest and of the largest configuration.
    pub(super) decisions: Vec<Vec<Decision>>,
}

impl Parity {
    /// Runs the gaitd of this working copy on the recording. Makes `folder` for what comes of it.
    pub(super) fn record(tree: &Tree, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut process = Process::cargo(tree).args(["test", "--locked", "--package", "gaitd", "--test", "program"]);
        process = process.args(["--", "--ignored", "--exact", "recordings::a_stream_and_what_is_decided_on_it"]);
        if let Some(data) = tree.data() {
            process = process.env("GAITD_DATA", data);
        }
        process.env("GAITD_PARITY", folder).run()?;
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let decisions = ["smallest.ndjson", "largest.ndjson"].map(|name| Decision::read_all(&read(name)?));
        let parity = Self {
            about: read("about.txt")?,
            samples: Arc::new(read("samples.ndjson")?.lines().map(ToOwned::to_owned).collect()),
            decisions: decisions.into_iter().collect::<Result<_>>()?,
        };
        let whole = !parity.samples.is_empty() && parity.decisions.iter().all(|decisions| !decisions.is_empty());
        ensure!(whole, "gaitd decided nothing on {}", parity.about);
        Ok(parity)
    }
}
