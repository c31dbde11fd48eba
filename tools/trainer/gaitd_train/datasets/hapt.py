"""HAPT: the continuous recordings behind UCI-HAR, with postural transitions (Reyes-Ortiz et al., UCI 341).

The official form is a folder `RawData` with, per recording, one text file of acceleration (g) and one of
angular velocity (rad/s), three numbers per sample at 50 Hz, and `labels.txt`: recording, user, activity
1..12, first and last sample (from 1) of every labelled segment. The same samples in one `.npz` archive
(`acc_gyro`, `exp`, `labels_txt`) are read as well.

Recordings are conditioned as a live stream would be, then cut: windows lie wholly inside one labelled
segment, so many short transitions give none. Every 64 samples from a segment's start, these are as many
windows as the publisher has in its own feature files: 7,767 for training and 3,162 for the test. The split is
that of UCI-HAR, whose subjects these are.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gaitd_train.conditioning import condition
from gaitd_train.datasets.archive import open_tree
from gaitd_train.datasets.arrays import is_arrays, read_arrays
from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.loading import Loaded, Loader
from gaitd_train.datasets.text import finite_table, whole_numbers
from gaitd_train.datasets.uci_har import TEST_SUBJECTS
from gaitd_train.datasets.windows import Labelled, cut, joined_labelled, starts
from gaitd_train.errors import UserError
from gaitd_train.task import HAPT

LABELS = "RawData/labels.txt"

# Samples `[time, 6]` of one recording of one user: acceleration, angular velocity.
Recording = Callable[[int, int], np.ndarray]


def _read(source: Path) -> Loaded:
    segments, recording = _from_arrays(source) if is_arrays(source) else _from_text(source)
    _check_segments(source, segments)
    experiments = np.unique(segments[:, 0]).tolist()
    parts = []
    for number in experiments:
        own = segments[segments[:, 0] == number]
        if len(users := np.unique(own[:, 1])) != 1:
            raise UserError(f"{source}: labels.txt gives recording {number} to the users {users.tolist()}")
        parts.append(_windows(source, number, own, recording(number, int(users[0]))))
    windows = joined_labelled(parts)
    counts = {
        "recordings": len(experiments),
        "users": len(np.unique(segments[:, 1])),
        "labelled segments": len(segments),
        "windows": len(windows.y),
    }
    return Loaded(windows, counts, TEST_SUBJECTS)


def _windows(source: Path, number: int, segments: np.ndarray, samples: np.ndarray) -> Labelled:
    if (last := int(segments[:, 4].max())) > len(samples):
        raise UserError(
            f"{source}: labels.txt names sample {last} of recording {number}, which has {len(samples)}; "
            "fetch it again"
        )
    names = [channel.name for channel in HAPT.input_channels]
    raw = dict(zip(names, samples.T, strict=True))
    conditioned = condition(raw, HAPT.conditioning, HAPT.input_units())
    channels = np.stack([conditioned[channel.name] for channel in HAPT.channels], axis=1)
    # Samples count from 1, and the last one belongs to the segment.
    stretches = [
        starts(np.array([[first - 1, last]]), HAPT.window, HAPT.hop) for first, last in segments[:, 3:]
    ]
    firsts = np.concatenate(stretches)
    counts = [len(stretch) for stretch in stretches]
    return Labelled(
        cut(channels, firsts, HAPT.window),
        np.repeat(segments[:, 2], counts),
        np.repeat(segments[:, 1], counts),
        np.stack([np.full_like(firsts, number), firsts], axis=1),
    )


def _check_segments(source: Path, segments: np.ndarray) -> None:
    activity, first, last = segments[:, 2:].T
    bad = (activity < 1) | (activity > len(HAPT.labels)) | (first < 1) | (last < first)
    if bad.any():
        line = int(np.flatnonzero(bad)[0])
        raise UserError(
            f"{source}: labels.txt: line {line + 1} is {segments[line].tolist()}; expected recording, user, "
            f"activity 1..{len(HAPT.labels)}, first and last sample"
        )


def _from_arrays(source: Path) -> tuple[np.ndarray, Recording]:
    samples, experiment, segments = read_arrays(source, "acc_gyro", "exp", "labels_txt")
    if samples.shape != (len(experiment), len(HAPT.input_channels)):
        raise UserError(f"{source}: acc_gyro {samples.shape} and exp {experiment.shape} do not fit together")
    return segments.astype(np.int64), lambda number, _user: samples[experiment == number]


def _from_text(source: Path) -> tuple[np.ndarray, Recording]:
    tree = open_tree(source, LABELS, HAPT.name)

    def recording(number: int, user: int) -> np.ndarray:
        sensors = []
        for sensor in ("acc", "gyro"):
            name = f"RawData/{sensor}_exp{number:02}_user{user:02}.txt"
            sensors.append(finite_table(tree.path(name), tree.read(name), 3))
        if len(sensors[0]) != len(sensors[1]):
            raise UserError(
                f"{tree.where}: recording {number} has {len(sensors[0])} samples of acceleration and "
                f"{len(sensors[1])} of angular velocity; fetch it again"
            )
        return np.concatenate(sensors, axis=1)

    return whole_numbers(tree.path(LABELS), tree.read(LABELS), 5), recording


LOADER = Loader(
    task=HAPT,
    summary="HAPT, raw recordings of UCI-HAR's subjects: 12 activities with postural transitions, 50 Hz",
    facts=(
        Fact("recordings", 61),
        Fact("users", 30),
        Fact("labelled segments", 1_214),
        Fact("windows", 10_929),
    ),
    read=_read,
)
