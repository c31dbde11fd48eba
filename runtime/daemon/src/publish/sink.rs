//! Where lines go, and what happens when the other side is full or gone.

use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};

use super::PublishError;

/// Writes whole lines to a file, a pipe or a terminal, and buffers none: a decision that waits in a buffer is late.
#[derive(Debug)]
pub struct Sink {
    output: File,
    /// A part of a line is there to stay: the next one must start afresh, or two would run into each other.
    torn: bool,
}

impl Sink {
    /// Writes to `output`.
    #[must_use]
    pub fn new(output: File) -> Self {
        Self { output, torn: false }
    }

    /// Writes `lines` whole, or takes back what there is of them.
    ///
    /// # Errors
    /// [`PublishError`] when they were not written, or only in part.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), PublishError> {
        if self.torn {
            write_all(&mut self.output, &mut b"\n".as_slice())?;
            self.torn = false;
        }
        let mut rest = lines;
        let outcome = write_all(&mut self.output, &mut rest);
        if outcome.is_err() {
            self.torn = !take_back(&mut self.output, lines.len() - rest.len());
        }
        outcome
    }
}

fn write_all(output: &mut File, rest: &mut &[u8]) -> Result<(), PublishError> {
    while !rest.is_empty() {
        match output.write(rest) {
            Ok(0) => return Err(PublishError::Lost(ErrorKind::WriteZero.into())),
            Ok(written) => *rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(PublishError::Closed),
            Err(error) => return Err(PublishError::Lost(error)),
        }
    }
    Ok(())
}

/// Cuts the last `written` bytes that were written to `file` off again, so that a full disk leaves no half line; false where
/// they stay. Only a regular file that still ends with them is cut: others may append to it.
pub fn take_back(file: &mut File, written: usize) -> bool {
    if written == 0 {
        return true;
    }
    let ends = |file: &mut File| {
        let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        // where the last write ended, appending or not
        Some((metadata.len(), file.stream_position().ok()?))
    };
    let Some((length, end)) = ends(file) else { return false };
    if length < end {
        // emptied meanwhile, as by log rotation, and with it what was written
        return true;
    }
    let start = end.saturating_sub(written as u64);
    length == end && file.set_len(start).is_ok() && file.seek(SeekFrom::Start(start)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;

    use rustix::fs::{OFlags, fcntl_setfl};

    use super::*;

    #[test]
    fn a_line_that_a_pipe_took_half_of_does_not_run_into_the_next() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let mut sink = Sink::new(std::os::fd::OwnedFd::from(writer).into());
        // longer than any pipe
        let long = vec![b'a'; 2 << 20];
        assert!(matches!(sink.write(&long), Err(PublishError::Lost(_))));
        let mut taken = vec![0; long.len()];
        let taken = reader.read(&mut taken).unwrap();
        assert!(taken > 0 && taken < long.len());
        assert!(sink.write(b"next\n").is_ok());
        drop(sink);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        let tail: Vec<u8> = rest.into_iter().skip_while(|byte| *byte == b'a').collect();
        assert_eq!(tail, b"\nnext\n");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert!(matches!(
            Sink::new(std::os::fd::OwnedFd::from(writer).into()).write(b"x\n"),
            Err(PublishError::Closed)
        ));
    }

    #[test]
    fn only_what_was_written_last_is_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("decisions");
        let text = || std::fs::read_to_string(&path).unwrap();
        for append in [true, false] {
            std::fs::write(&path, "before\n").unwrap();
            let mut file = OpenOptions::new().write(true).append(append).open(&path).unwrap();
            file.seek(SeekFrom::End(0)).unwrap();
            file.write_all(b"hal").unwrap();
            assert!(take_back(&mut file, 3));
            assert_eq!(text(), "before\n");
            // goes on where the half line was
            file.write_all(b"whole\n").unwrap();
            assert_eq!(text(), "before\nwhole\n");

            // somebody else appends
            file.write_all(b"hal").unwrap();
            OpenOptions::new().append(true).open(&path).unwrap().write_all(b"other\n").unwrap();
            assert!(!take_back(&mut file, 3));
            assert_eq!(text(), "before\nwhole\nhalother\n");

            // the file was emptied
            std::fs::write(&path, "").unwrap();
            assert!(take_back(&mut file, 3));
            assert_eq!(text(), "");
        }
    }
}
