//! What the name of a column, a key or a file means, in the spellings that loggers use.
//!
//! `acc_x`, `ax`, `Accel X`, `accelerationX` and `X-axis acceleration` are one channel; `gyro_x`, `gyroscope_x`, `wx`,
//! `rotationRateX` and `Angular velocity x` are another.

use gaitd_core::stream::unit;

use super::time::TimeUnit;

/// A kind of motion sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sensor {
    /// The accelerometer: with gravity.
    Acceleration,
    /// The gyroscope.
    Rotation,
    /// What a telephone makes of both: acceleration without gravity.
    LinearAcceleration,
    /// The other part: gravity alone.
    Gravity,
    /// The magnetometer.
    Magnetic,
}

/// How a name says its sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// In a word.
    Plainly,
    /// As `gF`, the acceleration in g: beside it a bare `a` is without gravity.
    GForce,
    /// As `a` alone.
    Letter,
    /// As `g` alone, which is the gyroscope where `a` is the acceleration.
    LetterG,
}

/// What kind of time a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimeKind {
    /// Since the start of the recording.
    Elapsed,
    /// Anything else that is called a time.
    Stamp,
    /// A date, or a date and time as text.
    Date,
    /// A unit alone, such as `Milliseconds`: what a stamp in whole seconds lacks, or a time in it.
    Part,
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An axis (0 to 2) of a sensor.
    Axis(Sensor, usize, Said),
    /// An axis of nothing that is said.
    BareAxis(usize),
    /// A sensor without an axis.
    Whole(Sensor),
    /// The time.
    Time(TimeKind, Option<TimeUnit>),
    /// The name of the sensor that the row is of.
    SensorName,
    /// The activity.
    Label,
    /// Who wears the sensor.
    Subject,
    /// Nothing that is known.
    Unknown,
}

/// A name with what it says of the unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    pub(super) meaning: Meaning,
    pub(super) unit: Option<String>,
}

/// Words that say nothing.
const FILLERS: [&str; 13] = [
    "axis",
    "raw",
    "data",
    "value",
    "values",
    "reading",
    "readings",
    "total",
    "sensor",
    "sample",
    "calibrated",
    "android",
    "payload",
];
const ACCELERATION: [&str; 7] = ["acc", "acce", "accel", "accelero", "accelerometer", "accelerometers", "acceleration"];
const ROTATION: [&str; 12] = [
    "gyro",
    "gyr",
    "gyros",
    "gyroscope",
    "gyroscopes",
    "w",
    "omega",
    "ω",
    "rotationrate",
    "angularvelocity",
    "angvel",
    "angularrate",
];
/// Words of which two make a rotation.
const ROTATION_PARTS: [&str; 7] = ["rotation", "rot", "rate", "angular", "ang", "velocity", "vel"];
const LINEAR: [&str; 4] = ["linear", "lin", "user", "free"];
const LINEAR_WHOLE: [&str; 5] = ["linacc", "linaccel", "linearacceleration", "linearacc", "useracceleration"];
const MAGNETIC: [&str; 5] = ["mag", "magnet", "magneto", "magnetometer", "magnetic"];
const SUBJECTS: [&str; 7] = ["subject", "subjects", "person", "participant", "user", "wearer", "volunteer"];
const TIMES: [&str; 12] = [
    "t",
    "time",
    "timestamp",
    "timestamps",
    "ts",
    "elapsed",
    "epoch",
    "uptime",
    "unixtime",
    "monotonic",
    "date",
    "datetime",
];
const TIME_FILLERS: [&str; 23] = [
    "since",
    "start",
    "in",
    "of",
    "the",
    "from",
    "unix",
    "boot",
    "system",
    "sensor",
    "event",
    "utc",
    "gmt",
    "local",
    "relative",
    "stamp",
    "device",
    "sample",
    "recording",
    "logging",
    "at",
    "clock",
    "iso",
];
const DATE_PATTERN: [&str; 11] = ["yyyy", "yy", "mo", "mm", "dd", "hh", "mi", "ss", "sss", "fff", "m"];

/// The words of a name, in small letters: parted by whatever is no letter or digit, and where a capital follows a small
/// letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || small && letter.is_uppercase() {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().into_iter().for_each(|word| word.extend(letter.to_lowercase()));
        }
        small = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn axis(word: &str) -> Option<usize> {
    ["x", "y", "z"].iter().position(|axis| *axis == word)
}

/// The sensor that all of `words` say together.
fn sensor(words: &[&str]) -> Option<(Sensor, Said)> {
    let all = |of: &[&str]| words.iter().all(|word| of.contains(word));
    let any = |of: &[&str]| words.iter().any(|word| of.contains(word));
    let but = |of: &[&str]| -> Vec<&str> { words.iter().copied().filter(|word| !of.contains(word)).collect() };
    let with_gravity = ["including", "with", "gravity", "g"];
    Some(match words {
        [] => return None,
        ["a"] => (Sensor::Acceleration, Said::Letter),
        ["g"] => (Sensor::Rotation, Said::LetterG),
        ["g", "f"] | ["gf"] | ["g", "force"] | ["gforce"] => (Sensor::Acceleration, Said::GForce),
        _ if all(&ACCELERATION) => (Sensor::Acceleration, Said::Plainly),
        _ if any(&["including", "with"]) && {
            let rest = but(&with_gravity);
            !rest.is_empty() && rest.iter().all(|word| ACCELERATION.contains(word))
        } =>
        {
            (Sensor::Acceleration, Said::Plainly)
        }
        _ if all(&LINEAR_WHOLE) => (Sensor::LinearAcceleration, Said::Plainly),
        _ if any(&LINEAR) && sensor(&but(&LINEAR)).is_some_and(|(rest, _)| rest == Sensor::Acceleration) => {
            (Sensor::LinearAcceleration, Said::Plainly)
        }
        _ if any(&["without", "no"]) && any(&["gravity", "g"]) && any(&ACCELERATION) => {
            (Sensor::LinearAcceleration, Said::Plainly)
        }
        ["grav"] | ["gravity"] | ["gravity", "acceleration"] => (Sensor::Gravity, Said::Plainly),
        _ if all(&ROTATION) => (Sensor::Rotation, Said::Plainly),
        _ if any(&ROTATION) && all(&[&ROTATION[..], &ROTATION_PARTS[..]].concat()) => (Sensor::Rotation, Said::Plainly),
        [one, other] if one != other && all(&ROTATION_PARTS) => (Sensor::Rotation, Said::Plainly),
        _ if any(&MAGNETIC) && all(&[&MAGNETIC[..], &["field", "flux", "density"]].concat()) => {
            (Sensor::Magnetic, Said::Plainly)
        }
        _ => return None,
    })
}

/// A word apart that names a sensor and an axis in one: `ax`, `accelx`, `xgyro`.
fn glued(word: &str) -> Option<(&str, &str)> {
    let last = word.char_indices().next_back()?.0;
    let behind = word.split_at(last);
    if axis(behind.1).is_some() && sensor(&[behind.0]).is_some() {
        return Some(behind);
    }
    let (front, rest) = word.split_at_checked(1)?;
    (rest.len() > 1 && axis(front).is_some() && sensor(&[rest]).is_some()).then_some((rest, front))
}

/// The unit at the end of a name, as in `acc_x_mg` and `gyro_x_rad_s`.
fn unit_of(words: &[&str]) -> Option<String> {
    let known = |text: String| unit::quantity(&text).is_some().then_some(text);
    if words.is_empty() { None } else { known(words.join("/")).or_else(|| known(words.concat())) }
}

impl Name {
    /// What `name`, without a unit in brackets, means.
    pub(super) fn new(name: &str) -> Self {
        let words = words(name);
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        // gFx falls apart at its capital
        if let ["g", rest] = words[..]
            && let Some(letter) = rest.strip_prefix('f').filter(|letter| axis(letter).is_some())
        {
            words = vec!["gf", letter];
        }
        let known = |meaning| Self { meaning, unit: None };
        match words.as_slice() {
            ["label" | "labels" | "activity"] | ["activity", "label" | "name"] | ["label", "name"] => {
                return known(Meaning::Label);
            }
            [who] | [who, "id" | "name" | "number" | "no" | "nr" | "code"] if SUBJECTS.contains(who) => {
                return known(Meaning::Subject);
            }
            ["sensor"] | ["sensor", "name" | "type"] => return known(Meaning::SensorName),
            // an element of an array
            [rest @ .., number @ ("0" | "1" | "2")] if name.contains('#') => {
                let axis = usize::from(number.as_bytes()[0] - b'0');
                let rest = without_fillers(rest);
                return known(match sensor(&rest) {
                    Some((sensor, said)) => Meaning::Axis(sensor, axis, said),
                    None if rest.is_empty() => Meaning::BareAxis(axis),
                    None => Meaning::Unknown,
                });
            }
            words => {
                if let Some(time) = time(words) {
                    return known(time);
                }
            }
        }
        Self::channel(&without_fillers(&words))
    }

    fn channel(words: &[&str]) -> Self {
        let unknown = Self { meaning: Meaning::Unknown, unit: None };
        let found = words.iter().enumerate().find_map(|(at, word)| match axis(word) {
            Some(axis) => Some((at, None, axis)),
            None => glued(word).and_then(|(stem, letter)| Some((at, Some(stem), axis(letter)?))),
        });
        let Some((at, stem, axis)) = found else {
            let whole = |(sensor, said)| if said == Said::Plainly { Meaning::Whole(sensor) } else { Meaning::Unknown };
            return Self { meaning: sensor(words).map_or(Meaning::Unknown, whole), unit: None };
        };
        let (before, after) = (&words[..at], &words[at + 1..]);
        let unit = unit_of(after);
        let after = if unit.is_some() { &[] } else { after };
        let rest: Vec<&str> = before.iter().copied().chain(stem).chain(after.iter().copied()).collect();
        if rest.is_empty() {
            return Self { meaning: Meaning::BareAxis(axis), unit };
        }
        match sensor(&rest) {
            Some((sensor, said)) => {
                let unit = unit.or_else(|| (said == Said::GForce).then(|| "g".to_owned()));
                Self { meaning: Meaning::Axis(sensor, axis, said), unit }
            }
            None => unknown,
        }
    }

    /// The sensor that a value of a column of sensors, or a part of a name, is.
    pub(super) fn sensor(text: &str) -> Option<Sensor> {
        let words = words(text);
        let words = without_fillers(&words.iter().map(String::as_str).collect::<Vec<_>>());
        // a bare letter is what somebody calls a sensor here
        sensor(&words).map(|(sensor, _)| sensor)
    }
}

/// The sensor that a file's name says its rows are of: `Accelerometer.csv`, `gyro-2024-01-01.csv`.
pub(super) fn sensor_of_file(origin: &str) -> Option<Sensor> {
    let name = origin.rsplit('/').next()?;
    let words = words(name.split('.').next()?);
    // numbers and words of other kinds do not matter, letters alone say too little
    let long: Vec<&str> = words.iter().map(String::as_str).filter(|word| word.len() > 2).collect();
    let all = [&ACCELERATION[..], &ROTATION, &ROTATION_PARTS, &LINEAR, &LINEAR_WHOLE, &MAGNETIC, &["gravity", "grav"]];
    let known: Vec<&str> = long.into_iter().filter(|word| all.iter().any(|of| of.contains(word))).collect();
    sensor(&known).map(|(sensor, _)| sensor)
}

/// Whether a file's name says that gravity is in its acceleration. Sensor Logger's `Accelerometer` is without gravity, its
/// `TotalAcceleration` and `AccelerometerUncalibrated` are with it.
pub(super) fn is_total(origin: &str) -> bool {
    let name = origin.rsplit('/').next().unwrap_or(origin).to_lowercase();
    name.contains("total") || name.contains("uncalibrated")
}

fn without_fillers<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().filter(|word| !FILLERS.contains(word)).collect()
}

/// Whether a column whose meaning is not known may be meant for the time.
pub(super) fn looks_like_time(name: &str) -> bool {
    words(name).first().is_some_and(|word| word.len() > 1 && TIMES.contains(&word.as_str()))
}

fn time(words: &[&str]) -> Option<Meaning> {
    if words.is_empty() {
        return None;
    }
    // a pattern such as YYYY-MO-DD HH-MI-SS_SSS
    if words.len() > 2 && words.iter().all(|word| DATE_PATTERN.contains(word)) {
        return Some(Meaning::Time(TimeKind::Date, None));
    }
    let mut unit = None;
    for word in words {
        if let Some(found) = TimeUnit::named(word) {
            unit = Some(found);
        } else if !TIMES.contains(word) && !TIME_FILLERS.contains(word) {
            return None;
        }
    }
    let any = |of: &[&str]| words.iter().any(|word| of.contains(word));
    let kind = if any(&["elapsed", "since", "relative"]) {
        TimeKind::Elapsed
    } else if any(&["date", "datetime"]) {
        TimeKind::Date
    } else if any(&TIMES) {
        TimeKind::Stamp
    } else if words.len() == 1 && unit.is_some() && words[0].len() > 1 {
        TimeKind::Part
    } else {
        return None;
    };
    Some(Meaning::Time(kind, unit))
}

/// A header field apart: `acc_x [g]` and `acc_x (g)` are the channel acc_x in g.
pub(super) fn split_unit(field: &str) -> (&str, Option<&str>) {
    let field = field.trim();
    let parts = [(']', '['), (')', '(')].into_iter().find_map(|(close, open)| {
        let (name, unit) = field.strip_suffix(close)?.rsplit_once(open)?;
        (!unit.trim().is_empty()).then(|| (name.trim(), unit.trim()))
    });
    match parts {
        // of a text there is no unit: loggingTime(txt)
        Some((name, unit))
            if ["txt", "text", "utc", "gmt", "local"].iter().any(|text| text.eq_ignore_ascii_case(unit)) =>
        {
            (name, None)
        }
        Some((name, unit)) => (name, Some(unit)),
        None => (field, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels() {
        let spelled = [
            (
                Sensor::Acceleration,
                "acc_x;ax;aX;Accel_X;Accel X;accelerationX;accX;accelx;xAccel;ACCELEROMETER_X;Acceleration x;X-axis \
                 acceleration;accelerometerAccelerationX;acc.x;acc#0;x_acc;a_x;raw_acc_x;total_acc_x;\
                 accelerationIncludingGravity.x;AccX;Acc-X;gFx",
            ),
            (
                Sensor::Rotation,
                "gyro_x;gyroscope_x;wx;w_x;gx;gyrX;GyroX;Gyroscope x;gyroRotationX;rotationRate.x;RotationRateX;\
                 angularVelocityX;Angular velocity x;ang_vel_x;omega_x;ωx;gyro#0;GYRO_X;Gyro X",
            ),
            (
                Sensor::LinearAcceleration,
                "LINEAR_ACCELERATION_X;LINEAR ACCELERATION X;lin_acc_x;linaccx;userAccelerationX;\
                 linear_accelerometer_x;Acceleration without g x",
            ),
            (Sensor::Gravity, "GRAVITY_X;gravityX;grav_x;gravity.x"),
            (Sensor::Magnetic, "mag_x;magneticFieldX;magX"),
        ];
        for (sensor, names) in spelled {
            for name in names.split(';') {
                let found = Name::new(name).meaning;
                assert!(matches!(found, Meaning::Axis(of, 0, _) if of == sensor), "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn units_behind_the_axis() {
        for (name, unit) in [
            ("acc_x_mg", "mg"),
            ("gyro_x_dps", "dps"),
            ("accX_g", "g"),
            ("gyro_z_rad_s", "rad/s"),
            ("acc_x_m_s2", "m/s2"),
        ] {
            assert_eq!(Name::new(name).unit.as_deref(), Some(unit), "{name}");
        }
        assert_eq!(Name::new("x_mg"), Name { meaning: Meaning::BareAxis(0), unit: Some("mg".into()) });
        assert_eq!(split_unit(" acc_x (m/s^2)"), ("acc_x", Some("m/s^2")));
        assert_eq!(split_unit("accelerometerAccelerationX(G)"), ("accelerometerAccelerationX", Some("G")));
        assert_eq!(split_unit("acc_x[]"), ("acc_x[]", None));
    }

    #[test]
    fn what_is_no_channel() {
        for name in
            ["acceleration", "Absolute acceleration", "temperature", "body_acc_x", "max", "index", "xyz", "", "relax"]
        {
            let found = Name::new(name).meaning;
            assert!(matches!(found, Meaning::Unknown | Meaning::Whole(_)), "{name}: {found:?}");
        }
        for name in ["x", "X", "Y-axis", "values#1"] {
            assert!(matches!(Name::new(name).meaning, Meaning::BareAxis(_)), "{name}");
        }
    }

    #[test]
    fn times() {
        use TimeKind::{Date, Elapsed, Part, Stamp};
        use TimeUnit::{Millis, Nanos, Seconds};
        let spelled = [
            ("t", Stamp, None),
            ("Time", Stamp, None),
            ("ts", Stamp, None),
            ("time_s", Stamp, Some(Seconds)),
            ("timestamp_ms", Stamp, Some(Millis)),
            ("t_ns", Stamp, Some(Nanos)),
            ("sensorTimestamp", Stamp, None),
            ("seconds_elapsed", Elapsed, Some(Seconds)),
            ("Time since start in ms ", Elapsed, Some(Millis)),
            ("YYYY-MO-DD HH-MI-SS_SSS", Date, None),
            ("Date", Date, None),
            ("Milliseconds", Part, Some(Millis)),
            ("loggingTime", Stamp, None),
            ("epoch_ms", Stamp, Some(Millis)),
        ];
        for (name, kind, unit) in spelled {
            assert_eq!(Name::new(name).meaning, Meaning::Time(kind, unit), "{name}");
        }
        for name in ["temperature", "times", "time_h", "", "τ", "start", "s"] {
            assert!(!matches!(Name::new(name).meaning, Meaning::Time(..)), "{name}");
        }
    }

    #[test]
    fn files() {
        let spelled = [
            ("walk/Accelerometer.csv", Some(Sensor::Acceleration)),
            ("TotalAcceleration.csv", Some(Sensor::Acceleration)),
            ("Gyroscope.csv.gz", Some(Sensor::Rotation)),
            ("gyro-2024-01-01.csv", Some(Sensor::Rotation)),
            ("Linear Acceleration.csv", Some(Sensor::LinearAcceleration)),
            ("Gravity.csv", Some(Sensor::Gravity)),
            ("walk.csv", None),
            ("acc_and_gyro.csv", None),
            ("standard input", None),
        ];
        for (file, sensor) in spelled {
            assert_eq!(sensor_of_file(file), sensor, "{file}");
        }
    }
}
