//! The program that runs for each sample.

use super::bank::{DelayLine, DifferenceBank, MedianBank, SosBank};
use super::compiler::Compiler;
use super::pointwise::Pointwise;
use super::registers::{Rows, Run, with_count};
use super::spec::{ConditionError, OpSpec};
use crate::stream::Channel;

/// Every so many samples the filters' memory is looked through for values that have decayed to nothing.
const FLUSH_EVERY: u64 = 64;

/// Samples that are conditioned at a time at most.
pub const BLOCK: usize = 16;

/// Turns raw samples into the network's channels, one or a few at a time.
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
    /// The registers of a block of samples, one sample after the other.
    rows: Vec<f64>,
    program: Program,
    /// Samples since the start or the last reset.
    seen: u64,
}

/// What is carried out for each sample, on a row of registers.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) instructions: Vec<Instruction>,
    pub(super) registers: usize,
    /// From the registers of the output channels to their places in the output, of which there are so many.
    pub(super) outputs: Vec<Run>,
    pub(super) channels: usize,
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
    Copy(Vec<Run>),
    /// From a run itself to its differences to the registers that begin there.
    Subtract(Vec<(Run, usize)>),
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
        Ok(Self { inputs: input.len(), rows: vec![0.0; BLOCK * program.registers], program, seen: 0 })
    }

    /// Takes the next raw sample (one value per input channel, all finite). True if `out` (one place per output
    /// channel) was filled; it then belongs to the sample [`Conditioner::delay`] samples before this one.
    ///
    /// # Panics
    /// When `raw` or `out` has not one place per channel.
    pub fn push(&mut self, raw: &[f64], out: &mut [f32]) -> bool {
        assert_eq!(raw.len(), self.inputs, "one value per input channel");
        assert_eq!(out.len(), self.program.channels, "one place per output channel");
        self.push_block(raw, out) == 1
    }

    /// Takes the next raw samples, up to [`BLOCK`] of them, one after the other in `raw`, which costs less than one at a time
    /// and gives the same. Returns how many samples of `out` were filled, from its beginning: as many as came but for those
    /// that the conditioning holds back; the last one belongs to the sample [`Conditioner::delay`] samples before the last.
    ///
    /// # Panics
    /// When `raw` is no whole number of samples or more than a block, or `out` is too small for as many.
    pub fn push_block(&mut self, raw: &[f64], out: &mut [f32]) -> usize {
        let Program { instructions, registers, outputs, channels, delay } = &mut self.program;
        let samples = raw.chunks_exact(self.inputs);
        assert!(samples.remainder().is_empty(), "one value per input channel");
        let count = samples.len();
        for (row, raw) in self.rows.chunks_exact_mut(*registers).zip(samples) {
            row[..self.inputs].copy_from_slice(raw);
        }
        let rows = &mut self.rows[..count * *registers];
        // rows before the first one that is due
        let early = |due: u64| due.saturating_sub(self.seen).min(count as u64) as usize;
        for instruction in instructions {
            let early = early(instruction.skip);
            if early < count {
                instruction.work.run(&mut Rows::new(&mut rows[early * *registers..], *registers));
            }
        }
        let mut given = Rows::new(&mut rows[early(*delay) * *registers..], *registers);
        for run in outputs {
            with_count!(run.count, put_out, *run, &mut given, out, *channels);
        }
        let given = given.count();
        let flushed = self.seen / FLUSH_EVERY;
        self.seen += count as u64;
        if self.seen / FLUSH_EVERY > flushed {
            self.flush();
        }
        given
    }

    /// Raw samples that it still holds back before it gives one for each.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.program.delay.saturating_sub(self.seen) as usize
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
    fn run(&mut self, rows: &mut Rows<'_>) {
        match self {
            Self::Median(bank) => bank.run(rows),
            Self::Sos(bank) => bank.run(rows),
            Self::Copy(runs) => runs.iter().for_each(|run| with_count!(run.count, copy, *run, rows)),
            Self::Subtract(runs) => {
                runs.iter().for_each(|(run, minus)| with_count!(run.count, subtract, *run, *minus, rows));
            }
            Self::Pointwise(values) => rows.iter().for_each(|row| {
                values.iter().for_each(|&((from, to), formula)| row[to] = formula.of(row[from]));
            }),
            Self::Magnitude(from, to) => rows.iter().for_each(|row| {
                row[*to] = from.iter().map(|&from| row[from] * row[from]).sum::<f64>().sqrt();
            }),
            Self::Difference(bank) => bank.run(rows),
            Self::Delay(line) => line.run(rows),
        }
    }
}

fn copy<const N: usize>(run: Run, rows: &mut Rows<'_>) {
    rows.iter().for_each(|row| run.write::<N>(row, run.read(row)));
}

fn subtract<const N: usize>(run: Run, minus: usize, rows: &mut Rows<'_>) {
    let minus = Run { from: minus, ..run };
    for row in rows.iter() {
        let (from, minus) = (run.read::<N>(row), minus.read::<N>(row));
        run.write(row, std::array::from_fn::<_, N, _>(|lane| from[lane] - minus[lane]));
    }
}

/// The outputs of a run as float32, where what is beyond its range would become infinite.
fn put_out<const N: usize>(run: Run, rows: &mut Rows<'_>, out: &mut [f32], channels: usize) {
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(channels)) {
        let narrowed = run.read::<N>(row).map(|value| (value as f32).clamp(f32::MIN, f32::MAX));
        *out[run.to..].first_chunk_mut().expect("a run lies within the output") = narrowed;
    }
}
