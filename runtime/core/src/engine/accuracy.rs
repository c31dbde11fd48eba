//! How accurate each configuration of a ladder is, over all activities and for what the wearer is probably doing.

use crate::control::isotonic;
use crate::decode::Decoder;
use crate::ladder::Manifest;

/// Accuracies on held-out training subjects, pooled over neighbours so that a costlier configuration is never worse.
pub(super) struct Accuracies {
    /// Recall of each activity, per configuration; none where the ladder does not know it.
    recall: Vec<Vec<f64>>,
    /// Accuracy over all activities, per configuration. Where the ladder does not know it, these are ranks: the later in
    /// the manifest, the better, in even steps from a guess to 1.
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
        let recall = |rung: usize, label: usize| configurations[rung].recall.as_ref().map_or(0.0, |it| it[label]);
        let by_label: Vec<Vec<f64>> =
            (0..manifest.task.labels.len()).map(|label| pooled(&|rung| recall(rung, label))).collect();
        let by_rung = |rung| by_label.iter().map(|recalls| recalls[rung]).collect();
        let knows_recall = manifest.knows_recall();
        let overall = if manifest.knows_accuracy() {
            pooled(&|rung| configurations[rung].accuracy.validation.unwrap_or_default())
        } else {
            let (guess, rungs) = (manifest.guess_accuracy(), configurations.len() as f64);
            (1..=configurations.len()).map(|place| guess + (1.0 - guess) * place as f64 / rungs).collect()
        };
        Self { recall: (0..configurations.len()).filter(|_| knows_recall).map(by_rung).collect(), overall }
    }

    /// Accuracy over all activities, per configuration.
    pub(super) fn overall(&self) -> &[f64] {
        &self.overall
    }

    /// Accuracy of the configuration `rung` for a wearer who does what `belief` says, or over all activities where that or
    /// the recall of each is not known.
    pub(super) fn expected(&self, rung: usize, belief: Option<&Decoder>) -> f64 {
        belief.zip(self.recall.get(rung)).map_or(self.overall[rung], |(belief, recall)| belief.expect(recall))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::decode::{Context, Trust};
    use crate::ladder::ModelFiles;
    use crate::testing::FakeModel;

    /// Three configurations, of which the first is the costliest.
    fn manifest() -> Manifest {
        let file = FakeModel::new(3).read("manifest.json").unwrap();
        let mut manifest = Manifest::parse(&file, Path::new("fake")).unwrap();
        let figures =
            [(3000, 0.875, [1.0, 0.75, 0.25]), (1000, 0.75, [0.5, 0.5, 0.75]), (2000, 0.5, [0.25, 0.625, 0.5])];
        for (configuration, (macs, validation, recall)) in manifest.configurations.iter_mut().zip(figures) {
            configuration.macs = macs;
            configuration.accuracy.validation = Some(validation);
            configuration.recall = Some(recall.to_vec());
        }
        manifest
    }

    fn decoder() -> Decoder {
        Decoder::new(3, Context { bout_s: 20.0, evidence: 1.0, hop_s: 1.0, doubt: 0.1, change: None })
    }

    fn accuracies() -> Accuracies {
        Accuracies::new(&manifest())
    }

    #[test]
    fn a_ladder_that_knows_no_accuracy_ranks_by_its_order() {
        let mut manifest = manifest();
        manifest.configurations.iter_mut().for_each(|it| it.recall = None);
        let accuracies = Accuracies::new(&manifest);
        assert_eq!(accuracies.expected(0, Some(&decoder())), 0.875);
        manifest.configurations.iter_mut().for_each(|it| it.accuracy.validation = None);
        let accuracies = Accuracies::new(&manifest);
        let ranks = accuracies.overall();
        assert!(1.0 / 3.0 < ranks[0] && ranks[0] < ranks[1] && ranks[1] < ranks[2] && ranks[2] <= 1.0, "{ranks:?}");
        assert_eq!(accuracies.expected(1, Some(&decoder())), ranks[1]);
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
        let mut belief = decoder();
        for answer in [[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]] {
            for (rung, recalls) in pooled.iter().enumerate() {
                let expected: f64 = recalls.iter().zip(belief.shares()).map(|(recall, share)| recall * share).sum();
                assert!((accuracies.expected(rung, Some(&belief)) - expected).abs() < 1e-12, "rung {rung}");
            }
            belief.learn(&answer, Trust { doubt: 0.1, evidence: 1.0 });
        }
    }
}
