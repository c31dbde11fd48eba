//! Files that were recorded together, as one argument: `acc.csv+gyro.csv`.

use std::path::{Path, PathBuf};

/// The files that an argument names: one, or several with `+` between them. A file that is there is one, whatever its
/// name.
pub(crate) fn files(argument: &Path) -> Vec<PathBuf> {
    match argument.to_str() {
        Some(text) if text.contains('+') && !argument.exists() => text.split('+').map(PathBuf::from).collect(),
        _ => vec![argument.to_path_buf()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_files_are_one_argument() {
        let of = |text: &str| files(Path::new(text));
        assert_eq!(of("a/acc.csv+a/gyro.csv"), ["a/acc.csv", "a/gyro.csv"].map(PathBuf::from));
        assert_eq!(of("walk.csv"), [PathBuf::from("walk.csv")]);
        let here = tempfile::TempDir::new().unwrap();
        let plus = here.path().join("walk+run.csv");
        std::fs::write(&plus, "").unwrap();
        assert_eq!(files(&plus), [plus]);
    }
}
