//! The buffers of one stream, and its inferences, whole or in halves.

use std::sync::Arc;

use gaitd_core::ladder::{InferenceError, Runner, finite};

use crate::aligned::Aligned;
use crate::backend::Shared;
use crate::splits::Splits;

pub(crate) struct SupernetRunner {
    shared: Arc<Shared>,
    arena: Aligned,
    /// The configuration whose zeros stand in the arena.
    latest: Option<usize>,
    /// How inferences were split last.
    splits: Option<Arc<Splits>>,
    /// The configuration whose head is done.
    begun: Option<usize>,
}

impl SupernetRunner {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let arena = Aligned::zeros(shared.arena());
        Self { shared, arena, latest: None, splits: None, begun: None }
    }

    /// Makes the arena ready for the configuration `rung`.
    fn enter(&mut self, rung: usize) {
        if self.latest != Some(rung) {
            self.shared.rungs[rung].plan.enter(&mut self.arena);
            self.latest = Some(rung);
        }
    }

    /// Sees to it that `splits` are those for `missing` samples, and that there is room for them; returns whether there are
    /// any.
    fn split(&mut self, missing: usize) -> bool {
        if self.splits.as_ref().is_some_and(|splits| splits.missing() == missing) {
            return true;
        }
        self.splits = self.shared.splits(missing);
        let Some(splits) = &self.splits else { return false };
        if splits.arena() > self.arena.len() {
            self.arena = Aligned::zeros(splits.arena());
            self.latest = None;
        }
        true
    }
}

impl Runner for SupernetRunner {
    fn infer(&mut self, rung: usize, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        self.begun = None;
        self.enter(rung);
        let Shared { weights, rungs, .. } = &*self.shared;
        let rung = &rungs[rung];
        rung.plan.run(weights, &mut self.arena, logits, rung.fill(window));
        rung.answers.to_logits(logits);
        finite(logits)
    }

    fn head(
        &mut self,
        rung: usize,
        window: &[f32],
        missing: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, InferenceError> {
        self.begun = None;
        if !self.split(missing) {
            return Ok(false);
        }
        self.enter(rung);
        let Some(split) = self.splits.as_ref().and_then(|splits| splits.of(rung)) else { return Ok(false) };
        let Shared { weights, rungs, .. } = &*self.shared;
        let done = split.head(weights, &mut self.arena, rungs[rung].fill(window), go_on);
        self.begun = done.then_some(rung);
        Ok(done)
    }

    fn tail(&mut self, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        let rung = self.begun.take().ok_or(InferenceError::NoHead)?;
        let split = self.splits.as_ref().and_then(|splits| splits.of(rung)).ok_or(InferenceError::NoHead)?;
        let Shared { weights, rungs, .. } = &*self.shared;
        let rung = &rungs[rung];
        split.tail(weights, &mut self.arena, logits, rung.fill(window));
        rung.answers.to_logits(logits);
        finite(logits)
    }
}
