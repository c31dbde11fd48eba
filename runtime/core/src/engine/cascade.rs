//! The second inference of a cascade: whether a window needs it, and whether there is time for it.

use std::time::Duration;

use super::Engine;
use super::decide::Inputs;
use super::decision::{Decision, Instant};
use super::softmax::softmax;
use super::wearer::Wearer;
use crate::clock::Clock;
use crate::ladder::InferenceError;
use crate::window::Window;

/// What a cascade did after its small configuration had answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Escalation {
    /// Index of the small configuration.
    pub small: usize,
    /// Index of the large one.
    pub large: usize,
    /// Probability of the activity that was believed in after it.
    pub sure: f32,
    /// Below this, the large configuration is asked.
    pub threshold: f32,
    /// What came of that.
    pub second: Second,
}

/// What became of the second inference of a cascade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// The belief was sure enough.
    NotNeeded,
    /// It would have been late: the small configuration's answer stands.
    NoTime,
    /// It took so long, and answered in place of the first.
    Answered(Duration),
    /// It failed, as [`Engine::take_fault`] says: the small configuration's answer stands.
    Failed,
}

impl Engine {
    /// Where the plan of `decision` is a cascade, asks its large configuration about `window` if the belief is unsure and there is
    /// time: the small one has been learned, and took `latency`. `decision` then holds the large one's answer.
    ///
    /// Returns the CPU time of the second inference, where there was one and the clock measures it. One that fails is no reason
    /// to have no answer.
    pub(super) fn escalate(
        &mut self,
        latency: Duration,
        wearer: &mut Wearer,
        window: &Window,
        inputs: &Inputs<'_>,
        clock: &dyn Clock,
        decision: &mut Decision,
    ) -> Option<Duration> {
        let plan = decision.choice.plan;
        let cascade = self.device.cascade(plan).copied().filter(|_| self.device.settings().context)?;
        let sure = wearer.belief.sure();
        let (begin, cpu_before) = (clock.now(), clock.thread_time());
        let spent = begin.saturating_sub(window.arrived) + inputs.reserve;
        let available = inputs.overhead.available(self.device.demand().budget.saturating_sub(spent));
        let rung = cascade.pair.large;
        let wanted = sure < cascade.threshold;
        self.device.observe_escalation(plan, wanted);
        let mut escalation = Escalation {
            small: cascade.pair.small,
            large: rung,
            sure: sure as f32,
            threshold: cascade.threshold as f32,
            second: if wanted { Second::NoTime } else { Second::NotNeeded },
        };
        let begins = wanted && self.device.follows(cascade.pair, latency, &available);
        if !begins {
            decision.escalation = Some(escalation);
            return None;
        }
        let inferred = wearer.runner.infer(rung, window.samples(), &mut wearer.logits);
        let (end, cpu_after) = (clock.now(), clock.thread_time());
        let infer = end.saturating_sub(begin);
        let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        self.device.draw(cpu.unwrap_or(infer));
        if let Err(error) = inferred {
            (self.fault, escalation.second) = (Some(error), Second::Failed);
            decision.escalation = Some(escalation);
            return cpu;
        }
        let Instant { activity, probabilities } = &mut decision.instant;
        *activity = softmax(&wearer.logits, self.ladder.configurations()[rung].temperature, probabilities);
        wearer.learn_instead(rung, probabilities);
        self.device.observe_cost(rung, cpu.unwrap_or(infer));
        escalation.second = Second::Answered(infer);
        (decision.escalation, decision.rung) = (Some(escalation), rung);
        cpu
    }

    /// What the second inference of the latest window's cascade failed for, if it did; told once.
    pub fn take_fault(&mut self) -> Option<InferenceError> {
        self.fault.take()
    }
}
