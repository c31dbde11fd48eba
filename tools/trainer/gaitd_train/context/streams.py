"""The answers of several networks, each on the continuous recordings of people that it never saw."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy import special

from gaitd_train.answers import Answers, pooled
from gaitd_train.calibrate import calibrate
from gaitd_train.checkpoint import Checkpoint
from gaitd_train.confidence import fit_temperature
from gaitd_train.context import changes, recordings
from gaitd_train.context.decoder import QUANTITIES
from gaitd_train.context.recordings import UNSTEADY, Recording
from gaitd_train.costs import costs
from gaitd_train.data import Dataset
from gaitd_train.errors import UserError
from gaitd_train.evaluate import logits_of
from gaitd_train.grid import Configuration
from gaitd_train.task import Task

# Seconds over which the detectors are tried; each quantity has as many of them as fit into a window.
OVER_S = {"rotation": (0.25, 0.5, 1.0, 2.0), "gravity": (0.25, 0.5, 1.0)}

# Random orders that are tried, see `shuffled`.
ORDERS = 100


@dataclass(frozen=True)
class Stream:
    """One recording, as networks that never saw its wearer answer it.

    `fold` counts the networks; `truth [windows]` is 0-based, `UNSTEADY` where a window does not lie wholly
    inside one activity; `logits [windows, rungs, labels]`; `peaks [windows]` are those of
    `gaitd_train.context.changes`, by quantity and `over_s`.
    """

    fold: int
    person: int
    number: int
    truth: np.ndarray
    logits: np.ndarray
    peaks: dict[tuple[str, float], np.ndarray]

    def reordered(self, order: np.ndarray) -> "Stream":
        """The stream whose window `i` is this one's `order[i]`."""
        peaks = {key: values[order] for key, values in self.peaks.items()}
        return replace(self, truth=self.truth[order], logits=self.logits[order], peaks=peaks)


@dataclass(frozen=True)
class Folds:
    """All streams, and of each fold the answers to the prepared windows of its held-out people.

    `rungs` are configurations, the cheapest first, and `macs` what they cost. Temperatures and accuracies are
    of the prepared windows, as those in a manifest are.
    """

    task: Task
    rungs: list[Configuration]
    macs: list[int]
    prepared: list[Answers]
    streams: list[Stream]

    def accuracies(self, folds: Iterable[int]) -> np.ndarray:
        """The accuracy of each rung on the people held out of these folds."""
        chosen = [self.prepared[fold] for fold in folds]
        right = [np.concatenate([answers.right(rung.id) for answers in chosen]) for rung in self.rungs]
        return np.array([values.mean() for values in right])

    def temperatures(self, folds: Iterable[int]) -> np.ndarray:
        """The temperature of each rung, fitted on the people held out of these folds."""
        chosen = [self.prepared[fold] for fold in folds]
        return np.array([fit_temperature(*pooled(chosen, rung.id)) for rung in self.rungs])


def measure(trained: Sequence[Checkpoint], dataset: Dataset, path: Path, rungs: Sequence[str]) -> Folds:
    """Runs each network on the recordings in `path` of the people that were held out of its training."""
    require_folds(trained)
    task = dataset.task
    grid = trained[0].recipe.grid
    prepared, streams, macs = [], [], []
    chosen = [grid.named(name) for name in rungs]
    for fold, one in enumerate(trained):
        network = one.build()
        if not macs:
            chosen.sort(key=lambda rung: costs(network, rung).macs)
            macs = [costs(network, rung).macs for rung in chosen]
        calibrate(network, dataset.without(one.held_out), chosen)
        cut = dataset.only(one.held_out)
        logits = {rung.id: logits_of(network, cut.x, rung) for rung in chosen}
        prepared.append(Answers(logits, cut.y.numpy(), cut.subject))
        for recording in recordings.load(path, task, one.held_out):
            x = torch.from_numpy(recording.windows(task))
            answers = np.stack([logits_of(network, x, rung) for rung in chosen], axis=1)
            streams.append(_stream(fold, recording, task, answers))
    return Folds(task, chosen, macs, prepared, streams)


def require_folds(trained: Sequence[Checkpoint]) -> None:
    """A `UserError` unless the checkpoints are of one recipe, and each held out people of its own."""
    if len(trained) < 2:
        raise UserError("context: give two checkpoints at least, each trained without other people")
    seen: set[int] = set()
    for one in trained:
        if not one.held_out:
            raise UserError("context: a checkpoint was trained on everyone; train it with --hold-out")
        if again := seen & set(one.held_out):
            raise UserError(f"context: two checkpoints held out the same people: {sorted(again)}")
        seen |= set(one.held_out)
        if (one.recipe, one.task) != (trained[0].recipe, trained[0].task):
            raise UserError("context: the checkpoints differ in their recipe or task")


def _stream(fold: int, recording: Recording, task: Task, logits: np.ndarray) -> Stream:
    ends = recording.ends(task)
    peaks = {}
    for quantity in QUANTITIES:
        if not changes.sensed(task, quantity):
            continue
        for over_s in OVER_S[quantity]:
            level = changes.levels(task, recording.raw, quantity, over_s)
            peaks[quantity, over_s] = changes.peaks(level, ends)
    return Stream(fold, recording.person, recording.number, recording.truth(task), logits, peaks)


@dataclass(frozen=True)
class Batch:
    """Streams side by side, the shorter ones padded: `time` is that of the longest.

    Arrays over windows are `[time, streams]`; where a stream is over, `truth` is `UNSTEADY`, `lasts` false,
    and logits are 0.
    """

    streams: list[Stream]
    hop_s: float

    @cached_property
    def lasts(self) -> np.ndarray:
        return self._padded([np.ones(len(stream.truth), bool) for stream in self.streams], False)

    @cached_property
    def truth(self) -> np.ndarray:
        return self._padded([stream.truth for stream in self.streams], UNSTEADY)

    @cached_property
    def logits(self) -> np.ndarray:
        """`[time, streams, rungs, labels]`."""
        return self._padded([stream.logits for stream in self.streams], 0.0)

    @cached_property
    def elapsed(self) -> np.ndarray:
        """Seconds since the window before, infinite for the first one, `[time, 1]`."""
        elapsed = np.full((len(self.truth), 1), self.hop_s)
        elapsed[0] = np.inf
        return elapsed

    @cached_property
    def person(self) -> np.ndarray:
        """Who wore the sensor, `[streams]`."""
        return np.array([stream.person for stream in self.streams])

    @cached_property
    def quantities(self) -> dict[str, list[float]]:
        """By quantity of changes, the seconds over which its peaks are known."""
        found: dict[str, list[float]] = {}
        for quantity, over_s in self.streams[0].peaks:
            found.setdefault(quantity, []).append(over_s)
        return found

    def peaks(self, quantity: str, over_s: float) -> np.ndarray:
        """The highest level since the window before."""
        return self._padded([stream.peaks[quantity, over_s] for stream in self.streams], 0.0)

    def said(self, temperatures: np.ndarray) -> np.ndarray:
        """What each window says by itself, `[time, streams, rungs, labels]`."""
        return special.softmax(self.logits / temperatures[:, None], axis=-1)

    def _padded(self, parts: list[np.ndarray], fill) -> np.ndarray:
        longest = max(map(len, parts))
        padded = np.full((longest, len(parts), *parts[0].shape[1:]), fill, dtype=np.result_type(parts[0]))
        for place, part in enumerate(parts):
            padded[: len(part), place] = part
        return padded


def shuffled(stream: Stream, rng: np.random.Generator) -> Stream:
    """The stream with its bouts in random order, each with half of the windows between it and its neighbours.

    Equal activities that come to stand side by side would make an order easier than the recording: the first
    of `ORDERS` random ones with as many changes counts, or else that with the most.
    """
    found = bouts(stream.truth)
    borders = [0, *(found[:-1, 1] + found[1:, 0]) // 2, len(stream.truth)]
    pieces = [np.arange(first, end) for first, end in pairwise(borders)]
    labels = stream.truth[found[:, 0]]
    best, most = np.arange(len(pieces)), -1
    for _ in range(ORDERS):
        order = rng.permutation(len(pieces))
        changes = int((np.diff(labels[order]) != 0).sum()) if len(labels) else 0
        if changes > most:
            best, most = order, changes
        if most >= found[:, 2].sum():
            break
    return stream.reordered(np.concatenate([pieces[place] for place in best]))


def bouts(truth: np.ndarray) -> np.ndarray:
    """Runs of windows inside one activity: `[bouts, 3]`, the first window, the one after the last, and 1
    where the activity is another than that of the bout before, else 0."""
    edges = np.flatnonzero(np.diff(truth)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(truth)]])
    steady = truth[starts] != UNSTEADY
    starts, ends = starts[steady], ends[steady]
    labels = truth[starts]
    changed = np.concatenate([[False], labels[1:] != labels[:-1]])[: len(labels)]
    return np.stack([starts, ends, changed], axis=1).astype(int)
