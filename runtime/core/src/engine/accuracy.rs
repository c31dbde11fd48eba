//! How accurate each configuration of a ladder is, over all activities and for what the wearer is probably doing.

use crate::control::{ActivityBelief, isotonic};
use crate::ladder::Manifest;

/// Accuracies on held-out training subjects, pooled over neighbours so that a costlier configuration is never worse.
pub(super) struct Accuracies {
    /// Recall of each activity, per configuration.
    recall: Vec<Vec<f64>>,
    /// Accuracy over all activities, per configuration.
    overall: Vec<f64>,
}

impl Accuracies {
    /// Those of the configurations of `manifest`.
    pub(super) fn new(manifest: &Manifest) -> Self {
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
        let by_label: Vec<Vec<f64>> =
            (0..manifest.task.labels.len()).map(|label| pooled(&|rung| configurations[rung].recall[label])).collect();
        Self {
            recall: (0..configurations.len())
                .map(|rung| by_label.iter().map(|recalls| recalls[rung]).collect())
                .collect(),
            overall: pooled(&|rung| configurations[rung].accuracy.validation),
        }
    }

    /// Accuracy over all activities, per configuration.
    pub(super) fn overall(&self) -> &[f64] {
        &self.overall
    }

    /// Accuracy of the configuration `rung` for a wearer who does what `belief` says, or over all activities.
    pub(super) fn expected(&self, rung: usize, belief: Option<&ActivityBelief>) -> f64 {
        belief.map_or(self.overall[rung], |belief| belief.expect(&self.recall[rung]))
    }
}
