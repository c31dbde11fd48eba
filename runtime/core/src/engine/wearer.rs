//! What belongs to one stream: the wearer's activity, gaps, and the buffers in which the stream's windows are inferred.

use std::sync::Arc;
use std::time::Duration;

use super::begin::{Begun, Inference};
use crate::control::ActivityBelief;
use crate::ladder::{InferenceError, Ladder, Runner, Task};
use crate::plausibility::Sensor;
use crate::window::Window;

/// One wearer's side of the engine: what is believed of the activity, where the stream stands, and a runner.
pub struct Wearer {
    pub(super) runner: Box<dyn Runner>,
    pub(super) belief: ActivityBelief,
    pub(super) logits: Vec<f32>,
    /// The sensors of the stream.
    pub(super) sensors: Arc<[Sensor]>,
    /// Last sample of the window that was decided before, where there was one, and up to which sample the belief has passed.
    last_sample: Option<u64>,
    passed: u64,
    pub(super) begun: Begun,
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
        let (labels, sensors) = (ladder.manifest().task.labels.len(), ladder.manifest().sensors());
        Self {
            runner,
            belief: ActivityBelief::new(labels),
            logits: vec![0.0; labels],
            sensors,
            last_sample: None,
            passed: 0,
            begun: Begun::new(ladder.configurations().len()),
        }
    }

    /// Lets the wearer's inferences begin before their windows are complete: `insurance` does the heads for the case that
    /// others are late.
    #[must_use]
    pub fn insured_by(mut self, insurance: Box<dyn Runner>) -> Self {
        self.begun.insurance = Some(insurance);
        self
    }

    /// Accounts for the stream's time until `window`, which may still be incomplete; after a gap the wearer may do anything.
    pub(super) fn pass_time(&mut self, window: &Window, task: &Task) {
        let Some(before) = self.last_sample else { return };
        if window.last_sample.saturating_sub(before) > task.window as u64 {
            self.belief.forget();
        } else {
            let samples = window.last_sample.saturating_sub(self.passed.max(before));
            self.belief.pass(Duration::from_secs_f64(samples as f64 / task.sample_rate_hz));
        }
        self.passed = window.last_sample;
    }

    /// The tail of what has `begun` for `window`.
    pub(super) fn tail(&mut self, begun: &Inference, window: &Window) -> Result<(), InferenceError> {
        let runner = match &mut self.begun.insurance {
            Some(insurance) if begun.answers_by_insurance() => insurance,
            _ => &mut self.runner,
        };
        runner.tail(window.samples(), &mut self.logits)
    }

    /// The window is decided, or never will be: time passes from here on.
    pub(super) fn end_window(&mut self, window: &Window) {
        (self.last_sample, self.passed) = (Some(window.last_sample), window.last_sample);
    }

    /// Whether a window was decided that is no older than `window`.
    pub(super) fn is_past(&self, window: &Window) -> bool {
        self.last_sample.is_some_and(|last| last >= window.last_sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeBackend, FakeModel};
    use crate::virtual_time::VirtualClock;

    /// The belief of a wearer who was believed to do one thing for certain after a window that ended with the sample
    /// `before`, when one comes that ends with `last`; and that belief.
    fn beliefs(before: u64, last: u64) -> (ActivityBelief, ActivityBelief) {
        let clock = Arc::new(VirtualClock::new());
        let backend = FakeBackend::new(&[Duration::from_millis(1)], &clock);
        let ladder = Ladder::load(&FakeModel::new(1), &[&backend]).unwrap();
        let task = &ladder.manifest().task;
        let mut wearer = Wearer::new(&ladder).unwrap();
        let mut window = Window::new(1, task.window);
        window.last_sample = before;
        wearer.pass_time(&window, task);
        wearer.end_window(&window);
        assert_eq!(wearer.belief, ActivityBelief::new(3), "nothing has passed before the first window");
        wearer.belief.learn(&[0.0, 1.0, 0.0]);
        let certain = wearer.belief.clone();
        window.last_sample = last;
        wearer.pass_time(&window, task);
        (wearer.belief, certain)
    }

    #[test]
    fn between_two_windows_the_wearer_may_have_changed_as_the_time_allows() {
        // windows of 128 samples at 50 Hz; 64 are a hop, and after 128 the next window adjoins
        for (samples, ms) in [(64, 1280), (1, 20), (127, 2540), (128, 2560)] {
            let (belief, mut expected) = beliefs(127, 127 + samples);
            expected.pass(Duration::from_millis(ms));
            let shares = belief.shares().iter().zip(expected.shares());
            shares.for_each(|(share, expected)| assert!((share - expected).abs() < 1e-12, "{samples}: {belief:?}"));
        }
    }

    #[test]
    fn after_a_gap_the_wearer_may_do_anything() {
        for samples in [129, 1000] {
            assert_eq!(beliefs(127, 127 + samples).0, ActivityBelief::new(3), "{samples}");
        }
    }

    #[test]
    fn a_stream_that_steps_back_passes_no_time() {
        let (belief, certain) = beliefs(1000, 500);
        assert_eq!(belief, certain);
    }
}
