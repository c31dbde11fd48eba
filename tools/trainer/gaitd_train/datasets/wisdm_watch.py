"""WISDM 2019: the smartwatch's accelerometer, 51 people, 18 activities (Weiss, UCI data set 507).

The official form is a text file per subject below `raw/watch/accel`, a sample per line:
`subject,letter,timestamp in ns,x,y,z;`. The same samples in one `.npz` archive (`xyz`, `user`, `activity`
with A as 0, `timestamp`) are read as well.

**Time.** The watch samples at 20 Hz, but not always. In the 3,021,961 samples of 46 subjects, 97.7 % of the
steps are 49 to 52 ms. The others are stretches at 100 Hz (66,543 steps of about 10 ms) or 25 Hz (2,673 of 40
ms), and 457 gaps of 60 ms to 57 s, most of 200 to 500 ms. There is next to nothing in between, so a step
belongs to the stream if it is within 10 % of 50 ms; any other one, a jump back included, ends the run, and no
window crosses it.
"""

from pathlib import Path

import numpy as np

from gaitd_train.datasets.archive import open_tree
from gaitd_train.datasets.arrays import is_arrays, read_arrays
from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.loading import Loaded, Loader
from gaitd_train.datasets.text import table
from gaitd_train.datasets.windows import cut_runs, runs
from gaitd_train.errors import UserError
from gaitd_train.task import WISDM_WATCH

FILES = "raw/watch/accel/data_*_accel_watch.txt"

# In the order of the task's labels; the publisher left N out.
LETTERS = "ABCDEFGHIJKLMOPQRS"

STEP_NS = 50_000_000
TOLERANCE = 0.1

# Windows for live use overlap by half; those of the data set do not overlap at all.
HOP = WISDM_WATCH.window

# A stretch of a stream that is shorter, in samples, is left out: a second.
SHORTEST = 20

LINE = [("user", "i8"), ("letter", "U1"), ("time", "i8"), ("x", "f8"), ("y", "f8"), ("z", "f8")]


def _read(source: Path) -> Loaded:
    xyz, user, activity, time = _from_arrays(source) if is_arrays(source) else _from_text(source)
    step = np.diff(time)
    joined = np.abs(step - STEP_NS) <= TOLERANCE * STEP_NS
    stretches = runs(user, activity, joined=joined)
    windows = cut_runs(xyz, activity, user, stretches, WISDM_WATCH, HOP)
    within = (np.diff(user) == 0) & (np.diff(activity) == 0)
    counts = {
        "subjects": len(np.unique(user)),
        "measurements": len(user),
        "activities": len(np.unique(activity)),
    }
    notes = (
        f"{int((within & ~joined).sum()):,} steps of another length than {STEP_NS / 1e6:g} ms; windows hold "
        f"{windows.x[:, 0].size:,} of {len(user):,} samples",
    )
    return Loaded(windows, counts, notes=notes)


def in_order_of_time(source: Path) -> tuple[np.ndarray, ...]:
    """All samples at 20 Hz as one stream per person: `xyz [n, 3]`, `user`, `activity` 1..18, each `[n]`.

    A person's activities follow one another as they were recorded, without the minutes and hours between
    them, so that there are changes to follow. Stretches of less than `SHORTEST` samples are left out.
    """
    xyz, user, activity, time = _from_arrays(source) if is_arrays(source) else _from_text(source)
    step = np.diff(time)
    stretches = runs(user, activity, joined=np.abs(step - STEP_NS) <= TOLERANCE * STEP_NS)
    stretches = stretches[stretches[:, 1] - stretches[:, 0] >= SHORTEST]
    firsts = stretches[:, 0]
    stretches = stretches[np.lexsort((time[firsts], user[firsts]))]
    rows = np.concatenate([np.empty(0, np.int64), *(np.arange(first, end) for first, end in stretches)])
    return xyz[rows], user[rows], activity[rows]


def _from_arrays(source: Path) -> tuple[np.ndarray, ...]:
    xyz, user, letter, time = read_arrays(source, "xyz", "user", "activity", "timestamp")
    alphabet = np.array([chr(ord("A") + index) for index in range(26)])
    if letter.min() < 0 or letter.max() >= len(alphabet):
        raise UserError(
            f"{source}: activities must be letters (A is 0), found {letter.min()}..{letter.max()}"
        )
    return xyz, user, _activities(str(source), alphabet[letter]), time


def _from_text(source: Path) -> tuple[np.ndarray, ...]:
    tree = open_tree(source, FILES, WISDM_WATCH.name)
    parts = []
    for name in tree.names(FILES):
        lines = table(tree.path(name), tree.read(name).replace(b";", b""), dtype=LINE, delimiter=",", ndmin=1)
        xyz = np.stack([lines[axis] for axis in "xyz"], axis=1)
        if not (good := np.isfinite(xyz).all(axis=1)).all():
            raise UserError(
                f"{tree.path(name)}: record {int(np.flatnonzero(~good)[0]) + 1} holds a value that is not "
                "finite; fetch it again"
            )
        parts.append((xyz, lines["user"], _activities(tree.path(name), lines["letter"]), lines["time"]))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _activities(where: str, letters: np.ndarray) -> np.ndarray:
    """Letters as activities 1..18."""
    if unknown := sorted(set(np.unique(letters).tolist()) - set(LETTERS)):
        raise UserError(f"{where}: unknown activities {unknown}; the data set has {LETTERS}")
    numbers = np.zeros(ord("Z") + 1, np.int16)
    for activity, letter in enumerate(LETTERS, start=1):
        numbers[ord(letter)] = activity
    # The code points of one-letter texts.
    return numbers[np.ascontiguousarray(letters).astype("U1").view(np.uint32)]


LOADER = Loader(
    task=WISDM_WATCH,
    summary="WISDM 2019, smartwatch accelerometer: 18 activities, 20 Hz, windows of 10 s",
    facts=(Fact("subjects", 51), Fact("measurements", 3_777_046), Fact("activities", 18)),
    read=_read,
)
