"""Splits windows into training and test, by subject unless asked otherwise: no person is on both sides."""

from collections.abc import Collection

import numpy as np

SUBJECT_WISE = "subject-wise"
RANDOM_WINDOWS = "random-windows"
RULES = (SUBJECT_WISE, RANDOM_WINDOWS)

TRAIN_SHARE = 0.7
SEED = 0


def every_third(subjects: Collection[int]) -> set[int]:
    """The test subjects where the publisher names none: in ascending order those at 2, 5, 8, ... (from 0).

    Of two subjects the second is taken, of one none.
    """
    ordered = sorted({int(subject) for subject in subjects})
    return set(ordered[2::3] if len(ordered) > 2 else ordered[1:])


def subject_wise(subject: np.ndarray, test_subjects: set[int]) -> np.ndarray:
    """Which windows are for the test, `[n]` bool: those of `test_subjects`."""
    return np.isin(subject, sorted(test_subjects))


def random_windows(count: int) -> np.ndarray:
    """Which windows are for the test, `[count]` bool: 30 % at random, the same at every call.

    Windows of one person, and overlapping ones, then lie on both sides: fit only to compare with publications
    that split so.
    """
    test = np.ones(count, bool)
    test[np.random.default_rng(SEED).permutation(count)[: round(TRAIN_SHARE * count)]] = False
    return test
