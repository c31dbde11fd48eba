//! How the inferences of a ladder are split into head and tail, for each count of missing samples.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::Rung;
use crate::plan::Split;

/// For one count of missing samples.
pub(crate) struct Splits {
    missing: usize,
    /// For each configuration; nothing where it has no head.
    rungs: Box<[Option<Split>]>,
}

impl Splits {
    fn new(rungs: &[Rung], missing: usize, known: usize) -> Self {
        // what cannot be split is computed whole
        let split = |rung: &Rung| Split::new(&rung.plan, rung.resampler.outputs_of(known)).ok().flatten();
        Self { missing, rungs: rungs.iter().map(split).collect() }
    }

    /// How many samples are missing.
    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// How the configuration `rung` is split.
    pub(crate) fn of(&self, rung: usize) -> Option<&Split> {
        self.rungs[rung].as_ref()
    }

    /// Numbers of an arena for all configurations.
    pub(crate) fn arena(&self) -> usize {
        self.rungs.iter().flatten().map(Split::arena).max().unwrap_or_default()
    }
}

/// How many are kept that no runner holds any more.
const KEPT: usize = 4;

/// For the counts that were asked for last. Whoever infers waits for none of it, but only whoever begins with another count.
#[derive(Default)]
pub(crate) struct SplitsOfAll(Mutex<Vec<Arc<Splits>>>);

impl SplitsOfAll {
    /// Those for `missing` samples, with `known` before them; they are made where they are not there.
    pub(crate) fn get(&self, rungs: &[Rung], missing: usize, known: usize) -> Arc<Splits> {
        let mut all = self.lock();
        if let Some(splits) = all.iter().find(|splits| splits.missing == missing) {
            return Arc::clone(splits);
        }
        if all.len() >= KEPT {
            all.retain(|splits| Arc::strong_count(splits) > 1);
        }
        let splits = Arc::new(Splits::new(rungs, missing, known));
        all.push(Arc::clone(&splits));
        splits
    }

    /// Bytes of all that were made, and the numbers of an arena for them: of the configuration `rung`, or of all.
    pub(crate) fn memory(&self, rung: Option<usize>) -> (u64, usize) {
        let all = self.lock();
        let chosen = |place: usize| rung.is_none_or(|rung| rung == place);
        let splits = all.iter().flat_map(|splits| splits.rungs.iter().enumerate());
        let splits = splits.filter_map(|(place, split)| split.as_ref().filter(|_| chosen(place)));
        splits.fold((0, 0), |(bytes, arena), split| (bytes + split.bytes(), arena.max(split.arena())))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Splits>>> {
        // it is whole even where somebody panicked
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
