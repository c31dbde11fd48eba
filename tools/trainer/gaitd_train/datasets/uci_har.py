"""UCI-HAR: the windows that the publisher cut, filtered and split (Anguita et al., UCI data set 240).

The official form is a folder `UCI HAR Dataset` with, for each split, nine text files of signals (one window
of 128 numbers per line), one of activities and one of subjects. It does not say from which recording a window
was cut.
"""

from pathlib import Path

import numpy as np

from gaitd_train.datasets.archive import Tree, open_tree
from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.loading import Loaded, Loader
from gaitd_train.datasets.text import finite_table, whole_numbers
from gaitd_train.datasets.windows import Labelled, joined_labelled
from gaitd_train.errors import UserError
from gaitd_train.task import UCI_HAR

MARKER = "train/y_train.txt"

# The publisher's test subjects, here and in HAPT.
TEST_SUBJECTS = frozenset({2, 4, 9, 10, 12, 13, 18, 20, 24})


def _read(source: Path) -> Loaded:
    tree = open_tree(source, MARKER, UCI_HAR.name)
    train, test = (_windows(tree, split) for split in ("train", "test"))
    if shared := np.intersect1d(train.subject, test.subject).tolist():
        raise UserError(
            f"{tree.where}: subjects {shared} are in both splits; a test on people the network knows is none"
        )
    windows = joined_labelled([train, test])
    counts = {
        "training windows": len(train.y),
        "test windows": len(test.y),
        "subjects": len(np.unique(windows.subject)),
    }
    return Loaded(windows, counts, frozenset(np.unique(test.subject).tolist()))


def _windows(tree: Tree, split: str) -> Labelled:
    signals = []
    for channel in UCI_HAR.channels:
        name = f"{split}/Inertial Signals/{channel.name}_{split}.txt"
        signals.append(finite_table(tree.path(name), tree.read(name), UCI_HAR.window))
    y, subject = (
        whole_numbers(tree.path(name), tree.read(name), 1)[:, 0]
        for name in (f"{split}/y_{split}.txt", f"{split}/subject_{split}.txt")
    )
    counts = {len(values) for values in (*signals, y, subject)}
    if len(counts) != 1:
        raise UserError(
            f"{tree.where}: the {split} files differ in their number of lines ({sorted(counts)}); the "
            "archive is incomplete, fetch it again"
        )
    if y.min() < 1 or y.max() > len(UCI_HAR.labels):
        raise UserError(
            f"{tree.where}: {split}/y_{split}.txt: activities must lie in 1..{len(UCI_HAR.labels)}, "
            f"found {y.min()}..{y.max()}"
        )
    return Labelled(np.stack(signals, axis=1).astype(np.float32), y, subject)


LOADER = Loader(
    task=UCI_HAR,
    summary="UCI-HAR, phone on the waist: 6 activities, 50 Hz, the publisher's windows and split",
    facts=(Fact("training windows", 7_352), Fact("test windows", 2_947), Fact("subjects", 30)),
    read=_read,
)
