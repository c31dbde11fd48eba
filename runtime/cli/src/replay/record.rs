//! The decisions of a replay, kept in a file.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use gaitd_core::decode::Episode;
use gaitd_core::engine::Decision;
use gaitd_daemon::publish::{self, LineWriter};

/// What stands first in every one.
const BEGINNING: &str = "{\"class\":\"gaitd\"";

/// A file of decisions, as NDJSON like that of the daemon.
pub(super) struct Record {
    path: PathBuf,
    file: BufWriter<File>,
    lines: LineWriter,
}

impl Record {
    /// Makes the file anew, with what all its decisions have in common.
    pub(super) fn create(path: &Path, header: publish::RunHeader) -> anyhow::Result<Self> {
        let lines = LineWriter::new(header, false, true);
        let file = File::create(path).map_err(|error| unwritable(path, error))?;
        let mut record = Self { path: path.to_path_buf(), file: BufWriter::new(file), lines };
        // a replay comes out the same again, whenever it is made
        let greeting = record.lines.greeting(None)?;
        record.file.write_all(greeting).map_err(|error| unwritable(path, error))?;
        Ok(record)
    }

    /// Adds a decision, published as soon as it was there.
    pub(super) fn write(&mut self, decision: &Decision) -> anyhow::Result<()> {
        let line = self.lines.decision(decision, decision.decided)?;
        self.file.write_all(line).map_err(|error| unwritable(&self.path, error))
    }

    /// Brings all of it to the file, the `episode` last that the end of the windows has ended.
    pub(super) fn finish(mut self, episode: Option<&Episode>) -> anyhow::Result<()> {
        let line = self.lines.episode(episode)?;
        self.file.write_all(line).and_then(|()| self.file.flush()).map_err(|error| unwritable(&self.path, error))
    }
}

/// Whether there is a file at `path` that was not made by a record: it is not empty, and begins with something else.
pub(super) fn is_of_somebody_else(path: &Path) -> bool {
    let beginning = || -> std::io::Result<String> {
        let mut beginning = String::new();
        let file = File::open(path)?;
        if file.metadata()?.is_file() {
            file.take(BEGINNING.len() as u64).read_to_string(&mut beginning)?;
        }
        Ok(beginning)
    };
    match beginning() {
        Ok(beginning) => !beginning.is_empty() && beginning != BEGINNING,
        // what is no text is no record either
        Err(error) => error.kind() == ErrorKind::InvalidData,
    }
}

fn unwritable(path: &Path, error: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("cannot write the decisions to {}", path.display()))
}
