//! Settings in sysfs: reading, writing, and putting back what was written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::error::{IioError, is_gone};

/// sysfs shows a page at most.
const LONGEST: u64 = 4096;

/// A driver that does not answer for so long never will.
const PATIENCE: Duration = Duration::from_secs(2);

/// What `work` on the file at `path` gives, unless it takes longer than a driver may: reading and writing a setting can
/// wait for a sensor that does not answer on its bus, and no signal ends that.
fn patiently<T: Send + 'static>(
    action: impl Into<String>,
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, IioError> {
    let (done, answer) = sync_channel(1);
    let of = path.to_path_buf();
    // a thread that never comes back is left behind
    let asked = std::thread::Builder::new().name("gaitd-sysfs".to_owned()).spawn(move || {
        let _ = done.send(work(&of));
    });
    let answered =
        asked.and_then(|_| answer.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())));
    answered.map_err(|error| IioError::file(action, path, error))
}

/// Opens a file that must be there.
pub(super) fn open(path: &Path) -> Result<File, IioError> {
    patiently("open", path, |path| File::open(path))
}

/// What the file holds, without what ends its line and blanks around it; nothing where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, IioError> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.system().is_some_and(|error| error.kind() == ErrorKind::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    patiently("read", path, |_| text(file)).map(Some)
}

fn text(file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    // some drivers show the zero that ends their text
    let blank = |letter: char| letter.is_whitespace() || letter == '\0';
    Ok(String::from_utf8_lossy(&bytes).trim_matches(blank).to_owned())
}

/// The number in the file; nothing where there is no such file.
pub(super) fn number(path: &Path) -> Result<Option<f64>, IioError> {
    read(path)?.map(|text| parse(path, &text)).transpose()
}

/// The finite number in `text`, which stands in the file at `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<f64, IioError> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| IioError::content(path, text, "a number was expected"))
}

/// Writes `value` to a file that must be there.
pub(super) fn write(path: &Path, value: &str) -> Result<(), IioError> {
    // one call of write is one value, and an empty one needs a byte to be one
    let line = format!("{value}\n");
    patiently(format!("write {value:?} to"), path, move |path| {
        OpenOptions::new().write(true).truncate(true).open(path)?.write_all(line.as_bytes())
    })
}

/// The names of what is in a folder, sorted; none where there is no such folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, IioError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(IioError::file("list", folder, error)),
    };
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|error| IioError::file("list", folder, error))?;
    names.sort();
    Ok(names)
}

/// What was changed, to be put back in the opposite order when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<Change>);

#[derive(Debug)]
enum Change {
    Value { path: PathBuf, before: String },
    Folder(PathBuf),
}

impl Changes {
    /// Writes `value` where the file holds another one.
    pub(super) fn set(&mut self, path: &Path, value: &str) -> Result<(), IioError> {
        let before = read(path)?.ok_or_else(|| IioError::file("open", path, ErrorKind::NotFound.into()))?;
        if same(&before, value) {
            return Ok(());
        }
        write(path, value)?;
        self.0.push(Change::Value { path: path.to_owned(), before });
        Ok(())
    }

    /// Makes the folder; one that is there already, from a run that was killed, is as good.
    pub(super) fn make_folder(&mut self, path: &Path) -> Result<(), IioError> {
        match fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(IioError::file("make", path, error)),
            _ => self.0.push(Change::Folder(path.to_owned())),
        }
        Ok(())
    }

    /// Takes back everything. What cannot be is logged, unless it has gone with the device, and does not keep the rest from
    /// being put back.
    pub(super) fn put_back(&mut self) {
        while let Some(change) = self.0.pop() {
            let done = match &change {
                Change::Value { path, before } => write(path, before),
                Change::Folder(path) => fs::remove_dir(path).map_err(|error| IioError::file("remove", path, error)),
            };
            if let Err(error) = done {
                let gone = error.system().is_some_and(|error| error.kind() == ErrorKind::NotFound || is_gone(error));
                log::log!(if gone { log::Level::Debug } else { log::Level::Warn }, "not put back: {error}");
            }
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.put_back();
    }
}

/// Whether two values are the same: `50` and `50.000000` are.
fn same(one: &str, other: &str) -> bool {
    one == other || one.parse::<f64>().is_ok_and(|one| other.parse() == Ok(one))
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn a_setting_that_never_answers_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in_accel_scale");
        // opening a pipe waits for its other end
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("in_accel_scale") && error.contains("does not answer"), "{error}");
    }

    #[test]
    fn what_was_changed_is_put_back_last_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("rate"), "10.000000\n").unwrap();
        fs::write(path("trigger"), "\n").unwrap();
        let mut changes = Changes::default();
        changes.set(&path("rate"), "10").unwrap();
        assert!(changes.0.is_empty(), "it was so before");
        changes.set(&path("rate"), "50").unwrap();
        changes.set(&path("rate"), "100").unwrap();
        changes.set(&path("trigger"), "timer").unwrap();
        changes.make_folder(&path("made")).unwrap();
        assert_eq!(read(&path("rate")).unwrap().unwrap(), "100");
        drop(changes);
        assert_eq!(read(&path("rate")).unwrap().unwrap(), "10.000000");
        assert_eq!(fs::read_to_string(path("trigger")).unwrap(), "\n", "an empty value is written, too");
        assert!(!path("made").exists());
    }

    #[test]
    fn no_file_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent");
        assert!(Changes::default().set(&path, "1").is_err() && write(&path, "1").is_err());
        assert!(!path.exists());
        assert_eq!(read(&path).unwrap(), None);
        assert!(names(&path).unwrap().is_empty());
    }
}
