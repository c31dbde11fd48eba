//! Lines of text from anywhere, in bounded memory.

use std::io::{self, BufRead, ErrorKind};

/// Longest line that is read; of a longer one nothing is kept.
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// What [`LineReader::next`] found.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// A line, without its end.
    Whole(&'a [u8]),
    /// A line of more than [`LONGEST_LINE`] bytes, passed over to its end.
    TooLong,
    /// There is no further line.
    End,
}

/// Reads lines and counts them, never holding more than [`LONGEST_LINE`] bytes of one.
pub(super) struct LineReader<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> LineReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), number: 0 }
    }

    /// Number of the line read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        let mut begun = false;
        let mut too_long = false;
        loop {
            let bytes = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                if !begun {
                    return Ok(Line::End);
                }
                break;
            }
            begun = true;
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let part = end.unwrap_or(bytes.len());
            too_long |= self.line.len() + part > LONGEST_LINE;
            if !too_long {
                self.line.extend_from_slice(&bytes[..part]);
            }
            self.reader.consume(part + usize::from(end.is_some()));
            if end.is_some() {
                break;
            }
        }
        self.number += 1;
        Ok(if too_long { Line::TooLong } else { Line::Whole(self.line.strip_suffix(b"\r").unwrap_or(&self.line)) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_with_any_end() {
        // a buffer of 2 bytes, so that lines and line ends are cut anywhere
        let mut lines = LineReader::new(BufReader::with_capacity(2, &b"one\r\n\ntwo\nrest"[..]));
        for (number, line) in [(1, "one"), (2, ""), (3, "two"), (4, "rest")] {
            assert_eq!(lines.next().unwrap(), Line::Whole(line.as_bytes()));
            assert_eq!(lines.number(), number);
        }
        assert_eq!(lines.next().unwrap(), Line::End);
    }

    #[test]
    fn a_long_line_is_passed_over_and_not_kept() {
        let mut text = vec![b'x'; 1_000_000];
        text.extend_from_slice(b"\nnext\n");
        let mut lines = LineReader::new(&text[..]);
        assert_eq!(lines.next().unwrap(), Line::TooLong);
        assert!(lines.line.capacity() <= LONGEST_LINE);
        assert_eq!(lines.next().unwrap(), Line::Whole(b"next"));
        assert_eq!(lines.number(), 2);
    }

    #[test]
    fn the_longest_line_is_kept() {
        let text = [vec![b'x'; LONGEST_LINE], b"\n".to_vec(), vec![b'x'; LONGEST_LINE + 1]].concat();
        let mut lines = LineReader::new(BufReader::with_capacity(1000, &text[..]));
        assert_eq!(lines.next().unwrap(), Line::Whole(&text[..LONGEST_LINE]));
        assert_eq!(lines.next().unwrap(), Line::TooLong);
        assert_eq!(lines.next().unwrap(), Line::End);
    }
}
