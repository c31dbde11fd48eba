//! The engine: choose, infer, observe, for one stream. No threads and no I/O; time and load come in as
//! arguments.

mod decision;
mod handle;
mod phase;
mod prospects;
mod reserve;
mod settings;
mod softmax;

use std::time::Duration;

pub use decision::{Considered, Decision};
pub use handle::ControlHandle;
pub use phase::Phase;
pub use reserve::PublishReserve;
pub use settings::{ControlConfig, LONGEST_BUDGET, Settings};
pub use softmax::largest;

use crate::clock::Clock;
use crate::control::{
    Allowance, Candidate, Demand, Learned, LearnedError, Policy, PolicyError, Resumed, Signals, Situation, Terms,
};
use crate::ladder::{InferenceError, Ladder, Profile, Runner};
use crate::window::Window;
use prospects::Prospects;
use softmax::softmax;

/// Runs one ladder under one policy for one stream.
pub struct Engine {
    ladder: Ladder,
    runner: Box<dyn Runner>,
    candidates: Vec<Candidate>,
    handle: ControlHandle,
    /// The settings in force, and the handle's version of them.
    settings: Settings,
    version: u64,
    policy: Box<dyn Policy>,
    /// What an earlier policy has learned, for the next one that can use it.
    learned: Option<Learned>,
    demand: Demand,
    allowance: Option<Allowance>,
    prospects: Prospects,
    /// Last sample of the window before, where there was one.
    last_sample: Option<u64>,
    reserve: PublishReserve,
    logits: Vec<f32>,
}

impl Engine {
    /// An engine that runs `ladder` through `runner`, whose latencies on this device are `profile`'s, as `settings`
    /// demand.
    ///
    /// # Errors
    /// When a setting is out of range, or the policy cannot be made for this ladder.
    pub fn new(
        ladder: Ladder,
        runner: Box<dyn Runner>,
        profile: &Profile,
        settings: Settings,
        reserve: PublishReserve,
    ) -> Result<Self, PolicyError> {
        let ids: Vec<String> = ladder.manifest().configurations.iter().map(|c| c.id.clone()).collect();
        // a configuration without a profile would be a guess: expect the worst of it
        let latency = |id: &str| profile.expected(id).unwrap_or(settings.budget);
        let prospects = Prospects::new(ladder.manifest(), ids.iter().map(|id| latency(id)));
        let candidates: Vec<Candidate> = ids
            .iter()
            .zip(prospects.usual())
            .map(|(id, accuracy)| Candidate { accuracy: *accuracy, latency: latency(id) })
            .collect();
        let handle = ControlHandle::new(ids, settings.clone())?;
        let policy = make_policy(&settings, &candidates, &handle, &ladder)?;
        let logits = vec![0.0; ladder.manifest().task.labels.len()];
        let mut engine = Self {
            ladder,
            runner,
            candidates,
            version: handle.version(),
            handle,
            demand: Demand::new(settings.budget, settings.miss_target),
            settings,
            policy,
            learned: None,
            allowance: None,
            prospects,
            last_sample: None,
            reserve,
            logits,
        };
        engine.settle();
        Ok(engine)
    }

    /// The ladder that this engine runs.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Changes what is demanded while the engine runs.
    #[must_use]
    pub fn handle(&self) -> ControlHandle {
        self.handle.clone()
    }

    /// Writes what the policy has learned of this device into `into`; see [`Policy::learned`].
    pub fn learned(&self, into: &mut Option<Learned>) {
        self.policy.learned(into);
    }

    /// Goes on from what was learned in an earlier run; see [`Policy::resume`].
    ///
    /// # Errors
    /// When it is nothing that can have been learned; the policy is then as it was before.
    pub fn resume(&mut self, learned: &Learned) -> Result<Resumed, LearnedError> {
        let resumed = self.policy.resume(learned)?;
        self.learned = Some(learned.clone());
        Ok(resumed)
    }

    /// Goes on from what `before` has learned, as far as that helps: an engine of the same ladder and profile on the
    /// same device.
    pub fn succeed(&mut self, before: &Self) {
        self.learned.clone_from(&before.learned);
        before.policy.learned(&mut self.learned);
        self.go_on();
    }

    /// Decides one window; fills `decision`.
    ///
    /// # Errors
    /// When the inference fails; the window then has no decision, and the policy learns nothing from it.
    pub fn decide(
        &mut self,
        window: &Window,
        signals: Signals,
        clock: &dyn Clock,
        decision: &mut Decision,
    ) -> Result<(), InferenceError> {
        let taken = clock.now();
        self.follow_settings();
        self.pass_time(window);
        let spent = taken.saturating_sub(window.arrived) + self.reserve.get();
        let available = self.demand.budget.saturating_sub(spent);
        let slowdown = self.policy.slowdown();
        let outlook = self.prospects.outlook(self.settings.activity_aware);
        let choice = self.policy.choose(&Situation {
            demand: &self.demand,
            available,
            signals,
            outlook,
            cost_limit: self.allowance.map_or(Duration::MAX, |allowance| allowance.limit()),
        });
        decision.considered.clear();
        decision.considered.extend(
            outlook
                .iter()
                .enumerate()
                .map(|(rung, outlook)| Considered { outlook: *outlook, forecast: self.policy.forecast(rung) }),
        );
        let (prepared, cpu_before) = (clock.now(), clock.thread_time());
        self.runner.infer(choice.rung, window.samples(), &mut self.logits)?;
        let (inferred, cpu_after) = (clock.now(), clock.thread_time());
        let temperature = self.ladder.configurations()[choice.rung].temperature;
        let infer = inferred.saturating_sub(prepared);
        let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        self.policy.observe(choice.rung, infer);
        if let Some(allowance) = &mut self.allowance {
            allowance.draw(cpu.unwrap_or(infer));
        }

        decision.activity = softmax(&self.logits, temperature, &mut decision.probabilities);
        self.prospects.learn(choice.rung, cpu.unwrap_or(infer), &decision.probabilities);
        decision.manifest.clone_from(self.ladder.manifest());
        decision.window = window.index;
        decision.samples = (window.first_sample, window.last_sample);
        decision.time_s = window.time_s;
        decision.choice = choice;
        decision.slowdown = slowdown;
        decision.signals = signals;
        decision.budget = self.demand.budget;
        decision.available = available;
        decision.arrived = window.arrived;
        decision.condition = window.completed.saturating_sub(window.arrived);
        decision.wait = taken.saturating_sub(window.completed);
        decision.prepare = prepared.saturating_sub(taken);
        decision.infer = infer;
        decision.cpu = cpu;
        decision.decided = clock.now();
        Ok(())
    }

    /// Takes over settings that were changed since the last window.
    fn follow_settings(&mut self) {
        let version = self.handle.version();
        if version == self.version {
            return;
        }
        // somebody is changing them just now: they hold from the window after this one on
        let Some(settings) = self.handle.try_settings().map(|settings| settings.clone()) else { return };
        if settings.policy != self.settings.policy {
            match make_policy(&settings, &self.candidates, &self.handle, &self.ladder) {
                Ok(policy) => self.exchange(policy),
                // the handle has checked it for this ladder
                Err(error) => debug_assert!(false, "internal error: {error}; the policy stays as it was"),
            }
        }
        self.version = version;
        self.settings = settings;
        self.settle();
    }

    /// Lets `policy` go on from what the one before has learned, or one before that.
    fn exchange(&mut self, policy: Box<dyn Policy>) {
        self.policy.learned(&mut self.learned);
        self.policy = policy;
        self.go_on();
    }

    /// Lets the policy go on from what is known to have been learned.
    fn go_on(&mut self) {
        if let Some(learned) = &self.learned
            && let Err(error) = self.policy.resume(learned)
        {
            debug_assert!(false, "internal error: {error}; the policy starts afresh");
        }
    }

    /// Derives what is demanded from the settings.
    fn settle(&mut self) {
        let settings = &self.settings;
        let pinned = settings.pinned.as_ref();
        self.demand = Demand {
            budget: settings.budget,
            miss_target: settings.miss_target,
            objective: settings.objective,
            pinned: pinned.and_then(|id| self.handle.configurations().iter().position(|known| known == id)),
        };
        self.allowance = settings.cpu_share.map(|share| {
            // what was saved or overdrawn stays, unless the cap itself has changed
            self.allowance.filter(|allowance| allowance.share() == share).unwrap_or_else(|| Allowance::new(share))
        });
    }

    /// Accounts for the stream's time since the window before.
    fn pass_time(&mut self, window: &Window) {
        let task = &self.ladder.manifest().task;
        let before = self.last_sample.replace(window.last_sample);
        let passed = before.map_or(task.hop as u64, |before| window.last_sample.saturating_sub(before));
        if let Some(allowance) = &mut self.allowance {
            allowance.pay_in(Duration::from_secs_f64(passed as f64 / task.sample_rate_hz));
        }
        if passed > task.window as u64 {
            self.prospects.forget();
        }
    }
}

fn make_policy(
    settings: &Settings,
    candidates: &[Candidate],
    handle: &ControlHandle,
    ladder: &Ladder,
) -> Result<Box<dyn Policy>, PolicyError> {
    let terms = Terms { budget: settings.budget, guess_accuracy: ladder.manifest().guess_accuracy() };
    settings.policy.make(candidates, handle.configurations(), &terms)
}
