//! Files of what gaitd found out about this device, of which a reader never sees half.

use std::fs::File;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;

/// The bytes of the file at `path`; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether files can be kept in `directory`, which is made where there is none.
///
/// # Errors
/// What the system says against it.
pub fn probe(directory: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(directory)?;
    let file = directory.join(format!(".probe-{}", std::process::id()));
    File::create(&file)?;
    std::fs::remove_file(&file)
}

/// Replaces the file at `path` by `bytes`; makes its directory where there is none.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let half = path.with_extension("json.new");
    let write = || {
        let mut file = File::create(&half)?;
        file.write_all(bytes)?;
        // a wearable loses power at any time, and a rename may reach the disk before what it renames
        file.sync_all()?;
        std::fs::rename(&half, path)
    };
    write().inspect_err(|_| {
        // on a full disk the half would only take what little there is
        let _ = std::fs::remove_file(&half);
    })
}
