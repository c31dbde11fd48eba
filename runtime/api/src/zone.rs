//! The time zone of this machine, from the file in which the system keeps it (TZif, RFC 9636). jiff's own reader has the same
//! answers and takes 50 kB more of the program.

use std::path::Path;
use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Where the system keeps its time zone, and all others.
const LOCAL: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo";

/// A time zone: its distances from UTC so far, and the rule by which they go on.
pub(crate) struct Zone {
    /// Until the first change.
    first: Offset,
    /// When they changed, in seconds since 1970, and to what.
    changes: Vec<(i64, Offset)>,
    rule: Option<TimeZone>,
}

impl Zone {
    /// The zone that `TZ` names, or else the system's, or else UTC; read once, as a C library does.
    pub(crate) fn local() -> &'static Self {
        static ZONE: OnceLock<Zone> = OnceLock::new();
        ZONE.get_or_init(|| {
            let utc = || Self { first: Offset::UTC, changes: Vec::new(), rule: None };
            Self::named(&std::env::var("TZ").unwrap_or_default()).unwrap_or_else(utc)
        })
    }

    /// The zone `name`: one of the system's, a file, or a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`; the system's own where
    /// it is empty.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix(':').unwrap_or(name);
        let path = if name.is_empty() { LOCAL.into() } else { Path::new(ZONES).join(name) };
        let of_file = std::fs::read(path).ok().and_then(|file| Self::of_file(&file));
        of_file.or_else(|| {
            let rule = TimeZone::posix(name).ok()?;
            Some(Self { first: Offset::UTC, changes: Vec::new(), rule: Some(rule) })
        })
    }

    /// The distance from UTC at `at`.
    pub(crate) fn offset(&self, at: Timestamp) -> Offset {
        let past = self.changes.partition_point(|(change, _)| *change <= at.as_second());
        match &self.rule {
            Some(rule) if past == self.changes.len() => rule.to_offset(at),
            _ => past.checked_sub(1).map_or(self.first, |last| self.changes[last].1),
        }
    }

    /// Reads a file of the second version or a later one; nothing where it is none.
    fn of_file(file: &[u8]) -> Option<Self> {
        // the first block has times of 32 bits, for programs of the last century
        let (header, rest) = header(file)?;
        let (counts, rest) = self::header(rest.get(header.length(4)?..)?)?;
        let (block, footer) = rest.split_at_checked(counts.length(8)?)?;
        let (times, block) = block.split_at_checked(counts.times * 8)?;
        let (kinds, block) = block.split_at_checked(counts.times)?;
        let offset = |kind: usize| {
            let seconds = block.get(..counts.kinds * 6)?.get(kind * 6..kind * 6 + 4)?;
            Offset::from_seconds(i32::from_be_bytes(seconds.try_into().ok()?)).ok()
        };
        let change =
            |(time, kind): (&[u8], &u8)| Some((i64::from_be_bytes(time.try_into().ok()?), offset((*kind).into())?));
        let rule = std::str::from_utf8(footer).ok()?.trim_matches('\n');
        Some(Self {
            first: offset(0)?,
            changes: times.chunks_exact(8).zip(kinds).map(change).collect::<Option<_>>()?,
            rule: if rule.is_empty() { None } else { Some(TimeZone::posix(rule).ok()?) },
        })
    }
}

/// How much there is of each in a block.
struct Counts {
    marks: usize,
    leaps: usize,
    times: usize,
    kinds: usize,
    characters: usize,
}

impl Counts {
    /// The bytes of the block, where a time has `time` of them.
    fn length(&self, time: usize) -> Option<usize> {
        let times = self.times.checked_mul(time + 1)?;
        let leaps = self.leaps.checked_mul(time + 4)?;
        times.checked_add(self.kinds.checked_mul(6)?)?.checked_add(leaps)?.checked_add(self.characters + self.marks)
    }
}

/// The header at the beginning of `bytes`, and what follows it.
fn header(bytes: &[u8]) -> Option<(Counts, &[u8])> {
    let (header, rest) = bytes.split_at_checked(44)?;
    let mut counts = header.strip_prefix(b"TZif")?[16..].chunks_exact(4).map(|count| {
        // none of a zone's is above a few thousand
        let count = u32::from_be_bytes(count.try_into().ok()?);
        usize::try_from(count).ok().filter(|count| *count < 1 << 20)
    });
    let mut next = || counts.next().flatten();
    let marks = next()? + next()?;
    let counts = Counts { marks, leaps: next()?, times: next()?, kinds: next()?, characters: next()? };
    // the first version, which has nothing else
    (header[4] >= b'2').then_some((counts, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_jiff_reads_it() {
        let mut read = 0;
        for name in [
            "Etc/UTC",
            "Europe/Berlin",
            "Europe/Dublin",
            "America/New_York",
            "America/Nuuk",
            "Asia/Kathmandu",
            "Africa/Casablanca",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Asia/Tehran",
        ] {
            let Ok(file) = std::fs::read(Path::new(ZONES).join(name)) else { continue };
            let (zone, expected) = (Zone::of_file(&file).unwrap(), TimeZone::tzif(name, &file).unwrap());
            for step in 0..20_000 {
                // from 1900 to 2100, at odd times
                let at = Timestamp::from_second(-2_208_988_800 + step * 315_577).unwrap();
                assert_eq!(zone.offset(at), expected.to_offset(at), "{name} at {at}");
            }
            for (change, _) in &zone.changes {
                for at in [change - 1, *change].into_iter().filter_map(|at| Timestamp::from_second(at).ok()) {
                    assert_eq!(zone.offset(at), expected.to_offset(at), "{name} at {at}");
                }
            }
            read += 1;
            for length in 0..file.len() {
                // a part of a file is none, or has another rule; it is never a panic
                let _ = Zone::of_file(&file[..length]);
            }
        }
        if read == 0 {
            eprintln!("SKIPPED a_file_is_read_as_jiff_reads_it: there is no time zone in {ZONES}");
        }
    }

    #[test]
    fn what_names_no_zone_is_none() {
        for name in ["Nowhere/At_All", "../../../etc/passwd", "/etc/passwd"] {
            assert!(Zone::named(name).is_none(), "{name}");
        }
        for file in [&b""[..], b"TZif", &[0xff; 200], &[b"TZif2".as_slice(), &[0xff; 200]].concat()] {
            assert!(Zone::of_file(file).is_none());
        }
    }
}
