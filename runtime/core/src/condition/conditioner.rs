//! The program that runs for each sample, and how it is made from a manifest's list.

use super::bank::{DelayLine, MedianBank, Section, SosBank};
use super::spec::{ConditionError, Fault, MEDIAN_LONGEST, OpSpec, Start};
use crate::stream::continuity::LARGEST_VALUE;
use crate::stream::{Channel, unit};

/// Every so many samples the filters' memory is looked through for values that have decayed to nothing.
const FLUSH_EVERY: u64 = 64;

/// Coefficients beyond this (with a0 = 1) are a mistake and no filter for a sensor's signal.
const LARGEST_COEFFICIENT: f64 = 1e6;

/// No value may be able to grow beyond this on its way: far more than a sensor's signal ever needs, and far enough from
/// the end of float64 for all that a filter keeps in between. Infinities would follow, and what is no number.
const LARGEST_PEAK: f64 = 1e100;

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
    inputs: usize,
    row: Vec<f64>,
    program: Vec<Instruction>,
    outputs: Vec<usize>,
    delay: u64,
    /// Samples since the start or the last reset.
    seen: u64,
}

#[derive(Debug)]
struct Instruction {
    /// So many samples must have been seen before the inputs of this instruction hold anything: a filter behind a
    /// median starts with the median's first value, not with what is there while the median waits.
    skip: u64,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Median(MedianBank),
    Sos(SosBank),
    Copy(Vec<(usize, usize)>),
    /// Pairs of registers (from, minus), and where the difference goes.
    Subtract(Vec<((usize, usize), usize)>),
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
        compiler.finish(input.len(), output).map_err(ConditionError::Output)
    }

    /// Takes the next raw sample (one value per input channel, all finite). True if `out` (one place per output
    /// channel) was filled; it then belongs to the sample [`Conditioner::delay`] samples before this one.
    ///
    /// # Panics
    /// When `raw` or `out` has not one place per channel.
    pub fn push(&mut self, raw: &[f64], out: &mut [f32]) -> bool {
        assert_eq!(out.len(), self.outputs.len(), "one place per output channel");
        self.row[..self.inputs].copy_from_slice(raw);
        for instruction in &mut self.program {
            if self.seen >= instruction.skip {
                instruction.work.run(&mut self.row);
            }
        }
        self.seen += 1;
        if self.seen.is_multiple_of(FLUSH_EVERY) {
            self.flush();
        }
        if self.seen <= self.delay {
            return false;
        }
        for (out, &register) in out.iter_mut().zip(&self.outputs) {
            // a float64 beyond the range of float32 would become infinite
            *out = self.row[register].clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        }
        true
    }

    /// Forgets all samples: the next one is a first one.
    pub fn reset(&mut self) {
        self.seen = 0;
        for instruction in &mut self.program {
            match &mut instruction.work {
                Work::Median(bank) => bank.reset(),
                Work::Sos(bank) => bank.reset(),
                // what a delay line still holds is never used: who reads from it skips so many samples
                Work::Copy(_) | Work::Subtract(_) | Work::Delay(_) => {}
            }
        }
    }

    /// By how many samples the output is behind the input.
    #[must_use]
    pub fn delay(&self) -> usize {
        self.delay as usize
    }

    fn flush(&mut self) {
        for instruction in &mut self.program {
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
            Self::Delay(line) => line.run(row),
        }
    }
}

/// A channel while the program is being made; its place in the list is its register.
struct Register {
    name: String,
    unit: String,
    delay: u64,
    /// The largest magnitude that its values can reach, whatever the stream.
    peak: f64,
}

struct Compiler {
    registers: Vec<Register>,
    program: Vec<Instruction>,
}

impl Compiler {
    fn new(input: &[Channel]) -> Result<Self, Fault> {
        distinct(input.iter().map(|channel| channel.name.as_str()))?;
        let register = |channel: &Channel| Register {
            name: channel.name.clone(),
            unit: channel.unit.clone(),
            delay: 0,
            peak: LARGEST_VALUE,
        };
        Ok(Self { registers: input.iter().map(register).collect(), program: Vec::new() })
    }

    fn add(&mut self, op: &OpSpec) -> Result<(), Fault> {
        match op {
            OpSpec::Median { from, to, length } => {
                if length % 2 == 0 || *length > MEDIAN_LONGEST {
                    return Err(Fault::MedianLength(*length));
                }
                let behind = *length as u64 / 2;
                self.bank(from, to.as_ref().unwrap_or(from), behind, &[], |channels| {
                    Work::Median(MedianBank::new(channels, *length))
                })
            }
            OpSpec::Sos { from, to, sections, start } => {
                let sections = normalise(sections)?;
                let gains: Vec<_> = sections.iter().map(Section::largest_gain).collect();
                self.bank(from, to.as_ref().unwrap_or(from), 0, &gains, |channels| {
                    Work::Sos(SosBank::new(&channels, sections, *start == Start::Steady))
                })
            }
            OpSpec::Copy { from, to } => self.bank(from, to, 0, &[], Work::Copy),
            OpSpec::Subtract { from, minus, to } => self.subtract(from, minus, to.as_ref().unwrap_or(from)),
        }
    }

    /// Adds an operation that computes each channel by itself, delays it by `behind` samples and amplifies it by
    /// `gains` at most, one after the other.
    fn bank(
        &mut self,
        from: &[String],
        to: &[String],
        behind: u64,
        gains: &[f64],
        work: impl FnOnce(Vec<(usize, usize)>) -> Work,
    ) -> Result<(), Fault> {
        let inputs = self.find_all(from)?;
        check_outputs(to, &[from])?;
        let amplified = |(&from, to): (&usize, &String)| {
            gains.iter().try_fold(self.registers[from].peak, |peak, gain| computable(to, peak * gain))
        };
        let peaks = inputs.iter().zip(to).map(amplified).collect::<Result<Vec<_>, _>>()?;
        let skip = self.align(&inputs);
        let outputs = inputs.iter().zip(to).zip(peaks);
        let channels = outputs.map(|((&from, to), peak)| (from, self.output(to, from, skip + behind, peak))).collect();
        self.program.push(Instruction { skip, work: work(channels) });
        Ok(())
    }

    fn subtract(&mut self, from: &[String], minus: &[String], to: &[String]) -> Result<(), Fault> {
        let inputs = self.find_all(from)?;
        if minus.len() != from.len() {
            return Err(Fault::Count { list: "minus", found: minus.len(), expected: from.len() });
        }
        let subtracted = self.find_all(minus)?;
        for (&from, &minus) in inputs.iter().zip(&subtracted) {
            self.check_unit(minus, &self.registers[from].unit)?;
        }
        check_outputs(to, &[from, minus])?;
        let peak = |register: usize| self.registers[register].peak;
        let peaks = inputs.iter().zip(&subtracted).zip(to);
        let peaks = peaks.map(|((&from, &minus), to)| computable(to, peak(from) + peak(minus)));
        let peaks = peaks.collect::<Result<Vec<_>, _>>()?;
        let skip = self.align(&[inputs.as_slice(), subtracted.as_slice()].concat());
        let pairs = inputs.into_iter().zip(subtracted).zip(to).zip(peaks);
        let pairs = pairs.map(|((pair, to), peak)| (pair, self.output(to, pair.0, skip, peak))).collect();
        self.program.push(Instruction { skip, work: Work::Subtract(pairs) });
        Ok(())
    }

    fn finish(mut self, inputs: usize, output: &[Channel]) -> Result<Conditioner, Fault> {
        distinct(output.iter().map(|channel| channel.name.as_str()))?;
        let outputs = output.iter().map(|channel| self.find(&channel.name)).collect::<Result<Vec<_>, _>>()?;
        for (&register, channel) in outputs.iter().zip(output) {
            self.check_unit(register, &channel.unit)?;
        }
        let delay = self.align(&outputs);
        Ok(Conditioner { inputs, row: vec![0.0; self.registers.len()], program: self.program, outputs, delay, seen: 0 })
    }

    fn find(&self, name: &str) -> Result<usize, Fault> {
        let known = || self.registers.iter().map(|register| register.name.as_str()).collect::<Vec<_>>().join(", ");
        self.registers
            .iter()
            .position(|register| register.name == name)
            .ok_or_else(|| Fault::UnknownChannel { channel: name.to_owned(), known: known() })
    }

    fn find_all(&self, names: &[String]) -> Result<Vec<usize>, Fault> {
        if names.is_empty() { Err(Fault::Empty) } else { names.iter().map(|name| self.find(name)).collect() }
    }

    fn check_unit(&self, register: usize, expected: &str) -> Result<(), Fault> {
        let Register { name, unit: found, .. } = &self.registers[register];
        if unit::factor(found, expected) == Some(1.0) {
            return Ok(());
        }
        Err(Fault::Unit { channel: name.clone(), found: found.clone(), expected: expected.to_owned() })
    }

    /// Brings channels that meet to their longest delay, and returns it.
    fn align(&mut self, registers: &[usize]) -> u64 {
        let longest = registers.iter().map(|&register| self.registers[register].delay).max().unwrap_or(0);
        for &register in registers {
            let behind = longest - self.registers[register].delay;
            if behind > 0 {
                let skip = self.registers[register].delay;
                let work = Work::Delay(DelayLine::new(register, behind as usize));
                self.program.push(Instruction { skip, work });
                self.registers[register].delay = longest;
            }
        }
        longest
    }

    /// The register of an output that is computed from `from`: an existing one, or a new one.
    fn output(&mut self, name: &str, from: usize, delay: u64, peak: f64) -> usize {
        let register = self.registers.iter().position(|register| register.name == name).unwrap_or_else(|| {
            self.registers.push(Register { name: name.to_owned(), unit: String::new(), delay, peak });
            self.registers.len() - 1
        });
        self.registers[register].unit = self.registers[from].unit.clone();
        self.registers[register].delay = delay;
        self.registers[register].peak = peak;
        register
    }
}

/// `peak`, if the channel `name` may reach that.
fn computable(name: &str, peak: f64) -> Result<f64, Fault> {
    // the comparison is false for NaN as well
    if peak <= LARGEST_PEAK { Ok(peak) } else { Err(Fault::Peak { channel: name.to_owned(), peak }) }
}

/// There must be one output per input, each with a name of its own, and none may replace what another one is still
/// to be computed from.
fn check_outputs(to: &[String], inputs: &[&[String]]) -> Result<(), Fault> {
    let expected = inputs[0].len();
    if to.len() != expected {
        return Err(Fault::Count { list: "to", found: to.len(), expected });
    }
    distinct(to.iter().map(String::as_str))?;
    for (place, name) in to.iter().enumerate() {
        if inputs.iter().any(|names| names.iter().enumerate().any(|(other, input)| other != place && input == name)) {
            return Err(Fault::Overlap(name.clone()));
        }
    }
    Ok(())
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            return Err(Fault::Twice(name.to_owned()));
        }
        seen.push(name);
    }
    Ok(())
}

/// Divides by a0, and refuses what no filter may be.
fn normalise(sections: &[[f64; 6]]) -> Result<Vec<Section>, Fault> {
    if sections.is_empty() {
        return Err(Fault::NoSections);
    }
    let normalise = |(section, coefficients): (usize, &[f64; 6])| {
        if coefficients[3] == 0.0 {
            return Err(Fault::NoLeadingCoefficient(section));
        }
        let scaled = coefficients.map(|value| value / coefficients[3]);
        // the comparison is false for NaN as well, as which infinite by infinite comes out
        let usable = |scaled: f64| scaled.abs() <= LARGEST_COEFFICIENT;
        if let Some((&value, _)) = coefficients.iter().zip(scaled).find(|&(_, scaled)| !usable(scaled)) {
            return Err(Fault::Coefficient { section, value });
        }
        let [b0, b1, b2, _, a1, a2] = scaled;
        // both roots of z^2 + a1 z + a2 lie inside the unit circle (the stability triangle of a second-order section)
        if a2.abs() < 1.0 && a1.abs() < 1.0 + a2 {
            Ok(Section { b: [b0, b1, b2], a: [a1, a2] })
        } else {
            Err(Fault::Unstable(section))
        }
    };
    sections.iter().enumerate().map(normalise).collect()
}
