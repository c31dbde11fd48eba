//! Where a model's files come from: a directory, or the ladder inside the binary.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::embedded::{self, Unpacked};

/// A file of a model that could not be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read {path}: {source}; a model directory holds manifest.json, golden.json and one .onnx file per configuration"
)]
pub struct StoreError {
    /// The file or directory.
    pub path: String,
    /// What the system said.
    pub source: std::io::Error,
}

/// The files of one model.
#[derive(Clone, Debug)]
pub enum ModelStore {
    /// A model directory.
    Directory(PathBuf),
    /// The ladder that ships inside the binary.
    Embedded,
}

impl ModelStore {
    /// The model directory at `path`.
    #[must_use]
    pub fn directory(path: impl AsRef<Path>) -> Self {
        Self::Directory(path.as_ref().to_path_buf())
    }

    /// A model's file as people should see it in a message.
    #[must_use]
    pub fn describe(&self, name: &str) -> String {
        match self {
            Self::Directory(directory) => directory.join(name).display().to_string(),
            Self::Embedded => format!("(embedded)/{name}"),
        }
    }

    /// Where the model comes from, for people.
    #[must_use]
    pub fn origin(&self) -> String {
        match self {
            Self::Directory(directory) => directory.display().to_string(),
            Self::Embedded => "the embedded ladder".to_owned(),
        }
    }

    /// What to hold while several files are read, so that the embedded ladder is unpacked only once.
    ///
    /// # Errors
    /// When the embedded ladder is damaged.
    pub(super) fn held(&self) -> Result<Option<Arc<Unpacked>>, StoreError> {
        match self {
            Self::Directory(_) => Ok(None),
            Self::Embedded => {
                embedded::unpacked().map(Some).map_err(|source| StoreError { path: self.origin(), source })
            }
        }
    }

    /// The bytes of the file `name`.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Directory(directory) => std::fs::read(directory.join(name)),
            Self::Embedded => embedded::unpacked()
                .and_then(|files| files.file(name).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))),
        }
        .map_err(|source| StoreError { path: self.describe(name), source })
    }

    /// The names of all files that end in `.onnx`, sorted.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn networks(&self) -> Result<Vec<String>, StoreError> {
        let mut names = match self {
            Self::Directory(directory) => std::fs::read_dir(directory)
                .and_then(|entries| {
                    entries
                        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
                        .collect::<Result<Vec<_>, _>>()
                })
                .map_err(|source| StoreError { path: directory.display().to_string(), source })?,
            Self::Embedded => embedded::names().map(str::to_owned).collect(),
        };
        names.retain(|name| name.ends_with(".onnx"));
        names.sort();
        Ok(names)
    }
}

impl std::fmt::Display for ModelStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(directory) => write!(f, "{}", directory.display()),
            Self::Embedded => f.write_str("the embedded ladder"),
        }
    }
}
