//! One decision for one window: choose, infer, ask a second time where the plan is a cascade, observe.

use std::time::Duration;

use super::decision::{Considered, Decision};
use super::device::{Pick, SettingsError, Taken};
use super::settings::Settings;
use super::softmax::{largest, softmax};
use super::wearer::Wearer;
use super::{Engine, Outlook};
use crate::clock::Clock;
use crate::control::{Load, Overhead, Short};
use crate::ladder::InferenceError;
use crate::window::Window;

/// What the engine has to know of the moment, beside the window itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs<'a> {
    /// What else takes the processors.
    pub load: Load,
    /// The part of the budget to set aside, for windows behind this one.
    pub reserve: Duration,
    /// What windows cost beside their inferences, until their decisions are published: since they are taken, or, for what
    /// begins before a window is complete, since its last sample has arrived.
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
    /// Decides one complete window of `wearer`; fills `decision`. Allocates nothing but where the settings have changed.
    ///
    /// Where [`Engine::begin`] has begun with it, the plan stays that of then, and only the tail is inferred; what was
    /// demanded meanwhile holds from the next pick on, but for the budget, which holds at once.
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
        let begun = wearer.begun.take(window);
        self.device.apply_settings(inputs.settings)?;
        wearer.pass_time(window, &self.ladder.manifest().task);
        match &begun {
            Some(begun) => {
                (decision.choice, decision.slowdown) = (begun.choice, begun.slowdown);
                (decision.available, decision.late_elsewhere) = (begun.available, begun.late_elsewhere);
                std::mem::swap(&mut decision.considered, &mut wearer.begun.considered);
            }
            None => self.choose(wearer, window, inputs, taken, decision),
        }
        let (plan, rung) = (decision.choice.plan, self.device.first(decision.choice.plan));
        (decision.rung, decision.escalation) = (rung, None);
        let head = begun.map(|begun| begun.head(window.arrived));
        let (prepared, cpu_before) = (clock.now(), clock.thread_time());
        match &begun {
            Some(begun) => wearer.tail(begun, window)?,
            None => wearer.runner.infer(rung, window.samples(), &mut wearer.logits)?,
        }
        let (inferred, cpu_after) = (clock.now(), clock.thread_time());
        let infer = inferred.saturating_sub(prepared);
        let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        self.device.draw(cpu.unwrap_or(infer));
        let mut latency = infer + head.map_or(Duration::ZERO, |head| head.infer);
        let mut cpu = match &begun {
            Some(begun) => begun.cpu.zip(cpu).map(|(heads, tail)| heads + tail),
            None => cpu,
        };
        let first_cpu = cpu.unwrap_or(latency);

        let temperature = self.ladder.configurations()[rung].temperature;
        decision.instant.activity = softmax(&wearer.logits, temperature, &mut decision.instant.probabilities);
        wearer.learn(rung, &decision.instant.probabilities);
        let second = self.escalate(latency, wearer, window, inputs, clock, decision);
        cpu = cpu.zip(second).map(|(first, second)| first + second).or(cpu);
        let second = decision.second();
        let observed = if second.is_some() { plan } else { rung };
        latency += second.unwrap_or_default();
        self.device.observe(observed, Taken { latency, cpu: first_cpu, halved: begun.is_some() });
        wearer.end_window(window);
        let settings = self.device.settings();
        wearer.revise(if settings.context { settings.lag } else { 0 }, window, &mut decision.revision);
        if self.device.settings().context {
            decision.belief.clear();
            decision.belief.extend(wearer.belief.shares().iter().map(|share| *share as f32));
            decision.activity = largest(&decision.belief);
        } else {
            decision.belief.clone_from(&decision.instant.probabilities);
            decision.activity = decision.instant.activity;
        }
        decision.manifest.clone_from(self.ladder.manifest());
        decision.window = window.index;
        decision.samples = (window.first_sample, window.last_sample);
        (decision.time_s, decision.wall) = (window.time_s, window.wall);
        decision.sensors.clone_from(&wearer.sensors);
        decision.faults = window.faults;
        (decision.signals, decision.head) = (inputs.load, head);
        decision.budget = self.device.demand().budget;
        decision.arrived = window.arrived;
        decision.condition = window.completed.saturating_sub(window.arrived);
        decision.wait = taken.saturating_sub(window.completed);
        decision.prepare = prepared.saturating_sub(taken);
        decision.infer = infer + second.unwrap_or_default();
        decision.cpu = cpu;
        decision.decided = clock.now();
        Ok(())
    }

    /// Picks the plan of a complete window, taken at the clock time `taken`.
    fn choose(
        &mut self,
        wearer: &Wearer,
        window: &Window,
        inputs: &Inputs<'_>,
        taken: Duration,
        decision: &mut Decision,
    ) {
        let spent = taken.saturating_sub(window.arrived) + inputs.reserve;
        let available = inputs.overhead.available(self.device.demand().budget.saturating_sub(spent));
        self.update_outlook(wearer);
        decision.slowdown = self.device.slowdown();
        let pick = Pick { now: taken, available, lead: None, load: inputs.load };
        decision.choice = self.device.choose(&pick, &self.outlook);
        self.fill_considered(&mut decision.considered);
        (decision.available, decision.late_elsewhere) = (available.with_probability(0.5), available.nothing());
    }

    /// What the next window of `wearer` would get from each plan that may be picked, and at what cost.
    pub(super) fn update_outlook(&mut self, wearer: &Wearer) {
        let Self { accuracies, device, outlook, ladder, .. } = self;
        let belief = device.settings().activity_aware.then_some(&wearer.belief);
        outlook.clear();
        outlook.extend((0..ladder.configurations().len()).map(|rung| {
            let accuracy = accuracies.expected(rung, belief);
            Outlook { accuracy, cost: device.cost(rung), short: None }
        }));
        for cascade in device.cascades() {
            let short = Short { rung: cascade.pair.small, share: 1.0 - cascade.escalates };
            let [small, large] = [cascade.pair.small, cascade.pair.large].map(|rung| outlook[rung].accuracy);
            let accuracy = cascade.accuracy(small, large);
            outlook.push(Outlook { accuracy, cost: device.cost(outlook.len()), short: Some(short) });
        }
    }

    pub(super) fn fill_considered(&self, considered: &mut Vec<Considered>) {
        considered.clear();
        considered.extend(
            self.outlook
                .iter()
                .enumerate()
                .map(|(plan, outlook)| Considered { outlook: *outlook, forecast: self.device.forecast(plan) }),
        );
    }
}
