//! Why a configuration was picked, as the interface shows it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CascadeView, HeadView, Timings, milliseconds};
use gaitd_core::control::{Estimate, Load, Reason};
use gaitd_core::engine::Decision;

/// All that spoke for and against each configuration when the latest one was picked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The window.
    pub window: u64,
    /// The configuration that answered.
    pub configuration: String,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    pub why: Cow<'static, str>,
    /// The budget, milliseconds.
    #[schemars(range(min = 0))]
    pub budget_ms: f64,
    /// What of it was left for the inference (from the last sample on) when it was picked, by the median of what comes beside
    /// it, milliseconds.
    #[schemars(range(min = 0))]
    pub available_ms: f64,
    /// Probability that publishing and what else comes beside the inference makes the decision late, whatever is picked.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub late_elsewhere: f64,
    /// How long each phase took, milliseconds.
    #[serde(default)]
    pub timings_ms: Timings,
    /// From the decision to its last byte written, milliseconds; null where the first output has not published it yet.
    #[schemars(range(min = 0))]
    pub publish_ms: Option<f64>,
    /// The slowdown that the policy believed in; null where it estimates none.
    pub slowdown: Option<Estimate>,
    /// The load that it saw.
    pub signals: Load,
    /// What the inference did before the window's last sample; null where it began with that.
    #[serde(default)]
    pub head: Option<HeadView<'static>>,
    /// What the cascade did that was picked; null where a configuration was.
    #[serde(default)]
    pub cascade: Option<CascadeView<'static>>,
    /// The configurations.
    pub configurations: Vec<Candidate>,
    /// The cascades that could be picked.
    #[serde(default)]
    pub cascades: Vec<Candidate>,
}

/// What spoke for and against one configuration or cascade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Its name.
    pub id: String,
    /// Share of each layer's channels in use, where that is what makes it.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub width: Option<f64>,
    /// Time steps to which a window is resampled, if it is.
    pub resolution: Option<usize>,
    /// Multiply-accumulates of one inference; of a cascade, of both.
    pub macs: u64,
    /// How long the inference was expected to take from the window's last sample on, milliseconds.
    #[schemars(range(min = 0))]
    pub predicted_ms: f64,
    /// Probability that the decision is late, for its inference or for what comes beside it, where the policy estimates one.
    #[schemars(range(min = 0, max = 1))]
    pub miss_probability: Option<f64>,
    /// Accuracy for what the wearer was probably doing, if on time; 0 to 1. Null where the ladder knows none.
    #[schemars(range(min = 0, max = 1))]
    pub expected_accuracy: Option<f64>,
    /// Expected CPU time, milliseconds.
    #[schemars(range(min = 0))]
    pub cost_ms: f64,
    /// This one was picked.
    pub picked: bool,
}

impl From<&Decision> for Explanation {
    fn from(decision: &Decision) -> Self {
        let knows_accuracy = decision.manifest.knows_accuracy();
        let manifest = &decision.manifest;
        let considered = |plan: usize, id: String, macs: u64| {
            let considered = decision.considered.get(plan)?;
            Some(Candidate {
                id,
                width: None,
                resolution: None,
                macs,
                predicted_ms: milliseconds(considered.forecast.predicted),
                miss_probability: considered.forecast.miss_probability,
                expected_accuracy: knows_accuracy.then_some(considered.outlook.accuracy),
                cost_ms: milliseconds(considered.outlook.cost),
                picked: plan == decision.choice.plan,
            })
        };
        let configurations = manifest.configurations.iter().enumerate().filter_map(|(rung, it)| {
            let candidate = considered(rung, it.id.clone(), it.macs)?;
            Some(Candidate { width: it.width, resolution: it.resolution, ..candidate })
        });
        let macs = |id: &str| manifest.configurations.iter().find(|it| it.id == id).map_or(0, |it| it.macs);
        let cascades = manifest.cascades.iter().enumerate().filter_map(|(place, it)| {
            considered(
                manifest.configurations.len() + place,
                it.name(),
                macs(&it.small).saturating_add(macs(&it.large)),
            )
        });
        Self {
            window: decision.window,
            configuration: decision.configuration().id.clone(),
            reason: decision.choice.reason,
            why: decision.choice.reason.describe().into(),
            budget_ms: milliseconds(decision.budget),
            available_ms: milliseconds(decision.available),
            late_elsewhere: decision.late_elsewhere,
            timings_ms: Timings::of(decision),
            publish_ms: None,
            slowdown: decision.slowdown,
            signals: decision.head.map_or(decision.signals, |head| head.signals),
            head: HeadView::of(decision).map(HeadView::into_owned),
            cascade: CascadeView::of(decision).map(CascadeView::into_owned),
            configurations: configurations.collect(),
            cascades: cascades.collect(),
        }
    }
}
