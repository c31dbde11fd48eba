"""Reads NumPy archives (`.npz`) with errors for the user."""

import zipfile
from pathlib import Path

import numpy as np

from gaitd_train.errors import UserError


def open_archive(path: Path):
    """The arrays of an `.npz` file, by name; a `UserError` where it is none."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a readable .npz archive ({error})") from error


def array_of(archive, path: Path, name: str) -> np.ndarray:
    """One array of an archive; a `UserError` where it has no such array."""
    if name not in archive:
        raise UserError(f"{path}: lacks the array '{name}'")
    return archive[name]
