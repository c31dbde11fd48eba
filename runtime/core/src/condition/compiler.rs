//! How a manifest's list of operations becomes the program that runs for each sample.

use super::bank::{DelayLine, MedianBank, Section, SosBank};
use super::conditioner::{Instruction, Program, Work};
use super::spec::{Fault, MEDIAN_LONGEST, OpSpec, Start};
use crate::stream::continuity::LARGEST_VALUE;
use crate::stream::{Channel, unit};

/// Coefficients beyond this (with a0 = 1) are a mistake and no filter for a sensor's signal.
const LARGEST_COEFFICIENT: f64 = 1e6;

/// No value may be able to grow beyond this on its way: far more than a sensor's signal ever needs, and far enough from
/// the end of float64 for all that a filter keeps in between. Infinities would follow, and what is no number.
const LARGEST_PEAK: f64 = 1e100;

/// A channel while the program is being made; its place in the list is its register.
struct Register {
    name: String,
    unit: String,
    delay: u64,
    /// The largest magnitude that its values can reach, whatever the stream.
    peak: f64,
}

/// Turns a list of operations into a [`Program`], one operation after the other.
pub(super) struct Compiler {
    registers: Vec<Register>,
    instructions: Vec<Instruction>,
}

impl Compiler {
    pub(super) fn new(input: &[Channel]) -> Result<Self, Fault> {
        distinct(input.iter().map(|channel| channel.name.as_str()))?;
        let register = |channel: &Channel| Register {
            name: channel.name.clone(),
            unit: channel.unit.clone(),
            delay: 0,
            peak: LARGEST_VALUE,
        };
        Ok(Self { registers: input.iter().map(register).collect(), instructions: Vec::new() })
    }

    pub(super) fn add(&mut self, op: &OpSpec) -> Result<(), Fault> {
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
        self.instructions.push(Instruction { skip, work: work(channels) });
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
        self.instructions.push(Instruction { skip, work: Work::Subtract(pairs) });
        Ok(())
    }

    pub(super) fn finish(mut self, output: &[Channel]) -> Result<Program, Fault> {
        distinct(output.iter().map(|channel| channel.name.as_str()))?;
        let outputs = output.iter().map(|channel| self.find(&channel.name)).collect::<Result<Vec<_>, _>>()?;
        for (&register, channel) in outputs.iter().zip(output) {
            self.check_unit(register, &channel.unit)?;
        }
        let delay = self.align(&outputs);
        Ok(Program { instructions: self.instructions, registers: self.registers.len(), outputs, delay })
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
                self.instructions.push(Instruction { skip, work });
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
