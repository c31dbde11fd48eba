"""Means over seeds, and whether one method is better than another beyond chance.

Two paired tests with different weaknesses: over seeds, which are few and share their people, and over people,
who are few but the only evidence for a new wearer.
"""

import statistics as standard
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gaitd_train.results import Run


@dataclass(frozen=True)
class Measured:
    """Accuracy of one configuration over seeds, as fractions; `spread` is a standard deviation."""

    mean: float
    spread: float | None
    seeds: int


def measured(runs: list[Run], configuration: str) -> Measured | None:
    """Mean and spread over runs, or None where none of them measured the configuration."""
    values = [
        run.figures["configurations"][configuration]["accuracy"]
        for run in runs
        if configuration in run.figures["configurations"]
    ]
    if not values:
        return None
    return Measured(standard.fmean(values), standard.stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True)
class Comparison:
    """By how much the first of two is better (fraction), with two-sided p-values.

    A p-value is None where there is too little to test.
    """

    gain: float
    p_seeds: float | None
    p_subjects: float | None


def compare(first: list[Run], one: str, second: list[Run], other: str) -> Comparison | None:
    """Configuration `one` of the runs `first` against `other` of `second`, on the seeds that both have.

    Over seeds: Student's paired t-test. Over subjects, whose accuracies are averaged over seeds: Wilcoxon's
    signed-rank test.
    """
    by_seed = {run.figures["seed"]: run for run in second if other in run.answers.logits}
    pairs = [
        (run.answers, by_seed[run.figures["seed"]].answers)
        for run in first
        if one in run.answers.logits and run.figures["seed"] in by_seed
    ]
    if not pairs:
        return None
    # [seeds, windows]: 1 where only the first is right, -1 where only the second is
    differences = np.array([a.right(one).astype(int) - b.right(other).astype(int) for a, b in pairs])
    seeds = differences.mean(axis=1)
    subject = pairs[0][0].subject
    people = np.array([differences[:, subject == s].mean() for s in np.unique(subject)])
    return Comparison(float(seeds.mean()), _t_test(seeds), _signed_rank(people))


def _t_test(differences: np.ndarray) -> float | None:
    if len(differences) < 2 or np.ptp(differences) == 0:
        return None
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def _signed_rank(differences: np.ndarray) -> float | None:
    if np.count_nonzero(differences) < 5:  # below that, no outcome reaches 5 %
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ties turn the exact distribution into an approximation
        return float(stats.wilcoxon(differences).pvalue)


def speedup(
    costs: dict[str, int], accuracy: dict[str, float], reference_macs: float, reference: float
) -> tuple[str, float] | None:
    """The cheapest configuration at least as accurate as a reference, and how many times less it costs.

    As the paper reckons its speedups: the reference is the full configuration trained alone. None where no
    configuration is as accurate.
    """
    good = [name for name in accuracy if accuracy[name] >= reference]
    if not good:
        return None
    best = min(good, key=costs.__getitem__)
    return best, reference_macs / costs[best]
