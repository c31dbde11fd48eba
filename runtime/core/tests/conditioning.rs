//! Conditioning against NumPy and SciPy, on made-up signals and on real recordings, and what is refused.

use std::collections::HashMap;

use gaitd_core::condition::{BLOCK, ConditionError, Conditioner, Fault, OpSpec};
use gaitd_core::ladder::InputSpec;
use gaitd_core::stream::Channel;
use gaitd_core::window::Normalisation;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    input: Vec<String>,
    ops: Vec<OpSpec>,
    output: Vec<String>,
    /// Units of the input and the output by channel; `g` where there are none.
    #[serde(default)]
    units: [HashMap<String, String>; 2],
    raw: Vec<Vec<f64>>,
    expected: Vec<Vec<f64>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("fixtures/conditioning.json")).unwrap()
}

fn parsed(ops: &str) -> Vec<OpSpec> {
    serde_json::from_str(ops).unwrap()
}

/// What the operations make of the channels `a`, `b` (in g) ..., one of which comes out, in `unit`.
fn conditioned(raw: &[Vec<f64>], ops: &str, output: &str, unit: &str) -> Vec<f32> {
    let names: Vec<_> = ('a'..).take(raw[0].len()).map(String::from).collect();
    let output = Channel { name: output.to_owned(), unit: unit.to_owned() };
    let mut conditioner = Conditioner::new(&channels(&names), &parsed(ops), &[output]).unwrap();
    run(&mut conditioner, raw, 1).concat()
}

fn channels(names: &[impl AsRef<str>]) -> Vec<Channel> {
    names.iter().map(|name| Channel { name: name.as_ref().to_owned(), unit: "g".to_owned() }).collect()
}

/// Everything that comes out for `raw`.
fn run(conditioner: &mut Conditioner, raw: &[Vec<f64>], outputs: usize) -> Vec<Vec<f32>> {
    let mut out = vec![0.0; outputs];
    let mut all = Vec::new();
    for sample in raw {
        if conditioner.push(sample, &mut out) {
            all.push(out.clone());
        }
    }
    all
}

impl Case {
    fn conditioner(&self) -> Conditioner {
        let [mut input, mut output] = [channels(&self.input), channels(&self.output)];
        for (channels, units) in [(&mut input, &self.units[0]), (&mut output, &self.units[1])] {
            for channel in channels {
                channel.unit = units.get(&channel.name).unwrap_or(&channel.unit).clone();
            }
        }
        Conditioner::new(&input, &self.ops, &output).unwrap()
    }
}

#[test]
fn equals_numpy_and_scipy() {
    for case in cases() {
        let mut conditioner = case.conditioner();
        // the second time over, after a reset, nothing of the first may be left
        for _ in 0..2 {
            let conditioned = run(&mut conditioner, &case.raw, case.output.len());
            assert_eq!(conditioned.len(), case.raw.len() - conditioner.delay(), "{}", case.name);
            for (time, (found, expected)) in conditioned.iter().zip(&case.expected).enumerate() {
                for ((found, expected), channel) in found.iter().zip(expected).zip(&case.output) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(
                        error < 1e-6 * expected.abs().max(1.0),
                        "{}: {channel} at {time} is {found}, not {expected}",
                        case.name
                    );
                }
            }
            conditioner.reset();
        }
    }
}

#[test]
fn delays() {
    let delays: Vec<_> = cases().iter().map(|case| case.conditioner().delay()).collect();
    assert_eq!(delays, [1, 0, 3, 2]);
}

#[test]
fn without_operations_samples_pass_unchanged_in_the_order_of_the_output() {
    let mut conditioner = Conditioner::new(&channels(&["a", "b"]), &[], &channels(&["b", "a"])).unwrap();
    assert_eq!(run(&mut conditioner, &[vec![1.0, 2.0]], 2), [[2.0, 1.0]]);
}

#[test]
fn a_very_long_stream_neither_drifts_nor_decays_into_denormal_numbers() {
    let case = cases().remove(0);
    let mut conditioner = case.conditioner();
    let mut out = [0.0; 9];
    let still = [0.1, -0.2, 0.97, 0.01, 0.02, -0.03];
    for _ in 0..2_000_000 {
        conditioner.push(&still, &mut out);
    }
    let expected = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, -0.2, 0.97];
    for (found, expected) in out.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{out:?}");
    }
    // after a long silence every trace of the signal is exactly gone
    for _ in 0..200_000 {
        conditioner.push(&[0.0; 6], &mut out);
    }
    assert_eq!(out, [0.0; 9]);
}

/// A filter that halves with each sample what it remembers, and then amplifies it by 1e90.
#[test]
fn what_has_decayed_to_nothing_is_exactly_zero_after_a_while() {
    let mut sections = vec![[1.0, 0.0, 0.0, 1.0, -0.5, 0.0]];
    sections.extend([[1e6, 0.0, 0.0, 1.0, 0.0, 0.0]; 15]);
    let op = OpSpec::Sos { from: vec!["a".into()], to: None, sections, start: Default::default() };
    let mut conditioner = Conditioner::new(&channels(&["a"]), &[op], &channels(&["a"])).unwrap();
    let mut raw = vec![vec![0.0]; 450];
    raw[0] = vec![1.0];
    let found: Vec<_> = run(&mut conditioner, &raw, 1).into_iter().map(|sample| sample[0]).collect();
    // 1e-100 is passed between 2^-332 and 2^-333, and looked for every 64 samples
    let end = found.iter().position(|value| *value == 0.0);
    assert_eq!(end, Some(384));
    assert!(found[384..].iter().all(|value| *value == 0.0));
    for (time, found) in found.iter().enumerate().take(384) {
        let expected = 0.5f64.powi(time as i32) * 1e90;
        let expected = expected.min(f64::from(f32::MAX));
        assert!((f64::from(*found) / expected - 1.0).abs() < 1e-6, "{found} at {time}, not {expected}");
    }
}

#[test]
fn medians_of_up_to_1001_samples_are_accepted() {
    let median = |length| {
        let op = OpSpec::Median { from: vec!["a".into()], to: None, length };
        Conditioner::new(&channels(&["a"]), &[op], &channels(&["a"])).map(|conditioner| conditioner.delay())
    };
    assert_eq!([1, 3, 5, 999, 1001].map(|length| median(length).unwrap()), [0, 1, 2, 499, 500]);
    let error = median(1003).unwrap_err().to_string();
    assert_eq!(error, "conditioning[0] (median): length is 1003, but must be odd, from 1 to 1001");
}

/// Both channels can reach 1e60 before they are subtracted, and 2e60 thereafter.
#[test]
fn a_difference_can_be_as_large_as_both_channels_together() {
    let sos = |from: &str, times: usize| {
        let sections = vec!["[1e6,0,0,1,0,0]"; times].join(",");
        format!(r#"{{"op": "sos", "from": ["{from}"], "sections": [{sections}]}}"#)
    };
    let ops = |last: usize| {
        let subtract = r#"{"op": "subtract", "from": ["a"], "minus": ["b"]}"#;
        format!("[{}, {}, {subtract}, {}]", sos("a", 9), sos("b", 9), sos("a", last))
    };
    let parsed: Vec<OpSpec> = serde_json::from_str(&ops(6)).unwrap();
    assert!(Conditioner::new(&channels(&["a", "b"]), &parsed, &channels(&["a"])).is_ok());
    let says = "conditioning[3] (sos): channel `a` could reach 2e102, which cannot be computed with; its \
                operations amplify too much";
    assert_eq!(refusal(&ops(7)), says);
}

/// Medians of medians, and channels of four delays that meet: each value is that of its own time.
#[test]
fn channels_that_meet_are_of_the_same_time() {
    let ops = r#"[
        {"op": "median", "from": ["a"], "length": 3},
        {"op": "median", "from": ["a"], "length": 5},
        {"op": "median", "from": ["b"], "length": 3},
        {"op": "copy", "from": ["c"], "to": ["late"]},
        {"op": "subtract", "from": ["a", "b"], "minus": ["c", "c"], "to": ["x", "y"]},
        {"op": "median", "from": ["x"], "length": 3}
    ]"#;
    let ops: Vec<OpSpec> = serde_json::from_str(ops).unwrap();
    let output = ["x", "y", "late", "b"];
    let mut conditioner = Conditioner::new(&channels(&["a", "b", "c"]), &ops, &channels(&output)).unwrap();
    assert_eq!(conditioner.delay(), 4);
    // medians of what rises steadily are the value in the middle
    let raw: Vec<_> = (0..40).map(f64::from).map(|time| vec![10.0 * time, 5.0 * time, time * time / 10.0]).collect();
    for (time, found) in run(&mut conditioner, &raw, 4).into_iter().enumerate() {
        let time = time as f64;
        let c = time * time / 10.0;
        let expected = [10.0 * time - c, 5.0 * time - c, c, 5.0 * time].map(|value| value as f32);
        assert_eq!(found, expected, "at {time}");
    }
}

#[test]
fn sections_are_accepted_up_to_the_limits() {
    let section = |section: [f64; 6]| {
        let op = OpSpec::Sos { from: vec!["a".into()], to: None, sections: vec![section], start: Default::default() };
        Conditioner::new(&channels(&["a"]), &[op], &channels(&["a"])).map(drop).map_err(|error| match error {
            ConditionError::Op { fault, .. } => fault,
            error => panic!("{error}"),
        })
    };
    // with a0 = 2 every coefficient is half as large
    assert_eq!(section([2e6, -2e6, 0.0, 2.0, 0.0, 0.0]), Ok(()));
    let value = 2.000001e6;
    assert_eq!(section([0.0, value, 0.0, 2.0, 0.0, 0.0]), Err(Fault::Coefficient { section: 0, value }));
    assert_eq!(section([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), Err(Fault::NoLeadingCoefficient(0)));
    // inside the stability triangle with the corners (-2, 1), (2, 1) and (0, -1), near each side, and outside of it
    for (a1, a2, stable) in [
        (0.0, 0.999, true),
        (0.0, 1.0, false),
        (0.0, 1.001, false),
        (1.5, 0.501, true),
        (-1.5, 0.501, true),
        (1.5, 0.5, false),
        (-1.5, 0.499, false),
        (0.5, -0.499, true),
        (-0.5, -0.499, true),
        (0.5, -0.5, false),
        (-0.5, -0.501, false),
        (0.0, -0.999, true),
        (0.0, -1.0, false),
        (2.5, 2.0, false),
    ] {
        let expected = if stable { Ok(()) } else { Err(Fault::Unstable(0)) };
        assert_eq!(section([1.0, 0.0, 0.0, 1.0, a1, a2]), expected, "{a1}, {a2}");
        assert_eq!(section([1.0, 0.0, 0.0, -4.0, -4.0 * a1, -4.0 * a2]), expected, "a0 = -4, {a1}, {a2}");
    }
}

#[test]
fn huge_values_stay_finite() {
    let op: OpSpec =
        serde_json::from_str(r#"{"op": "sos", "from": ["a"], "sections": [[1e6, 0, 0, 1, -0.999, 0]]}"#).unwrap();
    let ops = vec![op; 7];
    let mut conditioner = Conditioner::new(&channels(&["a"]), &ops, &channels(&["a"])).unwrap();
    let conditioned = run(&mut conditioner, &vec![vec![1e6]; 3000], 1);
    assert!(conditioned.iter().all(|sample| sample[0].is_finite()));
}

/// What compiling `ops` from raw channels a, b (g) and w (rad/s) to the channel a (g) says.
fn refusal(ops: &str) -> String {
    let mut input = channels(&["a", "b"]);
    input.push(Channel { name: "w".to_owned(), unit: "rad/s".to_owned() });
    let ops: Vec<OpSpec> = serde_json::from_str(ops).unwrap();
    Conditioner::new(&input, &ops, &channels(&["a"])).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn wrong_operations_are_refused_by_place_and_channel() {
    let sos = |section: &str| format!(r#"[{{"op": "sos", "from": ["a"], "sections": [[1,0,0,1,0,0],{section}]}}]"#);
    let refusals = [
        r#"[{"op": "copy", "from": ["a"], "to": ["c"]}, {"op": "median", "from": ["x"], "length": 3}]"#,
        r#"[{"op": "median", "from": ["a"], "length": 4}]"#,
        r#"[{"op": "median", "from": ["a"], "length": 0}]"#,
        r#"[{"op": "median", "from": ["a"], "length": 2147483647}]"#,
        r#"[{"op": "median", "from": [], "length": 3}]"#,
        r#"[{"op": "copy", "from": ["a", "b"], "to": ["c"]}]"#,
        r#"[{"op": "copy", "from": ["a", "b"], "to": ["c", "c"]}]"#,
        r#"[{"op": "copy", "from": ["a", "b"], "to": ["b", "c"]}]"#,
        r#"[{"op": "subtract", "from": ["a", "b"], "minus": ["b"]}]"#,
        r#"[{"op": "subtract", "from": ["a", "b"], "minus": ["b", "a"]}]"#,
        r#"[{"op": "subtract", "from": ["a"], "minus": ["w"]}]"#,
        r#"[{"op": "copy", "from": ["w"], "to": ["a"]}]"#,
        r#"[{"op": "sos", "from": ["a"], "sections": []}]"#,
        &sos("[1, 0, 0, 0, 0, 0]"),
        &sos("[1, 0, 0, 1, -1, 0]"),
        &sos("[1, 0, 0, 1, 0, 1]"),
        &sos("[1, 0, 0, 1, -2.5, 1.5]"),
        &sos("[1, 0, 0, 1e-300, 0, 0]"),
        &sos("[1e7, 0, 0, 1, 0, 0]"),
    ];
    insta::assert_snapshot!(refusals.map(refusal).join("\n"), @r"
    conditioning[1] (median): there is no channel `x` at this point, only a, b, w, c
    conditioning[0] (median): length is 4, but must be odd, from 1 to 1001
    conditioning[0] (median): length is 0, but must be odd, from 1 to 1001
    conditioning[0] (median): length is 2147483647, but must be odd, from 1 to 1001
    conditioning[0] (median): `from` is empty; name at least one channel
    conditioning[0] (copy): `to` names 1 channels, but `from` names 2; one is needed for each
    conditioning[0] (copy): channel `c` is named twice
    conditioning[0] (copy): `b` is both an output and the input of another output; use a new name
    conditioning[0] (subtract): `minus` names 1 channels, but `from` names 2; one is needed for each
    conditioning[0] (subtract): `a` is both an output and the input of another output; use a new name
    conditioning[0] (subtract): channel `w` is in rad/s, but g is needed
    conditioning, output: channel `a` is in rad/s, but g is needed
    conditioning[0] (sos): `sections` is empty
    conditioning[0] (sos): section 1 has a0 = 0
    conditioning[0] (sos): section 1 is unstable: it has a pole on or outside the unit circle
    conditioning[0] (sos): section 1 is unstable: it has a pole on or outside the unit circle
    conditioning[0] (sos): section 1 is unstable: it has a pole on or outside the unit circle
    conditioning[0] (sos): section 1 holds 1, which is no usable coefficient
    conditioning[0] (sos): section 1 holds 10000000, which is no usable coefficient
    ");
}

/// Each section by itself is one that a filter may have.
#[test]
fn what_could_leave_the_range_of_numbers_is_refused() {
    let loud = "[1e6,0,0,1,-1.998,0.998001]".to_owned();
    let quiet = "[1e-6,0,0,1,0,0]".to_owned();
    let sos = |from: &str, sections: &[&String]| {
        let sections: Vec<_> = sections.iter().map(|section| section.as_str()).collect();
        format!(r#"{{"op": "sos", "from": ["{from}"], "sections": [{}]}}"#, sections.join(","))
    };
    let many = vec![&loud; 26];
    // quiet sections at the end do not undo what has become infinite before them
    let both = [vec![&loud; 26], vec![&quiet; 60]].concat();
    let subtract = r#"{"op": "subtract", "from": ["a"], "minus": ["b"]}"#;
    let apart = [sos("a", &many[..7]), sos("b", &many[..7]), subtract.to_owned(), sos("a", &many[..7])];
    for ops in [sos("a", &many), sos("a", &both), apart.join(",")] {
        let refusal = refusal(&format!("[{ops}]"));
        assert!(refusal.contains("channel `a` could reach") && refusal.contains("amplify too much"), "{refusal}");
    }
    // as far as is allowed, everything stays finite for the worst of streams
    let ops: Vec<OpSpec> = serde_json::from_str(&format!("[{}]", sos("a", &many[..7]))).unwrap();
    let mut conditioner = Conditioner::new(&channels(&["a"]), &ops, &channels(&["a"])).unwrap();
    let raw: Vec<_> = (0..10_000).map(|i| vec![if i / 7 % 2 == 0 { 1e6 } else { -1e6 }]).collect();
    assert!(run(&mut conditioner, &raw, 1).iter().flatten().all(|value| value.is_finite()));
}

#[test]
fn wrong_numbers_and_units_are_refused_by_key_and_channel() {
    let refusals = [
        r#"[{"op": "standardise", "from": ["a", "b"], "mean": [0], "std": [1, 1]}]"#,
        r#"[{"op": "standardise", "from": ["a", "b"], "mean": [0, 0], "std": [1, 1, 1]}]"#,
        r#"[{"op": "standardise", "from": ["a", "b"], "mean": [0, 0], "std": [1, 0]}]"#,
        r#"[{"op": "standardise", "from": ["a", "b"], "mean": [0, 0], "std": [-2, 1]}]"#,
        r#"[{"op": "standardise", "from": [], "mean": [], "std": []}]"#,
        r#"[{"op": "standardise", "from": ["a", "b"], "to": ["b", "c"], "mean": [0, 0], "std": [1, 1]}]"#,
        r#"[{"op": "standardise", "from": ["a"], "mean": [0], "std": [1]}]"#,
        r#"[{"op": "standardise", "from": ["a"], "to": ["c"], "mean": [0], "std": [1e-95]}]"#,
        r#"[{"op": "scale", "from": ["a"], "factor": 1e95}]"#,
        r#"[{"op": "scale", "from": ["a"], "factor": 0, "offset": -1e101}]"#,
        r#"[{"op": "scale", "from": ["a"], "factor": 2, "unit": "m/s2"}]"#,
        r#"[{"op": "scale", "from": ["a", "b"], "to": ["c"], "factor": 2}]"#,
        r#"[{"op": "convert", "from": ["a", "w"], "unit": "m/s2"}]"#,
        r#"[{"op": "convert", "from": ["a"], "unit": "furlong"}]"#,
        r#"[{"op": "standardise", "from": ["a"], "mean": [0], "std": [1]}, {"op": "convert", "from": ["a"], "unit": "g"}]"#,
        r#"[{"op": "convert", "from": ["a"], "unit": "mg"}]"#,
        r#"[{"op": "clip", "from": ["a"]}]"#,
        r#"[{"op": "clip", "from": ["a"], "low": 1, "high": 1}]"#,
        r#"[{"op": "clip", "from": ["a"], "low": 2, "high": 1}]"#,
        r#"[{"op": "clip", "from": ["a"], "low": 1e101}]"#,
        r#"[{"op": "magnitude", "from": ["a"], "to": "m"}]"#,
        r#"[{"op": "magnitude", "from": [], "to": "m"}]"#,
        r#"[{"op": "magnitude", "from": ["a", "b", "a"], "to": "m"}]"#,
        r#"[{"op": "magnitude", "from": ["a", "b", "w"], "to": "m"}]"#,
        r#"[{"op": "magnitude", "from": ["w", "z"], "to": "m"}]"#,
        r#"[{"op": "difference", "from": ["a", "b"], "to": ["b", "a"]}]"#,
    ];
    insta::assert_snapshot!(refusals.map(refusal).join("\n"), @r"
    conditioning[0] (standardise): `mean` holds 1 numbers, but `from` names 2 channels; one is needed for each
    conditioning[0] (standardise): `std` holds 3 numbers, but `from` names 2 channels; one is needed for each
    conditioning[0] (standardise): `std[1]` is 0, but must be a finite number above 0
    conditioning[0] (standardise): `std[0]` is -2, but must be a finite number above 0
    conditioning[0] (standardise): `from` is empty; name at least one channel
    conditioning[0] (standardise): `b` is both an output and the input of another output; use a new name
    conditioning, output: channel `a` is in 1 (no unit), but g is needed
    conditioning[0] (standardise): channel `c` could reach 1e101, which cannot be computed with; its operations amplify too much
    conditioning[0] (scale): channel `a` could reach 1e101, which cannot be computed with; its operations amplify too much
    conditioning[0] (scale): channel `a` could reach 1e101, which cannot be computed with; its operations amplify too much
    conditioning, output: channel `a` is in m/s2, but g is needed
    conditioning[0] (scale): `to` names 1 channels, but `from` names 2; one is needed for each
    conditioning[0] (convert): channel `w` is in rad/s, which cannot be converted to m/s2; units that can are g, mg, m/s2, rad/s, mrad/s, deg/s (dps) and mdps
    conditioning[0] (convert): channel `a` is in g, which cannot be converted to furlong; units that can are g, mg, m/s2, rad/s, mrad/s, deg/s (dps) and mdps
    conditioning[1] (convert): channel `a` is in 1 (no unit), which cannot be converted to g; units that can are g, mg, m/s2, rad/s, mrad/s, deg/s (dps) and mdps
    conditioning, output: channel `a` is in mg, but g is needed
    conditioning[0] (clip): neither `low` nor `high` is there; name at least one
    conditioning[0] (clip): `low` is 1, but must be below `high`, which is 1
    conditioning[0] (clip): `low` is 2, but must be below `high`, which is 1
    conditioning[0] (clip): channel `a` could reach 1e101, which cannot be computed with; its operations amplify too much
    conditioning[0] (magnitude): `from` names one channel only; a magnitude needs at least two
    conditioning[0] (magnitude): `from` is empty; name at least one channel
    conditioning[0] (magnitude): channel `a` is named twice
    conditioning[0] (magnitude): channel `w` is in rad/s, but g is needed
    conditioning[0] (magnitude): there is no channel `z` at this point, only a, b, w
    conditioning[0] (difference): `b` is both an output and the input of another output; use a new name
    ");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let from = || vec!["a".to_owned()];
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let ops = [
            ("mean[0]", OpSpec::Standardise { from: from(), to: None, mean: vec![value], std: vec![1.0] }),
            ("std[0]", OpSpec::Standardise { from: from(), to: None, mean: vec![0.0], std: vec![value] }),
            ("factor", OpSpec::Scale { from: from(), to: None, factor: value, offset: 0.0, unit: None }),
            ("offset", OpSpec::Scale { from: from(), to: None, factor: 1.0, offset: value, unit: None }),
            ("low", OpSpec::Clip { from: from(), to: None, low: Some(value), high: Some(1.0) }),
            ("high", OpSpec::Clip { from: from(), to: None, low: None, high: Some(value) }),
        ];
        for (expected, op) in ops {
            let error = Conditioner::new(&channels(&["a"]), &[op], &channels(&["a"])).unwrap_err();
            let ConditionError::Op { fault: Fault::Number { key, .. }, .. } = &error else { panic!("{error}") };
            assert_eq!(key, expected);
        }
    }
}

/// What can be 1e106 is refused, but not where it is cut off before.
#[test]
fn a_clip_bounds_what_the_values_can_reach() {
    let ops = |clip: &str| {
        let loud = r#"{"op": "scale", "from": ["a"], "factor": 1e50}"#;
        format!("[{loud}, {clip}, {loud}]")
    };
    let clip = |limits: &str| ops(&format!(r#"{{"op": "clip", "from": ["a"], {limits}}}"#));
    for limits in [r#""low": -1e49, "high": 1"#, r#""low": -1, "high": 1e49"#, r#""low": -1e45, "high": -1e40"#] {
        Conditioner::new(&channels(&["a"]), &parsed(&clip(limits)), &channels(&["a"])).unwrap();
    }
    // with one limit the other side is open
    for (limits, reach) in [
        (r#""low": -1"#, "1e106"),
        (r#""high": 1"#, "1e106"),
        (r#""low": -1e52, "high": 1"#, "1e102"),
        (r#""low": 1, "high": 1e52"#, "1e102"),
    ] {
        let says = format!("conditioning[2] (scale): channel `a` could reach {reach}, which cannot");
        assert!(refusal(&clip(limits)).starts_with(&says), "{}", refusal(&clip(limits)));
    }
}

/// Whatever each operation makes of the largest values, the next one must allow for.
#[test]
fn every_operation_allows_for_its_largest_output() {
    for (op, reach) in [
        // 1e6 + 1e6, by 0.5
        (r#"{"op": "standardise", "from": ["a"], "to": ["c"], "mean": [-1e6], "std": [0.5]}"#, "4e106"),
        (r#"{"op": "standardise", "from": ["a"], "to": ["c"], "mean": [1e6], "std": [0.5]}"#, "4e106"),
        (r#"{"op": "scale", "from": ["a"], "to": ["c"], "factor": -2, "offset": -3e6}"#, "5e106"),
        (r#"{"op": "scale", "from": ["a"], "to": ["c"], "factor": 2, "offset": -3e6}"#, "5e106"),
        (r#"{"op": "convert", "from": ["a"], "to": ["c"], "unit": "mg"}"#, "1e109"),
        // 3-4-5
        (
            r#"{"op": "scale", "from": ["a"], "factor": 3}, {"op": "scale", "from": ["b"], "factor": 4},
               {"op": "magnitude", "from": ["a", "b"], "to": "c"}"#,
            "5e106",
        ),
        (r#"{"op": "difference", "from": ["a"], "to": ["c"]}"#, "2e106"),
    ] {
        let refusal = refusal(&format!(r#"[{op}, {{"op": "scale", "from": ["c"], "factor": 1e100}}]"#));
        assert!(refusal.contains(&format!("channel `c` could reach {reach},")), "{op}: {refusal}");
    }
}

#[test]
fn after_an_operation_values_have_the_units_that_it_says() {
    let raw = [vec![1.5, -0.5]];
    for (ops, output, unit, expected) in [
        (r#"{"op": "standardise", "from": ["a"], "mean": [1], "std": [2]}"#, "a", "1", 0.25),
        (r#"{"op": "standardise", "from": ["a"], "to": ["c"], "mean": [1], "std": [2]}"#, "a", "g", 1.5),
        (r#"{"op": "scale", "from": ["a"], "factor": 2}"#, "a", "g", 3.0),
        (r#"{"op": "scale", "from": ["a"], "factor": 2, "offset": 1, "unit": "1"}"#, "a", "1", 4.0),
        (r#"{"op": "scale", "from": ["a"], "factor": 2, "unit": "apples"}"#, "a", "apples", 3.0),
        (r#"{"op": "convert", "from": ["a"], "unit": "mg"}"#, "a", "mg", 1500.0),
        // spellings of one unit
        (r#"{"op": "convert", "from": ["a"], "unit": "metres per second squared"}"#, "a", "m/s2", 1.5 * 9.80665),
        (r#"{"op": "convert", "from": ["a"], "unit": "G"}"#, "a", "g", 1.5),
        (r#"{"op": "clip", "from": ["a"], "high": 1}"#, "a", "g", 1.0),
        (r#"{"op": "clip", "from": ["b"], "low": 0, "high": 1}"#, "b", "g", 0.0),
        (r#"{"op": "magnitude", "from": ["a", "b"], "to": "b"}"#, "b", "g", 2.5f32.sqrt()),
        (r#"{"op": "difference", "from": ["a"]}"#, "a", "g", 0.0),
        // a channel that is made anew has the new one's unit
        (
            r#"{"op": "scale", "from": ["a"], "to": ["c"], "factor": 1, "unit": "1"},
               {"op": "copy", "from": ["b"], "to": ["c"]}"#,
            "c",
            "g",
            -0.5,
        ),
        // what has no unit is of one unit
        (
            r#"{"op": "standardise", "from": ["a", "b"], "mean": [1.5, 0], "std": [1, 0.25]},
               {"op": "subtract", "from": ["a"], "minus": ["b"]}"#,
            "a",
            "1",
            2.0,
        ),
    ] {
        assert_eq!(conditioned(&raw, &format!("[{ops}]"), output, unit), [expected], "{ops}");
    }
}

#[test]
fn a_difference_begins_with_0_after_a_reset_and_behind_a_median() {
    let ops = parsed(
        r#"[{"op": "median", "from": ["a"], "length": 3}, {"op": "difference", "from": ["a"], "to": ["d"]},
            {"op": "difference", "from": ["d"], "to": ["dd"]}]"#,
    );
    let mut conditioner = Conditioner::new(&channels(&["a"]), &ops, &channels(&["a", "d", "dd"])).unwrap();
    for start in [5.0, -100.0] {
        let raw: Vec<_> = [0.0, 1.0, 3.0, 6.0, 10.0].iter().map(|value| vec![start + value]).collect();
        let values = [0.0, 1.0, 3.0, 6.0].map(|value| (start + value) as f32);
        let found = run(&mut conditioner, &raw, 3);
        // before the first sample there are zeros, of which the median of the negative values is not made
        let first = if start > 0.0 { values[0] } else { values[1] };
        assert_eq!(found.iter().map(|sample| sample[0]).collect::<Vec<_>>()[1..], values[1..]);
        assert_eq!(found[0], [first, 0.0, 0.0]);
        assert_eq!(found[1][1], values[1] - first);
        assert_eq!([found[2][1], found[3][1], found[3][2]], [2.0, 3.0, 1.0]);
        conditioner.reset();
    }
}

/// The examples of the documentation, in its order: what a manifest has as its `input`, and a normalisation.
#[test]
fn the_documented_examples_are_accepted() {
    let text = include_str!("../../../docs/conditioning.md");
    let examples: Vec<_> = text.split("```json").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [input, normalisation] = examples[..] else { panic!("{examples:?}") };
    let input: InputSpec = serde_json::from_str(input).unwrap();
    let output = ["acc", "jerk"].map(|name| Channel { name: name.to_owned(), unit: "1".to_owned() });
    let mut conditioner = Conditioner::new(&input.channels, &input.conditioning, &output).unwrap();
    let found = run(&mut conditioner, &[vec![0.6, 0.0, 0.8], vec![9.0, 12.0, 0.0]], 2);
    let standard = |jerk: f64| (jerk / 0.87) as f32;
    assert_eq!(found.iter().map(|sample| sample[1]).collect::<Vec<_>>(), [0.0, standard(20.0)]);
    assert!((found[0][0] - (9.80665 - 9.84) / 2.31).abs() < 1e-6);
    let normalisation: Normalisation = serde_json::from_str(normalisation).unwrap();
    assert_eq!(normalisation, serde_json::from_str(r#"{"method": "standardise"}"#).unwrap(), "it shows the defaults");
}

#[test]
fn the_newer_operations_belong_to_schema_3() {
    let mut schemas: Vec<_> = cases().iter().flat_map(|case| &case.ops).map(|op| (op.name(), op.schema())).collect();
    schemas.sort_unstable();
    schemas.dedup();
    let [old, new] = [1, 3]
        .map(|schema| schemas.iter().filter(|(_, found)| *found == schema).map(|(name, _)| *name).collect::<Vec<_>>());
    assert_eq!(old, ["copy", "median", "sos", "subtract"]);
    assert_eq!(new, ["clip", "convert", "difference", "magnitude", "scale", "standardise"]);
}

#[test]
fn operations_are_written_as_they_are_read() {
    for op in cases().iter().flat_map(|case| &case.ops) {
        let written = serde_json::to_string(op).unwrap();
        assert_eq!(serde_json::from_str::<OpSpec>(&written).unwrap(), *op);
        assert!(!written.contains("null"), "{written}");
    }
}

#[test]
fn the_output_must_exist_and_names_must_be_distinct() {
    let [none, input, output] = [(vec!["a"], vec!["z"]), (vec!["a", "a"], vec!["a"]), (vec!["a"], vec!["a", "a"])]
        .map(|(input, output)| Conditioner::new(&channels(&input), &[], &channels(&output)).unwrap_err().to_string());
    assert_eq!(none, "conditioning, output: there is no channel `z` at this point, only a");
    assert_eq!(input, "conditioning, input: channel `a` is named twice");
    assert_eq!(output, "conditioning, output: channel `a` is named twice");
}

#[test]
fn non_finite_coefficients_are_refused() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for place in 0..6 {
            let mut section = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
            section[place] = value;
            let op =
                OpSpec::Sos { from: vec!["a".into()], to: None, sections: vec![section], start: Default::default() };
            let error = Conditioner::new(&channels(&["a"]), &[op], &channels(&["a"])).unwrap_err();
            assert!(matches!(error, ConditionError::Op { index: 0, op: "sos", .. }), "{error}");
        }
    }
}

#[test]
fn unknown_keys_and_operations_are_refused() {
    for (ops, says) in [
        (r#"{"op": "median", "from": ["a"], "length": 3, "size": 5}"#, "unknown field `size`"),
        (r#"{"op": "mean", "from": ["a"]}"#, "unknown variant `mean`"),
        (r#"{"op": "median", "from": ["a"]}"#, "missing field `length`"),
        (r#"{"op": "sos", "from": ["a"], "sections": [[1, 2, 3, 4, 5]]}"#, "invalid length 5"),
        (r#"{"op": "sos", "from": ["a"], "sections": [], "start": "warm"}"#, "unknown variant `warm`"),
        (r#"{"op": "standardise", "from": ["a"], "mean": [0]}"#, "missing field `std`"),
        (r#"{"op": "standardise", "from": ["a"], "mean": 0, "std": [1]}"#, "expected a sequence"),
        (r#"{"op": "standardize", "from": ["a"], "mean": [0], "std": [1]}"#, "unknown variant `standardize`"),
        (r#"{"op": "scale", "from": ["a"]}"#, "missing field `factor`"),
        (r#"{"op": "scale", "from": ["a"], "factor": [1]}"#, "expected f64"),
        (r#"{"op": "convert", "from": ["a"]}"#, "missing field `unit`"),
        (r#"{"op": "clip", "from": ["a"], "min": 0}"#, "unknown field `min`"),
        (r#"{"op": "magnitude", "from": ["a", "b"]}"#, "missing field `to`"),
        (r#"{"op": "magnitude", "from": ["a", "b"], "to": ["c"]}"#, "expected a string"),
    ] {
        let error = serde_json::from_str::<OpSpec>(ops).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

proptest! {
    /// However samples are gathered into blocks, what comes out is what comes of one at a time, to the bit.
    #[test]
    fn blocks_are_samples_one_after_the_other(sizes in prop::collection::vec(1..=BLOCK, 1..20), case in 0..4usize) {
        let case = &cases()[case];
        let channels = case.output.len();
        let (mut single, mut block) = (case.conditioner(), case.conditioner());
        let mut raw = case.raw.iter();
        let mut out = vec![0.0; BLOCK * channels];
        for size in sizes {
            let samples: Vec<Vec<f64>> = raw.by_ref().take(size).cloned().collect();
            let expected = run(&mut single, &samples, channels).concat();
            let given = block.push_block(&samples.concat(), &mut out);
            prop_assert_eq!(block.held_back(), single.held_back());
            prop_assert_eq!(&out[..given * channels], &expected[..]);
        }
    }

    /// The running median is the median of a zero-padded slice.
    #[test]
    fn medians(half in 0..6usize, x in prop::collection::vec(-10.0..10f64, 1..60)) {
        let length = 2 * half + 1;
        let op = OpSpec::Median { from: vec!["a".into()], to: None, length };
        let mut conditioner = Conditioner::new(&channels(&["a"]), &[op], &channels(&["a"])).unwrap();
        let raw: Vec<_> = x.iter().map(|&value| vec![value]).collect();
        let found: Vec<_> = run(&mut conditioner, &raw, 1).into_iter().map(|sample| sample[0]).collect();
        let padded: Vec<_> = std::iter::repeat_n(0.0, half).chain(x.iter().copied()).collect();
        let expected: Vec<_> = padded.windows(length).map(|slice| {
            let mut slice = slice.to_vec();
            slice.sort_by(f64::total_cmp);
            slice[half] as f32
        }).collect();
        prop_assert_eq!(found, expected);
    }

    /// A filter that starts steady passes what does not change, from the first sample on, with its gain.
    #[test]
    fn steady_filters_pass_what_stands_still(
        level in -20.0..20f64,
        radius in 0.0..0.99f64,
        angle in 0.0..3.1f64,
        b in prop::array::uniform3(-2.0..2f64),
    ) {
        let (a1, a2) = (-2.0 * radius * angle.cos(), radius * radius);
        let section = [b[0], b[1], b[2], 1.0, a1, a2];
        let op = OpSpec::Sos {
            from: vec!["a".into()],
            to: None,
            sections: vec![section, section],
            start: gaitd_core::condition::Start::Steady,
        };
        let mut conditioner = Conditioner::new(&channels(&["a"]), &[op], &channels(&["a"])).unwrap();
        let gain = (b.iter().sum::<f64>() / (1.0 + a1 + a2)).powi(2);
        for sample in run(&mut conditioner, &vec![vec![level]; 100], 1) {
            let error = (f64::from(sample[0]) - gain * level).abs();
            prop_assert!(error <= 1e-6 * (1.0 + (gain * level).abs()), "{} is not {}", sample[0], gain * level);
        }
    }

    /// Each value by itself, by the formula, whatever came before it.
    #[test]
    fn single_values_follow_their_formulas(
        x in prop::collection::vec(-1e6..1e6f64, 1..20),
        (mean, std) in (-100_000..100_000, 1..1_000_000),
        (factor, offset) in (-10_000..10_000, -10_000..10_000),
        (low, width) in (-100_000_000..100_000_000, 1..100_000_000),
    ) {
        // serde_json reads longer numbers only to their last digit but one
        let [mean, std, factor, offset, low, width] =
            [mean, std, factor, offset, low, width].map(|value| f64::from(value) / 1024.0);
        let raw: Vec<_> = x.iter().map(|&value| vec![value]).collect();
        let high = low + width;
        let single = |op: &str, unit: &str| conditioned(&raw, &format!("[{{{op}}}]"), "a", unit);
        let expected = |formula: &dyn Fn(f64) -> f64| x.iter().map(|&x| formula(x) as f32).collect::<Vec<_>>();
        prop_assert_eq!(
            single(&format!(r#""op": "standardise", "from": ["a"], "mean": [{mean}], "std": [{std}]"#), "1"),
            expected(&|x| (x - mean) / std)
        );
        prop_assert_eq!(
            single(&format!(r#""op": "scale", "from": ["a"], "factor": {factor}, "offset": {offset}"#), "g"),
            expected(&|x| x * factor + offset)
        );
        prop_assert_eq!(
            single(&format!(r#""op": "clip", "from": ["a"], "low": {low}, "high": {high}"#), "g"),
            expected(&|x| if x < low { low } else if x > high { high } else { x })
        );
    }

    /// A magnitude is the length, whichever way the axes point.
    #[test]
    fn a_turn_leaves_the_magnitude_alone(x in prop::array::uniform3(-20.0..20f64), angle in 0.0..6.3f64) {
        let (sin, cos) = angle.sin_cos();
        let turned = vec![-x[2], cos * x[0] - sin * x[1], sin * x[0] + cos * x[1]];
        let ops = r#"[{"op": "magnitude", "from": ["a", "b", "c"], "to": "m"}]"#;
        let found = conditioned(&[x.to_vec(), turned], ops, "m", "g");
        prop_assert!((found[0] - found[1]).abs() <= 1e-5 * (1.0 + found[0]), "{:?}", found);
        // independently: the C library's hypot, twice
        prop_assert!((f64::from(found[0]) - x[0].hypot(x[1]).hypot(x[2])).abs() < 1e-5);
    }

    /// All differences together lead back to the values.
    #[test]
    fn differences_add_up(x in prop::collection::vec(-1000..1000i32, 1..60)) {
        let raw: Vec<_> = x.iter().map(|&value| vec![f64::from(value)]).collect();
        let mut sum = x[0] as f32;
        for (difference, &value) in conditioned(&raw, r#"[{"op": "difference", "from": ["a"]}]"#, "a", "g").iter().zip(&x) {
            sum += difference;
            prop_assert_eq!(sum, value as f32);
        }
    }

    /// There and back is where it was.
    #[test]
    fn conversions_can_be_undone(x in -1e3..1e3f64, unit in prop::sample::select(vec!["m/s2", "mg", "g"])) {
        let there = format!(r#"{{"op": "convert", "from": ["a"], "unit": "{unit}"}}"#);
        let ops = format!(r#"[{there}, {{"op": "convert", "from": ["a"], "unit": "g"}}]"#);
        let found = f64::from(conditioned(&[vec![x]], &ops, "a", "g")[0]);
        prop_assert!((found - x).abs() <= 1e-6 * (1.0 + x.abs()), "{} is not {}", found, x);
    }
}
