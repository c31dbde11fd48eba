"""What the beliefs of streams are worth; of each, the most probable activity is the answer.

Accuracy counts the windows that lie wholly inside one activity. A delay is the number of such windows of a
new activity before the first right one; where none is right, their number.
"""

from dataclasses import dataclass

import numpy as np

from gaitd_train.context.recordings import UNSTEADY
from gaitd_train.context.streams import Batch, bouts


@dataclass(frozen=True)
class Score:
    """Figures of beliefs `[time, streams, rungs, labels]`.

    `accuracy [rungs]`; `brier [rungs]`, the mean squared distance of the beliefs from the truth, 0 to 2;
    `people [people]` and their accuracies `by_person [people, rungs]`; `delays [changes, rungs]` in windows,
    and whether an answer was right at all before the activity ended, `followed [changes, rungs]`;
    `changes_per_hour [rungs]` of the answer, and the `true_changes_per_hour`.
    """

    windows: int
    accuracy: np.ndarray
    brier: np.ndarray
    people: np.ndarray
    by_person: np.ndarray
    delays: np.ndarray
    followed: np.ndarray
    changes_per_hour: np.ndarray
    true_changes_per_hour: float

    def delay(self, share: float) -> np.ndarray:
        """The delay that this share of the changes does not exceed, for each rung."""
        if not len(self.delays):
            return np.zeros(len(self.accuracy))
        return np.quantile(self.delays, share, axis=0, method="inverted_cdf")


class Scorer:
    """Scores beliefs of one batch, any number of times."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.truth = batch.truth[:, :, None]
        self.steady = batch.truth != UNSTEADY
        self.people = np.unique(batch.person)
        self.members = (batch.person == self.people[:, None]).astype(float)  # [people, streams]
        self.counts = self.members @ self.steady.sum(0)
        lists = [bouts(stream.truth) for stream in batch.streams]
        changes = [
            (place, start, end) for place, found in enumerate(lists) for start, end, new in found if new
        ]
        self.lengths = np.array([end - start for _, start, end in changes], dtype=int)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])[:-1].astype(int)
        self.times = np.concatenate([[], *(np.arange(start, end) for _, start, end in changes)]).astype(int)
        self.places = np.repeat([place for place, _, _ in changes], self.lengths).astype(int)
        self.hours = batch.lasts.sum() * batch.hop_s / 3600

    def score(self, beliefs: np.ndarray) -> Score:
        """The figures of `beliefs [time, streams, rungs, labels]`."""
        answers = beliefs.argmax(-1)
        right = (answers == self.truth) & self.steady[:, :, None]
        per_person = self.members @ right.sum(0)
        moved = (answers[1:] != answers[:-1]) & self.batch.lasts[1:, :, None]
        delays, followed = self._delays(right)
        return Score(
            windows=int(self.counts.sum()),
            accuracy=per_person.sum(0) / max(1, self.counts.sum()),
            brier=self._brier(beliefs[self.steady]),
            people=self.people,
            by_person=per_person / np.maximum(1, self.counts)[:, None],
            delays=delays,
            followed=followed,
            changes_per_hour=moved.sum((0, 1)) / self.hours,
            true_changes_per_hour=len(self.lengths) / self.hours,
        )

    def _brier(self, beliefs: np.ndarray) -> np.ndarray:
        """Of the beliefs of steady windows, `[windows, rungs, labels]`."""
        truth = self.batch.truth[self.steady][:, None, None]
        right = np.take_along_axis(beliefs, truth, axis=2)[:, :, 0]
        return (np.square(beliefs).sum(2) - 2 * right + 1).mean(0)

    def _delays(self, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not len(self.lengths):
            return np.zeros((0, right.shape[2]), int), np.zeros((0, right.shape[2]), bool)
        offsets = np.arange(len(self.times)) - np.repeat(self.starts, self.lengths)
        lengths = np.repeat(self.lengths, self.lengths)
        waits = np.where(right[self.times, self.places], offsets[:, None], lengths[:, None])
        delays = np.minimum.reduceat(waits, self.starts, axis=0)
        return delays, delays < self.lengths[:, None]
