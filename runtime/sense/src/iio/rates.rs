//! At which of its rates a sensor is to sample.

use std::path::Path;

use super::{IioError, attribute};

/// Relative deviation of a sensor's nominal rate that needs no resampling. Its own clock adds a little, and gaitd's
/// readers tolerate 3 %.
pub(super) const TOLERANCE: f64 = 0.01;

/// The values that a setting can take: what a file `*_available` says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Offered {
    /// These, rising.
    List(Vec<f64>),
    /// From the first to the last, in steps.
    Range { from: f64, step: f64, to: f64 },
}

impl Offered {
    /// What the file says; nothing where there is no such file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, IioError> {
        let Some(text) = attribute::read(path)? else { return Ok(None) };
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let numbers: Result<Vec<f64>, _> =
            inner.unwrap_or(&text).split_whitespace().map(|number| attribute::parse(path, number)).collect();
        let mut numbers = numbers?;
        match (inner, numbers.as_slice()) {
            (Some(_), &[from, step, to]) if from <= to && step > 0.0 => Ok(Some(Self::Range { from, step, to })),
            (None, [_, ..]) => {
                numbers.sort_by(f64::total_cmp);
                Ok(Some(Self::List(numbers)))
            }
            _ => Err(IioError::content(path, &text, "expected numbers, or [from step to]")),
        }
    }

    /// The least value that is no less than `least` (or by 1 % only).
    pub(super) fn at_least(&self, least: f64) -> Option<f64> {
        let enough = |value: f64| value >= least * (1.0 - TOLERANCE);
        match self {
            Self::List(values) => values.iter().copied().find(|&value| enough(value)),
            &Self::Range { from, step, to } => {
                let steps = ((least - from) / step).ceil().max(0.0);
                enough(to).then(|| (from + steps * step).min(to))
            }
        }
    }

    pub(super) fn largest(&self) -> f64 {
        match self {
            Self::List(values) => values.last().copied().unwrap_or_default(),
            Self::Range { to, .. } => *to,
        }
    }

    /// As people write it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::List(values) => values.iter().map(f64::to_string).collect::<Vec<_>>().join(" "),
            Self::Range { from, to, .. } => format!("{from} to {to}"),
        }
    }
}

/// The rate to set where `wanted` is needed: the nearest one at or above. Who looks at a sensor at times that are not
/// its own (`apart`) has it sample twice as often where it can, so that what is seen is at most half a period old.
pub(super) fn choose(offered: &Offered, wanted: f64, apart: bool) -> Option<f64> {
    let nearest = offered.at_least(wanted)?;
    if apart { Some(offered.at_least(2.0 * wanted).unwrap_or_else(|| offered.largest())) } else { Some(nearest) }
}

/// Whether a sensor at `found_hz` gives a stream of `wanted_hz` as it is.
pub(super) fn agrees(found_hz: f64, wanted_hz: f64) -> bool {
    (found_hz / wanted_hz - 1.0).abs() <= TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(text: &str) -> Result<Option<Offered>, IioError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("available");
        std::fs::write(&path, text).unwrap();
        Offered::read(&path)
    }

    fn list(text: &str) -> Offered {
        offered(text).unwrap().unwrap()
    }

    #[test]
    fn the_nearest_rate_at_or_above() {
        let mpu = list("10 20 50 100 200 500\n");
        assert_eq!(choose(&mpu, 50.0, false), Some(50.0));
        assert_eq!(choose(&mpu, 50.0, true), Some(100.0));
        assert_eq!(choose(&mpu, 500.0, true), Some(500.0));
        assert_eq!(choose(&mpu, 501.0, false), Some(500.0), "half a per cent is nothing");
        assert_eq!(choose(&mpu, 600.0, false), None);
        // lsm6dsx, and bmi160, whose list need not be sorted
        assert_eq!(choose(&list("12.500 26.000 52.000 104.000"), 50.0, false), Some(52.0));
        assert_eq!(choose(&list("1600 0.781250 25 50 100 200"), 20.0, false), Some(25.0));
    }

    #[test]
    fn a_range_in_steps() {
        let range = list("[4 0.5 1000]");
        assert_eq!(choose(&range, 50.2, false), Some(50.5));
        assert_eq!(choose(&range, 1.0, false), Some(4.0));
        assert_eq!(choose(&range, 1200.0, false), None);
    }

    #[test]
    fn nonsense_is_told() {
        for text in ["", "fast", "[1 2]", "[5 1 4]", "[1 0 2]", "10 x", "nan", "[1 2 3"] {
            let error = offered(text).unwrap_err().to_string();
            assert!(error.contains("available"), "{text}: {error}");
        }
        let absent = Path::new("/nonexistent/available");
        assert_eq!(Offered::read(absent).unwrap(), None);
    }
}
