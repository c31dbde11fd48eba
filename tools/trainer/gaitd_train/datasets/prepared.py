"""From loaded windows to the prepared file that `gaitd_train.data` documents."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaitd_train.data import require_every_class
from gaitd_train.datasets import split
from gaitd_train.datasets.loading import Loaded
from gaitd_train.errors import UserError
from gaitd_train.files import replaced
from gaitd_train.task import Task

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Prepared:
    """The written file, for the user: the arrays, the name of the data in reports, and the loader's notes."""

    path: Path
    task: Task
    arrays: dict[str, np.ndarray]
    notes: tuple[str, ...]

    @property
    def source(self) -> str:
        return str(self.arrays["source"])

    def table(self) -> str:
        """Shapes, subjects and windows per activity, to be read by people."""
        lines = [self.source, *self.notes, ""]
        for name in SPLITS:
            subjects = np.unique(self.arrays[f"subject_{name}"]).tolist()
            shape = " x ".join(map(str, self.arrays[f"X_{name}"].shape))
            lines.append(
                f"{name:5}  {shape} (windows x channels x samples), {len(subjects)} subjects: "
                + " ".join(map(str, subjects))
            )
        width = max(map(len, (*self.task.labels, "activity")))
        lines += ["", f"{'activity':{width}}  {'train':>7}  {'test':>7}"]
        for activity, label in enumerate(self.task.labels, start=1):
            train, test = (int((self.arrays[f"y_{name}"] == activity).sum()) for name in SPLITS)
            lines.append(f"{label:{width}}  {train:7}  {test:7}")
        return "\n".join(lines)


def write(task: Task, loaded: Loaded, target: Path, rule: str, note: str = "") -> Prepared:
    """Splits by `rule` (see `split`), writes `target` and returns what it wrote.

    `note` joins the name that reports print. A split without windows or an activity without any is a
    `UserError`, and nothing is written.
    """
    windows = loaded.windows
    notes = [note] if note else []
    if rule == split.RANDOM_WINDOWS:
        notes.append("random windows: the same people on both sides")
        test = split.random_windows(len(windows.y))
    else:
        # The publisher's split holds even where a copy lacks its test subjects.
        chosen = loaded.test_subjects
        test = split.subject_wise(
            windows.subject, split.every_third(windows.subject) if chosen is None else set(chosen)
        )
    arrays = {
        "channels": np.array([channel.name for channel in task.channels]),
        "task": np.array(json.dumps(task.to_dict())),
        "source": np.array(task.title + "".join(f" ({note})" for note in notes)),
        **loaded.extra,
    }
    for name, mask in zip(SPLITS, (~test, test), strict=True):
        if not mask.any():
            raise UserError(
                f"{task.title}: no window for the {name} split; its subjects ({_list(windows.subject)}) do "
                f"not fill both sides. Add subjects, or use --split {split.RANDOM_WINDOWS}"
            )
        arrays |= {
            f"X_{name}": windows.x[mask],
            f"y_{name}": windows.y[mask].astype(np.int16),
            f"subject_{name}": windows.subject[mask].astype(np.int16),
        }
        if windows.origin is not None:
            arrays[f"src_{name}"] = windows.origin[mask].astype(np.int32)
    require_every_class(str(target), arrays["y_train"], arrays["y_test"], task)
    with replaced(target) as file:
        np.savez_compressed(file, **arrays)
    return Prepared(target, task, arrays, loaded.notes)


def _list(subjects: np.ndarray) -> str:
    return ", ".join(map(str, np.unique(subjects).tolist()))
