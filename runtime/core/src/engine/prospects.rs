//! What each configuration is expected to give and to cost for the next window.

use std::time::Duration;

use crate::control::{ActivityBelief, Outlook, isotonic};
use crate::ladder::Manifest;

/// Inferences after which a configuration's measured CPU time has faded to a third.
const COST_MEMORY: f64 = 32.0;

/// Accuracy and cost of each configuration, for what the wearer is probably doing.
pub(super) struct Prospects {
    belief: ActivityBelief,
    /// Recall of each activity, per configuration; on held-out training subjects, pooled over neighbours.
    recall: Vec<Vec<f64>>,
    /// Accuracy over all activities, per configuration; likewise.
    usual: Vec<f64>,
    /// CPU time of an inference, seconds, per configuration.
    costs: Vec<f64>,
    outlook: Vec<Outlook>,
}

impl Prospects {
    /// For the configurations of `manifest`, whose CPU times are first taken for their `latencies`.
    pub(super) fn new(manifest: &Manifest, latencies: impl Iterator<Item = Duration>) -> Self {
        let configurations = &manifest.configurations;
        let mut order: Vec<usize> = (0..configurations.len()).collect();
        order.sort_by_key(|rung| configurations[*rung].macs);
        let pooled = |of: &dyn Fn(usize) -> f64| {
            let mut values: Vec<f64> = order.iter().map(|rung| of(*rung)).collect();
            isotonic(&mut values);
            let mut by_rung = vec![0.0; values.len()];
            order.iter().zip(values).for_each(|(rung, value)| by_rung[*rung] = value);
            by_rung
        };
        let labels = manifest.task.labels.len();
        let by_label: Vec<Vec<f64>> =
            (0..labels).map(|label| pooled(&|rung| configurations[rung].recall[label])).collect();
        let costs: Vec<f64> = latencies.map(|latency| latency.as_secs_f64()).collect();
        Self {
            belief: ActivityBelief::new(labels),
            recall: (0..configurations.len())
                .map(|rung| by_label.iter().map(|recalls| recalls[rung]).collect())
                .collect(),
            usual: pooled(&|rung| configurations[rung].accuracy.validation),
            outlook: vec![Outlook { accuracy: 0.0, cost: Duration::ZERO }; costs.len()],
            costs,
        }
    }

    /// Accuracy over all activities, per configuration.
    pub(super) fn usual(&self) -> &[f64] {
        &self.usual
    }

    /// The outlook for the next window: for the wearer's present activity, or else for all activities.
    pub(super) fn outlook(&mut self, activity_aware: bool) -> &[Outlook] {
        for (rung, outlook) in self.outlook.iter_mut().enumerate() {
            outlook.accuracy = if activity_aware { self.belief.expect(&self.recall[rung]) } else { self.usual[rung] };
            outlook.cost = Duration::from_secs_f64(self.costs[rung]);
        }
        &self.outlook
    }

    /// Learns from an inference of `rung` that took `cost` of CPU time and answered `probabilities`.
    pub(super) fn learn(&mut self, rung: usize, cost: Duration, probabilities: &[f32]) {
        self.costs[rung] += (cost.as_secs_f64() - self.costs[rung]) / COST_MEMORY;
        self.belief.learn(probabilities);
    }

    /// The stream had a gap in which the wearer may have done anything.
    pub(super) fn forget(&mut self) {
        self.belief.forget();
    }
}
