//! The second inference of a cascade: whether a window needs it, and whether there is time for it.

use std::time::Duration;

use super::Engine;
use super::decide::{DecideError, Inputs};
use super::decision::{Decision, Instant};
use super::softmax::softmax;
use super::wearer::Wearer;
use crate::clock::Clock;
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
}

impl Engine {
    /// Where the plan of `decision` is a cascade, asks its large configuration about `window` if the belief is unsure and there is
    /// time: the small one has been learned, and took `latency`. `decision` then holds the large one's answer.
    ///
    /// Returns the CPU time of the second inference, where there was one and the clock measures it.
    pub(super) fn escalate(
        &mut self,
        latency: Duration,
        wearer: &mut Wearer,
        window: &Window,
        inputs: &Inputs<'_>,
        clock: &dyn Clock,
        decision: &mut Decision,
    ) -> Result<Option<Duration>, DecideError> {
        let plan = decision.choice.plan;
        let Some(cascade) = self.device.cascade(plan).copied().filter(|_| self.device.settings().context) else {
            return Ok(None);
        };
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
            return Ok(None);
        }
        wearer.runner.infer(rung, window.samples(), &mut wearer.logits)?;
        let (end, cpu_after) = (clock.now(), clock.thread_time());
        let Instant { activity, probabilities } = &mut decision.instant;
        *activity = softmax(&wearer.logits, self.ladder.configurations()[rung].temperature, probabilities);
        wearer.learn_instead(rung, probabilities);
        let infer = end.saturating_sub(begin);
        let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        self.device.draw(cpu.unwrap_or(infer));
        self.device.observe_cost(rung, cpu.unwrap_or(infer));
        escalation.second = Second::Answered(infer);
        (decision.escalation, decision.rung) = (Some(escalation), rung);
        Ok(cpu)
    }
}
