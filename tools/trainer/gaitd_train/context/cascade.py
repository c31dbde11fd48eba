"""Cascades: a small network for every window, and a large one where the belief with it is unsure.

Where the largest probability of the belief stays below a threshold, the window's evidence is taken from the
large network instead, not from both: they read the same window and err together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaitd_train.context.decoder import Context, doubts, evidences, expect, learn, stays
from gaitd_train.context.fit import Fitted, Objective, objective_of
from gaitd_train.context.recordings import UNSTEADY
from gaitd_train.context.streams import Folds

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
# What a dearer cascade must gain to be kept: less is noise.
GAIN = 0.003
# A cascade is never expected to be as accurate as its large configuration: what it was measured to be more is
# noise.
MOST_GAIN = 0.99


@dataclass(frozen=True)
class Cascade:
    """A pair, its accuracy on windows inside one activity, what of the way from the accuracy of the small one
    to that of the large one it gains (`gain`, 0 to `MOST_GAIN`), the share of all windows for which the large
    one runs, and the mean multiply-accumulates per window."""

    small: str
    large: str
    threshold: float
    accuracy: float
    gain: float
    escalates: float
    macs: float

    def to_dict(self) -> dict:
        """The entry of a manifest."""
        return {
            "small": self.small,
            "large": self.large,
            "threshold": self.threshold,
            "gain": round(self.gain, 4),
            "escalates": round(self.escalates, 4),
        }


def escalate(
    objective: Objective, context: Context, small: int, large: int, thresholds: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The answers, and where the large network was asked: `[thresholds, time, streams]` each.

    `small` and `large` are places among the objective's rungs.
    """
    batch = objective.batch
    doubt = doubts(context.doubt, objective.accuracies)
    stay = np.broadcast_to(stays(context, batch.elapsed, objective.fired(context)), batch.truth.shape)
    first, second = (
        evidences(context, objective.said[:, :, rung], doubt[rung], batch.elapsed) for rung in (small, large)
    )
    limits = np.asarray(thresholds)[:, None]
    labels = objective.said.shape[-1]
    belief = np.full((len(limits), len(batch.streams), labels), 1 / labels)
    answers = np.empty((len(limits), *batch.truth.shape), int)
    asked = np.empty(answers.shape, bool)
    for time in range(len(stay)):
        expected = expect(belief, stay[time])
        belief = learn(expected, first[time])
        asked[:, time] = unsure = belief.max(-1) < limits
        belief = np.where(unsure[..., None], learn(expected, second[time]), belief)
        answers[:, time] = belief.argmax(-1)
    return answers, asked & batch.lasts


def measure(folds: Folds, contexts: Sequence[Fitted], accuracies: np.ndarray) -> list[Cascade]:
    """All pairs at all thresholds, each fold with the parameters that were fitted on the others.

    `accuracies` are those of the rungs with context, measured in the same way.
    """
    count = len(folds.prepared)
    objectives = [
        objective_of(folds, [other for other in range(count) if other != fold], [fold])
        for fold in range(count)
    ]
    steady = sum(int((one.batch.truth != UNSTEADY).sum()) for one in objectives)
    windows = sum(int(one.batch.lasts.sum()) for one in objectives)
    found = []
    for small in range(len(folds.rungs)):
        for large in range(small + 1, len(folds.rungs)):
            right, ran = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS))
            for one, fitted in zip(objectives, contexts, strict=True):
                answers, asked = escalate(one, fitted.context, small, large, THRESHOLDS)
                # no answer is UNSTEADY, which the truth of such windows is
                right += (answers == one.batch.truth).sum((1, 2))
                ran += asked.sum((1, 2))
            for threshold, accuracy, share in zip(THRESHOLDS, right / steady, ran / windows, strict=True):
                macs = folds.macs[small] + share * folds.macs[large]
                names = folds.rungs[small].id, folds.rungs[large].id
                way = accuracies[large] - accuracies[small]
                gain = (accuracy - accuracies[small]) / way if way > 0 else 0.0
                figures = accuracy, np.clip(gain, 0, MOST_GAIN), share, macs
                found.append(Cascade(*names, threshold, *map(float, figures)))
    return found


def front(cascades: Sequence[Cascade], folds: Folds, accuracies: np.ndarray) -> list[Cascade]:
    """The cascades that gain at least `GAIN` over all that is as cheap: over one another, and over the rungs
    with context, whose `accuracies` are given. Where the large one is no better than the small one, a
    manifest can tell of no gain, and nobody would pick the cascade."""
    rungs = sorted(zip(folds.macs, accuracies, strict=True))
    kept: list[Cascade] = []
    for one in sorted(cascades, key=lambda one: (one.macs, -one.accuracy)):
        alone = max((accuracy for macs, accuracy in rungs if macs <= one.macs), default=0.0)
        if one.gain > 0 and one.accuracy >= GAIN + max(alone, kept[-1].accuracy if kept else 0.0):
            kept.append(one)
    return kept
