"""UniMiB-SHAR: windows of 151 phone samples, daily activities and falls (Micucci, Mobilio, Napoletano 2017).

The official form holds three MATLAB files below `data`: `acc_data.mat` (a window per row: 151 values of x,
then of y, then of z, m/s2), `acc_labels.mat` (activity 1..17, subject, trial) and `acc_names.mat` (the
activities' names). An `.npz` archive with `X [windows, 3, 151]`, `y` from 0 and `subject` is read as well.
"""

import io
import re
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from gaitd_train.datasets.archive import Tree, open_tree
from gaitd_train.datasets.arrays import is_arrays, read_arrays
from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.loading import Loaded, Loader
from gaitd_train.datasets.windows import Labelled
from gaitd_train.errors import UserError
from gaitd_train.task import UNIMIB_SHAR

MARKER = "data/acc_data.mat"
CHANNELS = len(UNIMIB_SHAR.channels)


def _read(source: Path) -> Loaded:
    windows = _from_arrays(source) if is_arrays(source) else _from_matlab(source)
    if windows.x.shape != (len(windows.y), CHANNELS, UNIMIB_SHAR.window) or not len(windows.y):
        raise UserError(
            f"{source}: windows of shape {windows.x.shape} for {len(windows.y)} labels; expected "
            f"[windows, {CHANNELS}, {UNIMIB_SHAR.window}]"
        )
    if not np.isfinite(windows.x).all():
        raise UserError(f"{source}: holds values that are not finite")
    if windows.y.min() < 1 or windows.y.max() > len(UNIMIB_SHAR.labels):
        raise UserError(
            f"{source}: activities must lie in 1..{len(UNIMIB_SHAR.labels)}, "
            f"found {windows.y.min()}..{windows.y.max()}"
        )
    counts = {
        "windows": len(windows.y),
        "subjects": len(np.unique(windows.subject)),
        "activities": len(np.unique(windows.y)),
    }
    return Loaded(windows, counts)


def _from_arrays(source: Path) -> Labelled:
    x, y, subject = read_arrays(source, "X", "y", "subject")
    return Labelled(x.astype(np.float32), y.astype(np.int64) + 1, subject)


def _from_matlab(source: Path) -> Labelled:
    tree = open_tree(source, MARKER, UNIMIB_SHAR.name)
    data, labels, names = (_variable(tree, name) for name in ("acc_data", "acc_labels", "acc_names"))
    _check_names(tree, names)
    if data.ndim != 2 or data.shape[1] != CHANNELS * UNIMIB_SHAR.window:
        raise UserError(
            f"{tree.path(MARKER)}: acc_data is {data.shape}, expected {CHANNELS * UNIMIB_SHAR.window} columns"
        )
    if labels.ndim != 2 or labels.shape[0] != data.shape[0] or labels.shape[1] < 2:
        raise UserError(
            f"{tree.where}: acc_labels is {labels.shape} for {len(data)} windows; expected activity, "
            "subject, trial for each"
        )
    x = data.reshape(len(data), CHANNELS, UNIMIB_SHAR.window).astype(np.float32)
    return Labelled(x, labels[:, 0].astype(np.int64), labels[:, 1].astype(np.int64))


def _variable(tree: Tree, name: str) -> np.ndarray:
    file = f"data/{name}.mat"
    try:
        return loadmat(io.BytesIO(tree.read(file)))[name]
    except KeyError:
        raise UserError(f"{tree.path(file)}: lacks the variable '{name}'; is this UniMiB-SHAR?") from None
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError) as error:
        raise UserError(f"{tree.path(file)}: not a readable MATLAB file ({error}); fetch it again") from error


def _check_names(tree: Tree, names: np.ndarray) -> None:
    # The table holds the names twice: written out, then as abbreviations. By row or by column, the first 17
    # texts of one of the two readings are the written-out ones.
    found = []
    for order in ("C", "F"):
        texts = [str(np.asarray(cell).ravel()[0]) for cell in names.ravel(order) if np.size(cell)]
        found.append([re.sub(r"[^a-z]+", "-", text.lower()) for text in texts[: len(UNIMIB_SHAR.labels)]])
    if list(UNIMIB_SHAR.labels) not in found:
        raise UserError(
            f"{tree.path('data/acc_names.mat')}: names the activities {found[0]}, expected "
            f"{list(UNIMIB_SHAR.labels)}"
        )


LOADER = Loader(
    task=UNIMIB_SHAR,
    summary="UniMiB-SHAR, phone in the pocket: 9 daily activities and 8 falls, 50 Hz, windows of 151",
    facts=(Fact("windows", 11_771), Fact("subjects", 30), Fact("activities", 17)),
    read=_read,
)
