//! What a binary scan looks like: which bytes belong to which channel, and what they mean.

use std::str::FromStr;

/// How one channel's value is stored in a scan: what a file `scan_elements/*_type` says, such as `be:s16/16>>0`, in the
/// kernel's form `[be|le]:[s|u|f]bits/storagebits[Xrepeat][>>shift]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementType {
    big_endian: bool,
    kind: Kind,
    /// Bits that mean something, 1 to `storage`.
    bits: u32,
    /// Bits that it takes: 8, 16, 32 or 64.
    storage: u32,
    /// How many there are in a row, a power of two.
    repeat: u32,
    /// By how many bits it is shifted to the left.
    shift: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    Float,
}

impl FromStr for ElementType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (endian, rest) = text.split_once(':')?;
            let big_endian = [("be", true), ("le", false)].iter().find(|(name, _)| *name == endian)?.1;
            let (kind, rest) = rest.split_at_checked(1)?;
            let kinds = [("s", Kind::Signed), ("u", Kind::Unsigned), ("f", Kind::Float)];
            let kind = kinds.iter().find(|(name, _)| *name == kind)?.1;
            let (bits, rest) = rest.split_once('/')?;
            let (rest, shift) = rest.split_once(">>").map_or((rest, Some(0)), |(rest, shift)| (rest, number(shift)));
            let (storage, repeat) =
                rest.split_once('X').map_or((rest, Some(1)), |(storage, repeat)| (storage, number(repeat)));
            let (bits, storage) = (number(bits)?, number(storage)?);
            Some(Self { big_endian, kind, bits, storage, repeat: repeat?.max(1), shift: shift? })
        };
        let parsed = parts().ok_or("expected a form such as be:s16/16>>0 or le:u12/16X4>>4")?;
        let Self { kind, bits, storage, repeat, shift, .. } = parsed;
        if !matches!(storage, 8 | 16 | 32 | 64) {
            return Err(format!("{storage} bits of storage; 8, 16, 32 and 64 can be read"));
        }
        if bits == 0 || bits.saturating_add(shift) > storage {
            return Err(format!("{bits} bits, shifted by {shift}, do not fit into {storage}"));
        }
        if kind == Kind::Float && (bits != storage || !matches!(bits, 32 | 64)) {
            return Err(format!("a floating-point number of {bits} bits; 32 and 64 can be read"));
        }
        // the kernel aligns by masks, which mean something for powers of two only
        if !repeat.is_power_of_two() || repeat > 64 {
            return Err(format!("{repeat} values in a row; a power of two up to 64 can be read"));
        }
        Ok(parsed)
    }
}

/// Digits alone: no sign, no blank.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl ElementType {
    /// `le:f64/64>>0`.
    pub(super) const DOUBLE: Self =
        Self { big_endian: false, kind: Kind::Float, bits: 64, storage: 64, repeat: 1, shift: 0 };

    /// `le:s64/64>>0`.
    pub(super) const NANOSECONDS: Self = Self { kind: Kind::Signed, ..Self::DOUBLE };

    /// Bytes that it takes in a scan, repetitions included; a scan's elements begin at multiples of it.
    #[must_use]
    pub fn size(&self) -> usize {
        (self.storage / 8 * self.repeat) as usize
    }

    /// The value in the first bytes of `bytes`, before scale and offset; of repeated ones the first.
    ///
    /// # Panics
    /// When there are fewer bytes than [`ElementType::size`].
    #[must_use]
    pub fn value(&self, bytes: &[u8]) -> f64 {
        match (self.kind, self.storage) {
            (Kind::Float, 32) => f64::from(f32::from_bits(self.stored(bytes) as u32)),
            (Kind::Float, _) => f64::from_bits(self.stored(bytes)),
            (Kind::Signed, _) => self.signed(bytes) as f64,
            (Kind::Unsigned, _) => self.unsigned(bytes) as f64,
        }
    }

    /// The same as a whole number, exact: for timestamps. An unsigned one beyond the range of `i64` wraps.
    ///
    /// # Panics
    /// When there are fewer bytes than [`ElementType::size`].
    #[must_use]
    pub fn integer(&self, bytes: &[u8]) -> i64 {
        match self.kind {
            Kind::Float => self.value(bytes) as i64,
            Kind::Signed => self.signed(bytes),
            Kind::Unsigned => self.unsigned(bytes) as i64,
        }
    }

    /// The largest raw value that it can hold, or 1 for floating point.
    #[must_use]
    pub fn full_scale(&self) -> f64 {
        match self.kind {
            Kind::Signed => f64::from(self.bits - 1).exp2(),
            Kind::Unsigned => f64::from(self.bits).exp2(),
            Kind::Float => 1.0,
        }
    }

    /// The storage as a number, in this machine's order.
    fn stored(&self, bytes: &[u8]) -> u64 {
        let bytes = &bytes[..(self.storage / 8) as usize];
        let next = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, next) } else { bytes.iter().rev().fold(0, next) }
    }

    fn unsigned(&self, bytes: &[u8]) -> u64 {
        (self.stored(bytes) >> self.shift) & (u64::MAX >> (64 - self.bits))
    }

    fn signed(&self, bytes: &[u8]) -> i64 {
        let above = 64 - self.bits;
        // the sign is the highest bit that means something
        ((self.unsigned(bytes) << above) as i64) >> above
    }
}

/// Where the elements of a scan are. In the order of their index each begins at the next multiple of its size, and the
/// whole is as long as a multiple of the largest (the kernel's `iio_compute_scan_bytes`, since 5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    offsets: Vec<usize>,
    size: usize,
}

impl Layout {
    /// The layout of these elements, each with its index (`scan_elements/*_index`), in any order.
    ///
    /// # Errors
    /// When there is none, or two have the same index.
    pub fn new(elements: &[(u32, ElementType)]) -> Result<Self, String> {
        let mut order: Vec<usize> = (0..elements.len()).collect();
        order.sort_by_key(|&number| elements[number].0);
        if let Some(pair) = order.windows(2).find(|pair| elements[pair[0]].0 == elements[pair[1]].0) {
            return Err(format!("two elements have the index {}", elements[pair[0]].0));
        }
        let mut offsets = vec![0; elements.len()];
        let (mut size, mut largest) = (0_usize, 0);
        for number in order {
            let length = elements[number].1.size();
            offsets[number] = size.next_multiple_of(length);
            size = offsets[number] + length;
            largest = largest.max(length);
        }
        if size == 0 {
            return Err("no element".to_owned());
        }
        Ok(Self { offsets, size: size.next_multiple_of(largest) })
    }

    /// Bytes of a scan.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Where element `number` begins, in the order in which [`Layout::new`] was given them.
    ///
    /// # Panics
    /// When there is no such element.
    #[must_use]
    pub fn offset(&self, number: usize) -> usize {
        self.offsets[number]
    }
}
