//! The proof that nothing in a plan's tables points beyond its memory.

use super::classifier::ClassifierPlan;
use super::conv::ConvStep;
use super::{Plan, Step};
use crate::kernels::Set;

impl Plan {
    /// Whether all that the kernels read and write lies in an arena and among weights of the lengths that this plan asks for.
    pub(super) fn is_within(&self) -> bool {
        let convolutions = self.steps.iter().all(|step| match step {
            Step::Conv(step) => step.is_within(self.set, self.arena, self.weights),
            // in safe Rust
            Step::Sum(_) => true,
        });
        convolutions && self.classifier.is_within(self.set, self.arena, self.weights)
    }
}

impl ConvStep {
    /// Whether all that its tiles read and write lies in an arena of `arena` numbers, among `weights` weights and in its own
    /// tables.
    fn is_within(&self, set: &Set, arena: usize, weights: usize) -> bool {
        let (arena, weights) = (arena as u64, weights as u64);
        let most = |values: &[u32]| values.iter().copied().max().unwrap_or_default() as usize;
        let rows = [Some(self.destination), self.added].into_iter().flatten().max().unwrap_or_default();
        self.channels > 0
            && self.tiles.iter().all(|tile| {
                let Some(form) = set.forms.get(tile.form()) else { return false };
                let Some(&(size, _)) = form.kernels.get(tile.size()) else { return false };
                let fits = |length: usize, from: u32, count: u32| from as usize + count as usize <= length;
                if !fits(self.from.len(), tile.position, tile.positions)
                    || !fits(self.to.len(), tile.position, tile.positions)
                    || !fits(self.taps.len(), tile.taps.0, tile.taps.1)
                {
                    return false;
                }
                let taps = self.taps(tile);
                let sized = match form.taps {
                    None => tile.positions() == size,
                    // it goes back to positions that it has computed already, to which nothing may be added
                    Some(count) => {
                        tile.positions() >= size && (self.channels, taps.len(), self.added) == (1, count, None)
                    }
                };
                let (input, weight) =
                    taps.iter().fold((0, 0), |(input, weight), tap| (input.max(tap.input()), weight.max(tap.weight())));
                let last = (form.vectors - 1) * form.lanes;
                let place = tile.output() % set.panel;
                let panels = self.weights_of(tile) + last / set.panel * self.panel + last % set.panel;
                let read = most(self.from(tile)) as u64 + input as u64 + self.channels as u64;
                let written = rows as u64 + (tile.output() + most(self.to(tile)) + form.channels()) as u64;
                let weighed =
                    panels as u64 + weight as u64 + (self.channels as u64 - 1) * set.panel as u64 + form.lanes as u64;
                sized
                    && self.width == set.panel
                    // vectors stand in whole panels
                    && (place == 0 || place + form.channels() <= set.panel)
                    && tile.output() + form.channels() <= self.scale.len().min(self.bias.len())
                    && read <= arena
                    && written <= arena
                    && weighed <= weights
            })
    }
}

impl ClassifierPlan {
    fn is_within(&self, set: &Set, arena: usize, weights: usize) -> bool {
        let row = self.blocks * set.lanes;
        self.windows.iter().all(|(from, to)| from < to)
            && self.groups().all(|(pooled, group)| {
                pooled.first + (pooled.steps - 1) * self.step + row <= arena && group + row * self.bias.len() <= weights
            })
    }
}
