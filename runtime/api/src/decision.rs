//! One decision as it stands on a line of the output and in an event.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::schema::class;
use crate::{Implausible, LocalTime, milliseconds};
use gaitd_core::control::{Load, Reason};
use gaitd_core::engine::{Decision, Second};

/// The answer for one window: a line of the output, and the data of an event.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "decision")]
#[schemars(rename = "Decision", transform = class("decision"))]
pub struct DecisionLine<'a> {
    /// Name of the stream.
    pub stream: Cow<'a, str>,
    /// Number of the window in its stream, from 0; dropped windows count.
    pub window: u64,
    /// First and last sample of the window, counted from 0 since the stream began.
    pub samples: (u64, u64),
    /// When the window's last sample was taken, by the stream's own time where it counts from 1970, and otherwise when it
    /// arrived, by the clock of this machine; null for a recording that is read as fast as possible and does not say.
    #[serde(default)]
    pub time: Option<LocalTime>,
    /// Stream time of the window's last sample, seconds; null where the stream has no timestamps.
    pub time_s: Option<f64>,
    /// The samples are made up.
    pub simulated: bool,
    /// What was wrong with the sensors when the window was complete: a network answers implausible samples, too.
    #[serde(default)]
    pub implausible: Implausible<'a>,
    /// What the wearer is believed to do: the most probable activity of `belief`.
    pub activity: Cow<'a, str>,
    /// Probability of each activity from all windows of the stream so far; where context is off, of this window alone.
    pub belief: Probabilities<'a>,
    /// What this window says by itself.
    pub instant: InstantView<'a>,
    /// The configuration that answered.
    pub configuration: Cow<'a, str>,
    /// What the cascade did that was picked; null where a configuration was.
    #[serde(default)]
    pub cascade: Option<CascadeView<'a>>,
    /// All that ran for this window, millions of multiply-accumulates; of a head that was given up, the whole.
    #[schemars(range(min = 0))]
    pub mmacs: f64,
    /// Why it was picked.
    pub reason: Reason,
    /// How long the inference was expected to take from the window's last sample on, milliseconds.
    #[schemars(range(min = 0))]
    pub predicted_ms: f64,
    /// Expected probability of a miss; null where the policy estimates none.
    #[schemars(range(min = 0, max = 1))]
    pub miss_probability: Option<f64>,
    /// Expected accuracy if on time; null where the ladder knows none.
    #[schemars(range(min = 0, max = 1))]
    pub expected_accuracy: Option<f64>,
    /// Mean of the slowdown that the policy believed in; null where it estimates none.
    pub slowdown: Option<f64>,
    /// The latest load when the engine took the window; where the inference had no head, what the policy saw.
    pub signals: Load,
    /// What the inference did before the window's last sample; null where it began with that.
    #[serde(default)]
    pub head: Option<HeadView<'a>>,
    /// How long each phase took, milliseconds.
    pub timings_ms: Timings,
    /// From the arrival of the last sample to this publication of the decision, milliseconds: an event and a line of the
    /// output may differ by microseconds.
    #[schemars(range(min = 0))]
    pub latency_ms: f64,
    /// The budget, milliseconds.
    #[schemars(range(min = 0))]
    pub budget_ms: f64,
    /// What of the budget was left, milliseconds; below 0 when late. Null where decisions are not timed, since nobody waits
    /// for them: at the pace `fast`.
    pub slack_ms: Option<f64>,
    /// The decision was later than its budget; null where decisions are not timed.
    pub miss: Option<bool>,
}

/// What one window says by itself.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Instant")]
pub struct InstantView<'a> {
    /// The most probable activity.
    pub activity: Cow<'a, str>,
    /// Probability of each activity, calibrated by the configuration's temperature.
    pub probabilities: Probabilities<'a>,
}

/// The head of an inference: what it did before its window's last sample.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Head")]
pub struct HeadView<'a> {
    /// How long before that sample it began, milliseconds.
    #[schemars(range(min = 0))]
    pub lead_ms: f64,
    /// How long it took, milliseconds.
    #[schemars(range(min = 0))]
    pub infer_ms: f64,
    /// How much of that was still to be done when that sample came, milliseconds.
    #[schemars(range(min = 0))]
    pub late_ms: f64,
    /// The head of the smallest configuration was done first, in case that of the picked one was late.
    pub insured: bool,
    /// The picked configuration, where its head was given up for being late; null where it answered.
    pub given_up: Option<Cow<'a, str>>,
    /// The load that the policy saw.
    pub signals: Load,
}

/// A cascade: a small configuration, and a large one where that left the belief unsure.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Cascade")]
pub struct CascadeView<'a> {
    /// The small configuration.
    pub small: Cow<'a, str>,
    /// The large one.
    pub large: Cow<'a, str>,
    /// The large one is asked where no activity is believed in with this probability.
    #[schemars(range(min = 0, max = 1))]
    pub threshold: f32,
    /// Probability of the activity that was believed in after the small one had answered.
    #[schemars(range(min = 0, max = 1))]
    pub sure: f32,
    /// What came of the large one.
    pub second: SecondView,
    /// How long the large one took, milliseconds; null where it was not asked.
    #[schemars(range(min = 0))]
    pub second_ms: Option<f64>,
}

/// What became of the second inference of a cascade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Second")]
pub enum SecondView {
    /// The belief was sure enough without it.
    NotNeeded,
    /// It would have been late: the small configuration's answer stands.
    NoTime,
    /// It failed: the small configuration's answer stands.
    Failed,
    /// It answered, in place of the small configuration.
    Answered,
}

/// How long each phase of a decision took, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Timings {
    /// From the arrival of the last sample to a complete, conditioned window.
    #[schemars(range(min = 0))]
    pub condition: f64,
    /// From there until the engine took the window.
    #[schemars(range(min = 0))]
    pub wait: f64,
    /// Picking the configuration, where that was not done with the head.
    #[schemars(range(min = 0))]
    pub prepare: f64,
    /// The inference, resampling included: what its head has left of it; of a cascade, both.
    #[schemars(range(min = 0))]
    pub infer: f64,
    /// CPU time of the inference, its head included; null where the system does not measure it.
    #[schemars(range(min = 0))]
    pub cpu: Option<f64>,
}

/// The probability of each activity, in the order of the model's labels: a JSON object on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities<'a> {
    labels: Cow<'a, [String]>,
    values: Cow<'a, [f32]>,
}

impl<'a> DecisionLine<'a> {
    /// The line of `decision` in the stream named `stream`, published `latency` after the window's last sample arrived;
    /// `simulated` where the samples are made up, `timed` where somebody waits for it. It borrows all texts, so that making
    /// and writing it allocates nothing.
    #[must_use]
    pub fn new(stream: &'a str, simulated: bool, timed: bool, decision: &'a Decision, latency: Duration) -> Self {
        let (choice, labels) = (&decision.choice, &decision.manifest.task.labels);
        let (budget_ms, latency_ms) = (milliseconds(decision.budget), milliseconds(latency));
        Self {
            stream: stream.into(),
            window: decision.window,
            samples: decision.samples,
            time: decision.wall.and_then(LocalTime::new),
            time_s: decision.time_s,
            simulated,
            implausible: Implausible::new(&decision.sensors, decision.faults),
            activity: decision.label().into(),
            belief: Probabilities::new(labels, &decision.belief),
            instant: InstantView {
                activity: labels[decision.instant.activity].as_str().into(),
                probabilities: Probabilities::new(labels, &decision.instant.probabilities),
            },
            configuration: decision.configuration().id.as_str().into(),
            cascade: CascadeView::of(decision),
            mmacs: decision.macs() as f64 / 1e6,
            reason: choice.reason,
            predicted_ms: milliseconds(choice.forecast.predicted),
            miss_probability: choice.forecast.miss_probability,
            expected_accuracy: decision.expected_accuracy(),
            slowdown: decision.slowdown.map(|slowdown| slowdown.mean),
            signals: decision.signals,
            head: HeadView::of(decision),
            timings_ms: Timings::of(decision),
            latency_ms,
            budget_ms,
            slack_ms: timed.then_some(budget_ms - latency_ms),
            miss: timed.then_some(latency > decision.budget),
        }
    }
}

impl DecisionLine<'_> {
    /// Makes what the window says by itself the answer, for who wants no context.
    pub fn answer_alone(&mut self) {
        self.activity.clone_from(&self.instant.activity);
        self.belief.clone_from(&self.instant.probabilities);
    }
}

impl<'a> HeadView<'a> {
    /// What the inference of `decision` did before its window's last sample.
    pub(crate) fn of(decision: &'a Decision) -> Option<Self> {
        let head = decision.head?;
        let id = |rung: usize| Cow::from(decision.manifest.configurations[rung].id.as_str());
        Some(Self {
            lead_ms: milliseconds(head.lead),
            infer_ms: milliseconds(head.infer),
            late_ms: milliseconds(head.late),
            insured: head.insured,
            given_up: head.given_up.map(id),
            signals: head.signals,
        })
    }

    /// The same, which borrows nothing.
    pub(crate) fn into_owned(self) -> HeadView<'static> {
        HeadView { given_up: self.given_up.map(|id| id.into_owned().into()), ..self }
    }
}

impl<'a> CascadeView<'a> {
    /// What the cascade did that was picked for `decision`, if one was.
    pub(crate) fn of(decision: &'a Decision) -> Option<Self> {
        let escalation = decision.escalation?;
        let id = |rung: usize| Cow::from(decision.manifest.configurations[rung].id.as_str());
        Some(Self {
            small: id(escalation.small),
            large: id(escalation.large),
            threshold: escalation.threshold,
            sure: escalation.sure,
            second: match escalation.second {
                Second::NotNeeded => SecondView::NotNeeded,
                Second::NoTime => SecondView::NoTime,
                Second::Failed => SecondView::Failed,
                Second::Answered(_) => SecondView::Answered,
            },
            second_ms: decision.second().map(milliseconds),
        })
    }

    /// The same, which borrows nothing.
    pub(crate) fn into_owned(self) -> CascadeView<'static> {
        let Self { small, large, threshold, sure, second, second_ms } = self;
        let (small, large) = (small.into_owned().into(), large.into_owned().into());
        CascadeView { small, large, threshold, sure, second, second_ms }
    }
}

impl Timings {
    /// How long each phase of `decision` took.
    pub(crate) fn of(decision: &Decision) -> Self {
        Self {
            condition: milliseconds(decision.condition),
            wait: milliseconds(decision.wait),
            prepare: milliseconds(decision.prepare),
            infer: milliseconds(decision.infer),
            cpu: decision.cpu.map(milliseconds),
        }
    }
}

impl<'a> Probabilities<'a> {
    /// The probabilities `values` of the activities `labels`; of two lists of different lengths the longer is cut.
    #[must_use]
    pub fn new(labels: &'a [String], values: &'a [f32]) -> Self {
        let length = labels.len().min(values.len());
        Self { labels: Cow::Borrowed(&labels[..length]), values: Cow::Borrowed(&values[..length]) }
    }

    /// Each activity and its probability, 0 to 1.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f32)> {
        self.labels.iter().map(String::as_str).zip(self.values.iter().copied())
    }
}

impl Serialize for Probabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.labels.len()))?;
        for (label, probability) in self.iter() {
            map.serialize_entry(label, &probability)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Probabilities<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = (Vec<String>, Vec<f32>);

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of activities and their probabilities")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut labels, mut values) = (Vec::new(), Vec::new());
                while let Some((label, value)) = map.next_entry()? {
                    labels.push(label);
                    values.push(value);
                }
                Ok((labels, values))
            }
        }

        let (labels, values) = deserializer.deserialize_map(Entries)?;
        Ok(Self { labels: labels.into(), values: values.into() })
    }
}

impl JsonSchema for Probabilities<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Probabilities".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_later_fields_are_ignored() {
        let labels = ["sitting".to_owned(), "a \"label\"".to_owned()];
        let line = DecisionLine {
            stream: "left".into(),
            window: 3,
            samples: (192, 319),
            time: LocalTime::new(Duration::from_millis(1_764_400_002_560)),
            time_s: None,
            simulated: true,
            implausible: Implausible::default(),
            activity: "sitting".into(),
            belief: Probabilities::new(&labels, &[0.75, 0.25]),
            instant: InstantView {
                activity: "a \"label\"".into(),
                probabilities: Probabilities::new(&labels, &[0.25, 0.75]),
            },
            configuration: "1.00x-128".into(),
            cascade: Some(CascadeView {
                small: "0.25x-96".into(),
                large: "1.00x-128".into(),
                threshold: 0.75,
                sure: 0.5,
                second: SecondView::Answered,
                second_ms: Some(0.5),
            }),
            mmacs: 0.125,
            reason: Reason::MostAccurateInTime,
            predicted_ms: 1.5,
            miss_probability: Some(0.25),
            expected_accuracy: Some(0.9),
            slowdown: None,
            signals: Load::cpu(0.5),
            head: Some(HeadView {
                lead_ms: 80.0,
                infer_ms: 1.5,
                late_ms: 0.0,
                insured: true,
                given_up: Some("0.25x-96".into()),
                signals: Load::cpu(0.25),
            }),
            timings_ms: Timings { condition: 0.1, wait: 0.2, prepare: 0.3, infer: 1.0, cpu: None },
            latency_ms: 1.7,
            budget_ms: 50.0,
            slack_ms: Some(48.3),
            miss: Some(false),
        };
        let mut value = serde_json::to_value(&line).unwrap();
        assert_eq!(value["class"], "decision");
        assert_eq!(value["belief"], serde_json::json!({"sitting": 0.75, "a \"label\"": 0.25}));
        value["revised"] = serde_json::json!({"sitting": 1.0});
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<DecisionLine>(&text).unwrap(), line);
        assert!(serde_json::from_value::<DecisionLine>(value).is_ok());
    }
}
