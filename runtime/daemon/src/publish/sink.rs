//! Where lines go, and what happens when the other side is full or gone.

use std::io::Write;

use super::PublishError;

/// Writes whole lines to standard output or a file.
pub struct Sink {
    output: Box<dyn Write + Send>,
    /// The rest of a line was lost: the next one must start afresh, or two would run into each other.
    torn: bool,
}

impl Sink {
    /// Writes to `output`, which should not buffer: a decision that waits in a buffer is late.
    #[must_use]
    pub fn new(output: Box<dyn Write + Send>) -> Self {
        Self { output, torn: false }
    }

    /// Writes `lines` whole.
    ///
    /// # Errors
    /// [`PublishError`] when it was not written, or only a part of it.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), PublishError> {
        let mut rest = lines;
        if self.torn {
            self.write_all(&mut b"\n".as_slice())?;
            self.torn = false;
        }
        let outcome = self.write_all(&mut rest);
        self.torn = outcome.is_err() && rest.len() < lines.len();
        outcome
    }

    fn write_all(&mut self, rest: &mut &[u8]) -> Result<(), PublishError> {
        while !rest.is_empty() {
            match self.output.write(rest) {
                Ok(0) => return Err(PublishError::Lost(std::io::ErrorKind::WriteZero.into())),
                Ok(written) => *rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(error)),
            }
        }
        // standard output may write only now
        self.output.flush().map_err(failure)
    }
}

fn failure(error: std::io::Error) -> PublishError {
    if error.kind() == std::io::ErrorKind::BrokenPipe { PublishError::Closed } else { PublishError::Lost(error) }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes three bytes at a time and is full while `full` says so.
    struct Disk {
        written: Arc<Mutex<Vec<u8>>>,
        room: Arc<Mutex<usize>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut room = self.room.lock().unwrap();
            let taken = bytes.len().min(3).min(*room);
            if taken == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            *room -= taken;
            self.written.lock().unwrap().extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_torn_line_does_not_run_into_the_next() {
        let (written, room) = (Arc::default(), Arc::new(Mutex::new(8)));
        let mut sink = Sink::new(Box::new(Disk { written: Arc::clone(&written), room: Arc::clone(&room) }));
        assert!(sink.write(b"first\n").is_ok());
        assert!(matches!(sink.write(b"second\n"), Err(PublishError::Lost(_))));
        assert!(matches!(sink.write(b"third\n"), Err(PublishError::Lost(_))));
        *room.lock().unwrap() = 100;
        assert!(sink.write(b"fourth\n").is_ok());
        assert_eq!(*written.lock().unwrap(), b"first\nse\nfourth\n");
    }
}
