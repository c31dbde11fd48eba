"""WISDM v1.1 as windows of 128 samples, the way others cut them; scaled back to m/s2 approximately.

Read from one `.npz` archive: `X_centi_ms2 [windows, time, axes]` in hundredths of m/s2, `y` (index into
`classes`) and `user`. Figures from these windows are not figures of WISDM v1.1, and the title says so. The
archive's own split (`is_train`) has the same people on both sides and is not used.
"""

from pathlib import Path

import numpy as np

from gaitd_train.datasets.arrays import read_arrays
from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.loading import Loaded, Loader
from gaitd_train.datasets.windows import Labelled
from gaitd_train.errors import UserError
from gaitd_train.task import WISDM_WINDOWS128


def _read(source: Path) -> Loaded:
    x, y, classes, user = read_arrays(source, "X_centi_ms2", "y", "classes", "user")
    labels = [str(name).lower() for name in classes]
    if sorted(labels) != sorted(WISDM_WINDOWS128.labels):
        raise UserError(f"{source}: its classes are {labels}, expected {sorted(WISDM_WINDOWS128.labels)}")
    expected = (len(y), WISDM_WINDOWS128.window, len(WISDM_WINDOWS128.channels))
    if x.shape != expected or user.shape != y.shape or y.min() < 0 or y.max() >= len(labels):
        raise UserError(
            f"{source}: X_centi_ms2 {x.shape}, y {y.shape} and user {user.shape} do not fit together"
        )
    number = np.array([WISDM_WINDOWS128.labels.index(label) + 1 for label in labels])
    windows = Labelled(x.transpose(0, 2, 1).astype(np.float32) / 100, number[y], user)
    return Loaded(windows, {"windows": len(y), "subjects": len(np.unique(user))})


LOADER = Loader(
    task=WISDM_WINDOWS128,
    summary="WISDM v1.1, phone accelerometer, approximate windows of 128 samples from an .npz archive",
    facts=(Fact("windows", 7_292), Fact("subjects", 36)),
    read=_read,
)
