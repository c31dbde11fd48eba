//! What belongs to one stream: the wearer's activity, gaps, and the buffers in which the stream's windows are inferred.

use std::sync::Arc;
use std::time::Duration;

use super::begin::{Begun, Inference};
use super::moment::Moment;
use super::revision::{Revision, Revisor};
use crate::decode::{Decoder, Trust};
use crate::ladder::{InferenceError, Ladder, Runner, Task};
use crate::plausibility::Sensor;
use crate::window::Window;

/// One wearer's side of the engine: what is believed of the activity, where the stream stands, and a runner.
pub struct Wearer {
    pub(super) runner: Box<dyn Runner>,
    pub(super) belief: Decoder,
    /// What was expected before the window at hand said anything.
    expected: Decoder,
    /// Share of each configuration's answers that is not believed.
    doubts: Vec<f64>,
    pub(super) logits: Vec<f32>,
    /// The sensors of the stream.
    pub(super) sensors: Arc<[Sensor]>,
    /// The window that was decided before, where there was one.
    latest: Option<Moment>,
    /// How much of the time since then the belief has passed.
    passed: Duration,
    pub(super) begun: Begun,
    /// Where windows are to be revised.
    revisor: Option<Revisor>,
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
        let manifest = ladder.manifest();
        let (labels, context) = (manifest.task.labels.len(), manifest.context());
        Self {
            runner,
            belief: Decoder::new(labels, context),
            expected: Decoder::new(labels, context),
            doubts: context.doubts(manifest),
            logits: vec![0.0; labels],
            sensors: manifest.sensors(),
            latest: None,
            passed: Duration::ZERO,
            begun: Begun::new(manifest.configurations.len() + manifest.cascades.len()),
            revisor: None,
        }
    }

    /// Lets the wearer's inferences begin before their windows are complete: `insurance` does the heads for the case that
    /// others are late.
    #[must_use]
    pub fn insured_by(mut self, insurance: Box<dyn Runner>) -> Self {
        self.begun.insurance = Some(insurance);
        self
    }

    /// What is believed of the activity.
    #[must_use]
    pub fn belief(&self) -> &Decoder {
        &self.belief
    }

    /// Accounts for the stream's time until `window`, which may still be incomplete.
    pub(super) fn pass_time(&mut self, window: &Window, task: &Task) {
        let Some(latest) = self.latest else { return };
        let elapsed = latest.until(&Moment::of(window), task);
        let changed = window.changed_at.is_some_and(|sample| sample > latest.sample);
        self.belief.pass(elapsed.saturating_sub(self.passed), changed);
        self.passed = self.passed.max(elapsed);
    }

    /// Learns what the configuration `rung` says of a window, whose time has passed.
    pub(super) fn learn(&mut self, rung: usize, probabilities: &[f32]) {
        self.expected.copy_from(&self.belief);
        // the first window is all that is known
        let evidence = self.belief.evidence(if self.latest.is_some() { self.passed } else { Duration::MAX });
        self.belief.learn(probabilities, Trust { doubt: self.doubts[rung], evidence });
    }

    /// Learns what the configuration `rung` says of the window of which another one was learned last, in place of that.
    pub(super) fn learn_instead(&mut self, rung: usize, probabilities: &[f32]) {
        self.belief.copy_from(&self.expected);
        self.learn(rung, probabilities);
    }

    /// Fills `revision` with what is believed of the window `lag` windows before `window`, of which all is learned, if that is
    /// known; with nothing where `lag` is 0. Allocates where it is another lag than before.
    pub(super) fn revise(&mut self, lag: usize, window: &Window, revision: &mut Option<Revision>) {
        if self.revisor.as_ref().map_or(0, Revisor::lag) != lag {
            self.revisor = (lag > 0).then(|| Revisor::new(self.belief.shares().len(), lag));
        }
        match &mut self.revisor {
            Some(revisor) => revisor.push(&self.belief, window, revision),
            None => *revision = None,
        }
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
        self.latest = Some(Moment::of(window));
        self.passed = Duration::ZERO;
    }

    /// Whether a window was decided that is no older than `window`.
    pub(super) fn is_past(&self, window: &Window) -> bool {
        self.latest.is_some_and(|latest| latest.sample >= window.last_sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Change, Context, Movement};
    use crate::testing::{FakeBackend, FakeModel};
    use crate::virtual_time::VirtualClock;

    /// The belief of a wearer who was believed to do one thing for certain after a window that ended with the sample
    /// `before` at 10 s, when one comes that ends with `last` at `time_s` or, where there are no timestamps, arrives at 30 s;
    /// and that belief.
    fn beliefs(before: u64, last: u64, time_s: Option<f64>) -> (Decoder, Decoder) {
        let clock = Arc::new(VirtualClock::new());
        let backend = FakeBackend::new(&[Duration::from_millis(1)], &clock);
        let ladder = Ladder::load(&FakeModel::new(1), &[&backend]).unwrap();
        let task = &ladder.manifest().task;
        let mut wearer = Wearer::new(&ladder).unwrap();
        let nothing = wearer.belief.clone();
        let mut window = Window::new(1, task.window);
        (window.last_sample, window.time_s, window.arrived) = (before, time_s.map(|_| 10.0), Duration::from_secs(10));
        wearer.pass_time(&window, task);
        assert_eq!(wearer.belief, nothing, "nothing has passed before the first window");
        wearer.learn(0, &[0.0, 1.0, 0.0]);
        wearer.end_window(&window);
        let certain = wearer.belief.clone();
        (window.last_sample, window.time_s, window.arrived) = (last, time_s, Duration::from_secs(30));
        // with its head, and when it is complete
        wearer.pass_time(&window, task);
        wearer.pass_time(&window, task);
        (wearer.belief, certain)
    }

    fn near(one: &Decoder, other: &Decoder) -> bool {
        one.shares().iter().zip(other.shares()).all(|(one, other)| (one - other).abs() < 1e-12)
    }

    #[test]
    fn between_two_windows_the_wearer_may_have_changed_as_the_time_allows() {
        // windows of 128 samples at 50 Hz; 64 are a hop
        for (samples, time_s, seconds) in [
            (64, None, 1.28),
            (1, None, 0.02),
            (64, Some(11.28), 1.28),
            (128, Some(12.56), 2.56),
            // a gap that no number shows, and one of days
            (64, Some(70.0), 60.0),
            (1000, Some(100_000.0), 99_990.0),
            // samples in between are in no window, and have no timestamps
            (65, None, 20.0),
            (5000, None, 100.0),
            // a clock that stands still, is set back, and says nothing
            (129, Some(11.0), 2.58),
            (64, Some(5.0), 1.28),
            (129, Some(5.0), 20.0),
            (129, Some(f64::NAN), 20.0),
        ] {
            let (belief, mut expected) = beliefs(127, 127 + samples, time_s);
            expected.pass(Duration::from_secs_f64(seconds), false);
            assert!(near(&belief, &expected), "{samples}, {time_s:?}: {belief:?}");
        }
    }

    #[test]
    fn a_change_since_the_window_before_counts_once_whenever_it_is_seen() {
        let clock = Arc::new(VirtualClock::new());
        let change = Change { quantity: Movement::Gravity, over_s: 0.5, above: 0.4, stay: 0.25 };
        let hop = Duration::from_millis(1280);
        let context = Context { change: Some(change), ..Context::mild(hop) };
        let backend = FakeBackend::new(&[Duration::from_millis(1)], &clock);
        let ladder = Ladder::load(&FakeModel::new(1), &[&backend]).unwrap();
        let task = &ladder.manifest().task;
        for (head, complete, told) in [
            (None, None, false),
            // before the latest window, and with its last sample
            (Some(90), Some(127), false),
            (None, Some(128), true),
            (Some(150), Some(191), true),
            (Some(150), Some(150), true),
        ] {
            let mut wearer = Wearer::new(&ladder).unwrap();
            // the model has no sensor for it
            wearer.belief = Decoder::new(3, context);
            let mut window = Window::new(1, task.window);
            window.last_sample = 127;
            wearer.pass_time(&window, task);
            wearer.learn(0, &[0.0, 1.0, 0.0]);
            wearer.end_window(&window);
            let before = wearer.belief.clone();
            window.last_sample = 191;
            for changed_at in [head, complete] {
                window.changed_at = changed_at;
                wearer.pass_time(&window, task);
            }
            let mut expected = before.clone();
            expected.pass(hop, told);
            assert!(near(&wearer.belief, &expected), "{head:?}, {complete:?}: {:?}", wearer.belief);
            let mut other = before;
            other.pass(hop, !told);
            assert!(!near(&wearer.belief, &other));
        }
    }

    #[test]
    fn a_stream_that_steps_back_passes_no_time() {
        let (belief, certain) = beliefs(1000, 500, None);
        assert_eq!(belief, certain);
    }
}
