//! Every tile of every set against a convolution as it is written in textbooks, with each of its memories between pages that
//! nothing may touch: what a kernel reads or writes too much ends the test.

use std::ffi::c_void;

use super::job::Job;
use super::{Form, Kernel, Set, available};
use crate::plan::Tap;

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
    positions: usize,
    added: bool,
    relu: bool,
    begun: Begun,
    at_end: bool,
    /// What one of the inputs is made.
    bad: Option<f32>,
}

impl Case {
    fn run(self, set: &Set, form: &Form, kernel: super::job::TileKernel) {
        let Self { channels, taps, positions, added, relu, begun, at_end, bad } = self;
        let outputs = form.channels();
        // positions overlap, as those of a convolution do
        let (step, row) = (channels + 3, outputs + 5);
        let from: Vec<u32> = (0..positions).map(|position| (position * step) as u32).collect();
        let to: Vec<u32> = (0..positions).map(|position| (position * row) as u32).collect();
        let tap = channels * set.panel;
        let panel = taps.max(1) * tap;
        let list: Vec<Tap> = (0..taps).map(|place| Tap::new(place * step, place * tap)).collect();
        let panels = (outputs - 1) / set.panel;
        let last = outputs - panels * set.panel;
        // no more than the last vector of the last tap and channel needs
        let weights = numbers(1, panels * panel + panel - set.panel + last.max(form.lanes));
        let mut features = numbers(2, (positions + taps.max(1) - 2) * step + channels);
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
                let cases: Vec<(usize, usize, usize)> = match form.taps {
                    Some(taps) => [0, 1, 2, 3, 5, 24].map(|more| (1, taps, size + more)).into(),
                    None => [1, 2, 3, 4, 5, 7, 8, 12, 40, 132]
                        .into_iter()
                        .flat_map(|channels| [0, 1, 2, 6, 9].map(|taps| (channels, taps, size)))
                        .collect(),
                };
                for (channels, taps, positions) in cases {
                    for switches in 0..8 {
                        let [at_end, relu, added] = [1, 2, 4].map(|bit| switches & bit != 0);
                        for begun in [Begun::Nowhere, Begun::Apart, Begun::InPlace] {
                            if (added || begun != Begun::Nowhere) && form.taps.is_some()
                                || added && begun == Begun::InPlace
                            {
                                continue;
                            }
                            let case = Case { channels, taps, positions, added, relu, begun, at_end, bad: None };
                            case.run(set, form, kernel);
                        }
                    }
                    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                        let (added, begun) = (false, Begun::Nowhere);
                        let case =
                            Case { channels, taps, positions, added, relu: true, begun, at_end: true, bad: Some(bad) };
                        case.run(set, form, kernel);
                    }
                }
            }
        }
    }
    // only where there is nothing but safe Rust
    assert!(count > 0 || available().len() == 1);
}
