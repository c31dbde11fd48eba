//! How a manifest's list of operations becomes the program that runs for each sample.

use super::bank::{DelayLine, DifferenceBank, MedianBank, Section, SosBank};
use super::conditioner::{Instruction, Program, Work};
use super::pointwise::Pointwise;
use super::registers::Run;
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

impl Register {
    /// Unit and peak of an output that has those of its input.
    fn same(&self, _to: &str, _place: usize) -> Result<(String, f64), Fault> {
        Ok((self.unit.clone(), self.peak))
    }
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
                self.bank(from, to.as_deref(), behind, Register::same, |channels| {
                    Work::Median(MedianBank::new(&channels, *length))
                })
            }
            OpSpec::Sos { from, to, sections, start } => {
                let sections = normalise(sections)?;
                let gains: Vec<_> = sections.iter().map(Section::largest_gain).collect();
                let amplified = |input: &Register, to: &str, _| {
                    let peak = gains.iter().try_fold(input.peak, |peak, gain| computable(to, peak * gain))?;
                    Ok((input.unit.clone(), peak))
                };
                self.bank(from, to.as_deref(), 0, amplified, |channels| {
                    Work::Sos(SosBank::new(&channels, sections, *start == Start::Steady))
                })
            }
            OpSpec::Copy { from, to } => {
                self.bank(from, Some(to), 0, Register::same, |channels| Work::Copy(Run::of(&channels)))
            }
            OpSpec::Subtract { from, minus, to } => self.subtract(from, minus, to.as_deref()),
            OpSpec::Standardise { from, to, mean, std } => {
                numbers("mean", mean, from, f64::is_finite, "a finite number")?;
                numbers("std", std, from, |std| std.is_finite() && std > 0.0, "a finite number above 0")?;
                let formula = |_: &Register, place| Ok(Pointwise::Standardise { mean: mean[place], std: std[place] });
                self.pointwise(from, to.as_deref(), Some(unit::NONE), formula)
            }
            OpSpec::Scale { from, to, factor, offset, unit } => {
                let (factor, offset) = (finite("factor", *factor)?, finite("offset", *offset)?);
                let formula = |_: &Register, _| Ok(Pointwise::Scale { factor, offset });
                self.pointwise(from, to.as_deref(), unit.as_deref(), formula)
            }
            OpSpec::Convert { from, to, unit } => {
                let formula = |Register { name, unit: found, .. }: &Register, _| match unit::factor(found, unit) {
                    Some(factor) => Ok(Pointwise::Scale { factor, offset: 0.0 }),
                    None => {
                        Err(Fault::Conversion { channel: name.clone(), found: found.clone(), expected: unit.clone() })
                    }
                };
                self.pointwise(from, to.as_deref(), Some(unit), formula)
            }
            OpSpec::Clip { from, to, low, high } => {
                let clip = clip(*low, *high)?;
                self.pointwise(from, to.as_deref(), None, |_, _| Ok(clip))
            }
            OpSpec::Magnitude { from, to } => self.magnitude(from, to),
            OpSpec::Difference { from, to } => {
                let doubled =
                    |input: &Register, to: &str, _| Ok((input.unit.clone(), computable(to, input.peak * 2.0)?));
                self.bank(from, to.as_deref(), 0, doubled, |channels| Work::Difference(DifferenceBank::new(channels)))
            }
        }
    }

    /// Adds an operation that computes each channel by itself and delays it by `behind` samples. `becomes` tells unit
    /// and peak of an output from its input, its name and its place in the list. Without `to` it works in place.
    fn bank(
        &mut self,
        from: &[String],
        to: Option<&[String]>,
        behind: u64,
        becomes: impl Fn(&Register, &str, usize) -> Result<(String, f64), Fault>,
        work: impl FnOnce(Vec<(usize, usize)>) -> Work,
    ) -> Result<(), Fault> {
        let inputs = self.find_all(from)?;
        let to = to.unwrap_or(from);
        check_outputs(to, &[from])?;
        let named = inputs.iter().zip(to).enumerate();
        let outputs = named.map(|(place, (&from, to))| becomes(&self.registers[from], to, place));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let skip = self.align(&inputs);
        let outputs = to.iter().zip(outputs).map(|(to, (unit, peak))| self.output(to, unit, skip + behind, peak));
        let channels = inputs.into_iter().zip(outputs).collect();
        self.instructions.push(Instruction { skip, work: work(channels) });
        Ok(())
    }

    /// Adds an operation that makes each output of one input by the formula for its place, in `unit` or that of the
    /// input.
    fn pointwise(
        &mut self,
        from: &[String],
        to: Option<&[String]>,
        unit: Option<&str>,
        formula: impl Fn(&Register, usize) -> Result<Pointwise, Fault>,
    ) -> Result<(), Fault> {
        let inputs = self.find_all(from)?.into_iter().enumerate();
        let formulas = inputs.map(|(place, input)| formula(&self.registers[input], place));
        let formulas = formulas.collect::<Result<Vec<_>, _>>()?;
        let becomes = |input: &Register, to: &str, place: usize| {
            let peak = computable(to, formulas[place].peak(input.peak))?;
            Ok((unit.unwrap_or(&input.unit).to_owned(), peak))
        };
        self.bank(from, to, 0, becomes, |channels| {
            Work::Pointwise(channels.into_iter().zip(formulas.iter().copied()).collect())
        })
    }

    fn magnitude(&mut self, from: &[String], to: &str) -> Result<(), Fault> {
        let inputs = self.find_all(from)?;
        if inputs.len() < 2 {
            return Err(Fault::Alone);
        }
        distinct(from.iter().map(String::as_str))?;
        let unit = self.registers[inputs[0]].unit.clone();
        inputs.iter().try_for_each(|&input| self.check_unit(input, &unit))?;
        let peaks = inputs.iter().map(|&input| self.registers[input].peak);
        let peak = computable(to, peaks.map(|peak| peak * peak).sum::<f64>().sqrt())?;
        let skip = self.align(&inputs);
        let output = self.output(to, unit, skip, peak);
        self.instructions.push(Instruction { skip, work: Work::Magnitude(inputs, output) });
        Ok(())
    }

    fn subtract(&mut self, from: &[String], minus: &[String], to: Option<&[String]>) -> Result<(), Fault> {
        let inputs = self.find_all(from)?;
        if minus.len() != from.len() {
            return Err(Fault::Count { list: "minus", found: minus.len(), expected: from.len() });
        }
        let subtracted = self.find_all(minus)?;
        for (&from, &minus) in inputs.iter().zip(&subtracted) {
            self.check_unit(minus, &self.registers[from].unit)?;
        }
        let to = to.unwrap_or(from);
        check_outputs(to, &[from, minus])?;
        let peak = |register: usize| self.registers[register].peak;
        let peaks = inputs.iter().zip(&subtracted).zip(to);
        let peaks = peaks.map(|((&from, &minus), to)| computable(to, peak(from) + peak(minus)));
        let peaks = peaks.collect::<Result<Vec<_>, _>>()?;
        let skip = self.align(&[inputs.as_slice(), subtracted.as_slice()].concat());
        let pairs = inputs.into_iter().zip(to).zip(peaks).map(|((from, to), peak)| {
            let unit = self.registers[from].unit.clone();
            (from, self.output(to, unit, skip, peak))
        });
        let pairs: Vec<_> = pairs.collect();
        let mut runs = Vec::new();
        for minus in subtracted.chunk_by(|one, next| *next == one + 1) {
            let mut done = runs.iter().map(|(run, _): &(Run, _)| run.count).sum();
            for run in Run::of(&pairs[done..][..minus.len()]) {
                runs.push((run, subtracted[done]));
                done += run.count;
            }
        }
        self.instructions.push(Instruction { skip, work: Work::Subtract(runs) });
        Ok(())
    }

    pub(super) fn finish(mut self, output: &[Channel]) -> Result<Program, Fault> {
        distinct(output.iter().map(|channel| channel.name.as_str()))?;
        let outputs = output.iter().map(|channel| self.find(&channel.name)).collect::<Result<Vec<_>, _>>()?;
        for (&register, channel) in outputs.iter().zip(output) {
            self.check_unit(register, &channel.unit)?;
        }
        let delay = self.align(&outputs);
        let channels = outputs.len();
        let outputs = Run::of(&outputs.into_iter().zip(0..).collect::<Vec<_>>());
        Ok(Program { instructions: self.instructions, registers: self.registers.len(), outputs, channels, delay })
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

    /// The register of an output: an existing one, or a new one.
    fn output(&mut self, name: &str, unit: String, delay: u64, peak: f64) -> usize {
        let register = Register { name: name.to_owned(), unit, delay, peak };
        if let Some(place) = self.registers.iter().position(|register| register.name == name) {
            self.registers[place] = register;
            return place;
        }
        self.registers.push(register);
        self.registers.len() - 1
    }
}

/// `peak`, if the channel `name` may reach that.
fn computable(name: &str, peak: f64) -> Result<f64, Fault> {
    // the comparison is false for NaN as well
    if peak <= LARGEST_PEAK { Ok(peak) } else { Err(Fault::Peak { channel: name.to_owned(), peak }) }
}

/// There must be one number for each channel of `from`, and each one that can be used.
fn numbers(
    list: &'static str,
    numbers: &[f64],
    from: &[String],
    usable: impl Fn(f64) -> bool,
    needed: &'static str,
) -> Result<(), Fault> {
    if numbers.len() != from.len() {
        return Err(Fault::Numbers { list, found: numbers.len(), expected: from.len() });
    }
    match numbers.iter().position(|&value| !usable(value)) {
        Some(place) => Err(Fault::Number { key: format!("{list}[{place}]"), value: numbers[place], needed }),
        None => Ok(()),
    }
}

fn finite(key: &str, value: f64) -> Result<f64, Fault> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Fault::Number { key: key.to_owned(), value, needed: "a finite number" })
    }
}

fn clip(low: Option<f64>, high: Option<f64>) -> Result<Pointwise, Fault> {
    let limit = |key: &str, value: Option<f64>, none: f64| value.map_or(Ok(none), |value| finite(key, value));
    if low.is_none() && high.is_none() {
        return Err(Fault::NoLimit);
    }
    let (low, high) = (limit("low", low, f64::NEG_INFINITY)?, limit("high", high, f64::INFINITY)?);
    if low < high { Ok(Pointwise::Clip { low, high }) } else { Err(Fault::Limits { low, high }) }
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
