//! The program that runs for each sample.

use super::bank::{DelayLine, DifferenceBank, MedianBank, SosBank};
use super::compiler::Compiler;
use super::pointwise::Pointwise;
use super::spec::{ConditionError, OpSpec};
use crate::stream::Channel;

/// Every so many samples the filters' memory is looked through for values that have decayed to nothing.
const FLUSH_EVERY: u64 = 64;

/// Turns raw samples into the network's channels, one sample at a time.
///
/// All arithmetic is in float64; the output is float32. Operations that look ahead (the median) delay the whole by
/// [`Conditioner::delay`] samples.
///
/// ```
/// use gaitd_core::condition::Conditioner;
/// use gaitd_core::stream::Channel;
///
/// let raw = [Channel { name: "acc_x".into(), unit: "g".into() }];
/// let ops = serde_json::from_str::<Vec<_>>(r#"[{"op": "median", "from": ["acc_x"], "length": 3}]"#)?;
/// let mut conditioner = Conditioner::new(&raw, &ops, &raw)?;
/// let mut out = [0.0];
/// assert!(!conditioner.push(&[1.0], &mut out)); // the median waits for one more sample
/// assert!(conditioner.push(&[9.0], &mut out));
/// assert!(conditioner.push(&[2.0], &mut out));
/// assert_eq!(out, [2.0]); // of 1, 9 and 2
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Conditioner {
    /// Number of raw channels, which the first registers hold.
    inputs: usize,
    row: Vec<f64>,
    program: Program,
    /// Samples since the start or the last reset.
    seen: u64,
}

/// What is carried out for each sample, on a row of registers.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) instructions: Vec<Instruction>,
    pub(super) registers: usize,
    /// The registers of the output channels.
    pub(super) outputs: Vec<usize>,
    pub(super) delay: u64,
}

#[derive(Debug)]
pub(super) struct Instruction {
    /// So many samples must have been seen before the inputs of this instruction hold anything: a filter behind a
    /// median starts with the median's first value, not with what is there while the median waits.
    pub(super) skip: u64,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    Median(MedianBank),
    Sos(SosBank),
    Copy(Vec<(usize, usize)>),
    /// Pairs of registers (from, minus), and where the difference goes.
    Subtract(Vec<((usize, usize), usize)>),
    /// Registers (from, to), and what becomes of the value on the way.
    Pointwise(Vec<((usize, usize), Pointwise)>),
    /// Several registers, and where the root of the sum of their squares goes.
    Magnitude(Vec<usize>, usize),
    Difference(DifferenceBank),
    Delay(DelayLine),
}

impl Conditioner {
    /// Compiles `ops`, which turn the raw channels `input` into the network's channels `output`.
    ///
    /// # Errors
    /// When an operation is wrong, when `output` has a channel that nothing produces or that comes out in another
    /// unit, or when a name in `input` or `output` is there twice. The error names the operation and the channel.
    pub fn new(input: &[Channel], ops: &[OpSpec], output: &[Channel]) -> Result<Self, ConditionError> {
        let mut compiler = Compiler::new(input).map_err(ConditionError::Input)?;
        for (index, op) in ops.iter().enumerate() {
            compiler.add(op).map_err(|fault| ConditionError::Op { index, op: op.name(), fault })?;
        }
        let program = compiler.finish(output).map_err(ConditionError::Output)?;
        Ok(Self { inputs: input.len(), row: vec![0.0; program.registers], program, seen: 0 })
    }

    /// Takes the next raw sample (one value per input channel, all finite). True if `out` (one place per output
    /// channel) was filled; it then belongs to the sample [`Conditioner::delay`] samples before this one.
    ///
    /// # Panics
    /// When `raw` or `out` has not one place per channel.
    pub fn push(&mut self, raw: &[f64], out: &mut [f32]) -> bool {
        assert_eq!(out.len(), self.program.outputs.len(), "one place per output channel");
        self.row[..self.inputs].copy_from_slice(raw);
        for instruction in &mut self.program.instructions {
            if self.seen >= instruction.skip {
                instruction.work.run(&mut self.row);
            }
        }
        self.seen += 1;
        if self.seen.is_multiple_of(FLUSH_EVERY) {
            self.flush();
        }
        if self.seen <= self.program.delay {
            return false;
        }
        for (out, &register) in out.iter_mut().zip(&self.program.outputs) {
            // a float64 beyond the range of float32 would become infinite
            *out = self.row[register].clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        }
        true
    }

    /// Forgets all samples: the next one is a first one.
    pub fn reset(&mut self) {
        self.seen = 0;
        for instruction in &mut self.program.instructions {
            match &mut instruction.work {
                Work::Median(bank) => bank.reset(),
                Work::Sos(bank) => bank.reset(),
                Work::Difference(bank) => bank.reset(),
                // what a delay line still holds is never used: who reads from it skips so many samples
                Work::Copy(_) | Work::Subtract(_) | Work::Pointwise(_) | Work::Magnitude(..) | Work::Delay(_) => {}
            }
        }
    }

    /// By how many samples the output is behind the input.
    #[must_use]
    pub fn delay(&self) -> usize {
        self.program.delay as usize
    }

    fn flush(&mut self) {
        for instruction in &mut self.program.instructions {
            if let Work::Sos(bank) = &mut instruction.work {
                bank.flush();
            }
        }
    }
}

impl Work {
    fn run(&mut self, row: &mut [f64]) {
        match self {
            Self::Median(bank) => bank.run(row),
            Self::Sos(bank) => bank.run(row),
            Self::Copy(pairs) => pairs.iter().for_each(|&(from, to)| row[to] = row[from]),
            Self::Subtract(pairs) => pairs.iter().for_each(|&((from, minus), to)| row[to] = row[from] - row[minus]),
            Self::Pointwise(values) => values.iter().for_each(|&((from, to), formula)| row[to] = formula.of(row[from])),
            Self::Magnitude(from, to) => row[*to] = from.iter().map(|&from| row[from] * row[from]).sum::<f64>().sqrt(),
            Self::Difference(bank) => bank.run(row),
            Self::Delay(line) => line.run(row),
        }
    }
}
