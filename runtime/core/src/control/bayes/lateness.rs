//! How probably each configuration's decision is late, and how much of that the configuration can be blamed for.
//!
//! With the parts of the time that may be left (see `overhead`; the first is the longest):
//!
//! ```text
//! all(rung) = P(nothing is left) + sum over parts of share * P(inference > left)
//! own(rung) = (all(rung) - u) / (1 - u)      u = all(least) - P(inference of least > left of the first part)
//! ```
//!
//! with `least` the configuration that is late the least often: what makes even that one late beyond its inference makes all
//! of them late, and says nothing for or against any. Where nearly all is late because the window has waited, what counts is
//! which inferences would fit into a whole budget: a small one would buy nothing, and one longer than that would make the
//! windows behind it wait.

use super::noise::Exceedance;
use super::profiled::Left;
use std::time::Duration;

use crate::control::demand::{Misses, late_anyway};
use crate::control::{Available, Situation};

/// Probabilities for each configuration, and places to work in; allocated once.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    /// That the decision is late.
    pub(super) all: Vec<f64>,
    /// That it is late for its inference.
    pub(super) own: Vec<f64>,
    /// That it is late where one part of the time is left.
    part: Vec<f64>,
    /// Where on the grid of slowdowns each configuration becomes late.
    limits: Vec<f32>,
}

impl Lateness {
    pub(super) fn new(configurations: usize) -> Self {
        let zeros = || vec![0.0; configurations];
        Self { all: zeros(), own: zeros(), part: zeros(), limits: vec![0.0; configurations] }
    }

    /// Both, as a pick wants them.
    pub(super) fn misses(&self) -> Misses<'_> {
        Misses { all: &self.all, own: &self.own }
    }

    /// Foretells the next window in `situation`, where a decision may be late with the probability `allowed`. `limit` gives
    /// the place on the grid from which on a configuration takes longer than what is left.
    pub(super) fn foretell(
        &mut self,
        exceedance: &Exceedance,
        limit: impl Fn(usize, Left) -> f32,
        situation: &Situation,
        allowed: f64,
    ) {
        let Self { all, own, part, limits } = self;
        let mut exceed = |left: Duration, misses: &mut [f64]| {
            let left = Left::new(left, situation.lead);
            for (rung, place) in limits.iter_mut().enumerate() {
                *place = limit(rung, left);
            }
            exceedance.exceed(limits, misses);
        };
        let Situation { demand, available, .. } = situation;
        if let [(left, _)] = available.parts()
            && available.nothing() == 0.0
        {
            // as it usually is
            exceed(*left, all);
            own.copy_from_slice(all);
        } else {
            all.fill(available.nothing());
            own.fill(1.0);
            for (place, &(left, share)) in available.parts().iter().enumerate() {
                exceed(left, part);
                if place == 0 {
                    own.copy_from_slice(part);
                }
                all.iter_mut().zip(part.iter()).for_each(|(all, part)| *all += f64::from(share) * part);
            }
            blame(all, own);
        }
        if late_anyway(all, allowed) && *available != Available::all(demand.budget) {
            exceed(demand.budget, own);
        }
    }
}

/// Makes of `own`, the probabilities where most time is left, what each configuration can be blamed for of `all`.
fn blame(all: &[f64], own: &mut [f64]) {
    let Some(least) = (0..all.len()).min_by(|a, b| all[*a].total_cmp(&all[*b])) else { return };
    let elsewhere = all[least] - own[least];
    if elsewhere > 0.0 && elsewhere < 1.0 {
        for (own, all) in own.iter_mut().zip(all) {
            *own = ((all - elsewhere) / (1.0 - elsewhere)).clamp(0.0, 1.0);
        }
    }
}
