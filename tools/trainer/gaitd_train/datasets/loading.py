"""The result of every loader, and its description for the command line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.windows import Labelled
from gaitd_train.task import Task


@dataclass(frozen=True)
class Loaded:
    """A data set in memory: its windows, the counts found in it, and notes for the user.

    `counts` holds the found number of every fact of the loader. `test_subjects` is the publisher's own split,
    None where there is none. `notes` are lines to print, such as dropped records. `extra` are further arrays
    of the prepared file.
    """

    windows: Labelled
    counts: dict[str, int] = field(default_factory=dict)
    test_subjects: frozenset[int] | None = None
    notes: tuple[str, ...] = ()
    extra: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Loader:
    """Reads one data set. `summary` is its line of help, `facts` are the published counts."""

    task: Task
    summary: str
    facts: tuple[Fact, ...]
    read: Callable[[Path], Loaded]
