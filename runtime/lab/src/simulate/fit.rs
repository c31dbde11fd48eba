//! ALERT's constants, fitted to a scenario: those of a small grid that reach the highest effective accuracy on other seeds
//! than the scenario's own.

use super::contender::Contender;
use super::ladder::SimulatedLadder;
use super::run::simulate;
use super::scenario::Scenario;
use gaitd_core::control::{AlertConstants, PolicyError, PolicySpec};

/// The grid, which ALERT's own constants are added to. At its ends are a process noise that follows the surprises at once, and
/// one that stays as it is, which makes ALERT's filter the plain one of Kalman.
const NOISE_MEMORIES: [f64; 3] = [0.0, 0.95, 1.0];
const PROCESS_NOISES: [f64; 6] = [0.3, 0.1, 0.03, 0.01, 0.001, 0.0001];
const MEASUREMENT_NOISES: [f64; 3] = [0.001, 0.03, 0.3];

/// Other seeds that they are fitted on.
const SEEDS: usize = 4;

/// Inferences per seed that they are fitted on, at most.
pub(crate) const INFERENCES: usize = 10_000;

/// The constants with which ALERT, where a decision may be late with the probability `miss_target` (the scenario's if none),
/// reaches the highest effective accuracy in `scenario`, on seeds that are not among its own. Of equals those that stand first in
/// the grid, where those that ALERT publishes are the very first.
///
/// # Errors
/// When ALERT cannot be made for this ladder.
pub(crate) fn fit(
    scenario: &Scenario,
    ladder: &SimulatedLadder,
    miss_target: Option<f64>,
) -> Result<AlertConstants, PolicyError> {
    let inferences = scenario.inferences.min(INFERENCES);
    let others = Scenario { seeds: other_seeds(&scenario.seeds), inferences, ..scenario.clone() };
    let grid: Vec<AlertConstants> = grid().collect();
    let contender = |constants: &AlertConstants| Contender {
        name: Contender::ALERT_FITTED.to_owned(),
        spec: PolicySpec::Alert { constants: *constants },
        sees_load: false,
        miss_target,
        fitted: false,
    };
    let report = simulate(&others, ladder, &grid.iter().map(contender).collect::<Vec<_>>(), || ())?;
    // the contenders come before the references
    let reached = grid.iter().zip(&report.policies).rev();
    let best = reached.max_by(|a, b| a.1.effective_accuracy.total_cmp(&b.1.effective_accuracy));
    Ok(best.map_or(AlertConstants::PUBLISHED, |(constants, _)| *constants))
}

/// The first seeds that are not among `seeds`.
fn other_seeds(seeds: &[u64]) -> Vec<u64> {
    (0..).filter(|seed| !seeds.contains(seed)).take(SEEDS).collect()
}

fn grid() -> impl Iterator<Item = AlertConstants> {
    let constants = |noise_memory, process_noise| {
        MEASUREMENT_NOISES.map(|measurement_noise| AlertConstants { noise_memory, process_noise, measurement_noise })
    };
    let all = NOISE_MEMORIES.into_iter().flat_map(move |memory| PROCESS_NOISES.map(|noise| constants(memory, noise)));
    std::iter::once(AlertConstants::PUBLISHED).chain(all.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_that_is_reported_is_fitted_on() {
        assert_eq!(other_seeds(&[0, 1, 2, 3, 4]), [5, 6, 7, 8]);
        assert_eq!(other_seeds(&[6, 1, 3, u64::MAX, 3]), [0, 2, 4, 5]);
        assert_eq!(other_seeds(&[]), [0, 1, 2, 3]);
    }

    #[test]
    fn the_grid_begins_with_what_alert_publishes_and_holds_what_a_configuration_may_say() {
        let grid: Vec<AlertConstants> = grid().collect();
        assert_eq!(grid[0], AlertConstants::PUBLISHED);
        for constants in grid {
            PolicySpec::Alert { constants }.check(&[], std::time::Duration::MAX).unwrap();
        }
    }
}
