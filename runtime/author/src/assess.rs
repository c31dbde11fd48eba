//! What held-out windows say of a ladder's configurations.

use std::time::Duration;

use gaitd_core::engine::{largest, softmax};
use gaitd_core::ladder::{InferenceError, Ladder};

/// The temperatures among which the best is sought; those that a manifest may hold.
const TEMPERATURES: (f64, f64) = (0.05, 20.0);

/// Temperatures tried, evenly on a logarithmic scale, before the best one's neighbourhood is searched.
const TRIED: usize = 61;

/// Halvings, by the golden section, of that neighbourhood: to a millionth of it.
const SECTIONS: usize = 30;

/// What held-out windows say of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Windows compared.
    pub windows: usize,
    /// The share of them that was recognised.
    pub accuracy: f64,
    /// Recall of each label; `None` where a label has no window.
    pub recall: Option<Vec<f64>>,
    /// What the logits are to be divided by, so that probabilities are right.
    pub temperature: f64,
}

/// Runs `windows`, each with the index of its label, through each configuration of `ladder`; calls `progress` after each.
///
/// # Errors
/// When an inference fails.
pub fn assess(
    ladder: &Ladder,
    windows: &[(&[f32], usize)],
    mut progress: impl FnMut(),
) -> Result<Vec<Figures>, InferenceError> {
    let labels = ladder.manifest().task.labels.len();
    let mut runner = ladder.runner()?;
    let mut one = |rung: usize| {
        let answer = |(window, truth): &(&[f32], usize)| {
            let mut logits = vec![0.0; labels];
            runner.infer(rung, window, &mut logits)?;
            progress();
            Ok((logits, *truth))
        };
        let answers = windows.iter().map(answer).collect::<Result<Vec<_>, InferenceError>>()?;
        Ok(figures(&answers, labels))
    };
    (0..ladder.configurations().len()).map(&mut one).collect()
}

fn figures(answers: &[(Vec<f32>, usize)], labels: usize) -> Figures {
    let (mut of_label, mut right) = (vec![0_u64; labels], vec![0_u64; labels]);
    for (logits, truth) in answers {
        of_label[*truth] += 1;
        right[*truth] += u64::from(largest(logits) == *truth);
    }
    let recall = of_label.iter().zip(&right).map(|(all, right)| (*all > 0).then(|| *right as f64 / *all as f64));
    Figures {
        windows: answers.len(),
        accuracy: right.iter().sum::<u64>() as f64 / answers.len() as f64,
        recall: recall.collect(),
        temperature: temperature(answers),
    }
}

/// The temperature with the least Brier score. Guo et al. ("On Calibration of Modern Neural Networks", ICML 2017) minimise
/// the negative log-likelihood, which depends on the few people whom a network gets wrong with high confidence; the Brier
/// score is bounded.
fn temperature(answers: &[(Vec<f32>, usize)]) -> f64 {
    let score = |logarithm: f64| brier(answers, logarithm.exp());
    let (lowest, highest) = (TEMPERATURES.0.ln(), TEMPERATURES.1.ln());
    let tried = |step: usize| lowest + (highest - lowest) * step as f64 / (TRIED - 1) as f64;
    // it may have several minima: the best of a grid, then the least between its neighbours
    let scores: Vec<f64> = (0..TRIED).map(|step| score(tried(step))).collect();
    let best = (1..TRIED).fold(0, |best, step| if scores[step] < scores[best] { step } else { best });
    let (mut low, mut high) = (tried(best.saturating_sub(1)), tried((best + 1).min(TRIED - 1)));
    let share = 0.5 * (5.0_f64.sqrt() - 1.0);
    for _ in 0..SECTIONS {
        let (left, right) = (high - share * (high - low), low + share * (high - low));
        if score(left) <= score(right) { high = right } else { low = left }
    }
    // the grid's own best where the neighbourhood has nothing better, as at either end
    let found = 0.5 * (low + high);
    if score(found) <= scores[best] { found.exp() } else { tried(best).exp() }
}

/// Mean squared distance of the probabilities from the truth, 0 to 2 (Brier, "Verification of Forecasts Expressed in Terms
/// of Probability", Monthly Weather Review 78, 1950). Of `n` windows the truth is taken to be only 1 - 1 / (n + 2) certain
/// (Platt, "Probabilistic Outputs for Support Vector Machines", 1999): a few windows that are all right are no reason to be
/// certain of the next one.
fn brier(answers: &[(Vec<f32>, usize)], temperature: f64) -> f64 {
    let labels = answers.first().map_or(0, |(logits, _)| logits.len());
    let doubt = 1.0 / (answers.len() + 2) as f64;
    let others = doubt / (labels - 1) as f64;
    let mut probabilities = vec![0.0; labels];
    let mut distance = |(logits, truth): &(Vec<f32>, usize)| -> f64 {
        softmax(logits, temperature, &mut probabilities);
        let of = |label: usize| if label == *truth { 1.0 - doubt } else { others };
        probabilities.iter().enumerate().map(|(label, p)| (f64::from(*p) - of(label)).powi(2)).sum()
    };
    answers.iter().map(&mut distance).sum::<f64>() / answers.len() as f64
}

/// The places of those that no other is as accurate and as fast as, from the fastest to the slowest; each has an accuracy
/// and a time.
#[must_use]
pub fn front(configurations: &[(f64, Duration)]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..configurations.len()).collect();
    places.sort_by(|&a, &b| {
        let ((accurate, time), (other, other_time)) = (configurations[a], configurations[b]);
        time.cmp(&other_time).then(other.total_cmp(&accurate))
    });
    let mut best = f64::NEG_INFINITY;
    places.retain(|&place| {
        let better = configurations[place].0 > best;
        best = best.max(configurations[place].0);
        better
    });
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_is_of_each_label_and_unknown_where_one_has_no_window() {
        let answers = vec![(vec![1.0, 0.0], 0), (vec![0.0, 1.0], 0), (vec![0.0, 3.0], 1)];
        let found = figures(&answers, 2);
        assert_eq!((found.windows, found.accuracy, found.recall), (3, 2.0 / 3.0, Some(vec![0.5, 1.0])));
        assert_eq!(figures(&answers[..2], 2).recall, None);
    }

    /// Logits that are `factor` times the logarithms of how often they are right; the best temperature is `factor`.
    #[test]
    fn the_temperature_undoes_what_logits_were_multiplied_by() {
        for factor in [0.25_f32, 1.0, 6.0] {
            let logit = factor * (0.8_f32 / 0.2).ln();
            // of five answers with 80 % four are right
            let answers: Vec<_> = (0..500).map(|n| (vec![logit, 0.0], usize::from(n % 5 == 0))).collect();
            let found = temperature(&answers);
            assert!((found / f64::from(factor) - 1.0).abs() < 2e-2, "{factor}: {found}");
        }
    }

    #[test]
    fn what_is_always_right_is_as_sure_as_the_number_of_windows_allows() {
        for windows in [10, 1000] {
            let answers = vec![(vec![1.0, 0.0], 0); windows];
            let found = temperature(&answers);
            let sure = 1.0 / (1.0 + (-1.0 / found).exp());
            let expected = 1.0 - 1.0 / (windows + 2) as f64;
            assert!((sure - expected).abs() < 1e-3, "{windows}: {sure}");
        }
    }

    #[test]
    fn the_front_leaves_out_what_another_is_as_good_and_as_fast_as() {
        let ms = Duration::from_millis;
        let all = [(0.9, ms(5)), (0.8, ms(1)), (0.85, ms(6)), (0.8, ms(2)), (0.95, ms(5)), (0.99, ms(9))];
        assert_eq!(front(&all), [1, 4, 5]);
        assert_eq!(front(&[]), [] as [usize; 0]);
    }
}
