"""Detectors of movements that may change the activity: quantities of the raw samples, causal.

| quantity | what it is | unit |
| --- | --- | --- |
| `rotation` | the gyroscope's norm, averaged over the last `over_s` seconds | rad/s |
| `gravity` | the angle between the accelerometer's means over the last `over_s` seconds and before | rad |

A detector has fired between two windows where its quantity passes a threshold at any sample after the end of
the one and up to the end of the other.
"""

import numpy as np

from gaitd_train.conditioning import unit_factor
from gaitd_train.context.decoder import GRAVITY, ROTATION
from gaitd_train.errors import UserError
from gaitd_train.task import Channel, Task

# The unit of the sensor that each quantity is made of.
UNITS = {ROTATION: "rad/s", GRAVITY: "g"}


def sensed(task: Task, quantity: str) -> bool:
    """Whether the task's sensors have what the quantity is made of."""
    return len(_axes(task, quantity)) == 3


def levels(task: Task, raw: np.ndarray, quantity: str, over_s: float) -> np.ndarray:
    """The quantity at every sample of `raw [samples, channels]`; 0 where too few samples came before."""
    axes = _axes(task, quantity)
    if len(axes) != 3:
        raise UserError(f"{task.name}: no sensor with three axes in {UNITS[quantity]}, for '{quantity}'")
    factors = [unit_factor(channel.unit, UNITS[quantity]) for _, channel in axes]
    values = raw[:, [place for place, _ in axes]].astype(np.float64) * factors
    length = max(1, round(over_s * task.sample_rate_hz))
    if quantity == ROTATION:
        return _means(np.linalg.norm(values, axis=1)[:, None], length)[:, 0]
    means = _means(values, length)
    before = np.zeros_like(means)
    before[length:] = means[:-length]
    scale = np.linalg.norm(means, axis=1) * np.linalg.norm(before, axis=1)
    cosine = (means * before).sum(1) / np.where(scale > 0, scale, 1)
    return np.where(scale > 0, np.arccos(np.clip(cosine, -1, 1)), 0.0)


def peaks(level: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The highest level since the window before, for windows that end before the samples `ends`.

    For the first window, the highest of all samples so far.
    """
    starts = np.concatenate([[0], ends[:-1]])
    return np.array([level[start:end].max() for start, end in zip(starts, ends, strict=True)])


def _axes(task: Task, quantity: str) -> list[tuple[int, Channel]]:
    return [
        (place, channel)
        for place, channel in enumerate(task.input_channels)
        if unit_factor(channel.unit, UNITS[quantity]) is not None
    ][:3]


def _means(values: np.ndarray, length: int) -> np.ndarray:
    """Means over the last `length` samples, `[samples, axes]`; 0 where there are fewer."""
    means = np.zeros_like(values)
    if len(values) >= length:
        sums = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values]), axis=0)
        means[length - 1 :] = (sums[length:] - sums[:-length]) / length
    return means
