"""Any labelled CSV: one sample per line, with columns for the activity, the subject and the channels."""

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaitd_train.datasets import prepared, split
from gaitd_train.datasets.loading import Loaded
from gaitd_train.datasets.prepared import Prepared
from gaitd_train.datasets.windows import Labelled, cut_runs, joined_labelled, runs
from gaitd_train.errors import UserError
from gaitd_train.task import TASKS, Channel, unconditioned

# A step of more sample periods than this is a gap.
LONGEST_STEP = 1.5

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Layout:
    """The meaning of the columns. `channels` are the signals' columns and units; `time` is in seconds.

    `labels` is the order of the activities; None: sorted, as found. `rate_hz` is samples per second, `window`
    and `hop` are in samples. `test_subjects` are the subjects of the test split; None: see
    `split.every_third`.
    """

    name: str
    label: str
    subject: str
    channels: tuple[Channel, ...]
    rate_hz: float
    window: int
    hop: int
    time: str | None = None
    labels: tuple[str, ...] | None = None
    test_subjects: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Table:
    path: Path
    label: np.ndarray
    subject: np.ndarray
    values: np.ndarray
    time: np.ndarray | None


def prepare_csv(files: list[Path], layout: Layout, target: Path, rule: str = split.SUBJECT_WISE) -> Prepared:
    """Cuts windows from CSV files and writes `target` with a task of its own.

    Windows lie within one file, subject and activity, and, where there is a time column, hold no gap.
    Subjects are numbered from 1 in sorted order, whole numbers by value; `subject_names` of the prepared file
    keeps their texts in that order.
    """
    _check(layout, rule)
    tables = [_read(path, layout) for path in files]
    subjects = _sorted({text for table in tables for text in table.subject.tolist()})
    if len(subjects) < 2:
        raise UserError(
            f"{_names(files)}: only one subject ('{subjects[0]}') in column '{layout.subject}'; a test needs "
            "people that the network has not seen, so give at least two"
        )
    labels = _labels(tables, layout)
    rate = int(layout.rate_hz) if layout.rate_hz == int(layout.rate_hz) else layout.rate_hz
    task = unconditioned(layout.name, layout.name, labels, layout.channels, rate, layout.window, layout.hop)
    parts = [_windows(table, task, labels, subjects) for table in tables]
    windows = joined_labelled([part for part, _ in parts])
    if not len(windows.y):
        raise UserError(
            f"{_names(files)}: no run of {layout.window} samples of one subject and activity without a "
            f"gap; the longest has {max(longest for _, longest in parts)}. Use a smaller --window, or check "
            "--rate and the time column"
        )
    chosen = None
    if layout.test_subjects is not None:
        if unknown := sorted(set(layout.test_subjects) - set(subjects)):
            raise UserError(f"--test-subjects: no subject {unknown} in column '{layout.subject}': {subjects}")
        chosen = frozenset(subjects.index(text) + 1 for text in layout.test_subjects)
    notes = ("subjects: " + ", ".join(f"{number} = {text}" for number, text in enumerate(subjects, start=1)),)
    loaded = Loaded(windows, {}, chosen, notes, {"subject_names": np.array(subjects)})
    return prepared.write(task, loaded, target, rule)


def _check(layout: Layout, rule: str) -> None:
    if not NAME.fullmatch(layout.name):
        raise UserError(f"--name: '{layout.name}' must be lower-case letters, digits, '-', '_' and '.'")
    if layout.name in TASKS:
        raise UserError(f"--name: '{layout.name}' is a data set of its own; choose another name")
    if not (math.isfinite(layout.rate_hz) and layout.rate_hz > 0):
        raise UserError(f"--rate: must be positive samples per second, got {layout.rate_hz:g}")
    names = [channel.name for channel in layout.channels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"--channels: names {twice} twice")
    if layout.labels and len(set(layout.labels)) != len(layout.labels):
        raise UserError(f"--labels: names an activity twice: {', '.join(layout.labels)}")
    if rule == split.RANDOM_WINDOWS and layout.test_subjects is not None:
        raise UserError(f"--test-subjects has no meaning with --split {rule}; leave one of them out")


def _read(path: Path, layout: Layout) -> _Table:
    names = [channel.name for channel in layout.channels] + ([layout.time] if layout.time else [])
    labels, subjects, rows = [], [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            wanted = (layout.label, layout.subject, *names)
            if missing := [name for name in wanted if name not in header]:
                raise UserError(f"{path}: has no column {missing}; its columns are {header}")
            label, subject, *columns = (header.index(name) for name in wanted)
            for row in reader:
                if not any(row):
                    continue
                if len(row) != len(header):
                    raise UserError(
                        f"{path}: line {reader.line_num}: {len(row)} values for {len(header)} columns"
                    )
                labels.append(row[label].strip())
                subjects.append(row[subject].strip())
                if not (labels[-1] and subjects[-1]):
                    raise UserError(
                        f"{path}: line {reader.line_num}: no activity or no subject; remove the line"
                    )
                rows.append(
                    [_number(path, reader.line_num, header[column], row[column]) for column in columns]
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a readable CSV file ({error})") from error
    if not rows:
        raise UserError(f"{path}: holds no samples")
    values = np.array(rows, np.float64)
    time = values[:, -1] if layout.time else None
    return _Table(path, np.array(labels), np.array(subjects), values[:, : len(layout.channels)], time)


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"{path}: line {line}: column '{column}' holds '{text}', which is not a finite number; correct "
            "or remove the line"
        )
    return value


def _labels(tables: list[_Table], layout: Layout) -> tuple[str, ...]:
    found = {label for table in tables for label in table.label.tolist()}
    labels = layout.labels or tuple(_sorted(found))
    if unknown := sorted(found - set(labels)):
        raise UserError(f"--labels: column '{layout.label}' also holds {unknown}; name them too")
    if absent := sorted(set(labels) - found):
        raise UserError(f"--labels: column '{layout.label}' holds no {absent}; it has {sorted(found)}")
    if len(labels) < 2:
        raise UserError(
            f"column '{layout.label}' holds only '{labels[0]}'; recognition needs at least two activities"
        )
    return labels


def _windows(table: _Table, task, labels: tuple[str, ...], subjects: list[str]) -> tuple[Labelled, int]:
    """The windows of one file, and the length of its longest run."""
    y = np.array([labels.index(text) + 1 for text in table.label.tolist()])
    subject = np.array([subjects.index(text) + 1 for text in table.subject.tolist()])
    joined = None
    if table.time is not None:
        step = np.diff(table.time)
        joined = (step >= 0) & (step <= LONGEST_STEP / task.sample_rate_hz)
    stretches = runs(y, subject, joined=joined)
    longest = int((stretches[:, 1] - stretches[:, 0]).max())
    return cut_runs(table.values, y, subject, stretches, task, task.hop), longest


def _sorted(texts: set[str]) -> list[str]:
    # Subjects 2 and 10 are in this order, as people expect.
    numeric = all(text.isascii() and text.isdigit() for text in texts)
    return sorted(texts, key=(lambda text: (int(text), text)) if numeric else None)


def _names(files: list[Path]) -> str:
    return ", ".join(map(str, files))
