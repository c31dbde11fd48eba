//! The same answers as on the host.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::super::lab::Lab;
use crate::decision::Decision;

pub(super) const SAME: &str = "pinned with `gaitd ctl`, it decides on each window of a recording as gaitd on this host \
    does: same windows, same activities, probabilities within 1e-4; none is dropped";

pub(super) fn same_decisions(lab: &mut Lab, number: usize) -> Result<String> {
    let expected = lab.parity.decisions.get(number).context("there are no such decisions")?;
    let configuration = expected.first().context("this host decided nothing")?.configuration.clone();
    lab.agent.sh(&format!("gaitd ctl pin {configuration}"))?;
    // what is still on its way comes before the recording
    let recording = lab.sensor.play()?;
    let (mut found, mut sent) = (Vec::new(), 0);
    for (window, decision) in expected.iter().enumerate() {
        // up to where the window after this one would be complete: no slow guest drops any, and none must be awaited
        let next = expected.get(window + 1).map(|next| next.samples[1]);
        let end = next.and_then(|end| usize::try_from(end).ok()).unwrap_or(lab.parity.samples.len());
        recording.send(lab.parity.samples.get(sent..end).context("the recording is shorter than its decisions")?)?;
        sent = end;
        let decided = lab.events.next(recording.start);
        found.push(decided.with_context(|| format!("window {window}, {:?}", decision.samples))?);
    }
    drop(recording);
    let largest = compare(expected, &found)?;
    let (windows, activities) = (found.len(), activities(&found));
    lab.agent.sh("gaitd ctl unpin")?;
    Ok(format!(
        "{configuration}: {windows} of {windows} windows agree on {}, probabilities to {largest:.1e}: {activities}",
        lab.parity.about
    ))
}

/// How many windows each activity got.
fn activities(decisions: &[Decision]) -> String {
    let mut counts = BTreeMap::<&str, u32>::new();
    for decision in decisions {
        *counts.entry(&decision.activity).or_default() += 1;
    }
    counts.iter().map(|(activity, count)| format!("{activity} {count}")).collect::<Vec<_>>().join(", ")
}

/// Holds each decision of the guest against its counterpart here: the same window, configuration and activity, and the
/// same probabilities. Gives the largest difference of these. Samples are counted from the first of each stream.
fn compare(here: &[Decision], there: &[Decision]) -> Result<f64> {
    ensure!(here.len() == there.len(), "{} windows here, {} there", here.len(), there.len());
    let start = |all: &[Decision]| all.first().map_or(0, |decision| decision.samples[0]);
    let (here_first, there_first) = (start(here), start(there));
    let mut worst = 0f64;
    for (number, (here, there)) in here.iter().zip(there).enumerate() {
        let place = |decision: &Decision, first: u64| decision.samples.map(|sample| sample.wrapping_sub(first));
        let same = place(here, here_first) == place(there, there_first);
        ensure!(same, "window {number}: samples {:?} here, {:?} there", here.samples, there.samples);
        worst = worst.max(here.difference(there).with_context(|| format!("window {number}"))?);
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(first: u64, lying: f64) -> Decision {
        Decision {
            window: first / 64,
            samples: [first, first + 127],
            time_s: None,
            configuration: "0.10x-96".into(),
            activity: "lying".into(),
            miss: false,
            probabilities: BTreeMap::from([("lying".to_owned(), lying)]),
        }
    }

    #[test]
    fn decisions_of_the_same_windows_agree_wherever_their_stream_began() {
        let here = [decision(0, 0.9), decision(64, 0.8)];
        let difference = compare(&here, &[decision(1000, 0.9), decision(1064, 0.800_05)]).unwrap();
        assert!((difference - 5e-5).abs() < 1e-9, "{difference}");
    }

    #[test]
    fn a_window_that_is_missing_or_another_is_named() {
        let here = [decision(0, 0.9), decision(64, 0.8)];
        for (there, named) in [
            (vec![decision(0, 0.9)], "1 there"),
            (vec![decision(0, 0.9), decision(128, 0.8)], "window 1: samples [64, 191] here, [128, 255] there"),
            (vec![decision(0, 0.9), decision(64, 0.8002)], "window 1: the probabilities differ"),
        ] {
            let error = format!("{:#}", compare(&here, &there).unwrap_err());
            assert!(error.contains(named), "{named} should be in: {error}");
        }
    }
}
