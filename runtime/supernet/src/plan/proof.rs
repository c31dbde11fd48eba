//! The proof that nothing in a plan's tables points beyond its memory.

use super::classifier::{ClassifierPlan, Share};
use super::conv::ConvStep;
use super::split::Split;
use super::tile::{Part, Tile};
use super::{Plan, Step};
use crate::kernels::{Set, WIDEST};

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

impl Split {
    /// Whether all that the kernels read and write in both halves lies in an arena and among weights of the lengths that
    /// this split and its plan ask for.
    pub(super) fn is_within(&self) -> bool {
        let plan = &*self.plan;
        let tiled = plan.steps.iter().enumerate().all(|(place, step)| match step {
            Step::Conv(step) => [&self.head, &self.tail]
                .into_iter()
                .flat_map(|half| half.tiles(place))
                .all(|tile| step.has_within(tile, self.sums[place], plan.set, self.arena, plan.weights)),
            // in safe Rust
            Step::Sum(_) => true,
        });
        tiled && self.windows <= plan.classifier.windows.len() && plan.arena <= self.arena
    }
}

impl ConvStep {
    /// Whether all that its tiles read and write lies in an arena of `arena` numbers, among `weights` weights and in its own
    /// tables.
    fn is_within(&self, set: &Set, arena: usize, weights: usize) -> bool {
        self.tiles.iter().all(|tile| self.has_within(tile, 0, set, arena, weights))
    }

    /// The same of `tile` alone, be it one of its own or one of a split's, whose sums stand at `sums`.
    fn has_within(&self, tile: &Tile, sums: usize, set: &Set, arena: usize, weights: usize) -> bool {
        let (arena, weights) = (arena as u64, weights as u64);
        let most = |values: &[u32]| values.iter().copied().max().unwrap_or_default() as usize;
        let Some(form) = set.forms.get(tile.form()) else { return false };
        let Some(&(size, _)) = form.kernels.get(tile.size()) else { return false };
        let fits = |length: usize, from: u32, count: u32| from as usize + count as usize <= length;
        if !fits(self.from.len(), tile.position, tile.positions)
            || !fits(self.to.len(), tile.position, tile.positions)
            || !fits(self.taps.len(), tile.taps.0, tile.taps.1)
            || self.channels == 0
        {
            return false;
        }
        let taps = self.taps(tile);
        let whole = tile.part() == Part::Whole;
        let sized = match form.taps {
            None => tile.positions() == size,
            // it goes back to positions that it has computed already, to which nothing may be added
            Some(count) => {
                let only = (self.channels, taps.len(), self.added) == (1, count, None);
                tile.positions() >= size && only && whole
            }
        };
        let (input, weight) =
            taps.iter().fold((0, 0), |(input, weight), tap| (input.max(tap.input()), weight.max(tap.weight())));
        let last = (form.vectors - 1) * form.lanes;
        let place = tile.output() % set.panel;
        let panels = self.weights_of(tile) + last / set.panel * self.panel + last % set.panel;
        let rows = [self.destination, self.added.unwrap_or_default(), if whole { 0 } else { sums }];
        let rows = rows.into_iter().max().unwrap_or_default();
        let read = most(self.from(tile)) as u64 + input as u64 + self.channels as u64;
        let written = rows as u64 + (tile.output() + most(self.to(tile)) + form.channels()) as u64;
        let weighed = panels as u64 + weight as u64 + (self.channels as u64 - 1) * set.panel as u64 + form.lanes as u64;
        sized
            && self.width == set.panel
            && set.panel.is_power_of_two()
            // vectors stand in whole panels
            && (place == 0 || place + form.channels() <= set.panel)
            && form.channels() <= WIDEST
            && tile.output() + form.channels() <= self.scale.len().min(self.bias.len())
            && read <= arena
            && written <= arena
            && weighed <= weights
    }
}

impl ClassifierPlan {
    fn is_within(&self, set: &Set, arena: usize, weights: usize) -> bool {
        let row = self.blocks * set.lanes;
        self.windows.iter().all(|(from, to)| from < to)
            && self.sums + set.lanes * self.bias.len() <= arena
            && self.groups(Share::Whole).all(|(pooled, group)| {
                pooled.first + (pooled.steps - 1) * self.step + row <= arena && group + row * self.bias.len() <= weights
            })
    }
}
