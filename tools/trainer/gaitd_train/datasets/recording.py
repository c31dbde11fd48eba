"""gaitd's own form of a recording, as `gaitd import` writes it: `NAME.csv` or `NAME.csv.gz`, and `NAME.json`.

`docs/recordings.md` describes it. It is read strictly: people's own files are `gaitd import`'s to read, with
the very reader of the daemon, so that what trains and what runs cannot disagree.
"""

import csv
import gzip
import json
import math
import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gaitd_train.datasets import prepared, split
from gaitd_train.datasets.loading import Loaded
from gaitd_train.datasets.prepared import Prepared
from gaitd_train.datasets.windows import Labelled, cut_runs, joined_labelled, runs
from gaitd_train.errors import UserError
from gaitd_train.task import TASKS, Channel, unconditioned

FORM = "gaitd-recording"
VERSION = 1

# A step of more sample periods than this is a gap; no two samples are nearer to one another than the other.
LONGEST_STEP = 1.75
SHORTEST_STEP = 0.25
# The time column and the stated rate differ by no more than this share.
SAME_RATE = 0.05

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Recording:
    """Samples on an even grid: `values [samples, channels]` in the channels' units, `time [samples]` in s.

    `label` and `subject` `[samples]` are texts, empty where nothing is known; None where there is no column.
    """

    path: Path
    name: str
    rate_hz: int | float
    channels: tuple[Channel, ...]
    time: np.ndarray
    values: np.ndarray
    label: np.ndarray | None
    subject: np.ndarray | None

    def channel(self, name: str) -> np.ndarray:
        """The raw samples `[samples]` of one channel, in its unit."""
        return self.values[:, [channel.name for channel in self.channels].index(name)]

    @cached_property
    def joined(self) -> np.ndarray:
        """Whether each sample but the first follows the one before, `[samples - 1]`: else there is a gap."""
        return np.diff(self.time) * self.rate_hz <= LONGEST_STEP


@dataclass(frozen=True)
class Layout:
    """How windows are cut: `window` and `hop` in samples.

    `name` is that of the task; None: the recording's. `channels` are those that the network reads, in order;
    None: all. `labels` is the order of the activities; None: sorted, as found. `test_subjects` are those of
    the test split; None: see `split.every_third`.
    """

    window: int
    hop: int
    name: str | None = None
    channels: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    test_subjects: tuple[str, ...] | None = None


def read(path: Path) -> Recording:
    """The recording at `path`: its samples, its JSON, or their common name; else a `UserError`."""
    info_path = _info_path(path)
    info = _info(info_path)
    try:
        name, rate, labelled = str(info["name"]), info["rate_hz"], bool(info["labelled"])
        with_subjects, samples = bool(info["with_subjects"]), int(info["samples"])
        channels = tuple(Channel(str(channel["name"]), str(channel["unit"])) for channel in info["channels"])
        file = info_path.with_name(str(info["samples_file"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _unfit(info_path, f"lacks or misstates {error}") from error
    if info.get("time_unit") != "s":
        raise _unfit(info_path, f"its time_unit is {info.get('time_unit')!r}")
    if not (isinstance(rate, int | float) and math.isfinite(rate) and rate > 0):
        raise _unfit(info_path, f"its rate_hz is {rate!r}")
    rate = int(rate) if rate == int(rate) else rate
    header = ["t [s]", *(f"{channel.name} [{channel.unit}]" for channel in channels)]
    header += ["label"] * labelled + ["subject"] * with_subjects
    time, values, tags = _samples(file, rate, header, len(channels))
    if len(time) != samples:
        raise _unfit(file, f"holds {len(time)} samples, and {info_path.name} says {samples}")
    _check_times(file, time, rate)
    tags = iter(tags)
    label = next(tags) if labelled else None
    return Recording(info_path, name, rate, channels, time, values, label, next(tags, None))


def _info_path(path: Path) -> Path:
    for end in (".csv.gz", ".csv", ".json"):
        if path.name.endswith(end):
            return path.with_name(path.name.removesuffix(end) + ".json")
    return path.with_name(path.name + ".json")


def _info(path: Path) -> dict:
    if not path.is_file():
        raise _unfit(path, "no such file")
    try:
        info = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unfit(path, str(error)) from error
    if not isinstance(info, dict) or info.get("form") != FORM:
        raise _unfit(path, f"its form is not {FORM}")
    if info.get("version") != VERSION:
        raise UserError(f"{path}: is of version {info.get('version')}, and this gaitd-train reads {VERSION}")
    return info


def _samples(file: Path, rate, header: list[str], channels: int):
    """Time `[samples]`, values `[samples, channels]` and the columns of texts behind them."""
    numbers, texts = [], []
    opened = gzip.open if file.name.endswith(".gz") else open
    try:
        with opened(file, "rt", encoding="utf-8", newline="") as lines:
            declared = next(lines, "").rstrip("\n")
            if not declared.startswith("# rate_hz=") or float(declared.partition("=")[2]) != rate:
                raise _unfit(file, f"its first line is not `# rate_hz={rate}`, but `{declared:.60}`")
            reader = csv.reader(lines, strict=True)
            if (found := next(reader, [])) != header:
                raise _unfit(file, f"its columns are {found}, and its JSON says {header}")
            for row in reader:
                line = reader.line_num + 1
                if len(row) != len(header):
                    raise _unfit(file, f"line {line}: {len(row)} fields for {len(header)} columns")
                numbers.append([_number(file, line, text) for text in row[: channels + 1]])
                texts.append(row[channels + 1 :])
    except (OSError, EOFError, zlib.error, ValueError, csv.Error) as error:
        raise _unfit(file, str(error)) from error
    if not numbers:
        raise _unfit(file, "holds no samples")
    table = np.array(numbers, np.float64)
    return table[:, 0], table[:, 1:], [np.array(column) for column in zip(*texts, strict=True)]


def _number(file: Path, line: int, text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _unfit(file, f"line {line}: '{text}' is not a finite number")
    return value


def _check_times(file: Path, time: np.ndarray, rate) -> None:
    step = np.diff(time)
    if len(step) and (step <= 0).any():
        line = int(np.flatnonzero(step <= 0)[0]) + 4
        raise _unfit(file, f"line {line}: its time is not after the one before")
    if len(step) and abs((found := 1 / np.median(step)) / rate - 1) > SAME_RATE:
        raise UserError(
            f"{file}: the time column says {found:.1f} samples per second, rate_hz says {rate}; make the "
            "recording again with `gaitd import`"
        )
    if (step * rate < SHORTEST_STEP).any():
        line = int(np.flatnonzero(step * rate < SHORTEST_STEP)[0]) + 4
        raise _unfit(file, f"line {line}: is nearer to the one before than samples of one grid are")


def _unfit(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path}: {problem}: not a recording in gaitd's form; `gaitd import FILE... -o RECORDING` makes one "
        "of any file that gaitd can read"
    )


def prepare_recordings(
    paths: list[Path], layout: Layout, target: Path, rule: str = split.SUBJECT_WISE
) -> Prepared:
    """Cuts windows from recordings and writes `target` with a task of its own.

    Windows lie within one recording, subject and activity, and hold no gap; what has no activity or no
    subject lies in none. Subjects are numbered from 1 in sorted order, whole numbers by value; the prepared
    file's `subject_names` keep their texts in that order.
    """
    recordings = [read(path) for path in paths]
    first = recordings[0]
    name = layout.name or first.name
    _check(name, layout, rule)
    for recording in recordings:
        _check_tags(recording)
        if (recording.channels, recording.rate_hz) != (first.channels, first.rate_hz):
            raise UserError(
                f"{recording.path}: has {_format(recording)}, and {first.path} has {_format(first)}; import "
                "them alike: `gaitd import --channels ... --resample ...`"
            )
    channels = _channels(first, layout)
    subjects = _sorted({text for it in recordings for text in it.subject.tolist() if text})
    if len(subjects) < 2:
        raise UserError(
            f"{_names(paths)}: only one subject ({', '.join(subjects) or 'none is named'}); a test needs "
            "people that the network has not seen, so give at least two"
        )
    labels = _labels(recordings, layout)
    task = unconditioned(name, name, labels, channels, first.rate_hz, layout.window, layout.hop)
    parts = [_windows(recording, task, labels, subjects) for recording in recordings]
    windows = joined_labelled([part for part, _ in parts])
    if not len(windows.y):
        raise UserError(
            f"{_names(paths)}: no run of {layout.window} samples of one subject and activity without a gap; "
            f"the longest has {max(longest for _, longest in parts)}. Use a smaller --window"
        )
    chosen = None
    if layout.test_subjects is not None:
        if unknown := sorted(set(layout.test_subjects) - set(subjects)):
            raise UserError(f"--test-subjects: no subject {unknown}; there are {subjects}")
        chosen = frozenset(subjects.index(text) + 1 for text in layout.test_subjects)
    notes = (
        f"{first.rate_hz} Hz, " + ", ".join(f"{channel.name} [{channel.unit}]" for channel in channels),
        "subjects: " + ", ".join(f"{number} = {text}" for number, text in enumerate(subjects, start=1)),
        *_passed_over(recordings),
    )
    loaded = Loaded(windows, {}, chosen, notes, {"subject_names": np.array(subjects)})
    return prepared.write(task, loaded, target, rule)


def _check(name: str, layout: Layout, rule: str) -> None:
    if not NAME.fullmatch(name):
        raise UserError(f"--name: '{name}' must be lower-case letters, digits, '-', '_' and '.'")
    if name in TASKS:
        raise UserError(f"--name: '{name}' is a data set of its own; choose another name")
    for flag, names in (("--channels", layout.channels), ("--labels", layout.labels)):
        if twice := sorted({text for text in names or () if names.count(text) > 1}):
            raise UserError(f"{flag}: names {twice} twice")
    if rule == split.RANDOM_WINDOWS and layout.test_subjects is not None:
        raise UserError(f"--test-subjects has no meaning with --split {rule}; leave one of them out")


def _check_tags(recording: Recording) -> None:
    if recording.label is None:
        raise UserError(
            f"{recording.path}: has no activities; import it with a column of them (--label-column), one for "
            "a file (--label), or by time (--labels)"
        )
    if recording.subject is None:
        raise UserError(
            f"{recording.path}: names no subjects; import it with a column of them (--subject-column), or "
            "one for a file (--subject)"
        )


def _channels(recording: Recording, layout: Layout) -> tuple[Channel, ...]:
    if layout.channels is None:
        return recording.channels
    known = {channel.name: channel for channel in recording.channels}
    if missing := [name for name in layout.channels if name not in known]:
        raise UserError(f"--channels: {recording.path} has no {missing}; it has {list(known)}")
    return tuple(known[name] for name in layout.channels)


def _labels(recordings: list[Recording], layout: Layout) -> tuple[str, ...]:
    found = {label for recording in recordings for label in recording.label.tolist() if label}
    labels = layout.labels or tuple(_sorted(found))
    if unknown := sorted(found - set(labels)):
        raise UserError(f"--labels: there is also {unknown}; name them too")
    if absent := sorted(set(labels) - found):
        raise UserError(f"--labels: there is no {absent}; there is {sorted(found)}")
    if len(labels) < 2:
        raise UserError(
            f"there is only {list(labels) or 'no activity'}; recognition needs at least two activities"
        )
    return labels


def _windows(recording: Recording, task, labels, subjects) -> tuple[Labelled, int]:
    """The windows of one recording, and the length of its longest run."""
    numbers = {text: number for number, text in enumerate(labels, start=1)}
    people = {text: number for number, text in enumerate(subjects, start=1)}
    # 0 stands for nothing that is known
    y = np.array([numbers.get(text, 0) for text in recording.label.tolist()])
    subject = np.array([people.get(text, 0) for text in recording.subject.tolist()])
    stretches = runs(y, subject, joined=recording.joined)
    stretches = stretches[(y[stretches[:, 0]] > 0) & (subject[stretches[:, 0]] > 0)]
    longest = int((stretches[:, 1] - stretches[:, 0]).max(initial=0))
    values = np.stack([recording.channel(channel.name) for channel in task.channels], axis=1)
    return cut_runs(values, y, subject, stretches, task, task.hop), longest


def _passed_over(recordings: list[Recording]) -> list[str]:
    """What lies in no window, for the user."""
    notes = []
    for what, tags in (
        ("activity", [recording.label for recording in recordings]),
        ("subject", [recording.subject for recording in recordings]),
    ):
        if count := sum(int((tag == "").sum()) for tag in tags):
            notes.append(f"{count} samples without {what} are passed over")
    if gaps := sum(int((~recording.joined).sum()) for recording in recordings):
        notes.append(f"{gaps} gaps, across which no window lies")
    return notes


def _format(recording: Recording) -> str:
    channels = ", ".join(f"{channel.name} [{channel.unit}]" for channel in recording.channels)
    return f"{channels} at {recording.rate_hz} Hz"


def _sorted(texts: set[str]) -> list[str]:
    # Subjects 2 and 10 are in this order, as people expect.
    numeric = all(text.isascii() and text.isdigit() for text in texts)
    return sorted(texts, key=(lambda text: (int(text), text)) if numeric else None)


def _names(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))
