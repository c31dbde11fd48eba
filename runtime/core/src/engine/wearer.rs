//! What belongs to one stream: the wearer's activity, gaps, and the buffers in which the stream's windows are inferred.

use std::sync::Arc;
use std::time::Duration;

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
        let (labels, sensors) = (ladder.manifest().task.labels.len(), ladder.manifest().sensors());
        Self { runner, belief: ActivityBelief::new(labels), logits: vec![0.0; labels], sensors, last_sample: None }
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
