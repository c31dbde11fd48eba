//! What computes, for each instruction set: register tiles of a convolution, and the pooled linear layer.
//!
//! A tile is so many vectors of output channels by so many positions, whose sums stay in registers over all taps and
//! inputs. Which tiles there are for an instruction set is a [`Set`]; the plan picks among them, and proves what they read and
//! write.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
mod battery;
#[cfg(all(target_arch = "aarch64", any(target_os = "linux", target_os = "android")))]
mod cores;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod job;
#[cfg(all(target_arch = "aarch64", any(target_os = "linux", target_os = "android")))]
mod neon;
pub(crate) mod peak;
pub(crate) mod plain;
#[cfg(target_arch = "arm")]
mod v7;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod vector;

use job::{ClassifierJob, ClassifierKernel, Job, TileKernel};

use crate::plan::{ClassifierPlan, ConvStep, Share, Tile};

/// The most outputs of a form.
pub(crate) const WIDEST: usize = 32;

/// What is computed with on one kind of processor.
pub(crate) struct Set {
    /// Its name, in reports and in the environment variable that forces it.
    pub(crate) name: &'static str,
    /// Outputs of a panel of weights.
    pub(crate) panel: usize,
    /// Channels of a buffer are a multiple of this.
    pub(crate) round: usize,
    /// Channels of a block of the linear layer, of which `round` is a multiple.
    pub(crate) lanes: usize,
    /// The forms of tiles, of which the first is taken as often as it fits, and then the widest that fits.
    pub(crate) forms: &'static [Form],
    pub(crate) classify: Classifier,
}

/// Tiles that are equally many channels wide.
pub(crate) struct Form {
    pub(crate) vectors: usize,
    /// Channels of a vector.
    pub(crate) lanes: usize,
    /// It is for one input channel and so many taps, which all positions have, and passes over any number of positions.
    pub(crate) taps: Option<usize>,
    /// By how many positions it takes (the fewest that it may be given, where it passes over any number), ascending.
    pub(crate) kernels: &'static [(usize, Kernel)],
}

impl Form {
    /// Output channels.
    pub(crate) fn channels(&self) -> usize {
        self.vectors * self.lanes
    }
}

/// What computes a tile.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    /// Safe Rust, for one vector of [`plain::LANES`] channels by so many positions as the tile has.
    Plain,
    /// What needs the plan's proof, and the processor that its set was chosen for.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    Raw(TileKernel),
}

/// What computes the linear layer.
#[derive(Clone, Copy)]
pub(crate) enum Classifier {
    /// Safe Rust.
    Plain,
    /// What needs the plan's proof, and the processor that its set was chosen for.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    Raw(ClassifierKernel),
}

/// All that this program has for this processor, the best first. No other function gives a set with raw kernels.
pub(crate) fn available() -> Vec<&'static Set> {
    let mut sets: Vec<&'static Set> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            sets.push(&avx512::SET);
        }
        if avx2 {
            sets.push(&avx2::SET);
        }
    }
    // every aarch64 has NEON, and the assembly is for these systems' object files
    #[cfg(all(target_arch = "aarch64", any(target_os = "linux", target_os = "android")))]
    if cores::load_narrowly() {
        sets.extend([&neon::a53::SET, &neon::SET]);
    } else {
        sets.extend([&neon::SET, &neon::a53::SET]);
    }
    #[cfg(target_arch = "arm")]
    if v7::is_there() {
        sets.push(&v7::SET);
    }
    sets.push(&plain::SET);
    sets
}

/// Computes `tile` of the convolution `step`, whose sums of first taps stand at `sums`: all of which a plan has proven for `set` and so many weights and features.
pub(crate) fn compute(
    set: &'static Set,
    step: &ConvStep,
    tile: &Tile,
    sums: usize,
    weights: &[f32],
    arena: &mut [f32],
) {
    match set.forms[tile.form()].kernels[tile.size()].1 {
        Kernel::Plain => plain::tile(step, tile, sums, weights, arena),
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
        // SAFETY: the plan has proven the tile, and whoever has the set has detected its instructions
        Kernel::Raw(kernel) => unsafe { kernel(&Job::new(step, tile, sums, weights.as_ptr(), arena.as_mut_ptr())) },
    }
}

/// Computes a share of the classifier from the features in `arena`, and with the last window `logits`; `classifier` was proven
/// for `set` and so many weights and features.
pub(crate) fn classify(
    set: &'static Set,
    classifier: &ClassifierPlan,
    share: Share,
    weights: &[f32],
    arena: &mut [f32],
    logits: &mut [f32],
) {
    match set.classify {
        Classifier::Plain => plain::classify(classifier, share, weights, arena, logits),
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
        Classifier::Raw(kernel) => {
            let features = arena.as_mut_ptr();
            // SAFETY: the plan has proven that the sums stand in the arena
            let sums = unsafe { features.add(classifier.sums()) };
            let (begun, left) = match share {
                Share::Whole => (std::ptr::null(), std::ptr::null_mut()),
                Share::First(_) => (std::ptr::null(), sums),
                Share::Last(_) => (sums.cast_const(), std::ptr::null_mut()),
            };
            let mut job = ClassifierJob { classifier, share, weights: weights.as_ptr(), features, begun, left, logits };
            // SAFETY: the plan has proven the classifier, and whoever has the set has detected its instructions
            unsafe { kernel(&mut job) }
        }
    }
}
