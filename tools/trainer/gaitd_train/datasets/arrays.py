"""Data sets that come as NumPy archives (`.npz`) instead of the publisher's form."""

from pathlib import Path

import numpy as np

from gaitd_train.npz import array_of, open_archive


def is_arrays(source: Path) -> bool:
    """Whether the source is given as an `.npz` archive."""
    return source.suffix == ".npz"


def read_arrays(source: Path, *names: str) -> list[np.ndarray]:
    """The named arrays of an archive; a `UserError` where one is missing or they cannot be read."""
    with open_archive(source) as archive:
        return [array_of(archive, source, name) for name in names]
