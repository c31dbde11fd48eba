//! What belongs to one stream: the wearer's activity, gaps, and the buffers in which the stream's windows are inferred.

use std::time::Duration;

use crate::control::ActivityBelief;
use crate::ladder::{InferenceError, Ladder, Runner, Task};
use crate::window::Window;

/// One wearer's side of the engine: what is believed of the activity, where the stream stands, and a runner.
pub struct Wearer {
    pub(super) runner: Box<dyn Runner>,
    pub(super) belief: ActivityBelief,
    pub(super) logits: Vec<f32>,
    /// Last sample of the window before, where there was one.
    last_sample: Option<u64>,
}

impl Wearer {
    /// A wearer of whom nothing is known yet, whose windows `ladder` infers.
    ///
    /// # Errors
    /// When the inference library gives no buffers.
    pub fn new(ladder: &Ladder) -> Result<Self, InferenceError> {
        Ok(Self::with_runner(ladder, ladder.runner()?))
    }

    /// The same with `runner`, which infers the configurations of `ladder`.
    #[must_use]
    pub fn with_runner(ladder: &Ladder, runner: Box<dyn Runner>) -> Self {
        let labels = ladder.manifest().task.labels.len();
        Self { runner, belief: ActivityBelief::new(labels), logits: vec![0.0; labels], last_sample: None }
    }

    /// Accounts for the stream's time since the window before; after a gap the wearer may do anything.
    pub(super) fn pass_time(&mut self, window: &Window, task: &Task) {
        let Some(before) = self.last_sample.replace(window.last_sample) else { return };
        let samples = window.last_sample.saturating_sub(before);
        if samples > task.window as u64 {
            self.belief.forget();
        } else {
            self.belief.pass(Duration::from_secs_f64(samples as f64 / task.sample_rate_hz));
        }
    }
}
