//! From the bytes of a source to UTF-8: unpacks gzip, and turns UTF-16 into UTF-8.
//!
//! What a source is written in shows in its first two bytes. Bytes are taken as they come, so that neither the end of a
//! buffer nor a deadline can fall into a bad place.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

/// So many bytes of gzip are unpacked at a time: at most a thousand times as many come out.
const PACKED_BYTES: usize = 256;

/// What the bytes of a source are.
pub(super) enum Encoding {
    /// Not known before the second byte.
    Unknown(Start),
    /// UTF-8, or at least no encoding that is known.
    Plain,
    /// gzip, of text in one of the others.
    Gzip(Box<Gzip>),
    /// UTF-16.
    Utf16(Utf16),
}

/// The start of a source.
pub(super) struct Start {
    first: Option<u8>,
    /// It was packed, and what is in it is text: a file that unpacks to itself would go on for ever.
    unpacked: bool,
}

impl Encoding {
    /// Of a source of which nothing has been seen.
    pub(super) fn unknown() -> Self {
        Self::Unknown(Start { first: None, unpacked: false })
    }

    /// Whether all bytes that are not yet fed can be read as they are.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// How many of `available` bytes go into one call of [`Encoding::feed`].
    pub(super) fn portion(&self, available: usize) -> usize {
        match self {
            // the two that tell, so that what follows is fed to what it is
            Self::Unknown(start) => available.min(2 - usize::from(start.first.is_some())),
            _ => available.min(PACKED_BYTES),
        }
    }

    /// Takes the next bytes of the source and appends to `text` what they give.
    pub(super) fn feed(&mut self, mut bytes: &[u8], text: &mut Vec<u8>) -> io::Result<()> {
        if let Self::Unknown(start) = self {
            if start.first.is_none() {
                start.first = bytes.split_off_first().copied();
            }
            let (Some(one), Some(other)) = (start.first, bytes.split_off_first().copied()) else { return Ok(()) };
            *self = Self::from_start([one, other], start.unpacked);
            // a mark of the byte order is no text
            if !matches!([one, other], [0xff, 0xfe] | [0xfe, 0xff]) {
                self.feed(&[one, other], text)?;
            }
        }
        match self {
            Self::Unknown(_) => {}
            Self::Plain => text.extend_from_slice(bytes),
            Self::Gzip(gzip) => gzip.feed(bytes, text)?,
            Self::Utf16(utf16) => bytes.iter().for_each(|byte| utf16.feed(*byte, text)),
        }
        Ok(())
    }

    /// The source has ended: appends what was held back. Gives what is wrong where it ends too early.
    pub(super) fn finish(&mut self, text: &mut Vec<u8>) -> Option<io::Error> {
        match self {
            Self::Unknown(start) => text.extend(start.first.take()),
            Self::Plain | Self::Utf16(_) => {}
            Self::Gzip(gzip) => return gzip.finish(text),
        }
        None
    }

    fn from_start(start: [u8; 2], unpacked: bool) -> Self {
        match start {
            [0x1f, 0x8b] if !unpacked => Self::Gzip(Box::new(Gzip {
                unpacker: MultiGzDecoder::new(Vec::new()),
                inner: Self::Unknown(Start { first: None, unpacked: true }),
                finished: false,
            })),
            // with a mark, or a Latin letter without one
            [0xff, 0xfe] | [1..=0x7f, 0] => Self::Utf16(Utf16::new(u16::from_le_bytes)),
            [0xfe, 0xff] | [0, 1..=0x7f] => Self::Utf16(Utf16::new(u16::from_be_bytes)),
            _ => Self::Plain,
        }
    }
}

/// Unpacks gzip.
pub(super) struct Gzip {
    unpacker: MultiGzDecoder<Vec<u8>>,
    inner: Encoding,
    finished: bool,
}

impl Gzip {
    fn feed(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> io::Result<()> {
        if self.finished {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "gzip goes on after its end"));
        }
        self.unpacker.write_all(bytes)?;
        // what is in it is wanted now, not when more has come
        self.unpacker.flush()?;
        self.pass_on(text)
    }

    fn pass_on(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        let unpacked = self.unpacker.get_mut();
        let passed = self.inner.feed(unpacked, text);
        unpacked.clear();
        passed
    }

    fn finish(&mut self, text: &mut Vec<u8>) -> Option<io::Error> {
        if std::mem::replace(&mut self.finished, true) {
            return None;
        }
        // a recorder that lost its power: all that came is good
        let cut = self.unpacker.try_finish().and_then(|()| self.pass_on(text)).err();
        cut.or(self.inner.finish(text))
    }
}

/// Turns UTF-16 into UTF-8.
pub(super) struct Utf16 {
    order: fn([u8; 2]) -> u16,
    /// The first byte of a unit.
    half: Option<u8>,
    /// The first unit of a letter that takes two.
    high: Option<u16>,
}

impl Utf16 {
    fn new(order: fn([u8; 2]) -> u16) -> Self {
        Self { order, half: None, high: None }
    }

    fn feed(&mut self, byte: u8, text: &mut Vec<u8>) {
        let Some(half) = self.half.take() else {
            self.half = Some(byte);
            return;
        };
        let unit = (self.order)([half, byte]);
        match self.high.take() {
            None if is_high(unit) => self.high = Some(unit),
            None => push(&[unit], text),
            Some(high) if is_high(unit) => {
                push(&[high], text);
                self.high = Some(unit);
            }
            Some(high) => push(&[high, unit], text),
        }
    }
}

fn push(units: &[u16], text: &mut Vec<u8>) {
    for letter in char::decode_utf16(units.iter().copied()) {
        let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
        text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn is_high(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const TEXT: &str = "t,acc °\n1,2 😀 é\r\n";

    fn utf16(order: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter().chain(TEXT.encode_utf16()).flat_map(order).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn text(bytes: &[u8], portion: usize) -> String {
        let (mut encoding, mut text) = (Encoding::unknown(), Vec::new());
        for mut bytes in bytes.chunks(portion) {
            while !bytes.is_empty() {
                let (now, later) = bytes.split_at(encoding.portion(bytes.len()));
                encoding.feed(now, &mut text).unwrap();
                bytes = later;
            }
        }
        encoding.finish(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_encoding_however_it_is_cut() {
        let little = utf16(u16::to_le_bytes, true);
        let all = [
            TEXT.as_bytes().to_vec(),
            little.clone(),
            utf16(u16::to_be_bytes, true),
            utf16(u16::to_le_bytes, false),
            utf16(u16::to_be_bytes, false),
            gzip(TEXT.as_bytes()),
            gzip(&little),
            // members one behind the other, as `cat` and appending loggers make them
            [gzip(&TEXT.as_bytes()[..9]), gzip(&TEXT.as_bytes()[9..])].concat(),
        ];
        for (number, bytes) in all.iter().enumerate() {
            for portion in [1, 2, 3, 7, 1000] {
                assert_eq!(text(bytes, portion), TEXT, "encoding {number} in portions of {portion}");
            }
        }
    }

    #[test]
    fn what_came_of_a_broken_gzip_is_read() {
        let whole = gzip(TEXT.repeat(1000).as_bytes());
        let found = text(&whole[..whole.len() - 9], 100);
        assert!(found.len() > 1000 && TEXT.repeat(1000).starts_with(&found), "{} letters", found.len());
        assert_eq!(text(b"x", 1), "x");
        // a file that grows once its end was read
        let mut encoding = Encoding::unknown();
        let mut text = Vec::new();
        for bytes in [&whole[..2], &whole[2..100]] {
            encoding.feed(bytes, &mut text).unwrap();
        }
        encoding.finish(&mut text);
        assert!(encoding.feed(&whole[100..200], &mut text).is_err());
    }

    #[test]
    fn half_a_letter_is_a_replacement() {
        let (mut encoding, mut text) = (Encoding::unknown(), Vec::new());
        encoding.feed(&[0xff, 0xfe], &mut text).unwrap();
        // a high unit without its low one, then a letter
        encoding.feed(&[0x3d, 0xd8, b'a', 0, 0x3d, 0xd8, 0x3d, 0xd8, 0, 0xde], &mut text).unwrap();
        assert!(String::from_utf8(text).unwrap().starts_with("\u{fffd}a"));
    }
}
