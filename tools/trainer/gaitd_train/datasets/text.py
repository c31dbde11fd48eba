"""Numbers out of the text files of official archives."""

import io

import numpy as np

from gaitd_train.errors import UserError


def table(where: str, content: bytes, columns: int | None = None, **options) -> np.ndarray:
    """Lines of numbers, `[lines, columns]` float64 (or as `options` ask, see `numpy.loadtxt`).

    `where` names the file in errors.
    """
    options = {"dtype": np.float64, "ndmin": 2, **options}
    try:
        values = np.loadtxt(io.BytesIO(content), **options)
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{where}: {error}") from error
    if values.size == 0:
        raise UserError(f"{where}: holds no line of numbers; the archive is incomplete, fetch it again")
    if columns and values.shape[1] != columns:
        raise UserError(f"{where}: expected {columns} numbers per line, found {values.shape[1]}")
    return values


def finite_table(where: str, content: bytes, columns: int) -> np.ndarray:
    """Lines of `columns` finite numbers, `[lines, columns]`."""
    values = table(where, content, columns)
    if not (good := np.isfinite(values).all(axis=1)).all():
        line = int(np.flatnonzero(~good)[0]) + 1
        raise UserError(f"{where}: line {line} holds a value that is not finite")
    return values


def whole_numbers(where: str, content: bytes, columns: int) -> np.ndarray:
    """Lines of `columns` whole numbers, `[lines, columns]` int64."""
    values = finite_table(where, content, columns)
    if (values != values.round()).any():
        raise UserError(f"{where}: expected whole numbers")
    return values.astype(np.int64)
