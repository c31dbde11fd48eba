//! Labelled windows, through every configuration of a ladder or through the engine, compared with their labels.

mod clock;
mod load;
mod score;

use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::Clock;
use gaitd_core::control::{Load, Overhead, PolicyError, PolicySpec};
use gaitd_core::decode::{Episode, Viterbi};
use gaitd_core::engine::{DecideError, Decision, Diary, Engine, Inputs, LONGEST_BUDGET, Settings, Wearer, largest};
use gaitd_core::ladder::{InferenceError, Ladder, Manifest, Profile};
use gaitd_core::window::Window;

use clock::SkippingClock;
pub use load::{ScenarioLoad, ScenarioLoadError};
pub use score::Score;

/// A window at full resolution and what the wearer did.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledWindow {
    /// Row-major `[channels, time]`.
    pub samples: Vec<f32>,
    /// Numbers of its first and last sample in the stream.
    pub span: (u64, u64),
    /// Index among the model's labels; `None` where it lies in no single activity, and is not compared.
    pub truth: Option<usize>,
    /// See [`Window::changed_at`].
    pub changed_at: Option<u64>,
}

/// A replay that failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The settings make no sense.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A window has no decision.
    #[error("window {window}: {error}")]
    Decide {
        /// Its number.
        window: usize,
        /// Why.
        error: DecideError,
    },
    /// An inference failed, or the ladder gives no buffers.
    #[error(transparent)]
    Inference(#[from] InferenceError),
}

/// Runs all of `windows` that can be compared through the configuration `rung` of `ladder`, each by itself; calls `progress`
/// after each.
///
/// # Errors
/// When an inference fails.
pub fn one_configuration(
    ladder: &Ladder,
    rung: usize,
    windows: &[LabelledWindow],
    clock: &dyn Clock,
    mut progress: impl FnMut(),
) -> Result<Score, InferenceError> {
    let labels = ladder.manifest().task.labels.len();
    let (mut score, mut logits) = (Score::new(labels), vec![0.0; labels]);
    let mut runner = ladder.runner()?;
    for window in windows {
        let Some(truth) = window.truth else { continue };
        let start = clock.now();
        runner.infer(rung, &window.samples, &mut logits)?;
        let latency = clock.now().saturating_sub(start);
        score.count(truth, largest(&logits), latency);
        progress();
    }
    Ok(score)
}

/// Runs all of `windows`, which are a stream, through the configuration or cascade `plan` of `ladder`, with context; calls `progress`
/// after each that can be compared.
///
/// # Errors
/// When an inference fails, or the ladder gives no buffers.
pub fn one_with_context(
    ladder: &Ladder,
    plan: &str,
    windows: &[LabelledWindow],
    clock: &Arc<dyn Clock>,
    mut progress: impl FnMut(),
) -> Result<Account, ReplayError> {
    let policy = PolicySpec::Fixed { configuration: Some(plan.to_owned()) };
    let settings = Settings::new(LONGEST_BUDGET, 1.0, policy);
    // of no meaning where there is nothing to choose
    let profile = Profile::known(ladder, "none", &vec![Duration::from_millis(1); ladder.configurations().len()]);
    Replay::new(ladder.clone(), &profile, settings, clock)?.run(windows, |decision| {
        if windows[decision.window as usize].truth.is_some() {
            progress();
        }
        Ok(())
    })
}

/// What the engine made of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The compared windows; latencies are from arrival to decision.
    pub total: Score,
    /// Of them, those that were right by themselves, and those that are in the most probable sequence of the whole recording.
    right_alone: u64,
    right_in_sequence: u64,
    /// The same by configuration; latencies are those of the inferences.
    pub configurations: Vec<Score>,
    /// Windows decided, compared or not.
    pub decided: u64,
    /// Late decisions among them.
    pub misses: u64,
    /// Multiply-accumulates of all inferences.
    macs: u64,
    /// CPU time of all inferences, where it could be measured.
    cpu: Option<Duration>,
    /// Of the compared windows, those that were recognised on time, and those that were late.
    recognised_on_time: u64,
    late: u64,
    guess_accuracy: f64,
    /// The episode that the end of the windows has ended.
    pub last_episode: Option<Episode>,
}

impl Account {
    fn new(manifest: &Manifest) -> Self {
        let score = Score::new(manifest.task.labels.len());
        Self {
            configurations: vec![score.clone(); manifest.configurations.len()],
            total: score,
            right_alone: 0,
            right_in_sequence: 0,
            decided: 0,
            misses: 0,
            macs: 0,
            cpu: Some(Duration::ZERO),
            recognised_on_time: 0,
            late: 0,
            guess_accuracy: manifest.guess_accuracy(),
            last_episode: None,
        }
    }

    fn count(&mut self, decision: &Decision, truth: Option<usize>) {
        let latency = decision.decided.saturating_sub(decision.arrived);
        let late = latency > decision.budget;
        self.decided += 1;
        self.misses += u64::from(late);
        self.macs += decision.macs();
        self.cpu = self.cpu.zip(decision.cpu).map(|(sum, cpu)| sum + cpu);
        if let Some(truth) = truth {
            self.total.count(truth, decision.activity, latency);
            self.right_alone += u64::from(truth == decision.instant.activity);
            let infer = decision.second().unwrap_or(decision.infer);
            self.configurations[decision.rung].count(truth, decision.activity, infer);
            self.recognised_on_time += u64::from(!late && truth == decision.activity);
            self.late += u64::from(late);
        }
    }

    /// The share of the compared windows that were recognised, a late one counting as a guess.
    #[must_use]
    pub fn effective_accuracy(&self) -> Option<f64> {
        self.total.share(self.recognised_on_time as f64 + self.late as f64 * self.guess_accuracy)
    }

    /// The share of the compared windows of which each alone says what it was.
    #[must_use]
    pub fn instant_accuracy(&self) -> Option<f64> {
        self.total.share(self.right_alone as f64)
    }

    /// The share of the compared windows that the most probable sequence of activities has right, which knows the whole recording.
    #[must_use]
    pub fn sequence_accuracy(&self) -> Option<f64> {
        self.total.share(self.right_in_sequence as f64)
    }

    /// Mean multiply-accumulates of a window.
    #[must_use]
    pub fn mean_macs(&self) -> f64 {
        self.macs as f64 / self.decided as f64
    }

    /// Mean CPU time of an inference, seconds, where it could be measured.
    #[must_use]
    pub fn mean_cpu_s(&self) -> Option<f64> {
        self.cpu.map(|sum| sum.as_secs_f64() / self.decided as f64)
    }
}

/// Windows through the engine, at the times of their stream: inferences take their time, and the time between two
/// windows is skipped.
pub struct Replay {
    engine: Engine,
    wearer: Wearer,
    settings: Settings,
    /// Where latencies come from a scenario; its budgets too if `follows_budgets`.
    load: Option<ScenarioLoad>,
    follows_budgets: bool,
    clock: Arc<dyn Clock>,
    window: Window,
}

impl Replay {
    /// Through `ladder`, whose latencies are `profile`'s, as `settings` demand; inferences take their time on `clock`.
    ///
    /// # Errors
    /// When the settings are out of range, or the ladder gives no buffers.
    pub fn new(
        ladder: Ladder,
        profile: &Profile,
        settings: Settings,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ReplayError> {
        let wearer = Wearer::new(&ladder)?;
        let clock = Arc::new(SkippingClock::new(Arc::clone(clock)));
        Self::on(ladder, wearer, profile, settings, clock)
    }

    /// The same with the latencies, load and, where `follows_budgets`, budgets of `load`.
    ///
    /// # Errors
    /// Those of [`Replay::new`].
    pub fn with_load(
        ladder: Ladder,
        load: ScenarioLoad,
        settings: Settings,
        follows_budgets: bool,
    ) -> Result<Self, ReplayError> {
        let wearer = Wearer::with_runner(&ladder, load.slow_down(ladder.runner()?));
        let replay = Self::on(ladder, wearer, load.profile(), settings, load.clock())?;
        Ok(Self { load: Some(load), follows_budgets, ..replay })
    }

    fn on(
        ladder: Ladder,
        wearer: Wearer,
        profile: &Profile,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ReplayError> {
        let task = &ladder.manifest().task;
        let window = Window::new(task.channels.len(), task.window);
        let engine = Engine::new(ladder, profile, &settings, 0)?;
        Ok(Self { engine, wearer, settings, load: None, follows_budgets: false, clock, window })
    }

    /// Decides all of `windows`, which are in the order of their stream; `publish` takes each decision.
    ///
    /// # Errors
    /// When an inference or `publish` fails.
    pub fn run<E: From<ReplayError>>(
        mut self,
        windows: &[LabelledWindow],
        mut publish: impl FnMut(&Decision) -> Result<(), E>,
    ) -> Result<Account, E> {
        let manifest = Arc::clone(self.engine.ladder().manifest());
        let mut account = Account::new(&manifest);
        let mut decision = Decision::empty(&manifest);
        let mut diary = Diary::new(&manifest.task, None);
        let mut sequence = Viterbi::new(manifest.task.labels.len());
        for (index, labelled) in windows.iter().enumerate() {
            self.decide(index, labelled, &mut decision)
                .map_err(|error| ReplayError::Decide { window: index, error })?;
            decision.episode = diary.push(&decision);
            sequence.push(self.wearer.belief());
            publish(&decision)?;
            account.count(&decision, labelled.truth);
        }
        account.last_episode = diary.finish();
        let right = |(window, found): &(&LabelledWindow, usize)| window.truth == Some(*found);
        account.right_in_sequence = windows.iter().zip(sequence.finish()).filter(right).count() as u64;
        Ok(account)
    }

    fn decide(&mut self, index: usize, labelled: &LabelledWindow, decision: &mut Decision) -> Result<(), DecideError> {
        let mut load = Load::NONE;
        if let Some(scenario) = &self.load {
            let (budget, read) = scenario.begin(index);
            load = read;
            if self.follows_budgets {
                self.settings.budget = budget;
            }
        }
        let rate = self.engine.ladder().manifest().task.sample_rate_hz;
        self.clock.wait_until(Duration::from_secs_f64(labelled.span.1 as f64 / rate));
        self.window.samples_mut().copy_from_slice(&labelled.samples);
        self.window.index = index as u64;
        (self.window.first_sample, self.window.last_sample) = labelled.span;
        self.window.changed_at = labelled.changed_at;
        self.window.arrived = self.clock.now();
        self.window.completed = self.window.arrived;
        let inputs = Inputs { load, reserve: Duration::ZERO, overhead: &Overhead::NONE, settings: &self.settings };
        self.engine.decide(&mut self.wearer, &self.window, &inputs, self.clock.as_ref(), decision)?;
        // a replay measures, and would measure something else
        self.engine.take_fault().map_or(Ok(()), |error| Err(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use gaitd_core::decode::Context;
    use gaitd_core::testing::{FakeBackend, FakeModel};
    use gaitd_core::virtual_time::VirtualClock;

    use super::*;

    /// Ten windows of someone who walks, of which the first is not to be compared, and the last two are run.
    fn windows() -> Vec<LabelledWindow> {
        (0..10)
            .map(|index| LabelledWindow {
                samples: vec![if index < 8 { 1.0 } else { 2.0 }; 128],
                span: (64 * index, 64 * index + 127),
                truth: (index > 0).then_some(1),
                changed_at: None,
            })
            .collect()
    }

    fn account(slowdown: f64, context: bool) -> Account {
        let virtual_clock = Arc::new(VirtualClock::new());
        let latencies = [5, 10, 20].map(Duration::from_millis);
        let model = FakeModel::new(3).with_context(Context {
            bout_s: 25.0,
            evidence: 0.5,
            hop_s: 1.28,
            doubt: 0.1,
            change: None,
        });
        let ladder = Ladder::load(&model, &[&FakeBackend::new(&latencies, &virtual_clock)]).unwrap();
        let profile = Profile::known(&ladder, "test", &latencies);
        let settings = Settings { context, ..Settings::new(Duration::from_millis(50), 0.02, PolicySpec::default()) };
        virtual_clock.set_slowdown(slowdown);
        let clock: Arc<dyn Clock> = virtual_clock;
        let mut published = 0;
        let account = Replay::new(ladder, &profile, settings, &clock)
            .unwrap()
            .run(&windows(), |decision| {
                assert_eq!(decision.window, published);
                published += 1;
                Ok::<(), ReplayError>(())
            })
            .unwrap();
        assert_eq!(published, account.decided);
        account
    }

    #[test]
    fn every_window_is_decided_and_the_labelled_ones_are_compared() {
        let account = account(1.0, false);
        assert_eq!((account.decided, account.misses, account.total.windows()), (10, 0, 9));
        assert_eq!(account.total.accuracy(), Some(7.0 / 9.0));
        assert_eq!(account.effective_accuracy(), Some(7.0 / 9.0));
        assert_eq!(account.total.confusion()[1], [0, 7, 2]);
        assert_eq!(account.configurations.iter().map(Score::windows).sum::<u64>(), 9);
    }

    #[test]
    fn with_context_two_odd_windows_are_not_believed() {
        let account = account(1.0, true);
        assert_eq!(account.total.confusion()[1], [0, 9, 0]);
        assert_eq!((account.total.accuracy(), account.instant_accuracy()), (Some(1.0), Some(7.0 / 9.0)));
        assert_eq!(account.sequence_accuracy(), Some(1.0));
    }

    #[test]
    fn what_is_late_counts_as_a_guess() {
        let account = account(100.0, false);
        assert_eq!(account.misses, 10);
        let effective = account.effective_accuracy().unwrap();
        assert!((effective - 1.0 / 3.0).abs() < 1e-12, "{effective}");
        // the answers are right all the same
        assert_eq!(account.total.accuracy(), Some(7.0 / 9.0));
    }
}
