//! Filters over several channels at once.
//!
//! Every bank reads its inputs from rows of registers (one row per sample, one register per channel) and writes its outputs
//! back into them. Banks hold all their memory from the start.

use super::registers::{Rows, Run, with_count};

/// Memory of a filter below this is as good as zero. It is far above the denormal numbers, with which many processors
/// compute a hundred times slower.
const NEGLIGIBLE: f64 = 1e-100;

/// A second-order section with a0 = 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    pub(super) b: [f64; 3],
    pub(super) a: [f64; 2],
}

impl Section {
    /// Gain for an input that does not change.
    fn gain(&self) -> f64 {
        self.b.iter().sum::<f64>() / (1.0 + self.a[0] + self.a[1])
    }

    /// No input within ±1 makes the output larger than this, whatever the input's shape: the sum of the magnitudes of
    /// the impulse response, where each pole `p` stands for the series 1, |p|, |p|^2 ...
    pub(super) fn largest_gain(&self) -> f64 {
        let [a1, a2] = self.a;
        let discriminant = a1 * a1 - 4.0 * a2;
        let poles = if discriminant < 0.0 {
            [a2.sqrt(); 2]
        } else {
            let root = discriminant.sqrt();
            [(root - a1).abs() / 2.0, (root + a1).abs() / 2.0]
        };
        let taps: f64 = self.b.iter().map(|b| b.abs()).sum();
        // rounding may put a pole on the circle, and then there is no bound
        poles.iter().fold(taps, |gain, pole| gain / (1.0 - pole).max(0.0))
    }

    /// Memory after an input of 1 for ever.
    fn settled(&self) -> [f64; 2] {
        let second = self.b[2] - self.a[1] * self.gain();
        [self.b[1] - self.a[0] * self.gain() + second, second]
    }
}

/// A cascade of second-order sections in the transposed direct form II, over several channels.
#[derive(Debug)]
pub(super) struct SosBank {
    runs: Vec<Run>,
    sections: Vec<Section>,
    /// One run after the other: of each section the first and the second memory cell of all channels.
    memory: Vec<f64>,
    steady: bool,
    fresh: bool,
}

impl SosBank {
    pub(super) fn new(channels: &[(usize, usize)], sections: Vec<Section>, steady: bool) -> Self {
        let memory = vec![0.0; channels.len() * sections.len() * 2];
        Self { runs: Run::of(channels), sections, memory, steady, fresh: true }
    }

    pub(super) fn reset(&mut self) {
        self.memory.fill(0.0);
        self.fresh = true;
    }

    /// Sets memory that has decayed to nothing to zero.
    pub(super) fn flush(&mut self) {
        for cell in &mut self.memory {
            if cell.abs() < NEGLIGIBLE {
                *cell = 0.0;
            }
        }
    }

    pub(super) fn run(&mut self, rows: &mut Rows<'_>) {
        let begins_steady = std::mem::take(&mut self.fresh) && self.steady;
        let mut memory = self.memory.as_mut_slice();
        for run in &self.runs {
            let own = memory.split_off_mut(..self.sections.len() * run.count * 2).expect("each run has its memory");
            with_count!(run.count, cascade, *run, &self.sections, own, begins_steady, rows);
        }
    }
}

/// The samples of a run through all sections, one section after the other.
fn cascade<const N: usize>(
    run: Run,
    sections: &[Section],
    memory: &mut [f64],
    begins_steady: bool,
    rows: &mut Rows<'_>,
) {
    let mut run = run;
    for (section, cells) in sections.iter().zip(memory.as_chunks_mut::<N>().0.as_chunks_mut::<2>().0) {
        if begins_steady {
            // as if the first inputs had been there for ever
            let first = rows.first().map_or([0.0; N], |row| run.read(row));
            *cells = section.settled().map(|cell| first.map(|x| cell * x));
        }
        // who designs filters puts the gain into the first section: the others need not wait for a multiplication by 1
        if section.b[0] == 1.0 {
            filter(run, section, cells, rows, |x| x);
        } else {
            filter(run, section, cells, rows, |x| section.b[0] * x);
        }
        run.from = run.to;
    }
}

/// The samples of a run through one section, whose `b[0]` is multiplied by `scale`.
#[inline(always)]
fn filter<const N: usize>(
    run: Run,
    section: &Section,
    cells: &mut [[f64; N]; 2],
    rows: &mut Rows<'_>,
    scale: impl Fn(f64) -> f64,
) {
    let ([_, b1, b2], [a1, a2]) = (section.b, section.a);
    let [mut first, mut second] = *cells;
    for row in rows.iter() {
        let x = run.read::<N>(row);
        let mut y = [0.0; N];
        for lane in 0..N {
            y[lane] = scale(x[lane]) + first[lane];
            // what does not wait for the output goes first
            first[lane] = b1 * x[lane] + second[lane] - a1 * y[lane];
            second[lane] = b2 * x[lane] - a2 * y[lane];
        }
        run.write(row, y);
    }
    *cells = [first, second];
}

/// A running median over several channels.
#[derive(Debug)]
pub(super) struct MedianBank {
    runs: Vec<Run>,
    length: usize,
    /// One run after the other: the latest `length` values of all its channels, in no particular order of time.
    history: Vec<f64>,
    oldest: usize,
    scratch: Vec<f64>,
}

impl MedianBank {
    pub(super) fn new(channels: &[(usize, usize)], length: usize) -> Self {
        let history = vec![0.0; channels.len() * length];
        Self { runs: Run::of(channels), length, history, oldest: 0, scratch: vec![0.0; length] }
    }

    pub(super) fn reset(&mut self) {
        self.history.fill(0.0);
        self.oldest = 0;
    }

    pub(super) fn run(&mut self, rows: &mut Rows<'_>) {
        let mut history = self.history.as_mut_slice();
        for run in &self.runs {
            let own = history.split_off_mut(..self.length * run.count).expect("each run has its history");
            with_count!(run.count, medians, *run, own, self.oldest, &mut self.scratch, rows);
        }
        self.oldest = (self.oldest + rows.count()) % self.length;
    }
}

/// The samples of a run into its history, whose oldest ones they replace, and the medians out of it.
fn medians<const N: usize>(run: Run, history: &mut [f64], oldest: usize, scratch: &mut [f64], rows: &mut Rows<'_>) {
    let history = history.as_chunks_mut::<N>().0;
    let mut oldest = oldest;
    for row in rows.iter() {
        history[oldest] = run.read(row);
        oldest = if oldest + 1 == history.len() { 0 } else { oldest + 1 };
        let medians = match history {
            [a, b, c] => std::array::from_fn(|lane| median_of_three(a[lane], b[lane], c[lane])),
            _ => std::array::from_fn(|lane| {
                for (value, values) in scratch.iter_mut().zip(&*history) {
                    *value = values[lane];
                }
                *scratch.select_nth_unstable_by(scratch.len() / 2, f64::total_cmp).1
            }),
        };
        run.write::<N>(row, medians);
    }
}

fn median_of_three(a: f64, b: f64, c: f64) -> f64 {
    // plain comparisons: `f64::max` would take care of NaN, of which there is none here
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let low = if low > c { low } else { c };
    if low < high { low } else { high }
}

/// The change of several channels since the sample before.
#[derive(Debug)]
pub(super) struct DifferenceBank {
    channels: Vec<(usize, usize)>,
    /// The latest input of each channel.
    latest: Vec<f64>,
    fresh: bool,
}

impl DifferenceBank {
    pub(super) fn new(channels: Vec<(usize, usize)>) -> Self {
        Self { latest: vec![0.0; channels.len()], channels, fresh: true }
    }

    pub(super) fn reset(&mut self) {
        self.fresh = true;
    }

    pub(super) fn run(&mut self, rows: &mut Rows<'_>) {
        for row in rows.iter() {
            for (&(from, to), latest) in self.channels.iter().zip(&mut self.latest) {
                let x = row[from];
                row[to] = if self.fresh { 0.0 } else { x - *latest };
                *latest = x;
            }
            self.fresh = false;
        }
    }
}

/// Holds one channel back by a number of samples.
#[derive(Debug)]
pub(super) struct DelayLine {
    register: usize,
    values: Vec<f64>,
    oldest: usize,
}

impl DelayLine {
    /// A delay by `samples`, at least 1.
    pub(super) fn new(register: usize, samples: usize) -> Self {
        Self { register, values: vec![0.0; samples], oldest: 0 }
    }

    pub(super) fn run(&mut self, rows: &mut Rows<'_>) {
        for row in rows.iter() {
            std::mem::swap(&mut self.values[self.oldest], &mut row[self.register]);
            self.oldest = if self.oldest + 1 == self.values.len() { 0 } else { self.oldest + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A section with this numerator and the poles `p` and `q`.
    fn section(b: [f64; 3], p: f64, q: f64) -> Section {
        Section { b, a: [-p - q, p * q] }
    }

    #[test]
    fn the_largest_gain_is_that_of_the_numerator_and_of_each_pole() {
        let taps = [1.0, -2.0, 3.0];
        // without poles nothing resounds
        assert_eq!(section(taps, 0.0, 0.0).largest_gain(), 6.0);
        for (p, q) in [(0.5, 0.25), (-0.5, -0.25), (0.5, -0.25), (-0.5, 0.25), (0.25, 0.5)] {
            assert_eq!(section(taps, p, q).largest_gain(), 16.0, "6 / (1 - 0.5) / (1 - 0.25), poles {p} and {q}");
        }
        assert_eq!(section(taps, 0.5, 0.5).largest_gain(), 24.0);
        // a pair at 60 and at 90 degrees, 0.5 from the middle
        for a1 in [-0.5, 0.0, 0.5] {
            assert_eq!(Section { b: taps, a: [a1, 0.25] }.largest_gain(), 24.0);
        }
        // what would never fade has no bound
        assert_eq!(section(taps, 1.0, 0.0).largest_gain(), f64::INFINITY);
        assert_eq!(section(taps, 1.25, 0.0).largest_gain(), f64::INFINITY);
    }

    fn bank(section: Section) -> SosBank {
        SosBank::new(&[(0, 0)], vec![section], false)
    }

    fn run(bank: &mut SosBank, x: f64) -> f64 {
        let mut row = [x];
        bank.run(&mut Rows::new(&mut row, 1));
        row[0]
    }

    #[test]
    fn memory_below_what_is_negligible_becomes_zero_and_no_other() {
        for (x, kept) in [(1e-100, true), (-1e-100, true), (9.9e-101, false), (-9.9e-101, false), (1.0, true)] {
            // it says after one sample what it was given, and nothing of it after two
            let mut delay = bank(Section { b: [0.0, 1.0, 0.0], a: [0.0, 0.0] });
            assert_eq!(run(&mut delay, x), 0.0);
            delay.flush();
            assert_eq!(run(&mut delay, 0.0), if kept { x } else { 0.0 });
        }
    }

    #[test]
    fn a_median_of_three_is_the_one_between_the_others() {
        for [a, b, c] in
            [[1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [2.0, 1.0, 3.0], [2.0, 3.0, 1.0], [3.0, 1.0, 2.0], [3.0, 2.0, 1.0]]
        {
            assert_eq!(median_of_three(a, b, c), 2.0, "{a}, {b}, {c}");
        }
        for [a, b, c] in
            [[1.0, 1.0, 5.0], [1.0, 5.0, 1.0], [5.0, 1.0, 1.0], [1.0, 1.0, -5.0], [1.0, -5.0, 1.0], [-5.0, 1.0, 1.0]]
        {
            assert_eq!(median_of_three(a, b, c), 1.0, "{a}, {b}, {c}");
        }
    }

    #[test]
    fn a_delay_line_gives_back_what_came_so_many_samples_ago() {
        for delay in 1..5 {
            let mut line = DelayLine::new(1, delay);
            let delayed: Vec<_> = (1..20)
                .map(|value| {
                    let mut row = [-1.0, f64::from(value)];
                    line.run(&mut Rows::new(&mut row, 2));
                    assert_eq!(row[0], -1.0, "the other registers are left alone");
                    row[1]
                })
                .collect();
            let expected: Vec<_> = (1..20).map(|value| f64::from((value - delay as i32).max(0))).collect();
            assert_eq!(delayed, expected);
        }
    }

    proptest! {
        /// No output of a section is larger than its largest gain, whatever goes in.
        #[test]
        fn no_input_is_amplified_by_more_than_the_largest_gain(
            b in prop::array::uniform3(-2.0..2f64),
            (p, q) in (-0.95..0.95f64, -0.95..0.95f64),
            complex in any::<bool>(),
        ) {
            // as radius and cosine of the angle, or as two real poles
            let section = if complex { Section { b, a: [-2.0 * p * q, p * p] } } else { section(b, p, q) };
            let mut bank = bank(section);
            // the input that drives it highest has the signs of the impulse response, backwards
            let response = (0..2000).map(|time| run(&mut bank, if time == 0 { 1.0 } else { 0.0 }).abs());
            prop_assert!(response.sum::<f64>() <= section.largest_gain() * (1.0 + 1e-9));
        }
    }
}
