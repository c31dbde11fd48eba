//! Tiles and the linear layer for any vectors, to be compiled for an instruction set each.

use super::job::ClassifierJob;
#[cfg(not(target_arch = "arm"))]
use super::job::Job;

/// Vectors of one instruction set.
///
/// # Safety
/// What implements it must load and store no more than `LANES` numbers.
pub(crate) unsafe trait Vector: Copy {
    /// Numbers of a vector.
    const LANES: usize;

    /// # Safety
    /// The processor must have the instructions.
    unsafe fn zero() -> Self;

    /// # Safety
    /// As many numbers as a vector has must be there to read, and the processor must have the instructions.
    unsafe fn load(at: *const f32) -> Self;

    /// The number at `at`, in each place.
    ///
    /// # Safety
    /// It must be there to read, and the processor must have the instructions.
    #[cfg(not(target_arch = "arm"))]
    unsafe fn splat(at: *const f32) -> Self;

    /// # Safety
    /// As many numbers as a vector has must be there to write, and the processor must have the instructions.
    unsafe fn store(self, at: *mut f32);

    /// `self + one * other`
    ///
    /// # Safety
    /// The processor must have the instructions.
    unsafe fn multiply_add(self, one: Self, other: Self) -> Self;

    /// # Safety
    /// The processor must have the instructions.
    #[cfg(not(target_arch = "arm"))]
    unsafe fn add(self, other: Self) -> Self;

    /// 0 for what is less; what is no number stays none.
    ///
    /// # Safety
    /// The processor must have the instructions.
    #[cfg(not(target_arch = "arm"))]
    unsafe fn rectified(self) -> Self;

    /// The larger ones; what is no number in one of them stays none.
    ///
    /// # Safety
    /// The processor must have the instructions.
    unsafe fn larger(self, other: Self) -> Self;

    /// All numbers together.
    ///
    /// # Safety
    /// The processor must have the instructions.
    unsafe fn sum(self) -> f32;

    /// Adds to each of `sums` the products of its weights and of `blocks` vectors of features. Those begin at
    /// `features.0`, and each is the largest of `features.1` that are `features.2` numbers apart; weights begin at
    /// `weights.0`, those of all sums for a block together, and from block to block `weights.1` numbers apart.
    ///
    /// # Safety
    /// There must be so many features and weights to read, a step at least, and the processor must have the instructions.
    #[inline(always)]
    unsafe fn products<const COUNT: usize>(
        sums: &mut [Self; COUNT],
        features: (*const f32, usize, usize),
        weights: (*const f32, usize),
        blocks: usize,
    ) {
        // SAFETY: the caller vouches for the places
        unsafe { products(sums, features, weights, blocks) }
    }
}

/// [`Vector::products`] for any vectors.
///
/// # Safety
/// As [`Vector::products`].
#[inline(always)]
pub(super) unsafe fn products<V: Vector, const COUNT: usize>(
    sums: &mut [V; COUNT],
    (features, steps, step): (*const f32, usize, usize),
    (mut weights, stride): (*const f32, usize),
    blocks: usize,
) {
    for block in 0..blocks {
        // SAFETY: the caller vouches for the places
        unsafe {
            let first = features.add(block * V::LANES);
            let mut largest = V::load(first);
            for place in 1..steps {
                largest = largest.larger(V::load(first.add(place * step)));
            }
            for (count, sum) in sums.iter_mut().enumerate() {
                *sum = sum.multiply_add(largest, V::load(weights.add(count * V::LANES)));
            }
        }
        weights = weights.wrapping_add(stride);
    }
}

/// Scales, shifts, adds, rectifies and stores `sums`.
///
/// # Safety
/// As [`tile`].
#[cfg(not(target_arch = "arm"))]
#[inline(always)]
pub(super) unsafe fn finish<V: Vector, const VECTORS: usize>(
    job: &Job,
    position: usize,
    sums: [V; VECTORS],
    ends: [[V; 2]; VECTORS],
) {
    // SAFETY: the caller vouches for the job
    unsafe {
        let to = *job.to.add(position) as usize;
        for (vector, (sum, [scale, bias])) in sums.into_iter().zip(ends).enumerate() {
            let at = to + vector * V::LANES;
            let mut result = bias.multiply_add(sum, scale);
            if !job.added.is_null() {
                result = result.add(V::load(job.added.add(at)));
            }
            if job.relu {
                result = result.rectified();
            }
            result.store(job.results.add(at));
        }
    }
}

/// Zeros, or the sums that were begun.
///
/// # Safety
/// As [`tile`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn start<V: Vector, const VECTORS: usize, const POSITIONS: usize>(job: &Job) -> [[V; VECTORS]; POSITIONS] {
    // SAFETY: the caller vouches for the job
    unsafe {
        if job.begun.is_null() {
            return [[V::zero(); VECTORS]; POSITIONS];
        }
        std::array::from_fn(|position| {
            let begun = job.begun.add(*job.to.add(position) as usize);
            std::array::from_fn(|vector| V::load(begun.add(vector * V::LANES)))
        })
    }
}

/// Scale and bias of each vector of outputs.
///
/// # Safety
/// As [`tile`].
#[cfg(not(target_arch = "arm"))]
#[inline(always)]
pub(super) unsafe fn ends<V: Vector, const VECTORS: usize>(job: &Job) -> [[V; 2]; VECTORS] {
    // SAFETY: the caller vouches for the job
    std::array::from_fn(|vector| unsafe {
        [V::load(job.scale.add(vector * V::LANES)), V::load(job.bias.add(vector * V::LANES))]
    })
}

/// `VECTORS` vectors of outputs by `POSITIONS` positions, of weights in panels of `PANEL`: each weight is loaded once, and
/// each input is multiplied with all of them.
///
/// # Safety
/// The job must be of so many positions and outputs and within its memory, and the processor must have the instructions.
// NEON has a way of its own
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn tile<V: Vector, const PANEL: usize, const VECTORS: usize, const POSITIONS: usize>(job: &Job) {
    // SAFETY: the caller vouches for the job
    unsafe {
        let mut sums = start::<V, VECTORS, POSITIONS>(job);
        let features: [*const f32; POSITIONS] =
            std::array::from_fn(|position| job.features.add(*job.from.add(position) as usize));
        let of_panel = PANEL / V::LANES;
        for tap in 0..job.count {
            let tap = &*job.taps.add(tap);
            let inputs: [*const f32; POSITIONS] = std::array::from_fn(|position| features[position].add(tap.input()));
            let weights: [*const f32; VECTORS] = std::array::from_fn(|vector| {
                let place = (vector / of_panel) * job.panel + (vector % of_panel) * V::LANES;
                job.weights.add(place + tap.weight())
            });
            // a closure would not always be inlined, and the sums then lie in memory
            macro_rules! multiply {
                ($channel:expr) => {
                    let weights: [V; VECTORS] =
                        std::array::from_fn(|vector| V::load(weights[vector].add($channel * PANEL)));
                    for position in 0..POSITIONS {
                        let input = V::splat(inputs[position].add($channel));
                        for vector in 0..VECTORS {
                            sums[position][vector] = sums[position][vector].multiply_add(input, weights[vector]);
                        }
                    }
                };
            }
            let mut channel = 0;
            // as a rule counts of channels are multiples of four
            for _ in 0..job.fours {
                for next in 0..4 {
                    multiply!(channel + next);
                }
                channel += 4;
            }
            for _ in 0..job.rest {
                multiply!(channel);
                channel += 1;
            }
        }
        let ends = ends::<V, VECTORS>(job);
        for (position, sums) in sums.into_iter().enumerate() {
            finish(job, position, sums, ends);
        }
    }
}

/// One input channel and `TAPS` taps, whose weights stay in registers while the positions pass by, `AT_ONCE` at a time. The
/// last ones are computed twice where they do not go up.
///
/// # Safety
/// The job must have one channel, so many taps, at least `AT_ONCE` positions and nothing that is added, and be within its
/// memory; and the processor must have the instructions.
#[cfg(not(target_arch = "arm"))]
#[inline(always)]
pub(crate) unsafe fn one_channel<
    V: Vector,
    const PANEL: usize,
    const VECTORS: usize,
    const TAPS: usize,
    const AT_ONCE: usize,
>(
    job: &Job,
) {
    // SAFETY: the caller vouches for the job
    unsafe {
        let of_panel = PANEL / V::LANES;
        let taps: [usize; TAPS] = std::array::from_fn(|tap| (*job.taps.add(tap)).input());
        let weights: [[V; VECTORS]; TAPS] = std::array::from_fn(|tap| {
            let weight = (*job.taps.add(tap)).weight();
            std::array::from_fn(|vector| {
                let place = (vector / of_panel) * job.panel + (vector % of_panel) * V::LANES;
                V::load(job.weights.add(place + weight))
            })
        });
        let ends = ends::<V, VECTORS>(job);
        let mut done = 0;
        while done < job.positions {
            let first = done.min(job.positions - AT_ONCE);
            let inputs: [*const f32; AT_ONCE] =
                std::array::from_fn(|position| job.features.add(*job.from.add(first + position) as usize));
            let mut sums = [[V::zero(); VECTORS]; AT_ONCE];
            for tap in 0..TAPS {
                for position in 0..AT_ONCE {
                    let input = V::splat(inputs[position].add(taps[tap]));
                    for vector in 0..VECTORS {
                        sums[position][vector] = sums[position][vector].multiply_add(input, weights[tap][vector]);
                    }
                }
            }
            for (position, sums) in sums.into_iter().enumerate() {
                finish(job, first + position, sums, ends);
            }
            done = first + AT_ONCE;
        }
    }
}

/// The linear layer, some classes at a time.
///
/// # Safety
/// A plan must have proven the classifier for so many weights and features, and the processor must have the instructions.
#[inline(always)]
pub(crate) unsafe fn classify<V: Vector>(job: &mut ClassifierJob<'_>) {
    let (mut class, classes) = (0, job.classifier.bias().len());
    // SAFETY: the caller vouches for the job, and no class is beyond the last
    unsafe {
        while class + 6 <= classes {
            classes_of::<V, 6>(job, class);
            class += 6;
        }
        while class + 2 <= classes {
            classes_of::<V, 2>(job, class);
            class += 2;
        }
        if class < classes {
            classes_of::<V, 1>(job, class);
        }
    }
}

/// # Safety
/// As [`classify`]; `class + COUNT` must not be more than there are.
#[inline(always)]
unsafe fn classes_of<V: Vector, const COUNT: usize>(job: &mut ClassifierJob<'_>, class: usize) {
    let classes = job.classifier.bias().len();
    // SAFETY: the caller vouches for the job
    unsafe {
        let mut sums = [V::zero(); COUNT];
        if !job.begun.is_null() {
            sums = std::array::from_fn(|count| V::load(job.begun.add((class + count) * V::LANES)));
        }
        for (pooled, group) in job.classifier.groups(job.share) {
            let features = (job.features.add(pooled.first), pooled.steps, job.classifier.step());
            let weights = (job.weights.add(group + class * V::LANES), classes * V::LANES);
            V::products(&mut sums, features, weights, job.classifier.blocks());
        }
        for (count, sum) in sums.into_iter().enumerate() {
            if !job.left.is_null() {
                sum.store(job.left.add((class + count) * V::LANES));
                continue;
            }
            job.logits[class + count] = job.classifier.bias()[class + count] + sum.sum();
        }
    }
}

/// A tile's kernel for the instructions `$feature`.
#[cfg(target_arch = "x86_64")]
macro_rules! tiles {
    ($feature:literal, $vector:ty, $panel:literal, $vectors:literal, $($positions:literal)+) => {
        &[$(($positions, {
            /// # Safety
            /// As [`vector::tile`].
            #[target_feature(enable = $feature)]
            unsafe fn kernel(job: &Job) {
                // SAFETY: the caller vouches for the job, and here the processor has the instructions
                unsafe { vector::tile::<$vector, $panel, $vectors, $positions>(job) }
            }
            Kernel::Raw(kernel)
        })),+]
    };
}

/// The kernel of one channel for the instructions `$feature`.
#[cfg(not(target_arch = "arm"))]
macro_rules! passing {
    ($feature:literal, $vector:ty, $panel:literal, $vectors:literal, $taps:literal, $at_once:literal) => {
        &[($at_once, {
            /// # Safety
            /// As [`vector::one_channel`].
            #[target_feature(enable = $feature)]
            unsafe fn kernel(job: &Job) {
                // SAFETY: the caller vouches for the job, and here the processor has the instructions
                unsafe { vector::one_channel::<$vector, $panel, $vectors, $taps, $at_once>(job) }
            }
            Kernel::Raw(kernel)
        })]
    };
}

/// The linear layer's kernel for the instructions `$feature`.
#[cfg(not(target_arch = "arm"))]
macro_rules! classifier {
    ($feature:literal, $vector:ty) => {{
        /// # Safety
        /// As [`vector::classify`].
        #[target_feature(enable = $feature)]
        unsafe fn kernel(job: &mut ClassifierJob<'_>) {
            // SAFETY: the caller vouches for the job, and here the processor has the instructions
            unsafe { vector::classify::<$vector>(job) }
        }
        Classifier::Raw(kernel)
    }};
}

#[cfg(target_arch = "x86_64")]
pub(crate) use tiles;
#[cfg(not(target_arch = "arm"))]
pub(crate) use {classifier, passing};
