//! Every tile of every set against a convolution as it is written in textbooks, with each of its memories between pages that
//! nothing may touch: what a kernel reads or writes too much ends the test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::c_void;
use std::sync::Arc;

use super::job::Job;
use super::{Form, Kernel, Set, available, plain};
use crate::graph::{self, Conv, Graph, Operation, Pair, Shape, Value};
use crate::pack::Packer;
use crate::plan::{Plan, Split, Tap};

/// Numbers that end where a page begins that nothing may touch, or that begin behind one.
struct Guarded<T> {
    mapping: *mut c_void,
    bytes: usize,
    first: *mut T,
    length: usize,
}

const READ_WRITE: i32 = 3;
const PRIVATE_ANONYMOUS: i32 = 0x22;

unsafe extern "C" {
    fn mmap(at: *mut c_void, bytes: usize, protection: i32, flags: i32, file: i32, offset: isize) -> *mut c_void;
    fn mprotect(at: *mut c_void, bytes: usize, protection: i32) -> i32;
    fn munmap(at: *mut c_void, bytes: usize) -> i32;
}

/// The largest page of any system that this is tested on.
const PAGE: usize = 65536;

impl<T: Copy> Guarded<T> {
    fn new(values: &[T], at_end: bool) -> Self {
        let inside = size_of_val(values).next_multiple_of(PAGE).max(PAGE);
        let bytes = inside + 2 * PAGE;
        // SAFETY: a mapping of its own, of which the first and the last page are closed, and all accesses lie within
        unsafe {
            let mapping = mmap(std::ptr::null_mut(), bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
            assert_ne!(mapping.addr(), usize::MAX, "no memory");
            assert_eq!(mprotect(mapping, PAGE, 0), 0);
            assert_eq!(mprotect(mapping.byte_add(PAGE + inside), PAGE, 0), 0);
            let offset = if at_end { inside - size_of_val(values) } else { 0 };
            let first = mapping.byte_add(PAGE + offset).cast::<T>();
            std::ptr::copy_nonoverlapping(values.as_ptr(), first, values.len());
            Self { mapping, bytes, first, length: values.len() }
        }
    }

    fn values_mut(&mut self) -> &mut [T] {
        // SAFETY: so many lie there, and no other looks at them
        unsafe { std::slice::from_raw_parts_mut(self.first, self.length) }
    }

    fn values(&self) -> &[T] {
        // SAFETY: so many lie there, and no kernel runs while they are looked at
        unsafe { std::slice::from_raw_parts(self.first, self.length) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own
        unsafe { munmap(self.mapping, self.bytes) };
    }
}

/// Some number for each place.
fn number(seed: usize, place: usize) -> f32 {
    let mixed = ((seed * 1009 + place + 1) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 40) as f32 / (1 << 24) as f32 - 0.5) * 2.0
}

fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|place| number(seed, place)).collect()
}

/// From what sums a kernel goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Nowhere,
    /// They stand elsewhere.
    Apart,
    /// They stand where the results will.
    InPlace,
}

/// One call of a kernel.
#[derive(Clone, Copy, Debug)]
struct Case {
    channels: usize,
    taps: usize,
    /// From one tap's inputs to the next's.
    apart: usize,
    positions: usize,
    added: bool,
    relu: bool,
    begun: Begun,
    at_end: bool,
    /// What one of the inputs is made.
    bad: Option<f32>,
}

impl Case {
    fn of(channels: usize, taps: usize, apart: usize, positions: usize) -> Self {
        Self {
            channels,
            taps,
            apart,
            positions,
            added: false,
            relu: true,
            begun: Begun::Nowhere,
            at_end: true,
            bad: None,
        }
    }

    fn run(self, set: &Set, form: &Form, kernel: super::job::TileKernel) {
        let Self { channels, taps, apart, positions, added, relu, begun, at_end, bad } = self;
        let outputs = form.channels();
        // positions overlap, as those of a convolution do
        let (step, row) = (channels + 3, outputs + 5);
        let mut from: Vec<u32> = (0..positions).map(|position| (position * step) as u32).collect();
        // either the last of them reads up to the end, or the first
        if relu {
            from.reverse();
        }
        let to: Vec<u32> = (0..positions).map(|position| (position * row) as u32).collect();
        let tap = channels * set.panel;
        let panel = taps.max(1) * tap;
        let list: Vec<Tap> = (0..taps).map(|place| Tap::new(place * apart, place * tap)).collect();
        let panels = (outputs - 1) / set.panel;
        let last = outputs - panels * set.panel;
        // no more than the last vector of the last tap and channel needs
        let weights = numbers(1, panels * panel + panel - set.panel + last.max(form.lanes));
        let mut features = numbers(2, (positions - 1) * step + taps.saturating_sub(1) * apart + channels);
        if let Some(bad) = bad {
            let middle = features.len() / 2;
            features[middle] = bad;
        }
        let (scale, bias) = (numbers(3, outputs), numbers(4, outputs));
        let untouched = f32::from_bits(0x7f81_2345);
        let mut results = vec![untouched; (positions - 1) * row + outputs];
        if added || begun == Begun::InPlace {
            results = numbers(5, results.len());
        }
        let before = results.clone();
        let sums = if begun == Begun::Apart { numbers(6, results.len()) } else { before.clone() };
        let guarded = |values: &[f32]| Guarded::new(values, at_end);
        let (own, x, s, b, y) =
            (guarded(&weights), guarded(&features), guarded(&scale), guarded(&bias), guarded(&results));
        let z = guarded(&sums);
        let (f, t, l) = (Guarded::new(&from, at_end), Guarded::new(&to, at_end), Guarded::new(&list, at_end));
        let job = Job {
            weights: own.first,
            panel,
            taps: l.first,
            count: taps,
            fours: channels / 4,
            rest: channels % 4,
            features: x.first,
            from: f.first,
            to: t.first,
            positions,
            scale: s.first,
            bias: b.first,
            results: y.first,
            added: if added { y.first } else { std::ptr::null() },
            relu,
            begun: match begun {
                Begun::Nowhere => std::ptr::null(),
                Begun::Apart => z.first,
                Begun::InPlace => y.first,
            },
        };
        // SAFETY: all that the tables name lies within, and the set is one that this processor has
        unsafe { kernel(&job) };
        for position in 0..positions {
            for output in 0..row.min(results.len() - position * row) {
                let (found, before) = (y.values()[position * row + output], before[position * row + output]);
                if output >= outputs {
                    assert_eq!(found.to_bits(), before.to_bits(), "{} {self:?} between the rows", set.name);
                    continue;
                }
                let place = position * row + output;
                let mut sum = if begun == Begun::Nowhere { 0.0 } else { f64::from(sums[place]) };
                for (place, tap) in list.iter().enumerate() {
                    for channel in 0..channels {
                        let weight = output / set.panel * panel + place * (channels * set.panel) + channel * set.panel;
                        let weight = weights[weight + output % set.panel];
                        let input = features[from[position] as usize + tap.input() + channel];
                        sum += f64::from(weight) * f64::from(input);
                    }
                }
                let mut expected = sum * f64::from(scale[output]) + f64::from(bias[output]);
                if added {
                    expected += f64::from(before);
                }
                if relu && expected < 0.0 {
                    expected = 0.0;
                }
                let near = (f64::from(found) - expected).abs() <= 1e-5 * (channels * taps) as f64 + 1e-6;
                let same = found.is_nan() && expected.is_nan() || f64::from(found) == expected;
                assert!(near || same, "{} {self:?}: {found} is not {expected}", set.name);
            }
        }
    }
}

#[test]
fn every_tile_computes_what_a_plain_convolution_does_and_touches_nothing_else() {
    let mut count = 0;
    for set in available() {
        for form in set.forms {
            for &(size, kernel) in form.kernels {
                let Kernel::Raw(kernel) = kernel else { continue };
                count += 1;
                let cases: Vec<Case> = match form.taps {
                    // taps that lie together may be loaded together
                    Some(taps) => [0, 1, 2, 3, 5, 24]
                        .into_iter()
                        .flat_map(|more| [1, 4].map(|apart| Case::of(1, taps, apart, size + more)))
                        .collect(),
                    None => [1, 2, 3, 4, 5, 7, 8, 12, 40, 132]
                        .into_iter()
                        .flat_map(|channels| [0, 1, 2, 6, 9].map(|taps| Case::of(channels, taps, channels + 3, size)))
                        .collect(),
                };
                for case in cases {
                    for switches in 0..8 {
                        let [at_end, relu, added] = [1, 2, 4].map(|bit| switches & bit != 0);
                        for begun in [Begun::Nowhere, Begun::Apart, Begun::InPlace] {
                            if (added || begun != Begun::Nowhere) && form.taps.is_some()
                                || added && begun == Begun::InPlace
                            {
                                continue;
                            }
                            Case { added, relu, begun, at_end, ..case }.run(set, form, kernel);
                        }
                    }
                    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                        Case { bad: Some(bad), ..case }.run(set, form, kernel);
                    }
                }
            }
        }
    }
    // only where there is nothing but safe Rust
    assert!(count > 0 || available().len() == 1);
}

/// A convolution of the window, and a linear layer of single steps and of the largest of several.
fn network(channels: usize, classes: usize) -> Graph {
    let shape = |channels, time| Shape { channels, time, axes: 3 };
    let conv = Conv {
        source: 0,
        inputs: 1,
        kernel: Pair { time: 2, axes: 1 },
        stride: Pair { time: 1, axes: 1 },
        padding: Pair { time: 0, axes: 0 },
        weights: numbers(6, channels * 2),
        bias: numbers(7, channels),
    };
    let windows = vec![(0, 1), (2, 4), (5, 6), (0, 6)];
    let weights = numbers(8, classes * windows.len() * 3 * channels);
    Graph {
        values: vec![
            Value { shape: shape(1, 7), operation: Operation::Window },
            Value { shape: shape(channels, 6), operation: Operation::Conv(conv) },
        ],
        classifier: graph::Classifier { source: 1, windows, weights, bias: numbers(9, classes) },
    }
}

/// The logits of `graph` with memories between closed pages: in one go, or in halves, of which the first has so many samples.
fn logits(set: &'static Set, graph: &Graph, known: Option<usize>, at_end: bool) -> Vec<f32> {
    let mut packer = Packer::new(set);
    let plan = Arc::new(Plan::new(graph, set, &mut packer).unwrap());
    let split = known.map(|known| Split::new(&plan, known).unwrap().unwrap());
    let weights = Guarded::new(&packer.finish(), at_end);
    let length = split.as_ref().map_or(plan.arena(), Split::arena);
    let mut arena = Guarded::new(&vec![0.0; length], at_end);
    let mut logits = vec![f32::NAN; graph.classifier.bias.len()];
    let fill = |channel: usize, first: usize, row: &mut [f32]| {
        row.copy_from_slice(&numbers(10 + channel, first + row.len())[first..]);
    };
    if let Some(split) = split {
        assert!(split.head(weights.values(), arena.values_mut(), fill, &mut || true));
        split.tail(weights.values(), arena.values_mut(), &mut logits, fill);
    } else {
        plan.run(weights.values(), arena.values_mut(), &mut logits, fill);
    }
    logits
}

#[test]
fn every_linear_layer_computes_what_safe_rust_does_and_touches_nothing_else() {
    for set in available() {
        for channels in [1, 4, 7, 8, 12, 20, 33] {
            for classes in [1, 2, 5, 6, 7, 12, 15] {
                let graph = network(channels, classes);
                let expected = logits(&plain::SET, &graph, None, true);
                // none, one and two of the windows are in the first half
                for (known, at_end) in
                    [None, Some(1), Some(3), Some(6)].into_iter().flat_map(|it| [(it, false), (it, true)])
                {
                    for (found, expected) in logits(set, &graph, known, at_end).into_iter().zip(&expected) {
                        let near = (found - expected).abs() <= 1e-5;
                        assert!(near, "{} {channels} {classes} {known:?}: {found} is not {expected}", set.name);
                    }
                }
            }
        }
    }
}
