//! Times as people write them: numbers in a unit that is stated or seen, and dates.

use jiff::civil::Time;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimeUnit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl TimeUnit {
    const ALL: [Self; 4] = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];

    /// The unit that `name` is.
    pub(super) fn named(name: &str) -> Option<Self> {
        let is = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        if is(&["s", "sec", "secs", "second", "seconds"]) {
            Some(Self::Seconds)
        } else if is(&["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"]) {
            Some(Self::Millis)
        } else if is(&["us", "µs", "μs", "usec", "usecs", "micros", "microsecond", "microseconds"]) {
            Some(Self::Micros)
        } else if is(&["ns", "nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"]) {
            Some(Self::Nanos)
        } else {
            None
        }
    }

    /// As streams write it.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }

    fn per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }
}

/// A time as a row has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Stamp {
    /// The row has none.
    #[default]
    Missing,
    /// A whole number, kept as one: in a double, nanoseconds since 1970 would lose their last three digits.
    Whole(i64),
    /// A number with a fraction, or too large a one.
    Real(f64),
    /// A date and time: seconds since 1970, in UTC where nothing else is said, and nanoseconds.
    Instant(i64, i32),
    /// A time of the day: its seconds and nanoseconds.
    OfDay(i64, i32),
}

impl Stamp {
    /// Reads a number, a date or a time of the day; an empty text is no time.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Missing);
        }
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        if let Some(number) = super::number::parse(text) {
            return Some(Self::from(number));
        }
        parse_date(text)
    }

    /// The number, where it is one.
    fn number(self) -> Option<f64> {
        match self {
            Self::Whole(whole) => Some(whole as f64),
            Self::Real(real) => Some(real),
            Self::Missing | Self::Instant(..) | Self::OfDay(..) => None,
        }
    }

    /// The unit that the size of the number suggests.
    pub(super) fn unit_by_size(self) -> TimeUnit {
        unit_of_size(self.number().unwrap_or_default().abs())
    }

    /// In seconds, where numbers are in `unit`.
    pub(super) fn seconds(self, unit: TimeUnit) -> Option<f64> {
        let parts = |seconds: i64, nanos: i32| seconds as f64 + f64::from(nanos) / 1e9;
        match self {
            Self::Missing => None,
            Self::Whole(whole) => {
                let per = unit.per_second();
                // whole seconds apart, which a double holds exactly
                Some((whole / per) as f64 + (whole % per) as f64 / per as f64)
            }
            Self::Real(real) => Some(real / unit.per_second() as f64).filter(|time| time.is_finite()),
            Self::Instant(seconds, nanos) | Self::OfDay(seconds, nanos) => Some(parts(seconds, nanos)),
        }
    }

    /// A date (which may hold a time that is then not used) and a time of the day put together; what is no such pair is
    /// the time alone.
    pub(super) fn on(self, date: Self) -> Self {
        const DAY: i64 = 86_400;
        match (self, date) {
            (Self::OfDay(seconds, nanos), Self::Instant(day, _)) => {
                Self::Instant(day - day.rem_euclid(DAY) + seconds, nanos)
            }
            (Self::Missing, date) => date,
            (time, _) => time,
        }
    }

    /// The rest of a second, given apart in `unit`, after a date in whole seconds. What is a second or more is no rest,
    /// and a date with a fraction lacks none.
    pub(super) fn and(self, rest: Self, unit: TimeUnit) -> Self {
        match (self, rest) {
            (Self::Instant(seconds, 0), Self::Whole(rest)) if (0..unit.per_second()).contains(&rest) => {
                // below 1e9
                Self::Instant(seconds, (rest * (1_000_000_000 / unit.per_second())) as i32)
            }
            (Self::Missing, rest) => rest,
            (time, _) => time,
        }
    }
}

impl From<f64> for Stamp {
    fn from(number: f64) -> Self {
        // what is whole was whole before a program wrote it with a point
        if number.fract() == 0.0 && number.abs() < 9e15 {
            Self::Whole(number as i64)
        } else if number.is_finite() {
            Self::Real(number)
        } else {
            Self::Missing
        }
    }
}

/// The longest date that is read.
const LONGEST_DATE: usize = 48;

/// Reads ISO 8601 and what is near it: a blank in place of the `T`, slashes or dots in the date, a comma or a third
/// colon before the fraction of a second. Without an offset it is in UTC.
fn parse_date(text: &str) -> Option<Stamp> {
    let mut bytes = [0; LONGEST_DATE];
    let mut bytes = bytes.get_mut(..text.len())?;
    bytes.copy_from_slice(text.as_bytes());
    // a blank before the offset
    if let Some(at) = bytes.iter().rposition(|&byte| byte == b' ')
        && matches!(bytes.get(at + 1), Some(b'+' | b'-'))
    {
        bytes.copy_within(at + 1.., at);
        let shorter = bytes.len() - 1;
        bytes = &mut bytes[..shorter];
    }
    let of_day = bytes.iter().position(|&byte| matches!(byte, b'T' | b't' | b' ')).map_or(0, |at| at + 1);
    let is_date = of_day > 0 || !bytes.contains(&b':');
    let (date, time) = bytes.split_at_mut(if is_date && of_day == 0 { bytes.len() } else { of_day });
    if date.len() >= 10 {
        for byte in &mut date[..10] {
            if matches!(byte, b'/' | b'.') {
                *byte = b'-';
            }
        }
    }
    let mut colons = 0;
    for byte in time {
        colons += usize::from(*byte == b':');
        // an offset has colons of its own
        if matches!(byte, b'+' | b'-' | b'Z' | b'z') {
            break;
        }
        if *byte == b',' || *byte == b':' && colons == 3 {
            *byte = b'.';
        }
    }
    if !is_date {
        let time = std::str::from_utf8(bytes).ok()?.parse::<Time>().ok()?;
        let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
        return Some(Stamp::OfDay(seconds, time.subsec_nanosecond()));
    }
    let pieces = Pieces::parse(&*bytes).ok()?;
    let instant = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    let instant = pieces.to_numeric_offset().unwrap_or(Offset::UTC).to_timestamp(instant).ok()?;
    let (seconds, nanos) = (instant.as_second(), instant.subsec_nanosecond());
    // before 1970 both are negative
    Some(if nanos < 0 { Stamp::Instant(seconds - 1, nanos + 1_000_000_000) } else { Stamp::Instant(seconds, nanos) })
}

/// So many rows at most wait for the unit of the time to be seen.
const MOST_WAITING: usize = 256;

/// Finds the unit of a time that has none out of its steps: rows come some hundred times a second at most, and every
/// two seconds at least.
///
/// Numbers alone would not tell: nanoseconds since a telephone was switched on look like milliseconds since 1970.
#[derive(Debug)]
pub(super) struct UnitSearch {
    rate_hz: f64,
    /// The time before the present one, and the rows since it came.
    last: Option<(f64, usize)>,
    /// What the step before looked like.
    before: Option<TimeUnit>,
    waiting: usize,
    largest: f64,
}

impl UnitSearch {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self { rate_hz, last: None, before: None, waiting: 0, largest: 0.0 }
    }

    /// Takes the next row's time; its unit, once it is known.
    pub(super) fn observe(&mut self, stamp: Stamp) -> Option<TimeUnit> {
        let Some(time) = stamp.number() else { return Some(TimeUnit::Seconds) };
        // since 1970, from 2001 to 2103: a fraction of so large a number is one of seconds
        if matches!(stamp, Stamp::Real(real) if (1e9..4.2e9).contains(&real)) {
            return Some(TimeUnit::Seconds);
        }
        self.waiting += 1;
        self.largest = self.largest.max(time.abs());
        let (last, rows) = *self.last.get_or_insert((time, 0));
        if time == last {
            self.last = Some((last, rows + 1));
            return (self.waiting >= MOST_WAITING).then(|| self.by_size());
        }
        self.last = Some((time, 1));
        // samples may share a time: whole seconds, or a packet's
        let unit = unit_of_step((time - last).abs() / rows.max(1) as f64 * self.rate_hz);
        // a pause at the very start makes one step long, not two alike
        if unit == TimeUnit::Seconds || self.before == Some(unit) {
            return Some(unit);
        }
        self.before = Some(unit);
        (self.waiting >= MOST_WAITING).then(|| self.by_size())
    }

    /// The unit that the size of the numbers suggests, for want of steps: what is no number of seconds since 1970 in
    /// this millennium is one of something smaller.
    pub(super) fn by_size(&self) -> TimeUnit {
        unit_of_size(self.largest)
    }
}

fn unit_of_size(largest: f64) -> TimeUnit {
    match largest {
        ..1e11 => TimeUnit::Seconds,
        ..1e14 => TimeUnit::Millis,
        ..1e17 => TimeUnit::Micros,
        _ => TimeUnit::Nanos,
    }
}

/// The unit in which a step of `periods` times the expected period (reckoned in seconds) is a sensible one.
fn unit_of_step(periods: f64) -> TimeUnit {
    // seconds up to one row in two seconds; each further unit from a thousandth of what is left of it
    let bounds = [100.0, 3e4, 3e7];
    let place = bounds.iter().position(|bound| periods < *bound).unwrap_or(bounds.len());
    TimeUnit::ALL[place]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str, unit: TimeUnit) -> Option<f64> {
        Stamp::parse(text).and_then(|stamp| stamp.seconds(unit))
    }

    #[test]
    fn numbers_in_every_unit() {
        assert_eq!(seconds("1.5", TimeUnit::Seconds), Some(1.5));
        assert_eq!(seconds("20", TimeUnit::Millis), Some(0.02));
        assert_eq!(seconds("1.5e6", TimeUnit::Micros), Some(1.5));
        // a double of 1.7e18 ns has steps of 256 ns; one of 1.7e9 s, of 0.24 us
        assert_eq!(seconds("1700000000020000000", TimeUnit::Nanos), Some(1_700_000_000.02));
        assert_eq!(seconds("-1500", TimeUnit::Millis), Some(-1.5));
        assert_eq!(seconds("20.0", TimeUnit::Millis), Some(0.02));
        assert_eq!(seconds("nan", TimeUnit::Seconds), None);
        assert_eq!(seconds("", TimeUnit::Seconds), None);
        assert_eq!(Stamp::parse("soon"), None);
    }

    #[test]
    fn dates() {
        for text in [
            "2025-03-01T12:00:00.020Z",
            "2025-03-01 12:00:00.020",
            "2025-03-01 13:00:00.020+01:00",
            "2025-03-01T07:00:00.02-0500",
            "2025/03/01 12:00:00,020",
            "2025-03-01 12:00:00:020",
            "2025.03.01 12:00:00.020000",
        ] {
            assert_eq!(seconds(text, TimeUnit::Nanos), Some(1_740_830_400.02), "{text}");
        }
        assert_eq!(seconds("2025-03-01", TimeUnit::Seconds), Some(1_740_787_200.0));
        assert_eq!(seconds("1969-12-31T23:59:59.5Z", TimeUnit::Seconds), Some(-0.5));
        assert_eq!(Stamp::parse("12:00:00.5"), Some(Stamp::OfDay(43_200, 500_000_000)));
        let date = Stamp::parse("2025-03-01").unwrap();
        let whole = Stamp::parse("12:00:00.020").unwrap().on(date);
        assert_eq!(whole.seconds(TimeUnit::Seconds), Some(1_740_830_400.02));
        let stamp = Stamp::parse("2024-07-30 13:28:54").unwrap().and(Stamp::Whole(1), TimeUnit::Millis);
        assert_eq!(stamp.seconds(TimeUnit::Seconds), Some(1_722_346_134.001));
        for text in
            ["2025-13-01", "2025-03-01T25:00", "12:00:61.5x", "1,2,3", "a date of some fifty letters, of no use at all"]
        {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    fn unit(times: &[f64]) -> TimeUnit {
        let mut search = UnitSearch::new(50.0);
        times.iter().find_map(|time| search.observe(Stamp::from(*time))).unwrap_or_else(|| search.by_size())
    }

    #[test]
    fn the_unit_is_seen_in_the_steps() {
        let steps = |start: f64, step: f64| [start, start + step, start + 2.0 * step];
        for (step, expected) in [
            (0.02, TimeUnit::Seconds),
            (1.0, TimeUnit::Seconds),
            (20.0, TimeUnit::Millis),
            (2.5, TimeUnit::Millis),
            (500.0, TimeUnit::Millis),
            (20_000.0, TimeUnit::Micros),
            (2.5e6, TimeUnit::Nanos),
            (2e7, TimeUnit::Nanos),
        ] {
            for start in [0.0, 123_456_789.0, 4e12] {
                assert_eq!(unit(&steps(start, step)), expected, "steps of {step} from {start}");
            }
        }
        // a pause of five seconds after the first row
        assert_eq!(unit(&[0.0, 5.0, 5.02, 5.04]), TimeUnit::Seconds);
        // whole seconds, and packets in milliseconds
        let shared = |rows: usize, step: f64| (0..200).map(|i| (i / rows) as f64 * step).collect::<Vec<_>>();
        assert_eq!(unit(&shared(50, 1.0)), TimeUnit::Seconds);
        assert_eq!(unit(&shared(10, 200.0)), TimeUnit::Millis);
        // one row alone
        assert_eq!(unit(&[1.7e9]), TimeUnit::Seconds);
        assert_eq!(unit(&[1.7e18]), TimeUnit::Nanos);
    }
}
