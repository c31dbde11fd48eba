"""PAMAP2: three IMUs on hand, chest and ankle, 9 people, 12 activities (Reiss and Stricker, UCI 231).

The official form is a text file per subject in `Protocol`, 54 columns at 100 Hz, `NaN` where a value is
missing. Read are the timestamp (s), the activity, and of each IMU the +-16 g acceleration (m/s2) and the
angular velocity (rad/s). Activity 0 (between activities) is dropped.

**Missing values.** The IMUs are wireless and lose packets. Up to 10 samples (0.1 s) are bridged by straight
lines, far below what a body does in that time; a longer loss ends the run, and no window crosses it.

**Split.** The publisher names none. The test subjects are 105 and 106, as is usual in publications.
"""

from pathlib import Path

import numpy as np

from gaitd_train.datasets.archive import open_tree
from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.loading import Loaded, Loader
from gaitd_train.datasets.text import table
from gaitd_train.datasets.windows import Labelled, cut_runs, joined_labelled, runs
from gaitd_train.task import PAMAP2

FILES = "Protocol/subject*.dat"
COLUMNS = 54

# The publisher's numbers, in the order of the task's labels.
ACTIVITIES = (1, 2, 3, 4, 5, 6, 7, 12, 13, 16, 17, 24)

# First columns of the three IMUs: temperature, then +-16 g acceleration, +-6 g, angular velocity, ...
IMUS = (3, 20, 37)
ACC, GYRO = 1, 7
SIGNALS = [imu + sensor + axis for imu in IMUS for sensor in (ACC, GYRO) for axis in range(3)]

LONGEST_LOSS = 10
TEST_SUBJECTS = frozenset({105, 106})


def _read(source: Path) -> Loaded:
    tree = open_tree(source, FILES, PAMAP2.name)
    parts, rows, bridged, lost = [], 0, 0, 0
    names = tree.names(FILES)
    for name in names:
        content = tree.read(name)
        table(tree.path(name), content.partition(b"\n")[0], COLUMNS)
        values = table(tree.path(name), content, usecols=(0, 1, *SIGNALS))
        subject = int(Path(name).stem.removeprefix("subject"))
        windows, filled, missing = _windows(subject, values[:, 0], values[:, 1].astype(int), values[:, 2:])
        parts.append(windows)
        rows, bridged, lost = rows + len(values), bridged + filled, lost + missing
    notes = (f"{bridged:,} samples with missing values were interpolated, {lost:,} were left out",)
    return Loaded(joined_labelled(parts), {"subjects": len(names), "rows": rows}, TEST_SUBJECTS, notes)


def _windows(
    subject: int, time: np.ndarray, activity: np.ndarray, signals: np.ndarray
) -> tuple[Labelled, int, int]:
    """The windows of one recording, and how many samples with missing values were bridged and left out."""
    step = np.diff(time)
    joined = (step > 0) & (step < 1.5 / PAMAP2.sample_rate_hz)
    wanted = np.isin(activity, ACTIVITIES)
    missing = np.isnan(signals).any(axis=1) & wanted
    for first, end in runs(activity, joined=joined):
        if wanted[first]:
            signals[first:end] = bridge(signals[first:end], LONGEST_LOSS)
    lost = np.isnan(signals).any(axis=1) & wanted
    y = np.searchsorted(ACTIVITIES, activity) + 1
    stretches = runs(activity, lost, joined=joined)
    stretches = stretches[wanted[stretches[:, 0]] & ~lost[stretches[:, 0]]]
    windows = cut_runs(signals, y, np.full(len(y), subject), stretches, PAMAP2, PAMAP2.hop)
    return windows, int(missing.sum() - lost.sum()), int(lost.sum())


def bridge(signals: np.ndarray, longest: int) -> np.ndarray:
    """`signals [time, channels]` with losses (NaN) of up to `longest` samples interpolated, by channel.

    A loss at either end has nothing to interpolate from and stays.
    """
    filled = signals.copy()
    for channel in filled.T:
        missing = np.isnan(channel)
        if missing.all() or not missing.any():
            continue
        known = np.flatnonzero(~missing)
        for first, end in runs(missing):
            if missing[first] and end - first <= longest and first > known[0] and end <= known[-1]:
                channel[first:end] = np.interp(
                    np.arange(first, end), (first - 1, end), (channel[first - 1], channel[end])
                )
    return filled


LOADER = Loader(
    task=PAMAP2,
    summary="PAMAP2, IMUs on hand, chest and ankle: 12 activities, 100 Hz, windows of 5.12 s",
    facts=(Fact("subjects", 9), Fact("rows", 2_872_533)),
    read=_read,
)
