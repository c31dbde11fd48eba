//! A decision said again some windows later, as it stands on a line of the output and in an event.

use std::borrow::Cow;

use gaitd_core::engine::Revision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::class;
use crate::{LocalTime, Probabilities};

/// What a window is believed to be once `control.lag` others have followed it: the decision of the same number is revised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "revised")]
#[schemars(rename = "Revised", transform = class("revised"))]
pub struct RevisedLine<'a> {
    /// Name of the stream.
    pub stream: Cow<'a, str>,
    /// Number of the window in its stream, as in its decision.
    pub window: u64,
    /// First and last sample of the window, counted from 0 since the stream began.
    pub samples: (u64, u64),
    /// When the window's last sample was taken, as in its decision.
    pub time: Option<LocalTime>,
    /// Stream time of the window's last sample, seconds; null where the stream has no timestamps.
    pub time_s: Option<f64>,
    /// The samples are made up.
    pub simulated: bool,
    /// The most probable activity of `belief`.
    pub activity: Cow<'a, str>,
    /// Probability of each activity from all windows of the stream so far, those after this one among them.
    pub belief: Probabilities<'a>,
}

impl<'a> RevisedLine<'a> {
    /// The line of `revision` in the stream named `stream`, whose activities are `labels`; `simulated` where the samples are made
    /// up. It borrows all texts.
    #[must_use]
    pub fn new(stream: &'a str, simulated: bool, labels: &'a [String], revision: &'a Revision) -> Self {
        let Revision { window, samples, time_s, wall, activity, belief } = revision;
        Self {
            stream: stream.into(),
            window: *window,
            samples: *samples,
            time: wall.and_then(LocalTime::new),
            time_s: *time_s,
            simulated,
            activity: labels.get(*activity).map_or("", String::as_str).into(),
            belief: Probabilities::new(labels, belief),
        }
    }
}
