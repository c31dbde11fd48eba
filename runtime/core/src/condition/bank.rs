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
