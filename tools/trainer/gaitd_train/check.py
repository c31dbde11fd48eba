"""Checks that a live stream looks like the data: conditioned recordings equal the prepared windows."""

from pathlib import Path

import numpy as np

from gaitd_train.conditioning import condition
from gaitd_train.errors import UserError
from gaitd_train.npz import array_of, open_archive
from gaitd_train.task import Task

# Single-precision inputs of up to a few units leave a difference of a few 1e-7.
TOLERANCE = 1e-5


def conditioning_errors(recordings: Path, prepared: Path, task: Task) -> dict[str, float]:
    """Largest difference per channel between conditioned recordings and the prepared windows cut from them.

    `recordings` holds `acc_gyro [samples, 6]` and `exp [samples]`, `prepared` the windows and, in `src_*`,
    the recording and first sample of each; windows of unknown origin (-1) are left out.
    """
    with open_archive(recordings) as raw, open_archive(prepared) as windows:
        samples, recording = array_of(raw, recordings, "acc_gyro"), array_of(raw, recordings, "exp")
        splits = [
            (array_of(windows, prepared, f"X_{split}"), array_of(windows, prepared, f"src_{split}"))
            for split in ("train", "test")
        ]
    names = [channel.name for channel in task.input_channels]
    largest = np.zeros(len(task.channels))
    compared = 0
    for number in np.unique(recording):
        conditioned = condition(
            dict(zip(names, samples[recording == number].T, strict=True)),
            task.conditioning,
            task.input_units(),
        )
        channels = np.stack([conditioned[channel.name] for channel in task.channels])
        for x, source in splits:
            for index in np.flatnonzero((source[:, 0] == number) & (source[:, 1] >= 0)):
                first = source[index, 1]
                difference = np.abs(channels[:, first : first + task.window] - x[index]).max(axis=1)
                largest = np.maximum(largest, difference)
                compared += 1
    if not compared:
        raise UserError(f"{prepared}: none of its windows names a recording of {recordings}")
    return {channel.name: float(error) for channel, error in zip(task.channels, largest, strict=True)}
