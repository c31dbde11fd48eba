"""The prepared windows: one `.npz` file per data set, which every command after `prepare` reads.

| array | shape and meaning |
| --- | --- |
| `X_train`, `X_test` | `[windows, channels, time]` float32, in the units of the task's channels |
| `y_train`, `y_test` | `[windows]`, activity 1..classes in the order of the task's labels |
| `subject_train`, `subject_test` | `[windows]`, who wore the sensor |
| `channels` | `[channels]`, names in the order of `X` |
| `task` | optional, the JSON text of the task (`gaitd_train.task.Task.to_dict`) |
| `source` | optional, a text: the name of the data in reports |
| `src_train`, `src_test` | optional, `[windows, 2]`: recording and first sample of each; -1: unknown |
| `subject_names` | optional, `[subjects]`: the text that the source has for subject 1, 2, ... |
"""

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gaitd_train.errors import UserError
from gaitd_train.task import Task

DATA_VARIABLE = "GAITD_DATA"


@dataclass(frozen=True)
class Windows:
    """Labelled windows of some subjects: `x [n, channels, time]` float32, `y [n]` 0-based, `subject [n]`."""

    x: torch.Tensor
    y: torch.Tensor
    subject: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def of_subjects(self, subjects: set[int], keep: bool = True) -> "Windows":
        """Only the windows of `subjects` (or, with `keep=False`, all others)."""
        mask = np.isin(self.subject, sorted(subjects))
        kept = torch.from_numpy(np.flatnonzero(mask == keep))
        return Windows(self.x[kept], self.y[kept], self.subject[kept.numpy()])


@dataclass(frozen=True)
class Dataset:
    """The training and test split of a prepared file, the name of the data in reports, and its task.

    `subject_names` are those of subject 1, 2, ...; none where the file names nobody. `path` is the file.
    """

    train: Windows
    test: Windows
    source: str
    task: Task
    subject_names: tuple[str, ...] = ()
    path: Path | None = None

    def subjects(self, texts: Sequence[str]) -> list[int]:
        """The numbers of the training subjects that are named by `texts`: by name, else by number."""
        names = {name: number for number, name in enumerate(self.subject_names, start=1)}
        found = [names.get(text, int(text) if text.isdecimal() else None) for text in texts]
        known = {int(subject) for subject in np.unique(self.train.subject)}
        if unknown := [text for text, number in zip(texts, found, strict=True) if number not in known]:
            raise UserError(f"no training subject is called {', '.join(unknown)}; {self._known(known)}")
        return sorted(set(found))

    def without(self, held_out: list[int]) -> Windows:
        """The training windows of everyone but `held_out`."""
        self._require(held_out)
        return self.train.of_subjects(set(held_out), keep=False) if held_out else self.train

    def only(self, held_out: list[int]) -> Windows:
        """The training windows of `held_out` alone."""
        self._require(held_out)
        return self.train.of_subjects(set(held_out))

    def _require(self, subjects: list[int]) -> None:
        known = {int(s) for s in np.unique(self.train.subject)}
        if unknown := sorted(set(subjects) - known):
            raise UserError(f"subjects {unknown} are not among the training subjects; {self._known(known)}")
        if subjects and not known - set(subjects):
            raise UserError("every training subject is held out; leave some to train on")

    def _known(self, known: set[int]) -> str:
        names = [
            self.subject_names[number - 1] if number <= len(self.subject_names) else str(number)
            for number in sorted(known)
        ]
        return f"those are {', '.join(names)}"


def default_path(task: Task) -> Path:
    """The default path of a task's prepared file: in `GAITD_DATA`, or `../shared/data`."""
    folder = Path(os.environ.get(DATA_VARIABLE) or Path("..") / "shared" / "data")
    return folder / f"{task.name.replace('-', '_')}.npz"


def own_name(path: Path) -> str | None:
    """The name of the data set in a prepared file, where the file brings its own task; else `None`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return json.loads(str(archive["task"]))["name"] if "task" in archive.files else None
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile):
        return None  # `load` says what is wrong with it


def load(path: Path, task: Task | None = None) -> Dataset:
    """Reads a prepared file.

    With `task` the file must fit it; without, the file's own task is used, and a file that has none is a
    `UserError`.
    """
    if not path.is_file():
        dataset = task.name if task else "DATASET"
        raise UserError(
            f"{path}: no such file; make it with `gaitd-train prepare {dataset}`, point --data at it, "
            f"or set {DATA_VARIABLE} to the folder that holds it"
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a readable .npz archive ({error}); prepare it again") from error
    needed = [f"{array}_{split}" for split in ("train", "test") for array in ("X", "y", "subject")]
    if missing := [name for name in (*needed, "channels") if name not in arrays]:
        raise UserError(f"{path}: lacks the arrays {missing}; prepare it again")
    task = _task_of(path, arrays, task)
    expected = [channel.name for channel in task.channels]
    if (found := [str(name) for name in arrays["channels"]]) != expected:
        raise UserError(f"{path}: its channels are {found}, {task.name} has {expected}")
    source = str(arrays["source"]) if "source" in arrays else _source_of(task, arrays)
    train, test = (_windows(path, arrays, split, task) for split in ("train", "test"))
    require_every_class(str(path), arrays["y_train"], arrays["y_test"], task)
    names = tuple(map(str, arrays["subject_names"])) if "subject_names" in arrays else ()
    return Dataset(train, test, source, task, names, path)


def require_every_class(where: str, y_train: np.ndarray, y_test: np.ndarray, task: Task) -> None:
    """A `UserError` if an activity (1..classes) has no window in either split; `where` names the file."""
    present = {*np.unique(y_train).tolist(), *np.unique(y_test).tolist()}
    if absent := [label for y, label in enumerate(task.labels, start=1) if y not in present]:
        raise UserError(
            f"{where}: no window of {', '.join(absent)} in either split of {task.title}; a network cannot "
            "learn what it never sees. Add recordings of it"
        )


def _task_of(path: Path, arrays: dict[str, np.ndarray], wanted: Task | None) -> Task:
    if "task" not in arrays:
        if wanted is None:
            raise UserError(f"{path}: does not name its task; prepare it again, or name the data set")
        return wanted
    try:
        own = Task.from_dict(json.loads(str(arrays["task"])))
    except ValueError as error:
        raise UserError(f"{path}: its task is not JSON ({error}); prepare it again") from error
    except UserError as error:
        raise UserError(f"{path}: {error}; prepare it again") from error
    if wanted is None or own == wanted:
        return own
    if own.name != wanted.name:
        raise UserError(f"{path}: holds windows of {own.name}, not of {wanted.name}")
    raise UserError(f"{path}: its {own.name} differs from what this version prepares; prepare it again")


def _source_of(task: Task, arrays: dict[str, np.ndarray]) -> str:
    # Windows rebuilt from continuous recordings name their place in them; the official archive does not.
    return f"{task.title} (reconstructed from HAPT)" if "src_train" in arrays else task.title


def _windows(path: Path, arrays: dict[str, np.ndarray], split: str, task: Task) -> Windows:
    x, y, subject = (arrays[f"{name}_{split}"] for name in ("X", "y", "subject"))
    shape = (len(y), len(task.channels), task.window)
    if x.shape != shape:
        raise UserError(f"{path}: X_{split} has shape {x.shape}, expected {shape}")
    if len(y) == 0:
        raise UserError(f"{path}: the {split} split is empty")
    if subject.shape != y.shape:
        raise UserError(f"{path}: {len(subject)} subjects for {len(y)} {split} windows")
    if not np.isfinite(x).all():
        raise UserError(f"{path}: X_{split} holds values that are not finite")
    if y.min() < 1 or y.max() > len(task.labels):
        raise UserError(f"{path}: y_{split} must lie in 1..{len(task.labels)}, found {y.min()}..{y.max()}")
    return Windows(
        torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)),
        torch.from_numpy(y.astype(np.int64) - 1),
        subject.astype(np.int64),
    )
