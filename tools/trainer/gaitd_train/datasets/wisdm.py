"""WISDM v1.1: a phone in the front pocket, 36 people, 6 activities at 20 Hz (Kwapisz, Weiss, Moore 2010).

The official form is one text file, `WISDM_ar_v1.1_raw.txt`, of records `user,activity,timestamp in
ns,x,y,z;`. It has faults: several records on a line, empty lines, doubled semicolons, a comma before the
semicolon, records without their last value, and timestamps of 0. Records that lack a value or cannot be read,
and those without a timestamp, are dropped and counted.

**Time.** The timestamps repeat, jitter and are doubtful for some users, so the rule is looser than the
nominal 50 ms per sample: repeated timestamps pass, and so does a step of up to 0.5 s, ten samples of the 200
of a window. A longer step, or a jump back, is another recording and ends the run.
"""

import math
import re
from collections import Counter
from pathlib import Path

import numpy as np

from gaitd_train.datasets.archive import open_tree
from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.loading import Loaded, Loader
from gaitd_train.datasets.windows import cut_runs, runs
from gaitd_train.errors import UserError
from gaitd_train.task import WISDM

FILE = "WISDM_ar_v1.1_raw.txt"
FIELDS = 6
LONGEST_STEP_NS = 500_000_000

ACTIVITIES = {label.capitalize(): number for number, label in enumerate(WISDM.labels, start=1)}

# Published are the examples; how many a reader finds depends, by a few records, on how it takes the faults.
SLACK = 25


def _read(source: Path) -> Loaded:
    tree = open_tree(source, FILE, WISDM.name)
    user, activity, time, xyz, dropped = parse(tree.read(FILE).decode("ascii", errors="replace"))
    if not len(user):
        raise UserError(f"{tree.path(FILE)}: holds no record; fetch it again")
    counts = {"users": len(np.unique(user)), "examples": len(user)} | {
        f"{name} examples": int((activity == number).sum()) for name, number in ACTIVITIES.items()
    }
    timed = time > 0
    user, activity, time, xyz = (values[timed] for values in (user, activity, time, xyz))
    step = np.diff(time)
    stretches = runs(user, activity, joined=(step >= 0) & (step <= LONGEST_STEP_NS))
    windows = cut_runs(xyz, activity, user, stretches, WISDM, WISDM.hop)
    dropped["no timestamp"] = int((~timed).sum())
    notes = ("records dropped: " + ", ".join(f"{count:,} {reason}" for reason, count in dropped.items()),)
    return Loaded(windows, counts, notes=notes)


def parse(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
    """The records of the raw file: user, activity 1..6, timestamp (ns), `xyz [records, 3]` in m/s2.

    Also returns how many were dropped because of a missing value or because they are no record at all.
    """
    records, dropped = [], Counter({"missing value": 0, "unreadable": 0})
    for record in re.split(r"[;\r\n]", text):
        fields = [field.strip() for field in record.split(",")]
        if not any(fields):
            continue
        if len(fields) == FIELDS + 1 and not fields[-1]:
            fields.pop()
        if len(fields) < FIELDS or "" in fields:
            dropped["missing value"] += 1
            continue
        try:
            user, activity, time, *xyz = fields
            values = [float(value) for value in xyz]
            if len(fields) != FIELDS or not all(map(math.isfinite, values)):
                raise ValueError
            records.append((int(user), ACTIVITIES[activity], int(time), values))
        except (ValueError, KeyError):
            dropped["unreadable"] += 1
    user, activity, time, xyz = zip(*records, strict=True) if records else ((), (), (), ())
    return (
        np.array(user, np.int64),
        np.array(activity, np.int64),
        np.array(time, np.int64),
        np.array(xyz, np.float64).reshape(-1, 3),
        dict(dropped),
    )


LOADER = Loader(
    task=WISDM,
    summary="WISDM v1.1, phone accelerometer: 6 activities, 20 Hz, windows of 10 s",
    facts=(
        Fact("users", 36),
        Fact("examples", 1_098_207, len(ACTIVITIES) * SLACK),
        Fact("Walking examples", 424_400, SLACK),
        Fact("Jogging examples", 342_177, SLACK),
        Fact("Upstairs examples", 122_869, SLACK),
        Fact("Downstairs examples", 100_427, SLACK),
        Fact("Sitting examples", 59_939, SLACK),
        Fact("Standing examples", 48_395, SLACK),
    ),
    read=_read,
)
