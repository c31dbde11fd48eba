//! The parameters of a decoder: a block of the manifest.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::ladder::Manifest;

/// How windows of a stream are weighed together: fitted on the continuous recordings of training people, by the answers of
/// networks that did not see them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Mean duration of an activity, seconds, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub bout_s: f64,
    /// Weight of a window that begins `hop_s` after the one before: above 0, at most 1, where windows would err independently.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub evidence: f64,
    /// Seconds from one window to the next for which `evidence` holds, above 0; of windows that follow more closely, each brings
    /// the less.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub hop_s: f64,
    /// Share of what the most accurate configuration says that is not believed, from 0 to below 1; of the others as much more
    /// as they err more.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub doubt: f64,
    /// What in the raw samples tells that the wearer may do something else now, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// A value of the block `context` is out of range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("context.{key} is {value}, and must be {needed}")]
pub struct ContextError {
    key: &'static str,
    value: f64,
    needed: &'static str,
}

impl ContextError {
    /// The first of some values, each with its key, whether it is good, and what is needed, that is not.
    pub(super) fn first_of<const N: usize>(values: [(&'static str, f64, bool, &'static str); N]) -> Result<(), Self> {
        match values.into_iter().find(|(_, _, good, _)| !good) {
            Some((key, value, _, needed)) => Err(Self { key, value, needed }),
            None => Ok(()),
        }
    }
}

/// Mean duration of an activity where a manifest does not know it, seconds. People do the same for longer; but where a network
/// takes somebody's sitting for standing, it does so for a whole bout, and the longer the memory, the more of that is lost: on
/// people held out of the training of the shipped ladder's kind, a memory of 25 s costs one of them up to six points.
const BOUT_S: f64 = 4.0;

/// Share of an answer that is not believed where a manifest says nothing: less than the chance of a change within the hop of
/// the shipped ladders, so that one window that is sure of a change is believed at once.
const DOUBT: f64 = 0.03;

/// No more of an answer is disbelieved than this.
const MOST_DOUBT: f64 = 0.9;

impl Context {
    /// What holds where a manifest has no such block, for windows with a hop of `hop` each: mild enough for any wearer and any
    /// network, since it was fitted on none.
    #[must_use]
    pub fn mild(hop: Duration) -> Self {
        Self { bout_s: BOUT_S, evidence: 1.0, hop_s: hop.as_secs_f64(), doubt: DOUBT, change: None }
    }

    /// Checks all values.
    ///
    /// # Errors
    /// Names the first that is out of range.
    pub fn check(&self) -> Result<(), ContextError> {
        let Self { bout_s, evidence, hop_s, doubt, change } = *self;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        ContextError::first_of([
            ("bout_s", bout_s, positive(bout_s), "a number of seconds above 0"),
            ("evidence", evidence, evidence > 0.0 && evidence <= 1.0, "above 0 and at most 1"),
            ("hop_s", hop_s, positive(hop_s), "a number of seconds above 0"),
            ("doubt", doubt, (0.0..1.0).contains(&doubt), "at least 0 and below 1"),
        ])?;
        change.map_or(Ok(()), |change| change.check())
    }

    /// Chance that the wearer still does the same after `elapsed`, in which the raw samples told of a change (`changed`) or
    /// not.
    #[must_use]
    pub fn stay(&self, elapsed: Duration, changed: bool) -> f64 {
        let by_time = (-elapsed.as_secs_f64() / self.bout_s).exp();
        self.change.filter(|_| changed).map_or(by_time, |change| by_time.min(change.stay))
    }

    /// The share of each configuration's answers that is not believed: `doubt` for the most accurate one on people held out,
    /// and in proportion to the errors for the others; `doubt` for all where accuracies are not known.
    #[must_use]
    pub fn doubts(&self, manifest: &Manifest) -> Vec<f64> {
        let errors = |accuracy: Option<f64>| accuracy.map(|accuracy| (1.0 - accuracy).max(f64::EPSILON));
        let errors: Option<Vec<f64>> =
            manifest.configurations.iter().map(|configuration| errors(configuration.accuracy.validation)).collect();
        let Some(errors) = errors else { return vec![self.doubt; manifest.configurations.len()] };
        let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
        errors.iter().map(|errors| (self.doubt * errors / least).min(MOST_DOUBT.max(self.doubt))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::decode::Movement;
    use crate::ladder::ModelFiles;
    use crate::testing::FakeModel;

    const CONTEXT: Context = Context { bout_s: 20.0, evidence: 0.5, hop_s: 1.28, doubt: 0.125, change: None };

    #[test]
    fn every_value_has_a_range_and_is_named() {
        assert_eq!(CONTEXT.check(), Ok(()));
        assert_eq!(Context::mild(Duration::from_millis(1280)).check(), Ok(()));
        assert_eq!(Context { doubt: 0.0, evidence: 1.0, ..CONTEXT }.check(), Ok(()));
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        for (wrong, key) in [
            ([0.0, -1.0, inf, nan].map(|bout_s| Context { bout_s, ..CONTEXT }), "bout_s"),
            ([0.0, -1.0, 1.01, nan].map(|evidence| Context { evidence, ..CONTEXT }), "evidence"),
            ([0.0, -1.0, inf, nan].map(|hop_s| Context { hop_s, ..CONTEXT }), "hop_s"),
            ([1.0, -0.1, inf, nan].map(|doubt| Context { doubt, ..CONTEXT }), "doubt"),
        ] {
            for context in wrong {
                let error = context.check().unwrap_err().to_string();
                assert!(error.starts_with(&format!("context.{key} is ")), "{error}");
            }
        }
    }

    #[test]
    fn a_change_leaves_at_most_its_chance_and_time_may_leave_less() {
        let change = Change { quantity: Movement::Rotation, over_s: 0.5, above: 0.4, stay: 0.5 };
        let context = Context { change: Some(change), ..CONTEXT };
        let second = Duration::from_secs(1);
        assert_eq!(context.stay(second, false), (-0.05f64).exp());
        assert_eq!(context.stay(second, true), 0.5);
        assert_eq!(context.stay(20 * second, true), context.stay(20 * second, false));
        assert_eq!(CONTEXT.stay(second, true), CONTEXT.stay(second, false));
        assert_eq!((context.stay(Duration::ZERO, false), context.stay(Duration::MAX, true)), (1.0, 0.0));
        let wrong = Context { change: Some(Change { stay: 2.0, ..change }), ..CONTEXT };
        assert_eq!(
            wrong.check().unwrap_err().to_string(),
            "context.change.stay is 2, and must be at least 0 and at most 1"
        );
    }

    #[test]
    fn the_less_accurate_is_believed_less() {
        let mut manifest =
            Manifest::parse(&FakeModel::new(3).read("manifest.json").unwrap(), Path::new("fake")).unwrap();
        let mut doubts = |accuracies: [Option<f64>; 3]| {
            for (configuration, accuracy) in manifest.configurations.iter_mut().zip(accuracies) {
                configuration.accuracy.validation = accuracy;
            }
            CONTEXT.doubts(&manifest)
        };
        assert_eq!(doubts([Some(0.75), Some(0.875), Some(0.5)]), [0.25, 0.125, 0.5]);
        assert_eq!(doubts([Some(0.75), None, Some(0.5)]), [0.125; 3]);
        // one that is never wrong on those people
        assert_eq!(doubts([Some(1.0), Some(1.0), Some(0.5)]), [0.125, 0.125, 0.9]);
    }
}
