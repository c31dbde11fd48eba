//! The head of an inference: what is done for a window before its last samples are there.
//!
//! The plan is picked then; of a cascade, the small configuration begins. What is left for the last sample, the tail, is short; so a head that is done makes a
//! decision late only where the processor is far slower than it was. Where the head itself may be late, that of the smallest
//! configuration goes first, and answers where the other one cannot any more.

use std::time::Duration;

use super::decide::{DecideError, Inputs};
use super::decision::Considered;
use super::device::Pick;
use super::wearer::Wearer;
use super::{Engine, Head};
use crate::clock::Clock;
use crate::control::{Choice, Estimate, Halves, Load, Reason};
use crate::ladder::{InferenceError, Runner};
use crate::window::Window;

/// A head may be late where it is at the slowdown that is expected and so many standard deviations more.
const MAY_BE: f64 = 2.0;

/// A head that has taken longer than expected is expected to take this share of that time longer.
const OVERDUE: u32 = 4;

/// What was begun for the next window, and places for it, allocated once.
pub(super) struct Begun {
    /// Does the heads of the smallest configuration; none where nothing is begun before a window is complete.
    pub(super) insurance: Option<Box<dyn Runner>>,
    /// What was begun, if anything was.
    inference: Option<Inference>,
    pub(super) considered: Vec<Considered>,
}

/// An inference whose head is done, or was given up for the insurance's.
#[derive(Clone, Copy)]
pub(super) struct Inference {
    /// The first sample of its window: no two windows have the same.
    first_sample: u64,
    pub(super) choice: Choice,
    pub(super) slowdown: Option<Estimate>,
    pub(super) available: Duration,
    pub(super) late_elsewhere: f64,
    signals: Load,
    /// Clock times at which the head that is done, and all of them, began and ended.
    head: [Duration; 2],
    all: [Duration; 2],
    insured: bool,
    given_up: Option<usize>,
    wasted_macs: u64,
    /// CPU time of all heads, where it is measured.
    pub(super) cpu: Option<Duration>,
    /// Profiled tail / profiled head.
    tail_share: f64,
}

impl Begun {
    pub(super) fn new(plans: usize) -> Self {
        Self { insurance: None, inference: None, considered: Vec::with_capacity(plans) }
    }

    /// What was begun for `window`; what was begun for another one is forgotten.
    pub(super) fn take(&mut self, window: &Window) -> Option<Inference> {
        self.inference.take().filter(|inference| inference.first_sample == window.first_sample)
    }
}

impl Inference {
    /// The head, for a window whose last sample arrived at the clock time `arrived`.
    pub(super) fn head(&self, arrived: Duration) -> Head {
        let [begin, end] = self.head;
        let infer = end.saturating_sub(begin);
        Head {
            lead: arrived.saturating_sub(self.all[0]),
            infer,
            late: self.all[1].saturating_sub(arrived.max(self.all[0])),
            insured: self.insured,
            given_up: self.given_up,
            wasted_macs: self.wasted_macs,
            signals: self.signals,
            expected_tail: infer.mul_f64(self.tail_share),
        }
    }

    /// Whether the insurance has to answer.
    pub(super) fn answers_by_insurance(&self) -> bool {
        self.given_up.is_some()
    }
}

/// How long a head has taken.
struct Timed {
    done: bool,
    span: [Duration; 2],
}

impl Engine {
    /// Begins an inference for `window` of `wearer`, of which the last [`Window::missing`] samples are still to come: picks a
    /// configuration, and does the head of its inference. [`Engine::decide`] then has only the rest to do, once the window is
    /// complete; what is begun for a window that never is, is forgotten. Returns whether a head was done.
    ///
    /// The window's `completed` is the clock time at which its last sample is expected, and `inputs.overhead` what windows cost
    /// beside their inferences since their last samples arrived. `arrived` says whether the last sample has come meanwhile.
    ///
    /// # Errors
    /// When the settings cannot be applied, or the inference fails.
    pub fn begin(
        &mut self,
        wearer: &mut Wearer,
        window: &Window,
        inputs: &Inputs<'_>,
        clock: &dyn Clock,
        arrived: &dyn Fn() -> bool,
    ) -> Result<bool, DecideError> {
        wearer.begun.inference = None;
        if wearer.is_past(window) || window.missing == 0 || window.missing != self.missing {
            return Ok(false);
        }
        let Some(mut insurance) = wearer.begun.insurance.take() else { return Ok(false) };
        let begun = self.begin_insured(wearer, insurance.as_mut(), window, inputs, clock, arrived);
        wearer.begun.insurance = Some(insurance);
        wearer.begun.inference = begun?;
        Ok(wearer.begun.inference.is_some())
    }

    fn begin_insured(
        &mut self,
        wearer: &mut Wearer,
        insurance: &mut dyn Runner,
        window: &Window,
        inputs: &Inputs<'_>,
        clock: &dyn Clock,
        arrived: &dyn Fn() -> bool,
    ) -> Result<Option<Inference>, DecideError> {
        let (now, cpu_before) = (clock.now(), clock.thread_time());
        self.device.apply_settings(inputs.settings)?;
        wearer.pass_time(window, &self.ladder.manifest().task);
        let available = inputs.overhead.available(self.device.demand().budget.saturating_sub(inputs.reserve));
        let lead = window.completed.saturating_sub(now);
        self.update_outlook(wearer);
        let slowdown = self.device.slowdown();
        let pick = Pick { now, available, lead: Some(lead), load: inputs.load };
        let mut choice = self.device.choose(&pick, &self.outlook);
        self.fill_considered(&mut wearer.begun.considered);
        let rung = self.device.first(choice.plan);
        let Some(halves) = self.device.expected_halves(rung) else { return Ok(None) };

        let (samples, missing) = (window.samples(), window.missing);
        let may_be = slowdown.map_or(1.0, |slowdown| 1.0 + MAY_BE * slowdown.spread / slowdown.mean.max(1e-3));
        let insured = self.device.insurance(rung).filter(|_| halves.head.mul_f64(may_be) > lead);
        let insured = match insured {
            Some(rung) => {
                let timed = head(insurance, rung, samples, missing, clock, &mut || true)?;
                Some((rung, timed.span)).filter(|_| timed.done)
            }
            None => None,
        };
        let left = available.with_probability(0.5);
        let start = clock.now();
        let mut came = None;
        let mut worth_it = || {
            if insured.is_none() || !arrived() {
                return true;
            }
            let now = clock.now();
            let since = now.saturating_sub(*came.get_or_insert(now));
            let spent = now.saturating_sub(start);
            rest(&halves, spent) <= left.saturating_sub(since)
        };
        let timed = head(wearer.runner.as_mut(), rung, samples, missing, clock, &mut worth_it)?;
        let cpu = clock.thread_time().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        self.device.draw(cpu.unwrap_or_else(|| clock.now().saturating_sub(now)));
        let (span, given_up) = match insured {
            _ if timed.done => (timed.span, None),
            Some((quickest, span)) => {
                choice = Choice { plan: quickest, reason: Reason::HeadLate, forecast: self.device.forecast(quickest) };
                (span, Some(rung))
            }
            None => return Ok(None),
        };
        let wasted = given_up.or(insured.map(|(rung, _)| rung));
        Ok(Some(Inference {
            first_sample: window.first_sample,
            choice,
            slowdown,
            available: left,
            late_elsewhere: available.nothing(),
            signals: inputs.load,
            head: span,
            all: [now, clock.now()],
            insured: insured.is_some(),
            given_up,
            wasted_macs: wasted.and_then(|rung| self.ladder.network().head_macs(rung, missing)).unwrap_or_default(),
            cpu,
            tail_share: self.device.tail_share(self.device.first(choice.plan)),
        }))
    }
}

/// What of an inference is still to come whose head has taken `spent` so far.
fn rest(expected: &Halves, spent: Duration) -> Duration {
    expected.head.saturating_sub(spent).max(spent.saturating_sub(expected.head) / OVERDUE) + expected.tail
}

fn head(
    runner: &mut dyn Runner,
    rung: usize,
    samples: &[f32],
    missing: usize,
    clock: &dyn Clock,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Timed, InferenceError> {
    let begin = clock.now();
    let done = runner.head(rung, samples, missing, go_on)?;
    Ok(Timed { done, span: [begin, clock.now()] })
}
