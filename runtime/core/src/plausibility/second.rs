//! What one second of a sensor's raw samples comes to.

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

    /// Takes a sample; peaks below `clips_from` are none.
    pub(super) fn push(&mut self, values: [f64; 3], clips_from: f64) {
        self.samples += 1;
        for (axis, value) in self.axes.iter_mut().zip(values) {
            axis.push(value, clips_from);
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
