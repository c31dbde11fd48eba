//! Where a model's files come from: a directory, or the program itself.

use std::any::Any;
use std::path::{Path, PathBuf};

/// A file of a model that could not be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read {}: {reason}; a model directory holds manifest.json, golden.json and one .onnx file per configuration",
    path.display()
)]
pub struct FilesError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub reason: std::io::Error,
}

/// The files of one model.
pub trait ModelFiles: Send + Sync {
    /// Where the model comes from, for people.
    fn origin(&self) -> String;

    /// The path of the file `name`, as messages show it.
    fn path(&self, name: &str) -> PathBuf;

    /// The bytes of the file `name`.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read.
    fn read(&self, name: &str) -> Result<Vec<u8>, FilesError>;

    /// The names of all files that end in `.onnx`, sorted.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn networks(&self) -> Result<Vec<String>, FilesError>;

    /// To be kept while several files are read, where that makes it cheaper.
    ///
    /// # Errors
    /// When the files are damaged.
    fn hold(&self) -> Result<Box<dyn Any>, FilesError> {
        Ok(Box::new(()))
    }
}

/// A model directory.
#[derive(Clone, Debug)]
pub struct ModelDirectory(PathBuf);

impl ModelDirectory {
    /// The model directory at `path`.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_path_buf())
    }
}

impl ModelFiles for ModelDirectory {
    fn origin(&self) -> String {
        self.0.display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, FilesError> {
        let path = self.path(name);
        std::fs::read(&path).map_err(|reason| FilesError { path, reason })
    }

    fn networks(&self) -> Result<Vec<String>, FilesError> {
        let list = || -> std::io::Result<Vec<String>> {
            let names = std::fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect()
        };
        let mut names = list().map_err(|reason| FilesError { path: self.0.clone(), reason })?;
        names.retain(|name| name.ends_with(".onnx"));
        names.sort();
        Ok(names)
    }
}
