//! A time of one activity, as it stands on a line of the output and in an event.

use std::borrow::Cow;

use gaitd_core::decode::Episode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::LocalTime;
use crate::schema::class;

/// A time of one activity that is over: what decisions of the stream answered without a break, but for flicker. It comes once
/// another activity has lasted as long as an episode has to, or there was a gap, or the stream has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "episode")]
#[schemars(rename = "Episode", transform = class("episode"))]
pub struct EpisodeLine<'a> {
    /// Name of the stream.
    pub stream: Cow<'a, str>,
    /// The samples are made up.
    pub simulated: bool,
    /// What the wearer did.
    pub activity: Cow<'a, str>,
    /// When it began: a hop before the end of its first window, or at the end of the window before; null where decisions have no
    /// `time`.
    pub start: Option<LocalTime>,
    /// When it ended: with its last window; null where decisions have no `time`.
    pub end: Option<LocalTime>,
    /// When it began by the stream's own time, seconds; null where the stream has no timestamps.
    pub start_s: Option<f64>,
    /// When it ended by the stream's own time, seconds; null where the stream has no timestamps.
    pub end_s: Option<f64>,
    /// Its first and last sample, counted from 0 since the stream began.
    pub samples: (u64, u64),
    /// How long it lasted, seconds.
    #[schemars(range(min = 0))]
    pub seconds: f64,
    /// Decisions that answered it; those within it that answered something else are not among them.
    #[schemars(range(min = 1))]
    pub windows: u64,
    /// Mean belief of these decisions in it.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f64,
}

impl<'a> EpisodeLine<'a> {
    /// The line of `episode` in the stream named `stream`, whose activities are `labels`; `simulated` where the samples are made
    /// up. It borrows all texts.
    #[must_use]
    pub fn new(stream: &'a str, simulated: bool, labels: &'a [String], episode: &Episode) -> Self {
        let Episode { activity, begin, end, lasts, windows, confidence } = *episode;
        Self {
            stream: stream.into(),
            simulated,
            activity: labels.get(activity).map_or("", String::as_str).into(),
            start: begin.wall.and_then(LocalTime::new),
            end: end.wall.and_then(LocalTime::new),
            start_s: begin.time_s,
            end_s: end.time_s,
            samples: (begin.sample, end.sample),
            seconds: lasts.as_secs_f64(),
            windows,
            confidence,
        }
    }
}
