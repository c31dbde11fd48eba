//! The same answers as on the host.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::super::decision::{Decision, compare};
use super::super::lab::Lab;

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
