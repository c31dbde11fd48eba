"""From samples to windows: runs without a break, and the windows that lie inside them.

A run is a stretch of samples that belong together: same subject, same activity, no gap in time. Windows start
with their run and never leave it, so that none mixes two people, two activities or two moments.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gaitd_train.task import Task


@dataclass(frozen=True)
class Labelled:
    """Labelled windows in the order of their recordings, before any split.

    `x [n, channels, time]` float32 in the units of the task, `y [n]` 1..classes in the order of its labels,
    `subject [n]`. `origin [n, 2]` names the recording and first sample of each, where the source does.
    """

    x: np.ndarray
    y: np.ndarray
    subject: np.ndarray
    origin: np.ndarray | None = None


def runs(*keys: np.ndarray, joined: np.ndarray | None = None) -> np.ndarray:
    """First sample and end (exclusive) of every run, `[runs, 2]`.

    Each of `keys [samples]` is constant within a run. `joined [samples - 1]` says whether sample `i + 1`
    follows sample `i` in time; without it, all do.
    """
    samples = len(keys[0])
    if samples == 0:
        return np.empty((0, 2), np.int64)
    breaks = np.zeros(samples - 1, bool) if joined is None else ~joined
    for key in keys:
        breaks = breaks | (key[1:] != key[:-1])
    edges = np.concatenate(([0], np.flatnonzero(breaks) + 1, [samples]))
    return np.stack([edges[:-1], edges[1:]], axis=1)


def starts(stretches: np.ndarray, window: int, hop: int) -> np.ndarray:
    """First samples of all windows inside `stretches [runs, 2]`, every `hop` samples from a run's start."""
    firsts = [np.arange(first, end - window + 1, hop) for first, end in stretches]
    return np.concatenate([np.empty(0, np.int64), *firsts])


def cut(samples: np.ndarray, firsts: np.ndarray, window: int) -> np.ndarray:
    """The windows `[n, channels, window]` float32 of `samples [time, channels]` that start at `firsts`."""
    if len(firsts) == 0:
        return np.empty((0, samples.shape[1], window), np.float32)
    return sliding_window_view(samples, window, axis=0)[firsts].astype(np.float32)


def cut_runs(
    samples: np.ndarray, y: np.ndarray, subject: np.ndarray, stretches: np.ndarray, task: Task, hop: int
) -> Labelled:
    """The windows of samples `[time, channels]` whose activity and subject are known one by one."""
    firsts = starts(stretches, task.window, hop)
    return Labelled(cut(samples, firsts, task.window), y[firsts], subject[firsts])


def joined_labelled(parts: list[Labelled]) -> Labelled:
    """All windows of several recordings, in order; `origin` is kept where every part has it."""
    origins = [part.origin for part in parts]
    return Labelled(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y", "subject")),
        None if any(origin is None for origin in origins) else np.concatenate(origins),
    )
