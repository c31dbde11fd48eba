//! One decision for one window: choose, infer, observe.

use std::time::Duration;

use super::decision::{Considered, Decision};
use super::device::{SettingsError, Taken};
use super::settings::Settings;
use super::softmax::softmax;
use super::wearer::Wearer;
use super::{Engine, Outlook};
use crate::clock::Clock;
use crate::control::{Load, Overhead};
use crate::ladder::InferenceError;
use crate::window::Window;

/// What the engine has to know of the moment, beside the window itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs<'a> {
    /// What else takes the processors.
    pub load: Load,
    /// The part of the budget to set aside, for windows behind this one.
    pub reserve: Duration,
    /// What windows cost beside their inferences, from when they are taken to when their decisions are published.
    pub overhead: &'a Overhead,
    /// What is demanded from this window on.
    pub settings: &'a Settings,
}

/// A window that has no decision.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The settings cannot be applied, or not as they should: see [`SettingsError`].
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The inference failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
}

impl Engine {
    /// Decides one window of `wearer`; fills `decision`. Allocates nothing but where the settings have changed.
    ///
    /// # Errors
    /// When the settings cannot be applied, or the inference fails; the window then has no decision, and the policy
    /// learns nothing from it.
    pub fn decide(
        &mut self,
        wearer: &mut Wearer,
        window: &Window,
        inputs: &Inputs<'_>,
        clock: &dyn Clock,
        decision: &mut Decision,
    ) -> Result<(), DecideError> {
        let taken = clock.now();
        self.device.apply_settings(inputs.settings)?;
        wearer.pass_time(window, &self.ladder.manifest().task);
        let budget = self.device.demand().budget;
        let spent = taken.saturating_sub(window.arrived) + inputs.reserve;
        let available = inputs.overhead.available(budget.saturating_sub(spent));
        self.update_outlook(wearer);
        decision.slowdown = self.device.slowdown();
        decision.choice = self.device.choose(taken, &available, inputs.load, &self.outlook);
        self.fill_considered(&mut decision.considered);

        let rung = decision.choice.rung;
        let (prepared, cpu_before) = (clock.now(), clock.thread_time());
        wearer.runner.infer(rung, window.samples(), &mut wearer.logits)?;
        let (inferred, cpu_after) = (clock.now(), clock.thread_time());
        let infer = inferred.saturating_sub(prepared);
        let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        self.device.observe(rung, Taken { latency: infer, cpu: cpu.unwrap_or(infer) });

        let temperature = self.ladder.configurations()[rung].temperature;
        decision.activity = softmax(&wearer.logits, temperature, &mut decision.probabilities);
        wearer.belief.learn(&decision.probabilities);
        decision.manifest.clone_from(self.ladder.manifest());
        decision.window = window.index;
        decision.samples = (window.first_sample, window.last_sample);
        (decision.time_s, decision.wall) = (window.time_s, window.wall);
        decision.sensors.clone_from(&wearer.sensors);
        decision.faults = window.faults;
        decision.signals = inputs.load;
        decision.budget = budget;
        decision.available = available.with_probability(0.5);
        decision.late_elsewhere = available.nothing();
        decision.arrived = window.arrived;
        decision.condition = window.completed.saturating_sub(window.arrived);
        decision.wait = taken.saturating_sub(window.completed);
        decision.prepare = prepared.saturating_sub(taken);
        decision.infer = infer;
        decision.cpu = cpu;
        decision.decided = clock.now();
        Ok(())
    }

    /// What the next window of `wearer` would get from each configuration, and at what cost.
    fn update_outlook(&mut self, wearer: &Wearer) {
        let belief = self.device.settings().activity_aware.then_some(&wearer.belief);
        for (rung, outlook) in self.outlook.iter_mut().enumerate() {
            *outlook = Outlook { accuracy: self.accuracies.expected(rung, belief), cost: self.device.cost(rung) };
        }
    }

    fn fill_considered(&self, considered: &mut Vec<Considered>) {
        considered.clear();
        considered.extend(
            self.outlook
                .iter()
                .enumerate()
                .map(|(rung, outlook)| Considered { outlook: *outlook, forecast: self.device.forecast(rung) }),
        );
    }
}
