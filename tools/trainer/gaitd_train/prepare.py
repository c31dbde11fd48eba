"""Turns the official UCI-HAR archive into the `.npz` layout of `gaitd_train.data`.

The official form is a folder `UCI HAR Dataset` with, for each split, nine text files of signals (one window
of 128 numbers per line), one of activities and one of subjects. The publisher wraps its zip in another zip;
the folder, the inner and the outer archive are all accepted.
"""

import io
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from gaitd_train.errors import UserError
from gaitd_train.task import UCI_HAR

SPLITS = ("train", "test")
MARKER = "train/y_train.txt"

# Reads one file of the data set, by its path below the data set's own folder.
Reader = Callable[[str], bytes]


def prepare_uci_har(source: Path, target: Path) -> dict[str, tuple[int, ...]]:
    """Reads the folder or zip at `source`, writes `target` and returns the shapes of its arrays.

    The official archive does not say from which recording a window was cut, so `src_*` is left out.
    """
    read = _reader(source)
    arrays: dict[str, np.ndarray] = {
        "channels": np.array([channel.name for channel in UCI_HAR.channels]),
        "source": np.array(UCI_HAR.title),
    }
    for split in SPLITS:
        signals = []
        for channel in UCI_HAR.channels:
            name = f"{split}/Inertial Signals/{channel.name}_{split}.txt"
            signals.append(_numbers(source, name, read(name), UCI_HAR.window))
        y = _whole_numbers(source, f"{split}/y_{split}.txt", read)
        subject = _whole_numbers(source, f"{split}/subject_{split}.txt", read)
        counts = {len(values) for values in (*signals, y, subject)}
        if len(counts) != 1:
            raise UserError(
                f"{source}: the {split} files differ in their number of lines ({sorted(counts)}); the "
                "archive is incomplete, fetch it again"
            )
        if y.min() < 1 or y.max() > len(UCI_HAR.labels):
            raise UserError(
                f"{source}: {split}/y_{split}.txt: activities must lie in 1..{len(UCI_HAR.labels)}, "
                f"found {y.min()}..{y.max()}"
            )
        arrays |= {
            f"X_{split}": np.stack(signals, axis=1).astype(np.float32),
            f"y_{split}": y.astype(np.int8),
            f"subject_{split}": subject.astype(np.int16),
        }
    if shared := np.intersect1d(arrays["subject_train"], arrays["subject_test"]).tolist():
        raise UserError(
            f"{source}: subjects {shared} are in both splits; a test on people the network knows is none"
        )
    _save(target, arrays)
    return {name: values.shape for name, values in arrays.items()}


def _reader(source: Path) -> Reader:
    if source.is_dir():
        roots = [path.parent.parent for path in source.rglob("y_train.txt") if path.parent.name == "train"]
        return _folder_reader(source, roots)
    if not source.exists():
        raise UserError(
            f"{source}: no such file or folder; `gaitd-train fetch uci-har` downloads the archive"
        )
    try:
        return _zip_reader(source, zipfile.ZipFile(source))
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{source}: not a readable zip archive ({error}); fetch it again") from error


def _folder_reader(source: Path, roots: list[Path]) -> Reader:
    if len(roots) != 1:
        raise UserError(f"{source}: expected one `{MARKER}` below it, found {len(roots)}")

    def read(name: str) -> bytes:
        try:
            return (roots[0] / name).read_bytes()
        except OSError as error:
            raise UserError(f"{roots[0]}: cannot read {name} ({error}); unpack the archive again") from error

    return read


def _zip_reader(source: Path, archive: zipfile.ZipFile) -> Reader:
    names = archive.namelist()
    roots = [name.removesuffix(MARKER) for name in names if f"/{name}".endswith(f"/{MARKER}")]
    inner = [name for name in names if name.endswith(".zip")]
    if not roots and len(inner) == 1:
        return _zip_reader(
            source / PurePosixPath(inner[0]), zipfile.ZipFile(io.BytesIO(archive.read(inner[0])))
        )
    # Archives packed on macOS hold a second, empty tree of resource forks.
    roots = [root for root in roots if not root.startswith("__MACOSX")]
    if len(roots) != 1:
        raise UserError(
            f"{source}: expected one `{MARKER}` in it, found {len(roots)}; is this the UCI-HAR archive?"
        )

    def read(name: str) -> bytes:
        try:
            return archive.read(roots[0] + name)
        except KeyError:
            raise UserError(f"{source}: lacks {name}; fetch it again") from None
        except (OSError, zipfile.BadZipFile) as error:
            raise UserError(f"{source}: {name} is damaged ({error}); fetch it again") from error

    return read


def _numbers(source: Path, name: str, content: bytes, columns: int) -> np.ndarray:
    """Lines of `columns` finite numbers, `[lines, columns]`."""
    try:
        values = np.loadtxt(io.BytesIO(content), dtype=np.float64, ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: {name}: {error}") from error
    if values.size == 0 or values.shape[1] != columns:
        raise UserError(f"{source}: {name}: expected {columns} numbers per line, found shape {values.shape}")
    if not np.isfinite(values).all():
        line = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0]) + 1
        raise UserError(f"{source}: {name}: line {line} holds a value that is not finite")
    return values


def _whole_numbers(source: Path, name: str, read: Reader) -> np.ndarray:
    values = _numbers(source, name, read(name), 1)[:, 0]
    if (values != values.round()).any():
        raise UserError(f"{source}: {name}: expected whole numbers")
    return values.astype(np.int64)


def _save(target: Path, arrays: dict[str, np.ndarray]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays)
        os.chmod(scratch, 0o644)
        os.replace(scratch, target)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
