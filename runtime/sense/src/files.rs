//! Files that samples are read from.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// Opens what is no folder, which would open as well, and say so only when it is read.
///
/// # Errors
/// What the system says.
pub fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

/// Whether both paths lead to one file, which is there, whatever they are called. What is written to one of them is read
/// from the other.
#[must_use]
pub fn same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        (Ok(first), Ok(second)) => same(&first, &second, one, other),
        _ => false,
    }
}

#[cfg(unix)]
fn same(first: &Metadata, second: &Metadata, _: &Path, _: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    (first.dev(), first.ino()) == (second.dev(), second.ino())
}

#[cfg(not(unix))]
fn same(_: &Metadata, _: &Metadata, one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    whole(one).is_some_and(|one| Some(one) == whole(other))
}
