//! The ladder inside the binary, as `build.rs` packs it, so that gaitd runs wherever it was copied to.
//!
//! ```
//! use gaitd_core::ladder::{Ladder, ModelFiles};
//! use gaitd_embedded::Embedded;
//!
//! let manifest = Ladder::manifest_of(&Embedded)?;
//! assert_eq!(manifest.name, "uci-har-cnn");
//! assert_eq!(Embedded.networks()?.len(), manifest.configurations.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gaitd_core::ladder::{FilesError, ModelFiles};
use gaitd_packed::{packed, try_unpack};

/// Names of all files in the order in which they are packed, and their lengths.
static INDEX: &[(&str, usize)] = include!(concat!(env!("OUT_DIR"), "/ladder.rs"));
static PACKED: &[u8] = packed!("ladder");

/// The ladder that ships inside the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Embedded;

impl Embedded {
    /// The same as a shared trait object.
    #[must_use]
    pub fn shared() -> Arc<dyn ModelFiles> {
        Arc::new(Self)
    }
}

impl ModelFiles for Embedded {
    fn origin(&self) -> String {
        "the embedded ladder".to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("(embedded)").join(name)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, FilesError> {
        let file = |files: Arc<Unpacked>| files.file(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        unpacked().and_then(file).map_err(|reason| FilesError { path: self.path(name), reason })
    }

    fn networks(&self) -> Result<Vec<String>, FilesError> {
        let mut names: Vec<_> = names().filter(|name| name.ends_with(".onnx")).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    fn hold(&self) -> Result<Box<dyn Any>, FilesError> {
        match unpacked() {
            Ok(unpacked) => Ok(Box::new(unpacked)),
            Err(reason) => Err(FilesError { path: self.origin().into(), reason }),
        }
    }
}

/// The unpacked files, for as long as a reader holds them.
static UNPACKED: Mutex<Weak<Unpacked>> = Mutex::new(Weak::new());

/// All files. To be held while several are read, since they can be unpacked only together.
struct Unpacked(Vec<u8>);

/// The names of all files.
fn names() -> impl Iterator<Item = &'static str> {
    INDEX.iter().map(|(name, _)| *name)
}

/// All files, unpacked now unless a reader holds them already.
///
/// # Errors
/// When the binary no longer holds what was packed when it was built.
fn unpacked() -> io::Result<Arc<Unpacked>> {
    let mut held = UNPACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(unpacked) = held.upgrade() {
        return Ok(unpacked);
    }
    let unpacked = Arc::new(Unpacked::from_packed(PACKED)?);
    *held = Arc::downgrade(&unpacked);
    Ok(unpacked)
}

impl Unpacked {
    fn from_packed(packed: &[u8]) -> io::Result<Self> {
        let length: usize = INDEX.iter().map(|(_, length)| length).sum();
        match try_unpack(packed) {
            Ok(bytes) if bytes.len() == length => Ok(Self(bytes)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the program is damaged; install gaitd again")),
        }
    }

    /// The bytes of the file `name`, if there is one.
    fn file(&self, name: &str) -> Option<Vec<u8>> {
        let at = INDEX.iter().position(|(of, _)| *of == name)?;
        let start = INDEX[..at].iter().map(|(_, length)| length).sum();
        let bytes = &self.0[start..][..INDEX[at].1];
        Some(if name.ends_with(".onnx") { join(bytes) } else { bytes.to_vec() })
    }
}

/// The file of which `planes` holds every fourth byte, from the first, the second, the third and the fourth on.
fn join(planes: &[u8]) -> Vec<u8> {
    let mut file = vec![0; planes.len()];
    let mut rest = planes;
    for first in 0..4 {
        let places = file.iter_mut().skip(first).step_by(4);
        let (plane, after) = rest.split_at(places.len());
        places.zip(plane).for_each(|(place, byte)| *place = *byte);
        rest = after;
    }
    file
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_is_the_shipped_one() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/uci-har-cnn");
        let files = unpacked().unwrap();
        let mut networks = 0;
        for entry in fs::read_dir(&model).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name != "README.md" {
                assert!(files.file(&name).unwrap() == fs::read(model.join(&name)).unwrap(), "{name}");
                networks += usize::from(name.ends_with(".onnx"));
            }
        }
        assert!(networks > 1);
        assert_eq!(names().count(), networks + 2);
        assert!(files.file("README.md").is_none());
    }

    #[test]
    fn lengths_that_are_no_multiple_of_four_are_joined() {
        assert!(join(&[]).is_empty());
        assert_eq!(join(&[0, 4, 1, 5, 2, 3]), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_damaged_program_is_told_and_does_not_panic() {
        assert!(Unpacked::from_packed(PACKED).is_ok());
        assert!(Unpacked::from_packed(&[]).is_err());
        assert!(Unpacked::from_packed(&PACKED[..PACKED.len() / 2]).is_err());
        assert!(Unpacked::from_packed(&[0; 64]).is_err());
    }
}
