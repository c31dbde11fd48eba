"""Continuous recordings of chosen people, cut into the windows that a live stream would give.

An archive holds `acc_gyro [samples, channels]` in the order and units of the task's sensors, and, for every
sample, `exp` (the recording), `user` and `label` (1..classes; any other number: none of the activities). For
the watch's task it may be the data set itself, of which each person is one recording.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaitd_train.conditioning import condition
from gaitd_train.datasets import wisdm_watch
from gaitd_train.errors import UserError
from gaitd_train.npz import array_of, open_archive
from gaitd_train.task import WISDM_WATCH, Task

# What `truth` says of a window that does not lie wholly inside one activity.
UNSTEADY = -1


@dataclass(frozen=True)
class Recording:
    """One recording: `raw [samples, channels]` as sensed, `label [samples]` 0-based, below 0 for none."""

    person: int
    number: int
    raw: np.ndarray
    label: np.ndarray

    def ends(self, task: Task) -> np.ndarray:
        """The sample after the last one of each window; the first window begins with the recording."""
        return np.arange(task.window, len(self.raw) + 1, task.hop)

    def windows(self, task: Task) -> np.ndarray:
        """The conditioned windows, `[windows, channels, time]` float32."""
        names = [channel.name for channel in task.input_channels]
        made = condition(dict(zip(names, self.raw.T, strict=True)), task.conditioning, task.input_units())
        conditioned = np.stack([made[channel.name] for channel in task.channels]).astype(np.float32)
        cut = np.lib.stride_tricks.sliding_window_view(conditioned, task.window, axis=1)
        return np.ascontiguousarray(cut[:, :: task.hop].swapaxes(0, 1))

    def truth(self, task: Task) -> np.ndarray:
        """The activity that each window lies wholly inside, or `UNSTEADY`."""
        cut = np.lib.stride_tricks.sliding_window_view(self.label, task.window)[:: task.hop]
        return np.where((cut == cut[:, :1]).all(1), cut[:, 0], UNSTEADY)


def load(path: Path, task: Task, people: Collection[int]) -> list[Recording]:
    """The recordings of `people` alone, in the order of their numbers; nobody else's samples are kept."""
    samples, number, user, label = _watch(path) if task == WISDM_WATCH else _archive(path)
    chosen = np.isin(user, sorted(people))
    shape = (len(user), len(task.input_channels))
    if samples.shape != shape or {len(number), len(label)} != {len(user)}:
        raise UserError(
            f"{path}: acc_gyro, exp and label are {samples.shape}, {number.shape} and {label.shape}, and "
            f"must be {shape}, {shape[:1]} and {shape[:1]}"
        )
    samples, number, label, user = (values[chosen] for values in (samples, number, label, user))
    if not np.isfinite(samples).all():
        raise UserError(f"{path}: acc_gyro holds values that are not finite")
    if absent := sorted(set(people) - set(user.tolist())):
        raise UserError(f"{path}: no recording of {', '.join(map(str, absent))}")
    label = np.where((label >= 1) & (label <= len(task.labels)), label.astype(int) - 1, UNSTEADY)
    found = []
    for one in np.unique(number):
        rows = number == one
        wearers = np.unique(user[rows])
        if len(wearers) != 1:
            raise UserError(f"{path}: recording {one} is of {len(wearers)} people")
        if rows.sum() >= task.window:
            found.append(Recording(int(wearers[0]), int(one), samples[rows], label[rows]))
    if not found:
        raise UserError(f"{path}: no recording is as long as a window of {task.window} samples")
    return found


def _archive(path: Path) -> tuple[np.ndarray, ...]:
    with open_archive(path) as archive:
        names = ("acc_gyro", "exp", "user", "label")
        samples, number, user, label = (array_of(archive, path, name) for name in names)
    return samples, number, user.astype(int), label


def _watch(path: Path) -> tuple[np.ndarray, ...]:
    xyz, user, activity = wisdm_watch.in_order_of_time(path)
    return xyz, user, user.astype(int), activity
