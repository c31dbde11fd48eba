//! Filters over several channels at once.
//!
//! Every bank reads its inputs from a row of registers (one per channel) and writes its outputs back into it. Banks
//! hold all their memory from the start.

/// Channels that a section is computed for at a time: two float64, the vector width that every 64-bit x86 and ARM
/// processor has. The inner loops over lanes become vector instructions.
const LANES: usize = 2;

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

/// The two memory cells of one section, for each lane.
type Memory = [[f64; LANES]; 2];

/// A cascade of second-order sections in the transposed direct form II, over several channels.
#[derive(Debug)]
pub(super) struct SosBank {
    /// Input and output registers, in groups of lanes. An odd last lane repeats its neighbour's channel.
    registers: Vec<[(usize, usize); LANES]>,
    sections: Vec<Section>,
    /// Memory of each group's sections, one group after the other.
    memory: Vec<Memory>,
    steady: bool,
    fresh: bool,
}

impl SosBank {
    pub(super) fn new(channels: &[(usize, usize)], sections: Vec<Section>, steady: bool) -> Self {
        let group = |lanes: &[(usize, usize)]| [lanes[0], lanes[lanes.len() - 1]];
        let registers: Vec<_> = channels.chunks(LANES).map(group).collect();
        let memory = vec![Memory::default(); registers.len() * sections.len()];
        Self { registers, sections, memory, steady, fresh: true }
    }

    pub(super) fn reset(&mut self) {
        self.memory.fill(Memory::default());
        self.fresh = true;
    }

    /// Sets memory that has decayed to nothing to zero.
    pub(super) fn flush(&mut self) {
        for cell in self.memory.as_flattened_mut().as_flattened_mut() {
            if cell.abs() < NEGLIGIBLE {
                *cell = 0.0;
            }
        }
    }

    pub(super) fn run(&mut self, row: &mut [f64]) {
        if self.fresh {
            self.fresh = false;
            if self.steady {
                self.settle(row);
            }
        }
        for (lanes, memory) in self.registers.iter().zip(self.memory.chunks_exact_mut(self.sections.len())) {
            let mut x = lanes.map(|(from, _)| row[from]);
            for (section, [first, second]) in self.sections.iter().zip(memory) {
                let ([b0, b1, b2], [a1, a2]) = (section.b, section.a);
                let mut y = [0.0; LANES];
                for lane in 0..LANES {
                    y[lane] = b0 * x[lane] + first[lane];
                    first[lane] = b1 * x[lane] - a1 * y[lane] + second[lane];
                    second[lane] = b2 * x[lane] - a2 * y[lane];
                }
                x = y;
            }
            for ((_, to), y) in lanes.iter().zip(x) {
                row[*to] = y;
            }
        }
    }

    /// Memory as if the present inputs had been there for ever.
    fn settle(&mut self, row: &[f64]) {
        for (lanes, memory) in self.registers.iter().zip(self.memory.chunks_exact_mut(self.sections.len())) {
            let mut x = lanes.map(|(from, _)| row[from]);
            for (section, cells) in self.sections.iter().zip(memory) {
                *cells = section.settled().map(|cell| x.map(|x| cell * x));
                x = x.map(|x| x * section.gain());
            }
        }
    }
}

/// A running median over several channels.
#[derive(Debug)]
pub(super) struct MedianBank {
    channels: Vec<(usize, usize)>,
    length: usize,
    /// The latest `length` values of each channel, one channel after the other, in no particular order of time.
    history: Vec<f64>,
    oldest: usize,
    scratch: Vec<f64>,
}

impl MedianBank {
    pub(super) fn new(channels: Vec<(usize, usize)>, length: usize) -> Self {
        let history = vec![0.0; channels.len() * length];
        Self { channels, length, history, oldest: 0, scratch: vec![0.0; length] }
    }

    pub(super) fn reset(&mut self) {
        self.history.fill(0.0);
        self.oldest = 0;
    }

    pub(super) fn run(&mut self, row: &mut [f64]) {
        for (&(from, to), history) in self.channels.iter().zip(self.history.chunks_exact_mut(self.length)) {
            history[self.oldest] = row[from];
            row[to] = match *history {
                [a, b, c] => median_of_three(a, b, c),
                _ => {
                    self.scratch.copy_from_slice(history);
                    *self.scratch.select_nth_unstable_by(self.length / 2, f64::total_cmp).1
                }
            };
        }
        self.oldest = if self.oldest + 1 == self.length { 0 } else { self.oldest + 1 };
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

    pub(super) fn run(&mut self, row: &mut [f64]) {
        for (&(from, to), latest) in self.channels.iter().zip(&mut self.latest) {
            let x = row[from];
            row[to] = if self.fresh { 0.0 } else { x - *latest };
            *latest = x;
        }
        self.fresh = false;
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

    pub(super) fn run(&mut self, row: &mut [f64]) {
        std::mem::swap(&mut self.values[self.oldest], &mut row[self.register]);
        self.oldest = if self.oldest + 1 == self.values.len() { 0 } else { self.oldest + 1 };
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
        bank.run(&mut row);
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
                    line.run(&mut row);
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
