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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ladder::ModelFiles;
    use crate::testing::FakeModel;

    /// Three configurations, of which the first is the costliest.
    fn accuracies() -> Accuracies {
        let file = FakeModel::new(3).read("manifest.json").unwrap();
        let mut manifest = Manifest::parse(&file, Path::new("fake")).unwrap();
        let figures =
            [(3000, 0.875, [1.0, 0.75, 0.25]), (1000, 0.75, [0.5, 0.5, 0.75]), (2000, 0.5, [0.25, 0.625, 0.5])];
        for (configuration, (macs, validation, recall)) in manifest.configurations.iter_mut().zip(figures) {
            configuration.macs = macs;
            configuration.accuracy.validation = validation;
            configuration.recall = recall.to_vec();
        }
        Accuracies::new(&manifest)
    }

    #[test]
    fn no_costlier_configuration_is_expected_to_be_worse() {
        let accuracies = accuracies();
        // by cost 0.75, 0.5, 0.875: the first two are taken for equal
        assert_eq!(accuracies.overall(), [0.875, 0.625, 0.625]);
        for rung in 0..3 {
            assert_eq!(accuracies.expected(rung, None), accuracies.overall()[rung]);
        }
    }

    #[test]
    fn what_the_wearer_probably_does_weighs_the_recalls() {
        let accuracies = accuracies();
        // by activity: 0.5, 0.25, 1 by cost; 0.5, 0.625, 0.75; 0.75, 0.5, 0.25
        let pooled = [[1.0, 0.75, 0.5], [0.375, 0.5, 0.5], [0.375, 0.625, 0.5]];
        let mut belief = ActivityBelief::new(3);
        for answer in [[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]] {
            for (rung, recalls) in pooled.iter().enumerate() {
                let expected: f64 = recalls.iter().zip(belief.shares()).map(|(recall, share)| recall * share).sum();
                assert!((accuracies.expected(rung, Some(&belief)) - expected).abs() < 1e-12, "rung {rung}");
            }
            belief.learn(&answer);
        }
    }
}
