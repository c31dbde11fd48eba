"""Means, paired tests and speedups, against SciPy called by hand and numbers worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from gaitd_train.answers import Answers
from gaitd_train.evidence import compare, measured, speedup
from gaitd_train.results import Run


def run(seed: int, right: np.ndarray, subject: np.ndarray, configuration: str = "c") -> Run:
    """A run of two classes whose windows, all of class 0, are answered as `right` says."""
    logits = np.stack([right, 1 - right], axis=1).astype(float)
    figures = {"seed": seed, "configurations": {configuration: {"accuracy": right.mean()}}}
    return Run(figures, Answers({configuration: logits}, np.zeros(len(right), dtype=int), subject))


def test_mean_and_spread_over_seeds():
    subject = np.zeros(4)
    runs = [run(seed, np.array(right), subject) for seed, right in enumerate(([1, 1, 1, 0], [1, 1, 0, 0]))]
    found = measured(runs, "c")
    assert (found.mean, found.seeds) == (0.625, 2)
    assert found.spread == pytest.approx(0.125 * 2**0.5)
    assert measured(runs[:1], "c").spread is None
    assert measured(runs, "other") is None


def test_comparisons_are_paired_by_seed_and_by_subject():
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(12), 40)
    first, second = [], []
    for seed in range(4):
        first.append(run(seed, (rng.random(480) < 0.9).astype(int), subject))
        second.append(run(seed, (rng.random(480) < 0.8).astype(int), subject))
    a = np.array([r.answers.right("c") for r in first], dtype=float)
    b = np.array([r.answers.right("c") for r in second], dtype=float)
    found = compare(first, "c", second[::-1], "c")
    assert found.gain == pytest.approx((a - b).mean())
    assert found.p_seeds == pytest.approx(stats.ttest_rel(a.mean(1), b.mean(1)).pvalue)
    people = [(a - b)[:, subject == s].mean() for s in range(12)]
    assert found.p_subjects == pytest.approx(stats.wilcoxon(people).pvalue)
    assert found.p_subjects < 0.01


def test_too_few_pairs_give_no_p_value():
    subject = np.arange(4)
    one = [run(0, np.array([1, 1, 1, 0]), subject)]
    other = [run(0, np.array([1, 0, 0, 0]), subject)]
    found = compare(one, "c", other, "c")
    assert (found.gain, found.p_seeds, found.p_subjects) == (0.5, None, None)
    assert compare(one, "c", [run(7, np.array([1, 0, 0, 0]), subject)], "c") is None


def test_speedup_takes_the_cheapest_configuration_as_accurate():
    macs = {"a": 100, "b": 1000, "c": 4000}
    accuracy = {"a": 0.90, "b": 0.95, "c": 0.97}
    assert speedup(macs, accuracy, 8000, 0.95) == ("b", 8.0)
    assert speedup(macs, accuracy, 8000, 0.951) == ("c", 2.0)
    assert speedup(macs, accuracy, 8000, 0.98) is None
