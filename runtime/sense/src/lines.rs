//! Lines of text from anywhere, in bounded memory.
//!
//! A line ends with LF, with CR and LF, or with CR alone.

use std::fs::File;
use std::io::{self, BufRead, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use memchr::memchr2;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::bytes::Encoding;

/// Longest line that is read; of a longer one nothing is kept.
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// What [`LineReader::next`] found.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// A line, without its end.
    Whole(&'a [u8]),
    /// A line of more than [`LONGEST_LINE`] bytes, passed over to its end.
    TooLong,
    /// The end of the line has not come in the time that there was; the part that came is kept.
    Pending,
    /// There is no further line.
    End,
}

/// Reads lines and counts them, never holding more than [`LONGEST_LINE`] bytes of one.
pub(super) struct LineReader<R> {
    reader: R,
    /// The file behind `reader`, where reading it may have to wait for a writer.
    file: Option<Arc<File>>,
    /// Bytes that `reader` holds already.
    buffered: usize,
    encoding: Encoding,
    /// Why the source ends earlier than it should.
    cut: Option<io::Error>,
    /// What came out of encoded bytes, and how much of it is in lines already.
    text: Vec<u8>,
    used: usize,
    line: Collected,
    number: u64,
}

/// What there is of a line.
#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    /// A part of the next line was read.
    begun: bool,
    too_long: bool,
    /// The line before ended with CR: an LF that follows is a part of that end.
    after_cr: bool,
}

impl Collected {
    /// Takes what belongs to the line from the start of `bytes`: how many there are, and whether the line ends with
    /// them.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let skipped = usize::from(std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n'));
        let bytes = &bytes[skipped..];
        if bytes.is_empty() {
            return (skipped, false);
        }
        self.begun = true;
        let end = memchr2(b'\n', b'\r', bytes);
        let part = end.unwrap_or(bytes.len());
        self.too_long |= self.bytes.len() + part > LONGEST_LINE;
        if !self.too_long {
            self.bytes.extend_from_slice(&bytes[..part]);
        }
        self.after_cr = end.is_some_and(|end| bytes[end] == b'\r');
        (skipped + part + usize::from(end.is_some()), end.is_some())
    }
}

impl<R: BufRead> LineReader<R> {
    /// Reads from `reader`, which never has to wait for bytes.
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            file: None,
            buffered: 0,
            encoding: Encoding::unknown(),
            cut: None,
            text: Vec::new(),
            used: 0,
            line: Collected::default(),
            number: 0,
        }
    }

    /// Waits for bytes in `file`, which is behind the reader.
    pub(super) fn poll(&mut self, file: Arc<File>) {
        self.file = Some(file);
    }

    /// The file in which further bytes are to be waited for; nothing where there are some, or none is waited for.
    pub(super) fn waits_for(&self) -> Option<&File> {
        self.file.as_deref().filter(|_| self.buffered == 0 && self.used >= self.text.len())
    }

    /// Once: why the source ends earlier than it should, where it does.
    pub(super) fn take_cut(&mut self) -> Option<io::Error> {
        self.cut.take()
    }

    /// Number of the line read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line, if it has ended when `time_left` is zero.
    pub(super) fn next(&mut self, time_left: impl Fn() -> Duration) -> io::Result<Line<'_>> {
        if !self.line.begun {
            self.line.bytes.clear();
            self.line.too_long = false;
        }
        loop {
            if self.used < self.text.len() {
                let (taken, ended) = self.line.take(&self.text[self.used..]);
                self.used += taken;
                if ended {
                    break;
                }
                continue;
            }
            self.text.clear();
            self.used = 0;
            if self.buffered == 0 && !self.wait(&time_left)? {
                return Ok(Line::Pending);
            }
            let bytes = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                self.cut = self.encoding.finish(&mut self.text).or(self.cut.take());
                if !self.text.is_empty() {
                    continue;
                }
                if !self.line.begun {
                    return Ok(Line::End);
                }
                break;
            }
            let (consumed, ended) = if self.encoding.is_plain() {
                self.line.take(bytes)
            } else {
                let portion = self.encoding.portion(bytes.len());
                self.encoding.feed(&bytes[..portion], &mut self.text)?;
                (portion, false)
            };
            self.buffered = bytes.len() - consumed;
            self.reader.consume(consumed);
            if ended {
                break;
            }
            // bytes without the end of a line must not keep the caller, either
            if self.buffered == 0 && self.text.is_empty() && time_left().is_zero() {
                return Ok(Line::Pending);
            }
        }
        self.line.begun = false;
        self.number += 1;
        Ok(if self.line.too_long { Line::TooLong } else { Line::Whole(&self.line.bytes) })
    }

    /// Waits until there is something to read, or the end of it; false where nothing came in the time.
    fn wait(&self, time_left: impl Fn() -> Duration) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(true) };
        loop {
            // a time that is too long for the system is for ever
            let timeout = Timespec::try_from(time_left()).ok();
            match poll(&mut [PollFd::new(file, PollFlags::IN)], timeout.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use proptest::prelude::*;

    use super::*;

    fn lines<R: BufRead>(reader: R) -> LineReader<R> {
        LineReader::new(reader)
    }

    fn for_ever() -> Duration {
        Duration::MAX
    }

    #[test]
    fn lines_with_any_end() {
        // a buffer of 2 bytes, so that lines and line ends are cut anywhere
        let mut lines = lines(BufReader::with_capacity(2, &b"one\r\n\ntwo\nrest"[..]));
        for (number, line) in [(1, "one"), (2, ""), (3, "two"), (4, "rest")] {
            assert_eq!(lines.next(for_ever).unwrap(), Line::Whole(line.as_bytes()));
            assert_eq!(lines.number(), number);
        }
        assert_eq!(lines.next(for_ever).unwrap(), Line::End);
    }

    #[test]
    fn lines_that_end_with_a_carriage_return() {
        for capacity in [1, 2, 3, 100] {
            let mut lines = lines(BufReader::with_capacity(capacity, &b"one\rtwo\r\nthree\r\rfive\n\rseven\r"[..]));
            for line in ["one", "two", "three", "", "five", "", "seven"] {
                assert_eq!(lines.next(for_ever).unwrap(), Line::Whole(line.as_bytes()));
            }
            assert_eq!(lines.next(for_ever).unwrap(), Line::End);
        }
    }

    #[test]
    fn a_long_line_is_passed_over_and_not_kept() {
        let mut text = vec![b'x'; 1_000_000];
        text.extend_from_slice(b"\nnext\n");
        let mut lines = lines(&text[..]);
        assert_eq!(lines.next(for_ever).unwrap(), Line::TooLong);
        assert!(lines.line.bytes.capacity() <= LONGEST_LINE);
        assert_eq!(lines.next(for_ever).unwrap(), Line::Whole(b"next"));
        assert_eq!(lines.number(), 2);
    }

    #[test]
    fn the_longest_line_is_kept() {
        let text = [vec![b'x'; LONGEST_LINE], b"\n".to_vec(), vec![b'x'; LONGEST_LINE + 1]].concat();
        let mut lines = lines(BufReader::with_capacity(1000, &text[..]));
        assert_eq!(lines.next(for_ever).unwrap(), Line::Whole(&text[..LONGEST_LINE]));
        assert_eq!(lines.next(for_ever).unwrap(), Line::TooLong);
        assert_eq!(lines.next(for_ever).unwrap(), Line::End);
    }

    #[test]
    fn a_silent_pipe_is_left_when_the_time_is_over() {
        let (reader, mut writer) = io::pipe().unwrap();
        let file = Arc::new(File::from(std::os::fd::OwnedFd::from(reader.try_clone().unwrap())));
        let mut lines = lines(BufReader::new(reader));
        lines.poll(file);
        let now = || Duration::ZERO;
        assert_eq!(lines.next(now).unwrap(), Line::Pending);
        assert_eq!(lines.next(|| Duration::from_millis(1)).unwrap(), Line::Pending);
        writer.write_all(b"ha").unwrap();
        assert_eq!(lines.next(now).unwrap(), Line::Pending);
        writer.write_all(b"lf\nwhole\nrest").unwrap();
        assert_eq!(lines.next(now).unwrap(), Line::Whole(b"half"));
        // it is in the buffer, where the pipe is empty
        assert_eq!(lines.next(now).unwrap(), Line::Whole(b"whole"));
        assert_eq!(lines.next(now).unwrap(), Line::Pending);
        assert_eq!(lines.number(), 2);
        drop(writer);
        assert_eq!(lines.next(for_ever).unwrap(), Line::Whole(b"rest"));
        assert_eq!(lines.next(for_ever).unwrap(), Line::End);
    }

    proptest! {
        #[test]
        fn however_the_time_is_cut_the_lines_are_the_same(
            text in "([a-z]{0,9}(\r|\r?\n)){0,9}[a-z]{0,3}",
            capacity in 1_usize..8,
            hurried in prop::collection::vec(any::<bool>(), 1..16),
        ) {
            let read = |hurried: &[bool]| {
                let mut lines = lines(BufReader::with_capacity(capacity, text.as_bytes()));
                let mut all = Vec::new();
                for hurried in hurried.iter().cycle() {
                    match lines.next(|| if *hurried { Duration::ZERO } else { Duration::MAX }).unwrap() {
                        Line::Whole(line) => all.push(line.to_vec()),
                        Line::Pending => {}
                        Line::TooLong => unreachable!("no line is that long"),
                        Line::End => break,
                    }
                }
                (all, lines.number())
            };
            prop_assert_eq!(read(&hurried), read(&[false]));
        }
    }
}
