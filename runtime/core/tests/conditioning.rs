//! Conditioning against SciPy, on made-up signals and on real recordings, and what is refused.

use gaitd_core::condition::{ConditionError, Conditioner, Fault, OpSpec};
use gaitd_core::stream::Channel;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    input: Vec<String>,
    ops: Vec<OpSpec>,
    output: Vec<String>,
    raw: Vec<Vec<f64>>,
    expected: Vec<Vec<f64>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("fixtures/conditioning.json")).unwrap()
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
        Conditioner::new(&channels(&self.input), &self.ops, &channels(&self.output)).unwrap()
    }
}

#[test]
fn equals_scipy() {
    for case in cases() {
        let mut conditioner = case.conditioner();
        // the second time over, after a reset, nothing of the first may be left
        for _ in 0..2 {
            let conditioned = run(&mut conditioner, &case.raw, case.output.len());
            assert_eq!(conditioned.len(), case.raw.len() - conditioner.delay(), "{}", case.name);
            for (time, (found, expected)) in conditioned.iter().zip(&case.expected).enumerate() {
                for ((found, expected), channel) in found.iter().zip(expected).zip(&case.output) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error < 1e-6, "{}: {channel} at {time} is {found}, not {expected}", case.name);
                }
            }
            conditioner.reset();
        }
    }
}

#[test]
fn delays() {
    let delays: Vec<_> = cases().iter().map(|case| case.conditioner().delay()).collect();
    assert_eq!(delays, [1, 0, 3]);
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
    let says = "conditioning[3] (sos): channel `a` could reach 2e102, which cannot be computed with; its filters \
                amplify too much";
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
    ] {
        let error = serde_json::from_str::<OpSpec>(ops).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

proptest! {
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
}
