//! What one second of a sensor's raw samples comes to.

/// Samples that are looked at together, which costs far less than one at a time.
pub(super) const BLOCK: usize = 8;

/// So many equal values in a row at the largest one so far are a peak that was cut off.
const CUT_OFF: u32 = 3;

/// The last sample before a peak that was cut off is so many of the sensor's steps away from it.
const STEEP: f64 = 4.0;

/// Sums over the samples of a second, per axis, and what reaches beyond it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Second {
    samples: u32,
    axes: [Axis; 3],
}

#[derive(Clone, Copy, Debug)]
struct Axis {
    sum: f64,
    squares: f64,
    /// Sum of the squares of second differences, and how many there are.
    bends: f64,
    bent: u32,
    last: f64,
    before: f64,
    /// Samples since the last interruption, as far as second differences need them.
    known: u8,
    changed: bool,
    /// Equal values in a row, and the one before them.
    equal: u32,
    led_by: f64,
    /// The smallest and largest value ever, and peaks cut off there.
    ends: [f64; 2],
    cut_off: [u32; 2],
    /// The smallest step between two values ever.
    step: f64,
}

impl Default for Axis {
    fn default() -> Self {
        Self {
            sum: 0.0,
            squares: 0.0,
            bends: 0.0,
            bent: 0,
            last: f64::NAN,
            before: f64::NAN,
            known: 0,
            changed: false,
            equal: 1,
            led_by: f64::NAN,
            ends: [f64::INFINITY, f64::NEG_INFINITY],
            cut_off: [0; 2],
            step: f64::INFINITY,
        }
    }
}

/// The figures of one second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Root of the mean square of the magnitude, magnitude of the mean vector, and that vector.
    pub(super) magnitude: f64,
    pub(super) steady: f64,
    pub(super) mean: [f64; 3],
    /// Standard deviation of each axis.
    pub(super) deviation: [f64; 3],
    /// Mean square of the second differences over the variance: 6 for white noise, far below for motion.
    pub(super) whiteness: [f64; 3],
    /// Which axes stayed the same, and the value of each.
    pub(super) constant: [bool; 3],
    pub(super) last: [f64; 3],
    /// Peaks that were ever cut off at an end of the range, and the end at which most were.
    pub(super) cut_off: u32,
    pub(super) end: f64,
    /// The coarsest axis's smallest step between two values; nothing where none has ever moved.
    pub(super) step: Option<f64>,
}

impl Second {
    /// Begins the next second.
    pub(super) fn begin(&mut self) {
        self.samples = 0;
        for axis in &mut self.axes {
            (axis.sum, axis.squares, axis.bends, axis.bent, axis.changed) = (0.0, 0.0, 0.0, 0, false);
        }
    }

    /// What follows does not go on from what was before.
    pub(super) fn interrupt(&mut self) {
        for axis in &mut self.axes {
            (axis.known, axis.equal, axis.led_by) = (0, 1, f64::NAN);
        }
    }

    /// Takes the next samples, the first `count` of each axis's block; peaks below `clips_from` are none.
    pub(super) fn push(&mut self, axes: &[[f64; BLOCK]; 3], count: usize, clips_from: f64) {
        self.samples += count as u32;
        for (axis, block) in self.axes.iter_mut().zip(axes) {
            if count < BLOCK || !axis.push_usual(block) {
                block[..count].iter().for_each(|value| axis.push(*value, clips_from));
            }
        }
    }

    /// The figures of the samples since [`Second::begin`].
    pub(super) fn figures(&self) -> Figures {
        let count = f64::from(self.samples.max(1));
        let of = |figure: fn(&Axis, f64) -> f64| self.axes.map(|axis| figure(&axis, count));
        let mean = of(|axis, count| axis.sum / count);
        let square = of(|axis, count| axis.squares / count);
        let variance: [f64; 3] = std::array::from_fn(|axis| (square[axis] - mean[axis] * mean[axis]).max(0.0));
        let bends = self.axes.map(|axis| axis.bends / f64::from(axis.bent.max(1)));
        let ends = self.axes.iter().flat_map(|axis| axis.cut_off.into_iter().zip(axis.ends));
        let (cut_off, end) = ends.max_by_key(|(cut_off, _)| *cut_off).unwrap_or_default();
        Figures {
            magnitude: square.iter().sum::<f64>().sqrt(),
            steady: mean.iter().map(|mean| mean * mean).sum::<f64>().sqrt(),
            mean,
            deviation: variance.map(f64::sqrt),
            whiteness: std::array::from_fn(
                |axis| if variance[axis] > 0.0 { bends[axis] / variance[axis] } else { 0.0 },
            ),
            constant: self.axes.map(|axis| !axis.changed),
            last: self.axes.map(|axis| axis.last),
            cut_off,
            end,
            step: self.axes.iter().map(|axis| axis.step).filter(|step| step.is_finite()).reduce(f64::max),
        }
    }
}

impl Axis {
    /// Takes a block of values of which each differs from the one before and none is beyond the ends so far, as nearly all are.
    /// False, and nothing taken, where that is not so.
    fn push_usual(&mut self, block: &[f64; BLOCK]) -> bool {
        let before = |place: usize| if place == 0 { self.last } else { block[place - 1] };
        let steps: [f64; BLOCK] = std::array::from_fn(|place| block[place] - before(place));
        let step = reduce(steps.map(f64::abs), smaller);
        let usual = self.known >= 2
            && step > 0.0
            && reduce(*block, smaller) >= self.ends[0]
            && reduce(*block, |one, other| if one > other { one } else { other }) <= self.ends[1];
        if !usual {
            return false;
        }
        let first_step = self.last - self.before;
        let step_before = |place: usize| if place == 0 { first_step } else { steps[place - 1] };
        let bends: [f64; BLOCK] = std::array::from_fn(|place| steps[place] - step_before(place));
        self.sum += reduce(*block, |one, other| one + other);
        self.squares += reduce(block.map(|value| value * value), |one, other| one + other);
        self.bends += reduce(bends.map(|bend| bend * bend), |one, other| one + other);
        self.bent += BLOCK as u32;
        self.step = smaller(self.step, step);
        (self.equal, self.changed) = (1, true);
        [.., self.before, self.last] = *block;
        self.led_by = self.before;
        true
    }

    fn push(&mut self, value: f64, clips_from: f64) {
        self.sum += value;
        self.squares += value * value;
        if self.known >= 2 {
            let bend = value - 2.0 * self.last + self.before;
            self.bends += bend * bend;
            self.bent += 1;
        }
        if self.known >= 1 {
            if value == self.last {
                self.equal += 1;
                // a coarse sensor has flat peaks, too, but with slopes of a step
                let steep = (value - self.led_by).abs() > STEEP * self.step;
                if self.equal == CUT_OFF && value.abs() >= clips_from && steep {
                    self.cut_off[0] += u32::from(value <= self.ends[0]);
                    self.cut_off[1] += u32::from(value >= self.ends[1]);
                }
            } else {
                (self.equal, self.led_by, self.changed) = (1, self.last, true);
                self.step = self.step.min((value - self.last).abs());
            }
        }
        // peaks at what turns out to be no end of the range were none
        if value < self.ends[0] {
            (self.ends[0], self.cut_off[0]) = (value, 0);
        }
        if value > self.ends[1] {
            (self.ends[1], self.cut_off[1]) = (value, 0);
        }
        (self.before, self.last) = (self.last, value);
        self.known = (self.known + 1).min(2);
    }
}

/// `of` over all values, in an order that keeps several at a time in one register.
fn reduce(values: [f64; BLOCK], of: impl Fn(f64, f64) -> f64) -> f64 {
    let half: [f64; BLOCK / 2] = std::array::from_fn(|place| of(values[place], values[place + BLOCK / 2]));
    let quarter: [f64; BLOCK / 4] = std::array::from_fn(|place| of(half[place], half[place + BLOCK / 4]));
    of(quarter[0], quarter[1])
}

/// The smaller number, where none is NaN.
fn smaller(one: f64, other: f64) -> f64 {
    if one < other { one } else { other }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Blocks of samples come to the same figures as the samples one at a time: plain ones, and those that stay, are cut
        /// off or go beyond what was before.
        #[test]
        fn blocks_are_samples_one_after_the_other(
            values in prop::collection::vec(prop::array::uniform3(-5..=5i32), 1..100),
            scale in prop::sample::select(vec![1.0, 0.1, 1e-3]),
            slope in prop::sample::select(vec![0.0, 1e-4]),
            interrupted in prop::option::of(0..100usize),
        ) {
            let (mut whole, mut single) = (Second::default(), Second::default());
            let values: Vec<[f64; 3]> = values
                .iter()
                .enumerate()
                .map(|(time, axes)| axes.map(|value| f64::from(value) * scale + time as f64 * slope))
                .collect();
            for (number, block) in values.chunks(BLOCK).enumerate() {
                if interrupted == Some(number) {
                    whole.interrupt();
                    single.interrupt();
                }
                let mut axes = [[0.0; BLOCK]; 3];
                for (place, values) in block.iter().enumerate() {
                    (0..3).for_each(|axis| axes[axis][place] = values[axis]);
                    single.push(&values.map(|value| [value; BLOCK]), 1, 2.0 * scale);
                }
                whole.push(&axes, block.len(), 2.0 * scale);
            }
            let near = |one: f64, other: f64| one == other || (one - other).abs() <= 1e-9 * one.abs().max(1.0);
            let (whole, single) = (whole.figures(), single.figures());
            let exact = |it: &Figures| (it.constant, it.last, it.cut_off, it.step);
            prop_assert_eq!(exact(&whole), exact(&single));
            let sums = |it: &Figures| [it.mean, it.deviation.map(|it| it * it), it.whiteness.map(|it| it.min(10.0))].concat();
            for (one, other) in sums(&whole).into_iter().zip(sums(&single)) {
                prop_assert!(near(one, other), "{} is not {}: {:?}, {:?}", one, other, whole, single);
            }
            prop_assert!(whole.end == single.end || whole.cut_off == 0);
        }
    }
}
