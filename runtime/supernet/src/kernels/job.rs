//! What a kernel without bounds checks gets: pointers, all of which a plan has proven.

use super::WIDEST;
use crate::plan::{ClassifierPlan, ConvStep, Part, Share, Tap, Tile};

/// One tile. All places count numbers.
#[repr(C)]
pub(crate) struct Job {
    /// The first weight of the first outputs.
    pub(crate) weights: *const f32,
    /// From one panel of weights to the next.
    pub(crate) panel: usize,
    pub(crate) taps: *const Tap,
    pub(crate) count: usize,
    /// Input channels, four at a time, and those that are left: two numbers, so that nothing is unrolled for three.
    pub(crate) fours: usize,
    pub(crate) rest: usize,
    /// What the positions' places count from.
    pub(crate) features: *const f32,
    /// For each position where it reads.
    pub(crate) from: *const u32,
    /// For each position where it writes, from `results` on.
    pub(crate) to: *const u32,
    pub(crate) positions: usize,
    /// Of the first outputs, as `bias`.
    pub(crate) scale: *const f32,
    pub(crate) bias: *const f32,
    pub(crate) results: *mut f32,
    /// What is added, at the same places; null for nothing.
    pub(crate) added: *const f32,
    pub(crate) relu: bool,
    /// The sums to go on from, at the places of the results; null for zeros.
    pub(crate) begun: *const f32,
}

/// What leaves sums as they are.
static ONES: [f32; WIDEST] = [1.0; WIDEST];
static ZEROS: [f32; WIDEST] = [0.0; WIDEST];

impl Job {
    /// `tile` of `step`, whose sums of first taps stand at `sums`, among `weights` and in `arena`.
    ///
    /// # Safety
    /// A plan must have proven `step` for so many weights and features as there are.
    pub(crate) unsafe fn new(step: &ConvStep, tile: &Tile, sums: usize, weights: *const f32, arena: *mut f32) -> Self {
        let (from, to, taps) = (step.from(tile), step.to(tile), step.taps(tile));
        // SAFETY: the plan proves that these places, and all that a kernel reads and writes from them on, lie within
        unsafe {
            let mut job = Self {
                weights: weights.add(step.weights_of(tile)),
                panel: step.panel(),
                taps: taps.as_ptr(),
                count: taps.len(),
                fours: step.channels() / 4,
                rest: step.channels() % 4,
                features: arena,
                from: from.as_ptr(),
                to: to.as_ptr(),
                positions: from.len(),
                scale: step.scale().as_ptr().add(tile.output()),
                bias: step.bias().as_ptr().add(tile.output()),
                results: arena.add(step.destination() + tile.output()),
                added: step.added().map_or(std::ptr::null(), |added| arena.add(added + tile.output()).cast_const()),
                relu: step.relu(),
                begun: std::ptr::null(),
            };
            let sums = arena.wrapping_add(sums + tile.output());
            match tile.part() {
                Part::Whole => {}
                Part::First => {
                    (job.scale, job.bias) = (ONES.as_ptr(), ZEROS.as_ptr());
                    (job.results, job.added, job.relu) = (sums, std::ptr::null(), false);
                }
                Part::Last => job.begun = sums,
            }
            job
        }
    }
}

/// The linear layer.
pub(crate) struct ClassifierJob<'a> {
    pub(crate) classifier: &'a ClassifierPlan,
    pub(crate) share: Share,
    pub(crate) weights: *const f32,
    pub(crate) features: *const f32,
    /// Sums of earlier windows to go on from, of each class those of a block; null for zeros.
    pub(crate) begun: *const f32,
    /// Where sums go as they are; null where logits are made of them.
    pub(crate) left: *mut f32,
    pub(crate) logits: &'a mut [f32],
}

/// Computes a tile.
///
/// # Safety
/// All that the job's tables name must lie within memory that may be read, and written where it is a result; and this
/// processor must have the instructions.
pub(crate) type TileKernel = unsafe fn(&Job);

/// Computes the linear layer.
///
/// # Safety
/// As for [`TileKernel`].
pub(crate) type ClassifierKernel = unsafe fn(&mut ClassifierJob<'_>);
