//! The time of day, as lines and tables show it.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::{DateTimePrinter, Pieces};
use jiff::tz::{Offset, TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A time in milliseconds with its distance from UTC: RFC 3339 on the wire, such as `2026-11-30T08:05:02.560+01:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    at: Timestamp,
    offset: Offset,
}

const DAY_S: i64 = 86_400;

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Where the system keeps its time zone, and all others.
const LOCAL: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo";

impl LocalTime {
    /// The time `since_1970` after the beginning of 1970, UTC, in this machine's time zone as it was when the process first
    /// asked; nothing after the year 9999.
    #[must_use]
    pub fn new(since_1970: Duration) -> Option<Self> {
        // times that were seconds in a double are off by some tenths of a microsecond
        let ms = since_1970.saturating_add(Duration::from_micros(500)).as_millis();
        let at = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
        Some(Self { at, offset: zone().to_offset(at) })
    }

    /// The time now; nothing where the system's clock stands before 1970.
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::new(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?)
    }

    /// From the beginning of 1970, UTC.
    #[must_use]
    pub fn since_1970(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.at.as_millisecond()).unwrap_or(0))
    }

    /// The day in its place, counted from the first of 1970.
    #[must_use]
    pub fn day(&self) -> i64 {
        self.local_s().div_euclid(DAY_S)
    }

    /// The beginning of its day, as far as the distance from UTC was the same then.
    #[must_use]
    pub fn midnight(&self) -> Option<Self> {
        let at = Timestamp::from_second(self.day() * DAY_S - i64::from(self.offset.seconds())).ok()?;
        Some(Self { at, ..*self })
    }

    fn local_s(&self) -> i64 {
        self.at.as_millisecond().div_euclid(1000) + i64::from(self.offset.seconds())
    }

    /// Hour, minute and second of the day.
    #[must_use]
    pub fn of_day(&self) -> (i64, i64, i64) {
        let second = self.local_s().rem_euclid(DAY_S);
        (second / 3600, second / 60 % 60, second % 60)
    }
}

/// The time zone that `TZ` names, or else the system's; read once, as a C library does.
fn zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| named_zone(&std::env::var("TZ").unwrap_or_default()).unwrap_or(TimeZone::UTC))
}

/// The zone `name`: one of the system's, a file, or a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`; the system's own where it is
/// empty.
fn named_zone(name: &str) -> Option<TimeZone> {
    let name = name.strip_prefix(':').unwrap_or(name);
    let path = if name.is_empty() { LOCAL.into() } else { std::path::Path::new(ZONES).join(name) };
    let of_file = std::fs::read(path).ok().and_then(|file| TimeZone::tzif(name, &file).ok());
    of_file.or_else(|| TimeZone::posix(name).ok())
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PRINTER.print_timestamp_with_offset(&self.at, self.offset, StdFmtWrite(f)).map_err(|_| fmt::Error)
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LocalTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let parse = || {
            let pieces = Pieces::parse(text.as_bytes()).ok()?;
            let offset = pieces.to_numeric_offset()?;
            let at = offset.to_timestamp(DateTime::from_parts(pieces.date(), pieces.time()?)).ok()?;
            Some(Self { at, offset })
        };
        parse().ok_or_else(|| D::Error::custom(format_args!("not a time of RFC 3339: {text}")))
    }
}

impl JsonSchema for LocalTime {
    fn schema_name() -> Cow<'static, str> {
        "LocalTime".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: &str, ms: u64) -> LocalTime {
        let at = Timestamp::from_millisecond(i64::try_from(ms).unwrap()).unwrap();
        LocalTime { at, offset: named_zone(zone).unwrap().to_offset(at) }
    }

    #[test]
    fn a_time_is_written_with_milliseconds_and_the_offset_of_its_day() {
        // central European rules, which change on 2026-03-29 and 2026-10-25 at 01:00 UTC
        let zone = "CET-1CEST,M3.5.0,M10.5.0/3";
        for (ms, written, of_day) in [
            (1_774_745_999_999, "2026-03-29T01:59:59.999+01:00", (1, 59, 59)),
            (1_774_746_000_000, "2026-03-29T03:00:00.000+02:00", (3, 0, 0)),
            (1_792_889_999_999, "2026-10-25T02:59:59.999+02:00", (2, 59, 59)),
            (1_792_890_000_000, "2026-10-25T02:00:00.000+01:00", (2, 0, 0)),
        ] {
            let time = at(zone, ms);
            assert_eq!((time.to_string().as_str(), time.of_day()), (written, of_day));
            let midnight = time.midnight().unwrap();
            assert_eq!((midnight.day(), midnight.of_day()), (time.day(), (0, 0, 0)));
            let text = serde_json::to_string(&time).unwrap();
            assert_eq!((text.as_str(), serde_json::from_str(&text).ok()), (&*format!("\"{written}\""), Some(time)));
        }
        assert_eq!(at("EST5", 0).to_string(), "1969-12-31T19:00:00.000-05:00");
        assert_eq!((at("EST5", 0).day(), at("EST5", 0).of_day()), (-1, (19, 0, 0)));
        assert_eq!(at("<+0545>-5:45", 0).to_string(), "1970-01-01T05:45:00.000+05:45");
        assert_eq!(at("UTC0", 1).to_string(), "1970-01-01T00:00:00.001+00:00");
    }

    #[test]
    fn what_names_no_zone_is_none_and_no_time_is_refused() {
        assert_eq!(named_zone("Nowhere/At_All"), None);
        for text in [r#""""#, r#""2026-03-29""#, r#""2026-03-29T01:00:00""#, r#""soon""#, "7"] {
            assert!(serde_json::from_str::<LocalTime>(text).is_err(), "{text}");
        }
        assert_eq!(LocalTime::new(Duration::MAX), None);
    }

    #[test]
    fn seconds_in_a_double_are_the_milliseconds_that_were_meant() {
        let time = LocalTime::new(Duration::from_secs_f64(1_764_400_002.56)).unwrap();
        assert_eq!(time.since_1970(), Duration::from_millis(1_764_400_002_560));
    }
}
